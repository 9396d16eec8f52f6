package tftp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x02fw1\x00octet\x00blksize\x001428\x00tsize\x000\x00"))
	f.Add([]byte("\x00\x01\x00NETASCII\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize { // what header lets through
			return
		}
		r, err := parseRequest(b)
		if (r == nil) == (err == nil) {
			t.Fatal(r, err)
		}
		if r == nil {
			return
		}
		e := newEngine(engineConfig{limits: Limits{}})
		answer, terms := e.negotiate(r, 1000)
		if terms.blksize < minBlksize || terms.blksize > MaxBlksize || terms.windowsize < 1 ||
			terms.windowsize > MaxWindowsize ||
			terms.interval < 0 || terms.interval > maxInterval*time.Second || terms.tsize < -1 {
			t.Errorf("%+v", terms)
		}
		for _, o := range answer { // only what was asked for, in digits, once
			if asked, ok := lookup(r.Options, o.Name); !ok ||
				strings.Trim(o.Value+asked, "0123456789") != "" {
				t.Errorf("%v answers %q", o, asked)
			}
		}
		oack := appendOACK(nil, answer)
		if back, ok := parseOACK(oack); !ok || FormatOptions(back) != FormatOptions(answer) {
			t.Errorf("%v comes back as %v", answer, back)
		}
		again, err := parseRequest(appendRequest(nil, r))
		if err != nil || again.Filename != r.Filename || again.Mode != r.Mode ||
			FormatOptions(again.Options) != FormatOptions(r.Options) {
			t.Errorf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}

func FuzzOACK(f *testing.F) {
	f.Add([]byte("\x00\x06blksize\x008\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		options, ok := parseOACK(b)
		i := newInitiator(0, &Request{Op: OpRead, Filename: "x", Mode: Octet,
			Options: []Option{{"blksize", "1428"}, {"windowsize", "8"}, {"timeout", "3"},
				{"tsize", "0"}}},
			nil, serverPeers["P"], &Client{})
		terms, err := i.agreed(options)
		if ok && err == nil && (terms.blksize < 8 || terms.blksize > 1428 || terms.windowsize < 1 ||
			terms.windowsize > 8 || terms.interval != 0 && terms.interval != 3*time.Second) {
			t.Errorf("%q is taken as %+v", b, terms)
		}
	})
}

// FuzzNetascii encodes and decodes in blocks of any size: the same bytes come back. Decoding
// anything loses nothing but the second byte of a pair.
func FuzzNetascii(f *testing.F) {
	f.Add([]byte("a\r\nb\r\x00c\r"), 1)
	f.Fuzz(func(t *testing.T, b []byte, block int) {
		block = block&0x3f + 1
		decode := func(b []byte) []byte {
			var d netasciiDecoder
			var out []byte
			for start := 0; start < len(b); start += block {
				out = d.decode(out, b[start:min(start+block, len(b))])
			}
			return d.flush(out)
		}
		if got := decode(encodeNetascii(b)); !bytes.Equal(got, b) {
			t.Errorf("%q comes back as %q", b, got)
		}
		want := len(b) - strings.Count(string(b), "\r\n") - strings.Count(string(b), "\r\x00")
		if got := decode(b); len(got) != want {
			t.Errorf("%q is decoded to %d bytes, want %d", b, len(got), want)
		}
	})
}

// FuzzEngine takes bytes for a sequence of peers, packets and pauses: no panic, and in the end
// nothing stays. A step is a byte for its peer and the fate of its call, one for the packet's size,
// and the packet. A fate of 0x80 has the peer restart before: it sends its last request again, two
// seconds later. A packet of one byte is the DATA so many blocks after the last that the peer sent.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("\x00\x10\x00\x02f\x00octet\x00\x00\x05\x00\x03\x00\x01x"))
	f.Add([]byte("\x01\x1b\x00\x01f\x00netascii\x00windowsize\x003\x00\x01\x04\x00\x04\x00\x00"))
	upload := "\x01\x14\x00\x02f\x00octet\x00blksize\x008\x00\x01\x0c\x00\x03\x00\x0112345678"
	f.Add([]byte(upload + "\x81\x0c\x00\x03\x00\x01abcdefgh\x01\x05\x00\x03\x00\x02x")) // restart
	f.Add([]byte(upload + "\x01\x05\x00\x03\x00\x02x\x01\x01\x01\x01\x01\x04"))         // beyond
	f.Add([]byte("\x01\x14\x00\x02f\x00octet\x00tsize\x00900\x00\x01\x05\x00\x03\x00\x01x"))
	download := "\x0f\x14\x00\x01f\x00octet\x00blksize\x008\x00\x0f\x04\x00\x04\x00\x00"
	f.Add([]byte(download + "\x0f\x04\x00\x04\x00\x01\x8f\x04\x00\x04\x00\x00"))
	names := []string{"A", "A2", "B", "C", "D", "E", "F"}
	f.Fuzz(func(t *testing.T, script []byte) {
		e := newEngine(engineConfig{limits: Limits{MaxSize: 2000, Memory: 20000 + 2*callCost,
			Transfers: 4}, reads: true})
		buf := make([]byte, maxDatagram)
		now, sent := time.Duration(0), 0
		server := netip.MustParseAddr("192.0.2.100")
		settle := func(fate byte) {
			e.tick(now)
			for fate&0x10 == 0 {
				d, ok := e.send(now, buf)
				if !ok {
					break
				}
				if sent++; len(d.b) < headerSize || d.peer.Port() == 0 || sent > 1_000_000 {
					t.Fatalf("%x to %v, %d sent", d.b, d.peer, sent)
				}
			}
			for _, c := range takeCalls(e) {
				if c.req.Announced < 0 || c.req.Announced > e.limits.MaxSize {
					t.Fatalf("an upload of %d bytes was admitted", c.req.Announced)
				}
				switch {
				case fate&0x40 != 0:
					e.completed(now, c.id, nil, errTooLarge)
				case fate&0x20 == 0:
					e.completed(now, c.id, bytes.Repeat([]byte("r\n"), int(fate)), nil)
				default:
					defer e.completed(now, c.id, nil, nil) // never in time
				}
			}
		}
		requests, blocks := map[string][]byte{}, map[string]uint16{}
		// after a packet as many 16 ms pass as its second byte says
		for len(script) >= 2 {
			choice, size := script[0], int(script[1])
			script = script[2:]
			size = min(size, len(script))
			packet := script[:size]
			script = script[size:]
			peer := names[int(choice&0xf)%len(names)]
			if choice&0x80 != 0 && requests[peer] != nil {
				now += 2 * time.Second
				settle(choice)
				e.packet(now, testPeers[peer], server, requests[peer])
				settle(choice)
			}
			if size == 1 {
				packet = appendHeader(nil, opDATA, blocks[peer]+uint16(packet[0]))
			}
			switch op, block := header(packet); op {
			case opRRQ, opWRQ:
				requests[peer] = packet
			case opDATA:
				blocks[peer] = block
			}
			e.packet(now, testPeers[peer], server, packet)
			settle(choice)
			if size > 2 {
				units := binary.BigEndian.Uint16(packet[1:]) & 0xff
				now += time.Duration(units) * 16 * time.Millisecond
			}
		}
		for at, ok := e.deadline(); ok; at, ok = e.deadline() {
			now = max(now, at)
			settle(0)
		}
		for id := range e.calls {
			e.completed(now, id, nil, nil)
		}
		settle(0)
		if !e.idle() || e.memory != 0 || len(e.timers.heap) != 0 {
			t.Errorf("%d transfers, %d calls, %d bytes, %d timers stay", len(e.peers), len(e.calls),
				e.memory, len(e.timers.heap))
		}
	})
}
