package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

// diskWatch watches the free disk space, so that uploads are refused before the disk is full and
// the database breaks.
type diskWatch struct {
	store *store.Store
	least config.MinFree
	log   *slog.Logger
	low   atomic.Pointer[error] // why uploads are refused; nil while there is space
}

// diskEvery is how often the disk is looked at: what arrives in that time fits MIN_FREE by far.
const diskEvery = time.Second

// run looks until ctx ends.
func (d *diskWatch) run(ctx context.Context) {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		d.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *diskWatch) look() {
	disk, known := d.store.Disk()
	var err error
	if known {
		err = d.shortage(disk)
	}
	was := d.low.Load()
	switch {
	case err == nil && was != nil:
		d.low.Store(nil)
		d.log.Info("the disk has space again: uploads are taken", "file", disk.File, "free",
			config.Size(disk.Free).Round())
	case err != nil:
		if d.low.Store(&err); was == nil {
			d.log.Error("uploads are refused", "err", err)
		}
	}
}

// shortage returns an error where a disk has less than MIN_FREE left.
func (d *diskWatch) shortage(disk store.Disk) error {
	least := d.least.Of(disk.Size)
	if disk.Free >= int64(least) {
		return nil
	}
	return fmt.Errorf("the disk of %s has %s left and MIN_FREE is %s: make room, or lower MIN_FREE",
		disk.File, config.Size(disk.Free).Round(), least.Round())
}

// spoolShortage returns why uploads would be refused if PostgreSQL were away, or nil.
func (d *diskWatch) spoolShortage() error {
	if disk, known := d.store.SpoolDisk(); known {
		return d.shortage(disk)
	}
	return nil
}

// minFree returns what has to stay free, for the log.
func (d *diskWatch) minFree() string {
	disk, known := d.store.Disk()
	if !known {
		disk, known = d.store.SpoolDisk()
	}
	if !known {
		return d.least.String()
	}
	return d.least.Of(disk.Size).Round().String()
}

// whyRefused returns why uploads are refused, or nil.
func (d *diskWatch) whyRefused() error {
	if err := d.low.Load(); err != nil {
		return *err
	}
	return nil
}
