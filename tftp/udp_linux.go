package tftp

import (
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpConn answers from the address that was asked, by IP_PKTINFO and IPV6_PKTINFO (ip(7), ipv6(7)).
type udpConn struct {
	*net.UDPConn
	v6       bool // an IPv6 socket, which may carry IPv4 too
	room     int  // bytes for datagrams that wait; 0 where it isn't known
	oob, out []byte
}

func (u *udpConn) receiveRoom() int { return u.room }

func newUDPConn(c *net.UDPConn) conn {
	u := &udpConn{UDPConn: c, oob: make([]byte, 128), out: make([]byte, 0, 64)}
	raw, err := c.SyscallConn()
	if err != nil {
		return u
	}
	_ = raw.Control(func(fd uintptr) { // without it answers leave from the address that the routing table says
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) // over the system's limit, where that is allowed
		if size, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
			u.room = size / 2 // the kernel counts its own overhead, as much again (socket(7))
		}
		domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		u.v6 = err == nil && domain == unix.AF_INET6
		if u.v6 {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
			return
		}
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	})
	return u
}

func (u *udpConn) read(b []byte) (int, netip.AddrPort, netip.Addr, error) {
	n, oobn, _, from, err := u.ReadMsgUDPAddrPort(b, u.oob)
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, err
	}
	return n, from, asked(u.oob[:oobn]), nil
}

func (u *udpConn) write(b []byte, to netip.AddrPort, local netip.Addr) {
	if _, _, err := u.WriteMsgUDPAddrPort(b, u.control(local), to); err != nil && local.IsValid() {
		// The address has gone, or is a broadcast address: any other is better than none.
		_, _, _ = u.WriteMsgUDPAddrPort(b, nil, to)
	}
}

const (
	cmsgHeader = unix.SizeofCmsghdr
	pktinfo4   = unix.SizeofInet4Pktinfo
	pktinfo6   = unix.SizeofInet6Pktinfo
)

// asked returns the address that a datagram came to, from its control messages: of IPv4 the address of this host that
// stands for it (ipi_spec_dst), which differs from the header's where that is a broadcast address.
func asked(oob []byte) netip.Addr {
	for len(oob) >= cmsgHeader {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := int(h.Len)
		if size < cmsgHeader || size > len(oob) {
			return netip.Addr{}
		}
		data := oob[cmsgHeader:size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= pktinfo4:
			return netip.AddrFrom4([4]byte(data[4:8]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= pktinfo6:
			return netip.AddrFrom16([16]byte(data[:16])).Unmap()
		}
		oob = oob[min(len(oob), (size+7)&^7):]
	}
	return netip.Addr{}
}

// control returns the control message that makes a datagram leave from local.
func (u *udpConn) control(local netip.Addr) []byte {
	if !local.IsValid() || local.IsMulticast() || local.IsUnspecified() {
		return nil
	}
	level, kind, size := unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, pktinfo6
	if !u.v6 {
		level, kind, size = unix.IPPROTO_IP, unix.IP_PKTINFO, pktinfo4
	}
	space := unix.CmsgSpace(size)
	u.out = u.out[:space]
	clear(u.out)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&u.out[0]))
	h.Level, h.Type = int32(level), int32(kind)
	h.SetLen(unix.CmsgLen(size))
	if u.v6 {
		ip := local.As16()
		copy(u.out[cmsgHeader:], ip[:])
		return u.out
	}
	ip := local.As4()
	copy(u.out[cmsgHeader+4:], ip[:])
	return u.out
}
