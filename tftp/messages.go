package tftp

// The messages of the errors that a server sends by itself.
const (
	MessageMalformed   = "malformed request"
	MessageMode        = "unknown mode: use octet or netascii"
	MessageName        = "file name too long"
	MessageOperation   = "illegal TFTP operation"
	MessageUnknownTID  = "unknown transfer ID"
	MessageTooLarge    = "too large"
	MessageFull        = "storage full"
	MessageBusy        = "server busy, try again"
	MessageFlood       = "too many requests, try again"
	MessageNotAllowed  = "not allowed"
	MessageAltered     = "a block came twice with different data"
	MessageBeyond      = "data after the last block"
	MessageSilent      = "timed out"
	MessageUnavailable = "storage unavailable, try again"
	MessageShutdown    = "server is shutting down, try again"
	MessageInternal    = "internal error"
)

// Messages returns all of them, so that each can have its explanation.
func Messages() []string {
	return []string{
		MessageMalformed,
		MessageMode,
		MessageName,
		MessageOperation,
		MessageUnknownTID,
		MessageTooLarge,
		MessageFull,
		MessageBusy,
		MessageFlood,
		MessageNotAllowed,
		MessageAltered,
		MessageBeyond,
		MessageSilent,
		MessageUnavailable,
		MessageShutdown,
		MessageInternal,
	}
}
