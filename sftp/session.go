package sftp

import (
	"bufio"
	"errors"
	"io"
	"strconv"
)

// session is SFTP on one channel. It answers one packet after the other, in order.
type session struct {
	c       *conn
	r       io.Reader
	w       io.Writer
	buf     []byte // of the last packet
	handles map[string]*handle
	last    uint64 // the last handle's number
}

// handle is an open file or folder.
type handle struct {
	upload  *incoming // nil for a folder
	entries []entry   // of a folder, those that are not listed yet
}

const (
	maxFolders = 16 // open at once
	listed     = 64 // entries in one packet
)

func newSession(c *conn, rw io.ReadWriter) *session {
	return &session{c: c, r: bufio.NewReaderSize(rw, 32<<10), w: rw, handles: map[string]*handle{}}
}

// serve returns the exit status.
func (s *session) serve() uint32 {
	err := s.loop()
	why := err
	switch {
	case s.c.socket.lost.Load():
		why = errLost
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		why = errNotClosed
	}
	for _, h := range s.handles {
		if h.upload != nil {
			h.upload.fail(why)
			h.upload.end(nil)
		}
	}
	if errors.Is(err, io.EOF) {
		return 0
	}
	return 1
}

func (s *session) loop() error {
	for begun := false; ; begun = true {
		kind, packet, err := s.readPacket()
		if err != nil {
			return err
		}
		f := &fields{b: packet}
		if !begun {
			if kind != pktInit {
				return errMalformed
			}
			err = s.version()
		} else {
			id := f.uint32()
			if f.bad {
				return errMalformed
			}
			err = s.answer(kind, id, f)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) version() error {
	return newReply(pktVersion).uint32(3).
		string("posix-rename@openssh.com").string("1").
		string("fsync@openssh.com").string("1").
		string("expand-path@openssh.com").string("1").send(s.w)
}

// status answers with a code and a text.
func (s *session) status(id, code uint32, text string) error {
	return newReply(pktStatus).uint32(id).uint32(code).string(text).string("en").send(s.w)
}

// result answers what an upload came to.
func (s *session) result(id uint32, err error) error {
	if err != nil {
		return s.status(id, statusFailure, wire(err))
	}
	return s.status(id, statusOK, "OK")
}

func (s *session) answer(kind byte, id uint32, f *fields) error {
	if kind != pktRealpath && kind != pktStat && kind != pktLstat {
		s.c.tree.resolved("")
	}
	switch kind {
	case pktOpen:
		return s.open(id, f)
	case pktWrite:
		return s.write(id, f)
	case pktClose:
		return s.close(id, f)
	case pktFstat, pktFsetstat, pktReaddir, pktRead:
		return s.onHandle(kind, id, f)
	case pktStat, pktLstat, pktSetstat, pktOpendir, pktRemove, pktMkdir, pktRmdir, pktRealpath,
		pktRename:
		return s.onPath(kind, id, f)
	case pktExtended:
		return s.extended(id, f)
	}
	return s.status(id, statusUnsupported, "uploads only")
}

func (s *session) malformed(id uint32) error {
	return s.status(id, statusBadMessage, "malformed packet")
}

func (s *session) add(id uint32, h *handle) error {
	s.last++
	name := strconv.FormatUint(s.last, 10)
	s.handles[name] = h
	return newReply(pktHandle).uint32(id).string(name).send(s.w)
}

func (s *session) open(id uint32, f *fields) error {
	name, flags := f.string(), f.uint32()
	switch {
	case f.bad:
		return s.malformed(id)
	case flags&(openWrite|openAppend|openCreate|openTrunc) == 0:
		return s.status(id, statusDenied, errWriteOnly.Message)
	}
	path, folder := resolve(name)
	err := checkPath(path)
	switch {
	case err != nil:
	case folder:
		err = errFolder
	case flags&openAppend != 0, flags&(openCreate|openTrunc) == 0,
		flags&(openTrunc|openExcl) == 0 && s.c.tree.has(path):
		err = errResume
	}
	if err != nil {
		return s.result(id, s.c.refuse(path[:min(len(path), maxPath)], SFTP, err))
	}
	in, err := s.c.begin(path, SFTP)
	if err != nil {
		return s.result(id, err)
	}
	return s.add(id, &handle{upload: in})
}

func (s *session) write(id uint32, f *fields) error {
	h, at, data := s.handles[f.string()], f.uint64(), f.bytes()
	switch {
	case f.bad:
		return s.malformed(id)
	case h == nil || h.upload == nil:
		return s.status(id, statusFailure, "no such open file")
	case at > 1<<62:
		at = 1 << 62 // past every limit
	}
	return s.result(id, h.upload.writeAt(data, int64(at)))
}

// close sends the receipt of an upload.
func (s *session) close(id uint32, f *fields) error {
	name := f.string()
	h := s.handles[name]
	switch {
	case f.bad:
		return s.malformed(id)
	case h == nil:
		return s.status(id, statusFailure, "no such open file")
	}
	delete(s.handles, name)
	in := h.upload
	if in == nil {
		return s.status(id, statusOK, "OK")
	}
	err := in.commit()
	s.c.tree.sent(in.u.Path, in.body.end, err)
	told := s.result(id, err)
	in.end(told)
	return told
}

// onHandle answers what is asked of an open file or folder.
func (s *session) onHandle(kind byte, id uint32, f *fields) error {
	h := s.handles[f.string()]
	switch {
	case f.bad:
		return s.malformed(id)
	case h == nil:
		return s.status(id, statusFailure, "no such open file")
	case kind == pktRead:
		return s.status(id, statusDenied, errWriteOnly.Message)
	case kind == pktReaddir && h.upload == nil:
		return s.readdir(id, h)
	case kind == pktReaddir:
		return s.status(id, statusFailure, "not a folder")
	case kind == pktFstat && h.upload == nil:
		return newReply(pktAttrs).uint32(id).attrs(entry{folder: true, at: s.c.began}).send(s.w)
	case kind == pktFstat:
		e := entry{size: h.upload.body.end, at: h.upload.u.Began}
		return newReply(pktAttrs).uint32(id).attrs(e).send(s.w)
	}
	size, ok := f.size()
	switch {
	case f.bad:
		return s.malformed(id)
	case ok && h.upload != nil:
		return s.result(id, h.upload.cut(size))
	}
	return s.status(id, statusOK, "OK")
}

func (s *session) readdir(id uint32, h *handle) error {
	if len(h.entries) == 0 {
		return s.status(id, statusEOF, "end of the folder")
	}
	n := min(len(h.entries), listed)
	r := newReply(pktName).uint32(id).uint32(uint32(n))
	for _, e := range h.entries[:n] {
		r = r.string(e.name).string(e.line()).attrs(e)
	}
	h.entries = h.entries[n:]
	return r.send(s.w)
}

// onPath answers what is asked of a path. What would change something changes nothing but what this
// connection sees.
func (s *session) onPath(kind byte, id uint32, f *fields) error {
	path, folder := resolve(f.string())
	t := s.c.tree
	if f.bad || len(path) > maxPath {
		return s.malformed(id)
	}
	switch kind {
	case pktStat, pktLstat:
		e, ok := t.stat(path, folder)
		t.resolved("")
		switch {
		case !ok:
			return s.status(id, statusNoFile, "no such file")
		case e.err != nil:
			return s.result(id, e.err)
		}
		return newReply(pktAttrs).uint32(id).attrs(e).send(s.w)
	case pktRealpath:
		return s.realpath(id, path)
	case pktOpendir:
		return s.opendir(id, path)
	case pktMkdir:
		if !t.made(path) {
			return s.status(id, statusFailure, "a file has that name")
		}
	case pktRemove, pktRmdir:
		t.removed(path)
	case pktRename:
		return s.rename(id, path, f)
	}
	return s.status(id, statusOK, "OK")
}

func (s *session) realpath(id uint32, path string) error {
	s.c.tree.resolved(path)
	return newReply(pktName).uint32(id).uint32(1).string(path).string(path).uint32(0).send(s.w)
}

func (s *session) opendir(id uint32, path string) error {
	open := 0
	for _, h := range s.handles {
		if h.upload == nil {
			open++
		}
	}
	switch {
	case open >= maxFolders:
		return s.status(id, statusFailure, errOpen.Message)
	case !s.c.tree.made(path):
		return s.status(id, statusFailure, "not a folder")
	}
	return s.add(id, &handle{entries: s.c.tree.list(path)})
}

func (s *session) rename(id uint32, from string, f *fields) error {
	to, _ := resolve(f.string())
	if f.bad || len(to) > maxPath {
		return s.malformed(id)
	}
	s.c.tree.renamed(from, to)
	return s.status(id, statusOK, "OK")
}

func (s *session) extended(id uint32, f *fields) error {
	name := f.string()
	switch {
	case f.bad:
		return s.malformed(id)
	case name == "posix-rename@openssh.com":
		return s.onPath(pktRename, id, f)
	case name == "expand-path@openssh.com":
		return s.onPath(pktRealpath, id, f)
	case name == "fsync@openssh.com": // the receipt of close promises more
		return s.status(id, statusOK, "OK")
	}
	return s.status(id, statusUnsupported, "uploads only")
}
