package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
	"golang.org/x/term"
)

// escaper writes control bytes as \xNN, but for line ends and tabs.
type escaper struct{ w io.Writer }

func (e escaper) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == '\n' || r == '\t' || r == '\r' && len(rest) > 1 && rest[1] == '\n':
			out.Write(rest[:n])
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			for _, c := range rest[:n] {
				fmt.Fprintf(&out, `\x%02x`, c)
			}
		default:
			out.Write(rest[:n])
		}
		rest = rest[n:]
	}
	_, err := e.w.Write(out.Bytes())
	return len(b), err
}

// screen is standard output. On a terminal control bytes are escaped: a configuration may hold some
// that it obeys.
func (a *app) screen() io.Writer {
	if isTerminal(a.out) {
		return escaper{a.out}
	}
	return a.out
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) printJSON(list any) error {
	e := history.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// table prints rows in columns. Texts from devices are printable already (device.Text); names that
// people gave are made so.
type table struct{ w *tabwriter.Writer }

func (a *app) table(columns ...string) *table {
	t := &table{w: tabwriter.NewWriter(escaper{a.out}, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	return t
}

func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		if c == "" {
			c = "-"
		}
		fmt.Fprint(t.w, c)
	}
	fmt.Fprintln(t.w)
}

func (t *table) print() error { return t.w.Flush() }

// local is a time as people here write it, with its zone.
func local(t time.Time) string { return store.LocalTime(t) }

// short keeps a table narrow; --json has the whole text.
func short(s string) string { return cut(s, 48) }

// cut returns at most so many characters of s.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// span is a time span as people say it, to two units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	days := d / config.Day
	d -= days * config.Day
	switch {
	case days >= 10:
		return fmt.Sprintf("%dd", days)
	case days > 0:
		return strings.TrimSuffix(fmt.Sprintf("%dd%dh", days, d/time.Hour), "0h")
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute), "0m")
	case d >= time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second),
			"0s")
	}
	return d.String()
}

// counted writes a number of things: "1 capture", "2 captures".
func counted[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

// timeFlag is a time as a flag.
type timeFlag struct {
	text string
	time history.Time
}

func (f *timeFlag) String() string { return f.text }

func (f *timeFlag) Type() string { return "time" }

func (f *timeFlag) Set(s string) (err error) {
	f.time, err = history.ParseTime(s, time.Now())
	f.text = s
	return err
}

// at is the time that --at means, the zero time where it wasn't given.
func (f *timeFlag) at() time.Time {
	if f.text == "" {
		return time.Time{}
	}
	return f.time.EndOfDay()
}
