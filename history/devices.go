package history

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// A Filter picks devices. The zero Filter picks all.
type Filter struct {
	// of a name, or of SITE/NAME where it has a slash; CheckGlob says whether it is well formed
	Glob     string
	Site     *string // "" for devices without a site; nil for all sites
	Platform string  // "-" for an unknown one; "" for all
	Version  string  // of the system: a comparison as Versions has it, such as "<7.2.8"; "" for all
}

// CheckGlob returns an error where glob is malformed.
func CheckGlob(glob string) error {
	if _, err := path.Match(glob, ""); err != nil {
		return fmt.Errorf("%q is no pattern: *, ? and [abc] stand for characters", glob)
	}
	return nil
}

// Picks reports whether the filter picks a device, by its name, site, platform and version.
func (f Filter) Picks(d store.Device) bool {
	return (f.Site == nil || d.Site == *f.Site) &&
		(f.Platform == "" || d.Platform == f.Platform || f.Platform == "-" && d.Platform == "") &&
		(f.Version == "" || versionMatches(f.Version, d.OSVersion)) && globbed(f.Glob, d)
}

// Check returns an error where the filter's site or platform is that of no device, with those that
// there are.
func (f Filter) Check(devices []store.Device) error {
	platforms, sites := map[string]bool{}, map[string]bool{}
	for _, d := range devices {
		platforms[d.Platform], sites[d.Site] = true, true
	}
	delete(platforms, "")
	switch {
	case len(devices) == 0:
		return nil
	case f.Platform != "" && !platforms[f.Platform]:
		return fmt.Errorf("no device is of platform %q; there are: %s", f.Platform,
			listed(platforms))
	case f.Site != nil && !sites[*f.Site]:
		without := ""
		if sites[""] {
			without = ", and devices without a site (--site '')"
		}
		delete(sites, "")
		return fmt.Errorf("no device is of site %q; there are: %s%s", *f.Site, listed(sites),
			without)
	}
	return nil
}

// listed returns names in their order, "none" for none.
func listed(names map[string]bool) string {
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(names)), ", "), "none")
}

// picksRecord reports whether the filter picks the device of a capture.
func (f Filter) picksRecord(r store.Record) bool {
	return f.Picks(store.Device{Site: r.Site, Name: r.Device, Platform: r.Platform,
		OSVersion: r.OSVersion})
}

// globbed reports whether a pattern is empty or matches a device's name, or its reference where the
// pattern has a slash.
func globbed(glob string, d store.Device) bool {
	if glob == "" {
		return true
	}
	text := d.Name
	if strings.Contains(glob, "/") {
		// a site may hold slashes itself: * matches them too
		text = strings.ReplaceAll(d.Ref(), "/", "\x00")
		glob = strings.ReplaceAll(glob, "/", "\x00")
	} else {
		text = strings.ReplaceAll(text, "/", "\x00")
	}
	ok, err := path.Match(glob, text)
	return ok && err == nil
}

// Orders are the names by which Sort sorts.
var Orders = []string{"name", "platform", "model", "version", "last_seen", "last_change", "changes",
	"captures", "state", "source"}

// orders compare devices: the earliest, the fewest, and those that need somebody first.
var orders = map[string]func(a, b store.Device, now time.Time) int{
	"name": func(a, b store.Device, _ time.Time) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name))
	},
	"platform": func(a, b store.Device, _ time.Time) int {
		return cmp.Compare(a.Platform, b.Platform)
	},
	"model": func(a, b store.Device, _ time.Time) int { return cmp.Compare(a.Model, b.Model) },
	"version": func(a, b store.Device, _ time.Time) int {
		return cmp.Or(compareVersions(a.OSVersion, b.OSVersion),
			cmp.Compare(a.OSVersion, b.OSVersion))
	},
	"last_seen": func(a, b store.Device, _ time.Time) int {
		return a.LastSeen.Compare(b.LastSeen)
	},
	"last_change": func(a, b store.Device, _ time.Time) int {
		return a.LastChange.Compare(b.LastChange)
	},
	"changes": func(a, b store.Device, _ time.Time) int {
		return cmp.Compare(a.Changes, b.Changes)
	},
	"captures": func(a, b store.Device, _ time.Time) int {
		return cmp.Compare(a.Captures, b.Captures)
	},
	"state": func(a, b store.Device, now time.Time) int {
		return cmp.Compare(urgency(a, now), urgency(b, now))
	},
	"source": func(a, b store.Device, _ time.Time) int {
		x, _ := netip.ParseAddr(a.Source) // the zero address comes first
		y, _ := netip.ParseAddr(b.Source)
		return cmp.Or(x.Compare(y), cmp.Compare(a.Source, b.Source))
	},
}

// urgency is smaller for a device that needs somebody sooner.
func urgency(d store.Device, now time.Time) int {
	switch {
	case d.Retired:
		return 3
	case !d.OverdueSince(now).IsZero():
		return 0
	case !d.Complete:
		return 1
	}
	return 2
}

