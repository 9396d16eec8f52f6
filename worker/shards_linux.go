package worker

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// sharePort lets several sockets of one user have one port; the kernel gives each peer one of them,
// always the same (socket(7)).
func sharePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET,
			unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
