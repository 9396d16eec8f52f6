package sftp

import (
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	maxPath = 1024 // bytes of a path, as POSIX has it at most on Linux' file systems
	// what a connection remembers of files, and as much of folders: 1 MiB at most with the longest
	// paths
	maxRemembered = 256
)

// resolve returns a client's path from the root, and whether it says that it is a folder.
func resolve(p string) (clean string, folder bool) {
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = p[1:]
	}
	last := path.Base(p)
	return path.Clean("/" + p), p == "" || strings.HasSuffix(p, "/") || last == "." || last == ".."
}

// checkPath returns an error for a path that nothing may be stored under.
func checkPath(p string) error {
	if len(p) > maxPath || strings.ContainsFunc(p, func(r rune) bool {
		return r < ' ' || r == 0x7f
	}) {
		return errPath
	}
	return nil
}

// entry is a file or folder as a client sees it.
type entry struct {
	name   string // the whole path in a tree, the last part in a listing
	folder bool
	size   int64
	at     time.Time
	err    error // why it was not stored; nil for all that is listed
}

// tree is what a connection has sent and made: what its client sees of the server.
type tree struct {
	began time.Time

	mu      sync.Mutex // guards what follows: channels share it
	files   []entry    // the oldest first
	folders []string   // made, entered or listed; the oldest first
	asked   string     // what the client resolved last, if it has asked for nothing since
}

func newTree() *tree { return &tree{began: time.Now()} }

// resolved notes that a client asks what a path is from the root. If it then looks at that path, it
// wants to enter it.
func (t *tree) resolved(p string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = p
}

// sent remembers a file, or why it was not stored. paramiko ignores the status of close, and hears
// it when it looks at the file afterwards.
func (t *tree) sent(p string, size int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(p)
	if len(t.files) == maxRemembered {
		t.files = slices.Delete(t.files, 0, 1)
	}
	t.files = append(t.files, entry{name: p, size: size, at: time.Now(), err: err})
}

// made remembers a folder. It is false where the path is a file.
func (t *tree) made(p string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.file(p); i >= 0 && t.files[i].err == nil {
		return false
	}
	if p == "/" || slices.Contains(t.folders, p) {
		return true
	}
	if len(t.folders) == maxRemembered {
		t.folders = slices.Delete(t.folders, 0, 1)
	}
	t.folders = append(t.folders, p)
	return true
}

// removed forgets a file or folder.
func (t *tree) removed(p string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(p)
	t.folders = slices.DeleteFunc(t.folders, func(f string) bool { return f == p })
}

// renamed gives a file or folder another name, in this connection's eyes alone.
func (t *tree) renamed(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.file(from)
	if i >= 0 {
		e := t.files[i]
		e.name = to
		t.remove(from)
		t.remove(to)
		t.files = append(t.files, e)
		return
	}
	for i, f := range t.folders {
		if f == from {
			t.folders[i] = to
		}
	}
}

func (t *tree) remove(p string) {
	t.files = slices.DeleteFunc(t.files, func(e entry) bool { return e.name == p })
}

func (t *tree) file(p string) int {
	return slices.IndexFunc(t.files, func(e entry) bool { return e.name == p })
}

// has reports whether a file was sent under that path.
func (t *tree) has(p string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.file(p)
	return i >= 0 && t.files[i].err == nil
}

// stat returns what is at a path; false where nothing is. See the package comment for what is
// unknown.
func (t *tree) stat(p string, folder bool) (entry, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.file(p); i >= 0 && !folder {
		return t.files[i], true
	}
	known := folder || p == "/" || p == t.asked || !strings.Contains(path.Base(p), ".") ||
		slices.ContainsFunc(t.folders, func(f string) bool { return f == p || inside(f, p) }) ||
		slices.ContainsFunc(t.files, func(e entry) bool { return inside(e.name, p) })
	return entry{name: p, folder: true, at: t.began}, known
}

// inside reports whether a path is below a folder.
func inside(p, folder string) bool {
	rest, ok := strings.CutPrefix(p, strings.TrimSuffix(folder, "/")+"/")
	return ok && rest != ""
}

// list returns what is in a folder, in the order of names.
func (t *tree) list(folder string) []entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]entry{}
	see := func(e entry) {
		if e.err != nil || !inside(e.name, folder) {
			return
		}
		name, _, deeper := strings.Cut(strings.TrimPrefix(e.name[len(folder):], "/"), "/")
		if deeper {
			e = entry{folder: true, at: t.began}
		}
		e.name = name
		if _, known := found[name]; !known || !e.folder {
			found[name] = e
		}
	}
	for _, f := range t.folders {
		see(entry{name: f, folder: true, at: t.began})
	}
	for _, e := range t.files {
		see(e)
	}
	all := make([]entry, 0, len(found))
	for _, e := range found {
		all = append(all, e)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}
