package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/history"
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
	Retired    bool      `json:"retired"`

	// AllowedS is how long the device may be silent, seconds; 0 where nothing is expected of it.
	AllowedS float64 `json:"allowed_s"`
	// OverdueSince is null where the device isn't overdue.
	OverdueSince *time.Time `json:"overdue_since"`
}

const aboutOverdue = `a device is overdue when it has been silent for more than twice its
longest recent gap (of the last ten; at least one hour; needs three captures).`

func (a *app) devicesCommand() *cobra.Command {
	var filter history.Filter
	var site, order string
	var overdue, asJSON bool
	cmd := &cobra.Command{
		Use:   "devices [GLOB]",
		Short: "List the devices",
		Long: `List the devices; with GLOB (such as 'fw-*' or 'acme/*') those of that name.

By its own rhythm` + aboutOverdue + `
tftpsql device expect sets another time. With --overdue the exit status is 1 when a device is
overdue.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := filterFrom(&filter, cmd, args, &site)
			if err != nil {
				return usageError{err}
			}
			if err := history.CheckOrder(order); err != nil {
				return usageError{fmt.Errorf("--sort %w", err)}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				all, err := s.Devices(cmd.Context())
				if err != nil {
					return err
				}
				now := time.Now()
				devices := slices.DeleteFunc(all, func(d store.Device) bool {
					return !filter.Picks(d) || overdue && d.OverdueSince(now).IsZero()
				})
				history.Sort(devices, order)
				switch {
				case asJSON:
					err = a.printDevicesJSON(devices, now)
				case overdue:
					err = a.printOverdue(devices, now)
				default:
					err = a.printDevices(devices, now)
				}
				if err == nil && overdue && len(devices) > 0 {
					return exitStatus(1)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.Flags().BoolVar(&overdue, "overdue", false,
		"only those that have been silent too long, and why")
	siteFlag(cmd, &site)
	cmd.Flags().StringVar(&filter.Platform, "platform", "",
		"only of this platform, such as fortinet or cisco_ios")
	cmd.Flags().StringVar(&order, "sort", "name",
		"name, last_seen, last_change, platform, captures or changes; - before it turns it round")
	return cmd
}

// siteFlag adds --site, which picks devices.
func siteFlag(cmd *cobra.Command, site *string) {
	cmd.Flags().StringVar(site, "site", "", "only devices of this site; '' for those without one")
}

// filterFrom sets a filter by the argument GLOB, where there is one, and --site.
func filterFrom(f *history.Filter, cmd *cobra.Command, globs []string, site *string) error {
	if len(globs) > 0 {
		f.Glob = globs[0]
	}
	if cmd.Flags().Changed("site") {
		f.Site = site
	}
	return history.CheckGlob(f.Glob)
}

func (a *app) printDevices(devices []store.Device, now time.Time) error {
	t := a.table("DEVICE", "PLATFORM", "MODEL", "VERSION", "LAST SEEN", "LAST CHANGE", "CAPTURES",
		"CHANGES", "COMPLETE",
		"STATE", "SOURCE")
	for _, d := range devices {
		t.row(d.Ref(), d.Platform, d.Model, d.OSVersion, local(d.LastSeen), local(d.LastChange),
			d.Captures, d.Changes,
			yes(d.Complete), history.State(d, now), d.Source)
	}
	return t.print()
}

// printOverdue prints why devices are overdue, and nothing where none is.
func (a *app) printOverdue(devices []store.Device, now time.Time) error {
	if len(devices) == 0 {
		return nil
	}
	t := a.table("DEVICE", "OVERDUE FOR", "LAST SEEN", "ALLOWED", "BECAUSE", "SOURCE")
	for _, d := range devices {
		why := fmt.Sprintf("longest of the last ten gaps: %s", span(d.LongestGap))
		if d.Expected > 0 {
			why = "tftpsql device expect"
		}
		t.row(d.Ref(), span(now.Sub(d.OverdueSince(now))), local(d.LastSeen), span(d.Allowed()),
			why, d.Source)
	}
	return t.print()
}

func (a *app) printDevicesJSON(devices []store.Device, now time.Time) error {
	list := make([]deviceJSON, len(devices))
	for i, d := range devices {
		list[i] = deviceJSON{
			Site: d.Site, Name: d.Name, NamedBy: d.NamedBy, Platform: d.Platform, Model: d.Model,
			OSVersion: d.OSVersion,
			Build:     d.Build, Serial: d.Serial, Source: d.Source, FirstSeen: d.FirstSeen,
			LastSeen:   d.LastSeen,
			LastChange: d.LastChange, Captures: d.Captures, Changes: d.Changes,
			Complete: d.Complete, Retired: d.Retired,
			AllowedS: d.Allowed().Seconds(),
		}
		if since := d.OverdueSince(now); !since.IsZero() {
			list[i].OverdueSince = &since
		}
	}
	return a.printJSON(list)
}
