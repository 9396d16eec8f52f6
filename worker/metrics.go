package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// metrics are what Prometheus sees. Labels are from fixed lists, so packets can't make new series.
type metrics struct {
	health   *health
	registry *prometheus.Registry

	transfers *prometheus.CounterVec // op, outcome, code
	refusals  *prometheus.CounterVec // op, reason
	bytes     *prometheus.CounterVec // op
	repeats   prometheus.Counter
	duration  *prometheus.HistogramVec // op
	commit    prometheus.Histogram
	alarms    *prometheus.CounterVec // state
	uploads   *prometheus.CounterVec // mode, outcome: those that came by SSH or HTTP

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

func metricName(s string) string { return "tftpsql_" + s }

func newMetrics(h *health) *metrics {
	counter := func(n, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricName(n), Help: help},
			labels)
	}
	m := &metrics{
		health: h, registry: prometheus.NewRegistry(),
		transfers: counter("transfers_total", "Transfers that ended: outcome is ok, failed, or "+
			"aborted by the device; code is that of the TFTP error.", "op", "outcome", "code"),
		refusals: counter("refusals_total",
			"Requests that were refused, by what the device was told.", "op", "reason"),
		bytes: counter("bytes_total",
			"Bytes of files received (write) and acknowledged (read).", "op"),
		alarms: counter("alarms_total", "Messages of alarms, by what became of an attempt: sent, "+
			"waiting for another one, given up.", "state"),
		uploads: counter("uploads_total", "Uploads that came by SSH or HTTP and ended: outcome is "+
			"ok, failed, or refused before it began.", "mode", "outcome"),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{Name: metricName("retransmits_total"),
			Help: "Packets sent again, counted when their transfer ends."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricName("transfer_duration_seconds"),
			Help:    "Transfers that ended well, from request to receipt.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}},
			[]string{"op"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    metricName("commit_duration_seconds"),
			Help:    "From an upload's last block to its commit, or failure.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}}),
	}
	// a rate needs the 0 before the first 1
	for _, op := range []tftp.Op{tftp.OpRead, tftp.OpWrite} {
		m.transfers.WithLabelValues(op.String(), "ok", "")
		for c := range tftp.CodeOptions + 2 { // the last is any other
			m.transfers.WithLabelValues(op.String(), "failed", codeLabel(c))
			m.transfers.WithLabelValues(op.String(), "aborted", codeLabel(c))
		}
		for why := range cures {
			if !strings.HasPrefix(string(why), ofRead) { // op tells reads apart here
				m.refusals.WithLabelValues(op.String(), string(why))
			}
		}
		m.bytes.WithLabelValues(op.String())
		m.duration.WithLabelValues(op.String())
	}
	for _, state := range []string{store.DeliverySent, store.DeliveryWaiting,
		store.DeliveryGivenUp} {
		m.alarms.WithLabelValues(state)
	}
	for _, mode := range []string{"sftp", "scp", "http"} {
		for _, outcome := range []string{"ok", "failed", "refused"} {
			m.uploads.WithLabelValues(mode, outcome)
		}
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: metricName("build_info"), Help: "1.",
		ConstLabels: prometheus.Labels{"version": h.version}})
	build.Set(1)
	m.registry.MustRegister(m.alarms, m.uploads, m.transfers, m.refusals, m.bytes, m.repeats,
		m.duration,
		m.commit, build, m,
		collectors.NewGoCollector(), collectors.NewProcessCollector(
			collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) httpHandler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.health.log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
		Timeout: 10 * time.Second})
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
		m.refusals.WithLabelValues(op, known.Message).Inc()
		return
	case o.Err == nil:
		m.transfers.WithLabelValues(op, "ok", "").Inc()
		m.duration.WithLabelValues(op).Observe(time.Since(o.Request.Received).Seconds())
	case errors.As(o.Err, &peer):
		m.transfers.WithLabelValues(op, "aborted", codeLabel(peer.Code)).Inc()
	case isKnown:
		m.transfers.WithLabelValues(op, "failed", codeLabel(known.Code)).Inc()
	default:
		m.transfers.WithLabelValues(op, "failed", codeLabel(tftp.CodeUndefined)).Inc()
	}
	m.bytes.WithLabelValues(op).Add(float64(o.Bytes))
	m.repeats.Add(float64(o.Repeats))
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

