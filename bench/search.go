//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/store"
)

const (
	searchEnd   = "ms to the end"
	searchFirst = "ms to the first hit"
	searchCPU   = "ms of CPU"
	searchLines = "lines found"
	ripgrep     = "ripgrep"
	ripgrepOne  = "ripgrep, one thread"
)

// sought are the patterns of a search, as both programs take them. NEEDLE stands in the middle of
// one device's configuration alone.
var sought = []struct {
	what  string
	args  []string
	finds bool
}{
	{"a line of one device", []string{"-F", "needle-4711"}, true},
	{"a line of each device", []string{"-F", "set hostname"}, true},
	{"nothing", []string{"-F", "no such text"}, false},
	{"an expression, a line of one device", []string{`set comment "(site|rack) needle-4\d+"`},
		true},
	{"case ignored, a line of one device", []string{"-i", "NEEDLE-4711"}, true},
	{"an expression, case ignored", []string{"-i", `HOSTNAME "fw-0+[1-5]"`}, true},
	{"secrets hidden, a line of one device", []string{"-F", "needle-4711", "--redact"}, true},
}

// searches compares a search in a database with ripgrep in the same configurations, exported.
func searches(b *bench) (list []*contest, err error) {
	devices, size := pick(b, 10_000, 20), pick(b, 200_000, 20_000)
	files := ""
	export := func(url string) (err error) {
		if files != "" {
			return nil
		}
		dir := filepath.Join(b.disk, "exported")
		if said, err := exec.Command(b.program, "export", dir, "--database",
			url).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		files = dir
		return nil
	}
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		url := ""
		ready := func() (err error) {
			if url == "" {
				if url, err = b.sought(database, devices, size); err != nil {
					return err
				}
			}
			return export(url)
		}
		for _, s := range sought {
			c := &contest{name: fmt.Sprintf("search %d devices of %d KB, %s: %s", devices,
				size/1000, database, s.what), metric: searchEnd}
			asked := func(program []string, where ...string) func() (sample, error) {
				return func() (sample, error) {
					if err := ready(); err != nil {
						return nil, err
					}
					args := append(program[1:len(program):len(program)], where...)
					if where == nil { // ripgrep
						args = append(args, files)
					} else {
						args = append(args, url)
					}
					return b.timed(exec.Command(program[0], args...), s.finds)
				}
			}
			l := c.add(ours, asked(append([]string{b.program, "search"}, s.args...), "--database"))
			var plain []string
			for _, arg := range s.args {
				if arg != "--redact" {
					plain = append(plain, arg)
				}
			}
			c.add(ripgrep, asked(append([]string{"rg"}, plain...)))
			c.add(ripgrepOne, asked(append([]string{"rg", "-j1"}, plain...)))
			b.explainable(c, l, func(dir string) (sample, error) {
				program, err := b.profiledProgram()
				if err != nil {
					return nil, err
				}
				return b.longEnough(func() (sample, error) {
					cmd := exec.Command(program, append(append([]string{"search"}, s.args...),
						"--database", url)...)
					cmd.Env = append(os.Environ(), profileDir+"="+dir)
					return b.timed(cmd, s.finds)
				})
			})
			c.goals = []goal{{of: ours, metric: searchEnd, against: ripgrep, factor: 2,
				atMost: true}}
			list = append(list, c)
		}
	}
	return list, nil
}

