//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TFTP's packets (RFC 1350, RFC 2347).
const (
	opRead = iota + 1
	opWrite
	opData
	opAck
	opError
	opOACK
)

const (
	clientRTO    = time.Second      // before a client repeats itself, as real ones at the earliest
	clientTries  = 5                // repeats without progress before it gives up, some 20 s
	clientBuffer = 4 << 20          // of a client that has a socket to itself
	manyBuffer   = 64 << 20         // of the socket that many share
	maxSegments  = 64               // of one send with segmentation offload
	maxDatagram  = 65507            // bytes, IPv4
	giveUpAll    = 60 * time.Second // of many clients at once, whatever happens
	giveUpOnce   = 20 * time.Second // of those against a contender that has one run
)

// errRefused is an ERROR packet.
type errRefused struct {
	code int
	text string
}

func (e errRefused) Error() string { return fmt.Sprintf("error %d %q", e.code, e.text) }

var (
	errSilence = errors.New("the server fell silent")
	errTime    = errors.New("not done in the time that all have")
)

// request makes a request, with options where they are set.
func request(op byte, name string, blksize, windowsize int) []byte {
	b := append([]byte{0, op}, name...)
	b = append(b, "\x00octet\x00"...)
	if blksize > 0 {
		b = append(b, "blksize\x00"+strconv.Itoa(blksize)+"\x00"...)
	}
	if windowsize > 1 {
		b = append(b, "windowsize\x00"+strconv.Itoa(windowsize)+"\x00"...)
	}
	return b
}

// granted reads an OACK.
func granted(b []byte) (blksize, windowsize int) {
	blksize, windowsize = 512, 1
	words := strings.Split(string(b[2:]), "\x00")
	for i := 0; i+1 < len(words); i += 2 {
		n, _ := strconv.Atoi(words[i+1])
		switch strings.ToLower(words[i]) {
		case "blksize":
			blksize = n
		case "windowsize":
			windowsize = n
		}
	}
	return blksize, windowsize
}

func refused(b []byte) error {
	return errRefused{int(b[3]), string(bytes.TrimRight(b[4:], "\x00"))}
}

func block(b []byte) uint16 { return uint16(b[2])<<8 | uint16(b[3]) }

func header(b []byte, op byte, n uint64) { b[0], b[1], b[2], b[3] = 0, op, byte(n>>8), byte(n) }

// udpSocket returns a socket without Go's poller: a client that waits for one packet is quickest
// when it waits in the kernel.
func udpSocket(flags, buffer int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		return -1, err
	}
	if buffer > 0 {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
		}
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// send and receive are write and read without telling Go's scheduler, which would only hand the
// processor around. The second of waiting that the socket allows bounds it.
func send(fd int, b []byte) {
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])),
		uintptr(len(b)))
}

func receive(fd int, b []byte) int {
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd),
			uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n)
		case unix.EINTR:
		default:
			return -1
		}
	}
}

// onCore runs f on a thread of its own, on one core if core is not negative. The thread must not
// end: the servers that it may have started would end with it.
func onCore(core int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if core >= 0 {
		var before, set unix.CPUSet
		set.Set(core)
		if err := errors.Join(unix.SchedGetaffinity(0, &before),
			unix.SchedSetaffinity(0, &set)); err != nil {
			return err
		}
		defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	}
	return f()
}

// course is what a transfer took.
type course struct{ repeats, packets int } // packets of both directions

// one is a client with a socket to itself.
type one struct {
	fd    int
	to    netip.AddrPort
	buf   []byte
	noGSO bool
	course
}

func newOne(to netip.AddrPort) (*one, error) {
	fd, err := udpSocket(0, clientBuffer)
	if err != nil {
		return nil, err
	}
	wait := unix.NsecToTimeval(int64(clientRTO))
	return &one{fd: fd, to: to, buf: make([]byte, 65536)},
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
}

func (c *one) close() { _ = unix.Close(c.fd) }

// ask sends a request until something comes, and stays with the address that sent it. The
// answer is left in c.buf.
func (c *one) ask(req []byte) (int, error) {
	for range clientTries {
		if err := unix.Sendto(c.fd, req, 0, sockaddr(c.to)); err != nil {
			return 0, err
		}
		c.packets++
		n, from, err := unix.Recvfrom(c.fd, c.buf, 0)
		for err == unix.EINTR {
			n, from, err = unix.Recvfrom(c.fd, c.buf, 0)
		}
		if err != nil {
			c.repeats++
			continue
		}
		c.packets++
		if err := unix.Connect(c.fd, from); err != nil {
			return 0, err
		}
		if n >= 4 && c.buf[1] == opError {
			return n, refused(c.buf[:n])
		}
		return n, nil
	}
	return 0, errSilence
}

// put sends body. A blksize of 0 asks for no options.
func put(to netip.AddrPort, name string, body []byte, blksize, windowsize int) (course, error) {
	c, err := newOne(to)
	if err != nil {
		return course{}, err
	}
	defer c.close()
	n, err := c.ask(request(opWrite, name, blksize, windowsize))
	if err != nil {
		return c.course, err
	}
	blksize, windowsize = 512, 1
	if c.buf[1] == opOACK {
		blksize, windowsize = granted(c.buf[:n])
	}
	last := uint64(len(body)/blksize) + 1
	window := make([]byte, windowsize*(blksize+4))
	for acked, tries := uint64(0), 0; acked < last; {
		c.window(window, body, acked, min(acked+uint64(windowsize), last), blksize)
	again:
		n := receive(c.fd, c.buf)
		if n >= 0 {
			c.packets++
		}
		switch {
		case n < 0:
			if tries++; tries > clientTries {
				return c.course, errSilence
			}
			c.repeats++
		case n >= 4 && c.buf[1] == opError:
			return c.course, refused(c.buf[:n])
		case n >= 4 && c.buf[1] == opAck:
			ahead := uint64(block(c.buf) - uint16(acked))
			if ahead == 0 && windowsize > 1 {
				c.repeats++
				break // the window again: its first block was lost
			}
			if ahead == 0 || ahead > uint64(windowsize) {
				goto again
			}
			if ahead < uint64(windowsize) && acked+ahead < last {
				c.repeats++
			}
			acked, tries = acked+ahead, 0
		default:
			goto again
		}
	}
	return c.course, nil
}

