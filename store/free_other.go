//go:build !linux && !darwin

package store

// diskOf is unknown on this system.
func diskOf(string) (Disk, bool) { return Disk{}, false }
