package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) diffCommand() *cobra.Command {
	var at timeFlag
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
			var old history.Side
			label := "/dev/null"
			if !first {
				old.Kind = from.Kind
				if old.Body, err = s.Content(cmd.Context(), from); err != nil {
					return err
				}
				label = title(from)
			}
			body, err := s.Content(cmd.Context(), to)
			if err != nil {
				return err
			}
			d, err := history.Compare(old, history.Side{Kind: to.Kind, Body: body},
				history.Options{Noise: all, Redact: bool(a.config.Redact)})
			if err != nil {
				return unredacted(err)
			}
			p := patch{colour: a.colour(), sizes: [2]int{len(old.Body), len(body)}}
			p.write("1", "--- "+label)
			p.write("1", "+++ "+title(to))
			return a.printDiff(&p, d)
		},
	}
	a.config.Flags(cmd.Flags(), isRedact)
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().BoolVar(&all, "all", false, "show what changes by itself, too")
	return cmd
}

func title(r store.Record) string {
	return fmt.Sprintf("%s\t%s @%d %s", deviceRef(r), r.ReceivedAt.Format(time.RFC3339), r.ID, r.Kind)
}

// patch prints a unified diff.
type patch struct {
	out    strings.Builder
	colour bool
	sizes  [2]int // of the two files, bytes
}

// printDiff prints a difference below the heads that p has already. Exit status 1 says that there is one.
func (a *app) printDiff(p *patch, d history.Diff) error {
	switch d.Finding {
	case history.Same:
		return nil
	case history.Noise:
		fmt.Fprintln(a.err, "nothing that somebody changed; --all shows what changed by itself")
		return nil
	case history.Encrypted:
		fmt.Fprintf(&p.out, "Encrypted captures can't be compared: %d and %d bytes, of which the devices alone know what they say\n",
			p.sizes[0], p.sizes[1])
	case history.Binary:
		fmt.Fprintf(&p.out, "Binary captures differ: %d and %d bytes\n", p.sizes[0], p.sizes[1])
	case history.Form:
		fmt.Fprintf(&p.out, "The same text in another form: %d and %d bytes\n", p.sizes[0], p.sizes[1])
	}
	for _, h := range d.Hunks {
		p.hunk(h)
	}
	if _, err := io.WriteString(a.out, p.out.String()); err != nil {
		return err
	}
	return exitStatus(1)
}

// signColours are the colours of lines on a terminal, by their sign.
var signColours = map[byte]string{'-': "31", '+': "32", ' ': ""}

func (p *patch) hunk(h history.Hunk) {
	head := fmt.Sprintf("@@ -%s +%s @@", h.Old, h.New)
	if path := strings.Join(h.Path, " > "); path != "" {
		head += " " + path
	}
	p.write("36", head)
	for _, l := range h.Lines {
		p.write(signColours[l.Op], string(l.Op)+l.Text)
	}
}

// write writes a line. On a terminal it has a colour, and its control bytes are escaped.
func (p *patch) write(colour, line string) {
	if !p.colour {
		p.out.WriteString(line + "\n")
		return
	}
	var safe bytes.Buffer
	_, _ = escaper{&safe}.Write([]byte(line)) // never fails
	if colour == "" {
		fmt.Fprintf(&p.out, "%s\n", safe.Bytes())
		return
	}
	fmt.Fprintf(&p.out, "\x1b[%sm%s\x1b[0m\n", colour, safe.Bytes())
}

// colour reports whether output goes to a terminal.
func (a *app) colour() bool {
	f, ok := a.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
