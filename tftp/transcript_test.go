package tftp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts' answers anew")

// A transcript is a conversation with the engine, one text file a rule of an RFC. Lines that go in:
//
//	set NAME VALUE          a limit or time of the engine, before the first packet
//	> PACKET                from 192.0.2.1:1024; "B> PACKET" from another peer (A to I; A2 is
//	                        A's other port)
//	! stored | failed TEXT | error CODE TEXT | read SIZE     the end of the oldest handler call
//	+ DURATION              time passes
//	drain | abort           as Shutdown does
//	blocks N                A sends the DATA blocks 1 to N, each of 8 bytes, and hears their ACKs
//
// The engine's answers stand below each: "< PACKET" (B< for peer B) with the time in front where
// time passes, "= call ..." for a call of the handler, "= end ..." for the end of a transfer, and
// "= idle" where nothing is left.
func TestTranscripts(t *testing.T) { playAll(t, "testdata/server", play) }

// playAll plays every transcript of a folder and compares the answers with what stands there.
func playAll(t *testing.T, folder string, play func(t *testing.T, script string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s: the conversation went otherwise:\n%s", file,
					difference(string(want), got))
			}
		})
	}
}

// difference shows where two transcripts part.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n want %q\n got  %q\nwhole:\n%s", i+1, w[i], g[i], got)
		}
	}
	return "one is longer; got:\n" + got
}

// conversation plays one transcript.
type conversation struct {
	e     *engine
	now   time.Duration
	calls []call
	out   strings.Builder
	buf   []byte
}

var testPeers = map[string]netip.AddrPort{
	"A": netip.MustParseAddrPort("192.0.2.1:1024"), "A2": netip.MustParseAddrPort("192.0.2.1:1025"),
	"B": netip.MustParseAddrPort("192.0.2.2:1024"),
	"C": netip.MustParseAddrPort("[2001:db8::3]:1024"),
	"D": netip.MustParseAddrPort("[::ffff:192.0.2.1]:1024"), // A in IPv6 form
	"G": netip.MustParseAddrPort("192.0.2.7:1024"), "H": netip.MustParseAddrPort("192.0.2.8:1024"),
	"D2": netip.MustParseAddrPort("[::ffff:192.0.2.1]:1026"),
	"I":  netip.MustParseAddrPort("192.0.2.100:69"), // the server itself
	"E":  netip.MustParseAddrPort("192.0.2.5:0"), "F": netip.MustParseAddrPort("224.0.0.1:69"),
}

// isAnswer matches what the engine said last time, which is not played but compared.
var isAnswer = regexp.MustCompile(`^([0-9.]+m?s )?([A-Z]?2?< |= )`)

func play(t *testing.T, script string) string {
	t.Helper()
	c := &conversation{e: newEngine(engineConfig{limits: Limits{}, reads: true}),
		buf: make([]byte, maxDatagram)}
	c.e.port = 69
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		peer, rest, sends := strings.Cut(line, "> ")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			fmt.Fprintln(&c.out, line)
			continue
		case isAnswer.MatchString(line):
			continue
		}
		fmt.Fprintln(&c.out, line)
		word, args, _ := strings.Cut(line, " ")
		switch {
		case sends:
			if peer == "" {
				peer = "A"
			}
			c.e.packet(c.now, testPeers[peer], netip.MustParseAddr("192.0.2.100"),
				parsePacket(t, rest))
		case word == "set":
			c.set(t, args)
		case word == "!":
			c.finishCall(t, args)
		case word == "+":
			c.pass(t, args)
		case word == "blocks":
			for n := range integer(t, args) {
				c.e.packet(c.now, testPeers["A"], netip.Addr{},
					append(appendHeader(nil, opDATA, uint16(n+1)), "12345678"...))
				if d, ok := c.e.send(c.now, c.buf); !ok ||
					!bytes.Equal(d.b, appendACK(nil, uint64(n+1))) {
					t.Fatalf("block %d was not acknowledged", n+1)
				}
			}
		case word == "drain":
			c.e.drain(c.now)
		case word == "abort":
			c.e.abort()
		default:
			t.Fatalf("unknown line %q", line)
		}
		c.answers("")
	}
	return c.out.String()
}

func (c *conversation) set(t *testing.T, args string) {
	t.Helper()
	name, value, _ := strings.Cut(args, " ")
	n, _ := strconv.Atoi(value)
	switch name {
	case "maxsize":
		c.e.limits.MaxSize = int64(n)
	case "memory":
		c.e.limits.Memory = int64(n)
	case "transfers":
		c.e.limits.Transfers = n
	case "blksize":
		c.e.limits.MaxBlksize = n
	case "windowsize":
		c.e.limits.MaxWindowsize = n
	case "allow": // only this source
		allowed := testPeers[value].Addr()
		c.e.accept = func(r *Request) error {
			if r.Peer.Addr() != allowed {
				return &Error{Code: CodeAccess, Message: "not allowed"}
			}
			return nil
		}
	case "option":
		c.e.option = func(_ *Request, name, v string) (string, bool) {
			return strings.ToUpper(v), name == value
		}
	case "uploads-only":
		c.e.reads = false
	default:
		t.Fatalf("set what? %q", args)
	}
}

