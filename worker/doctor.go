package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// A State is what there is to say of a thing in a word.
type State string

// The states.
const (
	OK       State = "ok"
	Warning  State = "warning"   // backups come, and something is to be looked at
	Failing  State = "failure"   // it keeps devices from being backed up, or alarms from being told
	NotKnown State = "not known" // it can't be seen from here
)

// A Finding is the state of one thing that backups need.
type Finding struct {
	What  string
	State State
	Found string
	Do    string // what to do; "" for nothing
}

// A Doctor looks for what keeps a device from being backed up, on the server's machine and by its
// settings. It changes nothing.
type Doctor struct {
	config.Config
	Invalid error // what was wrong with the environment
	Environ []string
	Version string
	Source  netip.Addr // a device's address; the zero value for none
	Log     *slog.Logger

	list  []Finding
	store *store.Store // nil where the database can't be used
}

// checkLimit bounds each question to the database: a person waits for it.
const checkLimit = 5 * time.Second

// Examine returns what it has found.
func (d *Doctor) Examine(ctx context.Context) []Finding {
	d.settings()
	d.openStore(ctx)
	if d.store != nil {
		defer d.store.Close()
	}
	port := d.port(ctx)
	d.health(ctx)
	d.firewall(ctx, port)
	d.allow()
	d.failures(ctx)
	d.disk()
	d.spool(ctx)
	d.clock(ctx)
	d.certificate()
	d.ssh(ctx)
	d.channels(ctx)
	return d.list
}

func (d *Doctor) say(what string, state State, do, found string, values ...any) {
	d.list = append(d.list, Finding{What: what, State: state, Found: fmt.Sprintf(found, values...),
		Do: do})
}

func (d *Doctor) settings() {
	err := cmp.Or(d.Invalid, d.Check())
	for _, name := range config.Misspelt(d.Environ) {
		d.say("settings", Warning, "look at its spelling", "%s is no setting", name)
	}
	if err != nil {
		d.say("settings", Failing, "the server does not start so", "%v", err)
		return
	}
	d.say("settings", OK, "", "they go together")
}

// openStore opens the database, and asks whether captures can be stored.
func (d *Doctor) openStore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	s, err := store.Open(d.Database, store.Options{DirectURL: d.DirectDatabase,
		Fingerprint: device.Fingerprint, Ending: device.Ending, CutOff: device.CutOff,
		Logger: d.Log})
	if err == nil {
		if err = s.Ready(ctx); err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err != nil {
		d.say("database", Failing, "", "%s: %s", store.Located(d.Database), oneLine(err))
		return
	}
	d.store = s
	d.say("database", OK, "", "%s can be written to, and its schema is up to date",
		store.Located(d.Database))
}

// disk looks at the disks that captures are written to.
func (d *Doctor) disk() {
	file, onSQLite := strings.CutPrefix(d.Database, "sqlite:")
	if !onSQLite {
		file = d.Spool
	}
	if file == "" {
		d.say("disk", NotKnown, "",
			"the database's disk can't be seen from here, and there is no spool")
		return
	}
	disk, known := store.DiskOf(strings.TrimPrefix(file, "//"))
	if !known {
		d.say("disk", NotKnown, "", "this system does not say how much is free for %s", file)
		return
	}
	watch := diskWatch{least: d.MinFree}
	least := d.MinFree.Of(disk.Size)
	free := config.Bytes(float64(disk.Free))
	switch err := watch.shortage(disk); {
	case err != nil:
		d.say("disk", Failing, "", "uploads are refused: %v", err)
	case disk.Free < 2*int64(least):
		d.say("disk", Warning, "make room: below MIN_FREE uploads are refused",
			"%s are free for %s, and MIN_FREE is %s", free, disk.File, least.Round())
	default:
		d.say("disk", OK, "", "%s are free for %s, and MIN_FREE is %s", free, disk.File,
			least.Round())
	}
}

// spoolAge is how long a capture waits in a spool until something is wrong: PostgreSQL is back
// within minutes after a restart.
const spoolAge = 10 * time.Minute

