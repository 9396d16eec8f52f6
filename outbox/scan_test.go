package outbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
)

// pager is a receiver that keeps a state for each key, as PagerDuty does.
type pager struct {
	*httptest.Server
	mu   sync.Mutex
	open map[string]string // what is wrong, by key
	log  []string
}

func newPager(t *testing.T) *pager {
	p := &pager{open: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			Action  string `json:"event_action"`
			Key     string `json:"dedup_key"`
			Payload struct{ Summary string }
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.log = append(p.log, m.Action+" "+m.Payload.Summary)
		if m.Action == "trigger" {
			p.open[m.Key] = m.Payload.Summary
		} else if p.open[m.Key] == "" {
			t.Errorf("%s ends %s, which never began", m.Payload.Summary, m.Key)
		} else {
			delete(p.open, m.Key)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) url() string {
	return "pagerduty+" + p.URL + "/" + strings.Repeat("a1", 16)
}

// wrong returns how many things are wrong.
func (p *pager) wrong() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// TestOverdue: a device that misses its rhythm is told of within two scans, again each day, and
// when it is back; a device that keeps it is not.
func TestOverdue(t *testing.T) {
	everywhere(t, func(w *world) {
		r, p := newReceiver(t), newPager(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Kinds: []string{"overdue"}})
		w.add(store.Channel{Name: "other", URL: r.URL + "/other", Sites: []string{"globex"}})
		w.add(store.Channel{Name: "pager", URL: p.url(), Kinds: []string{"overdue"}})
		w.daily("acme", "fw1")
		w.daily("acme", "fw2")
		w.outbox.Scan(w.t.Context())
		w.ready(47*time.Hour + 58*time.Minute) // twice the longest gap is allowed
		w.put("acme", "fw2", config("fw2", "1"))
		w.later(2 * time.Minute)
		equal(w.t, "before it is overdue", r.told())
		w.later(2 * time.Minute)
		w.later(minute)
		list := r.take()
		if len(list) != 1 || list[0].refs() != "acme/fw1" || list[0].Data.Devices[0].Missed != 2 ||
			!list[0].Data.Devices[0].Since.Equal(begin) {
			w.t.Fatalf("%+v", list)
		}
		w.restart()
		w.later(5 * time.Minute)
		equal(w.t, "after a restart", r.told())
		w.ready(24*time.Hour - 6*time.Minute)
		w.later(4 * time.Minute)
		equal(w.t, "a day later", r.told(), "noc overdue: acme/fw1")
		if p.wrong() != 1 {
			w.t.Errorf("the pager shows %v", p.log)
		}
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(2 * time.Minute)
		list = r.take()
		if len(list) != 1 || list[0].Data.Kind != "back" || !list[0].Data.Resolved ||
			list[0].Data.Devices[0].SilentS < 72*3600 {
			w.t.Errorf("%+v", list)
		}
		if p.wrong() != 0 || len(p.log) != 3 {
			w.t.Errorf("the pager shows %v", p.log)
		}
	})
}

// ready lets so much time pass in which the worker is ready.
func (w *world) ready(d time.Duration) {
	w.t.Helper()
	w.pass(d)
	if err := w.store.NoteReady(w.t.Context(), w.now(), d+time.Hour); err != nil {
		w.t.Fatal(err)
	}
}

// restart is another process in the place of this one.
func (w *world) restart() { w.outbox = outbox.New(w.options) }

// TestOverdueEnds: where nothing is expected any more of a device that was overdue, that is no
// news, but what keeps a state is told that it is over.
func TestOverdueEnds(t *testing.T) {
	everywhere(t, func(w *world) {
		r, p := newReceiver(t), newPager(t)
		names := []string{"retired", "expected", "merged", "forgotten", "renamed"}
		sites := []string{"acme"}
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Kinds: []string{"overdue"}})
		w.add(store.Channel{Name: "pager", URL: p.url(), Kinds: []string{"overdue"}, Sites: sites})
		for _, name := range names {
			w.daily("acme", name)
		}
		w.ready(48 * time.Hour)
		w.later(5 * time.Minute)
		if told := r.told(); len(told) != 1 || p.wrong() != len(names) {
			w.t.Fatalf("%q, %v", told, p.log)
		}
		ctx := w.t.Context()
		w.put("acme", "into", config("into", "1"))
		for _, err := range []error{
			w.store.Retire(ctx, w.device("acme/retired")),
			w.store.Expect(ctx, w.device("acme/expected"), 100*time.Hour),
			w.store.Merge(ctx, w.device("acme/merged"), w.device("acme/into")),
			w.store.Rename(ctx, w.device("acme/renamed"), "other"),
		} {
			if err != nil {
				w.t.Fatal(err)
			}
		}
		if _, err := w.store.Forget(ctx, w.device("acme/forgotten")); err != nil {
			w.t.Fatal(err)
		}
		w.later(12 * time.Minute)
		equal(w.t, "afterwards", r.told())
		if p.wrong() != 1 {
			w.t.Errorf("the pager shows %v", p.open)
		}
		open, err := w.store.OpenAlarms(ctx)
		if err != nil || len(open) != 1 {
			w.t.Errorf("%v %v", open, err)
		}
	})
}

