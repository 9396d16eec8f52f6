// Package tftp is the Trivial File Transfer Protocol, server and client: RFC 1350 without mail
// mode, the options of RFC 2347, 2348, 2349 and 7440, and block numbers that roll over, so that
// files may have any size.
//
// # Server
//
// A [Server] is used like that of net/http: give it a [Handler], and call Serve with a socket.
// Shutdown lets running transfers end.
//
//	socket, err := net.ListenPacket("udp", ":69")
//	...
//	handler := func(ctx context.Context, r *tftp.Request) error {
//		return store(ctx, r.Filename, r.Body)
//	}
//	server := &tftp.Server{Handler: tftp.HandlerFunc(handler)}
//	err = server.Serve(socket)
//
// The server acknowledges an upload after its Handler has returned nil, and not before: the last
// ACK is a receipt. While the handler works, the peer waits and repeats its last block every few
// seconds; the server still calls the handler once. A Handler that is a [ReadHandler] too serves
// downloads. Server.Accept decides which requests are served, before anything is kept of them.
// Server.Option answers options that the package doesn't know.
//
// A [Server] runs every transfer over the port that requests come to. NAT, containers and load
// balancers let that through. The price is the server's half of the transfer ID (RFC 1350, section
// 4): when a client uses the same port again, the server can't always tell packets of the old
// transfer that are still under way from those of the new one.
//
// # Client
//
// A [Client] sends a file with Put and fetches one with Get. Its zero value speaks plain RFC 1350,
// as the simplest devices do.
//
// # Errors
//
// An [*Error] that a handler returns goes to the peer as it is, code and message. For any other
// error the peer gets "internal error"; the log has the whole error. An ERROR packet that the peer
// sent is a [*PeerError].
//
// # Stability
//
// What is exported here follows semantic versioning: until version 1 a minor version may change it,
// and CHANGELOG.md says what to write instead. What goes over the wire is bound by the RFCs. The
// package uses golang.org/x/sys and the standard library, and nothing else of this module.
package tftp
