package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// everything is all that may happen.
var everything = []string{store.EventChanged, store.EventFirst, store.EventTorn,
	store.EventNewSource, store.EventFetched, store.EventOverdue, store.EventFailing}

// TestChangeIsTold: a change is told with its difference; secrets stand in it only where the
// channel wants them, and nothing does where nobody knows which lines are secret.
func TestChangeIsTold(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "full", URL: r.URL + "/full", FullDiff: true})
		w.add(store.Channel{Name: "usual", URL: r.URL + "/usual"})
		w.put("acme", "fw1", config("fw1", "53"))
		w.later(minute)
		equal(w.t, "a new device", r.told(), "full first: acme/fw1", "usual first: acme/fw1")
		same := w.put("acme", "fw1", config("fw1", "53")) // nothing has changed
		second := w.put("acme", "fw1", config("fw1", "54"), func(c *store.Capture) {
			c.ReceivedAt = w.now().Add(time.Second)
			c.ChangedBy = "alice"
		})
		w.later(minute)
		list := r.take()
		if len(list) != 2 {
			w.t.Fatalf("%d messages of a change: %v", len(list), list)
		}
		for _, g := range list {
			d := g.Data.Devices[0]
			if g.Data.Kind != "changed" || d.Ref != "acme/fw1" || d.Added != 2 || d.Removed != 2 ||
				d.By != "alice" || d.From != same.ID || d.To != second.ID ||
				g.Data.Site != "acme" ||
				!strings.Contains(g.Data.Diff, "+    set primary 192.0.2.54") {
				w.t.Errorf("%+v", g.Data)
			}
			if strings.Contains(g.Data.Diff, "hidden54") != (g.channel == "full") {
				w.t.Errorf("%s is told\n%s", g.channel, g.Data.Diff)
			}
		}
		strange := func(c *store.Capture) { c.Platform, c.NamedBy = "", store.NamedByFilename }
		w.put("", "box", "one secret\n", strange)
		w.pass(time.Second)
		w.put("", "box", "another secret\n", strange)
		w.later(minute)
		for _, g := range r.take() {
			if g.Data.Kind == "changed" && g.channel == "usual" &&
				(g.Data.Diff != "" || !strings.Contains(g.Data.Devices[0].Detail, "not known")) {
				w.t.Errorf("of an unknown platform is told %+v", g.Data)
			}
		}
	})
}

// TestKinds: each event goes to the channels that want its kind, and to those of its site.
func TestKinds(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "acme", URL: r.URL + "/acme", Kinds: everything,
			Sites: []string{"acme"}})
		w.add(store.Channel{Name: "all", URL: r.URL + "/all", Kinds: everything})
		w.add(store.Channel{Name: "torn", URL: r.URL + "/torn", Kinds: []string{"torn"}})
		w.add(store.Channel{Name: "usual", URL: r.URL + "/usual"})
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(minute)
		equal(w.t, "first", r.told(), "acme first: acme/fw1", "all first: acme/fw1",
			"usual first: acme/fw1")
		w.put("globex", "fw2", config("fw2", "1"))
		w.later(minute)
		equal(w.t, "another site", r.told(), "all first: globex/fw2", "usual first: globex/fw2")
		w.put("acme", "fw1", "config system global\n", func(c *store.Capture) {
			c.Complete, c.Cut = false, true
		})
		w.later(minute)
		equal(w.t, "torn", r.told(), "acme torn: acme/fw1", "all torn: acme/fw1",
			"torn torn: acme/fw1", "usual torn: acme/fw1")
		w.put("acme", "fw1", config("fw1", "1"), from("192.0.2.2"))
		w.later(minute)
		equal(w.t, "a new address", r.told(), "acme new_source: acme/fw1",
			"all new_source: acme/fw1")
		w.put("acme", "fw1", config("fw1", "1"), from("192.0.2.1"))
		w.later(minute)
		equal(w.t, "a known address", r.told())
		w.put("acme", "fw3", config("fw3", "1"), func(c *store.Capture) { c.Mode = store.Imported })
		w.put("acme", "fw1", config("fw1", "9"), func(c *store.Capture) { c.Mode = store.Imported })
		w.later(minute)
		equal(w.t, "an import", r.told())
	})
}

