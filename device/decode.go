package device

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDecoded bounds the decoded size of gzip, zip and UTF-16, in bytes. It is the default limit of
// an upload. Larger contents are not decoded.
const MaxDecoded = 64 << 20

// Decode returns the text of a configuration. It unpacks gzip, a zip archive of one file and the
// base64 of a SonicWall export, removes a byte order mark and UTF-16, ends lines that CR ends with
// LF, and takes a recording of a terminal for what the terminal showed. Anything else is returned
// unchanged.
func Decode(config []byte) []byte {
	for range 2 { // a zip file inside gzip, or the other way round, is as far as it goes
		unpacked, ok := unpack(config)
		if !ok {
			break
		}
		config = unpacked
	}
	if settings, ok := unpackSonic(config); ok {
		return settings
	}
	switch {
	case bytes.HasPrefix(config, []byte("\xef\xbb\xbf")):
		config = config[3:]
	case bytes.HasPrefix(config, []byte("\xff\xfe")):
		config = fromUTF16(config, config[2:], binary.LittleEndian)
	case bytes.HasPrefix(config, []byte("\xfe\xff")):
		config = fromUTF16(config, config[2:], binary.BigEndian)
	case wide(config, 0):
		config = fromUTF16(config, config, binary.LittleEndian)
	case wide(config, 1):
		config = fromUTF16(config, config, binary.BigEndian)
	}
	config = lineEnds(config)
	if recorded(config) {
		config = replayed(config)
	}
	return config
}

// wide reports whether a text begins as UTF-16 without its mark: with characters of ASCII, of which
// the one byte is at the even or the odd places, and the other is 0.
func wide(text []byte, at int) bool {
	const looked = 16
	if len(text) < looked {
		return false
	}
	for i := 0; i < looked; i += 2 {
		if c := text[i+at]; text[i+1-at] != 0 || c > '~' || c < ' ' && !blank(c) {
			return false
		}
	}
	return true
}

func unpack(config []byte) ([]byte, bool) {
	switch {
	case bytes.HasPrefix(config, []byte("\x1f\x8b")):
		r, err := gzip.NewReader(bytes.NewReader(config))
		if err != nil {
			return nil, false
		}
		return readAll(r.Read, 4*len(config))
	case bytes.HasPrefix(config, []byte("PK\x03\x04")):
		if !oneFile(config) {
			return nil, false
		}
		archive, err := zip.NewReader(bytes.NewReader(config), int64(len(config)))
		if err != nil || len(archive.File) != 1 {
			return nil, false
		}
		r, err := archive.File[0].Open()
		if err != nil {
			return nil, false
		}
		return readAll(r.Read, 4*len(config))
	}
	return nil, false
}

// oneFile reports whether a zip archive says that it holds one file, with a directory that is no
// longer than one file needs. The reader of archives takes several times the memory of a long
// directory, whatever number of files it states.
func oneFile(archive []byte) bool {
	const header, end, longest = 46, 22, 1<<16 - 1
	at := bytes.LastIndex(archive[max(0, len(archive)-end-longest):], []byte("PK\x05\x06"))
	if at < 0 {
		return false
	}
	at += max(0, len(archive)-end-longest)
	if len(archive)-at < end {
		return false
	}
	files, size, offset := binary.LittleEndian.Uint16(archive[at+10:]),
		binary.LittleEndian.Uint32(archive[at+12:]), binary.LittleEndian.Uint32(archive[at+16:])
	return files == 1 && size <= header+3*longest && uint64(offset)+uint64(size) == uint64(at)
}

// readAll reads to the end. It fails if the size exceeds MaxDecoded or the checksum is wrong.
// (io.ReadAll would bring IO into this package.)
func readAll(read func([]byte) (int, error), size int) ([]byte, bool) {
	b := make([]byte, 0, min(max(size, 4096), MaxDecoded+1))
	for {
		if len(b) == cap(b) {
			if len(b) > MaxDecoded {
				return nil, false
			}
			b = append(make([]byte, 0, min(2*cap(b), MaxDecoded+1)), b...)
		}
		n, err := read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			return b, err.Error() == "EOF" && len(b) <= MaxDecoded
		}
	}
}

// fromUTF16 returns text as UTF-8, or whole unchanged if it is not UTF-16.
func fromUTF16(whole, text []byte, order binary.ByteOrder) []byte {
	if len(text)%2 != 0 || len(text) > MaxDecoded {
		return whole
	}
	out := make([]byte, 0, len(text)/2+len(text)/16)
	for i := 0; i < len(text); i += 2 {
		r := rune(order.Uint16(text[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(text) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(text[i+2:]))); pair != utf8.RuneError {
				r, i = pair, i+2
			}
		}
		if utf16.IsSurrogate(r) { // half a character would become the same as any other half
			return whole
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
