package tftp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpConn receives and sends many datagrams by one system call (recvmmsg(2), sendmmsg(2)). The
// kernel cuts a window into packets, and joins packets of a peer that arrive together (UDP_SEGMENT
// and UDP_GRO, udp(7)). Answers leave from the address that the request came to (IP_PKTINFO, ip(7);
// IPV6_PKTINFO, ipv6(7)).
//
// Go's poller doesn't watch the socket itself: in lock-step that would cost one or two system calls
// for each packet, and wake a thread for each. For longer waits Go's poller watches an epoll(7)
// instance, which watches the socket.
type udpConn struct {
	fd    int
	v6    bool       // an IPv6 socket, which may carry IPv4 too
	local netip.Addr // the one that it is bound to; the zero Addr where each datagram tells
	room  int        // bytes of the system's memory for datagrams that wait; 0 where it isn't known

	buffers []byte // of in
	in      []message
	most    int // how many of in the next call takes
	single  int // calls for which that is still one
	got     int
	err     error // of the last call
	woken   atomic.Bool

	epoll    int
	poller   *os.File // epoll, as Go's poller knows it
	raw      syscall.RawConn
	parking  func(uintptr) bool
	watching bool
	event    unix.EpollEvent
	due      bool      // dueAt is the deadline that is set, and has not passed
	dueAt    time.Time // the zero Time for none

	zones   map[uint32]string
	indices map[string]uint32

	out     []message
	queued  int // of out
	arena   []byte
	used    int // of arena
	cuts    bool
	longest int // bytes of a packet that the kernel cuts
}

// moment is how long a thread waits in the kernel, where wake doesn't reach it. A peer in lock-step
// on the same network answers within this time.
const moment = 5 * time.Millisecond

// message is one datagram to the kernel (struct mmsghdr) and what it points to.
type message struct {
	header  *mmsghdr
	buf     []byte
	name    unix.RawSockaddrInet6 // or RawSockaddrInet4, which is shorter
	control [controlSpace]byte
	d       datagram
}

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32 // bytes of the datagram
}

const (
	cmsgHeader   = unix.SizeofCmsghdr
	pktinfo4     = unix.SizeofInet4Pktinfo
	pktinfo6     = unix.SizeofInet6Pktinfo
	controlSpace = 128

	batch = 64 // datagrams that one system call takes, or sends
)

func (u *udpConn) receiveRoom() int { return u.room }

func (u *udpConn) trains() bool { return u.cuts }

// newUDPConn takes c over, and closes it.
func newUDPConn(c *net.UDPConn) (conn, error) {
	u := &udpConn{fd: -1, in: messages(batch), most: 1, out: messages(batch),
		arena: make([]byte, 4*maxDatagram), longest: maxDatagram}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		u.fd,
			failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, failed, c.Close()); err != nil {
		return nil, err
	}
	if err := u.watch(); err != nil {
		return nil, errors.Join(err, unix.Close(u.fd))
	}
	// This memory is not from Go's heap, where it would cause two collections at the start of the
	// program. The system provides pages only when they are written to.
	if u.buffers, err = unix.Mmap(-1, 0, batch*maxDatagram, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		return nil, errors.Join(os.NewSyscallError("mmap", err), u.poller.Close(), unix.Close(u.fd))
	}
	for i := range u.in {
		u.in[i].point(u.buffers[i*maxDatagram : (i+1)*maxDatagram])
	}
	u.prepare(addrPort(c.LocalAddr()).Addr().Unmap().WithZone(""))
	return u, nil
}

// watch makes the epoll instance.
func (u *udpConn) watch() (err error) {
	if u.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile gives only non-blocking descriptors to the poller
	if err := unix.SetNonblock(u.epoll, true); err != nil {
		return errors.Join(os.NewSyscallError("fcntl", err), unix.Close(u.epoll))
	}
	u.poller = os.NewFile(uintptr(u.epoll), "epoll")
	u.event = unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(u.fd)}
	u.parking = u.park // bound once: each time would allocate
	if u.raw, err = u.poller.SyscallConn(); err == nil {
		err = u.poller.SetReadDeadline(time.Time{}) // fails where it can't be polled
	}
	if err != nil {
		return errors.Join(err, u.poller.Close())
	}
	return nil
}

