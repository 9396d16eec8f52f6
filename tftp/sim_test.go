package tftp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("seeds", 200, "how many simulations to run")
	simSeed  = flag.Int("seed", -1, "run the simulation of this seed alone, and print it")
)

// TestSimulation plays seeded worlds, each single-threaded and on its own time: clients with the
// habits of real ones, an engine, a network that drops, doubles, reorders and delays, a store that
// is slow, fails and answers late, crashes of the server. Then comes calm, and then the invariants
// are looked at. A failing seed is printed with the command that replays it.
func TestSimulation(t *testing.T) {
	if *simSeed >= 0 {
		w := newWorld(uint64(*simSeed))
		w.trace = t.Logf
		if err := w.run(); err != nil {
			t.Error(err)
		}
		return
	}
	var next, uploads, receipts, crashes atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for seed := next.Add(1) - 1; seed < int64(*simSeeds) &&
				!t.Failed(); seed = next.Add(1) - 1 {
				w := newWorld(uint64(seed))
				if err := w.run(); err != nil {
					t.Errorf("seed %d: %v\nreplay: go test ./tftp -run TestSimulation -v -seed %d",
						seed, err, seed)
				}
				uploads.Add(int64(w.uploads))
				receipts.Add(int64(w.receipts))
				crashes.Add(int64(w.crashes))
			}
		})
	}
	all.Wait()
	t.Logf("%d seeds: %d uploads begun, %d receipts seen, %d crashes of the server", *simSeeds,
		uploads.Load(), receipts.Load(), crashes.Load())
	if receipts.Load() < uploads.Load()/10 {
		t.Errorf("only %d of %d uploads succeeded: the storm proves nothing", receipts.Load(),
			uploads.Load())
	}
}

// world is everything there is in a simulation.
type world struct {
	// a client that restarted after the storm got no answer, or one that went on
	unheard error
	// peers whose request came once more in the middle of their upload, and no DATA since
	askedAgain map[netip.AddrPort]bool
	misleading error // such a peer got an ACK of a block, which makes some clients go on after it
	r          *rand.Rand
	now        time.Duration
	trace      func(format string, args ...any) // nil for none

	// the network
	delay        time.Duration // a packet takes this long at most
	drop, double float64
	wire         []flight
	sequence     int
	serverAddr   netip.AddrPort
	stormEnd     time.Duration
	toSilent     map[netip.AddrPort]int // bytes sent to addresses that never answer
	silentAsked  map[netip.AddrPort]int // bytes of their requests
	engine       *engine
	generation   int // of the server: a crash makes the next one
	pending      []pendingCall
	stored       []string          // bodies, in the order of their commits
	newest       map[string]string // by file name
	sentBodies   map[string]bool
	clients      []*simClient
	uploads      int
	receipts     int
	crashes      int
	calm         bool // the server doesn't crash
	storeFails   float64
	storeDelay   time.Duration
	unsaid       map[string]bool // bodies that the store has kept, and said that it had not
	// bodies of more than one window whose request came once more while the receipt lingered
	sentAgain map[string]bool
	buf       []byte
	// bodies whose clients have seen the receipt, with the server that they began with
	acknowledged map[string]int
}

// flight is a datagram under way.
type flight struct {
	at       time.Duration
	seq      int
	from, to netip.AddrPort
	b        []byte
}

// pendingCall is a handler's call under way in the store.
type pendingCall struct {
	at         time.Duration
	generation int
	id         uint64
	req        *Request
	fate       string // "stored", "failed", "stored, unsaid"
}

// simClient is a client with a habit.
type simClient struct {
	addr    netip.AddrPort
	habit   string
	options []Option // instead of random ones
	start   time.Duration
	begun   bool
	i       *initiator
	name    string
	body    string
	held    []flight // packets that a slow device hasn't looked at yet
	thinks  time.Duration
	closed  bool
	next    *simClient // a second transfer, after this one has ended and its packets are gone
	retries int

	generation int // of the server that it began with

	old   *sender // of a client that restarts, before that
	heard bool    // the server has begun anew for it
}

func (c *simClient) restarts() bool {
	return c.habit == "restarts" || c.habit == "misled" || c.habit == "refetches"
}

