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
	page, before := NewBest(order, q.N+1, now), orderBy(order, now)
	var list List
	sites, platforms := map[string]bool{}, map[string]bool{}
	err := s.EachDevice(ctx, func(d store.Device) bool {
		sites[d.Site], platforms[d.Platform] = true, true
		if !q.picks(d, now) {
			return true
		}
		list.Total++
		if q.After == nil || before(*q.After, d) {
			page.Add(d)
		}
		return true
	})
	list.Sites = slices.Sorted(maps.Keys(sites))
	list.Platforms = slices.Sorted(maps.Keys(platforms))
	list.Devices = page.Sorted()
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

// Best keeps the n first devices of those that are added.
type Best struct {
	last lastFirst
	n    int
}

// NewBest returns a Best for one of Orders, with "-" before it for the reverse, as of now.
func NewBest(order string, n int, now time.Time) *Best {
	return &Best{last: lastFirst{before: orderBy(order, now)}, n: n}
}

// Add keeps a device if it is among the first.
func (b *Best) Add(d store.Device) {
	switch {
	case len(b.last.devices) < b.n:
		heap.Push(&b.last, d)
	case b.last.before(d, b.last.devices[0]):
		b.last.devices[0] = d
		heap.Fix(&b.last, 0)
	}
}

// Sorted returns what was kept, in its order.
func (b *Best) Sorted() []store.Device {
	sort.Slice(b.last.devices, func(i, j int) bool {
		return b.last.before(b.last.devices[i], b.last.devices[j])
	})
	return b.last.devices
}

// lastFirst is a heap of devices with the last one on top.
type lastFirst struct {
	before  func(a, b store.Device) bool
	devices []store.Device
}

func (h *lastFirst) Len() int           { return len(h.devices) }
func (h *lastFirst) Less(i, j int) bool { return h.before(h.devices[j], h.devices[i]) }
func (h *lastFirst) Swap(i, j int)      { h.devices[i], h.devices[j] = h.devices[j], h.devices[i] }
func (h *lastFirst) Push(x any)         { h.devices = append(h.devices, x.(store.Device)) }
func (h *lastFirst) Pop() any {
	last := h.devices[len(h.devices)-1]
	h.devices = h.devices[:len(h.devices)-1]
	return last
}
