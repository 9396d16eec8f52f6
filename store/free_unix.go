//go:build linux || darwin

package store

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DiskOf returns the disk that holds a file, which need not be there.
func DiskOf(file string) (Disk, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(file), &st); err != nil {
		return Disk{}, false
	}
	return Disk{File: file, Free: int64(st.Bavail) * int64(st.Bsize),
		Size: int64(st.Blocks) * int64(st.Bsize)}, true
}