// prepare sets the socket's options. Where one fails, the socket is slower, or answers leave from
// the address that the routing table chooses.
func (u *udpConn) prepare(bound netip.Addr) {
	// over the system's limit, where that is allowed
	_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	if size, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
		u.room = size / 2 // the kernel doubles what is asked for (socket(7))
	}
	domain, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	u.v6 = err == nil && domain == unix.AF_INET6
	switch {
	case ownAddress(bound):
		u.local = bound
	case u.v6:
		_ = unix.SetsockoptInt(u.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	default:
		_ = unix.SetsockoptInt(u.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	_, err = unix.GetsockoptInt(u.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT) // Linux 4.18
	u.cuts = err == nil
	_ = unix.SetsockoptInt(u.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // Linux 5.0
	wait := unix.NsecToTimeval(int64(moment))
	if unix.SetsockoptTimeval(u.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait) == nil {
		_ = unix.SetNonblock(u.fd, false) // a call that must not wait says so itself
	}
}

// ownAddress reports whether a is this host's own, and no broadcast address.
func ownAddress(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	all, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(all, func(of net.Addr) bool {
		n, ok := of.(*net.IPNet)
		if !ok {
			return false
		}
		own, _ := netip.AddrFromSlice(n.IP)
		return own.Unmap() == a
	})
}

// messages returns n messages with adjacent headers, as recvmmsg and sendmmsg need them.
func messages(n int) []message {
	headers, vectors, list := make([]mmsghdr, n), make([]unix.Iovec, n), make([]message, n)
	for i := range list {
		m := &list[i]
		m.header = &headers[i]
		m.header.hdr.Iov = &vectors[i]
		m.header.hdr.SetIovlen(1)
		m.header.hdr.Name = (*byte)(unsafe.Pointer(&m.name))
		m.header.hdr.Control = &m.control[0]
		m.reset()
	}
	return list
}

// reset makes m ready to take a datagram.
func (m *message) reset() {
	m.header.hdr.Namelen = unix.SizeofSockaddrInet6
	m.header.hdr.SetControllen(controlSpace)
}

// point makes b what m carries.
func (m *message) point(b []byte) {
	m.buf = b
	m.header.hdr.Iov.Base = unsafe.SliceData(b)
	m.header.hdr.Iov.SetLen(len(b))
}

func (u *udpConn) receive(until time.Time, brief bool) (int, error) {
	for i := range u.got {
		u.in[i].reset()
	}
	u.got = 0
	switch {
	case u.woken.Swap(false):
		u.due = false // what wake sets is no deadline
		return 0, nil
	case until == longAgo:
		u.take(unix.MSG_DONTWAIT)
	case brief:
		u.take(unix.MSG_WAITFORONE)
	default:
		return u.wait(until)
	}
	return u.got, u.err
}

// wait waits as Go's sockets do.
func (u *udpConn) wait(until time.Time) (int, error) {
	if !u.due || earlier(until, u.dueAt) {
		if err := u.poller.SetReadDeadline(until); err != nil {
			return 0, err
		}
		u.due, u.dueAt = true, until
		if u.woken.Swap(false) { // before the deadline was set, so that it is lost
			u.due = false
			return 0, nil
		}
	}
	err := u.raw.Read(u.parking)
	if u.watching {
		u.watching = false
		_ = unix.EpollCtl(u.epoll, unix.EPOLL_CTL_DEL, u.fd, nil)
	}
	if err != nil {
		u.due = false
		return 0, unlessTimeout(err)
	}
	return u.got, u.err
}

// park reads the socket. It returns false if there was nothing; the poller then calls it again when
// there is something to read.
func (u *udpConn) park(uintptr) bool {
	u.take(unix.MSG_DONTWAIT)
	if u.got > 0 || u.err != nil {
		return true
	}
	if !u.watching {
		u.err = unix.EpollCtl(u.epoll, unix.EPOLL_CTL_ADD, u.fd, &u.event)
		u.watching = u.err == nil
	}
	return u.err != nil
}

// earlier reports whether deadline a is before b; the zero Time is none.
func earlier(a, b time.Time) bool {
	return !a.IsZero() && (b.IsZero() || a.Before(b))
}

// take reads the socket. To look for a second datagram in vain costs as much as to receive one. So
// after a call that found a single datagram, the next singles calls ask for one only; after a call
// that found as many as it asked for, the next call asks for more.
func (u *udpConn) take(flags int) {
	u.err = nil
	n, errno := u.get(flags)
	switch errno {
	case 0:
		u.got = n
		switch {
		case n > 1 && n == u.most:
			u.most = min(8*n, len(u.in))
		case n > 1:
			u.most = n
		case u.most > 1:
			u.most, u.single = 1, singles
		case u.single > 0:
			u.single--
		default:
			u.most = 8
		}
	case unix.EAGAIN, unix.EINTR:
	default:
		u.err = errno
	}
}

// singles is how many datagrams are taken one by one after there was no second.
const singles = 16

func (u *udpConn) get(flags int) (int, syscall.Errno) {
	m := u.in[0].header
	if u.most > 1 {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(m)),
			uintptr(u.most), uintptr(flags), 0, 0)
		return int(n), errno
	}
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&m.hdr)),
		uintptr(flags&^unix.MSG_WAITFORONE))
	m.n = uint32(n)
	return 1, errno
}

