package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) diffCommand() *cobra.Command {
	var at flagWhen
	var all bool
	cmd := &cobra.Command{
		Use:   "diff REF [REF]",
		Short: "Show what changed: in a version against the one before it, or from one capture to another",
		Long: `Show what changed. With one REF: that version against the changed version before it. With two: from the first to the
second. Each piece is headed by the blocks it stands in. What changes by itself (encrypted secrets, times, counters) is hidden; --all
shows it. Exit status 0 means no difference, 1 a difference, 2 trouble.

` + aboutREF,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			to, err := s.Resolve(cmd.Context(), args[len(args)-1], at.at())
			if err != nil {
				return err
			}
			var from store.Record
			if len(args) == 2 {
				from, err = s.Resolve(cmd.Context(), args[0], at.at())
			} else {
				from, err = s.Before(cmd.Context(), to, 1)
			}
			first := len(args) == 1 && errors.Is(err, store.ErrNotFound) // nothing before: all of it is new
			if err != nil && !first {
				return err
			}
			var old []byte
			label := "/dev/null"
			if !first {
				if old, err = s.Content(cmd.Context(), from); err != nil {
					return err
				}
				label = title(from)
			}
			body, err := s.Content(cmd.Context(), to)
			if err != nil {
				return err
			}
			return a.printDiff(comparison{label, title(to), old, body, from.Kind, to.Kind}, all)
		},
	}
	a.config.Flags(cmd.Flags(), isRedact)
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().BoolVar(&all, "all", false, "show what changes by itself, too")
	return cmd
}

func title(r store.Record) string {
	return fmt.Sprintf("%s\t%s @%d %s", store.Device{Site: r.Site, Name: r.Device}.Ref(), r.ReceivedAt.Format(time.RFC3339), r.ID, r.Kind)
}

// comparison is two captures to be compared; old is nothing where there was none.
type comparison struct {
	oldTitle, newTitle string
	old, new           []byte
	oldKind, newKind   string
}

func (a *app) printDiff(c comparison, all bool) error {
	switch {
	case bytes.Equal(c.old, c.new):
		return nil
	case c.oldKind == device.KindEncrypted || c.newKind == device.KindEncrypted:
		fmt.Fprintf(a.out, "--- %s\n+++ %s\nEncrypted captures can't be compared: %d and %d bytes, of which the devices alone know what they say\n",
			c.oldTitle, c.newTitle, len(c.old), len(c.new))
		return exitStatus(1)
	case !device.Readable(c.old) || !device.Readable(c.new):
		fmt.Fprintf(a.out, "--- %s\n+++ %s\nBinary captures differ: %d and %d bytes\n", c.oldTitle, c.newTitle, len(c.old), len(c.new))
		return exitStatus(1)
	}
	rows := significant
	if all {
		rows = verbatim
	}
	old, new := rows(c.old), rows(c.new)
	if a.config.Redact {
		for _, t := range []struct {
			text *text
			body []byte
		}{{&old, c.old}, {&new, c.new}} {
			if err := t.text.redact(t.body); err != nil {
				return err
			}
		}
	}
	edits := udiff.Lines(old.text, new.text)
	if len(edits) == 0 {
		if !all {
			fmt.Fprintln(a.err, "nothing that somebody changed; --all shows what changed by itself")
			return nil
		}
		fmt.Fprintf(a.out, "--- %s\n+++ %s\nThe same text in another form: %d and %d bytes\n", c.oldTitle, c.newTitle, len(c.old), len(c.new))
		return exitStatus(1)
	}
	d, err := udiff.ToUnifiedDiff(c.oldTitle, c.newTitle, old.text, edits, udiff.DefaultContextLines)
	if err != nil {
		return err
	}
	p := patch{old: old, new: new, colour: a.colour()}
	p.write("1", "--- "+c.oldTitle)
	p.write("1", "+++ "+c.newTitle)
	mendHunks(d.Hunks)
	oldPaths, newPaths := paths(c.old, p.headed(d, true)), paths(c.new, p.headed(d, false))
	for _, h := range d.Hunks {
		p.hunk(h, oldPaths, newPaths)
	}
	if _, err := io.WriteString(a.out, p.out.String()); err != nil {
		return err
	}
	return exitStatus(1)
}

// mendHunks sets where hunks stand in the new text: the library (v0.4.1) counts wrong after a hunk of several edits.
func mendHunks(hunks []*udiff.Hunk) {
	grown := 0
	for _, h := range hunks {
		h.ToLine = h.FromLine + grown
		for _, l := range h.Lines {
			switch l.Kind {
			case udiff.Insert:
				grown++
			case udiff.Delete:
				grown--
			}
		}
	}
}

// text is a configuration as it is compared: text has a line for each of numbers, which are those lines' numbers in the file, and
// shown what is printed for them.
type text struct {
	text    string
	numbers []int
	shown   []string
}

