package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// Routes are the patterns of the page's addresses, with the least role that may ask for each.
func Routes() map[string]store.Role {
	list := map[string]store.Role{}
	for _, r := range routes {
		list[r.pattern] = r.least
	}
	return list
}

// Local is where a login goes on to.
var Local = local

// SourceKeys are how many sources a page remembers.
func (p *Page) SourceKeys() int {
	p.limit.mu.Lock()
	defer p.limit.mu.Unlock()
	return len(p.limit.full)
}

// Wrong notes a wrong attempt, and reports whether it was one too many.
func (p *Page) Wrong(what, source string, now time.Time) (refused bool) {
	return p.limit.take(what, source, now) != nil
}

// Hold takes all places of passwords that are computed, until the function that it returns is
// called.
func Hold() (release func()) {
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	return func() {
		for range cap(hashing) {
			<-hashing
		}
	}
}

// IsAPI reports whether an address is for programs.
func IsAPI(path string) bool {
	return isAPI(&http.Request{URL: &url.URL{Path: path}})
}

// Held returns how many turns are held.
func (p *Page) Held() int { return len(p.turns.all) }

// CutAfter sets after which time a client is cut off that takes nothing.
func (p *Page) CutAfter(d time.Duration) { p.stalled = d }
