package cli

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
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

// searching is what search was asked for.
type searching struct {
	pattern                        *regexp.Regexp
	glob, site, platform           string
	history, asJSON, fixed, either bool
	bySite                         bool
}

func (a *app) searchCommand() *cobra.Command {
	var q searching
	cmd := &cobra.Command{
		Use:   "search PATTERN [GLOB]",
		Short: "Print the lines of the devices' latest configurations that match",
		Long: `Print the lines that match PATTERN, a regular expression (RE2), in the latest whole configuration of each device, or of those whose
name matches GLOB; with --history in all versions. A line is printed as DEVICE:LINE: BLOCKS > TEXT, in history as DEVICE@ID:LINE. Exit
status 0 means a match, 1 none, 2 trouble.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := args[0]
			if q.fixed {
				pattern = regexp.QuoteMeta(pattern)
			}
			flags := "(?m"
			if q.either {
				flags += "i"
			}
			var err error
			if q.pattern, err = regexp.Compile(flags + ":" + pattern + ")"); err != nil {
				return usageError{fmt.Errorf("%w; --fixed-strings takes it as it is", err)}
			}
			if len(args) == 2 {
				if err := checkGlob(args[1]); err != nil {
					return err
				}
				q.glob = args[1]
			}
			q.bySite = cmd.Flags().Changed("site")
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			return a.search(cmd.Context(), s, q)
		},
	}
	a.config.Flags(cmd.Flags(), isRedact)
	cmd.Flags().BoolVar(&q.history, "history", false, "in all versions, not the latest alone")
	cmd.Flags().BoolVarP(&q.either, "ignore-case", "i", false, "upper and lower case are the same")
	cmd.Flags().BoolVarP(&q.fixed, "fixed-strings", "F", false, "PATTERN is text, not an expression")
	cmd.Flags().StringVar(&q.site, "site", "", "only devices of this site; '' for those without one")
	cmd.Flags().StringVar(&q.platform, "platform", "", "only devices of this platform")
	cmd.Flags().BoolVar(&q.asJSON, "json", false, "print an array of objects")
	return cmd
}

func (q *searching) wants(r store.Record) bool {
	return (!q.bySite || r.Site == q.site) && (q.platform == "" || r.Platform == q.platform) &&
		globbed(q.glob, store.Device{Site: r.Site, Name: r.Device})
}

func (a *app) search(ctx context.Context, s *store.Store, q searching) error {
	records, err := q.records(ctx, s)
	if err != nil {
		return err
	}
	found := make([]matchJSON, 0)
	printed := false
	err = inOrder(records, func(r store.Record) ([]matchJSON, error) {
		body, err := s.Content(ctx, r)
		if err != nil {
			return nil, err
		}
		text := device.Decode(body)
		if a.config.Redact { // what is hidden isn't found either
			if text, err = redacted(body); err != nil {
				return nil, nil
			}
		}
		return a.matches(q.pattern, r, body, text), nil
	}, func(r store.Record, list []matchJSON) error {
		printed = printed || len(list) > 0
		if q.asJSON {
			found = append(found, list...)
			return nil
		}
		_, err := a.screen().Write(grepped(q, r, list))
		return err
	})
	if err == nil && q.asJSON {
		err = a.printJSON(found)
	}
	if err == nil && !printed {
		return exitStatus(1)
	}
	return err
}

// records returns what is searched: each device's latest, or with history all versions, newest first.
func (q *searching) records(ctx context.Context, s *store.Store) (records []store.Record, err error) {
	if !q.history {
		all, err := s.Current(ctx)
		for _, r := range all {
			if q.wants(r) {
				records = append(records, r)
			}
		}
		return records, err
	}
	devices, err := s.Devices(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if !q.wants(store.Record{Site: d.Site, Device: d.Name, Platform: d.Platform}) {
			continue
		}
		if err := s.Versions(ctx, d, func(v store.Version) bool { records = append(records, v.Record); return true }); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// inOrder works on a list with all cores and hands the results on in its order.
func inOrder(list []store.Record, work func(store.Record) ([]matchJSON, error), done func(store.Record, []matchJSON) error) error {
	type result struct {
		found []matchJSON
		err   error
	}
	results := make([]chan result, len(list))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var workers sync.WaitGroup // ends when the list is done, or given up
	defer workers.Wait()
	next := make(chan int)
	quit := make(chan struct{})
	defer close(quit)
	for range max(runtime.GOMAXPROCS(0), 2) { // one waits for the database while another reads
		workers.Go(func() {
			for i := range next {
				found, err := work(list[i])
				results[i] <- result{found, err}
			}
		})
	}
	workers.Go(func() {
		defer close(next)
		for i := range list {
			select {
			case next <- i:
			case <-quit:
				return
			}
		}
	})
	for i, r := range list {
		got := <-results[i]
		if got.err != nil {
			return got.err
		}
		if err := done(r, got.found); err != nil {
			return err
		}
	}
	return nil
}

// matches returns the lines of a configuration that match, as its text is shown. Where none does, they are not looked at one by
// one. Their blocks are those of the configuration itself, since what hides a secret may look like one of its tags.
func (a *app) matches(pattern *regexp.Regexp, r store.Record, body, text []byte) (found []matchJSON) {
	if !pattern.Match(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) {
		return nil
	}
	lines := device.Outline
	if a.config.Redact {
		lines = device.Lines
	}
	for l := range lines(body) {
		shown := l.Text
		if a.config.Redact {
			shown = l.Redacted()
		}
		if pattern.Match(shown) {
			path := l.Path()
			if path == nil {
				path = []string{}
			}
			found = append(found, matchJSON{r.Site, r.Device, r.ID, r.Kind, l.Number, path, string(shown)})
		}
	}
	return found
}

// grepped is what is printed of a capture's matches.
func grepped(q searching, r store.Record, list []matchJSON) []byte {
	var b bytes.Buffer
	for _, m := range list {
		b.WriteString(store.Device{Site: r.Site, Name: r.Device}.Ref())
		if q.history {
			fmt.Fprintf(&b, "@%d", r.ID)
		}
		if r.Kind != device.KindFull && r.Kind != device.KindOther {
			fmt.Fprintf(&b, "(%s)", r.Kind)
		}
		fmt.Fprintf(&b, ":%d: ", m.Line)
		for _, p := range m.Path {
			b.WriteString(p + " > ")
		}
		b.WriteString(strings.TrimSpace(m.Text))
		b.WriteByte('\n')
	}
	return b.Bytes()
}
