package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// cures are what to do about failures, by their reason. A cause that the log had a hint for has it in its detail too.
var Cures = map[string]string{
	"not allowed":                            "if it is a device of yours, add it to TFTP_ALLOW",
	"read: not allowed":                      "hand the file over with tftpsql publish",
	"read: file not found":                   "look at the name, or hand the file over with tftpsql publish",
	"too large":                              "raise TFTP_MAX_SIZE if it is a configuration",
	"storage full":                           "make room on the database's disk, or raise TFTP_MEMORY",
	"storage unavailable, try again":         "look at the database; the device has to send again",
	"file already exists":                    "send under another name, or turn TFTP_WRITE_ONCE off",
	"timed out":                              "look at the network between: packets get lost, or a firewall drops answers",
	"given up by the device":                 "look at the device's own message; its time-out may be short",
	"begun anew by the device":               "look whether its next upload ended well; its time-out may be short",
	"crowded out by other requests":          "look at what sends so many that nobody follows up, and block its address",
	"done, but the device had gone":          "nothing: an upload is stored, and the device may send it again",
	"server busy, try again":                 "spread the devices' schedules",
	"too many requests, try again":           "look at what sends them: a loop in a script, or an attack; block its address",
	"malformed request":                      "something else than a TFTP client speaks to this port",
	"unknown mode: use octet or netascii":    "set the device to binary (octet) mode",
	"a block came twice with different data": "raise TFTP_ACK_TIMEOUT: the client can't bear to hear an answer twice",
	"server is shutting down, try again":     "nothing: it was restarted; the device has to send again",
}

// recorder keeps what failed or was refused, folded by source and hour, off the packets' way. It is best effort: what comes
// while the database is away is only in the log.
type recorder struct {
	store atomic.Pointer[store.Store] // nil until it is open
	log   *slog.Logger
	ended chan struct{} // closed when the last failures are written

	mu       sync.Mutex // guards what follows
	pending  map[failureKey]*store.Failure
	hour     time.Time // of what follows
	rows     map[failureKey]bool
	bySource map[string]int // rows
}

// failureKey is what failures of one hour have in common that are one row.
type failureKey struct{ source, reason, filename string }

const (
	flushEvery = 2 * time.Second
	flushRows  = 256 // in one transaction, so that captures don't wait for long
	flushLimit = 5 * time.Second
	lastLimit  = time.Second // when the program ends

	// keptRows is how many rows this worker writes in an hour: whose backups fail can be seen of a large site, and a month of attacks is
	// some 300 MB. What sent no DATA gets half of them, so that scans and forged requests leave room for uploads that broke off, and one
	// source sourceRows. The rest counts in rows of "others", one a reason, and one a source and reason.
	keptRows   = 500
	sourceRows = 50

	// What strangers can make up is cut to so many characters.
	keptName   = 255
	keptDetail = 512
)

// others stands for the sources and file names that are counted together.
const others = "others"

func newRecorder(log *slog.Logger) *recorder {
	return &recorder{log: log, pending: map[failureKey]*store.Failure{}, ended: make(chan struct{})}
}

// run writes until ctx ends, and once more then, for lastLimit.
func (f *recorder) run(ctx context.Context) {
	defer close(f.ended)
	late, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastLimit, cancel) })()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.flush(late)
			return
		case <-tick.C:
			f.flush(late)
		}
	}
}

// note takes an end of a transfer. It is called between packets.
func (f *recorder) note(o tftp.Outcome) {
	if o.Err == nil || o.Again {
		return
	}
	r, now := o.Request, time.Now()
	code, reason := why(o.Err)
	key := failureKey{source: device.Source(r.Peer.Addr()), reason: reason}
	if r.Op == tftp.OpRead {
		key.reason = "read: " + reason
	}
	if !o.Refused && (o.Bytes > 0 || code == int(tftp.CodeExists)) { // else a stranger could make up any number
		key.filename = shorten(device.Text(r.Filename), keptName)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.row(key, o.Bytes > 0, now)
	p := f.pending[row]
	if p == nil {
		p = &store.Failure{Source: row.source, Reason: row.reason, Filename: row.filename, First: r.Received}
		f.pending[row] = p
	}
	p.Last = now
	p.Times++
	p.Bytes += o.Bytes
	p.Code = code
	p.Detail = device.Text(o.Err.Error())
	if row.filename != key.filename || key.filename == "" && r.Filename != "" {
		p.Detail = shorten(device.Text(r.Filename), keptName) + ": " + p.Detail
	}
	if row.source != key.source {
		p.Detail = key.source + ": " + p.Detail
	}
	p.Detail = shorten(p.Detail, keptDetail)
}

// why returns the TFTP error that the peer was sent, -1 for none, and a fixed phrase.
func why(err error) (code int, reason string) {
	var known *tftp.Error
	var peer *tftp.PeerError
	switch {
	case errors.As(err, &peer):
		return -1, "given up by the device"
	case errors.As(err, &known):
		return int(known.Code), known.Message
	case errors.Is(err, tftp.ErrReplaced):
		return -1, "begun anew by the device"
	case errors.Is(err, tftp.ErrCrowded):
		return -1, "crowded out by other requests"
	case errors.Is(err, tftp.ErrNoReport):
		return -1, "done, but the device had gone"
	}
	return int(tftp.CodeUndefined), "internal error"
}

// shorten returns at most so many characters of s.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// row returns the row of this hour in which a failure counts: its own, if there is room for it.
func (f *recorder) row(key failureKey, proven bool, now time.Time) failureKey {
	if hour := now.Truncate(time.Hour); f.hour != hour {
		f.hour, f.rows, f.bySource = hour, map[failureKey]bool{}, map[string]int{}
	}
	most := keptRows / 2
	if proven {
		most = keptRows
	}
	if !f.rows[key] && f.bySource[key.source] >= sourceRows {
		key.filename = others
	}
	if !f.rows[key] && len(f.rows) >= most {
		key.source, key.filename = others, others
	}
	if !f.rows[key] {
		f.rows[key] = true
		f.bySource[key.source]++
	}
	return key
}

func (f *recorder) flush(ctx context.Context) {
	s := f.store.Load()
	if s == nil {
		return
	}
	f.mu.Lock()
	pending := f.pending
	f.pending = map[failureKey]*store.Failure{}
	f.mu.Unlock()
	list := make([]store.Failure, 0, len(pending))
	for _, p := range pending {
		list = append(list, *p)
	}
	for part := range slices.Chunk(list, flushRows) {
		ctx, cancel := context.WithTimeout(ctx, flushLimit)
		err := s.NoteFailures(ctx, part)
		cancel()
		if err != nil {
			f.log.Debug("failures could not be kept", "count", len(part), "err", err)
			return
		}
		f.log.Debug("failures kept", "count", len(part))
	}
}
