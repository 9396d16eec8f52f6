//go:build linux

package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tftpsql/tftpsql/device"
)

const (
	memory     = "MiB"
	ofBound    = "of 1.15 times the content and 2 KiB each"
	startup    = "ms"
	cpuMB      = "ms of CPU a MB"
	oursOnPG   = "tftpsql, PostgreSQL"
	oursPGAway = "tftpsql, PostgreSQL away"
	parts      = "its parts alone"
)

// held is what uploads cost that are open: the second contest's have received 50 KB each.
func held(b *bench) (list []*contest, err error) {
	for _, h := range []struct{ clients, blocks int }{{pick(b, 5000, 100), 0},
		{pick(b, 1000, 100), 36}} {
		f := b.field(fmt.Sprintf("memory with %d uploads open, %d KB received of each", h.clients,
			h.blocks*1428/1000), memory)
		f.blksize = 1428
		shared := tail(200_000 - headSize)
		for _, who := range []string{ours, engine, pin, pinSingle, hpa} {
			l := f.enter(who, who, -1, func(s *server) (sample, error) {
				idle := s.pss()
				prefix := b.file()
				o, err := load{to: []netip.AddrPort{s.addr}, blksize: 1428, count: h.clients,
					width: h.clients, ramp: ramp, stop: 1 + h.blocks,
					body: func(n int) (string, []byte, []byte) {
						return fmt.Sprintf("%s-%d", prefix, n), head(n, 0), shared
					}}.run()
				if err != nil {
					return nil, err
				}
				defer o.closeHeld()
				open := s.pss()
				defer func() { // the next round finds a fresh one
					f.drop(who)
				}()
				bound := 1.15*float64(h.clients*h.blocks*1428)/kib + 2*float64(h.clients)
				return sample{memory: float64(open) / kib, ofBound: float64(open-idle) / bound,
					"idle MiB": float64(idle) / kib, failed: float64(o.failed),
					repeated: float64(o.repeats)}, nil
			})
			l.once = who == hpa || who == pinSingle
		}
		if h.blocks == 0 {
			f.inChart(fmt.Sprintf("memory, %d uploads open", h.clients), true)
			f.goals = []goal{{of: ours, metric: memory, factor: 40, atMost: true}}
		} else {
			f.goals = []goal{{of: ours, metric: ofBound, factor: 1, atMost: true}}
		}
		list = append(list, f.contest)
	}
	return list, nil
}

// starts measures from the process's start to its first answer, to an upload: it needs no database.
// Ours finds its database as a worker left it that was killed, or one that takes connections and
// says nothing.
func starts(b *bench) ([]*contest, error) {
	c := &contest{name: "process start to first answer", metric: startup}
	dir, err := os.MkdirTemp(b.disk, "start")
	if err != nil {
		return nil, err
	}
	s, err := b.launch(ours, dir, -1, b.env...)
	if err != nil {
		return nil, err
	}
	for n := range 100 {
		if err == nil {
			err = s.answers(opRead, 10*time.Second)
		}
		if err == nil {
			_, err = put(s.addr, b.file(), whole(20_000, n, 0), 1428, 1)
		}
	}
	s.kill()
	if err != nil {
		return nil, err
	}
	shown := false
	why := func(w io.Writer) error { // it is the same for both of ours
		if shown {
			return nil
		}
		shown = true
		return b.whyStarting(w)
	}
	for _, who := range []string{ours, pin, pinSingle, hpa, atftpd, dnsmasq, oursPGAway} {
		where := ""
		if who == ours {
			where = dir
		}
		c.add(who, func() (sample, error) {
			s, err := b.launch(who, where, -1, b.env...)
			if err != nil {
				return nil, err
			}
			err = s.answers(opWrite, 10*time.Second)
			took := time.Since(s.started)
			s.kill()
			if where == "" {
				s.stop()
			}
			return sample{startup: float64(took.Microseconds()) / 1e3}, err
		}).why = why
	}
	c.goals = []goal{{of: ours, metric: startup, against: pin, factor: 2, atMost: true},
		{of: oursPGAway, metric: startup, against: pin, factor: 2, atMost: true}}
	c.inChart("start to first answer", true)
	return []*contest{c}, nil
}

// linear compares what a MB of a large upload costs with one of small ones.
func linear(b *bench) (list []*contest, err error) {
	total := pick(b, 64, 2)
	for _, who := range []string{ours, oursOnPG} {
		if who == oursOnPG {
			if err := b.freshDatabase(); err != nil {
				return list, err
			}
		}
		f := b.field(fmt.Sprintf("%s: uploads by their size, blksize 1428, window 16", who), cpuMB)
		for _, size := range []int{total * mib, mib} {
			f.enter(fmt.Sprintf("%d MiB", size/mib), who, -1, func(s *server) (sample, error) {
				bodies, names := make([][]byte, total*mib/size), make([]string, total*mib/size)
				for i := range bodies {
					bodies[i], names[i] = whole(size, i, b.names), b.file()
				}
				before, start := b.used(s), time.Now()
				for i, body := range bodies {
					if _, err := put(s.addr, names[i], body, 1428, 16); err != nil {
						return nil, err
					}
				}
				used, took := b.used(s)-before, time.Since(start)
				stored, err := storedIn(s.url, names[0], names[len(names)-1]+".")
				gone := 0
				for i, name := range names {
					if stored[name] != sum(bodies[i]) {
						gone++
					}
				}
				mb := float64(total*mib) / 1e6
				return sample{cpuMB: used.Seconds() * 1e3 / mb, mbs: mb / took.Seconds(),
					lost: float64(gone)}, err
			})
		}
		f.goals = []goal{{of: f.lines[0].name, metric: cpuMB, against: f.lines[1].name, factor: 1.3,
			atMost: true},
			{of: f.lines[0].name, metric: lost, atMost: true}}
		list = append(list, f.contest)
	}
	return list, nil
}

