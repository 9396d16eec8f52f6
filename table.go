package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

func (a *app) printJSON(list any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// table prints rows in columns. What devices say is printable already (device.Text).
type table struct{ w *tabwriter.Writer }

func (a *app) table(columns ...string) *table {
	t := &table{w: tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)}
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
func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }

// short keeps a table's columns in sight; --json has the whole text.
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

// duration is an Age as package time has it.
func duration(a Age) time.Duration { return time.Duration(a) }

// span is a time span as people say it, to two units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	days := d / day
	d -= days * day
	switch {
	case days >= 10:
		return fmt.Sprintf("%dd", days)
	case days > 0:
		return strings.TrimSuffix(fmt.Sprintf("%dd%dh", days, d/time.Hour), "0h")
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute), "0m")
	case d >= time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second), "0s")
	}
	return d.String()
}
