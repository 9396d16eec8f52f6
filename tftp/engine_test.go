package tftp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// upload gets an engine ready for DATA 1 of an upload from peer A.
func upload(tb testing.TB, l Limits, blksize string) (*engine, []byte) {
	tb.Helper()
	e := newEngine(engineConfig{limits: l})
	buf := make([]byte, maxDatagram)
	e.packet(0, testPeers["A"], netip.Addr{},
		[]byte("\x00\x02fw1\x00octet\x00blksize\x00"+blksize+"\x00"))
	for {
		if _, ok := e.send(0, buf); !ok {
			return e, buf
		}
	}
}

// takeCalls takes what the engine has begun, for a caller that ends it at once.
func takeCalls(e *engine) []call {
	begun, _ := e.take()
	return slices.Clone(begun)
}

// step is one DATA packet and its ACK.
func step(e *engine, now time.Duration, packet, buf []byte, n uint16) bool {
	packet[2], packet[3] = byte(n>>8), byte(n)
	e.packet(now, testPeers["A"], netip.Addr{}, packet)
	e.tick(now)
	d, ok := e.send(now, buf)
	return ok && bytes.Equal(d.b, []byte{0, 4, byte(n >> 8), byte(n)})
}

// TestNoAllocation: DATA in, ACK out, and nothing is allocated but the chunks that hold the body.
func TestNoAllocation(t *testing.T) {
	e, buf := upload(t, Limits{}, "8")
	packet := append([]byte{0, 3, 0, 0}, "12345678"...)
	n := uint16(0)
	block := func() {
		n++
		if !step(e, time.Duration(n)*time.Millisecond, packet, buf, n) {
			t.Errorf("block %d was not acknowledged", n)
		}
	}
	block()         // makes the first chunk
	for range 200 { // one by one, since AllocsPerRun rounds a mean down
		if got := testing.AllocsPerRun(1, block); got != 0 {
			t.Fatalf("block %d: %v allocations", n, got)
		}
	}
}

func BenchmarkDataToACK(b *testing.B) {
	e, buf := upload(b, Limits{MaxSize: 1 << 62, Memory: 1 << 62}, "512")
	packet := append([]byte{0, 3, 0, 0}, make([]byte, 512)...)
	t := e.peers[testPeers["A"]]
	b.ReportAllocs()
	b.SetBytes(512)
	for n := range b.N {
		if !step(e, time.Duration(n)*time.Microsecond, packet, buf, uint16(n+1)) {
			b.Fatal("no ACK of block", n+1)
		}
		if t.rx.body.size > 256<<10 { // B/op is the body's own memory, of files of this size
			t.rx.body = buffer{}
		}
	}
}

// TestBodyMemory: a body costs an eighth more than it holds at most, and a little.
func TestBodyMemory(t *testing.T) {
	for _, block := range []int{8, 512, 1428, 65464} {
		var b buffer
		for b.size < 3<<20 {
			b.write(make([]byte, block))
			if b.room > b.size+b.size/8+int64(max(minChunk, block)) {
				t.Fatalf("blocks of %d: %d bytes take %d", block, b.size, b.room)
			}
		}
		if got := b.take(); int64(len(got)) != b.size {
			t.Error(len(got), b.room)
		}
	}
}

// TestGoneWhileQueued: a transfer ends while it waits for its turn to send, which happens when many
// have something to send.
func TestGoneWhileQueued(t *testing.T) {
	for _, last := range []string{"\x00\x05\x00\x00gone\x00", "\x00\x02other\x00octet\x00"} {
		e := newEngine(engineConfig{limits: Limits{}})
		e.packet(0, testPeers["A"], netip.Addr{}, []byte("\x00\x02fw1\x00octet\x00"))
		e.packet(0, testPeers["A"], netip.Addr{}, []byte(last))
		for ok := true; ok; {
			_, ok = e.send(0, make([]byte, 600))
		}
	}
}

