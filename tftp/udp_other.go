//go:build !linux

package tftp

import "net"

func newUDPConn(c *net.UDPConn) (conn, error) { return newPlainConn(c, c.ReadFromUDPAddrPort), nil }
