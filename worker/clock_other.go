//go:build !linux

package worker

// synchronised is unknown on this system.
func synchronised() (yes, known bool) { return false, false }
