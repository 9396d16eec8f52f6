//go:build linux

package main

import (
	"fmt"
	"os"
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
	for _, h := range []struct{ clients, blocks int }{{pick(b, 5000, 100), 0}, {pick(b, 1000, 100), 36}} {
		f := b.field(fmt.Sprintf("memory with %d uploads open, %d KB received of each", h.clients, h.blocks*1428/1000), memory)
		shared := tail(200_000 - headSize)
		for _, who := range []string{ours, engine, pin, hpa} {
			l := f.enter(who, who, -1, func(s *server) (sample, error) {
				idle := s.pss()
				prefix := b.file()
				o, err := load{to: s.addr, blksize: 1428, count: h.clients, width: h.clients, ramp: ramp, stop: 1 + h.blocks,
					body: func(n int) (string, []byte, []byte) { return fmt.Sprintf("%s-%d", prefix, n), head(n, 0), shared }}.run()
				if err != nil {
					return nil, err
				}
				defer o.closeHeld()
				open := s.pss()
				defer func() { // the next round finds a fresh one
					s.stop()
					delete(f.servers, who)
				}()
				bound := 1.15*float64(h.clients*h.blocks*1428)/kib + 2*float64(h.clients)
				return sample{memory: float64(open) / kib, ofBound: float64(open-idle) / bound, "idle MiB": float64(idle) / kib, failed: float64(o.failed), repeated: float64(o.repeats)}, nil
			})
			l.once = who == hpa
		}
		if h.blocks == 0 {
			f.goals = []goal{{of: ours, metric: memory, factor: 40, atMost: true}}
		} else {
			f.goals = []goal{{of: ours, metric: ofBound, factor: 1, atMost: true}}
		}
		list = append(list, f.contest)
	}
	return list, nil
}

// starts measures from the process's start to its first answer. Ours finds its database as it left it.
func starts(b *bench) ([]*contest, error) {
	c := &contest{name: "process start to first answer", metric: startup}
	dir, err := os.MkdirTemp(b.disk, "start")
	if err != nil {
		return nil, err
	}
	if s, err := b.launch(ours, dir, -1, b.env...); err != nil {
		return nil, err
	} else if err = s.answers(10 * time.Second); err != nil {
		return nil, err
	} else {
		s.kill()
	}
	for _, who := range []string{ours, pin, hpa, atftpd, oursPGAway} {
		where := ""
		if who == ours {
			where = dir
		}
		c.add(who, func() (sample, error) {
			s, err := b.launch(who, where, -1, b.env...)
			if err != nil {
				return nil, err
			}
			err = s.answers(10 * time.Second)
			took := time.Since(s.started)
			s.kill()
			if where == "" {
				s.stop()
			}
			return sample{startup: float64(took.Microseconds()) / 1e3}, err
		})
	}
	c.goals = []goal{{of: ours, metric: startup, against: pin, factor: 2, atMost: true}, {of: oursPGAway, metric: startup, against: pin, factor: 2, atMost: true}}
	return []*contest{c}, nil
}

// linear compares what a MB of a large upload costs with one of small ones.
func linear(b *bench) ([]*contest, error) {
	f := b.field("uploads into SQLite by their size, blksize 1428, window 16", cpuMB)
	total := pick(b, 63, 4)
	for _, size := range []int{total * mib, mib} {
		f.enter(fmt.Sprintf("%d MiB", size/mib), ours, -1, func(s *server) (sample, error) {
			bodies := make([][]byte, total*mib/size)
			for i := range bodies {
				bodies[i] = whole(size, i, b.names)
			}
			before, start := s.cpu(), time.Now()
			for i, body := range bodies {
				if _, err := put(s.addr, fmt.Sprintf("%s-%d", b.file(), i), body, 1428, 16); err != nil {
					return nil, err
				}
			}
			mb := float64(total*mib) / 1e6
			return sample{cpuMB: (s.cpu() - before).Seconds() * 1e3 / mb, mbs: mb / time.Since(start).Seconds()}, nil
		})
	}
	f.goals = []goal{{of: f.lines[0].name, metric: cpuMB, against: f.lines[1].name, factor: 1.3, atMost: true}}
	return []*contest{f.contest}, nil
}

