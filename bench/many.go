//go:build linux

package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load is many clients that put at once, in lock-step, as devices do.
type load struct {
	to      []netip.AddrPort // servers, which the clients go to in turn
	blksize int              // 0 for no options
	// body is the content of the n-th upload under name(n): a head of its own and a tail that all
	// share, so that 5,000 of them fit into memory.
	body  func(n int) (name string, head, tail []byte)
	count int           // uploads
	width int           // clients at once
	limit time.Duration // for all; 0 for giveUpAll
	ramp  time.Duration // between the starts of two clients; 0 for all at the same instant
	// what the engine gets, as the whole program does once it is stored: it is counted, not looked
	// at
	drop bool
	// answers after which a client says no more, the request's among them; 0 for never
	stop int
}

// outcome is how a load went.
type outcome struct {
	took time.Duration
	// of the clients: where it is nearly all of took, they are what is measured
	cpu        time.Duration
	durations  []time.Duration // of uploads that were acknowledged, in order of length
	acked      []int           // which
	failed     int
	repeats    int
	packets    int // both directions
	why        map[string]int
	closeHeld  func() // ends the clients that load.stop keeps
	bytesAcked int64
}

func (o *outcome) percentile(p int) time.Duration {
	if len(o.durations) == 0 {
		return 0
	}
	return o.durations[min(len(o.durations)-1, len(o.durations)*p/100)]
}

// reason is the commonest reason of failure.
func (o *outcome) reason() string {
	text, most := "", 0
	for why, n := range o.why {
		if n > most || n == most && why < text {
			text, most = why, n
		}
	}
	return text
}

// client is one of the clients.
type client struct {
	head, tail []byte
	request    []byte
	to         unix.RawSockaddrInet4 // the address that has answered
	blksize    int                   // 0 before the first answer
	next, last uint64                // block on its way, 0 for the request; the last there is
	started    time.Time
	sent       time.Time
	tries      int
	over       bool
}

// loader is a load that runs. Each client has an address of its own, 127.64.0.1 and so on, and all
// have one socket, which takes and sends many packets at once: else the load would be bound by its
// own system calls, not by the server.
type loader struct {
	load
	fd      int
	devices []client
	out     outcome
	running int
	in, ex  *batch
	queued  int // messages of ex that wait to be sent
}

const firstAddress = 127<<24 | 64<<16 | 1

// batch is what recvmmsg and sendmmsg take: packets with the peer's address, and the client's in a
// control message.
type batch struct {
	packets  [][]byte
	messages []mmsghdr
	vectors  []unix.Iovec
	peers    []unix.RawSockaddrInet4
	controls [][]byte
}

func newBatch(size int) *batch {
	const n = getBatch
	b := &batch{make([][]byte, n), make([]mmsghdr, n), make([]unix.Iovec, n),
		make([]unix.RawSockaddrInet4, n), make([][]byte, n)}
	for i := range n {
		b.packets[i], b.controls[i] = make([]byte, size),
			make([]byte, unix.CmsgSpace(unix.SizeofInet4Pktinfo))
		b.vectors[i].Base = &b.packets[i][0]
		h := &b.messages[i].Msghdr
		h.Iov, h.Iovlen, h.Name, h.Control = &b.vectors[i], 1, (*byte)(unsafe.Pointer(&b.peers[i])),
			&b.controls[i][0]
		b.reset(i, size)
	}
	return b
}

// reset makes a message ready to be received into, or to be sent with so many bytes.
func (b *batch) reset(i, size int) {
	b.vectors[i].SetLen(size)
	b.messages[i].Namelen = unix.SizeofSockaddrInet4
	b.messages[i].SetControllen(len(b.controls[i]))
}

// client is the index of the client that a packet came for.
func (b *batch) client(i int) int {
	info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&b.controls[i][unix.CmsgLen(0)]))
	return int(binary.BigEndian.Uint32(info.Addr[:])) - firstAddress
}

// from makes a packet leave from a client's address.
func (b *batch) from(i, client int) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b.controls[i][0]))
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&b.controls[i][unix.CmsgLen(0)]))
	*info = unix.Inet4Pktinfo{}
	binary.BigEndian.PutUint32(info.Spec_dst[:], uint32(firstAddress+client))
}

func (l load) run() (*outcome, error) {
	fd, err := udpSocket(0, manyBuffer)
	if err != nil {
		return nil, err
	}
	wait := unix.NsecToTimeval(int64(scanEvery))
	err = errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
		unix.Bind(fd, &unix.SockaddrInet4{}),
		// what isn't fragmented needs no number: 4 % of a packet
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO))
	// an address isn't looked up among the machine's own: 3 %, root's alone
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
	r := &loader{load: l, fd: fd, in: newBatch(2048), ex: newBatch(max(2048, 4+l.blksize)),
		out: outcome{why: map[string]int{}}}
	if err == nil {
		err = onCore(-1, r.loop)
	}
	closeSocket := func() { _ = unix.Close(fd) }
	if l.stop > 0 && err == nil {
		r.out.closeHeld = closeSocket
	} else {
		closeSocket()
	}
	slices.Sort(r.out.durations)
	return &r.out, err
}

// scanEvery is how often the clients look whether to repeat themselves.
const scanEvery = 100 * time.Millisecond