// TestDowntime: time in which no worker was ready is no silence, nor is a clock that is put.
func TestDowntime(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Kinds: []string{"overdue"}})
		for n := range 5 {
			w.daily("acme", fmt.Sprint("fw", n))
		}
		w.ready(40 * time.Hour)
		w.pass(10 * time.Hour) // no worker
		w.restart()
		w.later(5 * time.Minute)
		equal(w.t, "after a night without a worker", r.told())
		w.set("the disk is full")
		w.later(5 * time.Minute)
		w.pass(20 * time.Hour)
		w.later(5 * time.Minute)
		equal(w.t, "while nothing can be stored", r.told())
		w.restart()
		w.later(5 * time.Minute)
		equal(w.t, "after a start meanwhile", r.told())
		w.set("")
		w.later(5 * time.Minute)
		equal(w.t, "after a time in which nothing could be stored", r.told())
		w.pass(10 * 24 * time.Hour)
		w.later(5 * time.Minute)
		equal(w.t, "after the clock was put forward", r.told())
		w.pass(-10 * 24 * time.Hour)
		w.later(5 * time.Minute)
		equal(w.t, "after it was put back", r.told())
		w.ready(8 * time.Hour)
		w.later(5 * time.Minute)
		equal(w.t, "when the time is over", r.told(),
			"noc overdue: acme/fw0 acme/fw1 acme/fw2 acme/fw3 acme/fw4")
	})
}

// TestOneReady: where one worker of two is ready, devices are heard, and both say the same of them.
func TestOneReady(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Kinds: []string{"overdue"}})
		w.daily("acme", "fw1")
		w.set("the disk is full")
		options := w.options
		options.Trouble = func() string { return "" }
		ready := outbox.New(options)
		both := func(minutes int) {
			for range minutes {
				w.pass(time.Minute)
				ready.Scan(w.t.Context())
				w.pass(30 * time.Second)
				w.outbox.Scan(w.t.Context())
				w.poll()
			}
		}
		w.ready(47 * time.Hour)
		both(30)
		equal(w.t, "before it is overdue", r.told())
		both(30)
		equal(w.t, "when it is", r.told(), "noc overdue: acme/fw1")
		open, err := w.store.OpenAlarms(w.t.Context())
		if err != nil || len(open) != 1 {
			w.t.Errorf("%v %v", open, err)
		}
	})
}

// putAll stores many captures at once.
func (w *world) putAll(list []store.Capture) {
	w.t.Helper()
	var putting sync.WaitGroup
	work := make(chan store.Capture)
	for range 64 {
		putting.Go(func() {
			for c := range work {
				if _, err := w.store.Put(w.t.Context(), c); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	for _, c := range list {
		work <- c
	}
	close(work)
	putting.Wait()
}

func small(site, name, body string, at time.Time) store.Capture {
	return store.Capture{UID: uuid.Must(uuid.NewV7()).String(), New: true, ReceivedAt: at,
		Source: "192.0.2.1", Filename: name, Site: site, Name: name, Mode: "octet",
		NamedBy: store.NamedByConfig, Kind: "full", Complete: true, Body: []byte(body)}
}

// TestStorm: 3,000 devices that are overdue at once are one message, however many workers look, and
// so are their reminders and their return; so are 500 captures that come out of a spool, one for
// each kind.
func TestStorm(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Kinds: []string{"overdue"}})
		w.add(store.Channel{Name: "changes", URL: r.URL + "/changes",
			Kinds: []string{"changed", "first", "torn", "new_source"}})
		const devices = 3000
		all := func(at time.Time) (list []store.Capture) {
			for n := range devices {
				site := fmt.Sprint("site", n%50)
				list = append(list, small(site, fmt.Sprint("fw", n), "same", at))
			}
			return list
		}
		for day := range 3 {
			list := all(w.now().AddDate(0, 0, day-2))
			for i := range list {
				list[i].Mode = store.Imported
			}
			w.putAll(list)
		}
		once := func(when, title string) {
			w.t.Helper()
			w.later(2 * minute)
			told := r.take()
			if len(told) != 1 || told[0].Data.Title != title ||
				len(told[0].Data.Devices)+told[0].Data.More != devices {
				w.t.Fatalf("%s: %d messages: %.3000v", when, len(told), told)
			}
		}
		w.ready(48*time.Hour + minute)
		var scans sync.WaitGroup
		for _, b := range []*outbox.Outbox{w.outbox, outbox.New(w.options)} {
			scans.Go(func() { b.Scan(w.t.Context()) })
		}
		scans.Wait()
		once("overdue", "[tftpsql] 3000 devices overdue")
		w.ready(24 * time.Hour)
		once("a day later", "[tftpsql] 3000 devices overdue")
		w.pass(10 * time.Hour)
		w.restart()
		w.later(2 * minute)
		equal(w.t, "after a night without a worker", r.told())
		w.putAll(all(w.now()))
		once("back", "[tftpsql] 3000 devices back")

		var list []store.Capture
		for n := range 500 {
			c := small(fmt.Sprint("spooled", n%50), fmt.Sprint("sw", n%100), fmt.Sprint(n),
				w.now().Add(-time.Duration(n)*time.Minute))
			list = append(list, c)
		}
		w.putAll(list)
		w.later(2 * minute)
		var got []string
		for _, g := range r.take() {
			got = append(got, g.Data.Title)
		}
		slices.Sort(got)
		equal(w.t, "of a spool", got, "[tftpsql] 100 new devices", "[tftpsql] 400 devices changed")
	})
}

