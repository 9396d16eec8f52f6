//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// The metrics.
const (
	mbs      = "MB/s"
	rate     = "uploads/s"
	cpuPkt   = "us of server CPU a packet"
	repeated = "repeats"
	failed   = "failed"
	lost     = "lost"
	spread   = "p99/p50"
	p50      = "p50 ms"
	cpuEach  = "ms of CPU each"
)

// field is what a contest's contenders run on: servers that stay up for all its rounds.
type field struct {
	*contest
	bench   *bench
	servers map[string]*server
}

func (b *bench) field(name, metric string) *field {
	f := &field{contest: &contest{name: name, metric: metric}, bench: b, servers: map[string]*server{}}
	f.close = func() {
		for _, s := range f.servers {
			s.stop()
		}
	}
	return f
}

// enter adds a contender: its server is started when it is first needed, and again where it has died.
func (f *field) enter(name, who string, core int, run func(*server) (sample, error)) *line {
	return f.add(name, func() (sample, error) {
		s := f.servers[name]
		if s == nil || s.dead() {
			if s != nil {
				s.stop()
			}
			var err error
			if s, err = f.bench.start(who, core, f.bench.env...); err != nil {
				return nil, err
			}
			f.servers[name] = s
		}
		m, err := run(s)
		if err != nil && s.dead() {
			return nil, fmt.Errorf("%w; the server died: %s", err, s.said)
		}
		return m, err
	})
}

func (b *bench) file() string {
	b.names++
	return fmt.Sprintf("run%d", b.names)
}

// keep puts the file that a workload of reading reads where the server has it.
func (s *server) keep(body []byte) error {
	switch s.name {
	case engine, ours:
		_, err := put(s.addr, fetched, body, 8192, 8)
		return err
	case echo:
		return nil
	}
	return os.WriteFile(filepath.Join(s.dir, fetched), body, 0o644)
}

// single is a workload of one client. Where it and the server share a core nobody waits for one to wake up; where they have cores
// of their own everybody does, always: left to the scheduler it would be now one, now the other.
func (b *bench) single(name string, op byte, size, times, blksize, windowsize int, share bool, contenders ...string) *field {
	core := b.core
	if !share {
		core = (b.core + 1) % runtime.NumCPU()
	}
	f := b.field(name, mbs)
	body := whole(size, 0, 0)
	for _, who := range contenders {
		kept := (*server)(nil)
		f.enter(who, who, core, func(s *server) (sample, error) {
			if op == opRead && kept != s {
				if err := s.keep(body); err != nil {
					return nil, err
				}
				kept = s
			}
			repeats, last := 0, ""
			var took time.Duration
			before := s.cpu()
			err := onCore(b.core, func() error {
				start := time.Now()
				for range times {
					n, err := 0, error(nil)
					switch {
					case who == echo:
						err = echoed(s, op, size)
					case op == opWrite:
						last = b.file()
						n, err = put(s.addr, last, body, blksize, windowsize)
					default:
						n, err = get(s.addr, fetched, body, blksize, windowsize)
					}
					repeats += n
					if err != nil {
						return err
					}
				}
				took = time.Since(start)
				return nil
			})
			if err != nil {
				return nil, err
			}
			if op == opWrite && who != echo {
				if err := b.check(s, last, body); err != nil {
					return nil, err
				}
			}
			packets := float64(times * (size/max(512, blksize) + 1) * (windowsize + 1) / windowsize)
			m := sample{mbs: float64(times*size) / 1e6 / took.Seconds(), repeated: float64(repeats)}
			if who != hpa { // the kernel doesn't tell what its processes have used
				m[cpuPkt] = float64((s.cpu() - before).Microseconds()) / packets
			}
			return m, nil
		})
	}
	return f
}