func (u *udpConn) came(i int) datagram {
	m := &u.in[i]
	d := datagram{peer: u.from(m), local: u.local, b: m.buf[:m.header.n]}
	d.readControl(m.control[:m.header.hdr.Controllen])
	return d
}

// from returns the address that a datagram came from.
func (u *udpConn) from(m *message) netip.AddrPort {
	if m.name.Family == unix.AF_INET {
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.name))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), port(in4.Port))
	}
	ip := netip.AddrFrom16(m.name.Addr)
	if m.name.Scope_id != 0 {
		ip = ip.WithZone(u.zone(m.name.Scope_id))
	}
	return netip.AddrPortFrom(ip, port(m.name.Port))
}

// port converts a port between the network's byte order and the host's.
func port(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

// zone returns the name of an interface. It keeps the names: interfaces are few and seldom change.
func (u *udpConn) zone(index uint32) string {
	name, ok := u.zones[index]
	if !ok {
		i, err := net.InterfaceByIndex(int(index))
		if err != nil {
			return ""
		}
		if name = i.Name; u.zones == nil {
			u.zones, u.indices = map[uint32]string{}, map[string]uint32{}
		}
		u.zones[index], u.indices[name] = name, index
	}
	return name
}

// readControl reads from the control messages how the datagram is to be cut, and the address that
// it came to. For IPv4 it takes this host's own address (ipi_spec_dst), which differs from the
// header's destination in a broadcast.
func (d *datagram) readControl(b []byte) {
	for len(b) >= cmsgHeader {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < cmsgHeader || size > len(b) {
			return
		}
		data := b[cmsgHeader:size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= pktinfo4:
			d.local = netip.AddrFrom4([4]byte(data[4:8]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= pktinfo6:
			d.local = netip.AddrFrom16([16]byte(data[:16])).Unmap()
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			d.cut = int(*(*int32)(unsafe.Pointer(&data[0])))
		}
		b = b[min(len(b), unix.CmsgSpace(size-cmsgHeader)):]
	}
}

func (u *udpConn) wake() {
	u.woken.Store(true)
	_ = u.poller.SetReadDeadline(longAgo)
}

func (u *udpConn) Close() error {
	// in this order, so that the epoll instance doesn't watch a closed socket
	err := errors.Join(u.poller.Close(), unix.Close(u.fd))
	return errors.Join(err, unix.Munmap(u.buffers))
}

func (u *udpConn) buffer() []byte {
	if len(u.arena)-u.used < maxDatagram {
		u.flush()
	}
	return u.arena[u.used:u.used]
}

func (u *udpConn) queue(d datagram) {
	u.used += len(d.b)
	if d.cut > 0 && (!u.cuts || d.cut > u.longest) {
		for b := range d.packets {
			u.address(datagram{peer: d.peer, local: d.local, b: b})
		}
		return
	}
	u.address(d)
}

// address fills in a message.
func (u *udpConn) address(d datagram) {
	if u.queued == len(u.out) {
		u.send()
	}
	m := &u.out[u.queued]
	u.queued++
	m.d = d
	m.point(d.b)
	m.header.hdr.Namelen = u.setName(m, d.peer)
	m.header.hdr.SetControllen(len(u.control(m.control[:0], d)))
}

func (u *udpConn) setName(m *message, to netip.AddrPort) uint32 {
	if !u.v6 {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&m.name)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: port(to.Port()), Addr: to.Addr().Unmap().As4()}
		return unix.SizeofSockaddrInet4
	}
	m.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port(to.Port()),
		Addr: to.Addr().As16()}
	if zone := to.Addr().Zone(); zone != "" {
		m.name.Scope_id = u.indices[zone]
	}
	return unix.SizeofSockaddrInet6
}

