package sftp

import (
	"errors"
	"fmt"
	"strings"
)

// An Error is an error that the client is told. When a [Handler], a check of a login or Accept
// returns one, its Message goes to the client. Err is the cause: it goes to the log and never to
// the client.
type Error struct {
	Message string // says what to do; control characters are left out, cut at 200 bytes
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Errors that the server itself tells clients.
var (
	errMemory = &Error{Message: "server busy, try again",
		Err: errors.New("the memory for uploads is spent: raise Limits.Memory")}
	errOpen = &Error{Message: "too many open files: close some"}
	errBusy = &Error{Message: "server busy, try again",
		Err: errors.New("too many connections: raise Limits.Connections")}
	errSource = &Error{Message: "too many connections from your address, try again",
		Err: errors.New("one address has as many as Limits.PerSource")}
	errGuesses = &Error{Message: "too many wrong passwords from your address, try again later",
		Err: errors.New("the password was not looked at: see Limits.Guesses")}
	errUser      = &Error{Message: "the user's name is too long"}
	errShutdown  = &Error{Message: "server is shutting down, try again"}
	errScattered = &Error{Message: "the file comes in too many parts: send it in order"}
	errPath      = &Error{Message: "the name is too long or has control characters"}
	errFolder    = &Error{Message: "that is a folder: name a file"}
	errResume    = &Error{Message: "files can't be appended to or resumed: send the whole file"}
	errWriteOnly = &Error{Message: "uploads only: nothing can be read here"}
	errLost      = &Error{Message: "the connection was lost",
		Err: errors.New("the client closed neither the file nor the session")}
	errNotClosed = &Error{Message: "the client ended without closing the file"}
	errPanic     = errors.New("the handler panicked")
)

// ErrNoReceipt is the Err of an [Outcome] whose handler succeeded after the client had left.
var ErrNoReceipt = errors.New("it was stored, but the client left before its receipt")

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("sftp: server closed")

func tooLarge(limit int64) *Error {
	return &Error{Message: fmt.Sprintf("too large: a file may have %d bytes", limit)}
}

// maxMessage is how many bytes of a message go to a client: two lines of a terminal.
const maxMessage = 200

// wire returns the text for the client: the Message of an *Error, else one that names no cause.
func wire(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "storage unavailable, try again"
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, e.Message)
	return strings.ToValidUTF8(text[:min(len(text), maxMessage)], "")
}
