package outbox_test

import (
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// TestClockPutBack: what was noted by a clock that was ahead for a while neither holds messages
// back nor makes a storm, and devices are overdue when they would have been.
func TestClockPutBack(t *testing.T) {
	everywhere(t, func(w *world) {
		const ahead = 10 * 365 * 24 * time.Hour
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Digest: true})
		w.daily("acme", "fw1")
		w.later(2 * minute)
		r.take()
		w.put("acme", "fw2", config("fw2", "1"))
		w.poll()
		w.pass(ahead)
		r.answers(500)
		w.poll()
		equal(w.t, "when the clock is put forward", r.told(), "noc first: acme/fw2")
		r.answers(200)
		w.put("acme", "fw3", config("fw3", "1"), func(c *store.Capture) {
			c.ReceivedAt = w.now().Add(-ahead)
		})
		w.outbox.Scan(w.t.Context())
		w.poll()
		equal(w.t, "while it is ahead", r.told(), "noc digest: ")
		w.pass(-ahead)
		w.later(2 * minute)
		equal(w.t, "when it is put back", r.told(), "noc first: acme/fw2", "noc first: acme/fw3")

		w.pass(10 * time.Hour)
		w.restart()
		w.later(5 * minute)
		equal(w.t, "after a night without a worker", r.told())
		w.ready(48 * time.Hour)
		w.later(5 * minute)
		equal(w.t, "two days later", r.told(), "noc overdue: acme/fw1")
		w.ready(24 * time.Hour)
		w.later(2 * minute)
		equal(w.t, "a day later", r.told(), "noc overdue: acme/fw1")
		w.pass(ahead)
		w.later(2 * minute)
		w.pass(-ahead)
		w.later(2 * minute)
		equal(w.t, "a clock that jumps again", r.told(), "noc digest: acme/fw1",
			"noc overdue: acme/fw1")
		w.ready(24*time.Hour - 2*minute)
		w.later(2 * minute)
		equal(w.t, "another day later", r.told(), "noc overdue: acme/fw1")
	})
}
