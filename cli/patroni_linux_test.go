package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

var patroniRounds = flag.Int("patroni", 0, "how often TestPatroni injects each fault; 0 skips it")

// faults are what happens to a cluster.
func (c *cluster) faults() []fault {
	var victim *node
	// Something happens to the primary, and it is mended when another has taken over and the burst
	// has ended.
	primary := func(name string, happens, mend func(n *node) error) fault {
		return fault{name: name,
			inject: func(*world) error {
				victim = c.in("leader")
				err := happens(victim)
				c.succeeded(victim)
				return err
			},
			mend: func(*world) error { return mend(victim) }}
	}
	restart := func(n *node) error { c.startNode(n); return nil }
	nothing := func(*node) error { return nil }
	return []fault{
		primary("primary killed", (*node).kill, restart),
		primary("primary stopped", (*node).stall, (*node).resume),
		primary("primary cut off", func(n *node) error { return c.setLine(n, "down") },
			func(n *node) error { return c.setLine(n, "up") }),
		primary("switched over", func(n *node) error {
			out, err := exec.Command("patronictl", "-c", n.config, "switchover", "--leader", n.name,
				"--candidate", c.in("sync_standby").name, "--force").CombinedOutput()
			if err != nil {
				err = fmt.Errorf("patronictl: %w\n%s", err, out)
			}
			return err
		}, nothing),
		// Two primaries: without a watchdog the old one goes on, and only its standby is gone.
		{name: "Patroni hangs, PostgreSQL goes on",
			inject: func(*world) error {
				victim = c.in("leader")
				err := victim.patroni.Process.Signal(syscall.SIGSTOP)
				c.succeeded(victim)
				time.Sleep(whileAway) // the time is the fault
				return errors.Join(err, victim.patroni.Process.Signal(syscall.SIGCONT))
			}},
		{name: "PostgreSQL killed", inject: func(*world) error { return c.in("leader").Kill() }},
		{name: "synchronous standby killed",
			inject: func(*world) error {
				victim = c.in("sync_standby")
				return victim.kill()
			},
			mend: func(*world) error { return restart(victim) }},
		{name: "etcd killed",
			inject: func(*world) error {
				err := c.etcd.Process.Kill()
				_ = c.etcd.Wait()            // killed
				time.Sleep(25 * time.Second) // longer than the guide's TTL: the time is the fault
				return err
			},
			mend: func(*world) error { c.startEtcd(); return nil }},
	}
}

// TestPatroni: whatever happens to a cluster as docs/failover.md shows it, an upload whose client
// saw its receipt is there, once. It says how long there was no receipt.
func TestPatroni(t *testing.T) {
	if *patroniRounds == 0 {
		t.Skip("it takes minutes: make faults, or -patroni 1")
	}
	c := newCluster(t)
	defer func() { c.t = t }()
	for _, name := range []string{"plain", "spool"} {
		ok := t.Run(name, func(t *testing.T) {
			c.t = t
			w := newWorld(t)
			w.url, w.attempts = c.url("tftpsql_"+name), 10
			if name == "spool" {
				w.spool = filepath.Join(t.TempDir(), "spool.db")
				w.args = append(w.args, "--spool", w.spool)
			}
			faults, silent := c.faults(), map[string][]string{}
			for i := range *patroniRounds * len(faults) {
				f := faults[i%len(faults)]
				w.run()
				end := w.stream(i)
				w.burst(i, f)
				c.whole()
				silence, refused := end()
				w.check()
				silent[f.name] = append(silent[f.name], fmt.Sprintf("%.1f s", silence.Seconds()))
				t.Logf("%s: %.1f s without a receipt, %d uploads refused", f.name,
					silence.Seconds(), refused)
			}
			w.calm(*patroniRounds * len(faults))
			t.Logf("%d uploads were acknowledged, lost %d, doubled %d; without a receipt: %v",
				len(w.acknowledged), w.lost, w.doubled, silent)
		})
		if !ok {
			break // a broken cluster would tell nothing
		}
	}
}

// streamEvery is how often the stream sends, and so how exact a silence is.
const streamEvery = 250 * time.Millisecond

// stream uploads besides a burst, each time from another device, until end is called. end returns
// the longest time without a receipt.
func (w *world) stream(number int) (end func() (silence time.Duration, refused int)) {
	var (
		mu       sync.Mutex // guards the next two
		receipts = map[string]time.Time{}
		errs     []error
		sending  sync.WaitGroup
		addr     = w.addr
	)
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	upload := func(i int) {
		body := fmt.Sprintf("burst %d stream %d\n", number, i)
		err := (&tftp.Client{Patience: 30 * time.Second}).Put(context.Background(), addr,
			fmt.Sprintf("stream%d.conf", i%50), []byte(body))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
			return
		}
		receipts[body] = time.Now()
	}
	sending.Go(func() { // ends with ctx
		tick := time.NewTicker(streamEvery)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				sending.Go(func() { upload(i) })
			}
		}
	})
	return func() (time.Duration, int) {
		ended := time.Now()
		cancel()
		sending.Wait()
		var silence time.Duration
		last := began
		for _, at := range append(slices.SortedFunc(maps.Values(receipts), time.Time.Compare),
			ended) {
			silence = max(silence, at.Sub(last))
			last = at
		}
		for body := range receipts {
			w.acknowledged[body] = true
		}
		if err := errors.Join(errs...); err != nil && len(receipts) == 0 {
			w.t.Errorf("no upload of the stream was acknowledged: %v", err)
		}
		return silence, len(errs)
	}
}