// TestFetchedIsTold: whoever fetches a published version is told of.
func TestFetchedIsTold(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "all", URL: r.URL + "/all", Kinds: []string{"fetched"}})
		stored := w.put("acme", "fw1", config("fw1", "1"))
		record, err := w.store.CaptureByID(w.t.Context(), stored.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		publish(w, record, "restore.conf")
		w.later(minute)
		list := r.take()
		if len(list) != 1 || list[0].Data.Kind != "fetched" ||
			!strings.Contains(list[0].Data.Title, "restore.conf") {
			w.t.Errorf("%+v", list)
		}
	})
}

// TestBatch: what happens in a site within the batch of a channel is one message, over 20 devices
// are one message whatever their sites, and a site doesn't wait for a site that is never quiet.
func TestBatch(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "slow", URL: r.URL + "/slow"})
		w.add(store.Channel{Name: "quick", URL: r.URL + "/quick", Batch: time.Second})
		put := func(site, name string) {
			w.put(site, name, config(name, "1"))
			w.poll()
		}
		put("a", "one")
		put("a", "two")
		put("b", "three")
		w.pass(time.Second)
		w.poll()
		equal(w.t, "after 1 s", r.told(), "quick first: a/one a/two", "quick first: b/three")
		w.pass(28 * time.Second)
		put("a", "four")
		w.pass(time.Second)
		w.poll()
		equal(w.t, "after 30 s", r.told(), "quick first: a/four",
			"slow first: a/one a/two a/four", "slow first: b/three")

		put("z", "first")
		for n := range 40 {
			put("a", fmt.Sprint("more", n))
			w.pass(900 * time.Millisecond)
			w.poll()
		}
		for _, g := range r.take() {
			if g.channel == "slow" && g.Data.Kind == "first" && !g.Timestamp.Before(
				begin.Add(31*time.Second)) {
				w.t.Errorf("told before its time: %s at %s", g.refs(), g.Timestamp)
			}
		}

		w.later(minute)
		r.take()
		for n := range 25 {
			w.put(fmt.Sprint("site", n%3), fmt.Sprint("new", n), config("x", "1"))
		}
		w.later(minute)
		for _, g := range r.take() {
			if len(g.Data.Devices) != 25 || g.Data.Site != "" {
				w.t.Errorf("%s: %d devices of %q", g.channel, len(g.Data.Devices), g.Data.Site)
			}
		}
	})
}

// TestStarving: a site where something happens all the time doesn't take the turn of another.
func TestStarving(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		w.put("z", "first", config("x", "1"))
		w.poll()
		for n := range 35 {
			w.pass(time.Second)
			if n%2 == 0 {
				w.put("a", fmt.Sprint("more", n), config("x", "1"))
			}
			w.outbox.Poll(w.t.Context())
			w.outbox.Wait()
		}
		if list := r.take(); len(list) == 0 || list[0].refs() != "z/first" {
			w.t.Errorf("after 35 s %v is told", list)
		}
	})
}

