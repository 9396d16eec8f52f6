package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	// attemptsFree is how often somebody may be wrong at once, and attemptEvery how long it takes
	// until once more is free: a person who mistypes waits for nothing, a program that guesses gets
	// three hundred tries a day.
	attemptsFree = 10
	attemptEvery = 5 * time.Minute
	// attemptsKept bounds the memory: beyond it those are forgotten that would be free first.
	attemptsKept = 10000
)

// attempts counts what was refused, by what was tried and by where from. Names are never locked
// out for everybody: that would let a stranger lock out anybody.
type attempts struct {
	mu   sync.Mutex
	full map[attempt]time.Time // until when so much is used up, as if it leaked away evenly
}

type attempt struct{ what, from string }

func newAttempts() *attempts { return &attempts{full: map[attempt]time.Time{}} }

// network is where an attempt comes from: an IPv4 address, or the /64 of an IPv6 address, of which
// one host may have any.
func network(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil || addr.Is4() {
		return source
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return source
	}
	return p.String()
}

// take counts an attempt, and returns an error where there were too many. Those that are right are
// given back, so that many at once are no way around.
func (a *attempts) take(what, source string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := keyOf(what, source)
	until := a.full[key]
	if until.Before(now) {
		until = now
	}
	if wait := until.Sub(now) - (attemptsFree-1)*attemptEvery; wait > 0 {
		return status{http.StatusTooManyRequests, fmt.Sprintf(
			"too many attempts: try again in %s", wait.Round(time.Second))}
	}
	a.full[key] = until.Add(attemptEvery)
	if len(a.full) > attemptsKept {
		a.forget(now)
	}
	return nil
}

// forget drops a tenth, those that would be forgotten first: who guesses doesn't drop its own
// count by making others.
func (a *attempts) forget(now time.Time) {
	keys := slices.Collect(maps.Keys(a.full))
	sort.Slice(keys, func(i, j int) bool { return a.full[keys[i]].Before(a.full[keys[j]]) })
	for i, key := range keys {
		if i >= attemptsKept/10 && !a.full[key].Before(now) {
			break
		}
		delete(a.full, key)
	}
}

// give takes an attempt back.
func (a *attempts) give(what, source string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := keyOf(what, source)
	if until, ok := a.full[key]; ok {
		a.full[key] = until.Add(-attemptEvery)
	}
}

// keyOf bounds what a stranger has named.
func keyOf(what, source string) attempt {
	return attempt{what[:min(len(what), nameKept)], network(source)}
}

// nameKept bounds the name of a user, in bytes.
const nameKept = 200
