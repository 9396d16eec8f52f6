//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner gives a file that root has made to the owner of its folder, whose programs otherwise
// couldn't open it.
func giveToOwner(file string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return err
	}
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	of, ok := folder.Sys().(*syscall.Stat_t)
	is, ok2 := st.Sys().(*syscall.Stat_t)
	// A folder with the sticky bit, such as /tmp, belongs to all users.
	if !ok || !ok2 || of.Uid == 0 || is.Uid != 0 || folder.Mode()&os.ModeSticky != 0 {
		return nil
	}
	return os.Chown(file, int(of.Uid), int(of.Gid))
}

// makePrivate makes a file of this user unreadable for others, and returns its mode before. A
// missing file counts as private.
func makePrivate(file string) (was os.FileMode, changed bool, err error) {
	st, err := os.Stat(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return 0, false, err
	}
	of, ok := st.Sys().(*syscall.Stat_t)
	if was = st.Mode().Perm(); was&0o077 == 0 || !ok || int(of.Uid) != os.Geteuid() {
		return was, false, nil
	}
	return was, true, os.Chmod(file, was&^0o077)
}