func (r *loader) loop() error {
	start, before := time.Now(), threadCPU()
	defer func() { r.out.cpu = threadCPU() - before }()
	r.devices = make([]client, 0, r.count)
	first := min(r.width, r.count)
	for scan := start; r.running > 0 || len(r.devices) < first; {
		for len(r.devices) < first && time.Duration(len(r.devices))*r.ramp <= time.Since(start) {
			r.begin(time.Now())
		}
		r.flush()
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(r.fd),
			uintptr(unsafe.Pointer(&r.in.messages[0])), getBatch, unix.MSG_WAITFORONE, 0, 0)
		now := time.Now()
		if errno == 0 {
			for i := range int(n) {
				if client := r.in.client(i); client >= 0 && client < len(r.devices) {
					r.packet(client, r.in.packets[i][:r.in.messages[i].n], r.in.peers[i], now)
				}
				r.in.reset(i, len(r.in.packets[i]))
			}
		}
		if now.Sub(scan) >= scanEvery {
			scan = now
			r.timers(now, now.Sub(start) > cmp.Or(r.limit, giveUpAll))
		}
		r.out.took = now.Sub(start)
	}
	return nil
}

// threadCPU is what this thread has used so far.
func threadCPU() time.Duration {
	var used unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used) // always there
	return time.Duration(used.Nano())
}

// begin starts the next upload.
func (r *loader) begin(now time.Time) {
	n := len(r.devices)
	if n == r.count {
		return
	}
	name, head, tail := r.body(n)
	server := r.to[n%len(r.to)]
	to := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: server.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&to.Port))[:], server.Port())
	r.devices = append(r.devices, client{head: head, tail: tail, request: request(opWrite, name,
		r.blksize, 1), to: to, started: now})
	r.running++
	r.send(n, now)
}

// send queues what is a client's turn.
func (r *loader) send(client int, now time.Time) {
	d := &r.devices[client]
	i := r.queued
	b, n := r.ex.packets[i], 0
	if d.blksize == 0 {
		n = copy(b, d.request)
	} else {
		n = d.block(b)
	}
	d.sent = now
	r.ex.reset(i, n)
	r.ex.peers[i] = d.to
	r.ex.from(i, client)
	r.out.packets++
	if r.queued++; r.queued == getBatch {
		r.flush()
	}
}

func (r *loader) flush() {
	for sent := 0; sent < r.queued; {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(r.fd),
			uintptr(unsafe.Pointer(&r.ex.messages[sent])), uintptr(r.queued-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		default:
			sent++ // the first one can't be sent: that is a loss
		}
	}
	r.queued = 0
}

// block makes the DATA packet that is next.
func (d *client) block(b []byte) int {
	header(b, opData, d.next)
	at, n := int(d.next-1)*d.blksize, 0
	if at < len(d.head) {
		n = copy(b[4:4+d.blksize], d.head[at:])
	}
	if rest := at + n - len(d.head); rest >= 0 && rest < len(d.tail) {
		n += copy(b[4+n:4+d.blksize], d.tail[rest:])
	}
	return 4 + n
}

// packet takes one packet.
func (r *loader) packet(client int, b []byte, from unix.RawSockaddrInet4, now time.Time) {
	d := &r.devices[client]
	if d.over || len(b) < 4 {
		return
	}
	r.out.packets++
	switch {
	case d.blksize == 0: // the first answer
		d.to, d.blksize = from, 512
		switch b[1] {
		case opError:
			r.end(client, now, refused(b))
			return
		case opOACK:
			d.blksize, _ = granted(b)
		}
		d.last = uint64((len(d.head)+len(d.tail))/d.blksize) + 1
	case from.Port != d.to.Port: // another's of the same request, RFC 1350, section 4
		return
	case b[1] == opError:
		r.end(client, now, refused(b))
		return
	case b[1] != opAck || block(b) != uint16(d.next):
		return
	case d.next == d.last:
		r.end(client, now, nil)
		return
	}
	if r.stop > 0 && d.next == uint64(r.stop-1) {
		d.over = true
		r.running--
		return
	}
	d.next++
	d.tries = 0
	r.send(client, now)
}

// timers repeats what was not answered.
func (r *loader) timers(now time.Time, giveUp bool) {
	for client := range r.devices {
		d := &r.devices[client]
		if d.over || now.Sub(d.sent) < clientRTO<<min(d.tries, 3) && !giveUp {
			continue
		}
		if giveUp {
			r.end(client, now, errTime)
			continue
		}
		if d.tries++; d.tries > clientTries {
			r.end(client, now, errSilence)
			continue
		}
		r.out.repeats++
		r.send(client, now)
	}
}

func (r *loader) end(client int, now time.Time, err error) {
	d := &r.devices[client]
	d.over = true
	r.running--
	if err != nil {
		r.out.failed++
		r.out.why[err.Error()]++
	} else {
		r.out.durations = append(r.out.durations, now.Sub(d.started))
		r.out.acked = append(r.out.acked, client)
		r.out.bytesAcked += int64(len(d.head) + len(d.tail))
	}
	if len(r.devices) >= r.width { // before that the ramp starts them
		r.begin(now)
	}
}
