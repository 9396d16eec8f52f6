package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// metrics are what Prometheus sees. Labels are from fixed lists, so packets can't make new series.
type metrics struct {
	health  *health
	set     *vm.Set // what is counted here; the rest is read when a scraper asks
	begin   sync.Once
	repeats *vm.Counter
	commit  *vm.PrometheusHistogram

	fleet atomic.Pointer[fleet]       // nil until it was counted
	store atomic.Pointer[store.Store] // nil before there is one
}

// fleet is what the database says of all devices together.
type fleet struct {
	devices, overdue int
	lastCapture      time.Time // zero where there is none
}

const (
	// The devices are counted every fleetEvery, or more seldom, so that counting takes 1/fleetShare
	// of the time at most.
	fleetEvery = 30 * time.Second
	fleetShare = 100
	fleetLimit = time.Minute
)

var (
	transferBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	commitBuckets   = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}
)

func newMetrics(h *health) *metrics {
	vm.ExposeMetadata(true)
	set := vm.NewSet()
	return &metrics{health: h, set: set, repeats: set.NewCounter("tftpsql_retransmits_total"),
		commit: set.NewPrometheusHistogramExt("tftpsql_commit_duration_seconds", commitBuckets)}
}

// beginAll makes every series: a rate needs the 0 before the first 1.
func (m *metrics) beginAll() {
	for _, op := range []string{tftp.OpRead.String(), tftp.OpWrite.String()} {
		m.transfers("", op, "ok")
		for c := range tftp.CodeOptions + 2 { // the last is any other
			m.transfers(codeLabel(c), op, "failed")
			m.transfers(codeLabel(c), op, "aborted")
		}
		for why := range cures {
			if !strings.HasPrefix(string(why), ofRead) { // op tells reads apart here
				m.refusals(op, string(why))
			}
		}
		m.bytes(op)
		m.duration(op)
	}
	for _, state := range []string{store.DeliverySent, store.DeliveryWaiting,
		store.DeliveryGivenUp} {
		m.alarms(state)
	}
	for _, mode := range []string{"sftp", "scp", "http"} {
		for _, outcome := range []string{"ok", "failed", "refused"} {
			m.uploads(mode, outcome)
		}
	}
}

func (m *metrics) transfers(code, op, outcome string) *vm.Counter {
	return m.set.GetOrCreateCounter(`tftpsql_transfers_total{code="` + code + `",op="` + op +
		`",outcome="` + outcome + `"}`)
}

func (m *metrics) refusals(op, reason string) *vm.Counter {
	return m.set.GetOrCreateCounter(`tftpsql_refusals_total{op="` + op + `",reason=` +
		strconv.Quote(reason) + `}`)
}

func (m *metrics) bytes(op string) *vm.Counter {
	return m.set.GetOrCreateCounter(`tftpsql_bytes_total{op="` + op + `"}`)
}

func (m *metrics) duration(op string) *vm.PrometheusHistogram {
	return m.set.GetOrCreatePrometheusHistogramExt(`tftpsql_transfer_duration_seconds{op="`+op+
		`"}`, transferBuckets)
}

func (m *metrics) alarms(state string) *vm.Counter {
	return m.set.GetOrCreateCounter(`tftpsql_alarms_total{state="` + state + `"}`)
}

// uploads counts those that came by SSH or HTTP.
func (m *metrics) uploads(mode, outcome string) *vm.Counter {
	return m.set.GetOrCreateCounter(`tftpsql_uploads_total{mode="` + mode + `",outcome="` +
		outcome + `"}`)
}

func (m *metrics) httpHandler() http.Handler {
	places := make(chan struct{}, 4)
	return http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			http.Error(w, "too many ask at once, try again", http.StatusServiceUnavailable)
			return
		}
		var text strings.Builder
		m.begin.Do(m.beginAll)
		m.set.WritePrometheus(&text)
		m.read(r.Context()).WritePrometheus(&text)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		for line := range strings.Lines(text.String()) {
			if name, is := strings.CutPrefix(line, "# HELP tftpsql_"); is { // it has no text yet
				line = line[:len(line)-1] + " " + helps[name[:len(name)-1]] + "\n"
			}
			_, _ = io.WriteString(w, line) // into memory
		}
		vm.WriteProcessMetrics(w)
		vm.WriteFDMetrics(w)
	}), 10*time.Second, "reading the metrics took too long")
}

// ended counts a transfer. It runs between packets.
func (m *metrics) ended(o tftp.Outcome) {
	if o.Again {
		return
	}
	op := o.Request.Op.String()
	var known *tftp.Error
	var peer *tftp.PeerError
	isKnown := errors.As(o.Err, &known)
	switch {
	case o.Refused && isKnown:
		m.refusals(op, known.Message).Inc()
		return
	case o.Err == nil:
		m.transfers("", op, "ok").Inc()
		m.duration(op).UpdateDuration(o.Request.Received)
	case errors.As(o.Err, &peer):
		m.transfers(codeLabel(peer.Code), op, "aborted").Inc()
	case isKnown:
		m.transfers(codeLabel(known.Code), op, "failed").Inc()
	default:
		m.transfers(codeLabel(tftp.CodeUndefined), op, "failed").Inc()
	}
	m.bytes(op).AddInt64(o.Bytes)
	m.repeats.Add(o.Repeats)
}