// heldBack reports whether a repeat of the client's request is held back by the network.
func (c *simClient) heldBack() bool {
	return c.habit == "held-back-put" || c.habit == "held-back-get"
}

// midway reports whether a client is in the middle of its file. An upload's last block has not
// left, else the old receipt could reach a client that restarts. A download's first window is
// acknowledged, else an old block 1 could.
func (c *simClient) midway() bool {
	switch {
	case c.i.phase != transferring:
		return false
	case c.i.tx != nil:
		return c.i.tx.high < c.i.tx.final
	}
	return c.i.rx.last() > uint64(c.i.rx.window)
}

// TestRollOverWithLoss sends and fetches a file of more blocks than there are numbers, in windows,
// through a network that drops, doubles and reorders all the way, so across the roll-over too.
func TestRollOverWithLoss(t *testing.T) {
	w := newWorld(0)
	w.engine.limits.MaxSize, w.engine.limits.Memory = 1<<20, 1<<22
	w.drop, w.double, w.delay, w.stormEnd = 0.001, 0.01, 5*time.Millisecond, 100*time.Hour
	w.storeFails, w.storeDelay = 0, 5*time.Millisecond
	w.calm = true
	body := string(pattern(65600*8 + 3))
	put := &simClient{addr: testPeers["A"], habit: "put", name: "big", body: body,
		options: []Option{{"blksize", "8"}, {"windowsize", "64"}}}
	get := &simClient{addr: testPeers["B"], habit: "get", name: "big",
		options: []Option{{"blksize", "8"}, {"windowsize", "7"}}, start: 50 * time.Hour}
	w.clients = []*simClient{put, get}
	if err := w.run(); err != nil {
		t.Error(err)
	}
	if w.receipts != 1 || string(get.i.body) != body {
		t.Errorf("%d receipts, %d bytes fetched of %d, %v", w.receipts, len(get.i.body), len(body),
			get.i.err)
	}
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 2026))
	w := &world{
		r: r, serverAddr: netip.MustParseAddrPort("192.0.2.100:69"),
		delay:    time.Duration(r.IntN(2000)) * time.Millisecond,
		drop:     []float64{0, 0.02, 0.1, 0.3}[r.IntN(4)],
		double:   []float64{0, 0.05, 0.3}[r.IntN(3)],
		stormEnd: time.Duration(20+r.IntN(60)) * time.Second,
		toSilent: map[netip.AddrPort]int{}, silentAsked: map[netip.AddrPort]int{},
		newest:     map[string]string{},
		sentBodies: map[string]bool{}, acknowledged: map[string]int{}, unsaid: map[string]bool{},
		sentAgain: map[string]bool{}, askedAgain: map[netip.AddrPort]bool{},
		storeFails: []float64{0, 0.1, 0.4}[r.IntN(3)],
		storeDelay: time.Duration([]int{5, 300, 8000, 40000}[r.IntN(4)]) * time.Millisecond,
		buf:        make([]byte, maxDatagram),
	}
	w.engine = w.newEngine()
	for n := range 1 + r.IntN(8) {
		w.clients = append(w.clients, w.newClient(n))
	}
	return w
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		w.trace(format, args...)
	}
}

func (w *world) newEngine() *engine {
	return newEngine(engineConfig{reads: true,
		limits: Limits{MaxSize: 4096, Memory: 16384 + 6*callCost, Transfers: 6}})
}

var habits = []string{"put", "put", "put", "get", "silent", "slow", "aborts", "refuses-oack",
	"sorcerer", "stranger", "restarts", "misled", "refetches", "held-back-put", "held-back-get"}

// readers are the habits of clients that read.
var readers = []string{"get", "refetches", "refuses-oack", "held-back-get"}

func (w *world) newClient(n int) *simClient {
	r := w.r
	c := &simClient{
		addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n), 1}),
			uint16(1024+r.IntN(2))),
		habit: habits[r.IntN(len(habits))], start: time.Duration(r.Int64N(int64(w.stormEnd))),
		name: fmt.Sprint("f", r.IntN(3)),
	}
	c.body = fmt.Sprintf("client %d: ", n) + string(pattern(r.IntN(400)))
	if r.IntN(10) == 0 {
		c.body += string(pattern(5000)) // over the limit
	}
	if c.heldBack() {
		c.start += w.stormEnd // then it must succeed
	}
	if c.habit == "put" && r.IntN(3) == 0 { // the same port again, when its old packets are gone
		next := *c
		next.body += " again"
		next.begun = false
		c.next = &next
	}
	return c
}

