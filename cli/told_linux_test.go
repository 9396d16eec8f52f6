package cli

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// toldChannels are the channels of TestTold. The receiver of the second refuses some messages for
// good.
var toldChannels = []string{"noc", "picky"}

// news is what a channel is told of a capture.
type news struct {
	channel string
	capture int64
}

// hook is the receiver of a world's channels, which has troubles of its own.
type hook struct {
	t        *testing.T
	address  string
	server   http.Server
	verifier map[string]*webhooks.Webhook // by channel
	more     chan struct{}                // holds one when something came

	mu       sync.Mutex // guards what follows
	r        *rand.Rand
	listener net.Listener
	well     bool            // it has no troubles with what is repeated
	patience chan struct{}   // closed when requests that hang end
	kill     chan func()     // ends a worker while it tells
	message  map[news]string // its number
	about    map[string]string
	accepted map[string]bool // messages
	taken    map[news]int    // how often it was accepted
	troubles map[string]int  // how often each was had
}

func newHook(t *testing.T) *hook {
	h := &hook{t: t, verifier: map[string]*webhooks.Webhook{}, more: make(chan struct{}, 1),
		r: rand.New(rand.NewPCG(*faultSeed, 6)), patience: make(chan struct{}),
		kill: make(chan func(), 1), message: map[news]string{}, about: map[string]string{},
		accepted: map[string]bool{}, taken: map[news]int{}, troubles: map[string]int{}}
	h.server.Handler = h
	// No connection that another test makes has this address, so it can be had again.
	h.listen("127.77.0.1:0")
	h.address = h.listener.Addr().String()
	t.Cleanup(func() { _ = h.server.Close() })
	return h
}

func (h *hook) listen(address string) {
	h.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener = l
	go func() { _ = h.server.Serve(l) }() // ends with the listener
}

// refuse makes the receiver refuse connections.
func (h *hook) refuse() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.troubles["away"]++
	return h.listener.Close()
}

// letGo ends the requests that hang.
func (h *hook) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.patience)
	h.patience = make(chan struct{})
}

