package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// begin is when each world begins.
var begin = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// clock is the time of a world.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// attempt is what an outbox says of one.
type attempt struct{ channel, kind, state, reason string }

// world is a database, and an outbox that tells what happens in it.
type world struct {
	*clock
	t       *testing.T
	url     string
	store   *store.Store
	outbox  *outbox.Outbox
	options outbox.Options

	mu      sync.Mutex
	settled []attempt
	trouble string
	log     strings.Builder
}

// everywhere runs a test on each database.
func everywhere(t *testing.T, test func(w *world)) {
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string {
			return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
		},
		"postgres": func(t *testing.T) string { return migrated(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newWorld(t, url(t)))
		})
	}
}

// migrated is a database of PostgreSQL with the schema of now.
func migrated(t testing.TB) string {
	return pgtest.Filled(t, func(url string) error {
		s, err := store.Open(url, store.Options{Own: true, Create: true})
		if err != nil {
			return err
		}
		return errors.Join(s.Migrate(t.Context()), s.Close())
	})
}

func newWorld(t *testing.T, url string) *world {
	w := &world{t: t, url: url, clock: &clock{t: begin}, store: open(t, url)}
	if err := w.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.options = outbox.Options{Store: w.store, Channels: alarm.Options{Private: true},
		Trouble: func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.trouble
		},
		Settled: func(channel, kind, state, reason string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.settled = append(w.settled, attempt{channel, kind, state, reason})
		},
		Now: w.now, Log: slog.New(slog.NewTextHandler(w, nil))}
	w.outbox = outbox.New(w.options)
	return w
}

func open(t *testing.T, url string) *store.Store {
	s, err := store.Open(url, store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Write keeps the log.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) attempts() []attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.settled)
}

// poll polls until nothing more is due.
func (w *world) poll() {
	for n := -1; n != len(w.attempts()); {
		n = len(w.attempts())
		w.outbox.Poll(w.t.Context())
		w.outbox.Wait()
	}
}

// later polls, lets so much time pass, a minute after the other, and scans and polls in each.
func (w *world) later(d time.Duration) {
	w.poll()
	for ; d > 0; d -= time.Minute {
		w.pass(min(d, time.Minute))
		w.outbox.Scan(w.t.Context())
		w.poll()
	}
}

func (w *world) add(c store.Channel) {
	w.t.Helper()
	if c.Secret == "" && alarm.Signed(c.URL) {
		c.Secret = alarm.NewSecret()
	}
	if c.Created.IsZero() {
		c.Created = w.now()
	}
	if err := outbox.CheckChannel(c, w.options.Channels); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.AddChannel(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

// put stores a configuration that a device sends now.
func (w *world) put(site, name, body string, change ...func(*store.Capture)) store.Stored {
	w.t.Helper()
	c := store.Capture{UID: uuid.Must(uuid.NewV7()).String(), ReceivedAt: w.now(),
		Source: "192.0.2.1", Filename: name + ".conf", Mode: "octet", Site: site, Name: name,
		NamedBy: store.NamedByConfig, Platform: "fortinet", Kind: "full", Complete: true,
		Body: []byte(body)}
	for _, f := range change {
		f(&c)
	}
	stored, err := w.store.Put(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

func from(source string) func(*store.Capture) {
	return func(c *store.Capture) { c.Source = source }
}

func (w *world) device(ref string) store.Device {
	w.t.Helper()
	d, err := w.store.Device(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// daily makes a device that sends each day at the hour at which the world begins.
func (w *world) daily(site, name string) {
	for day := range 4 {
		w.put(site, name, config(name, "1"), func(c *store.Capture) {
			c.ReceivedAt = w.now().AddDate(0, 0, day-3)
		})
	}
}

// config is a configuration of a FortiGate with a secret.
func config(name, dns string) string {
	return "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=admin\n" +
		"#conf_file_ver=1\n#buildno=2731\n#global_vdom=1\nconfig system global\n" +
		"    set hostname \"" + name + "\"\nend\nconfig system dns\n    set primary 192.0.2." +
		dns + "\nend\nconfig system admin\n    edit \"admin\"\n        set password hidden" +
		dns + "\n    next\nend\n"
}

// got is a message as a receiver has got it.
type got struct {
	channel, id string
	alarm.Event
}

func (g got) refs() string {
	var list []string
	for _, d := range g.Data.Devices {
		list = append(list, d.Ref)
	}
	return strings.Join(list, " ")
}

// receiver is a server that takes messages, at a path for each channel.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	list   []got
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		g := got{channel: strings.Trim(req.URL.Path, "/"), id: req.Header.Get("webhook-id")}
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = json.Unmarshal(body, &g.Event)
		}
		if err != nil || g.id == "" || g.id != g.Data.ID {
			t.Errorf("a message that can't be read: %q %v %s", g.id, err, body)
		}
		r.mu.Lock()
		r.list = append(r.list, g)
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// answers sets what is answered from now on: a status, and pairs of header lines.
func (r *receiver) answers(status int, header ...string) {
	r.set(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	})
}

func (r *receiver) set(answer func(w http.ResponseWriter, req *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// take returns what has come since the last time.
func (r *receiver) take() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// told returns what has come since the last time as "channel kind: device device", in order.
func (r *receiver) told() (list []string) {
	for _, g := range r.take() {
		list = append(list, fmt.Sprintf("%s %s: %s", g.channel, g.Data.Kind, g.refs()))
	}
	slices.Sort(list)
	return list
}

func equal(t *testing.T, what string, got any, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// messages returns what stands in the outbox, by channel, kind and state.
func (w *world) messages() (list []string) {
	w.t.Helper()
	all, err := w.store.Deliveries(context.Background(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		list = append(list, fmt.Sprint(m.Channel, " ", m.Kind, " ", m.State))
	}
	slices.Sort(list)
	return list
}

// minute is longer than a message waits for others.
const minute = time.Minute