// begin starts a client's transfer.
func (w *world) begin(c *simClient) {
	c.begun, c.generation = true, w.generation
	r := w.r
	req := &Request{Op: OpWrite, Filename: c.name, Mode: Octet}
	if slices.Contains(readers, c.habit) || c.habit == "silent" && r.IntN(2) == 0 {
		req.Op = OpRead
	}
	if c.options != nil {
		req.Options = c.options
	} else if r.IntN(3) > 0 || c.habit == "refuses-oack" {
		add := func(name string, value int) {
			req.Options = append(req.Options, Option{name,
				fmt.Sprint(value)})
		}
		if r.IntN(2) == 0 || c.habit == "refuses-oack" {
			add("blksize", 8+r.IntN(60))
		}
		if r.IntN(2) == 0 {
			add("windowsize", 1+r.IntN(12))
		}
		if r.IntN(4) == 0 {
			add("timeout", 1+r.IntN(6))
		}
		if r.IntN(4) == 0 {
			add("tsize", len(c.body)*int(req.Op-OpRead))
		}
	}
	if c.options == nil && r.IntN(8) == 0 && req.Op == OpWrite {
		req.Mode = Netascii
	}
	if c.restarts() { // the same bytes again ask for the same transfer
		req.Mode, c.options = Octet, append([]Option{}, req.Options...)
	}
	body := []byte(c.body)
	if req.Mode == Netascii {
		body = encodeNetascii(body)
	}
	if req.Op == OpWrite {
		w.uploads++
		w.sentBodies[c.body] = true
	}
	c.i = newInitiator(w.now, req, body, w.serverAddr, &Client{MaxSize: 1 << 20})
	w.say("%v %v begins: %s %q %s, %d bytes, options %v", w.now, c.addr, c.habit, c.name, req.Op,
		len(c.body), req.Options)
	if c.habit == "silent" {
		w.silentAsked[c.addr] += len(c.i.request)
		w.send(c.addr, w.serverAddr, c.i.request)
		c.i.end(nil)
		c.closed = true
		return
	}
	w.flushClient(c)
}

func (w *world) storm() bool { return w.now < w.stormEnd }

// send gives a datagram to the network.
func (w *world) send(from, to netip.AddrPort, b []byte) {
	if n, ok := w.silentAsked[to]; ok && n > 0 {
		w.toSilent[to] += len(b)
	}
	times := 1
	if w.storm() {
		if w.r.Float64() < w.drop {
			if w.trace != nil {
				w.trace("%v %v -> %v lost: %s", w.now, from, to, formatPacket(b))
			}
			return
		}
		if w.r.Float64() < w.double {
			times = 2
		}
	}
	for range times {
		d := time.Millisecond
		if w.storm() && w.r.IntN(3) == 0 {
			d += time.Duration(w.r.Int64N(int64(w.delay) + 1))
		}
		w.sequence++
		w.wire = append(w.wire, flight{w.now + d, w.sequence, from, to, bytes.Clone(b)})
	}
}

// run plays the world and returns what is wrong with it.
func (w *world) run() error {
	end := w.stormEnd + 4*time.Hour // a slow device with small blocks takes its time
	for w.now < end {
		at, what := w.nextEvent(end)
		w.now = max(w.now, at)
		if what == nil {
			break
		}
		what()
		w.flushServer()
		if w.storm() && !w.calm && w.r.IntN(1500) == 0 {
			w.crash()
		}
		if err := w.invariants(); err != nil {
			return fmt.Errorf("after %v: %w", w.now, err)
		}
	}
	return w.final()
}

