package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// matchJSON is a line that search --json prints.
type matchJSON struct {
	Site   string   `json:"site"`
	Device string   `json:"device"`
	ID     int64    `json:"id"`
	Kind   string   `json:"kind"`
	Line   int      `json:"line"`
	Path   []string `json:"path"`
	Text   string   `json:"text"`
}

func (a *app) searchCommand() *cobra.Command {
	var q history.Query
	var site string
	var asJSON, fixed, either bool
	cmd := &cobra.Command{
		Use:   "search PATTERN [GLOB]",
		Short: "Print the lines of the devices' latest configurations that match",
		Long: `Print the lines that match PATTERN, a regular expression (RE2), in the latest whole configuration of each device, or of those whose
name matches GLOB; with --history in all versions. A line is printed as DEVICE:LINE: BLOCKS > TEXT, in history as DEVICE@ID:LINE. Exit
status 0 means a match, 1 none, 2 trouble.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := args[0]
			if fixed {
				pattern = regexp.QuoteMeta(pattern)
			}
			flags := "(?m"
			if either {
				flags += "i"
			}
			var err error
			if q.Pattern, err = regexp.Compile(flags + ":" + pattern + ")"); err != nil {
				return usageError{fmt.Errorf("%w; --fixed-strings takes it as it is", err)}
			}
			if len(args) == 2 {
				q.Filter.Glob = args[1]
			}
			if cmd.Flags().Changed("site") {
				q.Filter.Site = &site
			}
			q.Redact = bool(a.config.Redact)
			if err := history.CheckGlob(q.Filter.Glob); err != nil {
				return usageError{err}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			return a.search(cmd.Context(), s, q, asJSON)
		},
	}
	a.config.Flags(cmd.Flags(), isRedact)
	cmd.Flags().BoolVar(&q.All, "history", false, "in all versions, not the latest alone")
	cmd.Flags().BoolVarP(&either, "ignore-case", "i", false, "upper and lower case are the same")
	cmd.Flags().BoolVarP(&fixed, "fixed-strings", "F", false, "PATTERN is text, not an expression")
	cmd.Flags().StringVar(&site, "site", "", "only devices of this site; '' for those without one")
	cmd.Flags().StringVar(&q.Filter.Platform, "platform", "", "only devices of this platform")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

func (a *app) search(ctx context.Context, s *store.Store, q history.Query, asJSON bool) error {
	list := make([]matchJSON, 0)
	found := false
	out := a.screen()
	for m, err := range history.Search(ctx, s, q) {
		if err != nil {
			return err
		}
		found = true
		if asJSON {
			list = append(list, matchJSON{Site: m.Site, Device: m.Device, ID: m.ID, Kind: m.Kind, Line: m.Line,
				Path: append([]string{}, m.Path...), Text: m.Text})
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
		return exitStatus(1)
	}
	return nil
}

// matchLine is what is printed of a match, with its capture in a search of all versions.
func matchLine(m history.Match, all bool) string {
	var b strings.Builder
	b.WriteString(deviceRef(m.Record))
	if all {
		b.WriteString(ref(m.Record))
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
