package outbox_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
)

// publish publishes a capture and notes that a device has fetched it.
func publish(w *world, r store.Record, name string) {
	w.t.Helper()
	err := w.store.Publish(w.t.Context(), store.Publication{Name: name}, r)
	if err == nil {
		err = w.store.Fetched(w.t.Context(), name, netip.MustParseAddr("192.0.2.7"), w.now())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestRepeated: what isn't taken is repeated at the times that are promised, under one number, and
// given up aloud after three days.
func TestRepeated(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		r.answers(500)
		w.put("acme", "fw1", config("fw1", "1"))
		w.poll()
		w.pass(30 * time.Second)
		began := w.now()
		var after []string
		ids := map[string]bool{}
		for {
			w.poll()
			for _, g := range r.take() {
				after = append(after, w.now().Sub(began).String())
				ids[g.id] = true
			}
			list, err := w.store.Deliveries(w.t.Context(), 1)
			if err != nil || len(list) != 1 {
				w.t.Fatalf("%v %v", list, err)
			}
			if list[0].State != store.DeliveryWaiting {
				break
			}
			w.pass(list[0].Next.Sub(w.now()) - time.Second)
			w.poll()
			equal(w.t, "before its time", r.told())
			w.pass(time.Second)
		}
		if len(after) != alarm.Attempts || len(ids) != 1 {
			w.t.Fatalf("%d attempts under %d numbers", len(after), len(ids))
		}
		equal(w.t, "attempts", after[:7], "0s", "30s", "2m30s", "12m30s", "1h12m30s", "5h12m30s",
			"9h12m30s")
		equal(w.t, "at the end", w.messages(), "noc first given up")
		if last := w.attempts()[len(after)-1]; last.state != store.DeliveryGivenUp ||
			!strings.Contains(last.reason, "500") {
			w.t.Errorf("%+v", last)
		}
		if !strings.Contains(w.logged(), `level=ERROR msg="an alarm was given up" channel=noc`) {
			w.t.Error(w.logged())
		}
	})
}

// TestAnswers: what a receiver answers decides whether it is asked again, and when.
func TestAnswers(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		tell := func(name string) {
			w.put("acme", name, config(name, "1"))
			w.poll()
			w.pass(30 * time.Second)
			w.poll()
		}
		r.answers(429, "Retry-After", "600")
		tell("busy")
		equal(w.t, "the first attempt", r.told(), "noc first: acme/busy")
		w.pass(599 * time.Second)
		w.poll()
		equal(w.t, "before Retry-After", r.told())
		r.answers(200)
		w.pass(time.Second)
		w.poll()
		equal(w.t, "after it", r.told(), "noc first: acme/busy")

		r.answers(400)
		tell("bad")
		r.answers(200)
		w.later(10 * time.Minute)
		equal(w.t, "after 400", r.told(), "noc first: acme/bad")
		if n := len(w.attempts()); w.attempts()[n-1].state != store.DeliveryGivenUp {
			w.t.Errorf("%+v", w.attempts())
		}

		r.answers(410)
		tell("gone")
		r.answers(200)
		tell("waits")
		equal(w.t, "after 410", r.told(), "noc first: acme/gone")
		c, err := w.store.Channel(w.t.Context(), "noc")
		if err != nil || !strings.Contains(c.Disabled, "gone") ||
			!strings.HasPrefix(outbox.State(c, w.now()), "disabled") {
			w.t.Errorf("%+v %v", c, err)
		}
		if err := w.store.PauseChannel(w.t.Context(), "noc", w.now()); err != nil {
			w.t.Fatal(err)
		}
		w.poll()
		equal(w.t, "when it is enabled again", r.told(), "noc first: acme/waits")
	})
}

// TestRemoved: what waits for a channel that is removed is told to nobody, also where another
// channel gets its name.
func TestRemoved(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		r.answers(500)
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(minute)
		r.take()
		w.put("acme", "fw2", config("fw2", "1"))
		w.poll()
		if err := w.store.RemoveChannel(w.t.Context(), "noc"); err != nil {
			w.t.Fatal(err)
		}
		r.answers(200)
		equal(w.t, "what waits", w.messages())
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		w.later(time.Hour)
		equal(w.t, "another one of its name", r.told())
	})
}

