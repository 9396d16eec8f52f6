package tftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

// memory is a handler that keeps files in a map.
type memory struct {
	mu    sync.Mutex // guards files
	files map[string][]byte
}

func (m *memory) ServeTFTP(_ context.Context, r *tftp.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = make(map[string][]byte)
	}
	m.files[r.Filename] = r.Body
	return nil
}

func (m *memory) ReadTFTP(_ context.Context, r *tftp.Request) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.files[r.Filename]
	if !ok {
		return nil, &tftp.Error{Code: tftp.CodeNotFound, Message: "file not found"}
	}
	return body, nil
}

// start serves on a loopback port until the test ends, and returns its address.
func start(t testing.TB, s *tftp.Server, network, address string) string {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(c) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, tftp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return c.LocalAddr().String()
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = "ab\r\n\x00"[r.IntN(5)]
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	addr := start(t, &tftp.Server{Handler: &memory{}}, "udp4", "127.0.0.1:0")
	for _, c := range []tftp.Client{
		{}, {Blksize: 8}, {Blksize: 1428}, {Blksize: 65464}, {Windowsize: 16},
		{Blksize: 1428, Windowsize: 64}, {Timeout: 3 * time.Second},
		{Mode: tftp.Netascii}, {Mode: tftp.Netascii, Blksize: 9, Windowsize: 5},
	} {
		t.Run(fmt.Sprintf("%s,blksize=%d,windowsize=%d", c.Mode, c.Blksize, c.Windowsize),
			func(t *testing.T) {
				t.Parallel()
				block := max(c.Blksize, 512)
				for _, size := range []int{0, 1, block - 1, block, block + 1, 3*block - 1,
					3 * block, 100000} {
					name := fmt.Sprint(t.Name(), size)
					body := random(size)
					if err := c.Put(t.Context(), addr, name, body); err != nil {
						t.Fatal(size, err)
					}
					got, err := c.Get(t.Context(), addr, name)
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("%d bytes: %d came back, err %v", size, len(got), err)
					}
				}
			})
	}
}

// TestRollOver sends more blocks than there are block numbers, twice over.
func TestRollOver(t *testing.T) {
	addr := start(t, &tftp.Server{Handler: &memory{}}, "udp4", "127.0.0.1:0")
	body := random(2*65536*8 + 12345)
	c := tftp.Client{Blksize: 8, Windowsize: 1000}
	if err := c.Put(t.Context(), addr, "big", body); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), addr, "big")
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back of %d, err %v", len(got), len(body), err)
	}
}

func TestFamilies(t *testing.T) {
	both := start(t, &tftp.Server{Handler: &memory{}}, "udp", ":0")
	_, port, _ := net.SplitHostPort(both)
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		if host == "::1" {
			if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
				t.Log("no IPv6 here:", err)
				continue
			} else {
				c.Close()
			}
		}
		// The client takes answers from the address that it asked, and from no other.
		if err := (&tftp.Client{Patience: 3 * time.Second}).Put(t.Context(),
			net.JoinHostPort(host, port), "x", []byte("y")); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestErrorsReachTheClient(t *testing.T) {
	secret := errors.New("password=secret")
	var log lockedBuffer
	handler := tftp.HandlerFunc(func(_ context.Context, r *tftp.Request) error {
		r.Annotate(slog.String("device", "fw1"))
		switch r.Filename {
		case "full":
			return fmt.Errorf("wrapped: %w", &tftp.Error{Code: tftp.CodeFull,
				Message: "storage full", Err: secret})
		case "plain":
			return secret
		case "panic":
			panic(secret)
		}
		return nil
	})
	s := &tftp.Server{Handler: handler, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	addr := start(t, s, "udp4", "127.0.0.1:0")
	for name, want := range map[string]tftp.PeerError{
		"full": {Code: 3, Message: "storage full"}, "plain": {Code: 0, Message: "internal error"},
		"panic": {Code: 0, Message: "internal error"},
	} {
		err := (&tftp.Client{}).Put(t.Context(), addr, name, []byte("x"))
		var said *tftp.PeerError
		if !errors.As(err, &said) || *said != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&tftp.Client{}).Get(t.Context(), addr, "x"); err == nil ||
		!strings.Contains(err.Error(), "not allowed") {
		t.Errorf("a read of a handler without reads: %v", err)
	}
	if err := (&tftp.Client{}).Put(t.Context(), addr, "fine", []byte("x")); err != nil {
		t.Error(err)
	}
	s.Close() // when it has ended, every line is written
	for _, want := range []string{"password=secret", "device=fw1", "msg=received", "msg=failed",
		"msg=refused"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}

// TestLog: each line says what the operator needs: the size that an upload announced where another
// came, the name and the mode of a request that was refused.
func TestLog(t *testing.T) {
	const tsize = "octet\x00tsize\x00"
	for request, want := range map[string][]string{
		"\x00\x02a.cfg\x00" + tsize + "3\x00": {"level=INFO msg=received ", "bytes=3"},
		"\x00\x02b.cfg\x00" + tsize + "900\x00": {"level=WARN",
			`msg="received, but not as many bytes as announced"`, "bytes=3", "announced=900"},
		"\x00\x02c.cfg\x00" + tsize + "2\x00":         {"level=WARN", "bytes=3", "announced=2"},
		"\x00\x02d.cfg\x00" + tsize + "0\x00":         {"level=INFO msg=received "},
		"\x00\x02e.cfg\x00netascii\x00tsize\x007\x00": {"level=INFO msg=received "},
		"\x00\x02f.cfg\x00mail\x00":                   {"msg=refused", "file=f.cfg", "mode=mail"},
		"\x00\x02g.cfg\x00oct":                        {"msg=refused", "file=g.cfg", "mode=oct"},
		"\x00\x02h.cfg":                               {"msg=refused", "file=h.cfg"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, log := newPipe(), &bytes.Buffer{}
			s := &tftp.Server{Handler: &memory{}, Logger: slog.New(slog.NewTextHandler(log, nil))}
			done := make(chan error, 1)
			go func() { done <- s.Serve(p) }()
			begin := time.Now()
			p.in <- []byte(request)
			p.answer(begin)
			if !strings.Contains(strings.Join(want, ""), "refused") {
				p.in <- []byte("\x00\x03\x00\x01abc")
				p.answer(begin)
			}
			s.Close()
			<-done
			for _, part := range want {
				if !strings.Contains(log.String(), part) {
					t.Errorf("%q: the log has no %q:\n%s", request, part, log)
				}
			}
		})
	}
}

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestRandomDatagrams throws whatever at a server: it goes on answering.
func TestRandomDatagrams(t *testing.T) {
	addr := start(t, &tftp.Server{Handler: &memory{}}, "udp4", "127.0.0.1:0")
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) > 1 && r.IntN(2) == 0 {
			b[0], b[1] = 0, byte(r.IntN(8))
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&tftp.Client{}).Put(t.Context(), addr, "x", []byte("y")); err != nil {
		t.Error(err)
	}
}

