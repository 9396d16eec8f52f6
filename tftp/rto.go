package tftp

import "time"

// rto says when an unanswered packet is repeated (RFC 1123, section 4.2.3.2; RFC 6298). A
// negotiated interval is used as it is (RFC 2349); otherwise it follows the round trips, and
// doubles with each repeat.
type rto struct {
	fixed time.Duration // negotiated; 0 for none
	first time.Duration // before anything is measured
	least time.Duration // never shorter

	srtt, rttvar time.Duration
	tries        int // repeats since the last progress
}

// maxRTO bounds the doubling, so that a peer that is back after a pause waits no longer than this.
const maxRTO = 8 * time.Second

// interval is how long to wait for an answer now.
func (r *rto) interval() time.Duration {
	if r.fixed > 0 {
		return r.fixed
	}
	d := r.first
	if r.srtt > 0 {
		d = max(r.srtt+4*r.rttvar, r.least)
	}
	return min(d<<min(r.tries, 8), maxRTO)
}

// measured takes a round trip (RFC 6298, section 2).
func (r *rto) measured(rtt time.Duration) {
	if r.srtt == 0 {
		r.srtt, r.rttvar = rtt, rtt/2
		return
	}
	r.rttvar += ((r.srtt - rtt).Abs() - r.rttvar) / 4
	r.srtt += (rtt - r.srtt) / 8
}
