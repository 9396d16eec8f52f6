package move

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// folder is a TFTP server's folder.
type folder struct {
	root  *os.Root
	files []folderFile
	most  int64
	shut  []string // folders that this user may not read
}

type folderFile struct {
	name string // with slashes
	at   time.Time
}

// OpenFolder opens a TFTP server's folder: a subfolder is a site, and files have the times of their
// last change. Files of more than most bytes are left out. It returns ErrRepository where the
// folder is a git repository.
func OpenFolder(dir string, most int64) (*Source, error) {
	root, err := os.OpenRoot(dir) // which no link in it leads out of
	if err != nil {
		return nil, err
	}
	if isRepository(root) {
		return nil, errors.Join(fmt.Errorf("%s %w", dir, ErrRepository), root.Close())
	}
	f := &folder{root: root, most: most}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission) && name != ".":
			f.shut = append(f.shut, name)
			return fs.SkipDir
		case errors.Is(err, fs.ErrNotExist) && name != ".": // it went away
			return nil
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			f.files = append(f.files, folderFile{name, info.ModTime()})
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	sort.SliceStable(f.files, func(i, j int) bool { return f.files[i].at.Before(f.files[j].at) })
	return &Source{each: f.each, total: f.total, close: f.root.Close}, nil
}

// ErrRepository is why a folder is not imported as files.
var ErrRepository = errors.New("is a git repository")

// isRepository reports whether a folder is a git repository, with its files or without.
func isRepository(root *os.Root) bool {
	for _, parts := range [][]string{{".git"}, {"HEAD", "objects", "refs"}} {
		there := 0
		for _, name := range parts {
			if _, err := root.Stat(name); err == nil {
				there++
			}
		}
		if there == len(parts) {
			return true
		}
	}
	return false
}

func (f *folder) total() int64 { return int64(len(f.files) + len(f.shut)) }

func (f *folder) each(_ context.Context, _ *store.Store, yield func(item) error) error {
	for _, name := range f.shut {
		if err := yield(leftOut(name, skipped(name, "this user may not read it"))); err != nil {
			return err
		}
	}
	for _, file := range f.files {
		if err := yield(f.find(file)); err != nil {
			return err
		}
	}
	return nil
}

// find reads a file, unless it is too large, gone meanwhile, or not for this user to read.
func (f *folder) find(file folderFile) item {
	name := filepath.FromSlash(file.name)
	info, err := f.root.Stat(name)
	if err == nil && info.Size() > f.most {
		return leftOut(file.name, tooLarge(file.name, info.Size(), f.most))
	}
	var body []byte
	if err == nil {
		body, err = f.root.ReadFile(name)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return leftOut(file.name, skipped(file.name, "this user may not read it"))
	case errors.Is(err, fs.ErrNotExist):
		return leftOut(file.name, skipped(file.name, "it went away"))
	case err != nil:
		return leftOut(file.name, err)
	}
	if !device.IsConfiguration(file.name, body) {
		return leftOut(file.name, skipped(file.name, "it is no configuration"))
	}
	sum := sha256.Sum256(body)
	return item{uidOf("file", file.name, file.at.UTC().Truncate(time.Microsecond).Format(
		time.RFC3339Nano), string(sum[:])),
		func(context.Context) (store.Capture, error) {
			return captureFrom(file.name, file.at, body), nil
		}}
}
