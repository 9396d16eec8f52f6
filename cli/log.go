package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// captureJSON is a capture as log --json prints it, with the names of the columns of the view
// changes.
type captureJSON struct {
	ID         int64     `json:"id"`
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Device     string    `json:"device"`
	Platform   string    `json:"platform"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Mode       string    `json:"mode"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256"`
	Changed    bool      `json:"changed"`
	Complete   bool      `json:"complete"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	NewSource  bool      `json:"new_source"`
}

func captureJSONOf(r store.Record) captureJSON {
	return captureJSON{
		ID: r.ID, UID: r.UID, ReceivedAt: r.ReceivedAt, Site: r.Site, Device: r.Device,
		Platform: r.Platform, Kind: r.Kind, Source: r.Source, Filename: r.Filename, Mode: r.Mode,
		Size: r.Size, SHA256: r.SHA256, Changed: r.Changed, Complete: r.Complete,
		ChangedBy: r.ChangedBy, ExportedBy: r.ExportedBy, NewSource: r.NewSource,
	}
}

func (a *app) logCommand() *cobra.Command {
	var asJSON, all bool
	var most uint32
	var path string
	cmd := &cobra.Command{
		Use:   "log [DEVICE]",
		Short: "List captures, newest first; of a device its versions",
		Long: `List captures, newest first. Of a DEVICE: its versions, each with how often the
same was seen since; --all lists every capture. With --path only versions that changed something
there: 'config firewall policy > edit 12' or 'interface Gi1/0/1', the blocks that lines stand
in, joined by " > " and abbreviated as on the device.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path != "" && (len(args) == 0 || asJSON || all) {
				return usageError{
					errors.New("--path goes with a DEVICE, and neither with --json nor with --all")}
			}
			return a.onDevices(cmd, args, func(s *store.Store, found []store.Device) error {
				if len(found) == 1 && !asJSON && !all {
					return a.printVersions(cmd.Context(), s, found[0], int(most),
						history.ParsePath(path))
				}
				var d *store.Device
				if len(found) == 1 {
					d = &found[0]
				}
				records, err := s.Log(cmd.Context(), d, int(most))
				if err != nil {
					return err
				}
				return a.printCaptures(records, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects, one a capture")
	cmd.Flags().BoolVar(&all, "all", false, "every capture of the device, not its versions alone")
	cmd.Flags().StringVar(&path, "path", "", "only versions that changed in these blocks")
	cmd.Flags().Uint32VarP(&most, "number", "n", 50, "how many at most; 0 for all")
	return cmd
}

func (a *app) printCaptures(records []store.Record, asJSON bool) error {
	if asJSON {
		list := make([]captureJSON, len(records))
		for i, r := range records {
			list[i] = captureJSONOf(r)
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

// printVersions prints the versions of a device, with a path those that changed there, and what is
// noteworthy.
func (a *app) printVersions(ctx context.Context, s *store.Store, d store.Device, most int,
	path []string) error {
	t := a.table("REF", "CHANGED", "KIND", "SIZE", "SEEN", "BY", "COMPLETE", "SOURCE", "FILE",
		"SHA256")
	printed := 0
	for v, err := range history.Versions(ctx, s, d, path) {
		if err != nil {
			return err
		}
		seen := "once"
		if v.Seen > 1 {
			seen = fmt.Sprintf("%d times until %s", v.Seen, local(v.Until))
		}
		t.row(captureRef(v.Record), local(v.ReceivedAt), v.Kind, v.Size, seen,
			author(v.Record),
			yes(v.Complete), sourceOf(v.Record), short(v.Filename), v.SHA256[:12])
		if printed++; printed == most {
			break
		}
	}
	if err := t.print(); err != nil {
		return err
	}
	if printed == 0 && len(path) > 0 {
		fmt.Fprintf(a.err, "no version changed there; a path is written as diff heads its pieces, "+
			"such as 'config firewall policy > edit 12', and yours is %q\n",
			strings.Join(path, " > "))
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
