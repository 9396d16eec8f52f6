package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// room watches that the disk has room, so that uploads are refused before it is full and the database breaks.
type room struct {
	store *store.Store
	least Size
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
	free, file, known := r.store.Free()
	was := r.low.Load()
	switch enough := !known || free >= int64(r.least); {
	case enough && was != nil:
		r.low.Store(nil)
		r.log.Info("the disk has room again: uploads are taken", "file", file, "free", Size(free).round())
	case !enough:
		err := r.short(free, file)
		if r.low.Store(&err); was == nil {
			r.log.Error("uploads are refused", "err", err)
		}
	}
}

func (r *room) short(free int64, file string) error {
	return fmt.Errorf("the disk of %s has %s left and MIN_FREE is %s: make room, or lower MIN_FREE", file, Size(free).round(), r.least)
}

// spool returns why uploads would be refused if PostgreSQL were away, or nil.
func (r *room) spool() error {
	if free, file, known := r.store.SpoolFree(); known && free < int64(r.least) {
		return r.short(free, file)
	}
	return nil
}

// full returns why uploads are refused, or nil.
func (r *room) full() error {
	if err := r.low.Load(); err != nil {
		return *err
	}
	return nil
}

// round is a size to the mebibyte, for people.
func (s Size) round() Size {
	if s < 1<<20 {
		return s &^ (1<<10 - 1)
	}
	return s &^ (1<<20 - 1)
}