// TestNothingStays: after any datagrams whatsoever, and time, the engine is as empty as at first.
func TestNothingStays(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	e := newEngine(engineConfig{limits: Limits{}, reads: true})
	buf := make([]byte, maxDatagram)
	now := time.Duration(0)
	names := []string{"A", "A2", "B", "C", "D", "E", "F"}
	for range 1_000_000 {
		b := make([]byte, r.IntN(30))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		if len(b) > 3 && r.IntN(4) > 0 {
			b[0], b[1], b[2] = 0, byte(r.IntN(7)), 0
			b[3] = byte(r.IntN(4))
			if b[1] < 3 {
				b = append(b[:2], "f\x00octet\x00windowsize\x003\x00"[:r.IntN(22)]...)
			}
		}
		now += time.Duration(r.IntN(20)) * time.Millisecond
		e.packet(now, testPeers[names[r.IntN(len(names))]], netip.Addr{}, b)
		e.tick(now)
		for ok := r.IntN(4) > 0; ok; { // a server that sends in bursts may hear more packets before
			_, ok = e.send(now, buf)
		}
		for _, c := range takeCalls(e) {
			c.prepare()
			if r.IntN(3) > 0 {
				e.completed(now, c.id, []byte("body"), nil)
			} else {
				e.completed(now, c.id, nil, errTooLarge)
			}
		}
	}
	for at, ok := e.deadline(); ok || e.canSend(); at, ok = e.deadline() {
		if now = max(now, at); ok {
			e.tick(now)
		}
		for more := true; more; {
			_, more = e.send(now, buf)
		}
	}
	if !e.idle() || e.memory != 0 || len(e.timers.heap) != 0 || len(e.calls) != 0 ||
		e.canSend() || len(e.sources) != 0 || e.unproven.size != 0 || e.runningReads != 0 {
		t.Errorf("%d transfers, %d calls, %d bytes, %d timers, %d sources, %d unproven, %d "+
			"loading stay, to send: %v", len(e.peers), len(e.calls), e.memory,
			len(e.timers.heap), len(e.sources), e.unproven.size, e.runningReads, e.canSend())
	}
}

// TestSenderIgnoresOldACKs: in the largest window an ACK from before looks like one far ahead.
func TestSenderIgnoresOldACKs(t *testing.T) {
	s := newSender(terms{blksize: 8, windowsize: 60000}, make([]byte, 8*200000))
	drain := func() {
		for s.pending() {
			s.append(nil, 0)
		}
	}
	drain()
	if progress, _ := s.ack(60000, 0); !progress || s.acked != 60000 {
		t.Fatal("the window's ACK was not taken", s.acked)
	}
	drain()
	for _, old := range []uint16{59999, 59000, 35000} {
		if progress, _ := s.ack(old, 0); progress {
			t.Errorf("ACK %d was taken for %d", old, s.acked)
			break
		}
	}
	if progress, _ := s.ack(60100, 0); !progress || s.acked != 60100 {
		t.Error("an ACK inside the window was not taken", s.acked)
	}
}

// TestReadsWaitForMemory: reads run their handler while a largest file fits, one at least, and the
// others wait.
func TestReadsWaitForMemory(t *testing.T) {
	for memory, want := range map[int64]int{1000: 1, 2500: 2, 10000: 4} {
		e := newEngine(engineConfig{limits: Limits{MaxSize: 1000, MaxRead: 1000, Memory: memory},
			reads: true})
		for _, p := range []string{"A", "B", "C", "H"} {
			e.packet(0, testPeers[p], netip.Addr{}, []byte("\x00\x01f\x00octet\x00"))
		}
		if len(e.begun) != want {
			t.Errorf("memory of %d: %d handlers run, want %d", memory, len(e.begun), want)
		}
		for n := 0; n < len(e.begun); n++ { // each that ends lets another begin
			e.completed(0, e.begun[n].id, nil, errTooLarge)
		}
		if len(e.begun) != 4 || e.memory != 0 || e.runningReads != 0 {
			t.Errorf("memory of %d: %d handlers ran, %d bytes, %d loading", memory, len(e.begun),
				e.memory, e.runningReads)
		}
	}
}

// TestOneSourceCrowdsOutNoOther: requests of one address, never followed up, leave another's alone.
func TestOneSourceCrowdsOutNoOther(t *testing.T) {
	e := newEngine(engineConfig{limits: Limits{Transfers: 100}, reads: true})
	e.packet(0, testPeers["A"], netip.Addr{}, []byte("\x00\x02fw1\x00octet\x00"))
	for port := range uint16(1000) {
		e.packet(0, netip.AddrPortFrom(testPeers["B"].Addr(), 1024+port), netip.Addr{},
			[]byte("\x00\x02flood\x00octet\x00"))
	}
	e.packet(0, testPeers["A"], netip.Addr{}, []byte("\x00\x03\x00\x01x"))
	if len(e.begun) != 1 || e.begun[0].req.Filename != "fw1" {
		t.Errorf("%d uploads reached the handler", len(e.begun))
	}
}