// TestQuiet: quiet hours and pauses hold messages back, also what is repeated, and drop none.
func TestQuiet(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "night", URL: r.URL + "/night", Quiet: "13:00-14:00"})
		w.add(store.Channel{Name: "day", URL: r.URL + "/day"})
		r.answers(500)
		w.pass(59 * time.Minute)
		w.put("acme", "before", config("before", "1"))
		w.poll()
		w.pass(31 * time.Second)
		w.poll()
		equal(w.t, "before", r.told(), "day first: acme/before", "night first: acme/before")
		r.answers(200)
		w.later(30 * time.Minute)
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(29 * time.Minute)
		equal(w.t, "in quiet hours", r.told(), "day first: acme/before", "day first: acme/fw1")
		w.later(2 * time.Minute)
		equal(w.t, "after them", r.told(), "night first: acme/before", "night first: acme/fw1")

		ctx := w.t.Context()
		if err := w.store.PauseChannel(ctx, "day", w.now().Add(2*time.Hour)); err != nil {
			w.t.Fatal(err)
		}
		w.put("acme", "fw2", config("fw2", "1"))
		w.later(30 * time.Minute)
		equal(w.t, "while one is paused", r.told(), "night first: acme/fw2")
		if err := w.store.PauseChannel(ctx, "day", w.now()); err != nil {
			w.t.Fatal(err)
		}
		w.later(minute)
		equal(w.t, "after it is resumed", r.told(), "day first: acme/fw2")
	})
}

// TestDigest: a digest comes each week, also when nothing has happened, once.
func TestDigest(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Digest: true})
		w.add(store.Channel{Name: "acme", URL: r.URL + "/acme", Digest: true,
			Sites: []string{"acme"}})
		w.put("globex", "fw1", config("fw1", "1"), func(c *store.Capture) {
			c.Mode = store.Imported
		})
		for range 3 {
			w.pass(7*24*time.Hour - 3*time.Minute)
			w.later(minute)
			equal(w.t, "before the week is over", r.told())
			w.later(2 * time.Minute)
			list := r.take()
			if len(list) != 2 {
				w.t.Fatalf("%d digests", len(list))
			}
			for _, g := range list {
				devices := map[string]string{"noc": "1 devices", "acme": "0 devices"}[g.channel]
				if g.Data.Kind != "digest" || !strings.Contains(g.Data.Title, devices) {
					w.t.Errorf("%s: %+v", g.channel, g.Data)
				}
			}
		}
	})
}

// TestDigestCounts: a digest says overdue of what an alarm is raised for, and counts messages that
// were given up since the last one: all of them, or a site's channel its own.
func TestDigestCounts(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Digest: true})
		w.add(store.Channel{Name: "acme", URL: r.URL + "/acme", Digest: true,
			Sites: []string{"acme"}})
		r.answers(400)
		for _, ref := range []string{"acme/fw1", "acme/fw2", "acme/fw3", "globex/fw4"} {
			site, name, _ := strings.Cut(ref, "/")
			w.put(site, name, config(name, "1"))
			if err := w.store.Expect(w.t.Context(), w.device(ref), time.Hour); err != nil {
				w.t.Fatal(err)
			}
		}
		w.later(minute)
		r.take()
		r.answers(200)
		week := func(what string, lines map[string][]string) {
			w.t.Helper()
			w.later(2 * time.Minute)
			for _, g := range r.take() {
				if g.Data.Kind != "digest" {
					continue
				}
				said := g.Data.Title + "\n" + g.Data.Text
				for _, line := range lines[g.channel] {
					if !strings.Contains(said, line) {
						w.t.Errorf("%s: %s is not told %q:\n%s", what, g.channel, line, said)
					}
				}
				if len(lines[g.channel]) == 1 && strings.Contains(said, "given up") {
					w.t.Errorf("%s: %s is told\n%s", what, g.channel, said)
				}
				delete(lines, g.channel)
			}
			if len(lines) > 0 {
				w.t.Errorf("%s: no digest: %v", what, lines)
			}
		}
		w.pass(7 * 24 * time.Hour)
		week("after a week without a worker", map[string][]string{
			"noc":  {" 0 of 4 devices overdue", "messages given up: 3;", "first: 4"},
			"acme": {" 0 of 3 devices overdue", "messages given up: 1;", "first: 3"}})
		w.ready(7 * 24 * time.Hour)
		week("after another in which nobody sent", map[string][]string{
			"noc": {" 4 of 4 devices overdue"}, "acme": {" 3 of 3 devices overdue"}})
	})
}
