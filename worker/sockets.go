package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/tftpsql/tftpsql/config"
)

// openSockets returns the socket that systemd has opened, or else as many as TFTP_SHARDS says on
// TFTP_PORT.
func openSockets(c config.Config, environ []string, log *slog.Logger) ([]net.PacketConn, error) {
	socket, err := activated(environ)
	if err != nil {
		return nil, err
	}
	if socket != nil {
		if c.Shards > 1 {
			log.Warn("TFTP_SHARDS is not used: the socket is systemd's, and there is one")
		}
		return []net.PacketConn{socket}, nil
	}
	// with SO_REUSEPORT a second worker would share the port without an error
	if c.Shards > 1 && c.Port != 0 {
		probe, err := listen(&c, net.ListenConfig{})
		if err != nil {
			return nil, err
		}
		if err := probe.Close(); err != nil {
			return nil, err
		}
	}
	how := net.ListenConfig{}
	if c.Shards > 1 {
		how.Control = sharePort
	}
	var all []net.PacketConn
	for len(all) < int(c.Shards) {
		socket, err := listen(&c, how)
		if err != nil {
			for _, other := range all {
				_ = other.Close()
			}
			return nil, err
		}
		all = append(all, socket)
		if u, ok := socket.LocalAddr().(*net.UDPAddr); ok {
			c.Port = config.Port(u.Port) // with 0 the first one chooses
		}
	}
	return all, nil
}

// listen opens a UDP socket. An IPv4 address means IPv4 alone; no address means both families.
func listen(c *config.Config, how net.ListenConfig) (net.PacketConn, error) {
	network := "udp"
	if addr, err := netip.ParseAddr(c.Host); err == nil && addr.Is4() {
		network = "udp4"
	}
	host := strings.Trim(c.Host, "[]")
	socket, err := how.ListenPacket(context.Background(), network,
		net.JoinHostPort(host, strconv.Itoa(int(c.Port))))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf(
			"%w: another program listens there; stop it, or choose another port with --port", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: ports below 1024 need a privilege (setcap "+
			"cap_net_bind_service=+ep on the program), or choose another with --port", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: this machine has no such address; look at TFTP_HOST or --host",
			err)
	case err != nil:
		return nil, fmt.Errorf("%w: look at TFTP_HOST or --host", err)
	}
	return socket, nil
}
