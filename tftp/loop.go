package tftp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// serving is a server at work on one socket. Its goroutine, the loop, owns the engine.
type serving struct {
	s      *Server
	conn   conn
	engine *engine
	epoch  time.Time
	done   chan struct{} // closed when the loop has ended

	draining, aborting, closing atomic.Bool

	idleLines   allowance // of log lines about requests that came to nothing
	failedLines allowance // of log lines about transfers that failed
	unsaid      int       // lines of both kinds dropped since the last one written

	count Stats // what the loop counts; the engine knows the rest

	mu   sync.Mutex // guards what follows
	ends []handled
	asks []chan Stats // each holds one
}

// idleLineRate bounds the log lines a second about requests that transferred nothing, and
// idleLineBurst those at once. failedLineRate and failedLineBurst bound those about transfers that
// failed, of which a whole site may cause many at once. With the longest file names that is some
// 300 MB and 1.2 GB of log a day at most.
const (
	idleLineRate    = 5
	idleLineBurst   = 200
	failedLineRate  = 20
	failedLineBurst = 1000
)

// handled is the end of a handler's call.
type handled struct {
	id   uint64
	body []byte
	err  error
}

// wake makes the loop collect what other goroutines left for it.
func (sv *serving) wake() { sv.conn.wake() }

const (
	// sendBurst is how many datagrams leave before the socket is read again, so that ACKs and other
	// peers are heard in the middle of a large window.
	sendBurst = 64
	// turn is how long the loop runs before it yields the processor. Go's scheduler preempts a
	// goroutine after 10 ms, and then checks it every 20 µs, which costs more.
	turn = 5 * time.Millisecond
	// maxReadErrors is how many reads in a row may fail before the socket is given up: single
	// errors are about a datagram.
	maxReadErrors = 100
)

// loop reads, feeds the engine, writes and sleeps until the next deadline.
func (sv *serving) loop() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := sv.engine
	draining, aborting, heard, readErrors := false, false, false, 0
	var yielded time.Duration
	for {
		now := time.Since(sv.epoch)
		if now-yielded > turn {
			runtime.Gosched()
			yielded = now
		}
		if sv.closing.Load() {
			return ErrServerClosed
		}
		if sv.draining.Load() && !draining {
			draining = true
			e.drain(now)
		}
		if sv.aborting.Load() && !aborting {
			aborting = true
			e.abort()
		}
		sv.takeEnds(now)
		sv.flush(ctx, now)
		if draining && e.idle() && !e.canSend() {
			return ErrServerClosed
		}
		// While a handler runs, receive must return as soon as the handler ends.
		n, err := sv.conn.receive(sv.deadline(), heard && !e.busy())
		now = time.Since(sv.epoch)
		heard = n > 0
		switch {
		case err == nil:
			readErrors = 0
		case errors.Is(err, net.ErrClosed) || readErrors == maxReadErrors:
			return err
		default:
			readErrors++
		}
		for i := range n {
			d := sv.conn.came(i)
			for b := range d.packets {
				sv.count.PacketsIn++
				sv.count.BytesIn += int64(len(b))
				if sv.s.Trace != nil {
					sv.s.Trace(netip.AddrPortFrom(d.peer.Addr().Unmap(), d.peer.Port()), false, b)
				}
				e.packet(now, d.peer, d.local, b)
			}
		}
		e.tick(now)
	}
}

// deadline is when the loop has to look at the engine again.
func (sv *serving) deadline() time.Time {
	if sv.engine.canSend() {
		return longAgo
	}
	if at, ok := sv.engine.deadline(); ok {
		return sv.epoch.Add(at)
	}
	return time.Time{}
}

// flush carries out what the engine wants, a burst of what it sends.
func (sv *serving) flush(ctx context.Context, now time.Duration) {
	e := sv.engine
	for sent := 0; sent < sendBurst; {
		d, ok := e.send(now, sv.conn.buffer())
		if !ok {
			break
		}
		for b := range d.packets {
			sent++
			sv.count.PacketsOut++
			sv.count.BytesOut += int64(len(b))
			if sv.s.Trace != nil {
				sv.s.Trace(d.peer, true, b)
			}
		}
		sv.conn.queue(d)
	}
	sv.conn.flush()
	begun, outcomes := e.take()
	for _, c := range begun {
		go sv.handle(ctx, c) // ends when the handler returns; its end wakes the loop
	}
	for _, o := range outcomes {
		if sv.s.Ended != nil {
			sv.s.Ended(o)
		}
		sv.logOutcome(o)
	}
	clear(begun) // so that bodies can go
	clear(outcomes)
}

