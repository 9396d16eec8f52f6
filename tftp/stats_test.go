package tftp_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

func TestStats(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s := &tftp.Server{Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error {
		close(asked)
		<-answer
		return nil
	})}
	if _, err := s.Stats(t.Context()); err == nil {
		t.Error("a server that doesn't serve has statistics")
	}
	addr := start(t, s, "udp4", "127.0.0.1:0")
	put := make(chan error, 1)
	go func() { put <- (&tftp.Client{}).Put(t.Context(), addr, "x", make([]byte, 700)) }()
	<-asked
	got, err := s.Stats(t.Context())
	want := tftp.Stats{Writes: 1, Uploads: 1, Held: got.Held, PacketsIn: got.PacketsIn,
		BytesIn: got.BytesIn, PacketsOut: got.PacketsOut, BytesOut: got.BytesOut}
	if err != nil || got != want || got.Held < 700 || got.Held > 32<<10 || got.PacketsIn < 3 ||
		got.BytesIn < 700 || got.PacketsOut < 2 || got.BytesOut < 8 {
		t.Errorf("while it is stored: %+v, %v", got, err)
	}
	close(answer)
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Stats(t.Context()); err != nil || got.Uploads != 0 || got.Receipts != 1 ||
		got.Held != 0 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// TestStatsOfAHangingLoop: Stats doesn't answer for a loop that hangs.
func TestStatsOfAHangingLoop(t *testing.T) {
	hanging, free := make(chan struct{}), make(chan struct{})
	s := &tftp.Server{Handler: &memory{}, Ended: func(tftp.Outcome) { close(hanging); <-free }}
	addr := start(t, s, "udp4", "127.0.0.1:0")
	put := make(chan error, 1)
	go func() { put <- (&tftp.Client{}).Put(t.Context(), addr, "x", nil) }()
	<-hanging
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := s.Stats(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", got, err)
	}
	close(free)
	if err := <-put; err != nil {
		t.Error(err)
	}
}

func TestTrace(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	s := &tftp.Server{Handler: &memory{}, Trace: func(_ netip.AddrPort, sent bool, p tftp.Packet) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, fmt.Sprintf("%t %s", sent, p))
	}}
	addr := start(t, s, "udp4", "127.0.0.1:0")
	if err := (&tftp.Client{Blksize: 1024}).Put(t.Context(), addr, "a b\x1b",
		[]byte("secret")); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	got := strings.Join(lines, "\n")
	if want := `false WRQ "a b\x1b" octet blksize=1024 tsize=6
true OACK blksize=1024 tsize=6
false DATA 1, 6 bytes
true ACK 1`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPacketString(t *testing.T) {
	for packet, want := range map[string]string{
		"\x00\x01x\x00octet\x00":                  `RRQ "x" octet`,
		"\x00\x02x\x00octet\x00a\x1b\x001=2\x00b": `WRQ "x" octet "a\x1b"="1=2"`,
		"\x00\x02xyz":                             `WRQ "xyz" and no mode`,
		"\x00\x03\x00\x07abc":                     "DATA 7, 3 bytes",
		"\x00\x04\xff\xff":                        "ACK 65535",
		"\x00\x05\x00\x02no\x1b\x00":              `ERROR 2 "no\x1b"`,
		"\x00\x06":                                "2 bytes that are no TFTP packet",
		"\x00\x06\x00\x00":                        `OACK ""=""`,
		"\x00\x09\x00\x00":                        "4 bytes that are no TFTP packet",
		"":                                        "0 bytes that are no TFTP packet",
	} {
		if got := tftp.Packet(packet).String(); got != want {
			t.Errorf("%q prints as %s, want %s", packet, got, want)
		}
	}
}
