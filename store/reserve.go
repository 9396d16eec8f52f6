package store

import (
	"math/rand/v2"
	"os"
)

const (
	// reserveBytes is what a reserve holds: the journal of an SQLite file that is opened, or from which some captures are deleted, fits
	// into it.
	reserveBytes = 2 << 20
	// reserveShare is by how much more than that a disk must have free.
	reserveShare = 4
)

// keepReserve puts a file beside the database whose room is given back where the disk is full: else nothing could be deleted there, nor the
// database even be opened, since both write first. It is the owner's, who goes without where it can't be made.
func (f *sqliteFile) keepReserve() {
	path := f.path + ".reserve"
	if _, err := os.Stat(path); err == nil {
		return
	}
	if disk, ok := diskOf(path); !ok || disk.Free < reserveShare*reserveBytes {
		return
	}
	b := make([]byte, reserveBytes)
	chance := rand.NewChaCha8([32]byte{}) // what a file system that compresses can't make smaller
	_, _ = chance.Read(b)                 // never fails
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, err = file.Write(b)
	if file.Close() != nil || err != nil {
		_ = os.Remove(path) // half a reserve would pass for a whole one
		return
	}
	_ = giveToOwner(path)
}

// roomy runs fn, and once more on the reserve where the disk is full.
func (f *sqliteFile) roomy(fn func() error) error {
	err := fn()
	if class, _ := f.classify(err); err != nil && class == Full && f.spendReserve() {
		err = fn()
	}
	return err
}

// spendReserve gives the reserve's room back to the disk, and reports whether there was one.
func (f *sqliteFile) spendReserve() bool { return os.Remove(f.path+".reserve") == nil }
