package sftp

import (
	"net/netip"
	"sync"
	"time"
)

// memory counts the bytes that may still be taken.
type memory struct {
	mu   sync.Mutex
	free int64
}

func (m *memory) take(n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.free {
		return false
	}
	m.free -= n
	return true
}

func (m *memory) give(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free += n
}

// sourceOf returns what counts as one source: a host gets 64 bits of IPv6 addresses for itself.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// allowance bounds how often something is done: once every so often, and burst times at once.
type allowance struct {
	used  float64
	since time.Time
}

func (a *allowance) take(now time.Time, every time.Duration, burst int) bool {
	a.used = max(0, a.used-float64(now.Sub(a.since))/float64(every))
	a.since = now
	if a.used+1 > float64(burst) {
		return false
	}
	a.used++
	return true
}

const (
	// guessEvery is how often one source may try another password, once it has spent its burst: a
	// password of ten random letters and digits then takes longer than a device lives.
	guessEvery = 30 * time.Second
	// maxSources bounds the sources whose guesses are remembered, to 1 MiB.
	maxSources = 10_000
	// sampled is how many sources are looked at to find one that can be forgotten.
	sampled = 8
)

// guesses limit the wrong passwords of each source.
type guesses struct {
	burst   int
	mu      sync.Mutex // guards what follows
	sources map[netip.Prefix]allowance
}

func newGuesses(burst int) *guesses {
	return &guesses{burst: burst, sources: map[netip.Prefix]allowance{}}
}

// take notes a guess before it is checked, since several may be checked at once. It reports whether
// the source may guess.
func (g *guesses) take(now time.Time, source netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, known := g.sources[source]
	if !known && len(g.sources) >= maxSources {
		g.forget(now)
	}
	ok := a.take(now, guessEvery, g.burst)
	g.sources[source] = a
	return ok
}

// give takes back a guess that was none.
func (g *guesses) give(source netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, known := g.sources[source]
	if !known {
		return
	}
	if a.used--; a.used <= 0 {
		delete(g.sources, source)
		return
	}
	g.sources[source] = a
}

// forget drops one of some sources: the one that has guessed least. Where a map's iteration begins
// is random.
func (g *guesses) forget(now time.Time) {
	var least netip.Prefix
	used, looked := 0.0, 0
	for source, a := range g.sources {
		left := a.used - float64(now.Sub(a.since))/float64(guessEvery)
		if looked == 0 || left < used {
			least, used = source, left
		}
		if looked++; looked == sampled {
			break
		}
	}
	delete(g.sources, least)
}

const (
	// Lines of the log about what failed, at once and one more every so often: some 100 MB a day at
	// most.
	lineBurst = 200
	lineEvery = 200 * time.Millisecond
)

// lines bound the log's lines about failures, which strangers can cause.
type lines struct {
	mu      sync.Mutex // guards what follows
	failed  allowance
	dropped int
}

func newLines() *lines { return &lines{} }

// take reports whether a line may be written, and how many were dropped before it.
func (l *lines) take(now time.Time) (ok bool, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.failed.take(now, lineEvery, lineBurst) {
		l.dropped++
		return false, 0
	}
	dropped, l.dropped = l.dropped, 0
	return true, dropped
}
