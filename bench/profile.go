//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

const (
	// that a contender runs under a profile at least: some 200 samples of each core
	profileTime  = 2 * time.Second
	profileLines = 12  // of functions
	leastShare   = 0.5 // % of the CPU that a group must have to be told
)

// explainable lets what a contender takes be explained: run does once more what it does, and leaves
// CPU profiles in a folder.
func (b *bench) explainable(c *contest, l *line, run func(dir string) (sample, error)) {
	l.why = func(w io.Writer) error {
		dir, err := os.MkdirTemp(cmp.Or(b.profiles, b.disk),
			strings.Trim(unnamed.ReplaceAllString(c.name+" "+l.name, "-"), "-")+"-")
		if err != nil {
			return err
		}
		start, before := time.Now(), b.pg.cpu()
		m, err := run(dir)
		if err != nil {
			return err
		}
		took, beside := time.Since(start), b.pg.cpu()-before
		list, err := traces(dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s once more, under a profile (%s):\n\n", l.name,
			(&line{rounds: []sample{m}}).beside(""))
		where(w, list, took)
		if beside >= 10*time.Millisecond { // less is what it does when idle
			fmt.Fprintf(w, "    PostgreSQL took %.2f s of CPU beside it\n", beside.Seconds())
		}
		return nil
	}
}

// showWhy shows what takes their time those that missed a goal.
func (b *bench) showWhy(w io.Writer, c *contest) {
	var shown []*line
	for _, g := range c.goals {
		l := c.line(g.of)
		_, met, known := c.verdict(g)
		if !known || !g.ofTime() || met && b.profiles == "" || l.why == nil ||
			slices.Contains(shown, l) {
			continue
		}
		shown = append(shown, l)
		_, err := b.profiledProgram() // now, so that building it isn't in what the run took
		if err == nil {
			err = l.why(w)
		}
		if err != nil {
			fmt.Fprintf(w, "\n%s: no profile: %v\n", l.name, err)
		}
	}
}

// unnamed is what a folder's name has no use for.
var unnamed = regexp.MustCompile(`[^A-Za-z0-9]+`)

// longEnough runs a contender until a profile shows something.
func (b *bench) longEnough(run func() (sample, error)) (m sample, err error) {
	for start := time.Now(); err == nil; {
		if m, err = run(); time.Since(start) >= pick(b, profileTime, 0) {
			break
		}
	}
	return m, err
}

// inProcess makes a contender explainable that runs in this process.
func (b *bench) inProcess(c *contest, l *line) {
	b.explainable(c, l, func(dir string) (sample, error) {
		f, err := os.Create(filepath.Join(dir, "bench.pprof"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
		return b.longEnough(l.run)
	})
}

// profiledProgram is the whole program with profiled.go.overlay, built when it is first needed.
func (p *places) profiledProgram() (string, error) {
	program := p.program + "-profiled"
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(p.root, "profiled.go"): filepath.Join(p.root, "bench",
			"profiled.go.overlay")}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(program+".json", overlay, 0o644); err != nil {
		return "", err
	}
	return program, build(program, p.root, releaseTags+",profiled", "-overlay", program+".json")
}

// trace is a stack of a profile, the innermost function first, and what CPU it took.
type trace struct {
	spent  time.Duration
	frames []string
}

// traces reads a folder's profiles together.
func traces(dir string) ([]trace, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.pprof"))
	if err != nil {
		return nil, err
	}
	text, err := exec.Command("go", append([]string{"tool", "pprof", "-traces", "-unit=us"},
		files...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go tool pprof: %w", err)
	}
	return readTraces(text), nil
}

// readTraces reads what pprof -traces prints: a line of dashes before each stack, whose first line
// begins with its CPU.
func readTraces(text []byte) (list []trace) {
	begins := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "(inline)"))
		switch {
		case strings.HasPrefix(line, "----"):
			begins = true
		case begins:
			cpu, function, _ := strings.Cut(line, " ")
			if spent, err := time.ParseDuration(cpu); err == nil {
				list = append(list, trace{spent, []string{strings.TrimSpace(function)}})
				begins = false
			}
		case len(list) > 0 && list[len(list)-1].frames[0] == "runtime.asyncPreempt":
			// where it was interrupted counts
			list[len(list)-1].frames[0] = line
		case len(list) > 0:
			last := &list[len(list)-1]
			last.frames = append(last.frames, line)
		}
	}
	return list
}

