package sftp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// sink is the receiving end of scp on one channel. The client sends lines: C for a file, D and E
// around what is in a folder, T for times. A byte of 0 answers each of them and each file; a byte
// of 1 and a text say what went wrong, and the client goes on with its next file.
type sink struct {
	c       *conn
	r       *bufio.Reader
	w       io.Writer
	target  target
	folders []string // that the client has entered
	failed  bool     // not all of it was stored
}

const (
	maxLine    = 1200 // bytes of a line: a path and what stands before it
	maxDepth   = 32   // folders in folders
	chunk      = 32 << 10
	maxSizeLen = 18 // digits of a file's size
)

// scpError ends scp: what follows on the wire can't be understood.
type scpError struct{ text string }

func (e *scpError) Error() string { return "scp: " + e.text }

func newSink(c *conn, rw io.ReadWriter, t target) *sink {
	return &sink{c: c, r: bufio.NewReaderSize(rw, chunk), w: rw, target: t}
}

// serve returns the exit status.
func (k *sink) serve() uint32 {
	err := k.loop()
	var said *scpError
	switch {
	case errors.As(err, &said):
		_ = k.answer(&Error{Message: said.Error()})
	case err == nil && !k.failed:
		return 0
	}
	return 1
}

func (k *sink) loop() error {
	if err := k.answer(nil); err != nil {
		return err
	}
	for {
		line, err := k.line()
		if errors.Is(err, io.EOF) && line == "" {
			if len(k.folders) > 0 {
				k.failed = true // the client has left in the middle
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := k.command(line); err != nil {
			return err
		}
	}
}

// line returns the next line without its end.
func (k *sink) line() (string, error) {
	var line []byte
	for len(line) < maxLine {
		b, err := k.r.ReadByte()
		switch {
		case err != nil && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case b == '\n' && len(line) > 0:
			return string(line), nil
		}
		line = append(line, b)
	}
	return "", &scpError{"the line is too long"}
}

func (k *sink) command(line string) error {
	switch line[0] {
	case 'C':
		return k.file(line)
	case 'D':
		return k.enter(line)
	case 'E':
		if len(k.folders) == 0 || line != "E" {
			return &scpError{"unexpected end of a folder"}
		}
		k.folders = k.folders[:len(k.folders)-1]
		return k.answer(nil)
	case 'T':
		if !validTimes(line[1:]) {
			return &scpError{"malformed times"}
		}
		return k.answer(nil)
	case 1, 2: // the client couldn't read something, and says so
		k.failed = true
		if line[0] == 2 {
			return io.EOF
		}
		return nil
	}
	return &scpError{"unexpected line"}
}

// validTimes reports whether s is like "1700000000 0 1700000000 0".
func validTimes(s string) bool {
	numbers := strings.Split(s, " ")
	for _, n := range numbers {
		if _, ok := digits(n, 10, maxSizeLen); !ok {
			return false
		}
	}
	return len(numbers) == 4
}

// digits reads a number without sign.
func digits(s string, base, most int) (int64, bool) {
	if s == "" || len(s) > most || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, base, 64)
	return n, err == nil
}

// parseEntry reads what follows the letter of a file or folder: "0644 1234 name".
func parseEntry(s string) (size int64, name string, err error) {
	mode, rest, _ := strings.Cut(s, " ")
	number, name, found := strings.Cut(rest, " ")
	_, modeOK := digits(mode, 8, 5)
	size, sizeOK := digits(number, 10, maxSizeLen)
	switch {
	case !modeOK:
		return 0, "", &scpError{"malformed mode"}
	case !sizeOK:
		return 0, "", &scpError{"malformed size"}
	case !found || name == "" || name == "." || name == "..":
		return 0, "", &scpError{"malformed name"}
	case strings.ContainsRune(name, '/') || checkPath(name) != nil:
		return 0, "", &scpError{"a name with a slash or control characters"}
	}
	return size, name, nil
}

func (k *sink) enter(line string) error {
	_, name, err := parseEntry(line[1:])
	switch {
	case err != nil:
		return err
	case !k.target.recursive:
		return &scpError{"a folder came without the option -r"}
	case len(k.folders) == maxDepth:
		return &scpError{fmt.Sprintf("more than %d folders in folders", maxDepth)}
	}
	folder := path.Join(k.folder(), name)
	if checkPath(folder) != nil {
		return &scpError{"the path is too long"}
	}
	k.folders = append(k.folders, folder)
	k.c.tree.made(folder)
	return k.answer(nil)
}

func (k *sink) folder() string {
	if n := len(k.folders); n > 0 {
		return k.folders[n-1]
	}
	return k.target.path
}

// place returns the path of a file. A target is a folder or the file itself; it is the file where
// both have one name.
func (k *sink) place(name string) string {
	if len(k.folders) > 0 {
		return path.Join(k.folder(), name)
	}
	if !k.target.folder {
		if path.Base(k.target.path) == name {
			return k.target.path
		}
		if e, ok := k.c.tree.stat(k.target.path, false); !ok || !e.folder {
			return k.target.path
		}
	}
	return path.Join(k.target.path, name)
}

// file takes a file.
func (k *sink) file(line string) error {
	size, name, err := parseEntry(line[1:])
	if err != nil {
		return err
	}
	at := k.place(name)
	if err = checkPath(at); err != nil {
		at = at[:maxPath]
	} else if size > k.c.s.limits.MaxSize {
		err = tooLarge(k.c.s.limits.MaxSize)
	}
	if err != nil {
		return k.answer(k.c.refuse(at, SCP, err))
	}
	in, err := k.c.begin(at, SCP)
	if err != nil {
		return k.answer(err)
	}
	if err := k.answer(nil); err != nil {
		in.fail(errLost)
		in.end(nil)
		return err
	}
	if err := k.receive(in, size); err != nil {
		in.fail(err)
		in.end(nil)
		return err
	}
	err = in.commit()
	k.c.tree.sent(in.u.Path, size, err)
	told := k.answer(err)
	in.end(told)
	return told
}

// receive reads a file and the byte after it, which says whether the client could read all of it.
// It returns an error where the connection ends before.
func (k *sink) receive(in *incoming, size int64) error {
	for at := int64(0); at < size; {
		p, _ := k.r.Peek(int(min(size-at, chunk))) // at the end, what is left
		if len(p) == 0 {
			return k.left()
		}
		_ = in.writeAt(p, at) // what goes wrong is told after the file
		at += int64(len(p))
		_, _ = k.r.Discard(len(p))
	}
	b, err := k.r.ReadByte()
	switch {
	case err != nil && k.c.socket.lost.Load():
		return errLost
	case err != nil:
		// libssh2 (curl) ends here. All of the bytes have come, and a client that could not read
		// its file would say so.
		return nil
	case b == 0:
		return nil
	}
	text, _ := k.line()
	text = strings.ToValidUTF8(text, "")
	in.fail(&Error{Message: "the client could not read all of its file",
		Err: fmt.Errorf("it says %.*q", maxMessage, text)})
	return nil
}

// left says how a client ended in the middle of a file.
func (k *sink) left() error {
	if k.c.socket.lost.Load() {
		return errLost
	}
	return errNotClosed
}

// answer tells the client how it went.
func (k *sink) answer(err error) error {
	if err == nil {
		_, err = k.w.Write([]byte{0})
		return err
	}
	k.failed = true
	_, err = io.WriteString(k.w, "\x01"+wire(err)+"\n")
	return err
}
