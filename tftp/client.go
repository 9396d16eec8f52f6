package tftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// A Client sends and fetches files. Its zero value speaks plain RFC 1350; the options that its
// fields name are asked for, and the server may grant less.
type Client struct {
	Blksize    int // bytes, 8 to 65464; 0 to leave it at 512
	Windowsize int // blocks, 1 to 65535; 0 to leave it at 1
	// interval of retransmission, whole seconds, 1 to 255; 0 to let both sides choose
	Timeout time.Duration
	Mode    Mode // Octet if empty

	// MaxSize bounds what Get takes, in bytes as sent; 1 GiB if 0.
	MaxSize int64

	// Patience is how long the server may be silent, 30 s if 0: a server that stores before it
	// acknowledges may need 20.
	Patience time.Duration

	// Dallying, where set, counts the reads that stay for 2 s after Get has returned, in case the
	// server asks for the last ACK again (RFC 1350, section 6). A program that ends should wait for
	// it.
	Dallying *sync.WaitGroup

	// Progress is told how many bytes have arrived at the other end, or here, and how many there
	// are, -1 where the server hasn't said. It is called between packets.
	Progress func(done, total int64)
}

func (c *Client) maxSize() int64 {
	if c.MaxSize > 0 {
		return c.MaxSize
	}
	return 1 << 30
}

func (c *Client) patience() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return 30 * time.Second
}

// Put sends body as the file name to the server at addr, "host:port". It returns when the server
// has acknowledged all of it; what the server refuses comes as a [*PeerError].
func (c *Client) Put(ctx context.Context, addr, name string, body []byte) error {
	if c.mode() == Netascii {
		body = encodeNetascii(body)
	}
	_, err := c.run(ctx, addr, &Request{Op: OpWrite, Filename: name}, body)
	return err
}

// Get fetches the file name from the server at addr, "host:port". What the server refuses comes as
// a [*PeerError].
func (c *Client) Get(ctx context.Context, addr, name string) ([]byte, error) {
	return c.run(ctx, addr, &Request{Op: OpRead, Filename: name}, nil)
}

func (c *Client) mode() Mode {
	if c.Mode == "" {
		return Octet
	}
	return c.Mode
}

// options are what is asked for. A size costs nothing, so it goes with any other option; alone it
// would only trouble servers that know none, and with netascii tftpd-hpa refuses it.
func (c *Client) options(op Op, size int64) ([]Option, error) {
	var options []Option
	add := func(name string, v, least, most int64) error {
		if v == 0 {
			return nil
		}
		if v < least || v > most {
			return fmt.Errorf("%s must be %d to %d", name, least, most)
		}
		options = append(options, Option{name, strconv.FormatInt(v, 10)})
		return nil
	}
	err := errors.Join(
		add("blksize", int64(c.Blksize), minBlksize, MaxBlksize),
		add("windowsize", int64(c.Windowsize), 1, MaxWindowsize),
		add("timeout", int64(c.Timeout/time.Second), 1, maxInterval))
	if len(options) > 0 && c.mode() != Netascii {
		if op == OpRead {
			size = 0
		}
		options = append(options, Option{"tsize", strconv.FormatInt(size, 10)})
	}
	return options, err
}

func (c *Client) run(ctx context.Context, addr string, r *Request, body []byte) ([]byte, error) {
	if len(r.Filename) > maxName || r.Filename == "" || containsNUL(r.Filename) {
		return nil, fmt.Errorf("a file name has 1 to %d bytes and no NUL", maxName)
	}
	var err error
	r.Mode = c.mode()
	if r.Options, err = c.options(r.Op, int64(len(body))); err != nil {
		return nil, err
	}
	server, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	_ = socket.SetReadBuffer(receiveBuffer) // less is only slower
	s := &session{c: c, conn: newPlainConn(socket, socket.ReadFromUDPAddrPort), epoch: time.Now()}
	s.i = newInitiator(0, r, body, server.AddrPort(), c)
	if err := s.run(ctx); err != nil {
		return nil, errors.Join(err, s.conn.Close())
	}
	if s.i.phase == over {
		return s.i.body, s.conn.Close()
	}
	if c.Dallying != nil {
		c.Dallying.Go(s.dally)
	} else {
		go s.dally() // ends after dallyTime
	}
	return s.i.body, nil
}

func containsNUL(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

// session is an initiator at work on a socket.
type session struct {
	c     *Client
	i     *initiator
	conn  conn
	epoch time.Time
}

// run goes on until the transfer has ended, or all of a read is there.
func (s *session) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.conn.wake)()
	reported := int64(-1)
	for {
		s.flush()
		if done := s.i.done(); done != reported && s.c.Progress != nil {
			reported = done
			s.c.Progress(done, s.i.total)
		}
		if s.i.phase == over || s.i.phase == dallying {
			return s.i.err
		}
		if err := s.step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			s.i.cancel(err)
		}
	}
}

// dally repeats the last ACK when it is asked for.
func (s *session) dally() {
	defer s.conn.Close()
	for s.i.phase != over {
		if s.step(context.Background()) != nil {
			return
		}
		s.flush()
	}
}

// step waits for datagrams, the next deadline, or the end of ctx, which wakes the socket.
func (s *session) step(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	n, err := s.conn.receive(s.epoch.Add(s.i.deadline()), false)
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	now := time.Since(s.epoch)
	for i := range n {
		d := s.conn.came(i)
		for b := range d.packets {
			s.i.packet(now, d.peer, b)
		}
	}
	s.i.tick(now)
	return nil
}

func (s *session) flush() {
	for {
		d, ok := s.i.send(time.Since(s.epoch), s.conn.buffer())
		if !ok {
			s.conn.flush()
			return
		}
		s.conn.queue(d)
	}
}
