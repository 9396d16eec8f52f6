package cli

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
)

// lossyProxy passes datagrams between clients and a server, and loses the first for which lose says
// so.
type lossyProxy struct {
	addr string
	lost chan struct{} // closed when a datagram has been lost
}

// newLossyProxy runs a proxy until the test ends. With doubleOACK each OACK arrives twice. lose is
// asked for each datagram, toServer telling which way it goes.
func newLossyProxy(t *testing.T, server string, doubleOACK bool,
	lose func(toServer bool, b []byte) bool) *lossyProxy {
	t.Helper()
	front, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossyProxy{addr: front.LocalAddr().String(), lost: make(chan struct{})}
	var once sync.Once
	passes := func(toServer bool, b []byte) (passes bool) {
		passes = true
		if lose(toServer, b) {
			once.Do(func() {
				passes = false
				close(p.lost)
			})
		}
		return passes
	}
	var backs []net.Conn // one a client
	var done sync.WaitGroup
	t.Cleanup(func() {
		_ = front.Close()
		done.Wait()
	})
	done.Go(func() { // ends when front is closed
		defer func() {
			for _, b := range backs {
				_ = b.Close()
			}
		}()
		clients := map[string]net.Conn{}
		b := make([]byte, 65535)
		for {
			n, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			back := clients[from.String()]
			if back == nil {
				if back, err = net.Dial("udp4", server); err != nil {
					return
				}
				clients[from.String()], backs = back, append(backs, back)
				done.Go(func() { // ends when back is closed
					b := make([]byte, 65535)
					for {
						n, err := back.Read(b)
						if err != nil {
							return
						}
						if passes(false, b[:n]) {
							_, _ = front.WriteTo(b[:n], from)
						}
						if doubleOACK && b[1] == 6 {
							_, _ = front.WriteTo(b[:n], from)
						}
					}
				})
			}
			if passes(true, b[:n]) {
				_, _ = back.Write(b[:n])
			}
		}
	})
	return p
}

// TestRealClientsWithLoss loses one packet at the start, in the middle or at the end of transfers
// by other people's clients.
func TestRealClientsWithLoss(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("clients wait for seconds before they repeat")
	}
	const size, blocks = 5*512 + 100, 6
	body := randomBytes(size)
	p := start(t, databases["sqlite"](t))
	p.put(t, "stored", string(body))
	var clients sync.WaitGroup
	atOnce := make(chan struct{}, 8) // more would make clients late for a reason of the test's own
	defer clients.Wait()             // before the server stops
	is := func(op, block byte) func([]byte) bool {
		return func(b []byte) bool { return bytes.HasPrefix(b, []byte{0, op, 0, block}) }
	}
	request := func(b []byte) bool { return b[1] == 1 || b[1] == 2 }
	anything := func([]byte) bool { return true }
	for _, name := range []string{"curl", "tftp-hpa", "atftp", "busybox"} {
		c := realClients[name]
		program, err := exec.LookPath(c.program)
		if err != nil {
			pgtest.Missing(t, err)
		}
		for what, lost := range map[string]struct {
			put, toServer bool
			is            func([]byte) bool
		}{
			"put: the request":      {true, true, request},
			"put: the first answer": {true, false, anything},
			"put: DATA 3":           {true, true, is(3, 3)},
			"put: ACK 3":            {true, false, is(4, 3)},
			"put: the last DATA":    {true, true, is(3, blocks)},
			"put: the receipt":      {true, false, is(4, blocks)},
			"get: the request":      {false, true, request},
			"get: the first answer": {false, false, anything},
			"get: DATA 3":           {false, false, is(3, 3)},
			"get: ACK 3":            {false, true, is(4, 3)},
			"get: the last DATA":    {false, false, is(3, blocks)},
			"get: the last ACK":     {false, true, is(4, blocks)},
		} {
			proxy := newLossyProxy(t, p.addr, false,
				func(toServer bool, b []byte) bool {
					return toServer == lost.toServer &&
						lost.is(b)
				})
			host, port, _ := net.SplitHostPort(proxy.addr)
			dir := t.TempDir()
			clients.Go(func() {
				atOnce <- struct{}{}
				defer func() { <-atOnce }()
				local, remote := filepath.Join(dir, "local"), "stored"
				args := c.get(host, port, local, remote)
				if lost.put {
					remote = name + "-port" + port
					if err := os.WriteFile(local, body, 0o600); err != nil {
						t.Error(err)
					}
					args = c.put(host, port, local, remote)
				}
				if name == "curl" {
					args = append(args, "-m", "60") // without a limit curl repeats after 72 s
				}
				out, err := exec.Command(program, args...).CombinedOutput()
				if err != nil {
					t.Errorf("%s, %s: %v\n%s", name, what, err, out)
				}
				select {
				case <-proxy.lost:
				// the client has gone; what it sent last may still be under way
				case <-time.After(time.Minute):
					t.Errorf("%s, %s: nothing was lost", name, what)
				}
				got, err := os.ReadFile(local)
				if lost.put {
					got = []byte(p.must(t, "show", remote))
				}
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s, %s: %d bytes of %d arrived, %v", name, what, len(got), len(body),
						err)
				}
			})
		}
	}
}

// TestDoubledOACK: an OACK that arrives twice makes curl 7.88 send its second block as the first.
// It may fail, but a file that it takes for sent is whole.
func TestDoubledOACK(t *testing.T) {
	p := start(t, databases["sqlite"](t))
	body := randomBytes(5*512 + 100)
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curl", "atftp-options"} {
		c := realClients[name]
		program, err := exec.LookPath(c.program)
		if err != nil {
			pgtest.Missing(t, err)
		}
		proxy := newLossyProxy(t, p.addr, true, func(bool, []byte) bool { return false })
		host, port, _ := net.SplitHostPort(proxy.addr)
		out, err := exec.Command(program, c.put(host, port, local,
			"doubled-"+name)...).CombinedOutput()
		status, got, _ := p.do(t, "show", "doubled-"+name)
		t.Logf("%s: %v, stored: %v", name, err, status == 0)
		if status == 0 && got != string(body) || err == nil && status != 0 {
			t.Errorf("%s: %v\n%s\n%d bytes of %d are stored, status %d", name, err, out, len(got),
				len(body), status)
		}
	}
}
