//go:build !unix

package store

import "os"

// giveToOwner does nothing on this system.
func giveToOwner(string) error { return nil }

// makePrivate does nothing on this system, where a file's rights are its folder's.
func makePrivate(string) (was os.FileMode, changed bool, err error) { return 0, false, nil }
