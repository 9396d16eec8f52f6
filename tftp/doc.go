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
// An upload is acknowledged when its Handler has returned nil, and not before: the last ACK is a
// receipt. While the handler works the peer waits, and repeats itself after some seconds; the
// server bears with that and calls the handler once. A Handler that is a [ReadHandler] too serves
// downloads. Server.Accept decides which requests are served, before anything is kept of them;
// Server.Option answers options of one's own.
//
// A [Server] runs every transfer over the one port that requests come to. That is what NAT,
// containers and load balancers let through; what it gives up is the server's half of the transfer
// ID (RFC 1350, section 4), so packets of an old transfer that are still under way when a client
// uses the same port again can't always be told apart.
//
// # Client
//
// A [Client] sends a file with Put and fetches one with Get. Its zero value speaks plain RFC 1350,
// as the simplest devices do.
//
// # Errors
//
// An [*Error] that a handler returns goes to the peer, code and message, as it is; of any other
// error the peer hears "internal error", and the log everything. What a peer sent as an error is a
// [*PeerError].
package tftp