// nextEvent returns what happens next.
func (w *world) nextEvent(end time.Duration) (time.Duration, func()) {
	at, what := end, func() {}
	found := false
	sooner := func(t time.Duration, do func()) {
		if t < at {
			at, what, found = t, do, true
		}
	}
	first := -1
	for n := range w.wire {
		if first < 0 || w.wire[n].at < w.wire[first].at || w.wire[n].at == w.wire[first].at &&
			w.wire[n].seq < w.wire[first].seq {
			first = n
		}
	}
	if first >= 0 {
		sooner(w.wire[first].at, func() {
			f := w.wire[first]
			w.wire = slices.Delete(w.wire, first, first+1)
			w.deliver(f)
		})
	}
	if t, ok := w.engine.deadline(); ok {
		sooner(max(t, w.now), func() { w.engine.tick(w.now) })
	}
	for n := range w.pending {
		sooner(w.pending[n].at, func() { w.completeCall(n) })
	}
	for _, c := range w.clients {
		switch {
		case !c.begun:
			sooner(max(c.start, w.now), func() { w.begin(c) })
		case len(c.held) > 0:
			sooner(c.thinks, func() {
				f := c.held[0]
				c.held = c.held[1:]
				if c.habit == "slow" {
					c.thinks = w.now + time.Duration(w.r.Int64N(int64(4*time.Second)))
				}
				w.receive(c, f)
			})
		}
		if c.begun && c.i.phase != over && (!c.heldBack() || len(c.held) == 0) {
			sooner(max(c.i.deadline(), w.now), func() {
				c.i.tick(w.now)
				w.flushClient(c)
			})
		}
	}
	if !found {
		return end, nil
	}
	return at, what
}

func (w *world) deliver(f flight) {
	if w.trace != nil {
		w.trace("%v %v -> %v: %s", w.now, f.from, f.to, formatPacket(f.b))
	}
	if f.to == w.serverAddr {
		if t := w.engine.peers[f.from]; t != nil && t.state == lingering && f.b[1] == byte(opWRQ) {
			for _, c := range w.clients {
				if c.addr == f.from && c.begun && c.i.tx != nil && c.i.tx.final > c.i.tx.window {
					w.sentAgain[c.body] = true
				}
			}
		}
		switch t := w.engine.peers[f.from]; opcode(f.b[1]) {
		case opWRQ:
			w.askedAgain[f.from] = t != nil && t.state == receiving && t.rx.last() > 0
		case opDATA:
			w.askedAgain[f.from] = false
		}
		w.engine.packet(w.now, f.from, w.serverAddr.Addr(), f.b)
		for _, c := range w.clients {
			t := w.engine.peers[f.from]
			if c.addr == f.from && c.begun && t != nil && t.rx != nil && t.rx.last() == 0 {
				c.heard = true
			}
		}
		return
	}
	for _, c := range w.clients {
		if c.addr != f.to || !c.begun || c.habit == "silent" {
			continue
		}
		if c.habit == "slow" || len(c.held) > 0 {
			if len(c.held) == 0 {
				c.thinks = w.now + time.Duration(w.r.Int64N(int64(4*time.Second)))
			}
			if len(c.held) < 4 {
				c.held = append(c.held, f)
			}
			return
		}
		w.receive(c, f)
		return
	}
}

