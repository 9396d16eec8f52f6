package tftp

import (
	"errors"
	"fmt"
)

// ErrorCode is the number of an ERROR packet (RFC 1350, section 5; RFC 2347 for 8).
type ErrorCode uint16

// Error codes.
const (
	CodeUndefined  ErrorCode = 0 // not defined, see the message
	CodeNotFound   ErrorCode = 1 // file not found
	CodeAccess     ErrorCode = 2 // access violation
	CodeFull       ErrorCode = 3 // disk full or allocation exceeded
	CodeIllegal    ErrorCode = 4 // illegal TFTP operation
	CodeUnknownTID ErrorCode = 5 // unknown transfer ID
	CodeExists     ErrorCode = 6 // file already exists
	CodeNoUser     ErrorCode = 7 // no such user
	CodeOptions    ErrorCode = 8 // option negotiation failed
)

// An Error is an error that the server sends to the peer; one that the peer sends is a [PeerError].
// When a [Handler] returns an Error, the server sends its Code and Message as they are. Err is the
// cause: it goes to the log and never to the peer.
type Error struct {
	Code ErrorCode
	// NetASCII without control characters (RFC 1350, section 5), cut at 507 bytes on the wire
	Message string
	Err     error // the cause; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s (TFTP error %d)", e.Message, e.Code)
	}
	return fmt.Sprintf("%s (TFTP error %d): %v", e.Message, e.Code, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Errors with fixed phrases that the engine sends by itself.
var (
	errMalformed  = &Error{Code: CodeIllegal, Message: MessageMalformed}
	errMode       = &Error{Code: CodeIllegal, Message: MessageMode}
	errName       = &Error{Code: CodeIllegal, Message: MessageName}
	errOperation  = &Error{Code: CodeIllegal, Message: MessageOperation}
	errUnknownTID = &Error{Code: CodeUnknownTID, Message: MessageUnknownTID}
	errTooLarge   = &Error{Code: CodeFull, Message: MessageTooLarge}
	errMemory     = &Error{Code: CodeFull, Message: MessageFull,
		Err: errors.New("the memory for transfers is spent: raise Limits.Memory")}
	errBusy = &Error{Code: CodeUndefined, Message: MessageBusy,
		Err: errors.New("too many transfers: raise Limits.Transfers")}
	errFlood = &Error{Code: CodeUndefined, Message: MessageFlood,
		Err: errors.New("one address asks more than 1,000 times a second")}
	errNoReading = &Error{Code: CodeAccess, Message: MessageNotAllowed,
		Err: errors.New("the handler does not serve reads")}
	errAltered = &Error{Code: CodeUndefined, Message: MessageAltered}
	errBeyond  = &Error{Code: CodeUndefined, Message: MessageBeyond}
	errSilent  = &Error{Code: CodeUndefined, Message: MessageSilent}
	errLate    = &Error{Code: CodeUndefined, Message: MessageUnavailable,
		Err: errors.New("the handler did not return in time")}
	errShutdown = &Error{Code: CodeUndefined, Message: MessageShutdown}
)

// Ends of transfers that the peer gets no ERROR for, as the Err of an [Outcome].
var (
	ErrReplaced = errReplaced // the peer began another transfer from the same port
	ErrCrowded  = errCrowded  // dropped for another transfer; the peer had never answered
	ErrNoReport = errNoReport // the handler succeeded after the peer had left
)

// wire returns the Error that goes to the peer for err: an *Error as it is, anything else as an
// internal error, since a peer must not learn causes.
func wire(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeUndefined, Message: MessageInternal, Err: err}
}