// timed runs a search.
func (b *bench) timed(cmd *exec.Cmd, finds bool) (sample, error) {
	said := new(bytes.Buffer)
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	before, start := b.pg.cpu(), time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := sample{}
	var buffer [64 << 10]byte
	lines := 0
	for {
		n, err := out.Read(buffer[:])
		if n > 0 && lines == 0 {
			m[searchFirst] = time.Since(start).Seconds() * 1e3
		}
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	err = cmd.Wait()
	m[searchEnd] = time.Since(start).Seconds() * 1e3
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == 1 {
		err = nil // nothing was found
	}
	if err == nil && finds != (lines > 0) {
		err = fmt.Errorf("%d lines were found", lines)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w %s", strings.Join(cmd.Args, " "), err, said)
	}
	used := cmd.ProcessState
	m[searchCPU] = (used.UserTime() + used.SystemTime() + b.pg.cpu() - before).Seconds() * 1e3
	m[searchLines] = float64(lines)
	return m, nil
}

// sought makes a database of devices whose configurations differ.
func (b *bench) sought(database string, devices, size int) (url string, err error) {
	path := filepath.Join(b.disk, fmt.Sprintf("sought%d.db", devices))
	url = "sqlite:" + path
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return "", err
		}
		if url, err = pg.database(); err != nil {
			return "", err
		}
	}
	s, err := opened(url)
	if err != nil {
		return "", err
	}
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, putters)
	for range putters {
		group.Go(func() {
			for {
				n := int(next.Add(1))
				if n > devices {
					return
				}
				if _, err := s.Put(context.Background(), soughtCapture(n, devices,
					size)); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	if len(failures) > 0 {
		err = <-failures
	}
	return url, errors.Join(err, s.Close())
}

func soughtCapture(n, devices, size int) store.Capture {
	name := fmt.Sprintf("fw-%06d", n)
	return store.Capture{UID: uuid.Must(uuid.NewV7()).String(), New: true, ReceivedAt: time.Now(),
		Source: "192.0.2.1", SourcePort: 2000, Local: "192.0.2.2", Filename: name + ".conf",
		Mode: "octet", Name: name, NamedBy: store.NamedByConfig, Platform: "fortinet",
		Model: "FG100F", OSVersion: "7.4.8", Kind: "full", Complete: true,
		Body: soughtBody(n, n == devices/2, size)}
}

// words are what names and comments are made of.
var words = strings.Fields("core edge branch lab guest voice camera printer server storage " +
	"backup " +
	"mail web proxy dns vpn partner office factory floor north south east west")

// soughtBody is the configuration of a device: of each device others addresses, rules and secrets.
func soughtBody(n int, needle bool, size int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 18))
	word := func() string { return words[random.IntN(len(words))] }
	b := bytes.NewBuffer(head(n, 0))
	b.WriteString("config system admin\n    edit \"admin\"\n        set password ENC SH2")
	fmt.Fprintf(b, "%016x%016x\n    next\nend\nconfig firewall address\n", random.Uint64(),
		random.Uint64())
	for i := 0; b.Len() < size/2; i++ {
		fmt.Fprintf(b, "    edit \"%s-%s-%d\"\n        set uuid %08x-%04x-51ee-%04x-%012x\n"+
			"        set comment \"%s %s %s\"\n        set subnet 10.%d.%d.%d 255.255.255.255\n"+
			"    next\n", word(), word(), i, random.Uint32(), random.IntN(1<<16),
			random.IntN(1<<16), random.Uint64()>>16, word(), word(), word(), random.IntN(256),
			random.IntN(256), random.IntN(256))
	}
	b.WriteString("end\nconfig firewall policy\n")
	for i := 1; b.Len() < size-400; i++ {
		comment := word() + " " + word()
		if needle {
			comment, needle = "rack needle-4711", false
		}
		fmt.Fprintf(b, "    edit %d\n        set name \"%s to %s %d\"\n        set uuid "+
			"%08x-%04x-51ee-%04x-%012x\n        set srcintf \"port%d\"\n        set dstintf "+
			"\"port%d\"\n        set action accept\n        set srcaddr \"%s-%s-%d\"\n"+
			"        set dstaddr \"all\"\n        set service \"HTTPS\"\n"+
			"        set comment \"%s\"\n    next\n", i, word(), word(), i, random.Uint32(),
			random.IntN(1<<16), random.IntN(1<<16), random.Uint64()>>16, random.IntN(16),
			random.IntN(16), word(), word(), random.IntN(500), comment)
	}
	b.WriteString("end\n")
	return b.Bytes()
}