// receive lets a client take a packet, by its habit.
func (w *world) receive(c *simClient, f flight) {
	op, block := header(f.b)
	switch {
	case c.restarts() && c.retries == 0 && w.r.IntN(4) == 0 && c.midway():
		w.restart(c)
		return
	case c.heldBack() && c.retries == 0 && w.r.IntN(4) == 0 && c.midway():
		w.deliverLate(c, f)
		return
	case c.habit == "aborts" && w.r.IntN(6) == 0 && c.i.phase == transferring:
		c.i.cancel(errors.New("aborted"))
	case c.habit == "refuses-oack" && op == opOACK && c.retries == 0 && c.i.phase == requesting:
		// as UEFI does: error 8, and the request again without options, from the same port
		c.retries++
		w.send(c.addr, w.serverAddr, appendERROR(nil, &Error{Code: CodeOptions, Message: "no"}))
		c.i = newInitiator(w.now, &Request{Op: OpRead, Filename: c.name, Mode: Octet}, nil,
			w.serverAddr, &Client{MaxSize: 1 << 20})
	case c.habit == "misled" && c.old != nil && c.heard && c.i.phase == requesting &&
		op == opACK && block > 0 && uint64(block) < c.old.final:
		// takes an ACK of its old transfer, which crossed its request, for "go on there"
		c.i.begin(w.now, f.from, terms{blksize: c.old.blksize, windowsize: int(c.old.window)})
		c.i.tx.acked, c.i.tx.high = uint64(block), uint64(block)
		c.i.tx.rewind()
		c.i.tx.open()
	case c.habit == "sorcerer" && op == opACK && c.i.tx != nil && block == uint16(c.i.tx.acked):
		c.i.tx.rewind() // sends again for every repeated ACK, as RFC 1123 section 4.2.3.1 forbids
	default:
		c.i.packet(w.now, f.from, f.b)
	}
	if c.habit == "stranger" && w.r.IntN(3) == 0 { // another port of the same host interferes
		other := netip.AddrPortFrom(c.addr.Addr(), 9)
		w.send(other, w.serverAddr, append(appendHeader(nil, opcode(3+w.r.IntN(3)), block),
			"stranger"...))
	}
	w.flushClient(c)
}

// restart has a client forget everything, and begin again from the same port with another file,
// when its old packets are gone.
func (w *world) restart(c *simClient) {
	c.retries++
	c.old, c.heard = c.i.tx, false
	c.body = "restarted " + c.body
	c.begun, c.start = false,
		w.now+w.delay+10*time.Millisecond+time.Duration(w.r.Int64N(int64(4*time.Second)))
	w.say("%v %v restarts", w.now, c.addr)
}

// deliverLate has the network deliver a repeat of a client's request in the middle of its transfer,
// while the client pauses. The pause of an upload is shorter than what means a restart: nothing
// tells a longer one from it.
func (w *world) deliverLate(c *simClient, f flight) {
	c.retries++
	pause := restartAfter + time.Duration(w.r.Int64N(int64(3*time.Second)))
	if c.habit == "held-back-put" {
		pause = restartAfter / 2
	}
	c.held, c.thinks = append(c.held, f), w.now+pause
	w.sequence++
	w.wire = append(w.wire, flight{c.thinks - time.Millisecond, w.sequence, c.addr, w.serverAddr,
		bytes.Clone(c.i.request)})
	w.say("%v %v pauses for %v, and its request comes late", w.now, c.addr, pause)
}

func (w *world) flushClient(c *simClient) {
	for {
		d, ok := c.i.send(w.now, w.buf)
		if !ok {
			break
		}
		w.send(c.addr, d.peer, d.b)
	}
	if c.i.phase < dallying || c.closed {
		return
	}
	c.closed = true
	var told *PeerError
	gaveUp := errors.Is(c.i.err, errNoAnswer) ||
		errors.As(c.i.err, &told) && told.Message == errSilent.Message
	mustBeHeard := c.habit != "misled" && c.restarts() || c.heldBack()
	if c.retries > 0 && mustBeHeard && c.start >= w.stormEnd && gaveUp {
		w.unheard = fmt.Errorf("%v (%s) was not heard any more: %w", c.addr, c.habit, c.i.err)
	}
	w.say("%v %v ends: %v", w.now, c.addr, c.i.err)
	if c.i.err != nil {
		return
	}
	if c.i.req.Op == OpWrite {
		w.receipts++
		w.acknowledged[c.body] = c.generation
	} else if !slices.Contains(w.stored, string(c.i.body)) {
		panic(fmt.Sprintf("%v fetched %q, which was never stored", c.addr, c.i.body))
	}
	if c.next != nil {
		c.next.start = w.now + 2*w.delay + lingerTime + 2*6*time.Second + time.Second
		w.clients = append(w.clients, c.next)
	}
}

