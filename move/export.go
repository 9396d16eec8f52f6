package move

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// Written says what an export did.
type Written struct {
	Found   int        // configurations that were read
	Changed int        // of these, files that were written
	Damaged []*Skipped // captures that can't be read
}

// Export writes captures into a folder, a file each, and deletes nothing. A file that differs is
// replaced at once and whole; one that doesn't is left alone. The time of a file is that of its
// capture.
func Export(ctx context.Context, s *store.Store, dir string, records []store.Record,
	progress func(done, total int64)) (Written, error) {
	var w Written
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return w, err
	}
	root, err := os.OpenRoot(dir) // no name and no link leads out of it
	if err != nil {
		return w, err
	}
	defer root.Close()
	names := fileNames(records)
	for i, r := range records {
		if progress != nil {
			progress(int64(i+1), int64(len(records)))
		}
		body, err := s.Content(ctx, r)
		switch {
		case errors.Is(err, store.ErrNotFound): // it was forgotten meanwhile
			continue
		// damaged: the others are worth having all the more
		case err != nil && store.ClassOf(err) == store.Config:
			w.Damaged = append(w.Damaged, &Skipped{
				What: store.Device{Site: r.Site, Name: r.Device}.Ref(), Why: err})
			continue
		case err != nil:
			return w, err
		}
		w.Found++
		changed, err := replace(root, names[i], body, r)
		if err != nil {
			return w, err
		}
		if changed {
			w.Changed++
		}
	}
	return w, nil
}

// replace makes a file what it should be, and reports whether it was something else.
func replace(root *os.Root, name string, body []byte, r store.Record) (changed bool, err error) {
	name = filepath.FromSlash(name)
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() &&
		info.Size() == int64(len(body)) {
		was, err := root.ReadFile(name)
		if err != nil || bytes.Equal(was, body) {
			return false, err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return false, err
	}
	other := filepath.Join(filepath.Dir(name), ".tftpsql-"+rand.Text())
	f, err := root.OpenFile(other, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Chtimes(other, r.ReceivedAt, r.ReceivedAt)
	}
	if err == nil {
		err = root.Rename(other, name)
	}
	if err != nil {
		return false, errors.Join(err, root.Remove(other))
	}
	return true, nil
}

// fileNames returns a name, with slashes, for each capture. Two that a file system might take for
// one are told apart.
func fileNames(records []store.Record) []string {
	names := make([]string, len(records))
	taken := map[string]bool{}
	whole := map[store.Device]bool{} // which have a full configuration
	for _, r := range records {
		if r.Kind == device.KindFull {
			whole[store.Device{Site: r.Site, Name: r.Device}] = true
		}
	}
	for i, r := range records {
		var folder string
		for part := range strings.SplitSeq(r.Site, "/") {
			if r.Site != "" {
				folder = path.Join(folder, fileName(part, true))
			}
		}
		stem := fileName(r.Device, false)
		if r.Kind != device.KindFull && (r.Kind != device.KindOther ||
			whole[store.Device{Site: r.Site, Name: r.Device}]) {
			stem += "." + fileName(strings.ReplaceAll(r.Kind, ":", "-"), false)
		}
		name := path.Join(folder, stem+extension)
		if taken[folded(name)] {
			sum := sha256.Sum256([]byte(r.Site + "\x00" + r.Device + "\x00" + r.Kind))
			name = path.Join(folder, stem+"~"+hex.EncodeToString(sum[:8])+extension)
		}
		taken[folded(name)] = true
		names[i] = name
	}
	return names
}

const (
	extension = ".conf"
	// longestPart bounds a part of a name, in bytes: file systems take 255, with what is put behind
	// it.
	longestPart = 100
)

// folded is a name as a file system that doesn't tell cases apart may see it.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// reserved are names that mean something else on Windows.
var reserved = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)`)
})

// fileName makes a name, whatever it is, one element of a path that any file system takes. A folder
// never ends as a file does, so that the two can't be in each other's way.
func fileName(name string, folder bool) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		plain := r != utf8.RuneError && unicode.IsPrint(r) &&
			!strings.ContainsRune(`/\:*?"<>|%~`, r)
		if i == 0 && (r == '.' || r == '-' || r == ' ' || reserved().MatchString(name)) ||
			i+n == len(name) && (r == '.' || r == ' ') {
			plain = false
		}
		if folder && strings.EqualFold(name[i:], extension) {
			plain = false
		}
		if plain {
			b.WriteString(name[i : i+n])
		} else {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += n
	}
	safe := b.String()
	if len(safe) > longestPart {
		sum := sha256.Sum256([]byte(name))
		cut := longestPart - 17
		for cut > 0 && !utf8.RuneStart(safe[cut]) {
			cut--
		}
		safe = safe[:cut] + "~" + hex.EncodeToString(sum[:8])
	}
	if safe == "" {
		return "%"
	}
	return safe
}
