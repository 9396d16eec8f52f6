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

// room watches that the disk has room, so that uploads are refused before it is full and the database breaks.
type room struct {
	store *store.Store
	least config.MinFree
	log   *slog.Logger
	low   atomic.Pointer[error] // why uploads are refused; nil while there is room
}

// roomEvery is how often the disk is looked at: what arrives in that time fits MIN_FREE by far.
const roomEvery = time.Second

// watch looks until ctx ends.
func (r *room) watch(ctx context.Context) {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		r.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *room) look() {
	disk, known := r.store.Disk()
	var err error
	if known {
		err = r.short(disk)
	}
	was := r.low.Load()
	switch {
	case err == nil && was != nil:
		r.low.Store(nil)
		r.log.Info("the disk has room again: uploads are taken", "file", disk.File, "free", config.Size(disk.Free).Round())
	case err != nil:
		if r.low.Store(&err); was == nil {
			r.log.Error("uploads are refused", "err", err)
		}
	}
}

// short returns what is wrong with a disk that has too little left, or nil.
func (r *room) short(d store.Disk) error {
	least := r.least.Of(d.Size)
	if d.Free >= int64(least) {
		return nil
	}
	return fmt.Errorf("the disk of %s has %s left and MIN_FREE is %s: make room, or lower MIN_FREE", d.File, config.Size(d.Free).Round(), least.Round())
}

// spool returns why uploads would be refused if PostgreSQL were away, or nil.
func (r *room) spool() error {
	if disk, known := r.store.SpoolDisk(); known {
		return r.short(disk)
	}
	return nil
}

// free is what has to stay free, as the start says it.
func (r *room) free() string {
	disk, known := r.store.Disk()
	if !known {
		disk, known = r.store.SpoolDisk()
	}
	if !known {
		return r.least.String()
	}
	return r.least.Of(disk.Size).Round().String()
}

// full returns why uploads are refused, or nil.
func (r *room) full() error {
	if err := r.low.Load(); err != nil {
		return *err
	}
	return nil
}
