//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
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
	busy     = "% of a core for the clients"
	ofPG     = "of it PostgreSQL"
	grouped  = "rows a transaction"
)

// A transfer of one client is repeated so often, but not for longer than this.
const singleTime = time.Second

// field is what a contest's contenders run on: servers that stay up for all its rounds.
type field struct {
	*contest
	bench   *bench
	blksize int // that its clients ask for
	servers map[string]*server
}

func (b *bench) field(name, metric string) *field {
	f := &field{contest: &contest{name: name, metric: metric}, bench: b,
		servers: map[string]*server{}}
	f.close = func() {
		for _, s := range f.servers {
			s.stop()
		}
	}
	return f
}

// enter adds a contender: its server is started when it is first needed, and again where it has
// died.
func (f *field) enter(name, who string, core int, run func(*server) (sample, error)) *line {
	var l *line
	l = f.add(name, func() (sample, error) {
		s := f.servers[name]
		if s == nil || s.dead() {
			if s != nil {
				s.stop()
			}
			var err error
			f.bench.blksize = f.blksize
			if s, err = f.bench.start(who, core, f.bench.env...); err != nil {
				return nil, err
			}
			f.servers[name] = s
		}
		m, err := run(s)
		if err != nil && s.dead() {
			err = fmt.Errorf("%w; the server died: %s", err, s.said)
		}
		if l.once && f.servers[name] == s { // its timers would go on beside the others
			f.drop(name)
		}
		return m, err
	})
	f.bench.explainable(f.contest, l, func(dir string) (sample, error) {
		f.drop(name)
		f.bench.profile = dir
		m, err := f.bench.longEnough(l.run)
		f.bench.profile = ""
		f.drop(name) // it writes its profile when it ends
		return m, err
	})
	return l
}

// drop ends a contender's server.
func (f *field) drop(name string) {
	if s := f.servers[name]; s != nil {
		s.stop()
		delete(f.servers, name)
	}
}

