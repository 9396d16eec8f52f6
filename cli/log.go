package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// logFlags are what log is asked for.
type logFlags struct {
	query                       history.LogQuery
	site, path                  string
	since                       timeFlag
	asJSON, all, changed, diffs bool
	most                        uint32
}

func (a *app) logCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "log [DEVICE | GLOB]",
		Short: "List captures, newest first; of a device its versions",
		Long: `List captures, newest first. Of a DEVICE: its versions, each with how often the
same was seen since; --all lists every capture. GLOB (such as 'acme/*'), --site and --since pick
captures of many devices: 'tftpsql log --site acme --since yesterday --changed' is what changed
there last night, and with --diff what exactly.

With --path only versions that changed something there: 'config firewall policy > edit 12' or
'interface Gi1/0/1', the blocks that lines stand in, joined by " > " and abbreviated as on the
device.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.query.Path = history.ParsePath(f.path)
			f.query.Changed = f.changed || f.diffs
			if f.since.text != "" {
				f.query.Since = f.since.time.Time
			}
			if f.diffs && f.asJSON {
				return usageError{errors.New("--diff doesn't go with --json")}
			}
			if len(args) == 1 && !strings.ContainsAny(args[0], "*?[") &&
				!cmd.Flags().Changed("site") {
				return a.logDevice(cmd, args, f)
			}
			if len(f.query.Path) > 0 && len(args) == 0 && !cmd.Flags().Changed("site") &&
				f.since.text == "" {
				return usageError{
					errors.New("--path goes with a DEVICE, a GLOB, --site or --since")}
			}
			if err := filterFrom(&f.query.Filter, cmd, args, &f.site); err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.logMany(cmd.Context(), s, f)
			})
		},
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print an array of objects, one a capture")
	cmd.Flags().BoolVar(&f.all, "all", false, "every capture of the device, not its versions alone")
	cmd.Flags().StringVar(&f.path, "path", "", "only versions that changed in these blocks")
	cmd.Flags().Var(&f.since, "since", "only since then: yesterday, 12h, 2026-11-20")
	cmd.Flags().BoolVar(&f.changed, "changed", false, "only captures that brought a change")
	cmd.Flags().BoolVar(&f.diffs, "diff", false, "print the difference that each brought, too")
	siteFlag(cmd, &f.site)
	cmd.Flags().Uint32VarP(&f.most, "number", "n", 50, "how many at most; 0 for all")
	return cmd
}

// logDevice lists the versions of one device, or its captures.
func (a *app) logDevice(cmd *cobra.Command, refs []string, f logFlags) error {
	if f.path != "" && (f.asJSON || f.all) {
		return usageError{errors.New("--path goes neither with --json nor with --all")}
	}
	return a.onDevices(cmd, refs, func(s *store.Store, found []store.Device) error {
		if !f.asJSON && !f.all {
			return a.printVersions(cmd.Context(), s, found[0], f)
		}
		most := int(f.most)
		if f.query.Changed || !f.query.Since.IsZero() {
			most = 0 // counted below
		}
		records, err := s.Log(cmd.Context(), &found[0], most)
		if err != nil {
			return err
		}
		records = slices.DeleteFunc(records, func(r store.Record) bool {
			return f.query.Changed && !r.Changed || r.ReceivedAt.Before(f.query.Since)
		})
		if f.most > 0 && len(records) > int(f.most) {
			records = records[:f.most]
		}
		if err := a.printCaptures(records, f.asJSON); err != nil || !f.diffs {
			return err
		}
		return a.printChanges(cmd.Context(), s, records)
	})
}

// logMany lists captures of many devices.
func (a *app) logMany(ctx context.Context, s *store.Store, f logFlags) error {
	var records []store.Record
	for r, err := range history.Log(ctx, s, f.query) {
		if err != nil {
			return err
		}
		if records = append(records, r); len(records) == int(f.most) {
			break
		}
	}
	if len(records) == 0 {
		if err := checkFilter(ctx, s, f.query.Filter); err != nil {
			return err
		}
	}
	if err := a.printCaptures(records, f.asJSON); err != nil {
		return err
	}
	if len(records) == 0 && len(f.query.Path) > 0 {
		a.printPathHint(f.query.Path)
	}
	if f.diffs {
		return a.printChanges(ctx, s, records)
	}
	return nil
}

// printPathHint says how a path is written, where nothing has changed there.
func (a *app) printPathHint(path []string) {
	fmt.Fprintf(a.err, "no version changed there; a path is written as diff heads its pieces, "+
		"such as 'config firewall policy > edit 12', and yours is %q\n", strings.Join(path, " > "))
}

// printChanges prints what captures changed, a difference each.
func (a *app) printChanges(ctx context.Context, s *store.Store, records []store.Record) error {
	for _, r := range records {
		if !r.Complete { // what it lacks was not deleted
			fmt.Fprintf(a.err, "no difference of %s of %s: it is torn\n", captureRef(r),
				deviceRef(r))
			continue
		}
		old, from, to, err := history.Change(ctx, s, r)
		if err != nil {
			return err
		}
		before := side{Side: from, head: history.NoFile}
		if old != nil {
			if before.head, err = history.Head(ctx, s, *old, true); err != nil {
				return err
			}
		}
		after := side{Side: to}
		if after.head, err = history.Head(ctx, s, r, true); err != nil {
			return err
		}
		d, err := history.Compare(before.Side, after.Side,
			history.Options{Redact: bool(a.config.Redact)})
		if errors.Is(err, history.ErrSecretsUnknown) {
			fmt.Fprintf(a.err, "left out: %s of %s: %s\n", captureRef(r), deviceRef(r), err)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(a.out)
		var status exitStatus
		if err := a.printDiff(before, after, d); err != nil && !errors.As(err, &status) {
			return err
		}
	}
	return nil
}

func (a *app) printCaptures(records []store.Record, asJSON bool) error {
	if asJSON {
		list := make([]history.CaptureJSON, len(records))
		for i, r := range records {
			list[i] = history.JSONOfCapture(r)
		}
		return a.printJSON(list)
	}
	t := a.table("REF", "RECEIVED", "DEVICE", "KIND", "SIZE", "CHANGED", "COMPLETE", "SOURCE",
		"FILE", "SHA256")
	for _, r := range records {
		t.row(captureRef(r), local(r.ReceivedAt), deviceRef(r), r.Kind, r.Size, yes(r.Changed),
			yes(r.Complete),
			sourceOf(r), short(r.Filename), r.SHA256[:12])
	}
	return t.print()
}

// captureRef is the reference of a capture.
func captureRef(r store.Record) string { return fmt.Sprintf("@%d", r.ID) }

// deviceRef is the reference of a capture's device.
func deviceRef(r store.Record) string { return store.Device{Site: r.Site, Name: r.Device}.Ref() }

// sourceOf is a capture's address, marked where its device had never sent from there.
func sourceOf(r store.Record) string {
	if r.NewSource {
		return r.Source + " (new)"
	}
	return r.Source
}

// author is who made a change, where the configuration says it. The user who exported it may be a
// robot, and is named as that.
func author(r store.Record) string {
	if r.ChangedBy == "" && r.ExportedBy != "" {
		return "exported by " + r.ExportedBy
	}
	return r.ChangedBy
}

// printVersions prints the versions of a device that the flags pick, and what is noteworthy.
func (a *app) printVersions(ctx context.Context, s *store.Store, d store.Device, f logFlags) error {
	t := a.table("REF", "CHANGED", "KIND", "SIZE", "SEEN", "BY", "COMPLETE", "SOURCE", "FILE",
		"SHA256")
	var printed []store.Record
	for v, err := range history.Versions(ctx, s, d, f.query.Path) {
		if err != nil {
			return err
		}
		if v.ReceivedAt.Before(f.query.Since) {
			break
		}
		seen := "once"
		if v.Seen > 1 {
			seen = fmt.Sprintf("%d times until %s", v.Seen, local(v.Until))
		}
		t.row(captureRef(v.Record), local(v.ReceivedAt), v.Kind, v.Size, seen, author(v.Record),
			yes(v.Complete), sourceOf(v.Record), short(v.Filename), v.SHA256[:12])
		if printed = append(printed, v.Record); len(printed) == int(f.most) {
			break
		}
	}
	if err := t.print(); err != nil {
		return err
	}
	if f.diffs {
		return a.printChanges(ctx, s, printed)
	}
	if len(printed) == 0 && len(f.query.Path) > 0 {
		a.printPathHint(f.query.Path)
	}
	notes, err := history.Noteworthy(ctx, s, d)
	if err == nil {
		a.printNotes(d, notes)
	}
	return err
}

// printNotes prints what is noteworthy about a device: other names, what it may have been before,
// boxes that take turns.
func (a *app) printNotes(d store.Device, n history.Notes) {
	if len(n.Aliases) > 0 {
		fmt.Fprintf(a.out, "\nalso known as %s\n", strings.Join(n.Aliases, ", "))
	}
	if f := n.Former; f != nil {
		fmt.Fprintf(a.out, "\nwas %s until %s? %d%% of the text is the same, and nothing has "+
			"come under that name since. "+
			"To make them one:\n  tftpsql device merge %s %s\n",
			f.Ref(), local(f.LastSeen), int(f.Likeness*100), quote(f.Ref()), quote(d.Ref()))
	}
	if len(n.Boxes) > 0 {
		fmt.Fprintf(a.out, "\nmore than one box sends under this name: %s. "+
			"Members of a cluster do; else give them names of their own.\n",
			strings.Join(n.Boxes, ", "))
	}
}

// plainInShell are the characters of a reference that a shell takes as they are.
const plainInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@:"

// quote is a reference as a shell takes it.
func quote(ref string) string {
	if strings.Trim(ref, plainInShell) == "" {
		return ref
	}
	return "'" + strings.ReplaceAll(ref, "'", `'\''`) + "'"
}