// TestBlindDataCrowdsOutNoOther: requests followed up by blind DATA fill the table, and a device is
// served all the same: from few addresses, or each from one of its own.
func TestBlindDataCrowdsOutNoOther(t *testing.T) {
	for name, sources := range map[string]int{"100 addresses": 100, "an address each": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(engineConfig{limits: Limits{Transfers: 10_000}})
			buf, now, n := make([]byte, maxDatagram), time.Duration(0), 0
			said := map[netip.AddrPort]string{}
			deliver := func(from netip.AddrPort, b string) {
				e.packet(now, from, netip.Addr{}, []byte(b))
				e.tick(now)
				for d, ok := e.send(now, buf); ok; d, ok = e.send(now, buf) {
					said[d.peer] = string(d.b)
				}
				e.take()
			}
			flood := func(span time.Duration) { // 1,000 a second
				for end := now + span; now < end; now += time.Millisecond {
					source := n % sources
					from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18 + byte(source>>16),
						byte(source >> 8), byte(source)}), 2000+uint16(n/sources))
					n++
					deliver(from, "\x00\x02flood\x00octet\x00")
					deliver(from, "\x00\x03\x00\x01"+strings.Repeat("x", defaultBlksize))
				}
			}
			flood(15 * time.Second)
			deliver(testPeers["A"], "\x00\x02fw1\x00octet\x00")
			for block := range byte(20) {
				if got := said[testPeers["A"]]; got != "\x00\x04\x00"+string([]byte{block}) {
					t.Fatalf("after block %d the device hears %q", block, got)
				}
				flood(200 * time.Millisecond)
				deliver(testPeers["A"], "\x00\x03\x00"+string([]byte{block + 1})+strings.Repeat("x",
					defaultBlksize))
			}
			if len(e.peers) > e.limits.Transfers {
				t.Errorf("%d transfers of %d", len(e.peers), e.limits.Transfers)
			}
		})
	}
}

// TestReplacedWhileFull: the same request again, while its receipt lingers and the table is full,
// takes the receipt's place.
func TestReplacedWhileFull(t *testing.T) {
	others := []string{"A2", "B", "C", "G", "H"}
	e := newEngine(engineConfig{limits: Limits{Transfers: 1 + len(others)}})
	buf, now := make([]byte, maxDatagram), time.Duration(0)
	deliver := func(from netip.AddrPort, b string) {
		e.packet(now, from, netip.Addr{}, []byte(b))
		for _, c := range takeCalls(e) {
			c.prepare()
			e.completed(now, c.id, nil, nil)
		}
		for _, ok := e.send(now, buf); ok; _, ok = e.send(now, buf) {
		}
	}
	deliver(testPeers["A"], "\x00\x02a\x00octet\x00")
	deliver(testPeers["A"], "\x00\x03\x00\x01x")
	now = lingerTime - time.Second
	for _, p := range others {
		deliver(testPeers[p], "\x00\x02b\x00octet\x00")
		deliver(testPeers[p], "\x00\x03\x00\x01"+strings.Repeat("x", defaultBlksize))
	}
	deliver(testPeers["A"], "\x00\x02a\x00octet\x00")
	for _, p := range append(others, "A") {
		if e.peers[testPeers[p]] == nil {
			t.Errorf("%s's transfer has gone", p)
		}
	}
	if s := e.sources[testPeers["A"].Addr()]; s != (counts{all: 2, unproven: 1}) {
		t.Errorf("A's source has %+v", s)
	}
}

// TestRunningHandlersCount: uploads whose handler runs count as transfers of their source and as
// memory, though they are empty and their port has begun another.
func TestRunningHandlersCount(t *testing.T) {
	for name, limits := range map[string]Limits{"transfers": {Transfers: 100},
		"memory": {Memory: 50 * callCost}} {
		e := newEngine(engineConfig{limits: limits})
		for n := range 1000 {
			e.packet(0, testPeers["A"], netip.Addr{},
				fmt.Appendf(nil, "\x00\x02empty%d\x00octet\x00", n))
			e.packet(0, testPeers["A"], netip.Addr{}, []byte("\x00\x03\x00\x01"))
		}
		if len(e.begun) < 45 || len(e.begun) > 50 {
			t.Errorf("%s: %d handlers run", name, len(e.begun))
		}
		for _, c := range e.begun {
			e.completed(0, c.id, nil, nil)
		}
		e.tick(time.Hour)
		if !e.idle() || e.memory != 0 || len(e.sources) != 0 || e.aloneCalls != 0 {
			t.Errorf("%s: %d bytes, %d sources and %d calls stay", name, e.memory, len(e.sources),
				e.aloneCalls)
		}
	}
}

