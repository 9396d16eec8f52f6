package tftp

import (
	"bytes"
	"fmt"
	"strings"
)

// A Packet is the payload of a datagram. Its String is for people; that of DATA leaves out the
// data, which may be secret.
type Packet []byte

func (p Packet) String() string {
	op, n := header(p)
	switch op {
	case opRRQ, opWRQ:
		return formatRequest(p)
	case opDATA:
		return fmt.Sprintf("DATA %d, %d bytes", n, len(p)-headerSize)
	case opACK:
		return fmt.Sprintf("ACK %d", n)
	case opERROR:
		return fmt.Sprintf("ERROR %d %q", n, parseERROR(p).Message)
	case opOACK:
		return "OACK" + formatPairs(bytes.Split(bytes.TrimSuffix(p[2:], []byte{0}), []byte{0}))
	}
	return fmt.Sprintf("%d bytes that are no TFTP packet", len(p))
}

// formatRequest takes a request as it came, also one that can't be understood.
func formatRequest(p Packet) string {
	word := "RRQ"
	if op, _ := header(p); op == opWRQ {
		word = "WRQ"
	}
	fields := bytes.Split(bytes.TrimSuffix(p[2:], []byte{0}), []byte{0})
	if len(fields) < 2 {
		return fmt.Sprintf("%s %q and no mode", word, fields[0])
	}
	return fmt.Sprintf("%s %q %s", word, fields[0], plain(fields[1])) + formatPairs(fields[2:])
}

func formatPairs(fields [][]byte) string {
	var b strings.Builder
	for ; len(fields) > 1; fields = fields[2:] {
		b.WriteString(" " + plain(fields[0]) + "=" + plain(fields[1]))
	}
	return b.String()
}

// plain quotes a word that isn't letters, digits and the like.
func plain(word []byte) string {
	for _, c := range word {
		if c <= ' ' || c > '~' || c == '=' || c == '"' {
			return fmt.Sprintf("%q", word)
		}
	}
	if len(word) == 0 {
		return `""`
	}
	return string(word)
}
