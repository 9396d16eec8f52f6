//go:build !linux && !darwin

package store

// diskOf is not known here.
func diskOf(string) (Disk, bool) { return Disk{}, false }
