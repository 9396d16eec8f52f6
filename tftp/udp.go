package tftp

import (
	"net"
	"net/netip"
	"time"
)

// conn is a socket that tells which of its addresses a datagram came to, and sends from a given one: on a host with several
// addresses a peer expects the answer from the one that it asked (RFC 1123, section 4.2.3; RFC 1350 section 4).
type conn interface {
	read(b []byte) (n int, from netip.AddrPort, local netip.Addr, err error)
	// write sends a datagram. Its loss is no error: UDP may lose any, and the timers see to it.
	write(b []byte, to netip.AddrPort, local netip.Addr)
	SetReadDeadline(t time.Time) error
	Close() error
}

// receiveBuffer is what is asked of the system for datagrams that wait, in bytes: a thousand devices that begin at once
// overflow the usual 208 KiB.
const receiveBuffer = 4 << 20

func newConn(c net.PacketConn) conn {
	if u, ok := c.(*net.UDPConn); ok {
		_ = u.SetReadBuffer(receiveBuffer) // less is only slower
		return newUDPConn(u)
	}
	return packetConn{c}
}

// packetConn is any other net.PacketConn.
type packetConn struct{ net.PacketConn }

func (c packetConn) read(b []byte) (int, netip.AddrPort, netip.Addr, error) {
	n, addr, err := c.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, err
	}
	return n, addrPort(addr), netip.Addr{}, nil
}

func (c packetConn) write(b []byte, to netip.AddrPort, _ netip.Addr) {
	_, _ = c.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

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