// TestICMP: clients that go away make the system send "port unreachable" for what the server sends
// them; others don't notice.
func TestICMP(t *testing.T) {
	m := &memory{files: map[string][]byte{"big": random(100000)}}
	addr := start(t, &tftp.Server{Handler: m}, "udp4", "127.0.0.1:0")
	for range 50 {
		c, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Write([]byte("\x00\x01big\x00octet\x00"))
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := (&tftp.Client{Blksize: 1428}).Get(t.Context(), addr, "big"); err != nil ||
			!bytes.Equal(got, random(100000)) {
			t.Fatal(len(got), err)
		}
	}
}

func TestCancel(t *testing.T) {
	release := make(chan struct{})
	addr := start(t, &tftp.Server{Handler: tftp.HandlerFunc(func(context.Context,
		*tftp.Request) error {
		<-release
		return nil
	})}, "udp4", "127.0.0.1:0")
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	c := tftp.Client{Progress: func(done, total int64) {
		if done == 512 && total == 600 {
			cancel() // the last block is under way
		}
	}}
	if err := c.Put(ctx, addr, "x", make([]byte, 600)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClientRefusesNonsense(t *testing.T) {
	for _, c := range []tftp.Client{{Blksize: 7}, {Blksize: 65465}, {Windowsize: 65536},
		{Timeout: 256 * time.Second}} {
		if err := c.Put(t.Context(), "127.0.0.1:1", "x", nil); err == nil ||
			!strings.Contains(err.Error(), "must be") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", 513)} {
		if err := (&tftp.Client{}).Put(t.Context(), "127.0.0.1:1", name, nil); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

// pipe is a net.PacketConn in memory, on which fake time works.
type pipe struct {
	in, out  chan []byte
	deadline chan time.Time
	at       time.Time
	closed   chan struct{}
	once     sync.Once
}

var pipeAddr = &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1024}

func newPipe() *pipe {
	return &pipe{in: make(chan []byte, 100), out: make(chan []byte, 100),
		deadline: make(chan time.Time, 100), closed: make(chan struct{})}
}

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		var expired <-chan time.Time
		if !p.at.IsZero() {
			expired = time.After(time.Until(p.at))
		}
		select {
		case p.at = <-p.deadline:
			continue
		default:
		}
		select {
		case p.at = <-p.deadline:
		case d := <-p.in:
			return copy(b, d), pipeAddr, nil
		case <-expired:
			return 0, nil, os.ErrDeadlineExceeded
		case <-p.closed:
			return 0, nil, net.ErrClosed
		}
	}
}

func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.out <- bytes.Clone(b)
	return len(b), nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
func (p *pipe) LocalAddr() net.Addr                { return pipeAddr }
func (p *pipe) SetDeadline(time.Time) error        { panic("not used") }
func (p *pipe) SetWriteDeadline(time.Time) error   { panic("not used") }
func (p *pipe) SetReadDeadline(at time.Time) error { p.deadline <- at; return nil }

// answer waits for the next datagram and returns it with the time that has passed since from.
func (p *pipe) answer(from time.Time) string {
	b := <-p.out
	return fmt.Sprintf("%v %q", time.Since(from), b)
}

const wrq = "\x00\x02fw1\x00octet\x00"

// TestTimers proves on fake time that the loop sleeps until the engine's deadlines and no longer.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		s := &tftp.Server{Handler: &memory{}}
		done := make(chan error, 1)
		go func() { done <- s.Serve(p) }()
		begin := time.Now()
		p.in <- []byte(wrq)
		for _, want := range []string{`0s "\x00\x04\x00\x00"`, `500ms "\x00\x04\x00\x00"`,
			`1.5s "\x00\x04\x00\x00"`} {
			if got := p.answer(begin); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		s.Close()
		if err := <-done; !errors.Is(err, tftp.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// TestReceiptWaitsForHandler proves on fake time that the final ACK leaves when the handler
// returns, and wakes the loop.
func TestReceiptWaitsForHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		s := &tftp.Server{Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error {
			time.Sleep(7 * time.Second)
			return nil
		})}
		done := make(chan error, 1)
		go func() { done <- s.Serve(p) }()
		begin := time.Now()
		p.in <- []byte(wrq)
		p.answer(begin)
		p.in <- []byte("\x00\x03\x00\x01x")
		if got := p.answer(begin); got != `7s "\x00\x04\x00\x01"` {
			t.Error(got)
		}
		s.Close()
		<-done
	})
}