// CheckOrder returns an error where an order is none of Orders, with or without "-" before it.
func CheckOrder(order string) error {
	if orders[strings.TrimPrefix(order, "-")] == nil {
		return fmt.Errorf("%q: it is one of %s, with - before it for the other way round", order,
			strings.Join(Orders, ", "))
	}
	return nil
}

// Sort sorts devices by one of Orders, "-" before it reverses that. Their states are those of now.
func Sort(devices []store.Device, order string, now time.Time) {
	compare := orders[strings.TrimPrefix(order, "-")]
	reverse := strings.HasPrefix(order, "-")
	sort.SliceStable(devices, func(i, j int) bool {
		if reverse {
			i, j = j, i
		}
		return compare(devices[i], devices[j], now) < 0
	})
}

// State returns what there is to say of a device in a word: ok, overdue or retired.
func State(d store.Device, now time.Time) string {
	switch {
	case d.Retired:
		return "retired"
	case !d.OverdueSince(now).IsZero():
		return "overdue"
	}
	return "ok"
}

// A Site is what there is to count of a site.
type Site struct {
	Name              string // "" for devices without a site
	Devices           int    // those that are not retired
	Overdue, Torn     int    // of these: silent for too long; with a torn newest capture
	Retired           int
	Captures, Changes int64
	LastSeen          time.Time
}

// Sites counts devices by their site, in the order of the sites' names. Its memory is that of the
// sites.
func Sites(devices iter.Seq[store.Device], now time.Time) []Site {
	sites := map[string]*Site{}
	for d := range devices {
		s := sites[d.Site]
		if s == nil {
			s = &Site{Name: d.Site}
			sites[d.Site] = s
		}
		s.add(d, now)
	}
	list := make([]Site, 0, len(sites))
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		list = append(list, *sites[name])
	}
	return list
}

func (s *Site) add(d store.Device, now time.Time) {
	s.Captures += d.Captures
	s.Changes += d.Changes
	if d.LastSeen.After(s.LastSeen) {
		s.LastSeen = d.LastSeen
	}
	if d.Retired {
		s.Retired++
		return
	}
	s.Devices++
	if !d.Complete {
		s.Torn++
	}
	if !d.OverdueSince(now).IsZero() {
		s.Overdue++
	}
}

// inPlace returns the devices that the filter picks by site and name, by these, and whether they
// are few of all.
func (f Filter) inPlace(ctx context.Context, s *store.Store) (list []store.Device, few bool,
	err error) {
	where := Filter{Site: f.Site, Glob: f.Glob}
	if f.Glob != "" && !strings.ContainsAny(f.Glob, `*?[\/`) {
		list, err = s.DevicesNamed(ctx, f.Glob)
		return slices.DeleteFunc(list, func(d store.Device) bool { return !where.Picks(d) }), true,
			err
	}
	total := 0
	err = s.EachDevice(ctx, func(d store.Device) bool {
		total++
		if where.Picks(d) {
			list = append(list, d)
		}
		return true
	})
	Sort(list, "name", time.Time{})
	return list, len(list) <= total/fewOf, err
}

// fewOf is the part of all devices up to which they are looked up one by one: reading all at once
// takes less for each.
const fewOf = 4

// eachCurrent calls yield with the newest whole capture of each device and kind, by these, until it
// returns false: at least with those of the devices that the filter picks by site and name.
func (f Filter) eachCurrent(ctx context.Context, s *store.Store,
	yield func(store.Record) bool) error {
	if f.Site != nil || f.Glob != "" {
		devices, few, err := f.inPlace(ctx, s)
		if err != nil {
			return err
		}
		if few {
			for _, d := range devices {
				records, err := s.CurrentOf(ctx, d)
				if err != nil {
					return err
				}
				for _, r := range records {
					if !yield(r) {
						return nil
					}
				}
			}
			return nil
		}
	}
	return s.EachCurrent(ctx, yield)
}

func currentOf(ctx context.Context, s *store.Store, devices []store.Device,
	few bool) (list []store.Record, err error) {
	if !few {
		return s.Current(ctx)
	}
	for _, d := range devices {
		records, err := s.CurrentOf(ctx, d)
		if err != nil {
			return nil, err
		}
		list = append(list, records...)
	}
	return list, nil
}

// Newest returns the newest whole captures of the devices that the filter picks, and the devices
// that have none.
func Newest(ctx context.Context, s *store.Store, f Filter) (whole []store.Record,
	without []store.Device, err error) {
	devices, few, err := f.inPlace(ctx, s) // first: a device that comes meanwhile has a capture
	if err != nil {
		return nil, nil, err
	}
	records, err := currentOf(ctx, s, devices, few)
	if err != nil {
		return nil, nil, err
	}
	has := map[store.Name]bool{}
	for _, r := range records {
		has[store.Name{Site: r.Site, Name: r.Device}] = true
		if f.picksRecord(r) {
			whole = append(whole, r)
		}
	}
	for _, d := range devices {
		if f.Picks(d) && !has[store.Name{Site: d.Site, Name: d.Name}] {
			without = append(without, d)
		}
	}
	return whole, without, nil
}