// TestHanging: channels that hang hold up no other, however many they are.
func TestHanging(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		ends := make(chan struct{})
		var asked sync.WaitGroup
		asked.Add(8)
		r.set(func(_ http.ResponseWriter, req *http.Request) {
			if strings.HasPrefix(req.URL.Path, "/hangs") {
				asked.Done()
				<-ends
			}
		})
		for n := range 8 {
			w.add(store.Channel{Name: fmt.Sprint("hangs", n), URL: r.URL + fmt.Sprint("/hangs", n)})
		}
		w.add(store.Channel{Name: "last", URL: r.URL + "/last"})
		w.put("acme", "fw1", config("fw1", "1"))
		w.put("globex", "fw2", config("fw2", "1"))
		w.outbox.Poll(w.t.Context())
		w.pass(30 * time.Second)
		w.outbox.Poll(w.t.Context())
		asked.Wait()
		r.set(nil)
		close(ends)
		w.outbox.Wait()
		r.take()
		w.outbox.Poll(w.t.Context())
		w.outbox.Wait()
		if list := r.told(); len(list) == 0 || !strings.HasPrefix(list[0], "last") &&
			!strings.Contains(fmt.Sprint(list), "last") {
			w.t.Errorf("the last channel has to wait again: %q", list)
		}
	})
}

// TestTwoWorkers: of two workers one tells each event.
func TestTwoWorkers(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		for _, name := range []string{"a", "b", "c"} {
			w.add(store.Channel{Name: name, URL: r.URL + "/" + name, Batch: time.Second})
		}
		workers := []*outbox.Outbox{w.outbox, outbox.New(w.options), outbox.New(w.options)}
		const devices = 60
		for n := range devices {
			w.put(fmt.Sprint("site", n%7), fmt.Sprint("fw", n), config("x", "1"))
			var polls sync.WaitGroup
			for _, b := range workers {
				polls.Go(func() { b.Poll(w.t.Context()) })
			}
			polls.Wait()
			w.pass(time.Second)
		}
		for range 20 {
			for _, b := range workers {
				b.Poll(w.t.Context())
				b.Wait()
			}
		}
		times, ids := map[string]int{}, map[string]int{}
		for _, g := range r.take() {
			ids[g.id]++
			for _, d := range g.Data.Devices {
				times[g.channel+" "+d.Ref]++
			}
		}
		for what, n := range times {
			if n != 1 {
				w.t.Errorf("%s is told %d times", what, n)
			}
		}
		if len(times) != 3*devices {
			w.t.Errorf("%d are told of %d", len(times), 3*devices)
		}
		for id, n := range ids {
			if n != 1 {
				w.t.Errorf("%s was sent %d times", id, n)
			}
		}
	})
}

// TestKilled: a worker that ends between sending and keeping it leaves a message that is sent
// again under its number, by another worker, when its lease is over.
func TestKilled(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		w.put("acme", "fw1", config("fw1", "1"))
		w.poll()
		w.pass(30 * time.Second)
		ctx, cancel := context.WithCancel(w.t.Context())
		r.set(func(_ http.ResponseWriter, req *http.Request) {
			cancel()
			<-req.Context().Done() // the receiver has it; the worker hears nothing
		})
		w.outbox.Poll(ctx)
		w.outbox.Wait()
		r.set(nil)
		other := outbox.New(w.options)
		other.Poll(w.t.Context())
		other.Wait()
		w.pass(2*time.Minute + time.Second)
		other.Poll(w.t.Context())
		other.Wait()
		list := r.take()
		if len(list) != 2 || list[0].id != list[1].id || list[1].refs() != "acme/fw1" {
			w.t.Fatalf("%+v", list)
		}
		equal(w.t, "at the end", w.messages(), "noc first sent")
	})
}

