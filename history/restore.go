package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// A Restore is a version that is to be given back to its device.
type Restore struct {
	Version store.Record
	Newest  *store.Record // its newest whole one of its main kind; nil for none
	Delta   Delta         // from the newest to the version
	Doubts  []string      // what speaks against it
}

// RestoreOf says what giving a version back means.
func RestoreOf(ctx context.Context, s *store.Store, r store.Record) (Restore, error) {
	out := Restore{Version: r}
	doubt := func(format string, values ...any) {
		out.Doubts = append(out.Doubts, fmt.Sprintf(format, values...))
	}
	if !r.Complete {
		doubt("it is torn: it may be half a configuration")
	}
	if r.Kind == device.KindEncrypted {
		doubt("it is encrypted: a device needs the password with which it was made")
	}
	if r.Mode == store.Imported {
		doubt("it was imported: it may lack what another program has left out")
	}
	newest, err := s.Resolve(ctx, store.Device{Site: r.Site, Name: r.Device}.Ref(), time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		return out, nil // nothing whole has come
	}
	if err != nil {
		return out, err
	}
	out.Newest = &newest
	if r.Kind != newest.Kind {
		doubt("it is of kind %s, and the device's configuration is of kind %s", r.Kind,
			newest.Kind)
	}
	for _, f := range []struct{ what, old, now, then string }{
		{"platform", r.Platform, newest.Platform, "the device may not understand it"},
		{"model", r.Model, newest.Model, "interfaces may have other names"},
		{"version", r.OSVersion, newest.OSVersion, "the device may not take all of it"},
		{"serial number", r.Serial, newest.Serial, "licences and keys may not fit"},
	} {
		if f.old != "" && f.now != "" && f.old != f.now {
			doubt("its %s is %s, and the device's newest is %s: %s", f.what, f.old, f.now, f.then)
		}
	}
	torn, err := s.NewerTorn(ctx, newest)
	if err != nil {
		return out, err
	}
	if torn != nil && torn.ID != r.ID {
		doubt("the device has sent a torn capture since, @%d of %s: what it has now is not known",
			torn.ID, store.LocalTime(torn.ReceivedAt))
	}
	from, err := Load(ctx, s, newest)
	if err != nil {
		return out, err
	}
	to, err := Load(ctx, s, r)
	if err != nil {
		return out, err
	}
	d, err := Compare(from, to, Options{})
	out.Delta = d.Delta()
	return out, err
}
