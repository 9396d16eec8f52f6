package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) searchCommand() *cobra.Command {
	var q history.Query
	var site string
	var asJSON, fixed, ignoreCase bool
	cmd := &cobra.Command{
		Use:   "search PATTERN [GLOB]",
		Short: "Print the lines of the devices' latest configurations that match",
		Long: `Print the lines that match PATTERN, a regular expression (RE2), in the latest
whole configuration of each device, or of those whose name matches GLOB; with --history in all
versions. A line is printed as DEVICE:LINE: BLOCKS > TEXT, in history as DEVICE@ID:LINE. Exit
status 0 means a match, 1 none, 2 a failure.`,
		Args:        args(1, 2),
		Annotations: map[string]string{failsWith2: "yes"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if q.Pattern, err = compilePattern(args[0], fixed, ignoreCase); err != nil {
				return usageError{err}
			}
			if err := filterFrom(&q.Filter, cmd, args[1:], &site); err != nil {
				return usageError{err}
			}
			q.Redact = bool(a.config.Redact)
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.search(cmd.Context(), s, q, asJSON)
			})
		},
	}
	a.config.Flags(cmd.Flags(), config.OnPrint)
	cmd.Flags().BoolVar(&q.All, "history", false, "in all versions, not the latest alone")
	cmd.Flags().BoolVarP(&ignoreCase, "ignore-case", "i", false,
		"upper and lower case are the same")
	cmd.Flags().BoolVarP(&fixed, "fixed-strings", "F", false, "PATTERN is text, not an expression")
	siteFlag(cmd, &site)
	cmd.Flags().StringVar(&q.Filter.Platform, "platform", "", "only devices of this platform")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

func compilePattern(text string, fixed, ignoreCase bool) (*regexp.Regexp, error) {
	if fixed {
		text = regexp.QuoteMeta(text)
	}
	flags := "(?m"
	if ignoreCase {
		flags += "i"
	}
	pattern, err := regexp.Compile(flags + ":" + text + ")")
	if err != nil {
		return nil, fmt.Errorf("%w; --fixed-strings takes it as it is", err)
	}
	return pattern, nil
}

func (a *app) search(ctx context.Context, s *store.Store, q history.Query, asJSON bool) error {
	list := make([]history.MatchJSON, 0)
	found := false
	out := a.screen()
	for m, err := range history.Search(ctx, s, q) {
		if err != nil {
			return err
		}
		found = true
		if asJSON {
			list = append(list, history.JSONOfMatch(m))
			continue
		}
		if _, err := io.WriteString(out, matchLine(m, q.All)); err != nil {
			return err
		}
	}
	if asJSON {
		if err := a.printJSON(list); err != nil {
			return err
		}
	}
	if !found {
		return cmp.Or(checkFilter(ctx, s, q.Filter), error(exitStatus(1)))
	}
	return nil
}

// matchLine is what is printed of a match, with its capture in a search of all versions.
func matchLine(m history.Match, all bool) string {
	var b strings.Builder
	b.WriteString(deviceRef(m.Record))
	if all {
		b.WriteString(captureRef(m.Record))
	}
	if m.Kind != device.KindFull && m.Kind != device.KindOther {
		fmt.Fprintf(&b, "(%s)", m.Kind)
	}
	fmt.Fprintf(&b, ":%d: ", m.Line)
	for _, block := range m.Path {
		b.WriteString(block + " > ")
	}
	b.WriteString(strings.TrimSpace(m.Text))
	b.WriteByte('\n')
	return b.String()
}
