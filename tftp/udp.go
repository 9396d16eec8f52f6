package tftp

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// conn is a socket that tells which of its addresses a datagram came to, and sends from a given
// one: on a host with several addresses a peer expects the answer from the one that it asked (RFC
// 1123, section 4.2.3; RFC 1350 section 4). One goroutine uses it; any may call wake and Close.
type conn interface {
	// receive takes the datagrams that have arrived, as many as one system call yields; came
	// returns them. If there is none, it waits until one arrives, until the given time (the zero
	// Time means for ever), or until wake is called. With brief it may wait for up to a moment
	// whatever the time is: that costs least where an answer is near. It may return 0 before its
	// time.
	receive(until time.Time, brief bool) (n int, err error)
	// came returns a datagram that receive took. Its bytes are valid until the next receive.
	came(i int) datagram
	// wake makes receive return, now or when it is called next.
	wake()
	// buffer returns where the next datagram that is queued is to be written, with room for the
	// largest.
	buffer() []byte
	// queue sends a datagram, at the next flush at the latest. A failure is not reported: UDP may
	// lose any datagram, and the timers send it again.
	queue(d datagram)
	flush()
	Close() error
}

// longAgo is a deadline that has passed: receive only looks.
var longAgo = time.Unix(1, 0)

// receiveBuffer is the size of the system's buffer for received datagrams, in bytes; about half of
// it is the system's overhead. It holds a block from each of ten thousand devices that send at the
// same instant. smallBuffer is enough for a thousand.
const (
	receiveBuffer = 16 << 20
	smallBuffer   = 2 << 20
)

// newConn takes c over.
func newConn(c net.PacketConn) (conn, error) {
	if u, ok := c.(*net.UDPConn); ok {
		_ = u.SetReadBuffer(receiveBuffer) // less is only slower
		return newUDPConn(u)
	}
	return newPlainConn(c, func(b []byte) (int, netip.AddrPort, error) {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		return n, addrPort(from), nil
	}), nil
}

// plainConn is a socket whose datagrams come and go one by one. The choice of the address that
// answers leave from is the system's.
type plainConn struct {
	net.PacketConn
	read    func([]byte) (int, netip.AddrPort, error)
	in, out []byte
	n       int
	from    netip.AddrPort
	woken   atomic.Bool
}

func newPlainConn(c net.PacketConn, read func([]byte) (int, netip.AddrPort, error)) *plainConn {
	return &plainConn{PacketConn: c, read: read, in: make([]byte, maxDatagram),
		out: make([]byte, 0, maxDatagram)}
}

// glance is the time of a read that must not wait: with a deadline that has passed, Go reads
// nothing at all.
const glance = 50 * time.Microsecond

func (c *plainConn) receive(until time.Time, _ bool) (int, error) {
	if until == longAgo {
		until = time.Now().Add(glance)
	}
	if err := c.SetReadDeadline(until); err != nil {
		return 0, err
	}
	if c.woken.Swap(false) { // before the deadline was set, so that it is lost
		return 0, nil
	}
	var err error
	if c.n, c.from, err = c.read(c.in); err != nil {
		return 0, unlessTimeout(err)
	}
	return 1, nil
}

// unlessTimeout takes a deadline that has passed for no error.
func unlessTimeout(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return err
}

func (c *plainConn) came(int) datagram { return datagram{peer: c.from, b: c.in[:c.n]} }

func (c *plainConn) wake() {
	c.woken.Store(true)
	_ = c.SetReadDeadline(longAgo)
}

func (c *plainConn) buffer() []byte { return c.out }

func (c *plainConn) queue(d datagram) {
	to := net.UDPAddrFromAddrPort(d.peer)
	for b := range d.packets {
		_, _ = c.WriteTo(b, to)
	}
}

func (c *plainConn) flush() {}

func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort()
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // not answerable, so ignored
	}
	return p
}