// significant leaves out what changes by itself, and compares the rest without it.
func significant(config []byte) text {
	var t text
	var b strings.Builder
	for l := range device.Outline(config) {
		if l.Noise {
			continue
		}
		b.Write(l.Significant())
		b.WriteByte('\n')
		t.numbers = append(t.numbers, l.Number)
		t.shown = append(t.shown, string(l.Text))
	}
	t.text = b.String()
	return t
}

// verbatim compares every byte of the text.
func verbatim(config []byte) text {
	t := text{text: string(device.Decode(config))}
	for line := range strings.Lines(t.text) {
		t.numbers = append(t.numbers, len(t.numbers)+1)
		t.shown = append(t.shown, strings.TrimSuffix(line, "\n"))
	}
	return t
}

// redact hides the secrets in what is shown.
func (t *text) redact(config []byte) error {
	if len(config) == 0 {
		return nil
	}
	safe, err := redacted(config)
	if err != nil {
		return err
	}
	lines := strings.Split(string(safe), "\n")
	for i, n := range t.numbers {
		t.shown[i] = lines[n-1]
	}
	return nil
}

// patch prints a unified diff.
type patch struct {
	out      strings.Builder
	old, new text
	colour   bool
}

// changed returns the first line that a hunk deletes or inserts, as an index into old or into new.
func changed(h *udiff.Hunk) (isOld bool, at int) {
	i, j := h.FromLine-1, h.ToLine-1
	for _, l := range h.Lines {
		switch l.Kind {
		case udiff.Delete:
			return true, i
		case udiff.Insert:
			return false, j
		}
		i, j = i+1, j+1
	}
	return true, i
}

// headed returns the numbers of the lines of old, or of new, by whose blocks hunks are headed.
func (p *patch) headed(d udiff.UnifiedDiff, ofOld bool) map[int]bool {
	wanted := map[int]bool{}
	for _, h := range d.Hunks {
		if isOld, at := changed(h); isOld == ofOld {
			t := p.new
			if isOld {
				t = p.old
			}
			wanted[t.numbers[min(at, len(t.numbers)-1)]] = true
		}
	}
	return wanted
}

// paths returns the blocks around lines of a configuration.
func paths(config []byte, wanted map[int]bool) map[int]string {
	found := make(map[int]string, len(wanted))
	if len(wanted) == 0 {
		return found
	}
	for l := range device.Lines(config) {
		if wanted[l.Number] {
			found[l.Number] = strings.Join(l.Path(), " > ")
		}
	}
	return found
}

func (p *patch) hunk(h *udiff.Hunk, oldPaths, newPaths map[int]string) {
	i, j := h.FromLine-1, h.ToLine-1
	var body strings.Builder
	fromCount, toCount := 0, 0
	line := func(colour, sign, shown string) {
		p.paint(&body, colour, sign+shown)
	}
	for _, l := range h.Lines {
		switch l.Kind {
		case udiff.Delete:
			line("31", "-", p.old.shown[i])
			i, fromCount = i+1, fromCount+1
		case udiff.Insert:
			line("32", "+", p.new.shown[j])
			j, toCount = j+1, toCount+1
		default:
			line("", " ", p.new.shown[j])
			i, j, fromCount, toCount = i+1, j+1, fromCount+1, toCount+1
		}
	}
	path := ""
	if isOld, at := changed(h); isOld {
		path = oldPaths[p.old.numbers[min(at, len(p.old.numbers)-1)]]
	} else {
		path = newPaths[p.new.numbers[min(at, len(p.new.numbers)-1)]]
	}
	head := fmt.Sprintf("@@ -%s +%s @@", p.old.span(h.FromLine-1, fromCount), p.new.span(h.ToLine-1, toCount))
	if path != "" {
		head += " " + path
	}
	p.write("36", head)
	p.out.WriteString(body.String())
}

// span is where a hunk stands in the file: "first,count", the line before it where there is none of it.
func (t text) span(from, count int) string {
	first := 0
	switch {
	case count > 0:
		first = t.numbers[from]
	case from > 0 && from <= len(t.numbers):
		first = t.numbers[from-1]
	}
	if count == 1 {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d,%d", first, count)
}

func (p *patch) write(colour, line string) { p.paint(&p.out, colour, line) }

// paint writes a line, in colour and with its control bytes escaped on a terminal.
func (p *patch) paint(w *strings.Builder, colour, line string) {
	if !p.colour {
		w.WriteString(line + "\n")
		return
	}
	var safe bytes.Buffer
	_, _ = escaper{&safe}.Write([]byte(line)) // never fails
	if colour == "" {
		fmt.Fprintf(w, "%s\n", safe.Bytes())
		return
	}
	fmt.Fprintf(w, "\x1b[%sm%s\x1b[0m\n", colour, safe.Bytes())
}

// colour reports whether output goes to a terminal.
func (a *app) colour() bool {
	f, ok := a.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