// fail notes that transfers from an address have failed now.
func (w *world) fail(source string, times int64) {
	w.t.Helper()
	err := w.store.NoteFailures(w.t.Context(), []store.Failure{{Source: source,
		Reason: "it broke off", First: w.now(), Last: w.now(), Times: times}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestFailing: what fails several times is told, once as long as it lasts, also when it fails each
// night; what keeps a state is told when it is over.
func TestFailing(t *testing.T) {
	everywhere(t, func(w *world) {
		r, p := newReceiver(t), newPager(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		w.add(store.Channel{Name: "pager", URL: p.url(), Kinds: []string{"failing"}})
		imported := func(c *store.Capture) { c.Mode = store.Imported }
		w.put("acme", "fw1", config("fw1", "1"), imported)
		w.put("acme", "shared1", config("shared1", "1"), imported, from("192.0.2.9"))
		w.put("acme", "shared2", config("shared2", "1"), imported, from("192.0.2.9"))
		w.pass(minute)
		w.fail("192.0.2.1", 2)
		w.later(2 * minute)
		equal(w.t, "after two failures", r.told())
		w.fail("192.0.2.9", 9)
		w.later(2 * minute)
		equal(w.t, "of an address that several devices have", r.told())
		for night := range 3 {
			w.fail("192.0.2.1", 3)
			w.later(2 * minute)
			if want := []string{"noc failing: acme/fw1"}; night == 0 {
				equal(w.t, "the first night", r.told(), want...)
			} else {
				equal(w.t, "another night", r.told())
			}
			w.ready(24 * time.Hour)
		}
		if p.wrong() != 1 {
			w.t.Errorf("the pager shows %v", p.log)
		}
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(2 * minute)
		equal(w.t, "when it is over", r.told())
		if p.wrong() != 0 {
			w.t.Errorf("the pager shows %v", p.log)
		}
	})
}

func (w *world) set(trouble string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = trouble
}

// TestStorage: that captures can't be stored is told without the database, after a minute, and so
// is its end; a channel that is away is tried again, and holds up no other.
func TestStorage(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc", Quiet: "11:00-20:00"})
		w.add(store.Channel{Name: "site", URL: r.URL + "/site", Sites: []string{"acme"}})
		w.add(store.Channel{Name: "changes", URL: r.URL + "/changes", Kinds: []string{"changed"}})
		w.add(store.Channel{Name: "ill", URL: r.URL + "/ill", Kinds: []string{"storage"}})
		w.poll()
		if err := w.store.Close(); err != nil { // the database is away
			w.t.Fatal(err)
		}
		look := func(pass time.Duration) []string {
			w.pass(pass)
			w.outbox.Poll(w.t.Context())
			w.outbox.Look(w.t.Context())
			return r.told()
		}
		w.set("the database is away")
		equal(w.t, "at once", look(0))
		w.set("")
		equal(w.t, "after a restart of it", look(30*time.Second))
		w.set("the database is away")
		equal(w.t, "again", look(30*time.Second))
		ill := true
		r.set(func(a http.ResponseWriter, req *http.Request) {
			if ill && req.URL.Path == "/ill" {
				a.WriteHeader(http.StatusBadGateway)
			}
		})
		equal(w.t, "after a minute", look(minute), "ill storage: ", "noc storage: ")
		equal(w.t, "after another", look(minute), "ill storage: ")
		ill = false
		equal(w.t, "after a third", look(minute), "ill storage: ")
		equal(w.t, "after it was told", look(minute))
		w.set("")
		w.pass(minute)
		w.outbox.Look(w.t.Context())
		for _, g := range r.take() {
			if !g.Data.Resolved || !strings.Contains(g.Data.Title, "stored again") {
				w.t.Errorf("%+v", g.Data)
			}
		}
		equal(w.t, "afterwards", look(minute))
	})
}

// TestHeartbeat: the address is fetched every five minutes, only while the worker is ready.
func TestHeartbeat(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/test.db")
	beats := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats++ }))
	defer s.Close()
	w.options.Heartbeat = s.URL
	w.restart()
	for minute := range 31 {
		w.set(map[bool]string{true: "away"}[minute >= 10 && minute < 20])
		w.outbox.Look(t.Context())
		w.pass(time.Minute)
	}
	if beats != 5 { // at 0, 5, 20, 25 and 30
		t.Errorf("%d beats", beats)
	}
}
