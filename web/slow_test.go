package web_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// slow asks for an address over n connections with so small a buffer, and reads nothing of the
// answers.
func (p program) slow(t *testing.T, path string, n, buffer int) (list []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", p.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.(*net.TCPConn).SetReadBuffer(buffer); err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\n\r\n",
			path, p.Listener.Addr(), base64.StdEncoding.EncodeToString([]byte(":"+p.secret)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// large is a configuration of n MB.
func large(n int) string {
	return gate("big", "04", "AAAAAAAA", "lan") + "config firewall address\n" +
		strings.Repeat("    set comment \"0123456789012345678901234567890123456789\"\n", n*1e6/58) +
		"end\n"
}

// TestManyLines: a page of a large difference or blame has a bound, and says so.
func TestManyLines(t *testing.T) {
	t.Parallel()
	s := serve(t, engines["sqlite"](t), nil)
	c := s.browser(t, store.Viewer, nil)
	small := id(s.put(t, "acme", "fw", gate("fw", "04", "AAAAAAAA", "lan")))
	at := id(s.put(t, "acme", "fw", gate("fw", "04", "AAAAAAAA", "lan")+"config x\n"+
		strings.Repeat("a\n", 101_000)+"end\n"))
	for path, all := range map[string]string{"/diff/0.." + at: "/api/v1/diff/0.." + at,
		"/diff/" + small + ".." + at + "?view=split": "/api/v1/diff/" + small + ".." + at,
		"/c/" + at + "/blame":                        "tftpsql blame @" + at} {
		code, body := s.get(t, c, path)
		rows := strings.Count(body, "<tr")
		if code != http.StatusOK || rows > 100_001 || !strings.Contains(body, all) {
			t.Errorf("%s: %d, %d rows: %s", path, code, rows, short(body))
		}
	}
}

// TestSlowReaders: who takes nothing of their answers holds up nobody else, and is cut off; who
// takes it slowly gets it whole.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	s := serve(t, engines["sqlite"](t), nil)
	path := "/c/" + id(s.put(t, "acme", "big", large(3)))
	other := s.program(t, store.Viewer, []string{"globex"})
	const within = 30 * time.Second // without the bounds it is a minute, and then an error
	quick := func(what string) {
		t.Helper()
		start := time.Now()
		if code, body := other.get(t, "/"); code != http.StatusOK || time.Since(start) > within {
			t.Errorf("%s: %d after %s: %s", what, code, time.Since(start), short(body))
		}
	}
	page := s.Config.Handler.(*web.Page)
	until := func(turns int) {
		t.Helper()
		for start := time.Now(); page.Held() != turns; time.Sleep(time.Millisecond) {
			if time.Since(start) > within { // nothing tells when a turn is taken
				t.Fatalf("%d turns are held, want %d", page.Held(), turns)
			}
		}
	}
	held := s.program(t, store.Viewer, nil).slow(t, path, 6, 2048)
	until(2)
	quick("one person is slow")
	for _, c := range held {
		_ = c.Close()
	}
	until(0)
	page.CutAfter(5 * time.Second)
	for range 3 {
		s.program(t, store.Viewer, nil).slow(t, path, 2, 2048)
	}
	until(6)
	quick("all turns are held")
	page.CutAfter(time.Second)
	c := s.program(t, store.Viewer, nil).slow(t, path, 1, 128<<10)[0]
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, r.Body, 512<<10)
		read += n
		time.Sleep(50 * time.Millisecond) // longer than CutAfter, in all
	}
	if err != io.EOF || read < 3e6 {
		t.Errorf("who reads slowly gets %d bytes, %v", read, err)
	}
}
