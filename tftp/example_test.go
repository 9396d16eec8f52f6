package tftp_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

// serve runs a server on a free loopback port and returns its address.
func serve(s *tftp.Server) (addr string) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go s.Serve(c)
	return c.LocalAddr().String()
}

// A handler that stores in memory: nil is the promise that the file is kept, and only then does the
// client hear "OK".
func ExampleServer() {
	// a map with a mutex; see ServeTFTP and ReadTFTP of Handler and ReadHandler
	s := &tftp.Server{Handler: &memory{}}
	defer s.Close()
	addr := serve(s)

	c := tftp.Client{Blksize: 1428}
	if err := c.Put(context.Background(), addr, "fw1.conf", []byte("hostname fw1\n")); err != nil {
		fmt.Println(err)
	}
	body, err := c.Get(context.Background(), addr, "fw1.conf")
	fmt.Printf("%q %v\n", body, err)
	// Output: "hostname fw1\n" <nil>
}

// clock is a ReadHandler that computes what it serves, and takes no uploads.
type clock struct{}

func (clock) ReadTFTP(_ context.Context, r *tftp.Request) ([]byte, error) {
	zone, err := time.LoadLocation(r.Filename)
	if err != nil {
		return nil, &tftp.Error{Code: tftp.CodeNotFound, Message: "no such zone", Err: err}
	}
	return []byte(time.Unix(0, 0).In(zone).Format(time.Kitchen)), nil
}

func (clock) ServeTFTP(context.Context, *tftp.Request) error {
	return &tftp.Error{Code: tftp.CodeAccess, Message: "read only"}
}

// A handler that computes what it serves. Its errors go to the client as they are.
func ExampleReadHandler() {
	s := &tftp.Server{Handler: clock{}}
	defer s.Close()
	addr := serve(s)

	c := tftp.Client{}
	body, err := c.Get(context.Background(), addr, "UTC")
	fmt.Printf("%s %v\n", body, err)
	_, err = c.Get(context.Background(), addr, "Nowhere/Land")
	fmt.Println(err)
	// Output:
	// 12:00AM <nil>
	// the peer says "no such zone" (TFTP error 1)
}

// Admission: what Accept refuses costs nothing further.
func ExampleServer_accept() {
	s := &tftp.Server{
		Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error { return nil }),
		Accept: func(r *tftp.Request) error {
			if !r.Peer.Addr().IsLoopback() || !strings.HasSuffix(r.Filename, ".conf") {
				return &tftp.Error{Code: tftp.CodeAccess, Message: "not allowed"}
			}
			return nil
		},
	}
	defer s.Close()
	addr := serve(s)

	c := tftp.Client{}
	fmt.Println(c.Put(context.Background(), addr, "fw1.conf", nil))
	fmt.Println(c.Put(context.Background(), addr, "virus.exe", nil))
	// Output:
	// <nil>
	// the peer says "not allowed" (TFTP error 2)
}

// An option of one's own (RFC 2347): the server answers what the client asks for. The package's
// client asks for none but the standard ones, so the packets are written out here.
func ExampleServer_option() {
	s := &tftp.Server{
		Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error { return nil }),
		Option: func(_ *tftp.Request, name, value string) (string, bool) {
			return strings.ToUpper(value), name == "greeting"
		},
	}
	defer s.Close()
	c, err := net.Dial("udp", serve(s))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte("\x00\x02fw1.conf\x00octet\x00greeting\x00hello\x00"))
	b := make([]byte, 512)
	n, _ := c.Read(b)
	fmt.Printf("%q\n", bytes.Split(b[2:n], []byte{0})[:2])
	// Output: ["greeting" "HELLO"]
}
