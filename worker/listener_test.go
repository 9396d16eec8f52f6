package worker

import (
	"net"
	"net/netip"
	"testing"
)

// comers is a listener to which connections come from any address.
type comers struct{ waiting []net.Conn }

func (l *comers) Accept() (c net.Conn, err error) {
	c, l.waiting = l.waiting[0], l.waiting[1:]
	return c, nil
}
func (l *comers) Close() error   { return nil }
func (l *comers) Addr() net.Addr { return nil }

// comer is a connection from an address.
type comer struct {
	net.Conn
	from   string
	closed bool
}

func (c *comer) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}
func (c *comer) Close() error { c.closed = true; return nil }

// TestBoundedListener: one source gets half of the connections and all together no more than there
// are; this machine always gets one; a connection that is closed makes room for one.
func TestBoundedListener(t *testing.T) {
	in := &comers{}
	l := bounded(in)
	// come offers a connection, and then one of this machine, which is taken where the first isn't.
	come := func(from string) net.Conn {
		t.Helper()
		stranger, local := &comer{from: from}, &comer{from: "127.0.0.1:1"}
		in.waiting = []net.Conn{stranger, local}
		c, err := l.Accept()
		switch {
		case err != nil:
			t.Fatal(err)
		case c == net.Conn(local):
			if !stranger.closed {
				t.Error("a connection that is refused stays open")
			}
			return nil
		}
		return c
	}
	var one net.Conn
	for i := range httpOfSource {
		if one = come("[2001:db8::1]:1"); one == nil {
			t.Fatalf("connection %d of a source is refused", i+1)
		}
	}
	if come("[2001:db8::2]:1") != nil {
		t.Error("another address of the same /64 gets one more")
	}
	for range 2 { // a second time makes no room for a second one
		if err := one.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if come("[2001:db8::2]:1") == nil {
		t.Error("a closed connection makes no room")
	}
	if come("[2001:db8::2]:1") != nil {
		t.Error("a connection that is closed twice makes room for two")
	}
	for i := range httpConnections - httpOfSource {
		a := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		if come(netip.AddrPortFrom(a, 1).String()) == nil {
			t.Fatalf("connection %d of others is refused", i+1)
		}
	}
	if come("198.51.100.1:1") != nil {
		t.Error("there are more connections than may be")
	}
}