func (d *Doctor) spool(ctx context.Context) {
	if strings.HasPrefix(d.Database, "sqlite:") {
		if d.Spool != "" {
			d.say("spool", Warning, "leave SPOOL unset", "it is not used beside SQLite")
		}
		return
	}
	if d.Spool == "" {
		d.say("spool", Warning, "set SPOOL to a file on a disk of this machine",
			"there is none: while PostgreSQL is away uploads are refused")
		return
	}
	const look = "tftpsql spool lists them"
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	st, err := spoolStatus(ctx, d.Spool)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say("spool", Warning, "start the server, which makes it", "%s is not there", d.Spool)
	case err != nil:
		d.say("spool", Failing, "look at the file's owner and mode", "%s: %s", d.Spool,
			oneLine(err))
	case st.Refused > 0:
		d.say("spool", Failing, look, "captures that PostgreSQL has refused, in %s alone: %d",
			d.Spool, st.Refused)
	case st.Waiting > 0 && time.Since(st.Oldest) > spoolAge:
		d.say("spool", Failing, look, "captures waiting in %s: %d, the oldest since %s",
			d.Spool, st.Waiting, store.LocalTime(st.Oldest))
	case st.Waiting > 0:
		d.say("spool", Warning, look, "captures waiting in %s: %d", d.Spool, st.Waiting)
	default:
		d.say("spool", OK, "", "nothing waits in %s", d.Spool)
	}
}

func spoolStatus(ctx context.Context, file string) (store.SpoolStatus, error) {
	if _, err := os.Stat(file); err != nil {
		return store.SpoolStatus{}, err
	}
	p, err := store.OpenSpool(file, false)
	if err != nil {
		return store.SpoolStatus{}, err
	}
	st, err := p.Status(ctx)
	return st, errors.Join(err, p.Close())
}

// clockApart is by how much two clocks may differ: what a device sends and what a person looks for
// go by seconds.
const clockApart = 5 * time.Second

func (d *Doctor) clock(ctx context.Context) {
	const do = "let chrony or systemd-timesyncd set it, on both machines"
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if d.store != nil {
		asked := time.Now()
		its, other, err := d.store.Clock(ctx)
		took := time.Since(asked)
		apart := its.Sub(asked.Add(took / 2)).Round(time.Second)
		if other && err == nil && apart.Abs() > clockApart+took {
			d.say("clock", Warning, do, "PostgreSQL's is %s apart from this machine's", apart.Abs())
			return
		}
	}
	switch yes, known := synchronised(); {
	case !known:
		d.say("clock", NotKnown, "", "this system does not say whether it is synchronised")
	case !yes:
		d.say("clock", Warning, "let chrony or systemd-timesyncd set it, in a virtual machine "+
			"perhaps its host", "it is not synchronised: times of captures may be wrong")
	default:
		d.say("clock", OK, "", "it is synchronised")
	}
}

// failures looks at what has failed in the last day, of the device alone where it is known.
func (d *Doctor) failures(ctx context.Context) {
	if d.store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	list, err := d.store.Failures(ctx, nil, time.Now().Add(-config.Day))
	if err != nil {
		d.say("failures", NotKnown, "", "%s", oneLine(err))
		return
	}
	source, transfers, newest := "", int64(0), store.Failure{}
	if d.Source.IsValid() {
		source = device.Source(d.Source)
	}
	for _, f := range list {
		switch {
		case source != "" && f.Source != source, f.Source == alarmSource:
			continue
		case f.Last.After(newest.Last):
			newest = f
		}
		transfers += f.Times
	}
	if transfers == 0 {
		d.say("failures", OK, "", "none in the last day")
		return
	}
	d.say("failures", Warning, cmp.Or(Cure(newest.Reason), "tftpsql failures lists them"),
		"%d in the last day, the last one at %s from %s: %s", transfers,
		store.LocalTime(newest.Last), newest.Source, newest.Reason)
}
