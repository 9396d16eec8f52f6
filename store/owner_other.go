//go:build !unix

package store

// giveToOwner does nothing here.
func giveToOwner(string) error { return nil }
