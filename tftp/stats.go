package tftp

import (
	"context"
	"errors"
)

// Stats are what a server has done since it began to serve, and what it does now.
type Stats struct {
	// requests that were understood; refused ones are among them, repeated ones count once
	Reads, Writes      int64
	PacketsIn, BytesIn int64 // datagrams, and their payload as UDP carries it
	PacketsOut         int64
	BytesOut           int64
	Uploads, Downloads int   // under way now, with those whose handler runs
	Receipts           int   // uploads that have ended and can still hear their receipt again
	Held               int64 // bytes of all bodies in flight now
}

var errNotServing = errors.New("tftp: the server is not serving")

// Stats asks each loop of the server, which answers between packets; so an answer means that all
// loops run. It returns the error of ctx where a loop doesn't answer in time, and another error
// where the server is not serving.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	s.mu.Lock()
	all := s.serving
	s.mu.Unlock()
	var sum Stats
	err := errNotServing
	for _, sv := range all {
		ask := make(chan Stats, 1)
		sv.mu.Lock()
		sv.asks = append(sv.asks, ask)
		sv.mu.Unlock()
		sv.wake()
		select {
		case one := <-ask:
			sum.add(one)
			err = nil
		case <-sv.done:
		case <-ctx.Done():
			return Stats{}, ctx.Err()
		}
	}
	return sum, err
}

func (s *Stats) add(o Stats) {
	s.Reads += o.Reads
	s.Writes += o.Writes
	s.PacketsIn += o.PacketsIn
	s.BytesIn += o.BytesIn
	s.PacketsOut += o.PacketsOut
	s.BytesOut += o.BytesOut
	s.Uploads += o.Uploads
	s.Downloads += o.Downloads
	s.Receipts += o.Receipts
	s.Held += o.Held
}

// with returns the sum of both.
func (s Stats) with(o Stats) Stats {
	s.add(o)
	return s
}
