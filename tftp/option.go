package tftp

import (
	"strconv"
	"strings"
	"time"
)

// An Option is a name and its value in a request or an OACK (RFC 2347). Names are in lower case.
type Option struct{ Name, Value string }

// Bounds of the options' values.
const (
	minBlksize     = 8     // bytes (RFC 2348)
	MaxBlksize     = 65464 // bytes (RFC 2348)
	defaultBlksize = 512   // bytes (RFC 1350, section 2)
	MaxWindowsize  = 65535 // blocks (RFC 7440, section 3)
	maxInterval    = 255   // seconds (RFC 2349)
)

func has(options []Option, name string) bool {
	_, ok := lookup(options, name)
	return ok
}

func lookup(options []Option, name string) (value string, ok bool) {
	for _, o := range options {
		if o.Name == name {
			return o.Value, true
		}
	}
	return "", false
}

// FormatOptions returns options as they are logged: "blksize=1428 windowsize=4". Names and values
// are as they came.
func FormatOptions(options []Option) string {
	var b strings.Builder
	for i, o := range options {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(o.Name + "=" + o.Value)
	}
	return b.String()
}

// number reads a value of decimal digits and nothing else; what is larger than most comes back as
// most.
func number(s string, most uint64) (uint64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most { // only out of range is left of errors
		n = most
	}
	return n, true
}

// terms are what two ends agreed on.
type terms struct {
	blksize    int           // bytes
	windowsize int           // blocks
	interval   time.Duration // retransmission interval; 0 where none was negotiated
	tsize      int64         // size as announced, bytes; -1 where none was
}

func defaultTerms() terms { return terms{blksize: defaultBlksize, windowsize: 1, tsize: -1} }

// negotiate answers the options of a request in their order. It leaves out an option that is
// unknown, malformed or below its range (RFC 2347), and lowers a value above the range where the
// RFC allows that. size is the size of a read's body in bytes; a write doesn't use it.
func (e *engine) negotiate(r *Request, size int64) (answer []Option, t terms) {
	t = defaultTerms()
	for _, o := range r.Options {
		var value string
		switch o.Name {
		case "blksize":
			n, ok := number(o.Value, uint64(e.limits.MaxBlksize))
			if !ok || n < minBlksize {
				continue
			}
			t.blksize, value = int(n), strconv.FormatUint(n, 10)
		case "windowsize":
			n, ok := number(o.Value, uint64(e.limits.MaxWindowsize))
			if !ok || n < 1 {
				continue
			}
			t.windowsize, value = int(n), strconv.FormatUint(n, 10)
		case "timeout":
			n, ok := number(o.Value, maxInterval+1)
			if !ok || n < 1 || n > maxInterval {
				continue
			}
			// RFC 2349: the same value, so the same digits
			t.interval, value = time.Duration(n)*time.Second, o.Value
		case "tsize":
			n, ok := number(o.Value, 1<<63-1)
			if !ok {
				continue
			}
			t.tsize, value = int64(n), o.Value
			if r.Op == OpRead {
				if size == 0 {
					continue // curl takes a tsize of 0 in an OACK for an error
				}
				t.tsize, value = size, strconv.FormatInt(size, 10)
			}
		default:
			if e.option == nil {
				continue
			}
			var ok bool
			if value, ok = e.option(r, o.Name, o.Value); !ok {
				continue
			}
		}
		answer = append(answer, Option{o.Name, value})
	}
	return answer, t
}
