package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

// TestFlood: while requests from 1,000 sources arrive that nobody follows up, or that are followed up by DATA without looking at the
// answer, so that all the transfers there may be are theirs, ordinary uploads end well.
func TestFlood(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.0/8 is this machine's on Linux alone")
	}
	t.Run("requests", func(t *testing.T) { flooded(t, 50_000, 5_000, "") })
	t.Run("requests and DATA", func(t *testing.T) { flooded(t, 30_000, 22_000, "\x00\x03\x00\x01abcdefgh") })
}

// flooded sends so many requests, each with what follows it, and uploads from when so many of them have come.
func flooded(t *testing.T, count, full int, data string) {
	p := start(t, databases["sqlite"](t))
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.addr))
	var flood sync.WaitGroup
	var asked atomic.Int64
	begun := make(chan struct{})
	for worker := range 4 {
		flood.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond) // 10,000 a second in all: what a machine of two cores sends and serves
			defer tick.Stop()
			for n := worker; n < count; n += 4 {
				if n/4%25 == 0 {
					<-tick.C
				}
				source := n % 1000
				c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 1, byte(source>>8), byte(source)), Port: 2000 + n/1000}, server)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = fmt.Fprintf(c, "\x00\x02flood%d\x00octet\x00blksize\x008\x00", n)
				if err == nil && data != "" {
					_, err = io.WriteString(c, data)
				}
				_ = c.Close() // nothing is read from it
				if err != nil {
					t.Error(err)
					return
				}
				if asked.Add(1) == int64(full) {
					close(begun)
				}
			}
		})
	}
	<-begun
	var uploads sync.WaitGroup
	for worker := range 4 {
		uploads.Go(func() {
			tick := time.NewTicker(150 * time.Millisecond) // through the flood's whole time
			defer tick.Stop()
			for n := worker; n < 100; n += 4 {
				<-tick.C
				body := []byte(gate(fmt.Sprintf("fw%d", n), "s", strings.Repeat("web", 1000), "x"))
				if err := (&tftp.Client{Blksize: 512, Patience: 20 * time.Second}).Put(t.Context(), p.addr, fmt.Sprintf("fw%d.conf", n), body); err != nil {
					t.Errorf("upload %d: %v", n, err)
				}
			}
		})
	}
	uploads.Wait()
	during := asked.Load()
	flood.Wait()
	if got := strings.Count(p.must(t, "devices"), "\n"); got != 101 {
		t.Errorf("%d devices are listed of 100", got-1)
	}
	if lines := strings.Count(p.log.String(), "\n"); lines > 2000 {
		t.Errorf("the flood made %d log lines", lines)
	}
	t.Logf("100 uploads ended when %d of %d requests had come", during, count)
}

// TestHostileNames: what a device calls itself reaches a terminal, a log and SQL as text, whatever it is.
func TestHostileNames(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		names := []string{"\x1b]0;owned\x07", "'; DROP TABLE captures; --", "../../etc/passwd", "a\r\nlevel=ERROR msg=forged", "\u202egnp.fnoc", "%s%n$(reboot)`id`", "--help", "\xff\xfe"}
		for i, name := range names {
			p.put(t, fmt.Sprintf("%s-%d.conf", strings.ReplaceAll(name, "\x00", ""), i), gate(strings.NewReplacer("\r", "", "\n", "").Replace(name), "s", "web", "x"))
		}
		for _, args := range [][]string{{"devices"}, {"devices", "--json"}, {"log"}, {"log", "--json"}, {"failures"}, {"publish", "--list"}, {"devices", "--overdue"}} {
			_, out, errs := p.do(t, args...)
			if s := out + errs; strings.ContainsAny(s, "\x1b\x07\r\u202e") || strings.ToValidUTF8(s, "") != s {
				t.Errorf("%q prints %q", args, s)
			}
		}
		var devices []deviceJSON
		unmarshal(t, p.must(t, "devices", "--json"), &devices)
		for _, d := range devices {
			ref := d.Site + "/" + d.Name
			for _, args := range [][]string{{"log", ref}, {"diff", ref}, {"show", ref, "-o", os.DevNull}} {
				if status, out, errs := p.do(t, args...); status > 1 || strings.ContainsAny(out+errs, "\x1b\x07\r") && args[0] == "log" {
					t.Errorf("%q: exit status %d, %q %q", args, status, out, errs)
				}
			}
		}
		if log := p.log.String(); strings.ContainsAny(log, "\x1b\x07\u202e") || strings.Contains(log, "\nlevel=ERROR") {
			t.Errorf("the log has a name unquoted:\n%q", log)
		}
		if got := strings.Count(p.must(t, "devices"), "\n"); got != len(names)+1 {
			t.Errorf("%d devices for %d names:\n%s", got-1, len(names), p.must(t, "devices"))
		}
	})
}