// echoed does what a lock-step transfer of 512 byte blocks is to the kernel.
func echoed(s *server, op byte, size int) error {
	c, err := newOne(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	mine := make([]byte, 4+512)
	if op == opRead {
		mine = mine[:4]
	}
	if _, err := c.ask(mine); err != nil {
		return err
	}
	for range size/512 + 1 {
		send(c.fd, mine)
		if receive(c.fd, c.buf) < 0 {
			return errSilence
		}
	}
	return nil
}

// check looks whether a file is there that was acknowledged, and takes it away. Some servers write it a moment later.
func (b *bench) check(s *server, name string, body []byte) error {
	switch s.name {
	case engine:
		_, _, err := s.taken()
		return err
	case ours:
		stored, err := storedIn(s, name, name+"\x7f")
		if err == nil && stored[name] != sum(body) {
			err = fmt.Errorf("%s was acknowledged and isn't stored", name)
		}
		return err
	}
	path := filepath.Join(s.dir, name)
	for range 100 {
		got, err := os.ReadFile(path)
		if err == nil && bytes.Equal(got, body) {
			clear, _ := filepath.Glob(filepath.Join(s.dir, "run*"))
			for _, file := range clear {
				_ = os.Remove(file)
			}
			return nil
		}
		time.Sleep(10 * time.Millisecond) // there is nothing that tells when a peer has written
	}
	return fmt.Errorf("%s was acknowledged and isn't there", name)
}

// burst is a workload of many clients, which start at once or, with a ramp, one soon after the other.
func (b *bench) burst(name string, count, width, size, blksize int, ramp time.Duration, contenders ...string) *field {
	f := b.field(name, rate)
	shared := tail(size - headSize)
	for _, who := range contenders {
		l := f.enter(who, who, -1, func(s *server) (sample, error) {
			prefix, revision := b.file(), b.names
			uploads, taken := 0, int64(0)
			var err error
			if who == engine {
				if uploads, taken, err = s.taken(); err != nil {
					return nil, err
				}
			}
			before := s.cpu()
			o, err := load{to: s.addr, blksize: blksize, count: count, width: width, ramp: ramp, body: func(n int) (string, []byte, []byte) {
				return fmt.Sprintf("%s-%d", prefix, n), head(n, revision), shared
			}}.run()
			if err != nil {
				return nil, err
			}
			used := s.cpu() - before
			gone, err := b.missing(s, o, prefix, revision, shared, uploads, taken)
			if err != nil {
				return nil, err
			}
			b.explain(f.name+": "+who, o)
			if o.failed*5 > count || gone*5 > count { // a rate of the rest says nothing
				return nil, fmt.Errorf("%d of %d uploads failed (%s), %d acknowledged ones are lost", o.failed, count, o.reason(), gone)
			}
			m := sample{rate: float64(len(o.acked)) / o.took.Seconds(), failed: float64(o.failed), lost: float64(gone), repeated: float64(o.repeats),
				spread: float64(o.percentile(99)) / float64(max(1, o.percentile(50))), p50: float64(o.percentile(50).Milliseconds())}
			if who != hpa { // as above
				m[cpuPkt], m[cpuEach] = float64(used.Microseconds())/float64(o.packets), used.Seconds()*1e3/float64(len(o.acked))
			}
			return m, nil
		})
		l.once = who == pinSingle || who == atftpd
	}
	return f
}

// explain logs why uploads failed.
func (b *bench) explain(what string, o *outcome) {
	if o.failed > 0 {
		fmt.Fprintf(b.log, "%s: %d failed, most by: %s\n", what, o.failed, o.reason())
	}
}

// missing counts the uploads that were acknowledged and are not there, whole.
func (b *bench) missing(s *server, o *outcome, prefix string, revision int, shared []byte, uploads int, taken int64) (int, error) {
	switch s.name {
	case engine:
		n, bytes, err := s.taken()
		gone := len(o.acked) - (n - uploads)
		if gone == 0 && bytes-taken != o.bytesAcked {
			gone = 1
		}
		return max(0, gone), err
	case oursOnPG: // what is acknowledged and not stored, the tests look for; here its cost counts
		return 0, nil
	case ours:
		stored, err := storedIn(s, prefix+"-", prefix+".")
		gone := 0
		for _, n := range o.acked {
			if stored[fmt.Sprintf("%s-%d", prefix, n)] != sum(head(n, revision), shared) {
				gone++
			}
		}
		return gone, err
	}
	defer func() {
		files, _ := filepath.Glob(filepath.Join(s.dir, prefix+"-*"))
		for _, file := range files {
			_ = os.Remove(file)
		}
	}()
	left := o.acked
	for tries := 0; tries < 50 && len(left) > 0; tries++ {
		if tries > 0 {
			time.Sleep(20 * time.Millisecond) // as in check
		}
		var still []int
		for _, n := range left {
			got, err := os.ReadFile(filepath.Join(s.dir, fmt.Sprintf("%s-%d", prefix, n)))
			h := head(n, revision)
			if err != nil || !bytes.HasPrefix(got, h) || !bytes.Equal(got[len(h):], shared) {
				still = append(still, n)
			}
		}
		left = still
	}
	return len(left), nil
}

// unharmed are the goals that every burst has.
func unharmed(of string, retransmits bool) []goal {
	list := []goal{{of: of, metric: failed, atMost: true}, {of: of, metric: lost, atMost: true}}
	if retransmits {
		list = append(list, goal{of: of, metric: repeated, atMost: true})
	}
	return list
}
