package worker

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowRequests: whoever sends slowly, without an end or too much is cut off within the bounds,
// and meanwhile others are answered.
func TestSlowRequests(t *testing.T) {
	h := newHealth(slog.New(slog.DiscardHandler), "")
	h.page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := h.over(100*time.Millisecond, 200*time.Millisecond)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	}()
	post := "POST / HTTP/1.1\r\nHost: x\r\n"
	for name, begin := range map[string]string{
		"no request":       "",
		"half a line":      "GET /heal",
		"half a header":    "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
		"slow body":        post + "Content-Length: 100\r\n\r\nabc",
		"endless body":     post + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"body of petabyte": post + "Content-Length: 999999999999999\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, l)
			if _, err := io.WriteString(c, begin); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(c); err != nil { // the end, and no time-out of ours
				t.Errorf("it isn't cut off: %v", err)
			}
		})
	}
	for size, want := range map[int]string{8 << 10: "200", 64 << 10: "431"} {
		c := dial(t, l)
		_, err := fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n",
			strings.Repeat("a", size))
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil ||
			!strings.Contains(line, want) {
			t.Errorf("a header of %d bytes: %q, %v", size, line, err)
		}
	}
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}
