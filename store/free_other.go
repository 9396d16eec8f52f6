//go:build !linux && !darwin

package store

// DiskOf is unknown on this system.
func DiskOf(string) (Disk, bool) { return Disk{}, false }
