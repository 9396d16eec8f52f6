package tftp

import (
	"net/netip"
	"sync"
	"time"
)

// sharedRates are the rates of several loops. A request costs less than a microsecond of it.
type sharedRates struct {
	mu    sync.Mutex // guards rates
	rates *rates
}

func (s *sharedRates) allowRequest(now time.Duration, source netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates.allowRequest(now, source)
}

func (s *sharedRates) allowError(now time.Duration, to netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates.allowError(now, to)
}
