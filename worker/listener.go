package worker

import (
	"net"
	"net/netip"
	"sync"
)

const (
	// httpConnections bounds the connections of HTTP at once: each costs some 20 KiB, and a browser
	// has six.
	httpConnections = 1000
	// httpOfSource is how many of them one source may have. A proxy is one, and uses each for many
	// people.
	httpOfSource = httpConnections / 2
)

// boundedListener closes connections beyond the bounds. Programs of this machine are always taken:
// its health check must not fail because strangers ask.
type boundedListener struct {
	net.Listener
	mu    sync.Mutex
	total int
	of    map[netip.Prefix]int // by source
}

func bounded(l net.Listener) net.Listener {
	return &boundedListener{Listener: l, of: map[netip.Prefix]int{}}
}

func (b *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || addr.Addr().Unmap().IsLoopback() {
			return c, nil
		}
		source := httpSource(addr.Addr())
		if b.take(source) {
			return &boundedConn{Conn: c, give: sync.OnceFunc(func() { b.give(source) })}, nil
		}
		_ = c.Close() // a stranger's
	}
}

// httpSource is an address, or the /64 of an IPv6 address, of which one host may have any.
func httpSource(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // it fits
	return p
}

func (b *boundedListener) take(source netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total >= httpConnections || b.of[source] >= httpOfSource {
		return false
	}
	b.total++
	b.of[source]++
	return true
}

func (b *boundedListener) give(source netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total--
	if b.of[source]--; b.of[source] == 0 {
		delete(b.of, source)
	}
}

// boundedConn gives its place back when it is closed.
type boundedConn struct {
	net.Conn
	give func()
}

func (c *boundedConn) Close() error {
	defer c.give()
	return c.Conn.Close()
}
