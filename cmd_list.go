package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

// deviceJSON is a device as devices --json prints it.
type deviceJSON struct {
	Site       string    `json:"site"`
	Name       string    `json:"name"`
	NamedBy    string    `json:"named_by"`
	Platform   string    `json:"platform"`
	Model      string    `json:"model"`
	OSVersion  string    `json:"os_version"`
	Build      string    `json:"build"`
	Serial     string    `json:"serial"`
	Source     string    `json:"source"`
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
	LastChange time.Time `json:"last_change"`
	Captures   int64     `json:"captures"`
	Changes    int64     `json:"changes"`
	Complete   bool      `json:"complete"`
}

// captureJSON is a capture as log --json prints it, with the names of the columns of the view changes.
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
}

func (a *app) devicesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "devices", Short: "List the devices", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			devices, err := s.Devices(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				list := make([]deviceJSON, len(devices))
				for i, d := range devices {
					list[i] = deviceJSON{d.Site, d.Name, d.NamedBy, d.Platform, d.Model, d.OSVersion, d.Build, d.Serial, d.Source,
						d.FirstSeen, d.LastSeen, d.LastChange, d.Captures, d.Changes, d.Complete}
				}
				return a.printJSON(list)
			}
			t := a.table("DEVICE", "PLATFORM", "MODEL", "VERSION", "LAST SEEN", "LAST CHANGE", "CAPTURES", "CHANGES", "COMPLETE", "SOURCE")
			for _, d := range devices {
				t.row(d.Ref(), d.Platform, d.Model, d.OSVersion, local(d.LastSeen), local(d.LastChange), d.Captures, d.Changes, yes(d.Complete), d.Source)
			}
			return t.print()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

func (a *app) logCommand() *cobra.Command {
	var asJSON bool
	var n uint32
	cmd := &cobra.Command{
		Use: "log [DEVICE]", Short: "List captures, newest first", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			var d *store.Device
			if len(args) == 1 {
				one, err := s.Device(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				d = &one
			}
			records, err := s.Log(cmd.Context(), d, int(n))
			if err != nil {
				return err
			}
			if asJSON {
				list := make([]captureJSON, len(records))
				for i, r := range records {
					list[i] = captureJSON{r.ID, r.UID, r.ReceivedAt, r.Site, r.Device, r.Platform, r.Kind, r.Source, r.Filename, r.Mode,
						r.Size, r.SHA256, r.Changed, r.Complete}
				}
				return a.printJSON(list)
			}
			t := a.table("REF", "RECEIVED", "DEVICE", "KIND", "SIZE", "CHANGED", "COMPLETE", "SOURCE", "FILE", "SHA256")
			for _, r := range records {
				t.row(fmt.Sprintf("@%d", r.ID), local(r.ReceivedAt), store.Device{Site: r.Site, Name: r.Device}.Ref(), r.Kind, r.Size,
					yes(r.Changed), yes(r.Complete), r.Source, short(r.Filename), r.SHA256[:12])
			}
			return t.print()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.Flags().Uint32VarP(&n, "number", "n", 50, "how many at most; 0 for all")
	return cmd
}

func (a *app) printJSON(list any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// table prints rows in columns. What devices say is printable already (device.Text).
type table struct{ w *tabwriter.Writer }

func (a *app) table(columns ...string) *table {
	t := &table{w: tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	return t
}

func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		if c == "" {
			c = "-"
		}
		fmt.Fprint(t.w, c)
	}
	fmt.Fprintln(t.w)
}

func (t *table) print() error { return t.w.Flush() }

// local is a time as people here write it, with its zone.
func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }

// short keeps a table's columns in sight; --json has the whole text.
func short(s string) string {
	const most = 48
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