// captures is what a durable capture costs on PostgreSQL, and what its parts cost, each measured alone.
func captures(b *bench) ([]*contest, error) {
	pg, err := b.postgres()
	if err != nil {
		return nil, err
	}
	if b.pgURL, err = pg.database(); err != nil {
		return nil, err
	}
	bareURL, err := pg.database()
	if err != nil {
		return nil, err
	}
	s, err := opened(bareURL)
	if err != nil {
		return nil, err
	}
	bare, closeLoop, err := postgresLoop(bareURL)
	if err != nil {
		return nil, err
	}
	const size, clients = 200_000, 100
	count := pick(b, 600, 100)
	f := b.burst(fmt.Sprintf("%d clients put 200 KB, blksize 1428, stored in PostgreSQL with fsync", clients), count, clients, size, 1428, ramp, oursOnPG, engine)
	f.metric = cpuEach
	whole, alone := f.lines[0], f.lines[1]
	worker := whole.run
	whole.run = func() (sample, error) {
		before := pg.cpu()
		m, err := worker()
		if err == nil {
			m["of it PostgreSQL"] = (pg.cpu() - before).Seconds() * 1e3 / float64(count)
			m[cpuEach] += m["of it PostgreSQL"]
		}
		return m, err
	}
	f.lines = f.lines[:1]
	f.add(parts, func() (sample, error) {
		m, err := alone.run()
		if err != nil {
			return nil, err
		}
		read := examining(size, 50)
		maker := &rowMaker{shared: tail(size - headSize)}
		before, self := pg.cpu(), own()
		start := time.Now()
		perSecond, err := bare(maker, pick(b, 2*time.Second, 200*time.Millisecond))
		n := perSecond * time.Since(start).Seconds()
		stored := (pg.cpu() - before + own() - self).Seconds() * 1e3 / n
		return sample{cpuEach: m[cpuEach] + read + stored, "engine": m[cpuEach], "hash and fingerprint": read, "bare pgx loop": stored, "bare rows/s": perSecond}, err
	})
	f.goals = []goal{{of: oursOnPG, metric: failed, atMost: true}, {of: oursOnPG, metric: cpuEach, against: parts, factor: 1.25, atMost: true}} // what is lost isn't looked at here
	closeField := f.close
	f.close = func() {
		closeField()
		closeLoop()
		_ = s.Close()
	}
	return []*contest{f.contest}, nil
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

// clients shows the engine's rate and memory as clients grow in number.
func clients(b *bench) ([]*contest, error) {
	f := b.field("the engine by clients at once, 50 KB each, blksize 1428", rate)
	shared := tail(50_000 - headSize)
	for _, n := range pick(b, []int{1, 10, 100, 1000, 5000, 10_000}, []int{1, 100}) {
		f.enter(fmt.Sprintf("%d clients", n), engine, -1, func(s *server) (sample, error) {
			prefix := b.file()
			before := s.cpu()
			o, err := load{to: s.addr, blksize: 1428, count: max(n, pick(b, 2000, 100)), width: n, ramp: ramp, body: func(i int) (string, []byte, []byte) {
				return fmt.Sprintf("%s-%d", prefix, i), head(i, 0), shared
			}}.run()
			if err != nil {
				return nil, err
			}
			b.explain(fmt.Sprintf("%d clients", n), o)
			return sample{rate: float64(len(o.acked)) / o.took.Seconds(), failed: float64(o.failed), repeated: float64(o.repeats), memory: float64(s.pss()) / kib,
				p50: float64(o.percentile(50).Microseconds()) / 1e3, cpuPkt: float64((s.cpu() - before).Microseconds()) / float64(o.packets)}, nil
		})
	}
	return []*contest{f.contest}, nil
}