// control appends the control messages that make a datagram leave from d.local, and have it cut.
func (u *udpConn) control(b []byte, d datagram) []byte {
	switch local := d.local; {
	case u.local.IsValid():
	case !local.IsValid() || local.IsMulticast() || local.IsUnspecified():
	case u.v6:
		ip := local.As16()
		var data []byte
		b, data = appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, pktinfo6)
		copy(data, ip[:])
	default:
		ip := local.As4()
		var data []byte
		b, data = appendControl(b, unix.IPPROTO_IP, unix.IP_PKTINFO, pktinfo4)
		copy(data[4:], ip[:])
	}
	if d.cut > 0 {
		var data []byte
		b, data = appendControl(b, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)
		*(*uint16)(unsafe.Pointer(&data[0])) = uint16(d.cut)
	}
	return b
}

func appendControl(b []byte, level, kind int32, size int) (all, data []byte) {
	start := len(b)
	all = b[:start+unix.CmsgSpace(size)]
	clear(all[start:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&all[start]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(size))
	return all, all[start+cmsgHeader:]
}

func (u *udpConn) flush() {
	u.send()
	u.used = 0
}

// send sends what is queued.
func (u *udpConn) send() {
	for sent := 0; sent < u.queued; {
		n, errno := u.put(sent)
		switch errno {
		case 0:
			sent += n
		case unix.EAGAIN: // the send buffer is full
			room := [1]unix.PollFd{{Fd: int32(u.fd), Events: unix.POLLOUT}}
			_, _ = unix.Ppoll(room[:], nil, nil)
		case unix.EINTR:
		default:
			u.putAgain(&u.out[sent], errno)
			sent++
		}
	}
	u.queued = 0
}

// put sends what it can from the given message on. A single one takes a shorter way through the
// kernel.
func (u *udpConn) put(from int) (int, syscall.Errno) {
	m := u.out[from].header
	if from+1 == u.queued {
		return 1, u.putOne(m)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(m)),
		uintptr(u.queued-from), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func (u *udpConn) putOne(m *mmsghdr) syscall.Errno {
	// it doesn't wait
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&m.hdr)),
		unix.MSG_DONTWAIT)
	return errno
}

// putAgain sends what the system refused in a simpler way: packet by packet instead of cut by the
// kernel, which the path's MTU (EINVAL) or a network card may forbid; then from any address, since
// the host may no longer have the given one.
func (u *udpConn) putAgain(m *message, errno syscall.Errno) {
	d := m.d
	cutting := d.cut > 0
	for b := range d.packets {
		m.point(b)
		m.header.hdr.SetControllen(len(u.control(m.control[:0], datagram{local: d.local})))
		if u.putOne(m.header) != 0 {
			cutting = false // that wasn't it, or not alone
			m.header.hdr.SetControllen(0)
			_ = u.putOne(m.header)
		}
	}
	switch {
	case !cutting:
	case errno == unix.EINVAL || errno == unix.EMSGSIZE:
		u.longest = min(u.longest, d.cut-1)
	case errno == unix.EIO || errno == unix.EOPNOTSUPP || errno == unix.ENOPROTOOPT:
		u.cuts = false
	}
}