// TestTakenButNotKept: a message whose outcome the database didn't take is sent again under its
// number.
func TestTakenButNotKept(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "noc", URL: r.URL + "/noc"})
		other := open2(w)
		o := w.options
		o.Store = other
		away := outbox.New(o)
		w.put("acme", "fw1", config("fw1", "1"))
		w.poll()
		w.pass(30 * time.Second)
		r.set(func(http.ResponseWriter, *http.Request) { _ = other.Close() })
		away.Poll(w.t.Context())
		away.Wait()
		r.set(nil)
		if !strings.Contains(w.logged(), "it is sent again") {
			w.t.Error(w.logged())
		}
		w.pass(3 * time.Minute)
		w.poll()
		list := r.take()
		if len(list) != 2 || list[0].id != list[1].id {
			w.t.Fatalf("%+v", list)
		}
	})
}

// open2 opens the database once more. SQLite's has one owner.
func open2(w *world) *store.Store {
	s, err := store.Open(w.url, store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestDeletedSince: what is about a capture or a device that was deleted meanwhile is told all the
// same, with what is left.
func TestDeletedSince(t *testing.T) {
	everywhere(t, func(w *world) {
		r := newReceiver(t)
		w.add(store.Channel{Name: "acme", URL: r.URL + "/acme", Sites: []string{"acme"}})
		w.put("acme", "old", config("old", "1"))
		for version := range 15 { // the newest dozen stays
			w.put("acme", "kept", config("kept", fmt.Sprint(version)))
			w.pass(time.Second)
		}
		w.poll()
		if _, err := w.store.Forget(w.t.Context(), w.device("acme/old")); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.store.Prune(w.t.Context(), store.Retention{Changed: time.Millisecond},
			w.now().Add(time.Hour), false); err != nil {
			w.t.Fatal(err)
		}
		w.later(minute)
		told := fmt.Sprint(r.take())
		for _, want := range []string{"forgotten since", "acme/kept", "the capture was deleted"} {
			if !strings.Contains(told, want) {
				w.t.Errorf("no %q in %s", want, told)
			}
		}
		// a device that was merged into one of another site is not shown
		w.put("acme", "moves", config("moves", "1"))
		w.put("globex", "secret", config("secret", "1"))
		w.poll()
		err := w.store.Merge(w.t.Context(), w.device("acme/moves"), w.device("globex/secret"))
		if err != nil {
			w.t.Fatal(err)
		}
		w.later(minute)
		if told := fmt.Sprint(r.take()); strings.Contains(told, "globex") {
			w.t.Errorf("a channel of acme is told %s", told)
		}
	})
}

// TestMail: a recipient that is refused for good doesn't keep the others from the mail, and is not
// passed over in silence.
func TestMail(t *testing.T) {
	everywhere(t, func(w *world) {
		address := mailServer(t)
		mail, err := alarm.ParseMail("smtp://"+address, "tftpsql@example.net")
		if err != nil {
			t.Fatal(err)
		}
		w.options.Channels.Mail = mail
		w.outbox = outbox.New(w.options)
		w.add(store.Channel{Name: "noc", URL: "mailto:good@example.net,bad@example.net"})
		w.put("acme", "fw1", config("fw1", "1"))
		w.later(2 * minute)
		list := w.attempts()
		if len(list) != 1 || list[0].state != store.DeliverySent ||
			!strings.Contains(list[0].reason, "bad@example.net") {
			w.t.Errorf("%+v\n%s", list, w.logged())
		}
		if !strings.Contains(w.logged(), "level=WARN msg=\"an alarm was taken by some alone\"") {
			w.t.Error(w.logged())
		}
	})
}

// mailServer is a server that refuses the recipients whose names begin with bad.
func mailServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveMail(c)
		}
	}()
	return l.Addr().String()
}

func serveMail(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 test\r\n")
	data := false
	for in := bufio.NewScanner(c); in.Scan(); {
		answer, text := "250 ok", strings.ToUpper(in.Text())
		switch {
		case data && text != ".":
			continue
		case data:
			data = false
		case text == "DATA":
			data, answer = true, "354 go on"
		case strings.HasPrefix(text, "RCPT TO:<BAD"):
			answer = "550 nobody of that name"
		case text == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		}
		fmt.Fprint(c, answer+"\r\n")
	}
}