// flushServer carries out what the engine wants.
func (w *world) flushServer() {
	for {
		d, ok := w.engine.send(w.now, w.buf)
		if !ok {
			break
		}
		if op, block := header(d.b); op == opACK && block > 0 && w.askedAgain[d.peer] {
			w.misleading = fmt.Errorf("%v asked again, and got ACK %d", d.peer, block)
		}
		w.send(w.serverAddr, d.peer, d.b)
	}
	begun, _ := w.engine.take()
	for _, b := range begun {
		b.prepare()
		p := pendingCall{at: w.now + time.Duration(w.r.Int64N(int64(w.storeDelay))),
			generation: w.generation, id: b.id, req: b.req, fate: "stored"}
		if b.req.Op == OpRead {
			p.at = w.now + time.Duration(w.r.IntN(300))*time.Millisecond
		}
		if w.storm() && w.r.Float64() < w.storeFails {
			p.fate = []string{"failed", "stored, unsaid"}[w.r.IntN(2)]
		}
		w.pending = append(w.pending, p)
	}
	clear(begun)
}

func (w *world) completeCall(n int) {
	p := w.pending[n]
	w.pending = slices.Delete(w.pending, n, n+1)
	var body []byte
	var err error
	switch {
	case p.req.Op == OpRead:
		s, ok := w.newest[p.req.Filename]
		body = []byte(s)
		if !ok {
			err = &Error{Code: CodeNotFound, Message: "file not found"}
		}
	case p.fate == "failed":
		err = errors.New("the store failed")
	default:
		w.stored = append(w.stored, string(p.req.Body))
		w.newest[p.req.Filename] = string(p.req.Body)
		if p.fate == "stored, unsaid" {
			err = errors.New("the connection broke after the commit")
			w.unsaid[string(p.req.Body)] = true
		}
	}
	w.say("%v the store ends call %d of server %d: %s, %v", w.now, p.id, p.generation, p.fate, err)
	if p.generation == w.generation {
		w.engine.completed(w.now, p.id, body, err)
	}
}

// crash takes the server down and brings up another one that knows nothing. Commits under way may
// still happen.
func (w *world) crash() {
	w.crashes++
	w.generation++
	w.engine = w.newEngine()
	clear(w.askedAgain)
	w.say("%v the server crashes", w.now)
}

// invariants hold after every step.
func (w *world) invariants() error {
	if w.misleading != nil {
		return w.misleading
	}
	if w.engine.memory < 0 || w.engine.memory > w.engine.limits.Memory+MaxBlksize {
		return fmt.Errorf("%d bytes are held", w.engine.memory)
	}
	if len(w.engine.peers) > w.engine.limits.Transfers {
		return fmt.Errorf("%d transfers", len(w.engine.peers))
	}
	for a, n := range w.toSilent {
		// A request without options is answered by ACKs of 4 bytes or a block of 516 bytes, three
		// times at most while no answer comes, and an ERROR of 14.
		if asked := w.silentAsked[a]; n > 3*(asked+516)+20 {
			return fmt.Errorf("%d bytes went to %v, which asked with %d and never answered", n, a,
				asked)
		}
	}
	return nil
}

// final holds when everything has ended.
func (w *world) final() error {
	if w.unheard != nil {
		return w.unheard
	}
	for _, c := range w.clients {
		if !c.begun || c.i.phase != over {
			return fmt.Errorf("%v (%s) has not ended", c.addr, c.habit)
		}
	}
	e := w.engine
	if !e.idle() || e.memory != 0 || len(e.timers.heap) != 0 || e.canSend() ||
		len(w.wire) != 0 || len(e.sources) != 0 || e.unproven.size != 0 || e.runningReads != 0 {
		return fmt.Errorf("%d transfers, %d calls, %d bytes, %d timers, %d packets stay",
			len(e.peers), len(e.calls), e.memory, len(e.timers.heap), len(w.wire))
	}
	times := map[string]int{}
	for _, body := range w.stored {
		if !w.sentBodies[body] {
			return fmt.Errorf("%q is stored, and no client sent it", body)
		}
		times[body]++
	}
	for body, generation := range w.acknowledged {
		// Sent again, a body is stored again: window by window after a request that the network
		// held back until the receipt had left, which no block number tells from a new upload; to a
		// server that crashed meanwhile, or whose store had said that it failed.
		if times[body] != 1 && (times[body] == 0 || generation == w.generation && !w.unsaid[body] &&
			!w.sentAgain[body]) {
			return fmt.Errorf("%.20q was acknowledged, and is stored %d times", body, times[body])
		}
	}
	return nil
}
