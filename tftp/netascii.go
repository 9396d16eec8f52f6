package tftp

// Netascii (RFC 1350, section 1; RFC 764): a line ends in CR LF and a CR by itself is CR NUL. Here
// a line ends in LF.

// A netasciiDecoder turns netascii into bytes, block by block: the two bytes of a pair may come in
// two blocks.
type netasciiDecoder struct {
	cr bool // the last byte was a CR whose second byte is to come
}

// decode appends what b holds to dst. A CR before any other byte stays as it is: nothing that a
// peer sends is dropped.
func (d *netasciiDecoder) decode(dst, b []byte) []byte {
	for _, c := range b {
		if d.cr {
			d.cr = false
			switch c {
			case '\n':
				dst = append(dst, '\n')
				continue
			case 0:
				dst = append(dst, '\r')
				continue
			}
			dst = append(dst, '\r')
		}
		if c == '\r' {
			d.cr = true
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// flush appends a CR that was the last byte of all.
func (d *netasciiDecoder) flush(dst []byte) []byte {
	if d.cr {
		d.cr = false
		dst = append(dst, '\r')
	}
	return dst
}

// encodeNetascii returns body in netascii.
func encodeNetascii(body []byte) []byte {
	more := 0
	for _, c := range body {
		if c == '\n' || c == '\r' {
			more++
		}
	}
	out := make([]byte, 0, len(body)+more)
	for _, c := range body {
		switch c {
		case '\n':
			out = append(out, '\r', '\n')
		case '\r':
			out = append(out, '\r', 0)
		default:
			out = append(out, c)
		}
	}
	return out
}
