package cli

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

// TestFlood: while requests from 1,000 sources arrive that are never followed up, or are followed
// up by DATA without a look at the answer, so that they take all the transfers there may be,
// ordinary uploads end well.
func TestFlood(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.0/8 is this machine's on Linux alone")
	}
	t.Run("requests", func(t *testing.T) { flooded(t, 50_000, 5_000, "") })
	t.Run("requests and DATA", func(t *testing.T) {
		flooded(t, 30_000, 22_000, "\x00\x03\x00\x01abcdefgh")
	})
}

// flooded sends so many requests, each with what follows it, and uploads from when so many of them
// have come.
func flooded(t *testing.T, count, full int, data string) {
	p := start(t, databases["sqlite"](t))
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.addr))
	var flood sync.WaitGroup
	var asked atomic.Int64
	begun := make(chan struct{})
	for worker := range 4 {
		flood.Go(func() {
			// 10,000 a second in all: what a machine of two cores sends and serves
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for n := worker; n < count; n += 4 {
				if n/4%25 == 0 {
					<-tick.C
				}
				source := n % 1000
				c, err := net.DialUDP("udp4", &net.UDPAddr{
					IP: net.IPv4(127, 1, byte(source>>8), byte(source)), Port: 2000 + n/1000},
					server)
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
				if err := (&tftp.Client{Blksize: 512, Patience: 20 * time.Second}).Put(t.Context(),
					p.addr, fmt.Sprintf("fw%d.conf", n), body); err != nil {
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
	p.stop() // which writes the last failures
	p.status <- <-p.status
	var failed []wireFailure
	unmarshal(t, p.must(t, "failures", "--json"), &failed)
	reasons := map[string]bool{}
	for _, f := range failed {
		reasons[f.Reason] = true
	}
	if data == "" && !reasons["crowded out by other requests"] || reasons["internal error"] {
		t.Errorf("failures: %v", reasons)
	}
	t.Logf("100 uploads ended when %d of %d requests had come", during, count)
}

// hostile are characters that a terminal obeys, or by which a text looks like another.
const hostile = "\x1b\x07\r\x7f\u009b\u202e\u2066\u2028"

var hostileNames = []string{"\x1b]0;owned\x07", "'; DROP TABLE captures; --", "../../etc/passwd",
	"a\r\nlevel=ERROR msg=forged", "\u202egnp.fnoc",
	"\u2066x\u2069\u2028y", "\u009b31mred\x7f", "%s%n$(reboot)`id`", "--help", "\xff\xfe"}

// hostileGate is a configuration whose device has that name, as far as it fits into a line.
func hostileGate(name, web string) string {
	line := strings.NewReplacer("\r", "", "\n", "")
	return gate(line.Replace(name), "s", line.Replace(web), "x")
}

// TestHostileNames: what a device calls itself reaches a terminal, a log and SQL as text, whatever
// it is.
func TestHostileNames(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			everywhere(t, func(t *testing.T, url string) { hostileNamed(t, url, format) })
		})
	}
}

func hostileNamed(t *testing.T, url, format string) {
	p := launch(t, url, []string{"LOG_FORMAT=" + format},
		`listening"?[ ,]"?address"?[=:]"?([0-9.:]+)`)
	for i, name := range hostileNames {
		p.put(t, fmt.Sprintf("%s-%d.conf", name, i), hostileGate(name, "web"))
	}
	for _, args := range [][]string{{"devices"}, {"devices", "--json"}, {"log"}, {"log", "--json"},
		{"failures"}, {"failures", "--json"}, {"publish", "--list"},
		{"devices", "--overdue"}, {"search", "--json", "hostname"}} {
		_, out, errs := p.do(t, args...)
		if s := out + errs; strings.ContainsAny(s, hostile) || strings.ToValidUTF8(s, "") != s {
			t.Errorf("%q prints %q", args, s)
		}
	}
	var found []wireMatch
	unmarshal(t, p.must(t, "search", "--json", "hostname.*gnp"), &found)
	if len(found) != 1 || !strings.Contains(found[0].Text, "\u202egnp.fnoc") {
		t.Errorf("JSON says another text: %+v", found)
	}
	var devices []wireDevice
	unmarshal(t, p.must(t, "devices", "--json"), &devices)
	for _, d := range devices {
		ref := d.Site + "/" + d.Name
		for _, args := range [][]string{{"log", ref}, {"diff", ref},
			{"show", ref, "-o", os.DevNull}} {
			if status, out, errs := p.do(t, args...); status > 1 ||
				strings.ContainsAny(out+errs, hostile) && args[0] == "log" {
				t.Errorf("%q: exit status %d, %q %q", args, status, out, errs)
			}
		}
	}
	log := p.log.String()
	if strings.ContainsAny(log, hostile) || strings.Contains(log, "\nlevel=ERROR") {
		t.Errorf("the log has a name unquoted:\n%q", log)
	}
	if !strings.Contains(log, `\u202egnp.fnoc-`) {
		t.Errorf("the log doesn't name the file:\n%q", log)
	}
	if got := strings.Count(p.must(t, "devices"), "\n"); got != len(hostileNames)+1 {
		t.Errorf("%d devices for %d names:\n%s", got-1, len(hostileNames), p.must(t, "devices"))
	}
}

// TestFailuresBounded: a client that makes up file names and sources, with DATA or without, can't
// fill the database. Every failure is counted, and a device that failed before the flood or during
// it is listed.
func TestFailuresBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.0/8 is this machine's on Linux alone")
	}
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url, "-v")
		server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.addr))
		total, answer := int64(0), make([]byte, 100)
		// giveUp begins an upload, sends blocks of it and gives up. It waits for each answer, so
		// that no packet gets lost.
		giveUp := func(source net.IP, name string, blocks ...string) {
			c, err := net.DialUDP("udp4", &net.UDPAddr{IP: source}, server)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			for _, packet := range append([]string{"\x00\x02" + name +
				"\x00octet\x00blksize\x008\x00"}, blocks...) {
				if _, err := io.WriteString(c, packet); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(answer); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(c, "\x00\x05\x00\x00enough\x00"); err != nil {
				t.Fatal(err)
			}
			total++
		}
		const block = "\x00\x03\x00\x0112345678"
		list := func() (list []wireFailure, sum int64) {
			unmarshal(t, p.must(t, "failures", "--json"), &list)
			for _, f := range list {
				sum += f.Times
			}
			return list, sum
		}
		giveUp(net.IPv4(127, 0, 0, 9), "honest.conf", block)
		giveUp(net.IPv4(127, 0, 0, 11), "first.conf", "\x00\x02second.conf\x00octet\x00")
		total++ // it is two
		for n := range 600 {
			giveUp(net.IPv4(127, 0, 0, 1), fmt.Sprintf("names%d.conf", n), block)
		}
		for n := range 600 {
			giveUp(net.IPv4(127, 3, byte(n>>8), byte(n)), fmt.Sprintf("sources%d.conf", n))
		}
		giveUp(net.IPv4(127, 0, 0, 10), "beside.conf", block)
		for n := range 600 {
			giveUp(net.IPv4(127, 4, byte(n>>8), byte(n)), fmt.Sprintf("both%d.conf", n), block)
		}
		rows, sum := list()
		for written := 1; sum < total; written++ {
			p.log.wait(t, fmt.Sprintf(`(?s)(failures kept.*){%d}`, written))
			rows, sum = list()
		}
		if sum != total {
			t.Errorf("%d failures are counted of %d", sum, total)
		}
		hours, of, seen, reasons := map[time.Time]int{}, map[string]int{}, map[string]int64{},
			map[string]int64{}
		for _, f := range rows {
			hours[f.LastAt.Truncate(time.Hour)]++
			of[f.Source]++
			seen[f.Source+" "+f.Filename] += f.Times
			reasons[f.Reason] += f.Times
		}
		for hour, n := range hours {
			if n > 520 { // 500, and what the rest is counted in
				t.Errorf("%d rows are of the hour of %s", n, hour)
			}
		}
		if n := of["127.0.0.1"]; n > 51*len(hours) {
			t.Errorf("one source has %d rows", n)
		}
		if seen["127.0.0.9 honest.conf"] != 1 || seen["127.0.0.10 beside.conf"] != 1 ||
			seen["127.0.0.1 others"] == 0 || seen["others others"] == 0 {
			t.Errorf("%d rows: %v", len(rows), seen)
		}
		if len(reasons) != 2 || reasons["begun anew by the device"] != 1 {
			t.Errorf("reasons: %v", reasons)
		}
		if out := p.must(t, "failures"); !strings.Contains(out, "others") ||
			!strings.Contains(out, "given up by the device") {
			t.Errorf("failures:\n%s", out)
		}
	})
}
