//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tftpsql/tftpsql/tftp"
)

// serve is what a child of bench does: bench serve NAME ADDRESS.
func serve(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench serve NAME ADDRESS")
	}
	addr, err := netip.ParseAddrPort(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case engine:
		return serveEngine(addr)
	case echo:
		return serveEcho(addr)
	}
	return fmt.Errorf("no server %q", args[0])
}

// taker counts uploads, and serves one file to all that ask: the newest upload of that name. It
// keeps bodies while it is told to.
type taker struct {
	uploads, bytes  atomic.Int64
	newest, fetched atomic.Pointer[[]byte]

	mu   sync.Mutex // guards kept
	kept map[string][]byte
}

func (t *taker) ServeTFTP(_ context.Context, r *tftp.Request) error {
	t.uploads.Add(1)
	t.bytes.Add(int64(len(r.Body)))
	t.newest.Store(&r.Body)
	if r.Filename == fetched {
		t.fetched.Store(&r.Body)
	}
	t.mu.Lock()
	if t.kept != nil {
		t.kept[r.Filename] = r.Body
	}
	t.mu.Unlock()
	return nil
}

// answer answers a line of bench's.
func (t *taker) answer(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch line {
	case "keep":
		t.kept = map[string][]byte{}
		fmt.Println()
	case "sums":
		out := bufio.NewWriter(os.Stdout)
		for name, body := range t.kept {
			fmt.Fprintf(out, "%s %x\n", name, sum(body))
		}
		fmt.Fprintln(out)
		_ = out.Flush() // bench has gone
		t.kept = nil
	default:
		var newest []byte
		if b := t.newest.Load(); b != nil {
			newest = *b
		}
		fmt.Printf("%d %d %x\n", t.uploads.Load(), t.bytes.Load(), sum(newest))
	}
}

func (t *taker) ReadTFTP(context.Context, *tftp.Request) ([]byte, error) {
	if b := t.fetched.Load(); b != nil {
		return *b, nil
	}
	return nil, &tftp.Error{Code: tftp.CodeNotFound, Message: "file not found"}
}

// fetched is the file that workloads of reading read.
const fetched = "fetched"

// profileDir is the variable that says where an engine leaves its profile.
const profileDir = "TFTPSQL_BENCH_PROFILE"

// serveEngine is package tftp alone. Bodies in flight may be 5,000 times 200 KB.
func serveEngine(addr netip.AddrPort) error {
	socket, err := net.ListenPacket("udp4", addr.String())
	if err != nil {
		return err
	}
	t := &taker{}
	endProfile := func() {}
	if dir := os.Getenv(profileDir); dir != "" {
		f, err := os.CreateTemp(dir, "engine*.pprof")
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		endProfile = pprof.StopCPUProfile
	}
	go func() { // ends with bench, or when bench has done with it
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			t.answer(lines.Text())
		}
		endProfile()
		os.Exit(0)
	}()
	return (&tftp.Server{Handler: t, Limits: tftp.Limits{Memory: 4 << 30,
		MaxSize: 128 << 20}}).Serve(socket)
}

// serveEcho answers a block with an ACK's length and an ACK with a block's: what a lock-step
// transfer is to the kernel.
func serveEcho(addr netip.AddrPort) error {
	return onCore(-1, func() error {
		fd, err := udpSocket(0, clientBuffer)
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(addr)); err != nil {
			return err
		}
		b := make([]byte, 65536)
		var from unix.RawSockaddrInet4
		for {
			size := uint32(unix.SizeofSockaddrInet4)
			n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
				uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0,
				uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
			if errno != 0 {
				continue // of a client that has gone
			}
			answer := uintptr(4)
			if n == 4 {
				answer = 4 + 512
			}
			_, _, _ = syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
				uintptr(unsafe.Pointer(&b[0])), answer, 0,
				uintptr(unsafe.Pointer(&from)), uintptr(size))
		}
	})
}