// TestDataBeyondTheEnd: an upload whose client sends more after the last block has failed, and is
// logged as a warning, though its receipt has left.
func TestDataBeyondTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, log := newPipe(), &bytes.Buffer{}
		var failed []tftp.Outcome
		s := &tftp.Server{Handler: &memory{}, Logger: slog.New(slog.NewTextHandler(log, nil)),
			Ended: func(o tftp.Outcome) {
				if o.Err != nil {
					failed = append(failed, o)
				}
			}}
		done := make(chan error, 1)
		go func() { done <- s.Serve(p) }()
		begin := time.Now()
		p.in <- []byte(wrq)
		p.answer(begin)
		p.in <- []byte("\x00\x03\x00\x01x")
		p.answer(begin)
		p.in <- []byte("\x00\x03\x00\x02y")
		if got := p.answer(begin); !strings.Contains(got, "data after the last block") {
			t.Error(got)
		}
		s.Close()
		<-done
		if len(failed) != 1 || failed[0].Again || failed[0].Bytes != 1 {
			t.Errorf("%+v", failed)
		}
		if !strings.Contains(log.String(), "level=WARN msg=failed op=write") {
			t.Error(log)
		}
	})
}

// TestShutdown proves on fake time: requests are dropped, what runs goes on until the context ends
// and is told then, the handler is waited for, and its receipt lingers a second.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		s := &tftp.Server{Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error {
			time.Sleep(12 * time.Second)
			return nil
		})}
		served := make(chan error, 1)
		go func() { served <- s.Serve(p) }()
		begin := time.Now()
		p.in <- []byte(wrq)
		p.answer(begin)
		p.in <- []byte("\x00\x03\x00\x01x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		shut := make(chan error, 1)
		go func() { shut <- s.Shutdown(ctx) }()
		synctest.Wait()
		p.in <- []byte("\x00\x02other\x00octet\x00") // dropped: the next answer is the receipt
		if got := p.answer(begin); got != `12s "\x00\x04\x00\x01"` {
			t.Error(got)
		}
		if err := <-shut; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, tftp.ErrServerClosed) {
			t.Error(err)
		}
		if d := time.Since(begin); d != 13*time.Second {
			t.Errorf("it ended after %v: a receipt lingers a second", d)
		}
		if err := s.Serve(newPipe()); !errors.Is(err, tftp.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestShutdownOfAnIdleServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tftp.Server{Handler: &memory{}}
		served := make(chan error, 1)
		go func() { served <- s.Serve(newPipe()) }()
		synctest.Wait()
		begin := time.Now()
		if err := errors.Join(s.Shutdown(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, tftp.ErrServerClosed) || time.Since(begin) != 0 {
			t.Error(err, time.Since(begin))
		}
	})
}

// TestRatesAreOfAllSockets: what one address may do counts over all sockets of a server.
func TestRatesAreOfAllSockets(t *testing.T) {
	s := &tftp.Server{Handler: &memory{}}
	errors := 0
	for range 2 {
		c, err := net.Dial("udp4", start(t, s, "udp4", "127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 100 {
			if _, err := c.Write([]byte("\x00\x04\x00\x01")); err != nil { // of no transfer
				t.Fatal(err)
			}
		}
		if _, err := c.Write([]byte("\x00\x02f\x00octet\x00")); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 600); ; errors++ {
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(b[:n], []byte{0, 4, 0, 0}) {
				break // the request's answer, behind all others
			}
		}
	}
	if errors < 50 || errors > 60 { // 50 a second for one address
		t.Errorf("%d ERRORs came", errors)
	}
}
