package alarm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Outcome is how an attempt to send a message ended.
type Outcome int

const (
	// Taken: the receiver has it. Of a mail's recipients at least one has, and the others refuse
	// it.
	Taken Outcome = iota
	// Later: not now. It may have arrived all the same, if the answer was lost.
	Later
	// Refused: never, as it is.
	Refused
	// Gone: the receiver is there no more (HTTP 410). The channel is to be disabled.
	Gone
)

func (o Outcome) String() string {
	return [...]string{"taken", "later", "refused", "gone"}[o]
}

// A Result is what became of an attempt. Its texts are printable and hold no secret of the channel.
type Result struct {
	Outcome Outcome
	// Reason says in a line why the message was not taken; empty if it was.
	Reason string
	// RetryAfter is what the receiver asked to wait, up to a day; 0 if it didn't.
	RetryAfter time.Duration
	// Answer is all that the receiver said, in lines, up to 64 KiB.
	Answer string
	// Recipients says how each address of a mail fared, if the server was asked about them.
	Recipients []Recipient
}

// A Recipient is an address of a mail and what became of the mail for it.
type Recipient struct {
	Address string
	Outcome Outcome // Taken, Later or Refused
	Reason  string
}

// Err returns nil for a message that was taken, else the reason as an error.
func (r Result) Err() error {
	if r.Outcome == Taken {
		return nil
	}
	return errors.New(r.Reason)
}

// Left returns the recipients that may take the message later. It goes into Message.Only of the
// next attempt, so that those who have it don't get it twice.
func (r Result) Left() (addresses []string) { return r.with(Later) }

// Rejected returns the recipients that refuse the message.
func (r Result) Rejected() (addresses []string) { return r.with(Refused) }

func (r Result) with(o Outcome) (addresses []string) {
	for _, to := range r.Recipients {
		if to.Outcome == o {
			addresses = append(addresses, to.Address)
		}
	}
	return addresses
}

const (
	maxAnswer = 64 << 10 // bytes read, and shown
	maxReason = 300      // bytes
)

// result makes a Result of texts that may hold anything.
func (c *Channel) result(o Outcome, reason, answer string) Result {
	return Result{Outcome: o, Reason: line(c.hide(reason), maxReason),
		Answer: lines(c.hide(answer), maxAnswer)}
}

func (c *Channel) later(format string, args ...any) Result {
	return c.result(Later, fmt.Sprintf(format, args...), "")
}

// hide replaces the channel's secrets, which a receiver or an error may repeat.
func (c *Channel) hide(s string) string {
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, masked)
	}
	return s
}
