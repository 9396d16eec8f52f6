package config

import (
	"fmt"
	"net"
	"strings"
)

// HTTPAddr is where health and metrics are served.
type HTTPAddr struct {
	Addr     string // empty for nowhere
	Explicit bool   // somebody has set it
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *HTTPAddr) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	if text == "" || text == "none" {
		*a = HTTPAddr{Explicit: true}
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		err = new(Port).UnmarshalText([]byte(port))
	}
	if err != nil {
		return fmt.Errorf("%q is no address: write 127.0.0.1:9080, or :9080 for all addresses, or none", text)
	}
	*a = HTTPAddr{text, true}
	return nil
}

func (a HTTPAddr) String() string {
	if a.Addr == "" {
		return "none"
	}
	return a.Addr
}

// local is the address as a program on the same machine reaches it.
func (a HTTPAddr) Local() string {
	host, port, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return a.Addr
	}
	if host == "" || host == "0.0.0.0" || host == "::" { // all addresses, of both families
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
