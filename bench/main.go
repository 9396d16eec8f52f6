//go:build linux

// Bench compares tftpsql with other TFTP servers, and with what the machine does without any: make
// bench. Contenders run one after the other, round after round, and what counts is the median of
// the rounds' ratios, since absolute rates depend on what else the machine does.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is one run of this program.
type bench struct {
	places
	short   bool
	rounds  int
	within  time.Duration // of a contest's rounds
	million bool          // of captures, besides fewer
	core    int           // that both ends of a lock-step transfer share
	env     []string      // of the whole program
	names   int
	pg      *cluster // nil until it is needed
	// profiles is a folder for profiles, of goals that are met too; empty for those alone that show
	// why one was missed.
	profiles string
	log      io.Writer
}

// workload is what -only chooses from.
type workload struct {
	name string
	make func(*bench) ([]*contest, error)
}

func run(args []string, out, log io.Writer) error {
	b := &bench{log: log}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&b.short, "short", false,
		"small sizes, half a minute in all: shows that it works, measures nothing")
	flags.IntVar(&b.rounds, "rounds", 0, "how often each contender runs; 0 for 5, or 1 with -short")
	flags.DurationVar(&b.within, "within", 20*time.Second,
		"a contest that has taken this long has 3 rounds, or fewer where it takes twice as long")
	flags.BoolVar(&b.million, "million", false,
		"look at a million stored captures too, and at ten million of 100,000 devices")
	only := flags.String("only", "",
		"regular expression of the workloads to run: "+strings.Join(workloadNames(), " "))
	picture := flags.String("svg", "", "write the chart to this file")
	flags.StringVar(&b.profiles, "profile", "",
		"existing folder for CPU profiles, which are made of goals that are met too; go tool "+
			"pprof shows them")
	dir := flags.String("dir", "", "folder for databases, on the disk to be measured")
	flags.IntVar(&b.core, "core", runtime.NumCPU()-1,
		"core that both ends share where one client runs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if b.rounds == 0 {
		b.rounds = pick(b, 5, 1)
	}
	clean, err := b.prepare(*dir)
	if err != nil {
		return err
	}
	defer clean()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, unix.SIGTERM)
	go func() { // ends with the program
		<-interrupted
		clean()
		os.Exit(1)
	}()
	fmt.Fprintf(out, "## tftpsql and others, %s\n\n%s; load at the start %s\n",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), machine(), load1())
	var done []*contest
	begun := time.Now()
	met, missed := 0, 0
	for _, w := range workloads {
		if !chosen.MatchString(w.name) {
			continue
		}
		list, err := w.make(b)
		if err != nil {
			fmt.Fprintf(out, "\n### %s\n\nfailed: %v\n", w.name, err)
			continue
		}
		for _, c := range list {
			start := time.Now()
			within := b.within
			if time.Since(begun) > total {
				within = lateTime
			}
			c.hold(b.rounds, within, log)
			yes, no := c.print(out)
			met, missed = met+yes, missed+no
			if !b.short || b.profiles != "" {
				b.showWhy(out, c)
			}
			c.end()
			fmt.Fprintf(log, "%s: %.0f s\n", c.name, time.Since(start).Seconds())
		}
		done = append(done, list...)
	}
	fmt.Fprintf(out, "\nGoals: %d met, %d missed. Load at the end: %s\n", met, missed, load1())
	if *picture != "" {
		return os.WriteFile(*picture, chart(done), 0o644)
	}
	return nil
}

func workloadNames() (names []string) {
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

// total is how long all may take; from then on a contest has lateTime, which is one round where
// rounds take long.
const (
	total    = 11 * time.Minute
	lateTime = 2 * time.Second
)

// prepare builds the program, and makes the folders.
func (b *bench) prepare(dir string) (clean func(), err error) {
	if b.root, err = repository(); err != nil {
		return nil, err
	}
	if b.disk, err = os.MkdirTemp(dir, "tftpsqlbench"); err != nil {
		return nil, err
	}
	memory := ""
	if _, err := os.Stat("/dev/shm"); err == nil {
		memory = "/dev/shm"
	}
	if b.files, err = os.MkdirTemp(memory, "tftpsqlbench"); err != nil {
		return nil, err
	}
	for _, d := range []string{b.disk, b.files} {
		if err := os.Chmod(d, 0o755); err != nil {
			return nil, err
		}
	}
	b.program, b.pin = filepath.Join(b.disk, "tftpsql"), filepath.Join(b.disk, "pin")
	b.env = []string{"LOG_LEVEL=warn"}
	if b.hung, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	for program, of := range map[string]string{b.program: b.root,
		b.pin: filepath.Join(b.root, "bench", "pin")} {
		if err := build(program, of, releaseTags); err != nil {
			return nil, err
		}
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		files.Cur = files.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &files)
	}
	return func() {
		if b.pg != nil {
			b.pg.Remove()
		}
		_ = b.hung.Close()
		_ = os.RemoveAll(b.disk)
		_ = os.RemoveAll(b.files)
	}, nil
}

// releaseTags and the flags below are those of the Makefile's BUILD: what is measured is what is
// shipped.
const releaseTags = "nethttpomithttp2"

// build builds the program of a folder, peers' as ours.
func build(program, of, tags string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-tags", tags,
		"-ldflags=-s -w -funcalign=4", "-o", program}, flags...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = of, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

// repository finds the folder that holds this module's.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "bench", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("run this in the repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// machine says what the numbers were measured on.
func machine() string {
	cpu := "unknown CPU"
	info, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); m != nil {
		cpu = string(m[1])
	}
	var u unix.Utsname
	_ = unix.Uname(&u)
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", cpu, runtime.NumCPU(),
		bytes.TrimRight(u.Release[:], "\x00"), runtime.Version())
}

func load1() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(b))[:2], " ")
}
