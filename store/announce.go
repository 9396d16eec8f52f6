package store

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// announceWaiting bounds the captures that wait to be announced while PostgreSQL is slow. It
	// is some seconds of captures at the highest rate.
	announceWaiting = 10_000
	// announceLimit bounds the time of one announcement.
	announceLimit = 5 * time.Second
)

// announcement is what PostgreSQL's channel tftpsql says about a capture.
type announcement struct {
	ID         int64  `json:"id"`
	UID        string `json:"uid"`
	Site       string `json:"site"`
	Device     string `json:"device"`
	Changed    bool   `json:"changed"`
	Complete   bool   `json:"complete"`
	NewDevice  bool   `json:"new_device"`
	ReceivedAt string `json:"received_at"`
}

// announcements returns what is told of captures that were committed. A repeated capture of this
// program is among them: its first commit succeeded, but the answer was lost.
func announcements(batch []*write, results []Stored) []string {
	payloads := make([]string, 0, len(batch))
	for i, w := range batch {
		r := results[i]
		if r.Known && !w.c.New {
			continue
		}
		text, err := json.Marshal(announcement{r.ID, w.c.UID, r.Site, r.Device, r.Changed,
			w.c.Complete, r.first, w.c.ReceivedAt.UTC().Format("2006-01-02T15:04:05.000000Z")})
		if err != nil {
			continue // no field can't be encoded
		}
		payloads = append(payloads, string(text))
	}
	return payloads
}

// announcer sends notifications after the commit, in transactions of its own. A transaction that
// notifies holds a lock of the whole cluster until its commit is done. This one writes nothing, so
// its commit doesn't wait for the disk. A notification may be lost: listeners look for captures
// from time to time as well.
type announcer struct {
	db      queries.DBTX
	log     *slog.Logger
	mu      sync.Mutex
	waiting []string
	running bool
	done    sync.WaitGroup
}

// add takes what is to be announced. It doesn't wait.
func (a *announcer) add(payloads []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if left := announceWaiting - len(a.waiting); len(payloads) > left {
		a.log.Debug("captures were not announced: too many wait", "count", len(payloads)-left)
		payloads = payloads[:left]
	}
	a.waiting = append(a.waiting, payloads...)
	if !a.running && len(a.waiting) > 0 {
		a.running = true
		a.done.Go(a.run)
	}
}

// run announces what waits, and ends when nothing waits.
func (a *announcer) run() {
	for {
		a.mu.Lock()
		payloads := a.waiting
		a.waiting, a.running = nil, len(payloads) > 0
		a.mu.Unlock()
		if len(payloads) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), announceLimit)
		if err := queries.New(a.db).Announce(ctx, payloads); err != nil {
			a.log.Debug("captures were not announced", "count", len(payloads), "err", err)
		}
		cancel()
	}
}