// codeLabel is an error code as a label: a device may send any number.
func codeLabel(c tftp.ErrorCode) string {
	if c > tftp.CodeOptions {
		return "other"
	}
	return strconv.Itoa(int(c))
}

// count counts the devices until ctx ends.
func (m *metrics) count(ctx context.Context, s *store.Store) {
	m.store.Store(s)
	defer m.store.Store(nil)
	for {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, fleetLimit)
		f := fleet{}
		err := s.EachDevice(limited, func(d store.Device) bool {
			if !d.Retired {
				f.devices++
			}
			if !d.OverdueSince(start).IsZero() {
				f.overdue++
			}
			if d.LastSeen.After(f.lastCapture) {
				f.lastCapture = d.LastSeen
			}
			return true
		})
		cancel()
		if err == nil {
			m.fleet.Store(&f)
		} else {
			m.fleet.Store(nil) // unknown: the series is missing then
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(fleetEvery, fleetShare*time.Since(start))):
		}
	}
}

// helps are the texts of the HELP lines, by the names without tftpsql_.
var helps = map[string]string{
	"alarms_total": "Messages of alarms, by what became of an attempt: sent, waiting for another " +
		"one, given up.",
	"build_info":              "1.",
	"bytes_in_flight":         "Memory held for bodies; TFTP_MEMORY bounds it.",
	"bytes_total":             "Bytes of files received (write) and acknowledged (read).",
	"commit_duration_seconds": "From an upload's last block to its commit, or failure.",
	"devices": "Devices in the database that are not retired. All workers tell the " +
		"same.",
	"devices_overdue": "Devices that have been silent for too long. All workers tell the same.",
	"last_capture_timestamp_seconds": "When any device sent last; 0 for never. All workers tell " +
		"the same.",
	"packet_bytes_total": "Payload of the datagrams.",
	"packets_total":      "Datagrams.",
	"ready":              "1 while captures can be stored.",
	"refusals_total":     "Requests that were refused, by what the device was told.",
	"requests_total":     "Requests that were understood, those that were refused among them.",
	"retransmits_total":  "Packets sent again, counted when their transfer ends.",
	"spool_age_seconds": "How long the oldest capture in the spool has waited; 0 where none " +
		"waits.",
	"spool_bytes": "Bodies in this worker's spool.",
	"spool_captures": "Captures in this worker's spool: state is waiting for PostgreSQL, or " +
		"refused by it.",
	"spool_usable": "1 while this worker's spool could keep captures; not told where there is " +
		"none.",
	"transfer_duration_seconds": "Transfers that ended well, from request to receipt.",
	"transfers_in_flight":       "Transfers under way, those that are being stored among them.",
	"transfers_total": "Transfers that ended: outcome is ok, failed, or aborted by the device; " +
		"code is that of the TFTP error.",
	"uploads_total": "Uploads that came by SSH or HTTP and ended: outcome is ok, failed, or " +
		"refused before it began.",
}

// read reads what is not counted here. It leaves out what is unknown.
func (m *metrics) read(ctx context.Context) *vm.Set {
	set := vm.NewSet()
	gauge := func(name string, v float64) { set.NewGauge("tftpsql_"+name, nil).Set(v) }
	counter := func(name string, v int64) { set.NewCounter("tftpsql_" + name).Set(uint64(v)) }
	gauge("build_info{version="+strconv.Quote(m.health.version)+"}", 1)
	oneIf := map[bool]float64{true: 1}
	gauge("ready", oneIf[m.health.whyUnready() == ""])
	if spool := m.health.spool.Load(); spool != nil {
		gauge("spool_usable", oneIf[*spool == ""])
	}
	if f := m.fleet.Load(); f != nil {
		gauge("devices", float64(f.devices))
		gauge("devices_overdue", float64(f.overdue))
		last := 0.0
		if !f.lastCapture.IsZero() {
			last = float64(f.lastCapture.UnixMilli()) / 1000
		}
		gauge("last_capture_timestamp_seconds", last)
	}
	ctx, cancel := context.WithTimeout(ctx, loopLimit)
	defer cancel()
	if s := m.store.Load(); s != nil {
		if st, err := s.SpoolStatus(ctx); err == nil {
			gauge(`spool_captures{state="waiting"}`, float64(st.Waiting))
			gauge(`spool_captures{state="refused"}`, float64(st.Refused))
			gauge("spool_bytes", float64(st.Bytes))
			age := 0.0
			if !st.Oldest.IsZero() {
				age = time.Since(st.Oldest).Seconds()
			}
			gauge("spool_age_seconds", age)
		}
	}
	if server := m.health.server.Load(); server != nil {
		if n, err := server.Stats(ctx); err == nil {
			counter(`requests_total{op="read"}`, n.Reads)
			counter(`requests_total{op="write"}`, n.Writes)
			counter(`packets_total{direction="in"}`, n.PacketsIn)
			counter(`packets_total{direction="out"}`, n.PacketsOut)
			counter(`packet_bytes_total{direction="in"}`, n.BytesIn)
			counter(`packet_bytes_total{direction="out"}`, n.BytesOut)
			gauge(`transfers_in_flight{op="read"}`, float64(n.Downloads))
			gauge(`transfers_in_flight{op="write"}`, float64(n.Uploads))
			gauge("bytes_in_flight", float64(n.Held))
		}
	}
	return set
}