// used is the CPU that a server has used so far, and its database.
func (b *bench) used(s *server) time.Duration {
	if s.name == oursOnPG {
		return s.cpu() + b.pg.cpu()
	}
	return s.cpu()
}

// freshDatabase makes the database that the whole program uses next on PostgreSQL.
func (b *bench) freshDatabase() error {
	pg, err := b.postgres()
	if err == nil {
		b.pgURL, err = pg.database()
	}
	return err
}

// captures is what a durable capture costs on PostgreSQL, and what its parts cost, each measured
// alone.
func captures(b *bench) ([]*contest, error) {
	if err := b.freshDatabase(); err != nil {
		return nil, err
	}
	bareURL, err := b.pg.database()
	if err != nil {
		return nil, err
	}
	s, err := opened(bareURL)
	if err != nil {
		return nil, err
	}
	bare, closeLoop, err := postgresLoop(bareURL, bareWriters)
	if err != nil {
		return nil, err
	}
	const size, clients = 200_000, 100
	count := pick(b, 600, 100)
	f := b.burst(fmt.Sprintf("%d clients put 200 KB, blksize 1428, stored in PostgreSQL with fsync",
		clients), count, clients, size, 1428, ramp, oursOnPG)
	f.metric = cpuEach
	f.enter(parts, engine, -1, func(s *server) (sample, error) {
		m, err := b.volley(parts, []*server{s},
			load{blksize: 1428, count: count, width: clients, ramp: ramp, drop: true}, size)
		if err != nil {
			return nil, err
		}
		read := examining(size, 50)
		next := (&rowMaker{shared: tail(size - headSize)}).list(count)
		if err := b.pg.checkpoint(); err != nil { // as before the whole program
			return nil, err
		}
		runtime.GC() // the rows were made before, and so was their waste
		before, self := b.pg.cpu(), own()
		start := time.Now()
		n, err := bare(next)
		took := time.Since(start)
		database, loop := (b.pg.cpu()-before).Seconds()*1e3/float64(count),
			(own()-self).Seconds()*1e3/float64(count)
		if err == nil && n != count {
			err = fmt.Errorf("%d of %d rows", n, count)
		}
		return sample{cpuEach: m[cpuEach] + read + database + loop, "engine": m[cpuEach],
			"hash and fingerprint": read, "bare pgx loop": database + loop,
			ofPG: database, "bare rows/s": float64(n) / took.Seconds()}, err
	})
	f.goals = append(unharmed(oursOnPG, false),
		goal{of: oursOnPG, metric: cpuEach, against: parts, factor: 1.25, atMost: true})
	f.inChart("a capture in PostgreSQL", true)
	closeField := f.close
	f.close = func() {
		closeField()
		closeLoop()
		_ = s.Close()
	}
	return []*contest{f.contest}, nil
}

// workers is one worker and two on one PostgreSQL.
func workers(b *bench) (list []*contest, err error) {
	const size, clients = 200_000, 100
	count := pick(b, 600, 40)
	c := &contest{name: "workers on one PostgreSQL, 100 clients put 200 KB, blksize 1428",
		metric: rate}
	var all []*server
	c.close = func() {
		for _, s := range all {
			s.stop()
		}
	}
	for _, w := range []struct {
		name string
		n    int
	}{{"one worker", 1}, {"two workers", 2}} {
		var servers []*server
		c.add(w.name, func() (sample, error) {
			if servers == nil {
				if err := b.freshDatabase(); err != nil {
					return nil, err
				}
			}
			for len(servers) < w.n {
				s, err := b.start(oursOnPG, -1, b.env...)
				if err != nil {
					return nil, err
				}
				servers, all = append(servers, s), append(all, s)
				if _, err := put(s.addr, b.file(), whole(size, 0, 0), 1428, 1); err != nil {
					return nil, err
				}
			}
			m, err := b.volley(c.name+": "+w.name, servers,
				load{blksize: 1428, count: count, width: clients, ramp: ramp}, size)
			if err == nil {
				for _, s := range servers {
					m[memory] += float64(s.pss()) / kib
				}
			}
			return m, err
		})
		c.goals = append(c.goals, unharmed(w.name, false)...)
	}
	return []*contest{c}, nil
}

// own is the CPU that this process has used so far.
func own() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// examining is what hashing and reading a configuration costs, in ms.
func examining(size, times int) float64 {
	body := whole(size, 1, 1)
	before := own()
	for range times {
		sum(body)
		device.Examine(body)
	}
	return (own() - before).Seconds() * 1e3 / float64(times)
}

// clients shows rate and memory as clients grow in number.
func clients(b *bench) (list []*contest, err error) {
	const size = 50_000
	for _, who := range []string{engine, ours} {
		f := b.field(who+" by clients at once, 50 KB each, blksize 1428", rate)
		for _, n := range pick(b, []int{1, 10, 100, 1000, 5000, 10_000}, []int{1, 100}) {
			name := fmt.Sprintf("%d clients", n)
			f.enter(name, who, -1, func(s *server) (sample, error) {
				m, err := b.volley(f.name+": "+name, []*server{s},
					load{blksize: 1428, count: max(n, pick(b, 1000, 100)), width: n, ramp: ramp,
						drop: who == engine}, size)
				if err == nil {
					m[memory] = float64(s.pss()) / kib
				}
				return m, err
			})
			f.goals = append(f.goals, unharmed(name, false)...)
		}
		list = append(list, f.contest)
	}
	return list, nil
}
