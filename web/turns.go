package web

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/tftpsql/tftpsql/store"
)

// turns are held by the pages that are being made, and sent. Captures have connections and a core
// of their own.
type turns struct {
	all  chan struct{}
	long chan struct{} // of those of them that take long

	mu sync.Mutex
	of map[string]*share // of those that ask just now
}

// share is what one person holds of the turns.
type share struct {
	turns chan struct{}
	users int // requests that hold one or wait for it
}

// turnsOfOne is how many turns a person or a token holds at most, so that a slow line or a greedy
// program doesn't hold up the others.
const turnsOfOne = 2

func newTurns() *turns {
	return &turns{all: make(chan struct{}, store.ReadersAtOnce),
		long: make(chan struct{}, store.ReadersAtOnce/2), of: map[string]*share{}}
}

// take waits until a page may be made for somebody. Half of the turns are for pages that take no
// time, so that they don't wait for searches.
func (t *turns) take(ctx context.Context, who, pattern string) (leave func(), err error) {
	own, done := t.share(who)
	wanted := []chan struct{}{own, t.all}
	if strings.Contains(pattern, "/search") || strings.Contains(pattern, "_search") ||
		strings.Contains(pattern, "/blame") || strings.Contains(pattern, "/diff") ||
		strings.Contains(pattern, "/compare") {
		wanted = []chan struct{}{own, t.long, t.all}
	}
	held := 0
	leave = func() {
		for _, turn := range wanted[:held] {
			<-turn
		}
		done()
	}
	for _, turn := range wanted {
		select {
		case turn <- struct{}{}:
			held++
		case <-ctx.Done():
			return leave, status{http.StatusServiceUnavailable, "too much is being asked at " +
				"once: try again"}
		}
	}
	return leave, nil
}

// share returns the turns of somebody, until done is called.
func (t *turns) share(who string) (own chan struct{}, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.of[who]
	if s == nil {
		s = &share{turns: make(chan struct{}, turnsOfOne)}
		t.of[who] = s
	}
	s.users++
	return s.turns, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(t.of, who)
		}
	}
}
