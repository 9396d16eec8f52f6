package tftp

import (
	"bytes"
	"encoding/binary"
)

// opcode is the first field of every packet (RFC 1350, section 5; RFC 2347 for OACK).
type opcode uint16

const (
	opRRQ   opcode = 1
	opWRQ   opcode = 2
	opDATA  opcode = 3
	opACK   opcode = 4
	opERROR opcode = 5
	opOACK  opcode = 6
)

const (
	headerSize = 4 // opcode and block number of DATA and ACK
	// of an ERROR, so that it fits what every peer can take: opcode, code, message, NUL
	maxMessage = 512 - 5
	// bytes of a file name; RFC 1350 sets no bound, RFC 2347 has requests of 512 bytes
	maxName = 512
	maxMode = 32 // bytes of an unknown mode, for the log
	// bytes of a request: the longest name, and options several times as long as RFC 2347 allows
	maxRequest  = 2048
	maxOptions  = 16    // of a request; clients send at most seven
	maxDatagram = 65535 // larger than any UDP payload, so that nothing arrives cut short
)

// header returns the opcode and the block number, or the error code, of a packet; 0 where it is too
// short to be one.
func header(b []byte) (op opcode, block uint16) {
	if len(b) < headerSize {
		return 0, 0
	}
	return opcode(binary.BigEndian.Uint16(b)), binary.BigEndian.Uint16(b[2:])
}

// parseRequest parses an RRQ or WRQ. A name without value at the end is no option, NULs after the
// mode are padding, and the first of two options of the same name counts (RFC 2347, RFC 1350
// section 5). With an error it still returns the parts that could be parsed, for the log.
func parseRequest(b []byte) (*Request, *Error) {
	r := &Request{Op: Op(binary.BigEndian.Uint16(b))}
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	r.Filename = string(name[:min(len(name), maxName)])
	mode, rest, ok2 := bytes.Cut(rest, []byte{0})
	r.Mode = Mode(mode[:min(len(mode), maxMode)])
	switch {
	case !ok || !ok2 || len(b) > maxRequest:
		return r, errMalformed
	case len(name) > maxName:
		return r, errName
	}
	switch fold(mode) {
	case "octet", "binary": // "binary" is what some clients say for octet
		r.Mode = Octet
	case "netascii":
		r.Mode = Netascii
	default: // mail among them, which RFC 1350 section 1 calls obsolete
		return r, errMode
	}
	for len(r.Options) < maxOptions {
		var option, value []byte
		option, rest, ok = bytes.Cut(rest, []byte{0})
		value, rest, ok2 = bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(option) == 0 {
			return r, nil
		}
		if name := fold(option); !has(r.Options, name) {
			r.Options = append(r.Options, Option{name, string(value)})
		}
	}
	return r, nil
}

// fold returns s in lower case: modes and option names are compared in any case (RFC 1350 section
// 5, RFC 2347).
func fold(s []byte) string {
	out := make([]byte, len(s))
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return string(out)
}

func appendHeader(b []byte, op opcode, n uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(op))
	return binary.BigEndian.AppendUint16(b, n)
}

func appendACK(b []byte, block uint64) []byte { return appendHeader(b, opACK, uint16(block)) }

func appendERROR(b []byte, e *Error) []byte {
	b = appendHeader(b, opERROR, uint16(e.Code))
	for _, c := range []byte(e.Message[:min(len(e.Message), maxMessage)]) {
		if c < ' ' || c > '~' {
			c = '?' // RFC 1350 section 5: netascii; and NUL would end it
		}
		b = append(b, c)
	}
	return append(b, 0)
}

// parseERROR returns what an ERROR packet says; its text ends at the first NUL, which some peers
// leave out.
func parseERROR(b []byte) *PeerError {
	_, code := header(b)
	message, _, _ := bytes.Cut(b[headerSize:], []byte{0})
	return &PeerError{Code: ErrorCode(code), Message: string(message[:min(len(message),
		maxMessage)])}
}

func appendOACK(b []byte, options []Option) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(opOACK))
	return appendOptions(b, options)
}

func parseOACK(b []byte) (options []Option, ok bool) {
	rest := b[2:]
	for len(rest) > 0 {
		var name, value []byte
		var closed, closed2 bool
		name, rest, closed = bytes.Cut(rest, []byte{0})
		value, rest, closed2 = bytes.Cut(rest, []byte{0})
		if !closed || !closed2 || len(name) == 0 || has(options, fold(name)) {
			return nil, false
		}
		options = append(options, Option{fold(name), string(value)})
	}
	return options, true
}

func appendRequest(b []byte, r *Request) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(r.Op))
	b = append(append(b, r.Filename...), 0)
	b = append(append(b, r.Mode...), 0)
	return appendOptions(b, r.Options)
}

func appendOptions(b []byte, options []Option) []byte {
	for _, o := range options {
		b = append(append(b, o.Name...), 0)
		b = append(append(b, o.Value...), 0)
	}
	return b
}
