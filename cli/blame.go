package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// blamePatience is when blame goes no further back. A person can interrupt it before.
const blamePatience = time.Minute

// blameFlags are what blame is asked for.
type blameFlags struct {
	pattern *regexp.Regexp // nil for all lines
	path    string
	at      timeFlag
	asJSON  bool
	most    uint32
}

func (a *app) blameCommand() *cobra.Command {
	var f blameFlags
	var fixed, ignoreCase bool
	cmd := &cobra.Command{
		Use:   "blame REF [PATTERN]",
		Short: "Print since when each line of a capture is there",
		Long: `Print the lines of a capture, each with the time and the REF of the version that
brought it, with who made that change where the configuration says it, and with its number. PATTERN,
a regular expression (RE2), picks lines. A line that was deleted and came back is as old as its
return. What changes by itself in a line makes it no younger. "before" stands in front of a time
where the line is at least as old. Exit status 0 means that lines were printed, 1 that none match, 2
a failure.

` + aboutREF,
		Args:        args(1, 2),
		Annotations: map[string]string{failsWith2: "yes"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 2 {
				if f.pattern, err = compilePattern(args[1], fixed, ignoreCase); err != nil {
					return usageError{err}
				}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.blame(cmd.Context(), s, args[0], f)
			})
		},
	}
	a.config.Flags(cmd.Flags(), config.OnPrint)
	cmd.Flags().Var(&f.at, "at", aboutAt)
	cmd.Flags().StringVar(&f.path, "path", "", "only lines in these blocks, written as for log")
	cmd.Flags().BoolVarP(&ignoreCase, "ignore-case", "i", false,
		"upper and lower case are the same")
	cmd.Flags().BoolVarP(&fixed, "fixed-strings", "F", false, "PATTERN is text, not an expression")
	cmd.Flags().Uint32VarP(&f.most, "number", "n", history.BlameVersions,
		"how many versions to look at, at most; 0 for all")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print an array of objects, one a line")
	return cmd
}

// blame prints the lines that the flags pick, and where they come from.
func (a *app) blame(ctx context.Context, s *store.Store, ref string, f blameFlags) error {
	r, err := a.resolve(ctx, s, ref, f.at.at())
	if err != nil {
		return err
	}
	o := history.BlameOptions{Redact: bool(a.config.Redact), Versions: int(f.most),
		Within: blamePatience}
	if f.most == 0 {
		o.Versions = -1
	}
	b, err := history.Blame(ctx, s, r, o)
	if err != nil {
		return explainRedaction(err)
	}
	path, all := history.ParsePath(f.path), len(b.Lines)
	lines := slices.DeleteFunc(b.Lines, func(l history.BlamedLine) bool {
		return !l.Within(path) || f.pattern != nil && !f.pattern.MatchString(l.Text)
	})
	if f.asJSON {
		err = a.printJSON(history.JSONOfBlamed(lines))
	} else {
		err = a.printBlamed(lines)
	}
	switch {
	case err != nil:
		return err
	case len(lines) == 0 && all > 0:
		return exitStatus(1)
	case slices.ContainsFunc(lines, func(l history.BlamedLine) bool { return l.Origin.Before }):
		fmt.Fprintf(a.err, "looked at %d versions; --number says how many\n", b.Versions)
	}
	return nil
}

// printBlamed prints lines in columns. The last one is the line itself, as it is.
func (a *app) printBlamed(lines []history.BlamedLine) error {
	var widths [4]int
	rows := make([][4]string, len(lines))
	for i, l := range lines {
		when := local(l.Origin.ReceivedAt)
		if l.Origin.Before {
			when = "before " + when
		}
		by := author(l.Origin.Record)
		if by == "" {
			by = "-"
		}
		rows[i] = [4]string{when, captureRef(l.Origin.Record), short(by), strconv.Itoa(l.Number)}
		for j, cell := range rows[i] {
			widths[j] = max(widths[j], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %-*s  %*s  %s\n", widths[0], row[0], widths[1], row[1],
			widths[2], row[2], widths[3], row[3], lines[i].Text)
	}
	_, err := a.screen().Write([]byte(b.String()))
	return err
}
