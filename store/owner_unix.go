//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner makes a file that root has made its folder's owner's, who could not open it else.
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
	if !ok || !ok2 || of.Uid == 0 || is.Uid != 0 || folder.Mode()&os.ModeSticky != 0 { // /tmp is everybody's
		return nil
	}
	return os.Chown(file, int(of.Uid), int(of.Gid))
}

// makePrivate makes a file of this user's readable by nobody else, and returns its mode before. One that isn't there is private.
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
