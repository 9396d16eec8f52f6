package history

import (
	"cmp"
	"container/heap"
	"context"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// A ListQuery asks for a page of devices.
type ListQuery struct {
	Filter Filter
	// Text is what a name, site, address, model, serial number or platform holds, in any case.
	Text   string
	State  string        // one of States; "" for all
	Silent time.Duration // only those that have sent nothing for so long; 0 for all
	Order  string        // one of Orders, with "-" before it for the reverse; "" for name
	After  *store.Device
	N      int // at most so many
}

// States are the states by which a list of devices is filtered.
var States = []string{"ok", "overdue", "torn", "retired"}

// A List is a page of devices.
type List struct {
	Devices []store.Device
	More    bool // others follow
	Total   int  // that the query picks, on all pages
	// Sites and Platforms are those of all devices, in their order: what a query may ask for.
	Sites, Platforms []string
}

// ListDevices returns a page of devices. Its memory is that of the page.
func ListDevices(ctx context.Context, s *store.Store, q ListQuery, now time.Time) (List, error) {
	order := cmp.Or(q.Order, "name")
	page := &best{before: orderBy(order, now), n: q.N + 1}
	var list List
	sites, platforms := map[string]bool{}, map[string]bool{}
	err := s.EachDevice(ctx, func(d store.Device) bool {
		sites[d.Site], platforms[d.Platform] = true, true
		if !q.picks(d, now) {
			return true
		}
		list.Total++
		if q.After == nil || page.before(*q.After, d) {
			page.add(d)
		}
		return true
	})
	list.Sites = slices.Sorted(maps.Keys(sites))
	list.Platforms = slices.Sorted(maps.Keys(platforms))
	list.Devices = page.devices
	sort.Slice(list.Devices, func(i, j int) bool {
		return page.before(list.Devices[i], list.Devices[j])
	})
	if len(list.Devices) > q.N {
		list.Devices, list.More = list.Devices[:q.N], true
	}
	return list, err
}

// EachPicked calls yield with every device that a query picks, in no order, until it returns false.
func EachPicked(ctx context.Context, s *store.Store, q ListQuery, now time.Time,
	yield func(store.Device) bool) error {
	return s.EachDevice(ctx, func(d store.Device) bool { return !q.picks(d, now) || yield(d) })
}

func (q ListQuery) picks(d store.Device, now time.Time) bool {
	if !q.Filter.Picks(d) || !q.inState(d, now) ||
		q.Silent > 0 && now.Sub(d.LastSeen) < q.Silent {
		return false
	}
	text := strings.ToLower(q.Text)
	return text == "" || slices.ContainsFunc([]string{d.Ref(), d.Source, d.Model, d.Serial,
		d.Platform, d.OSVersion},
		func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

func (q ListQuery) inState(d store.Device, now time.Time) bool {
	switch q.State {
	case "":
		return true
	case "torn":
		return !d.Complete && !d.Retired
	}
	return State(d, now) == q.State
}

// orderBy returns whether one device stands before another. Names break ties, so an order is whole.
func orderBy(order string, now time.Time) func(a, b store.Device) bool {
	compare := orders[strings.TrimPrefix(order, "-")]
	if compare == nil {
		compare = orders["name"]
	}
	reverse := strings.HasPrefix(order, "-")
	return func(a, b store.Device) bool {
		c := compare(a, b, now)
		if reverse {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.ID, b.ID)) < 0
	}
}

// best keeps the n first devices of those that are added. It is a heap with the last one on top.
type best struct {
	before  func(a, b store.Device) bool
	n       int
	devices []store.Device
}

func (b *best) add(d store.Device) {
	switch {
	case len(b.devices) < b.n:
		heap.Push(b, d)
	case b.before(d, b.devices[0]):
		b.devices[0] = d
		heap.Fix(b, 0)
	}
}

func (b *best) Len() int           { return len(b.devices) }
func (b *best) Less(i, j int) bool { return b.before(b.devices[j], b.devices[i]) }
func (b *best) Swap(i, j int)      { b.devices[i], b.devices[j] = b.devices[j], b.devices[i] }
func (b *best) Push(x any)         { b.devices = append(b.devices, x.(store.Device)) }
func (b *best) Pop() any {
	last := b.devices[len(b.devices)-1]
	b.devices = b.devices[:len(b.devices)-1]
	return last
}
