package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/tftpsql/tftpsql/config"
)

// firstFD is where systemd's sockets begin (sd_listen_fds(3)).
const firstFD = 3

// activated returns the UDP socket that systemd has opened for this process, nil where it has not.
// With it a restart loses no packet, and the program needs no privilege for port 69.
func activated(environ []string) (net.PacketConn, error) {
	if pid, err := strconv.Atoi(config.Variable(environ, "LISTEN_PID")); err != nil ||
		pid != os.Getpid() {
		return nil, nil
	}
	n, err := strconv.Atoi(config.Variable(environ, "LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil, nil
	}
	if n > 1 {
		return nil, fmt.Errorf("systemd gave %d sockets, and one is needed: a single "+
			"ListenDatagram= in tftpsql.socket, after an empty one that clears the list", n)
	}
	f := os.NewFile(firstFD, "LISTEN_FD_3")
	if f == nil {
		return nil, errors.New("LISTEN_FDS is set, and there is no file descriptor 3")
	}
	defer f.Close() // the net.PacketConn has a copy
	socket, err := net.FilePacketConn(f)
	if err != nil {
		return nil, fmt.Errorf(
			"systemd's socket is no datagram socket (ListenDatagram= in tftpsql.socket): %w", err)
	}
	if _, ok := socket.LocalAddr().(*net.UDPAddr); !ok {
		return nil, errors.Join(
			errors.New("systemd's socket is no UDP socket: ListenDatagram= takes a port, in "+
				"tftpsql.socket"), socket.Close())
	}
	return socket, nil
}

// notify tells systemd the state of the program (sd_notify(3)). Elsewhere it does nothing.
func notify(environ []string, state string) {
	path := config.Variable(environ, "NOTIFY_SOCKET")
	if path == "" {
		return
	}
	c, err := net.Dial("unixgram", path)
	if err != nil {
		return // systemd doesn't listen
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}

// heartbeat returns what feeds systemd's watchdog, where there is one (sd_watchdog_enabled(3)).
func heartbeat(environ []string) func() {
	if config.Variable(environ, "WATCHDOG_USEC") == "" {
		return func() {}
	}
	return func() { notify(environ, "WATCHDOG=1") }
}
