package web

import (
	"net/http"
	"time"
)

const (
	// stalledAfter is how long a client may take nothing of its answer: it holds a turn meanwhile.
	stalledAfter = 10 * time.Second
	// answerLasts bounds an answer to one that takes a little again and again.
	answerLasts = 2 * time.Minute
	// piece is how many bytes a client must take in stalledAfter.
	piece = 4 << 10
)

// steady is a ResponseWriter whose client is cut off when it takes nothing: each piece that it has
// taken moves the deadline on.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
	stalled time.Duration
	end     time.Time
}

func newSteady(w http.ResponseWriter, stalled time.Duration) *steady {
	return &steady{w, http.NewResponseController(w), stalled, time.Now().Add(answerLasts)}
}

// move gives the client time for the next piece.
func (s *steady) move() {
	next := time.Now().Add(s.stalled)
	if next.After(s.end) {
		next = s.end
	}
	_ = s.control.SetWriteDeadline(next) // where it can't be, the server's own bound holds
}

// Write implements http.ResponseWriter.
func (s *steady) Write(b []byte) (n int, err error) {
	for {
		s.move()
		m, err := s.ResponseWriter.Write(b[n:min(len(b), n+piece)])
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController calls.
func (s *steady) FlushError() error {
	s.move()
	return s.control.Flush()
}

// Unwrap is what http.ResponseController calls.
func (s *steady) Unwrap() http.ResponseWriter { return s.ResponseWriter }
