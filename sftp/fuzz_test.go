package sftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
)

// stream is a client that has sent all that it will.
type stream struct {
	io.Reader
	bytes.Buffer
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// fuzzed returns a connection without a network, and checks what is stored through it: whole files
// under clean paths, and all memory given back at the end.
func fuzzed(t *testing.T, input []byte) (c *conn, stored *[]*Upload, check func()) {
	t.Helper()
	const most = 300_000
	var all []*Upload
	ended := 0
	s := &Server{
		Limits: Limits{MaxSize: 100_000, Memory: most},
		Handler: HandlerFunc(func(_ context.Context, u *Upload) error {
			if strings.Contains(u.Path, "no") {
				return errors.New("no")
			}
			all = append(all, u)
			return nil
		}),
		Ended: func(o Outcome) {
			if !o.Refused {
				ended++
			}
		},
	}
	s.init()
	c = &conn{s: s, socket: &socket{}, tree: newTree()}
	return c, &all, func() {
		t.Helper()
		for _, u := range all {
			if checkPath(u.Path) != nil || path.Clean(u.Path) != u.Path || u.Path[0] != '/' {
				t.Errorf("the path is %q", u.Path)
			}
			if len(u.Body) > len(input) {
				t.Errorf("%d bytes were stored of %d", len(u.Body), len(input))
			}
		}
		if s.memory.free != most || c.uploads != 0 || ended < len(all) {
			t.Errorf("%d bytes of memory are free of %d, %d uploads are open, %d of %d ended",
				s.memory.free, most, c.uploads, ended, len(all))
		}
	}
}

// FuzzSCP: whatever a client sends, only whole files are stored.
func FuzzSCP(f *testing.F) {
	for _, seed := range []string{
		"C0644 3 x\nabc\x00", "T1 0 1 0\nC0644 0 x\n\x00C0600 1 y\nz\x00", "C0644 3 x\nabc",
		"D0755 0 d\nC0644 1 x\na\x00E\nC0644 1 z\nc\x00", "C0644 3 no\nabc\x00C0644 1 z\nc\x00",
		"C0644 3 x\nabc\x01no\nC0644 1 z\nc\x00", "\x01no\n", "\x02no\n", "C0644 999999 x\n",
		"C0644 -1 x\n", "C0644 1 ../x\na\x00", "E\n", "\n", "C0644 3 x\nab",
	} {
		f.Add([]byte(seed), "scp -r -t /acme")
		f.Add([]byte(seed), "scp -t 'x.c'")
	}
	f.Fuzz(func(t *testing.T, input []byte, command string) {
		to, err := parseCommand(command)
		if err != nil {
			return
		}
		c, stored, check := fuzzed(t, input)
		w := &stream{Reader: bytes.NewReader(input)}
		status := newSink(c, w, to).serve()
		check()
		for _, u := range *stored {
			if !bytes.Contains(input, u.Body) {
				t.Errorf("%s has bytes that did not come so", u.Path)
			}
		}
		out := w.Bytes()
		if len(out) == 0 || out[0] != 0 {
			t.Errorf("it greets with %q", out)
		}
		if bytes.ContainsRune(out, 1) && status == 0 {
			t.Errorf("it answers %q, and its status is 0", out)
		}
	})
}

// FuzzSFTP: whatever packets a client sends, no answer is malformed and only whole files are
// stored.
func FuzzSFTP(f *testing.F) {
	packet := func(kind byte, fields ...any) []byte {
		r := newReply(kind)
		for _, field := range fields {
			switch v := field.(type) {
			case int:
				r = r.uint32(uint32(v))
			case string:
				r = r.string(v)
			}
		}
		var b bytes.Buffer
		_ = r.send(&b)
		return b.Bytes()
	}
	hello := packet(pktInit, 3)
	open := packet(pktOpen, 1, "/x.c", openWrite|openCreate|openTrunc, 0)
	write := packet(pktWrite, 2, "1", 0, 0, "abc")
	for _, seed := range [][][]byte{
		{hello, open, write, packet(pktClose, 3, "1")},
		{hello, open, write},
		{hello, open, packet(pktWrite, 2, "1", 0, 9, "abc"), packet(pktClose, 3, "1")},
		{hello, open, packet(pktFsetstat, 2, "1", 1, 0, 3), write, packet(pktClose, 3, "1")},
		{hello, packet(pktRealpath, 1, "."), packet(pktStat, 2, "/"), packet(pktMkdir, 3, "/d", 0)},
		{hello, packet(pktOpendir, 1, "/"), packet(pktReaddir, 2, "1"), packet(pktClose, 3, "1")},
		{hello, packet(pktRename, 1, "/a", "/b"), packet(pktRemove, 2, "/b")},
		{hello, packet(pktExtended, 1, "posix-rename@openssh.com", "/a", "/b")},
		{hello, packet(pktFstat, 1, "1"), packet(pktRead, 2, "1", 0, 0, 10)},
	} {
		f.Add(bytes.Join(seed, nil))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		c, _, check := fuzzed(t, input)
		w := &stream{Reader: bytes.NewReader(input)}
		newSession(c, w).serve()
		check()
		for out := w.Bytes(); len(out) > 0; {
			fields := &fields{b: out}
			if len(fields.bytes()) == 0 {
				t.Fatalf("a malformed answer: %q", out)
			}
			out = fields.b
		}
	})
}