// TestForgedReadsOfNothing: reads of files that aren't there are answered as often as other
// mistakes are.
func TestForgedReadsOfNothing(t *testing.T) {
	e := newEngine(engineConfig{limits: Limits{}, reads: true})
	buf, sent := make([]byte, maxDatagram), 0
	for port := range uint16(2000) {
		e.packet(0, netip.AddrPortFrom(testPeers["B"].Addr(), 1024+port), netip.Addr{},
			[]byte("\x00\x01x\x00octet\x00"))
		for _, c := range takeCalls(e) {
			e.completed(0, c.id, nil, &Error{Code: CodeNotFound, Message: "file not found"})
		}
		for _, ok := e.send(0, buf); ok; _, ok = e.send(0, buf) {
			sent++
		}
	}
	if sent != sourceErrorRate {
		t.Errorf("%d ERRORs went to one address", sent)
	}
}

// TestReflection: what forged requests make a server send to their victim is bounded, whatever
// their number.
func TestReflection(t *testing.T) {
	e := newEngine(engineConfig{limits: Limits{}, reads: true})
	buf := make([]byte, maxDatagram)
	asked, sent, now := 0, 0, time.Duration(0)
	settle := func() {
		for _, c := range takeCalls(e) {
			c.prepare()
			e.completed(now, c.id, make([]byte, 100000), nil)
		}
		for d, ok := e.send(now, buf); ok; d, ok = e.send(now, buf) {
			sent += len(d.b)
		}
	}
	request := []byte("\x00\x01fw1.conf\x00octet\x00")
	for port := range uint16(20000) {
		asked += len(request)
		e.packet(now, netip.AddrPortFrom(testPeers["B"].Addr(), 1024+port), netip.Addr{}, request)
		settle()
	}
	for at, ok := e.deadline(); ok; at, ok = e.deadline() {
		now = max(now, at)
		e.tick(now)
		settle()
	}
	t.Logf("%d bytes asked, %d sent", asked, sent)
	if sent > 2*unprovenReads*(headerSize+defaultBlksize) {
		t.Errorf("%d bytes went to one address that never answered", sent)
	}
}

// TestReflectionBytes: what one request from a forged address makes the server send there, before
// and after its time is up: less than three times the request's own bytes where it bears options,
// two blocks where it doesn't.
func TestReflectionBytes(t *testing.T) {
	for _, c := range []struct {
		request string
		bound   int
	}{
		{"\x00\x02f\x00octet\x00blksize\x001428\x00",
			0},
		{"\x00\x02f\x00octet\x00blksize\x008\x00",
			0},
		{"\x00\x02f\x00octet\x00timeout\x001\x00",
			0},
		{"\x00\x02f\x00octet\x00tsize\x00404\x00blksize\x00512\x00timeout\x006\x00",
			0},
		{"\x00\x01f\x00octet\x00blksize\x0065464\x00windowsize\x0064\x00",
			0},
		{"\x00\x01f\x00octet\x00tsize\x000\x00",
			0},
		{"\x00\x01f\x00octet\x00windowsize\x0065535\x00",
			0},
		{"\x00\x01f\x00octet\x00tsize\x000\x00blksize\x001428\x00windowsize\x009\x00" +
			"timeout\x001\x00",
			0},
		{"\x00\x01f\x00octet\x00",
			2 * (headerSize + defaultBlksize)},
		{"\x00\x01f\x00octet\x00mystery\x00",
			2 * (headerSize + defaultBlksize)},
		{"\x00\x02f\x00octet\x00",
			4 * headerSize},
	} {
		request, bound := c.request, c.bound
		e := newEngine(engineConfig{limits: Limits{}, reads: true})
		buf := make([]byte, maxDatagram)
		sent, now := 0, time.Duration(0)
		settle := func() {
			for _, c := range takeCalls(e) {
				c.prepare()
				e.completed(now, c.id, make([]byte, 1<<20), nil)
			}
			for d, ok := e.send(now, buf); ok; d, ok = e.send(now, buf) {
				sent += len(d.b)
			}
		}
		e.packet(0, testPeers["A"], netip.Addr{}, []byte(request))
		settle()
		for at, ok := e.deadline(); ok; at, ok = e.deadline() {
			now = max(now, at)
			e.tick(now)
			settle()
		}
		if bound == 0 {
			bound = 3*len(request) - 1
		}
		if t.Logf("%3d bytes asked, %4d sent: %q", len(request), sent, request); sent > bound ||
			sent == 0 {
			t.Errorf("%q: %d bytes were sent, at most %d may be", request, sent, bound)
		}
	}
}

