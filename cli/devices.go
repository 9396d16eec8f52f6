package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

const aboutOverdue = `a device is overdue when it has been silent for more than twice its
longest recent gap (of the last ten; at least one hour; needs three captures).`

// devicesFlags are what devices is asked for.
type devicesFlags struct {
	filter                   history.Filter
	site, order              string
	overdue, perSite, asJSON bool
	silent                   config.Age
}

func (a *app) devicesCommand() *cobra.Command {
	var f devicesFlags
	cmd := &cobra.Command{
		Use:   "devices [GLOB]",
		Short: "List the devices",
		Long: `List the devices; with GLOB (such as 'fw-*' or 'acme/*') those of that name.

By its own rhythm ` + aboutOverdue + `
tftpsql device expect sets another time. With --overdue the exit status is 1 when a device is
overdue.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				now := time.Now()
				all, err := f.devices(cmd.Context(), s, now)
				if err != nil {
					return err
				}
				if err := f.filter.Check(all); err != nil {
					return usageError{err}
				}
				return a.listDevices(f, all, now)
			})
		},
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print an array of objects")
	cmd.Flags().BoolVar(&f.overdue, "overdue", false,
		"only those that have been silent too long, and why")
	cmd.Flags().Var(&ageFlag{&f.silent}, "silent",
		"only those that have sent nothing for so long, such as 2d")
	cmd.Flags().BoolVar(&f.perSite, "per-site", false, "one line per site, with numbers")
	siteFlag(cmd, &f.site)
	cmd.Flags().StringVar(&f.filter.Platform, "platform", "",
		"only of this platform, such as fortinet or cisco_ios")
	cmd.Flags().StringVar(&f.filter.Version, "os", "",
		"only with this version of the system: 7.2.8, '<7.2.8' or '>=7.2,<7.2.8'")
	cmd.Flags().StringVar(&f.order, "sort", "name",
		strings.Join(history.Orders, ", ")+"; - before it for the other way round")
	return cmd
}

// ageFlag is an Age as a flag.
type ageFlag struct{ *config.Age }

func (f *ageFlag) Set(s string) error { return f.UnmarshalText([]byte(s)) }

func (f *ageFlag) Type() string { return "time" }

func (f *ageFlag) String() string {
	if f.Age == nil || *f.Age == 0 {
		return ""
	}
	return f.Age.String()
}

// check sets the filter, and returns an error where a flag is malformed.
func (f *devicesFlags) check(cmd *cobra.Command, globs []string) error {
	if err := filterFrom(&f.filter, cmd, globs, &f.site); err != nil {
		return err
	}
	if f.filter.Version != "" {
		if err := history.CheckVersion(f.filter.Version); err != nil {
			return fmt.Errorf("--os: %w", err)
		}
	}
	if err := history.CheckOrder(f.order); err != nil {
		return fmt.Errorf("--sort %w", err)
	}
	return nil
}

// devices returns at least the devices that the flags pick, and all where these name what must be a
// device's.
func (f *devicesFlags) devices(ctx context.Context, s *store.Store, now time.Time) (
	list []store.Device, err error) {
	add := func(d store.Device) bool { list = append(list, d); return true }
	if f.overdue && f.filter.Site == nil && f.filter.Platform == "" {
		err = s.EachOverdue(ctx, now, add)
	} else {
		err = s.EachDevice(ctx, add)
	}
	return list, err
}

// listDevices prints the devices that the flags pick. Exit status 1 says that one is overdue.
func (a *app) listDevices(f devicesFlags, all []store.Device, now time.Time) (err error) {
	devices := slices.DeleteFunc(all, func(d store.Device) bool {
		return !f.filter.Picks(d) || f.overdue && d.OverdueSince(now).IsZero() ||
			f.silent > 0 && now.Sub(d.LastSeen) < time.Duration(f.silent)
	})
	history.Sort(devices, "name", now) // those that are alike in the other order
	history.Sort(devices, f.order, now)
	switch {
	case f.perSite:
		err = a.printSites(history.Sites(slices.Values(devices), now), f.asJSON)
	case f.asJSON:
		err = a.printDevicesJSON(devices, now)
	case f.overdue:
		err = a.printOverdue(devices, now)
	default:
		err = a.printDevices(devices, now)
	}
	if err == nil && f.overdue && len(devices) > 0 {
		return exitStatus(1)
	}
	return err
}

func (a *app) printSites(sites []history.Site, asJSON bool) error {
	if asJSON {
		list := make([]history.SiteJSON, len(sites))
		for i, s := range sites {
			list[i] = history.JSONOfSite(s)
		}
		return a.printJSON(list)
	}
	t := a.table("SITE", "DEVICES", "OVERDUE", "TORN", "RETIRED", "CAPTURES", "CHANGES",
		"LAST SEEN")
	for _, s := range sites {
		t.row(s.Name, s.Devices, s.Overdue, s.Torn, s.Retired, s.Captures, s.Changes,
			local(s.LastSeen))
	}
	return t.print()
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

// checkFilter returns an error where a filter that found nothing can find nothing, since it picks
// no device.
func checkFilter(ctx context.Context, s *store.Store, f history.Filter) error {
	if f == (history.Filter{}) {
		return nil
	}
	var devices []store.Device
	err := s.EachDevice(ctx, func(d store.Device) bool {
		devices = append(devices, d)
		return true
	})
	if err != nil {
		return err
	}
	if err := f.Check(devices); err != nil {
		return usageError{err}
	}
	if len(devices) > 0 && !slices.ContainsFunc(devices, f.Picks) {
		return errNoDevice
	}
	return nil
}

var errNoDevice = errors.New("no device matches: tftpsql devices lists them")

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

// printOverdue prints why devices are overdue. Where none is it prints nothing, as cron needs it,
// except to a person.
func (a *app) printOverdue(devices []store.Device, now time.Time) error {
	if len(devices) == 0 {
		if isTerminal(a.err) {
			fmt.Fprintln(a.err, "no device is overdue")
		}
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
	list := make([]history.DeviceJSON, len(devices))
	for i, d := range devices {
		list[i] = history.JSONOfDevice(d, now)
	}
	return a.printJSON(list)
}
