package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 3).
const (
	pktInit     = 1
	pktVersion  = 2
	pktOpen     = 3
	pktClose    = 4
	pktRead     = 5
	pktWrite    = 6
	pktLstat    = 7
	pktFstat    = 8
	pktSetstat  = 9
	pktFsetstat = 10
	pktOpendir  = 11
	pktReaddir  = 12
	pktRemove   = 13
	pktMkdir    = 14
	pktRmdir    = 15
	pktRealpath = 16
	pktStat     = 17
	pktRename   = 18
	pktStatus   = 101
	pktHandle   = 102
	pktName     = 104
	pktAttrs    = 105
	pktExtended = 200
)

// Codes of SSH_FXP_STATUS (section 7).
const (
	statusOK          = 0
	statusEOF         = 1
	statusNoFile      = 2
	statusDenied      = 3
	statusFailure     = 4
	statusBadMessage  = 5
	statusUnsupported = 8
)

// Flags of SSH_FXP_OPEN (section 6.3).
const (
	openWrite  = 2
	openAppend = 4
	openCreate = 8
	openTrunc  = 16
	openExcl   = 32
)

// Flags of attributes (section 5).
const (
	attrSize        = 1
	attrOwner       = 2
	attrPermissions = 4
	attrTimes       = 8
)

// maxPacket is how many bytes a packet may have: OpenSSH's limit. Clients send 32 KiB at once, and
// some up to this.
const maxPacket = 256 << 10

var errMalformed = errors.New("sftp: malformed packet")

// readPacket returns the next packet's type and content. It returns io.EOF where the client has
// ended between packets.
func (s *session) readPacket() (kind byte, packet []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxPacket {
		return 0, nil, fmt.Errorf("sftp: a packet of %d bytes, of %d at most", size, maxPacket)
	}
	if len(s.buf) < int(size) {
		s.buf = make([]byte, size)
	}
	if _, err := io.ReadFull(s.r, s.buf[:size]); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return s.buf[0], s.buf[1:size], nil
}

// fields reads a packet's fields. After one that isn't whole, bad is set and all others are empty.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) next(n uint32) []byte {
	if f.bad || uint64(n) > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	p := f.b[:n]
	f.b = f.b[n:]
	return p
}

func (f *fields) uint32() uint32 {
	if p := f.next(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if p := f.next(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (f *fields) bytes() []byte  { return f.next(f.uint32()) }
func (f *fields) string() string { return string(f.bytes()) }

// size reads attributes, of which only a size matters.
func (f *fields) size() (size uint64, ok bool) {
	if f.uint32()&attrSize == 0 {
		return 0, false
	}
	size = f.uint64()
	return size, !f.bad
}

// reply is a packet that is being written.
type reply []byte

func newReply(kind byte) reply { return reply{0, 0, 0, 0, kind} }

func (r reply) uint32(v uint32) reply { return binary.BigEndian.AppendUint32(r, v) }
func (r reply) string(s string) reply { return append(r.uint32(uint32(len(s))), s...) }

func (r reply) attrs(e entry) reply {
	mode := uint32(0o100644)
	if e.folder {
		mode = 0o40755
	}
	at := uint32(e.at.Unix())
	r = r.uint32(attrSize | attrOwner | attrPermissions | attrTimes)
	r = binary.BigEndian.AppendUint64(r, uint64(e.size))
	return r.uint32(0).uint32(0).uint32(mode).uint32(at).uint32(at)
}

// line is an entry as ls -l shows it.
func (e entry) line() string {
	kind := "-rw-r--r--    1"
	if e.folder {
		kind = "drwxr-xr-x    2"
	}
	return fmt.Sprintf("%s 0        0        %8d %s %s", kind, e.size,
		e.at.UTC().Format("Jan _2 15:04"), e.name)
}

func (r reply) send(w io.Writer) error {
	binary.BigEndian.PutUint32(r, uint32(len(r)-4))
	_, err := w.Write(r)
	return err
}
