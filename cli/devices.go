package cli

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
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
	Retired    bool      `json:"retired"`

	// What follows is reckoned, not stored: how long the device may be silent, in seconds, 0 where nothing is expected; since when
	// it is overdue, null where it isn't.
	AllowedS     float64    `json:"allowed_s"`
	OverdueSince *time.Time `json:"overdue_since"`
}

// deviceList is what devices was asked for.
type deviceList struct {
	glob, site, platform, sort string
	overdue, asJSON            bool
}

func (a *app) devicesCommand() *cobra.Command {
	var l deviceList
	cmd := &cobra.Command{
		Use:   "devices [GLOB]",
		Short: "List the devices",
		Long: `List the devices; with GLOB (such as 'fw-*' or 'acme/*') those of that name. A device is overdue when it has been silent for longer
than twice the longest of its last ten gaps, an hour at least, from three captures on; tftpsql device expect sets another time.
With --overdue the exit status is 1 when there is one.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := checkGlob(args[0]); err != nil {
					return err
				}
				l.glob = args[0]
			}
			if sorts[strings.TrimPrefix(l.sort, "-")] == nil {
				return usageError{fmt.Errorf("--sort %q: it is one of name, last_seen, last_change, platform, captures, changes, with - before it for the other way round", l.sort)}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			devices, err := s.Devices(cmd.Context())
			if err != nil {
				return err
			}
			return a.printDevices(l, devices, time.Now(), cmd.Flags().Changed("site"))
		},
	}
	cmd.Flags().BoolVar(&l.asJSON, "json", false, "print an array of objects")
	cmd.Flags().BoolVar(&l.overdue, "overdue", false, "only those that have been silent too long, and why")
	cmd.Flags().StringVar(&l.site, "site", "", "only of this site; '' for devices without one")
	cmd.Flags().StringVar(&l.platform, "platform", "", "only of this platform, such as fortinet or cisco_ios")
	cmd.Flags().StringVar(&l.sort, "sort", "name", "name, last_seen, last_change, platform, captures or changes; - before it turns it round")
	return cmd
}

// sorts compare devices: times and counts with the latest and the most first.
var sorts = map[string]func(a, b store.Device) int{
	"name":        func(a, b store.Device) int { return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name)) },
	"last_seen":   func(a, b store.Device) int { return b.LastSeen.Compare(a.LastSeen) },
	"last_change": func(a, b store.Device) int { return b.LastChange.Compare(a.LastChange) },
	"platform":    func(a, b store.Device) int { return cmp.Compare(a.Platform, b.Platform) },
	"captures":    func(a, b store.Device) int { return cmp.Compare(b.Captures, a.Captures) },
	"changes":     func(a, b store.Device) int { return cmp.Compare(b.Changes, a.Changes) },
}

func (l *deviceList) wants(d store.Device, now time.Time, bySite bool) bool {
	return (!bySite || d.Site == l.site) && (l.platform == "" || d.Platform == l.platform) && globbed(l.glob, d) &&
		(!l.overdue || !d.OverdueSince(now).IsZero())
}

func checkGlob(glob string) error {
	if _, err := path.Match(glob, ""); err != nil {
		return usageError{fmt.Errorf("%q is no pattern: *, ? and [abc] stand for characters", glob)}
	}
	return nil
}

// globbed reports whether a pattern is empty or matches a device's name, or its reference where the pattern has a slash.
func globbed(glob string, d store.Device) bool {
	if glob == "" {
		return true
	}
	text := d.Name
	if strings.Contains(glob, "/") {
		text = strings.ReplaceAll(d.Ref(), "/", "\x00") // a site may hold slashes itself: * matches them too
		glob = strings.ReplaceAll(glob, "/", "\x00")
	} else {
		text = strings.ReplaceAll(text, "/", "\x00")
	}
	ok, err := path.Match(glob, text)
	return ok && err == nil
}

func (a *app) printDevices(l deviceList, all []store.Device, now time.Time, bySite bool) error {
	var devices []store.Device
	for _, d := range all {
		if l.wants(d, now, bySite) {
			devices = append(devices, d)
		}
	}
	less := sorts[strings.TrimPrefix(l.sort, "-")]
	slices.SortStableFunc(devices, func(x, y store.Device) int {
		if strings.HasPrefix(l.sort, "-") {
			x, y = y, x
		}
		return less(x, y)
	})
	var err error
	switch {
	case l.asJSON:
		list := make([]deviceJSON, len(devices))
		for i, d := range devices {
			list[i] = deviceOf(d, now)
		}
		err = a.printJSON(list)
	case l.overdue:
		t := a.table("DEVICE", "OVERDUE FOR", "LAST SEEN", "ALLOWED", "BECAUSE", "SOURCE")
		for _, d := range devices {
			why := fmt.Sprintf("longest of the last ten gaps: %s", span(d.LongestGap))
			if d.Expected > 0 {
				why = "tftpsql device expect"
			}
			t.row(d.Ref(), span(now.Sub(d.OverdueSince(now))), local(d.LastSeen), span(d.Allowed()), why, d.Source)
		}
		if len(devices) > 0 {
			err = t.print()
		}
	default:
		t := a.table("DEVICE", "PLATFORM", "MODEL", "VERSION", "LAST SEEN", "LAST CHANGE", "CAPTURES", "CHANGES", "COMPLETE", "STATE", "SOURCE")
		for _, d := range devices {
			t.row(d.Ref(), d.Platform, d.Model, d.OSVersion, local(d.LastSeen), local(d.LastChange), d.Captures, d.Changes, yes(d.Complete), state(d, now), d.Source)
		}
		err = t.print()
	}
	if err == nil && l.overdue && len(devices) > 0 {
		return exitStatus(1)
	}
	return err
}

// state is what is to be said of a device in a word.
func state(d store.Device, now time.Time) string {
	switch {
	case d.Retired:
		return "retired"
	case !d.OverdueSince(now).IsZero():
		return "overdue"
	}
	return "ok"
}

func deviceOf(d store.Device, now time.Time) deviceJSON {
	j := deviceJSON{d.Site, d.Name, d.NamedBy, d.Platform, d.Model, d.OSVersion, d.Build, d.Serial, d.Source,
		d.FirstSeen, d.LastSeen, d.LastChange, d.Captures, d.Changes, d.Complete, d.Retired, d.Allowed().Seconds(), nil}
	if since := d.OverdueSince(now); !since.IsZero() {
		j.OverdueSince = &since
	}
	return j
}
