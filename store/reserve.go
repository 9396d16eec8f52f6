package store

import (
	"math/rand/v2"
	"os"
)

const (
	// reserveBytes is the size of a reserve. It covers the journal of opening an SQLite file or
	// deleting some captures from it.
	reserveBytes = 2 << 20
	// reserveShare is how many times reserveBytes the disk must have free.
	reserveShare = 4
)

// keepReserve puts a file beside the database that can be deleted when the disk is full. Without it
// nothing could be deleted from the database, nor could the file be opened, since both write first.
// A failure to make it is ignored.
func (f *sqliteFile) keepReserve() {
	path := f.path + ".reserve"
	if _, err := os.Stat(path); err == nil {
		return
	}
	if disk, ok := DiskOf(path); !ok || disk.Free < reserveShare*reserveBytes {
		return
	}
	b := make([]byte, reserveBytes)
	chance := rand.NewChaCha8([32]byte{}) // random bytes, which no file system compresses
	_, _ = chance.Read(b)                 // never fails
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, err = file.Write(b)
	if file.Close() != nil || err != nil {
		_ = os.Remove(path) // a partial reserve would count as a whole one
		return
	}
	_ = giveToOwner(path)
}

// roomy runs fn. If the disk is full it spends the reserve and runs fn again.
func (f *sqliteFile) roomy(fn func() error) error {
	err := fn()
	if class, _ := f.classify(err); err != nil && class == Full && f.spendReserve() {
		err = fn()
	}
	return err
}

// spendReserve gives the reserve's space back to the disk, and reports whether there was one.
func (f *sqliteFile) spendReserve() bool { return os.Remove(f.path+".reserve") == nil }