// Metrics that are read when Prometheus asks.
var (
	requestsDesc = prometheus.NewDesc(metricName("requests_total"),
		"Requests that were understood, those that were refused among them.", []string{"op"}, nil)
	packetsDesc = prometheus.NewDesc(metricName("packets_total"), "Datagrams.",
		[]string{"direction"}, nil)
	wireDesc = prometheus.NewDesc(metricName("packet_bytes_total"), "Payload of the datagrams.",
		[]string{"direction"}, nil)
	flightDesc = prometheus.NewDesc(metricName("transfers_in_flight"),
		"Transfers under way, those that are being stored among them.", []string{"op"}, nil)
	heldDesc = prometheus.NewDesc(metricName("bytes_in_flight"),
		"Memory held for bodies; TFTP_MEMORY bounds it.", nil, nil)
	readyDesc = prometheus.NewDesc(metricName("ready"), "1 while captures can be stored.", nil,
		nil)
	devicesDesc = prometheus.NewDesc(metricName("devices"),
		"Devices in the database that are not retired. All workers tell the same.", nil, nil)
	overdueDesc = prometheus.NewDesc(metricName("devices_overdue"),
		"Devices that have been silent for too long. All workers tell the same.", nil, nil)
	waitingDesc = prometheus.NewDesc(metricName("spool_captures"),
		"Captures in this worker's spool: state is waiting for PostgreSQL, or refused by it.",
		[]string{"state"}, nil)
	spoolDesc = prometheus.NewDesc(metricName("spool_bytes"), "Bodies in this worker's spool.",
		nil, nil)
	usableDesc = prometheus.NewDesc(metricName("spool_usable"),
		"1 while this worker's spool could keep captures; not told where there is none.", nil, nil)
	ageDesc = prometheus.NewDesc(metricName("spool_age_seconds"),
		"How long the oldest capture in the spool has waited; 0 where none waits.", nil, nil)
	lastDesc = prometheus.NewDesc(metricName("last_capture_timestamp_seconds"),
		"When any device sent last; 0 for never. All workers tell the same.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, packetsDesc, wireDesc, flightDesc, heldDesc,
		readyDesc, devicesDesc, overdueDesc, lastDesc, waitingDesc, spoolDesc, usableDesc,
		ageDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector. It leaves out what is unknown.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, label string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), label)
	}
	ready := 0.0
	if m.health.whyUnready() == "" {
		ready = 1
	}
	gauge(readyDesc, ready)
	if spool := m.health.spool.Load(); spool != nil {
		usable := 0.0
		if *spool == "" {
			usable = 1
		}
		gauge(usableDesc, usable)
	}
	if f := m.fleet.Load(); f != nil {
		gauge(devicesDesc, float64(f.devices))
		gauge(overdueDesc, float64(f.overdue))
		last := 0.0
		if !f.lastCapture.IsZero() {
			last = float64(f.lastCapture.UnixMilli()) / 1000
		}
		gauge(lastDesc, last)
	}
	ctx, cancel := context.WithTimeout(context.Background(), loopLimit)
	defer cancel()
	if s := m.store.Load(); s != nil {
		if st, err := s.SpoolStatus(ctx); err == nil {
			gauge(waitingDesc, float64(st.Waiting), "waiting")
			gauge(waitingDesc, float64(st.Refused), "refused")
			gauge(spoolDesc, float64(st.Bytes))
			age := 0.0
			if !st.Oldest.IsZero() {
				age = time.Since(st.Oldest).Seconds()
			}
			gauge(ageDesc, age)
		}
	}
	server := m.health.server.Load()
	if server == nil {
		return
	}
	n, err := server.Stats(ctx)
	if err != nil {
		return
	}
	counter(requestsDesc, n.Reads, tftp.OpRead.String())
	counter(requestsDesc, n.Writes, tftp.OpWrite.String())
	counter(packetsDesc, n.PacketsIn, "in")
	counter(packetsDesc, n.PacketsOut, "out")
	counter(wireDesc, n.BytesIn, "in")
	counter(wireDesc, n.BytesOut, "out")
	gauge(flightDesc, float64(n.Downloads), tftp.OpRead.String())
	gauge(flightDesc, float64(n.Uploads), tftp.OpWrite.String())
	gauge(heldDesc, float64(n.Held))
}
