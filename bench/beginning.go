//go:build linux

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	beginnings     = 11 // of a program, of which the median counts: 5 ms vary by half
	beginningLines = 10 // of packages
)

// whyStarting shows what a start takes before main's work begins: of some milliseconds a CPU
// profile has no sample. It is what a program takes that only says its version, in comparison with
// a bare Go server that only says how to call it.
func (b *bench) whyStarting(w io.Writer) error {
	fmt.Fprintf(w, "\nWhat a start takes before there is anything to do, n = %d:\n\n", beginnings)
	for _, cmd := range [][]string{{b.program, "version"}, {b.pin}} {
		var elapsed, cpu, faults []float64
		for range beginnings {
			c := exec.Command(cmd[0], cmd[1:]...)
			start := time.Now()
			err := c.Run()
			took := time.Since(start)
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				return err
			}
			used := c.ProcessState.SysUsage().(*syscall.Rusage)
			elapsed = append(elapsed, took.Seconds()*1e3)
			cpu = append(cpu, float64(used.Utime.Nano()+used.Stime.Nano())/1e6)
			faults = append(faults, float64(used.Minflt+used.Majflt))
		}
		for _, list := range [][]float64{elapsed, cpu, faults} {
			slices.Sort(list)
		}
		info, err := os.Stat(cmd[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "    %-10s %s ms (least %s), %s ms of CPU, %s page faults, a file of %.1f "+
			"MB\n", info.Name(), number(median(elapsed)), number(elapsed[0]),
			number(median(cpu)), number(median(faults)), float64(info.Size())/1e6)
	}
	return b.initialised(w)
}

// initialised shows what packages take to be initialised, by Go's own trace.
func (b *bench) initialised(w io.Writer) error {
	type pkg struct {
		name string
		ms   float64
		text string
	}
	var best []pkg
	least := 0.0
	for range beginnings {
		c := exec.Command(b.program, "version")
		c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Run(); err != nil {
			return err
		}
		var list []pkg
		sum := 0.0
		// init NAME @0.5 ms, 0.01 ms clock, 100 bytes, 2 allocs
		for line := range strings.Lines(said.String()) {
			p := pkg{}
			at := 0.0
			size, allocs := 0, 0
			if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &p.name,
				&at, &p.ms, &size, &allocs); n == 5 {
				p.text = fmt.Sprintf("%.3f ms, %.0f KiB in %d allocations", p.ms, float64(size)/kib,
					allocs)
				list, sum = append(list, p), sum+p.ms
			}
		}
		if best == nil || sum < least {
			best, least = list, sum
		}
	}
	slices.SortFunc(best, func(a, b pkg) int { return cmp.Compare(b.ms, a.ms) })
	fmt.Fprintf(w, "\n    Initialising %d packages takes %.2f ms of it (GODEBUG=inittrace=1, the "+
		"quickest of %d starts):\n", len(best), least, beginnings)
	for _, p := range best[:min(beginningLines, len(best))] {
		fmt.Fprintf(w, "    %-50s %s\n", p.name, p.text)
	}
	return nil
}
