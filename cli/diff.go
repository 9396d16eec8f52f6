package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) diffCommand() *cobra.Command {
	var at, since timeFlag
	var all bool
	cmd := &cobra.Command{
		Use:   "diff REF [REF]",
		Short: "Show what changed: in a version against the one before it, or between captures",
		Long: `Show what changed. With one REF: that version against the changed version before
it, or with --since against what the device had then. With two: from the first to the second.
Each piece is headed by the blocks it stands in. What changes by itself (encrypted secrets,
times, counters) is hidden; --all shows it. Exit status 0 means no difference, 1 a difference, 2
a failure.

` + aboutREF,
		Args:        args(1, 2),
		Annotations: map[string]string{failsWith2: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && since.text != "" {
				return usageError{errors.New("--since goes with one DEVICE")}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.diff(cmd.Context(), s, args, at.at(), since.at(), all)
			})
		},
	}
	a.config.Flags(cmd.Flags(), config.OnPrint)
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().Var(&since, "since", "against what the device had then: yesterday, 7d, 2026-11-20")
	cmd.Flags().BoolVar(&all, "all", false, "show what changes by itself, too")
	return cmd
}

// side is a capture that is compared, and its head in the difference.
type side struct {
	history.Side
	head string
}

// diff prints the difference between two captures, or between one and the version before it.
func (a *app) diff(
	ctx context.Context, s *store.Store, refs []string, at, since time.Time, all bool,
) error {
	last := refs[len(refs)-1]
	to, err := a.resolve(ctx, s, last, at)
	if err != nil {
		return err
	}
	var from store.Record
	switch {
	case len(refs) == 2:
		from, err = s.Resolve(ctx, refs[0], at)
	case !since.IsZero():
		from, err = s.Resolve(ctx, last, since)
	default:
		from, err = s.Before(ctx, to, 1)
	}
	before := side{head: history.NoFile} // of the first version all is new
	switch {
	case err == nil:
		before, err = sideOf(ctx, s, from, len(refs) == 1 || !isCaptureRef(refs[0]))
	case len(refs) == 1 && errors.Is(err, store.ErrNotFound):
		if err = nil; !since.IsZero() {
			fmt.Fprintf(a.err, "nothing of %s had come by then: all is new\n", deviceRef(to))
		}
	}
	if err != nil {
		return err
	}
	after, err := sideOf(ctx, s, to, !isCaptureRef(last))
	if err != nil {
		return err
	}
	d, err := history.Compare(before.Side, after.Side,
		history.Options{Noise: all, Redact: bool(a.config.Redact)})
	if err != nil {
		return explainRedaction(err)
	}
	return a.printDiff(before, after, d)
}

// isCaptureRef reports whether a reference names one capture, and not a device's newest.
func isCaptureRef(ref string) bool {
	return strings.HasPrefix(ref, "@") || uuid.Validate(ref) == nil
}

func sideOf(ctx context.Context, s *store.Store, r store.Record, version bool) (side, error) {
	body, err := history.Load(ctx, s, r)
	if err != nil {
		return side{}, err
	}
	text, err := history.Head(ctx, s, r, version)
	return side{body, text}, err
}

// printDiff prints a difference. Exit status 1 says that there is one.
func (a *app) printDiff(old, changed side, d history.Diff) error {
	p := patch{colour: isTerminal(a.out)}
	p.write("1", "--- "+old.head)
	p.write("1", "+++ "+changed.head)
	switch d.Finding {
	case history.Same:
		return nil
	case history.Noise:
		fmt.Fprintln(a.err, "nothing but what changes by itself; --all shows it")
		return nil
	}
	if words := d.Finding.Words(len(old.Body), len(changed.Body)); words != "" {
		p.write("", words)
	}
	for _, h := range d.Hunks {
		p.hunk(h)
	}
	if _, err := io.WriteString(a.out, p.out.String()); err != nil {
		return err
	}
	return exitStatus(1)
}

// patch is a unified diff under construction.
type patch struct {
	out    strings.Builder
	colour bool
}

// signColours are the colours of lines on a terminal, by their sign.
var signColours = map[byte]string{'-': "31", '+': "32", ' ': ""}

func (p *patch) hunk(h history.Hunk) {
	p.write("36", h.Head())
	for _, l := range h.Lines {
		p.write(signColours[l.Op], string(l.Op)+l.Text)
		if l.Open {
			p.write("", history.NoLineEnd)
		}
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
