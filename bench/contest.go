//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// sample is what one run of a contender showed, by metric.
type sample map[string]float64

// line is a contender in a contest.
type line struct {
	name    string
	run     func() (sample, error)
	once    bool // it is known to fail, and one look is enough
	rounds  []sample
	failure error
	ran     int
	why     func(w io.Writer) error // shows what takes it its time; nil where nothing does
}

// contest is a workload: its contenders run one after the other, round after round, so that what
// else the machine does falls on all.
type contest struct {
	name   string
	metric string // what the table compares
	lines  []*line
	goals  []goal
	close  func()

	charted bool   // the chart has it
	short   string // its name there
	less    bool   // is better
}

// goal is what is to be reached: the median over the rounds of a ratio, or, where there is nothing
// to compare with, of a number.
type goal struct {
	of, metric string
	against    string // contender; empty for a number
	other      string // metric of against; the same if empty
	factor     float64
	atMost     bool
	text       string // instead of the one that is made of the rest
}

// ofTime says whether what is to be reached is a matter of what takes time.
func (g goal) ofTime() bool {
	switch g.metric {
	case failed, lost, repeated, memory, ofBound, scans:
		return false
	}
	return true
}

func (c *contest) add(name string, run func() (sample, error)) *line {
	l := &line{name: name, run: run}
	c.lines = append(c.lines, l)
	return l
}

// inChart puts a contest into the chart, under a name that fits.
func (c *contest) inChart(short string, less bool) {
	c.charted, c.short, c.less = true, short,
		less
}

func (c *contest) line(name string) *line {
	for _, l := range c.lines {
		if l.name == name {
			return l
		}
	}
	return nil
}

// fewRounds are enough where rounds take long.
const fewRounds = 3

// hold runs a contest: so many rounds, but few once it has taken its time, and no more after twice
// its time. Whose one run takes as long as all may doesn't cost the others their rounds.
func (c *contest) hold(rounds int, within time.Duration, log io.Writer) {
	took := time.Duration(0)
	for round := range rounds {
		if took > within && round >= fewRounds || took > 2*within && round > 0 {
			break
		}
		for _, l := range c.lines {
			if l.once && round > 0 || l.failure != nil {
				l.rounds = append(l.rounds, nil)
				continue
			}
			start := time.Now()
			s, err := l.run()
			if l.ran++; !l.once {
				took += time.Since(start)
			}
			if err != nil {
				l.failure = err
				s = nil
				fmt.Fprintf(log, "%s: %s: %v\n", c.name, l.name, err)
			}
			l.rounds = append(l.rounds, s)
		}
	}
}

// end ends what the contenders ran on.
func (c *contest) end() {
	if c.close != nil {
		c.close()
	}
}

// values are what a contender reached in a metric, without the rounds in which it has none.
func (l *line) values(metric string) (list []float64) {
	for _, s := range l.rounds {
		if v, ok := s[metric]; ok {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is the median over the rounds of one contender's number by another's.
func ratio(a *line, metric string, b *line, other string) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	var list []float64
	for i := range min(len(a.rounds), len(b.rounds)) {
		x, ok := a.rounds[i][metric]
		y, ok2 := b.rounds[i][cmp.Or(other, metric)]
		if ok && ok2 && y != 0 {
			list = append(list, x/y)
		}
	}
	slices.Sort(list)
	return median(list)
}

// verdict says how a goal stands, and whether it is met; known is false where there is nothing to
// compare.
func (c *contest) verdict(g goal) (text string, met, known bool) {
	l := c.line(g.of)
	sign := ">="
	if g.atMost {
		sign = "<="
	}
	var v float64
	what := g.text
	if g.against == "" {
		v = math.NaN()
		if l != nil {
			if list := l.values(g.metric); len(list) > 0 {
				v = median(list)
				if g.atMost && g.factor == 0 { // failures and losses: the worst round counts
					v = list[len(list)-1]
				}
			}
		}
		what = cmp.Or(what, g.of+": "+g.metric)
	} else {
		v = ratio(l, g.metric, c.line(g.against), g.other)
		what = cmp.Or(what, fmt.Sprintf("%s / %s, %s", g.of, g.against, g.metric))
	}
	if math.IsNaN(v) {
		return fmt.Sprintf("%s %s %s: nothing to compare", what, sign, number(g.factor)), false,
			false
	}
	met = v >= g.factor
	if g.atMost {
		met = v <= g.factor
	}
	reached := number(v)
	if reached == number(g.factor) && v != g.factor { // or it would look like the other
		reached = fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%s = %s, goal %s %s", what, reached, sign, number(g.factor)), met, true
}

func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case v == math.Trunc(v) && a < 1e6, a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// print writes a contest's table and verdicts. Ratios are those of the first contender to each
// other.
func (c *contest) print(w io.Writer) (met, missed int) {
	fmt.Fprintf(w, "\n### %s\n\n| contender | n | min | median | max %s | %s / it | medians of "+
		"the rest |\n| --- | --- | --- | --- | --- | --- | --- |\n", c.name, c.metric,
		c.lines[0].name)
	for _, l := range c.lines {
		list := l.values(c.metric)
		if l.failure != nil {
			fmt.Fprintf(w, "| %s | %d | failed | failed | failed | - | %s |\n", l.name, l.ran,
				strings.NewReplacer("|", "/", "\n", " ").Replace(l.failure.Error()))
			continue
		}
		if len(list) == 0 {
			continue
		}
		r := ratio(c.lines[0], c.metric, l, "")
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %s |\n", l.name, len(list), number(list[0]),
			number(median(list)), number(list[len(list)-1]), number(r), l.beside(c.metric))
	}
	fmt.Fprintln(w)
	for _, g := range c.goals {
		text, ok, known := c.verdict(g)
		switch {
		case !known:
			fmt.Fprintln(w, "-", text)
		case ok:
			met++
			fmt.Fprintln(w, "- met:", text)
		default:
			missed++
			fmt.Fprintln(w, "- MISSED:", text)
		}
	}
	return met, missed
}

// beside lists the medians of a contender's other metrics.
func (l *line) beside(metric string) string {
	names := map[string]bool{}
	for _, s := range l.rounds {
		for name := range s {
			names[name] = name != metric
		}
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			words = append(words, name+" "+number(median(l.values(name))))
		}
	}
	return strings.Join(words, ", ")
}