func (c *conversation) finishCall(t *testing.T, how string) {
	t.Helper()
	if len(c.calls) == 0 {
		t.Fatalf("no call to end with %q", how)
	}
	id := c.calls[0].id
	c.calls = c.calls[1:]
	word, rest, _ := strings.Cut(how, " ")
	var body []byte
	var err error
	switch word {
	case "stored":
	case "failed":
		err = errors.New(rest)
	case "error":
		code, text, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(code)
		err = &Error{Code: ErrorCode(n), Message: text, Err: errors.New("the cause")}
	case "read":
		body = data(t, rest)
	default:
		t.Fatalf("how did it end? %q", how)
	}
	c.e.completed(c.now, id, body, err)
}

func (c *conversation) pass(t *testing.T, args string) {
	t.Helper()
	d, err := time.ParseDuration(args)
	if err != nil {
		t.Fatal(err)
	}
	for end := c.now + d; ; {
		at, ok := c.e.deadline()
		if !ok || at > end {
			c.now = end
			return
		}
		c.now = max(c.now, at)
		c.e.tick(c.now)
		c.answers(fmt.Sprintf("%v ", c.now))
	}
}

func (c *conversation) answers(at string) {
	for {
		d, ok := c.e.send(c.now, c.buf)
		if !ok {
			break
		}
		name := ""
		for n, p := range testPeers {
			if netip.AddrPortFrom(p.Addr().Unmap(), p.Port()) == d.peer && n != "A" && n != "D" {
				name = n
			}
		}
		fmt.Fprintf(&c.out, "%s%s< %s\n", at, name, formatPacket(d.b))
	}
	begun, outcomes := c.e.take()
	for _, b := range begun {
		b.prepare()
		c.calls = append(c.calls, b)
		fmt.Fprintf(&c.out, "%s= call %s %q %d bytes\n", at, b.req.Op, b.req.Filename,
			len(b.req.Body))
	}
	for _, o := range outcomes {
		fmt.Fprintf(&c.out, "%s= end %s %q %d bytes: %v\n", at, o.Request.Op, o.Request.Filename,
			o.Bytes, o.Err)
	}
	if at != "" && c.e.idle() {
		fmt.Fprintf(&c.out, "%s= idle, %d bytes held\n", at, c.e.memory)
	}
}

// parsePacket reads a packet as people write it: WRQ "name" octet blksize=8, DATA 1 512 (that many
// bytes) or DATA 1 "text", ACK 1, ERROR 0 "text", OACK tsize=3, RAW 000405. A file name and a text
// stand in Go's quotes.
func parsePacket(t *testing.T, s string) []byte {
	t.Helper()
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "RRQ", "WRQ":
		q, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		name, _ := strconv.Unquote(q)
		op := opRRQ
		if word == "WRQ" {
			op = opWRQ
		}
		b := append([]byte{0, byte(op)}, name+"\x00"...)
		for i, f := range strings.Fields(rest[len(q):]) {
			if k, v, ok := strings.Cut(f, "="); ok && i > 0 {
				f = k + "\x00" + v
			}
			b = append(b, f+"\x00"...)
		}
		return b
	case "DATA":
		n, what, _ := strings.Cut(rest, " ")
		return append(appendHeader(nil, opDATA, uint16(integer(t, n))), data(t, what)...)
	case "ACK":
		return appendHeader(nil, opACK, uint16(integer(t, rest)))
	case "ERROR":
		code, text, _ := strings.Cut(rest, " ")
		return append(appendHeader(nil, opERROR, uint16(integer(t, code))), data(t, text)...)
	case "OACK":
		b := []byte{0, byte(opOACK)}
		for _, f := range strings.Fields(rest) {
			b = append(b, strings.Replace(f, "=", "\x00", 1)+"\x00"...)
		}
		return b
	case "RAW":
		b, err := hex.DecodeString(rest)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Fatalf("what packet is %q?", s)
	return nil
}

func integer(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// data is a number of bytes, or a quoted text.
func data(t *testing.T, s string) []byte {
	t.Helper()
	if text, err := strconv.Unquote(s); err == nil {
		return []byte(text)
	}
	return pattern(integer(t, s))
}

// pattern is n bytes that repeat nowhere near a block size.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func formatPacket(b []byte) string {
	op, n := header(b)
	switch op {
	case opDATA:
		if len(b) > headerSize+24 || len(b) == headerSize {
			return fmt.Sprintf("DATA %d, %d bytes", n, len(b)-headerSize)
		}
		return fmt.Sprintf("DATA %d %q", n, b[headerSize:])
	case opACK:
		return fmt.Sprintf("ACK %d", n)
	case opERROR:
		return fmt.Sprintf("ERROR %d %q", n, b[headerSize:])
	case opOACK:
		options, _ := parseOACK(b)
		return "OACK " + FormatOptions(options)
	case opRRQ, opWRQ:
		fields := bytes.Split(bytes.TrimSuffix(b[2:], []byte{0}), []byte{0})
		out := fmt.Sprintf("%s %q %s", map[opcode]string{opRRQ: "RRQ", opWRQ: "WRQ"}[op], fields[0],
			fields[1])
		for i := 2; i+1 < len(fields); i += 2 {
			out += fmt.Sprintf(" %s=%s", fields[i], fields[i+1])
		}
		return out
	}
	return fmt.Sprintf("RAW %x", b)
}