// parts of a program that its CPU is told by: a stack belongs to the innermost function that one of
// them has, so that what the standard library does is its caller's.
var groups = []struct{ name, prefix string }{
	{"hashing (crypto)", "crypto/"},
	{"SQLite", "modernc.org/"},
	{"SQLite", "database/sql."},
	{"pgx", "github.com/jackc/"},
	{"tftp", "github.com/tftpsql/tftpsql/tftp."},
	{"device", "github.com/tftpsql/tftpsql/device."},
	{"store", "github.com/tftpsql/tftpsql/store."},
	{"store", "github.com/tftpsql/tftpsql/queries"},
	{"package main", "main."},
}

var (
	collecting = regexp.MustCompile(`^runtime\.(gcBgMarkWorker|gcAssistAlloc|gcStart|` +
		`bgsweep|bgscavenge|deductSweepCredit)`)
	copying    = regexp.MustCompile(`^runtime\.mem(move|clr)`)
	systemCall = regexp.MustCompile(`(^|/)syscall[./]`)
)

// group says what a stack belongs to.
func (t trace) group() string {
	has := func(re *regexp.Regexp) bool { return slices.ContainsFunc(t.frames, re.MatchString) }
	switch {
	case has(collecting):
		return "garbage collection"
	case systemCall.MatchString(t.frames[0]):
		return systemCalls
	case slices.Contains(t.frames, "runtime.mallocgc"):
		return "allocation"
	case copying.MatchString(t.frames[0]):
		return "copying and clearing"
	}
	if _, name := t.owner(); name != "" {
		return name
	}
	return "Go's scheduler and the rest"
}

const systemCalls = "system calls"

// owner is the innermost function that a group has.
func (t trace) owner() (function, group string) {
	for _, frame := range t.frames {
		if name := groupOf(frame); name != "" {
			return frame, name
		}
	}
	return "", ""
}

func groupOf(function string) string {
	for _, g := range groups {
		if strings.HasPrefix(function, g.prefix) {
			return g.name
		}
	}
	return ""
}

// where prints where the CPU went: by parts, by the callers of system calls, and by functions.
func where(w io.Writer, list []trace, took time.Duration) {
	total := time.Duration(0)
	byGroup, calls, flat, cumulative := tally{}, tally{}, tally{}, tally{}
	spends := map[string]map[string]bool{} // in which functions; itself is empty
	for _, t := range list {
		total += t.spent
		byGroup[t.group()] += t.spent
		flat[t.frames[0]] += t.spent
		if t.group() == systemCalls {
			function, _ := t.owner()
			calls[cmp.Or(function, "Go's runtime")] += t.spent
		}
		seen, inner := map[string]bool{}, ""
		for _, frame := range t.frames {
			if !seen[frame] && groupOf(frame) != "" {
				cumulative[frame] += t.spent
			}
			if spends[frame] == nil {
				spends[frame] = map[string]bool{}
			}
			seen[frame], spends[frame][inner], inner = true, true, frame
		}
	}
	// all is one other's, which tells more
	maps.DeleteFunc(cumulative, func(frame string, _ time.Duration) bool {
		return len(spends[frame]) == 1 && !spends[frame][""]
	})
	if total == 0 {
		fmt.Fprintln(w, "    it took too little for a sample")
		return
	}
	fmt.Fprintf(w, "    %.2f s of CPU in %.2f s: %s\n", total.Seconds(), took.Seconds(),
		strings.Join(byGroup.top(total, len(byGroup)), ", "))
	if len(calls) > 0 {
		fmt.Fprintf(w, "    system calls by: %s\n",
			strings.Join(calls.top(total, profileLines/2), ", "))
	}
	left, right := flat.top(total, profileLines), cumulative.top(total, profileLines)
	fmt.Fprintf(w, "\n    %-60s %s\n", "in the function itself", "and in what it calls")
	for i := range max(len(left), len(right)) {
		fmt.Fprintf(w, "    %-60s %s\n", at(left, i), at(right, i))
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// tally is CPU by name.
type tally map[string]time.Duration

// top are the n largest, as shares of all.
func (t tally) top(total time.Duration, n int) (words []string) {
	names := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(n, len(names))] {
		if share := 100 * t[name].Seconds() / total.Seconds(); share >= leastShare {
			short := strings.TrimPrefix(strings.TrimPrefix(name, "github.com/"), "tftpsql/tftpsql/")
			words = append(words, fmt.Sprintf("%.1f %% %s", share, short))
		}
	}
	return words
}
