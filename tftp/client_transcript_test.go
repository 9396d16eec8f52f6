package tftp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestClientTranscripts plays conversations with a client; see TestTranscripts. They begin with
// "put SIZE" or "get MAX", the request's options behind it ("blksize=8 windowsize=2 netascii"); the
// server is at port 69 and answers from port 2000 of the same address ("> PACKET"), "X> PACKET"
// comes from another port of it, "Y> PACKET" from another host.
func TestClientTranscripts(t *testing.T) { playAll(t, "testdata/client", playClient) }

var serverPeers = map[string]netip.AddrPort{
	"": netip.MustParseAddrPort("192.0.2.69:2000"), "P": netip.MustParseAddrPort("192.0.2.69:69"),
	"X": netip.MustParseAddrPort("192.0.2.69:2001"),
	"Y": netip.MustParseAddrPort("192.0.2.70:2000"),
}

func playClient(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	var i *initiator
	var now time.Duration
	buf := make([]byte, maxDatagram)
	ended := false
	answers := func(at string) {
		for {
			d, ok := i.send(now, buf)
			if !ok {
				break
			}
			name := "?"
			for n, p := range serverPeers {
				if p == d.peer {
					name = n
				}
			}
			fmt.Fprintf(&out, "%s%s< %s\n", at, name, formatPacket(d.b))
		}
		if i.phase >= dallying && !ended {
			ended = true
			fmt.Fprintf(&out, "%s= end %d bytes: %v\n", at, i.done(), i.err)
			if i.req.Op == OpRead && i.err == nil {
				fmt.Fprintf(&out, "%s= body %q of %d bytes\n", at, i.body[:min(24, len(i.body))],
					len(i.body))
			}
		}
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		peer, rest, sends := strings.Cut(line, "> ")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			fmt.Fprintln(&out, line)
			continue
		case isAnswer.MatchString(line):
			continue
		}
		fmt.Fprintln(&out, line)
		word, args, _ := strings.Cut(line, " ")
		switch {
		case sends:
			i.packet(now, serverPeers[peer], parsePacket(t, rest))
		case word == "put" || word == "get":
			i = newTestInitiator(t, word, strings.Fields(args))
		case word == "cancel":
			i.cancel(fmt.Errorf("cancelled"))
		case word == "+":
			d, err := time.ParseDuration(args)
			if err != nil {
				t.Fatal(err)
			}
			for end := now + d; ; {
				if i.phase == over || i.deadline() > end {
					now = end
					break
				}
				now = max(now, i.deadline())
				i.tick(now)
				answers(fmt.Sprintf("%v ", now))
			}
		default:
			t.Fatalf("unknown line %q", line)
		}
		answers("")
	}
	return out.String()
}

func newTestInitiator(t *testing.T, word string, args []string) *initiator {
	t.Helper()
	r := &Request{Op: OpWrite, Filename: "fw1", Mode: Octet}
	c := &Client{}
	var body []byte
	if word == "get" {
		r.Op = OpRead
		c.MaxSize = int64(integer(t, args[0]))
	} else {
		body = pattern(integer(t, args[0]))
	}
	for _, a := range args[1:] {
		if a == "netascii" {
			r.Mode = Netascii
			continue
		}
		k, v, _ := strings.Cut(a, "=")
		if _, err := strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
		r.Options = append(r.Options, Option{k, v})
	}
	return newInitiator(0, r, body, serverPeers["P"], c)
}