// handle runs the handler. A handler that panics has failed, and takes nothing else with it.
func (sv *serving) handle(ctx context.Context, c call) {
	ctx, cancel := context.WithTimeout(ctx, sv.engine.handlerTimeout)
	defer cancel()
	end := handled{id: c.id, err: errors.New("the handler panicked")}
	defer func() {
		if p := recover(); p != nil {
			end.err = fmt.Errorf("the handler panicked: %v", p)
		}
		sv.mu.Lock()
		sv.ends = append(sv.ends, end)
		sv.mu.Unlock()
		sv.wake()
	}()
	c.prepare()
	if c.req.Op == OpRead {
		end.body, end.err = sv.s.Handler.(ReadHandler).ReadTFTP(ctx, c.req)
	} else {
		end.err = sv.s.Handler.ServeTFTP(ctx, c.req)
	}
}

// takeEnds collects what other goroutines left: results of handlers, and questions of Stats.
func (sv *serving) takeEnds(now time.Duration) {
	sv.mu.Lock()
	ends, asks := sv.ends, sv.asks
	sv.ends, sv.asks = nil, nil
	sv.mu.Unlock()
	for _, ask := range asks {
		ask <- sv.count.with(sv.engine.stats())
	}
	for _, h := range ends {
		sv.engine.completed(now, h.id, h.body, h.err)
	}
}

// logOutcome writes the one line of a transfer that ended. Reads and writes that went well are
// routine; what the operator may have to mend is a warning.
//
// An attacker can forge any number of requests. So lines about refusals, failures and requests that
// nothing followed are limited (idleLineRate, failedLineRate), and the next line counts those that
// were dropped.
func (sv *serving) logOutcome(o Outcome) {
	s := sv.s
	if s.Logger == nil {
		return
	}
	r := o.Request
	if o.Err != nil && !o.Again {
		lines, rate, burst := &sv.failedLines, failedLineRate, failedLineBurst
		if o.Bytes == 0 {
			lines, rate, burst = &sv.idleLines, idleLineRate, idleLineBurst
		}
		if !lines.take(time.Since(sv.epoch), float64(rate), float64(burst)) {
			sv.unsaid++
			return
		}
		if sv.unsaid > 0 {
			s.Logger.Warn("more requests failed than the log has lines for; the limit protects "+
				"the log from floods", "dropped_lines", sv.unsaid)
			sv.unsaid = 0
		}
	}
	level, text := slog.LevelInfo, "received"
	otherSize := o.Err == nil && r.Announced > 0 && o.Bytes != r.Announced
	switch {
	case o.Again:
		level, text = slog.LevelDebug, "ended later"
	case o.Refused:
		level, text = slog.LevelWarn, "refused"
	case o.Err != nil:
		level, text = slog.LevelWarn, "failed"
	case otherSize:
		level, text = slog.LevelWarn, "received, but not as many bytes as announced"
	case r.Op == OpRead:
		text = "sent"
	}
	attrs := []slog.Attr{
		slog.String("op", r.Op.String()),
		slog.String("peer", r.Peer.String()),
		slog.String("file", r.Filename),
		slog.Int64("bytes", o.Bytes),
		slog.Duration("took", time.Since(r.Received).Round(time.Microsecond)),
	}
	if otherSize {
		attrs = append(attrs, slog.Int64("announced", r.Announced))
	}
	if o.Refused && r.Mode != Octet && r.Mode != Netascii {
		attrs = append(attrs, slog.String("mode", string(r.Mode)))
	}
	if len(r.Negotiated) > 0 {
		attrs = append(attrs, slog.String("options", FormatOptions(r.Negotiated)))
	}
	if o.Repeats > 0 {
		attrs = append(attrs, slog.Int("repeats", o.Repeats))
	}
	r.mu.Lock()
	attrs = append(attrs, r.attrs...)
	r.mu.Unlock()
	if o.Err != nil {
		attrs = append(attrs, slog.Any("err", o.Err))
	}
	s.Logger.LogAttrs(context.Background(), level, text, attrs...)
}