func (b *bench) file() string {
	b.names++
	return fmt.Sprintf("run%07d", b.names)
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

// single is a workload of one client. Where it and the server share a core neither waits for one to
// wake up; where they have cores of their own both do, always: left to the scheduler it would be
// now one, now the other.
func (b *bench) single(
	name string, op byte, size, times, blksize, windowsize int, share bool, contenders ...string,
) *field {
	core := b.core
	if !share {
		core = (b.core + 1) % runtime.NumCPU()
	}
	f := b.field(name, mbs)
	f.blksize = blksize
	body := whole(size, 0, 0)
	for _, who := range contenders {
		warm := (*server)(nil)
		l := f.enter(who, who, core, func(s *server) (sample, error) {
			if warm != s {
				if op == opRead {
					if err := s.keep(body); err != nil {
						return nil, err
					}
				}
				if _, err := b.transfer(s, op, body, blksize, windowsize, 1); err != nil {
					return nil, err
				}
				warm = s
			}
			return b.transfer(s, op, body, blksize, windowsize, times)
		})
		l.once = who == atftpd && blksize == 0 && op == opWrite // it takes its time
	}
	return f
}

// transfer is a run of one client: so many transfers, one after the other.
func (b *bench) transfer(
	s *server, op byte, body []byte, blksize, windowsize, times int,
) (sample, error) {
	uploads, taken := 0, int64(0)
	var err error
	if s.name == engine {
		if uploads, taken, _, err = s.taken(); err != nil {
			return nil, err
		}
	}
	repeats, packets, done := 0, 0, 0
	var names []string
	var took, client time.Duration
	before := s.cpu()
	err = onCore(b.core, func() error {
		start, used := time.Now(), threadCPU()
		for ; done < times && time.Since(start) < singleTime; done++ {
			n, err := course{packets: 2 * (len(body)/512 + 2)}, error(nil) // of the echo
			switch {
			case s.name == echo:
				err = echoed(s, op, len(body))
			case op == opWrite:
				names = append(names, b.file())
				n, err = put(s.addr, names[done], body, blksize, windowsize)
			default:
				n, err = get(s.addr, fetched, body, blksize, windowsize)
			}
			repeats, packets = repeats+n.repeats, packets+n.packets
			if err != nil {
				return err
			}
		}
		took, client = time.Since(start), threadCPU()-used
		return nil
	})
	if err != nil {
		return nil, err
	}
	used := s.cpu() - before
	if op == opWrite && s.name != echo {
		if err := b.check(s, names, body, uploads, taken); err != nil {
			return nil, err
		}
	}
	m := sample{mbs: float64(done*len(body)) / 1e6 / took.Seconds(), repeated: float64(repeats),
		busy: 100 * client.Seconds() / took.Seconds()}
	if s.name != hpa { // the kernel doesn't tell what its processes have used
		m[cpuPkt] = float64(used.Microseconds()) / float64(packets)
	}
	return m, nil
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

// check looks whether the files are there that were acknowledged, byte for byte, and takes them
// away. Some servers write them a moment later. Of the engine's body, which drops them, the newest
// is looked at, and the others are counted.
func (b *bench) check(s *server, names []string, body []byte, uploads int, taken int64) error {
	switch s.name {
	case engine:
		n, size, newest, err := s.taken()
		if err == nil && (n-uploads != len(names) || size-taken != int64(len(names)*len(body)) ||
			newest != fmt.Sprintf("%x", sum(body))) {
			err = fmt.Errorf("%d of %d uploads came, with %d bytes", n-uploads, len(names),
				size-taken)
		}
		return err
	case ours:
		stored, err := storedIn(s.url, names[0], names[len(names)-1]+".")
		for _, name := range names {
			if err == nil && stored[name] != sum(body) {
				err = fmt.Errorf("%s was acknowledged and isn't stored", name)
			}
		}
		return err
	}
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		found := false
		for tries := 0; tries < 100 && !found; tries++ {
			if tries > 0 {
				// there is nothing that tells when a peer has written
				time.Sleep(10 * time.Millisecond)
			}
			got, err := os.ReadFile(path)
			found = err == nil && bytes.Equal(got, body)
		}
		if !found {
			return fmt.Errorf("%s was acknowledged and isn't there", name)
		}
		_ = os.Remove(path)
	}
	return nil
}

// burst is a workload of many clients, which start at once or, with a ramp, one soon after the
// other.
func (b *bench) burst(
	name string, count, width, size, blksize int, ramp time.Duration, contenders ...string,
) *field {
	f := b.field(name, rate)
	f.blksize = blksize
	for _, who := range contenders {
		warm, once := (*server)(nil), who == pinSingle || who == atftpd
		l := f.enter(who, who, -1, func(s *server) (sample, error) {
			if warm != s {
				if _, err := put(s.addr, b.file(), whole(size, 0, 0), blksize, 1); err != nil {
					return nil, err
				}
				warm = s
			}
			l := load{blksize: blksize, count: count, width: width, ramp: ramp}
			if once {
				l.limit = giveUpOnce
			}
			return b.volley(f.name+": "+who, []*server{s}, l, size)
		})
		l.once = once
	}
	return f
}

// volley is a run of many clients, against servers of one kind that share a database where there
// are several.
func (b *bench) volley(what string, servers []*server, l load, size int) (sample, error) {
	prefix, revision, shared, who := b.file(), b.names, tail(size-headSize), servers[0].name
	l.body = func(n int) (string, []byte, []byte) {
		return fmt.Sprintf("%s-%d", prefix, n), head(n, revision), shared
	}
	var workers, database time.Duration
	for _, s := range servers {
		l.to = append(l.to, s.addr)
		workers -= s.cpu()
	}
	uploads, taken := 0, int64(0)
	var err error
	switch who {
	case engine:
		if l.drop {
			uploads, taken, _, err = servers[0].taken()
		} else {
			err = servers[0].say("keep")
		}
		if err != nil {
			return nil, err
		}
	case oursOnPG:
		if err := b.pg.checkpoint(); err != nil { // what it writes later counts for the next one
			return nil, err
		}
		database -= b.pg.cpu()
	}
	o, err := l.run()
	if err != nil {
		return nil, err
	}
	for _, s := range servers {
		workers += s.cpu()
	}
	if who == oursOnPG {
		database += b.pg.cpu()
	}
	gone := 0
	if l.drop {
		gone, err = uncounted(servers[0], o, uploads, taken)
	} else {
		gone, err = b.missing(servers[0], o, prefix, revision, shared)
	}
	if err != nil {
		return nil, err
	}
	b.explain(what, o)
	if o.failed*5 > l.count || gone*5 > l.count { // a rate of the rest says nothing
		return nil, fmt.Errorf("%d of %d uploads failed (%s), %d acknowledged ones are lost",
			o.failed, l.count, o.reason(), gone)
	}
	acked := float64(max(1, len(o.acked)))
	m := sample{rate: acked / o.took.Seconds(), failed: float64(o.failed), lost: float64(gone),
		repeated: float64(o.repeats), busy: 100 * o.cpu.Seconds() / o.took.Seconds(),
		spread: float64(o.percentile(99)) / float64(max(1, o.percentile(50))),
		p50:    float64(o.percentile(50).Microseconds()) / 1e3}
	if who != hpa { // as above
		m[cpuPkt], m[cpuEach] = float64(workers.Microseconds())/float64(o.packets),
			(workers+database).Seconds()*1e3/acked
	}
	if who == oursOnPG {
		m[ofPG] = database.Seconds() * 1e3 / acked
		m[grouped], err = b.pg.grouped(servers[0].url, prefix+"-", prefix+".")
	}
	return m, err
}

// explain logs why uploads failed.
func (b *bench) explain(what string, o *outcome) {
	if o.failed > 0 {
		fmt.Fprintf(b.log, "%s: %d failed, most by: %s\n", what, o.failed, o.reason())
	}
}

// uncounted is how many uploads were acknowledged and never came to the engine's handler, which has
// dropped the others.
func uncounted(s *server, o *outcome, uploads int, taken int64) (int, error) {
	came, size, _, err := s.taken()
	gone := max(0, len(o.acked)-(came-uploads))
	if gone == 0 && size-taken < o.bytesAcked {
		gone = 1
	}
	return gone, err
}

// missing counts the uploads that were acknowledged and are not there, byte for byte.
func (b *bench) missing(
	s *server, o *outcome, prefix string, revision int, shared []byte,
) (int, error) {
	if s.name == engine || s.url != "" {
		there, err := map[string][sha256.Size]byte(nil), error(nil)
		if s.name == engine {
			there, err = s.kept()
		} else {
			there, err = storedIn(s.url, prefix+"-", prefix+".")
		}
		gone := 0
		for _, n := range o.acked {
			if there[fmt.Sprintf("%s-%d", prefix, n)] != sum(head(n, revision), shared) {
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