// heal ends the troubles, but that each message may have one.
func (h *hook) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.well = true
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its worker was killed
	}
	channel := strings.Trim(r.URL.Path, "/")
	var e alarm.Event
	if err = h.verifier[channel].Verify(body, r.Header); err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		h.t.Errorf("%s is told what can't be read: %v\n%s", channel, err, body)
		return
	}
	killed := false
	select {
	case kill := <-h.kill:
		kill()
		killed = true
	default:
	}
	trouble, patience := h.note(channel, r.Header.Get("webhook-id"), e, killed)
	switch trouble {
	case "hangs":
		select {
		case <-patience:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case "drops the connection":
		panic(http.ErrAbortHandler)
	case "refuses":
		w.WriteHeader(http.StatusUnprocessableEntity)
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// note keeps what has come, and returns what becomes of it: a trouble, or "" where it is taken.
func (h *hook) note(channel, id string, e alarm.Event, well bool) (trouble string,
	patience chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
	var all []news
	for _, d := range e.Data.Devices {
		if d.To != 0 {
			all = append(all, news{channel, d.To})
		}
	}
	about := fmt.Sprint(e.Type, " ", channel, " ", all)
	before, repeated := h.about[id]
	if repeated && before != about || id != e.Data.ID || e.Data.More > 0 {
		h.t.Errorf("message %s, %d more: it tells %s, and told %s", id, e.Data.More, about, before)
	}
	h.about[id] = about
	for _, n := range all {
		if before, ok := h.message[n]; ok && before != id {
			h.t.Errorf("%v is told under %s, and under %s", n, before, id)
		}
		h.message[n] = id
	}
	if !well && !(h.well && repeated) {
		trouble = []string{"", "", "", "hangs", "drops the connection", "500", "429",
			"refuses"}[h.r.IntN(8)]
		if trouble == "refuses" && (channel == "noc" || h.accepted[id]) {
			trouble = ""
		}
	}
	if trouble != "" {
		h.troubles[trouble]++
		return trouble, h.patience
	}
	h.accepted[id] = true
	for _, n := range all {
		h.taken[n]++
	}
	return "", nil
}

// while waits until something is told, and kills a worker before it hears the answer.
func (h *hook) while(kill func(w *world) error) func(w *world) error {
	return func(w *world) error {
		done := make(chan error, 1)
		h.kill <- func() { done <- kill(w) }
		select {
		case err := <-done:
			return err
		case <-time.After(2 * time.Minute):
			return errors.New("nothing is told")
		}
	}
}

// channels adds the channels.
func (w *world) channels(h *hook) {
	w.t.Helper()
	secret := regexp.MustCompile(`whsec_\S+=`)
	for _, name := range toldChannels {
		status, out, errs := do(w.t, append(w.environ, "DATABASE_URL="+w.url), "alarm", "add", name,
			"http://"+h.address+"/"+name, "--batch", "1s", "--kinds", "back,changed,digest,"+
				"failing,fetched,first,new_source,overdue,storage,torn")
		if status != 0 {
			w.t.Fatal(errs)
		}
		var err error
		if h.verifier[name], err = webhooks.NewWebhook(secret.FindString(out)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// dueNow lets all the time pass that messages wait for, and the lease of a worker that was killed.
func (w *world) dueNow() {
	w.t.Helper()
	driver, source := "pgx", w.url
	if path, ok := strings.CutPrefix(w.url, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(60000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	for {
		_, err := db.ExecContext(w.t.Context(), "UPDATE deliveries SET next_try = c.created_at, "+
			"leased_until = c.created_at FROM channels c WHERE c.name = channel AND "+
			"state = 'waiting'")
		if err == nil {
			return
		}
		// A worker takes its messages in an order of its own.
		if p := new(pgconn.PgError); !errors.As(err, &p) || p.Code != "40P01" {
			w.t.Fatal(err)
		}
	}
}

// reckoning is what became of all that was to be told.
type reckoning struct {
	events, delivered, twice, givenUp, waiting int
	lost                                       []news
	wrong                                      []string // what was told or noted in error
}

// reckon holds the captures that are stored against what was told.
func (w *world) reckon(h *hook) (sum reckoning) {
	w.t.Helper()
	s, err := store.Open(w.url, store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	deliveries, err := s.Deliveries(w.t.Context(), 1e6)
	if err != nil {
		w.t.Fatal(err)
	}
	state := map[string]string{}
	for _, m := range deliveries {
		if state[m.ID] = m.State; m.State == store.DeliveryWaiting {
			sum.waiting++
		}
	}
	var log []wireCapture
	unmarshal(w.t, (&program{url: w.url}).must(w.t, "log", "-n", "0", "--json"), &log)
	stored := map[int64]bool{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range log {
		stored[c.ID] = true
		if !c.Changed {
			sum.wrong = append(sum.wrong, fmt.Sprintf("@%d: its body is new, and it has changed "+
				"nothing", c.ID))
		}
		for _, channel := range toldChannels {
			n := news{channel, c.ID}
			sum.events++
			sum.twice += max(h.taken[n]-1, 0)
			switch id := h.message[n]; {
			case h.taken[n] > 0:
				sum.delivered++
			case id != "" && state[id] == store.DeliveryGivenUp:
				sum.givenUp++
			default:
				sum.lost = append(sum.lost, n)
			}
		}
	}
	for n := range h.message {
		if !stored[n.capture] {
			sum.wrong = append(sum.wrong, fmt.Sprintf("%s is told of @%d, which isn't stored",
				n.channel, n.capture))
		}
	}
	for id, s := range state {
		if s == store.DeliverySent && !h.accepted[id] {
			sum.wrong = append(sum.wrong, fmt.Sprintf("message %s counts as taken, and nobody has "+
				"taken it", id))
		}
	}
	return sum
}

// settled waits until all was told or given up.
func (w *world) settled(h *hook) reckoning {
	h.heal()
	w.run()
	w.dueNow()
	const quiet = 2 * time.Minute // far more than a worker lets pass between two messages
	limit, tick := time.NewTimer(quiet), time.NewTicker(3*time.Second)
	defer limit.Stop()
	defer tick.Stop()
	for {
		if sum := w.reckon(h); sum.waiting+len(sum.lost) == 0 || w.t.Failed() {
			return sum
		}
		select {
		case <-h.more:
			limit.Reset(quiet)
		case <-tick.C:
			h.letGo()
			w.dueNow()
		case <-limit.C:
			return w.reckon(h)
		}
	}
}

// toldWorlds are the worlds of TestTold by name. Each returns its faults, that of a short run
// first.
var toldWorlds = map[string]func(w *world) []fault{
	"sqlite": func(w *world) []fault {
		w.disk = tmpfs(w.t, "64m")
		w.url = "sqlite:" + filepath.Join(w.disk, "test.db")
		return []fault{killWorker, sqliteFull}
	},
	"postgres": func(w *world) []fault {
		w.postgres()
		w.second = newWorld(w.t)
		return databaseFaults
	},
	"spool": func(w *world) []fault {
		w.postgres()
		w.second = newWorld(w.t)
		w.room = tmpfs(w.t, "24m")
		for i, of := range w.workers() {
			of.spool = filepath.Join(w.room, fmt.Sprint("spool", i, ".db"))
			of.args = append(of.args, "--spool", of.spool)
		}
		return slices.Concat(databaseFaults[1:], databaseFaults[:1], []fault{spoolFull})
	},
	"standby": func(w *world) []fault {
		w.pair()
		w.second = newWorld(w.t)
		return allStandbyFaults
	},
}

// whileTelling are the faults of receivers, and of workers while a message is on its way.
func whileTelling(w *world, h *hook) []fault {
	list := []fault{
		{name: "receiver away", inject: func(*world) error { return h.refuse() },
			mend: func(*world) error { h.listen(h.address); return nil }},
		{name: "worker killed while it tells", inject: h.while((*world).kill)}}
	if w.second == nil {
		return list
	}
	second := func(w *world) error { return w.second.kill() }
	both := func(w *world) error { return errors.Join(w.kill(), w.second.kill()) }
	return append(list, fault{name: "second worker killed while one tells",
		inject: h.while(second)}, fault{name: "both killed while one tells", inject: h.while(both)})
}

// TestTold: whatever breaks in the middle of a burst, also while a message is on its way, each
// channel is told of each capture that is stored and of no other, at least once and under one
// number, or the message is given up and listed as such.
func TestTold(t *testing.T) {
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting small disks and stalling PostgreSQL needs root"))
	}
	for name, set := range toldWorlds {
		if name == "standby" && *bursts == 0 {
			continue // make faults has it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, h := newWorld(t), newHook(t)
			faults := set(w)
			if *bursts == 0 {
				faults = faults[:1]
			} else if w.second != nil {
				faults = append([]fault{killWorker}, faults...)
			}
			faults = slices.Concat(faults, whileTelling(w, h))
			for _, of := range w.workers() {
				of.url, of.environ = w.url, []string{"ALARM_PRIVATE=1"}
			}
			w.run()
			w.channels(h)
			n := max(*bursts, len(faults))
			order := w.r.Perm(len(faults))
			for i := range n {
				f := faults[order[i%len(order)]]
				f.brief = true // what isn't stored isn't told
				w.dueNow()
				w.burst(i, f)
				h.letGo()
				w.check()
			}
			sum := w.settled(h)
			for _, n := range sum.lost {
				t.Errorf("%s was never told of @%d: message %q", n.channel, n.capture, h.message[n])
			}
			for _, wrong := range sum.wrong {
				t.Error(wrong)
			}
			if sum.waiting > 0 || sum.delivered == 0 || sum.twice == 0 {
				t.Errorf("%+v", sum)
			}
			t.Logf("%d bursts, faults %v, troubles of the receiver %v; %d captures: %d events, "+
				"%d delivered, %d twice, %d given up, lost %d", n, w.injected, h.troubles,
				sum.events/len(toldChannels), sum.events, sum.delivered, sum.twice, sum.givenUp,
				len(sum.lost))
			if t.Failed() {
				for _, of := range w.workers() {
					t.Log(of.log)
				}
			}
		})
	}
}
