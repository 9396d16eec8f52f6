package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// fetchedEvery is how often restore asks whether the device has fetched its configuration: whoever
// stands at the device doesn't notice the delay.
const fetchedEvery = time.Second

// restoreFlags are what restore is asked for.
type restoreFlags struct {
	publishFlags
	wait, dry, asJSON bool
}

// restoreJSON is what restore --json prints.
type restoreJSON struct {
	Version   history.CaptureJSON      `json:"version"`
	Newest    *history.CaptureJSON     `json:"newest"`  // null where nothing whole has come
	Added     int                      `json:"added"`   // lines that the device gets
	Removed   int                      `json:"removed"` // lines that it loses
	Warnings  []string                 `json:"warnings"`
	Published *history.PublicationJSON `json:"published"` // null with --dry-run
	Fetch     string                   `json:"fetch"`     // to type on the device
	Then      string                   `json:"then"`      // to type after that; "" for nothing
	FetchedBy string                   `json:"fetched_by"`
	FetchedAt *time.Time               `json:"fetched_at"` // null for not yet
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore REF",
		Short: "Give a configuration back to its device, step by step",
		Long: `Give a configuration back to its device. The command says which version it is, what
it changes on the device and what speaks against it. It publishes the version as publish does, and
prints the line to type on the device. On a terminal, or with --wait, it waits until the device has
fetched it, and says so. The exit status is 1 where nobody fetches it in time.

` + aboutREF,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.publication(1, time.Now())
			if err != nil {
				return usageError{err}
			}
			if f.dry && f.wait {
				return usageError{errors.New("--dry-run publishes nothing to wait for")}
			}
			if !cmd.Flags().Changed("wait") {
				f.wait = isTerminal(a.out) && !f.dry && !f.asJSON
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.restore(cmd.Context(), s, p, args[0], f)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.wait, "wait", false,
		"wait until the device has fetched it; --wait=false for not")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "only say what it means, and publish nothing")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print an object, with --wait when it is over")
	return cmd
}

func (a *app) restore(ctx context.Context, s *store.Store, p store.Publication, ref string,
	f restoreFlags) error {
	r, err := s.Resolve(ctx, ref, f.at.at())
	if err != nil {
		return err
	}
	plan, err := history.RestoreOf(ctx, s, r)
	if err != nil {
		return err
	}
	if a.config.Read == "none" {
		plan.Doubts = append(plan.Doubts, "TFTP_READ is none here: where the server has it too, "+
			"nobody can fetch anything")
	}
	steps := escaper{a.out}
	if f.asJSON {
		steps = escaper{io.Discard}
	}
	printPlan(steps, plan)
	if f.dry && p.Name == "" {
		p.Name = "NAME"
	}
	p = published(p, r)
	line, err := a.typedFor(ctx, s, p, r)
	if err == nil && !f.dry {
		err = s.Publish(ctx, p, r)
	}
	if err != nil {
		return err
	}
	if !f.dry {
		step(steps, "published", fmt.Sprintf("%s, %s", p.Name, lasting(p)))
	}
	step(steps, "type", line.fetch)
	step(steps, "then", line.then)
	step(steps, "where", line.server)
	switch {
	case f.dry:
		return a.printRestoreJSON(f.asJSON, plan, nil, line)
	case !f.wait:
		return a.printRestoreJSON(f.asJSON, plan, &p, line)
	}
	step(steps, "waiting", "until the device has fetched it; it stays published if interrupted")
	if p, err = awaitFetch(ctx, s, p); err != nil {
		return err
	}
	source := fmt.Sprintf("by %s at %s", p.FetchedBy, local(p.FetchedAt))
	if plan.Newest != nil && plan.Newest.Source != p.FetchedBy {
		source += ", which is not where the device has sent from: " + plan.Newest.Source
	}
	step(steps, "fetched", source)
	return a.printRestoreJSON(f.asJSON, plan, &p, line)
}

// step prints a step, and nothing where there is nothing to say.
func step(w io.Writer, name, text string) {
	if text != "" {
		fmt.Fprintf(w, "%-10s %s\n", name, text)
	}
}

// printPlan prints what giving a version back means.
func printPlan(w io.Writer, plan history.Restore) {
	r := plan.Version
	what := fmt.Sprintf("%s of %s, %s", captureRef(r), deviceRef(r), r.Kind)
	for _, text := range []string{r.Platform, r.Model, r.OSVersion} {
		if text != "" {
			what += " " + text
		}
	}
	what += fmt.Sprintf(", %s, %d bytes", local(r.ReceivedAt), r.Size)
	switch {
	case r.ChangedBy != "":
		what += ", changed by " + r.ChangedBy
	case r.ExportedBy != "":
		what += ", exported by " + r.ExportedBy
	}
	step(w, "version", what)
	if n := plan.Newest; n != nil {
		step(w, "newest", fmt.Sprintf("%s of %s; %s", deviceRef(*n), local(n.ReceivedAt),
			meaning(plan)))
	}
	for _, text := range plan.Doubts {
		step(w, "warning", text)
	}
}

// meaning says what changes on the device.
func meaning(plan history.Restore) string {
	d := plan.Delta
	switch d.Finding {
	case history.Same:
		return "it is the same"
	case history.Noise, history.Form:
		return "nothing differs but what changes by itself"
	case history.Lines:
		return fmt.Sprintf("lines that come: %d, lines that go: %d (tftpsql diff %s %s)",
			d.Added, d.Removed, deviceRef(*plan.Newest), captureRef(plan.Version))
	}
	return "the two can't be compared"
}

// awaitFetch waits until somebody has fetched a publication, and returns it as it is then.
func awaitFetch(ctx context.Context, s *store.Store, p store.Publication) (store.Publication,
	error) {
	tick := time.NewTicker(fetchedEvery)
	defer tick.Stop()
	for {
		list, err := s.Published(ctx, time.Now())
		i := slices.IndexFunc(list, func(o store.Publication) bool { return o.Name == p.Name })
		switch {
		case ctx.Err() != nil:
			return p, ctx.Err()
		case err != nil && store.ClassOf(err) != store.Transient: // else the database is away
			return p, err
		case err == nil && i < 0:
			return p, fmt.Errorf("%s is no longer published, and nobody has fetched it: publish "+
				"it again, and look at tftpsql failures", p.Name)
		case err == nil && list[i].Fetches > 0:
			return list[i], nil
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-tick.C:
		}
	}
}

// printRestoreJSON prints all of it as an object, where that is asked for. p is nil for nothing
// published.
func (a *app) printRestoreJSON(asked bool, plan history.Restore, p *store.Publication,
	line typed) error {
	if !asked {
		return nil
	}
	out := restoreJSON{Version: history.JSONOfCapture(plan.Version), Added: plan.Delta.Added,
		Removed: plan.Delta.Removed, Warnings: append([]string{}, plan.Doubts...),
		Fetch: line.fetch, Then: line.then}
	if plan.Newest != nil {
		newest := history.JSONOfCapture(*plan.Newest)
		out.Newest = &newest
	}
	if p != nil {
		published := history.JSONOfPublication(*p)
		out.Published, out.FetchedBy = &published, p.FetchedBy
		if !p.FetchedAt.IsZero() {
			out.FetchedAt = &p.FetchedAt
		}
	}
	return a.printJSON(out)
}
