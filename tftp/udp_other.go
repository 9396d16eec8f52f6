//go:build !linux

package tftp

import (
	"net"
	"net/netip"
)

// udpConn leaves the choice of the address that answers leave from to the system.
type udpConn struct{ *net.UDPConn }

func newUDPConn(c *net.UDPConn) conn { return udpConn{c} }

func (c udpConn) read(b []byte) (int, netip.AddrPort, netip.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	return n, from, netip.Addr{}, err
}

func (c udpConn) write(b []byte, to netip.AddrPort, _ netip.Addr) {
	_, _ = c.WriteToUDPAddrPort(b, to)
}