// window sends the blocks after from up to to, with segmentation offload where there is more than
// one.
func (c *one) window(b, body []byte, from, to uint64, blksize int) {
	c.packets += int(to - from)
	used := 0
	for n := from + 1; n <= to; n++ {
		at := int(n-1) * blksize
		header(b[used:], opData, n)
		used += 4 + copy(b[used+4:used+4+blksize], body[at:min(at+blksize, len(body))])
	}
	segment := blksize + 4
	if to-from == 1 {
		send(c.fd, b[:used])
		return
	}
	for at := 0; at < used; {
		count := 1
		if !c.noGSO {
			count = max(1, min(maxSegments, maxDatagram/segment))
		}
		end := min(at+count*segment, used)
		if count > 1 {
			control := make([]byte, unix.CmsgSpace(2))
			h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
			h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
			h.SetLen(unix.CmsgLen(2))
			*(*uint16)(unsafe.Pointer(&control[unix.CmsgLen(0)])) = uint16(segment)
			if _, err := unix.SendmsgN(c.fd, b[at:end], control, nil, 0); err != nil {
				c.noGSO = true
				continue
			}
		} else {
			send(c.fd, b[at:end])
		}
		at = end
	}
}

const getBatch = 64 // datagrams taken by one call

// get fetches a file and compares it with body.
func get(to netip.AddrPort, name string, body []byte, blksize, windowsize int) (course, error) {
	c, err := newOne(to)
	if err != nil {
		return course{}, err
	}
	defer c.close()
	n, err := c.ask(request(opRead, name, blksize, windowsize))
	if err != nil {
		return c.course, err
	}
	g := getting{one: c, body: body, blksize: 512, windowsize: 1}
	if c.buf[1] == opOACK {
		g.blksize, g.windowsize = granted(c.buf[:n])
		g.ack()
	} else if err := g.data(c.buf[:n]); err != nil {
		return c.course, err
	}
	for tries := 0; !g.ended; {
		before := g.got
		if err := g.take(); err != nil {
			return c.course, err
		}
		if g.got > before {
			tries = 0
		} else if tries++; tries > 100*clientTries {
			return c.course, errSilence
		}
	}
	if g.at != len(body) {
		return c.course, fmt.Errorf("%d bytes came of %d", g.at, len(body))
	}
	return c.course, nil
}

// getting is a download.
type getting struct {
	*one
	body                []byte
	at                  int // bytes that have come
	blksize, windowsize int
	got, acked          uint64 // blocks
	gap, ended          bool   // gap: an ACK has said that one is missing
	buffers             [][]byte
	messages            []mmsghdr
	vectors             []unix.Iovec
}

type mmsghdr struct {
	unix.Msghdr
	n uint32
	_ uint32
}

func (g *getting) ack() {
	var b [4]byte
	header(b[:], opAck, g.got)
	send(g.fd, b[:])
	g.packets++
	g.acked = g.got
}

// take reads what is there, and waits for it.
func (g *getting) take() error {
	if g.windowsize == 1 {
		n := receive(g.fd, g.buf)
		if n < 0 {
			g.silence()
			return nil
		}
		g.packets++
		return g.data(g.buf[:n])
	}
	if g.messages == nil {
		g.buffers, g.messages, g.vectors = make([][]byte, getBatch), make([]mmsghdr, getBatch),
			make([]unix.Iovec, getBatch)
		for i := range g.buffers {
			g.buffers[i] = make([]byte, g.blksize+4)
			g.vectors[i].Base = &g.buffers[i][0]
			g.vectors[i].SetLen(len(g.buffers[i]))
			g.messages[i].Iov, g.messages[i].Iovlen = &g.vectors[i], 1
		}
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(g.fd),
		uintptr(unsafe.Pointer(&g.messages[0])), getBatch, unix.MSG_WAITFORONE, 0, 0)
	if errno == unix.EINTR {
		return nil
	}
	if errno != 0 {
		g.silence()
		return nil
	}
	g.packets += int(n)
	for i := range int(n) {
		if err := g.data(g.buffers[i][:g.messages[i].n]); err != nil {
			return err
		}
	}
	return nil
}

func (g *getting) silence() {
	g.repeats++
	g.ack()
}

func (g *getting) data(b []byte) error {
	if len(b) >= 4 && b[1] == opError {
		return refused(b)
	}
	if len(b) < 4 || b[1] != opData {
		return nil
	}
	if block(b) != uint16(g.got+1) {
		// one ACK a gap, or each late block would bring the window again
		if !g.gap && g.windowsize > 1 {
			g.gap = true
			g.repeats++
			g.ack()
		}
		return nil
	}
	b = b[4:]
	if g.at+len(b) > len(g.body) || !bytes.Equal(b, g.body[g.at:g.at+len(b)]) {
		return errors.New("other bytes came than are in the file")
	}
	g.at, g.got, g.gap = g.at+len(b), g.got+1, false
	g.ended = len(b) < g.blksize
	if g.ended || g.got-g.acked >= uint64(g.windowsize) {
		g.ack()
	}
	return nil
}
