package tftp_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tftpsql/tftpsql/tftp"
)

// What a handler refuses, the client is told by the error's code.
func ExampleClient_Put() {
	s := &tftp.Server{Handler: tftp.HandlerFunc(func(_ context.Context, r *tftp.Request) error {
		if r.Filename != "fw1.conf" {
			return &tftp.Error{Code: tftp.CodeAccess, Message: "not this one"}
		}
		fmt.Printf("%q has %d bytes\n", r.Filename, len(r.Body))
		return nil
	})}
	defer s.Close()
	addr := serve(s)

	var c tftp.Client
	fmt.Println(c.Put(context.Background(), addr, "fw1.conf", []byte("hostname fw1\n")))

	var refused *tftp.PeerError
	err := c.Put(context.Background(), addr, "fw2.conf", []byte("hostname fw2\n"))
	fmt.Println(errors.As(err, &refused), refused.Code == tftp.CodeAccess, refused.Message)
	// Output:
	// "fw1.conf" has 13 bytes
	// <nil>
	// true true not this one
}

// Shutdown refuses what is new, lets what runs end, and returns.
func ExampleServer_Shutdown() {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &tftp.Server{Handler: tftp.HandlerFunc(func(context.Context, *tftp.Request) error {
		return nil
	})}
	served := make(chan error)
	go func() { served <- s.Serve(socket) }()

	var c tftp.Client
	if err := c.Put(context.Background(), socket.LocalAddr().String(), "x", nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(s.Shutdown(context.Background()))
	fmt.Println(<-served)
	// Output:
	// <nil>
	// tftp: server closed
}
