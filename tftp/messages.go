package tftp

// Messages returns the messages of the errors that a server sends by itself, so that each can have
// its explanation.
func Messages() []string {
	var list []string
	for _, e := range []*Error{errMalformed, errMode, errName, errOperation, errUnknownTID,
		errTooLarge, errMemory,
		errBusy, errFlood, errNoReading, errAltered, errBeyond, errSilent, errLate, errShutdown,
		wire(nil)} {
		list = append(list, e.Message)
	}
	return list
}