// TestRates: one source that floods is refused, politely and rarely, and another isn't.
func TestRates(t *testing.T) {
	e := newEngine(engineConfig{limits: Limits{}})
	buf := make([]byte, maxDatagram)
	admitted, refusals := 0, 0
	for n := range 30_000 { // in one second
		now := time.Duration(n) * time.Second / 30_000
		at := netip.AddrPortFrom(testPeers["B"].Addr(), uint16(1024+n))
		e.packet(now, at, netip.Addr{}, []byte("\x00\x02f\x00octet\x00"))
		if e.peers[at] != nil {
			admitted++
			e.packet(now, at, netip.Addr{}, []byte("\x00\x05\x00\x00\x00")) // and gone
		}
		for d, ok := e.send(now, buf); ok; d, ok = e.send(now, buf) {
			if d.b[1] == 5 {
				refusals++
			}
		}
	}
	if admitted < requestBurst || admitted > requestBurst+requestRate+1 ||
		refusals < sourceErrorRate || refusals > 2*sourceErrorRate+1 {
		t.Errorf("%d admitted, %d refused", admitted, refusals)
	}
	e.packet(time.Second, testPeers["A"], netip.Addr{}, []byte("\x00\x02f\x00octet\x00"))
	if e.peers[testPeers["A"]] == nil {
		t.Error("another source is refused too")
	}
}

// TestMemoryIsShared: where the memory is spent, the source that holds most of it is refused first.
func TestMemoryIsShared(t *testing.T) {
	e := newEngine(engineConfig{limits: Limits{Memory: 4 << 20}})
	buf := make([]byte, maxDatagram)
	said := map[netip.AddrPort]string{}
	deliver := func(to netip.AddrPort, b []byte) {
		e.packet(0, to, netip.Addr{}, b)
		for d, ok := e.send(0, buf); ok; d, ok = e.send(0, buf) {
			said[d.peer] = string(d.b)
		}
	}
	ports := func(p string, n uint16) netip.AddrPort {
		return netip.AddrPortFrom(testPeers[p].Addr(), 2000+n)
	}
	for n := range uint16(8) { // begun before the memory is scarce
		deliver(ports("B", n), []byte("\x00\x02b\x00octet\x00blksize\x0065464\x00"))
	}
	deliver(testPeers["A"], []byte("\x00\x02a\x00octet\x00blksize\x0065464\x00"))
	data := func(block byte) []byte {
		return append([]byte{0, 3, 0, block}, make([]byte, 65464)...)
	}
	for block := byte(1); block <= 20; block++ {
		for n := range uint16(8) {
			deliver(ports("B", n), data(block))
		}
		deliver(testPeers["A"], data(block))
		if got := said[testPeers["A"]]; got != string([]byte{0, 4, 0, block}) {
			t.Fatalf("block %d of the small source's upload got %q", block, got)
		}
	}
	refused := 0
	for n := range uint16(8) {
		if s := said[ports("B", n)]; s[1] == 5 && s[3] == 3 {
			refused++
		}
	}
	if refused == 0 || refused == 8 || e.memory > e.limits.Memory {
		t.Errorf("%d uploads of the large source were refused, %d bytes of %d are held", refused,
			e.memory, e.limits.Memory)
	}
}

// TestRateSlots: neighbours are spread over the table.
func TestRateSlots(t *testing.T) {
	r := newRates(7)
	seen := map[uint64]bool{}
	for i := range 4096 {
		seen[r.slot(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))] = true
	}
	if len(seen) < 2000 { // chance alone leaves 2589 of 4096
		t.Errorf("4096 addresses have %d slots", len(seen))
	}
}
