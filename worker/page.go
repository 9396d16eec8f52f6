package worker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/sftp"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
	"github.com/tftpsql/tftpsql/web"
)

// page returns what HTTP_ADDR serves besides health and metrics.
func (w *worker) page() http.Handler {
	c := w.Config
	return web.New(web.Options{
		Store:    w.store.Load,
		Trouble:  w.health.whyUnready,
		Cure:     Cure,
		On:       c.Page == "on" || c.Page == "auto" && c.HTTP.Loopback(),
		Loopback: c.HTTP.Loopback(), BaseURL: c.BaseURL.String(), Proxies: c.TrustedProxies,
		UserHeader: c.AuthHeader, TFTPHost: c.Host, Channels: w.alarms, Log: w.log,
		Inbox: web.Inbox{Take: w.handler.takeHTTP, Accept: w.admits, Refused: w.handler.refusedHTTP,
			Refusal: refusalHTTP, MaxSize: int64(w.MaxSize),
			Memory: max(int64(w.Memory)/bodiesShare, 2*int64(w.MaxSize))},
		OIDC: web.OIDC{Issuer: c.OIDCIssuer.String(), ClientID: c.OIDCClientID,
			Secret: c.OIDCSecret, Claim: c.OIDCClaim, Roles: c.OIDCRoles},
	})
}

// secured returns a listener that speaks HTTPS where there is a certificate.
func (w *worker) secured(l net.Listener) (net.Listener, error) {
	if l == nil || w.TLSCert == "" {
		return l, nil
	}
	certificate, err := tls.LoadX509KeyPair(w.TLSCert, w.TLSKey)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("TLS_CERT, TLS_KEY: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate},
		MinVersion: tls.VersionTLS12}), nil
}

// admits returns an error where a source may not send, or nothing can be stored.
func (w *worker) admits(source netip.Addr) error {
	if err := accepts(w.Allow, w.health.whyRefused)(netip.AddrPortFrom(source, 0)); err != nil {
		return err
	}
	return nil
}

// takeHTTP stores an upload by HTTP.
func (h *handler) takeHTTP(r *http.Request, u web.Incoming) (store.Stored, error) {
	site := ""
	if u.Site != nil {
		site = *u.Site
	}
	up := capture.Upload{Peer: u.Peer, Filename: u.Filename, Mode: "http", Received: u.Began,
		Completed: time.Now(), Body: u.Body, Log: h.logs.Match(u.Filename)}
	stored, c, err := h.take(r.Context(), up, site, u.By, u.Name)
	if err != nil {
		return stored, err
	}
	h.health.metrics.uploads.WithLabelValues("http", "ok").Inc()
	attrs := append([]slog.Attr{slog.String("op", "write"), slog.String("mode", "http"),
		slog.String("peer", u.Peer.String()), slog.String("file", device.Text(u.Filename)),
		slog.Int("bytes", len(u.Body)), slog.Duration("took", time.Since(u.Began))},
		noted(stored, c)...)
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "received", attrs...)
	return stored, nil
}

// refusedHTTP counts an upload by HTTP that has failed.
func (h *handler) refusedHTTP(u web.Incoming, err error) {
	why := givenUp
	var told *tftp.Error
	if errors.As(err, &told) {
		why = reason(told.Message)
	}
	h.health.metrics.uploads.WithLabelValues("http", "failed").Inc()
	h.failures.count(failed{peer: u.Peer.Addr(), filename: u.Filename, why: why, code: -1,
		bytes: int64(len(u.Body)), began: u.Began, err: err})
	h.log.Warn("an upload by HTTP has failed", "peer", u.Peer.String(), "file",
		device.Text(u.Filename), "err", err)
}

// refusalHTTP returns what a sender is told: the words of TFTP, under the status that fits.
func refusalHTTP(err error) (int, string) {
	var told *tftp.Error
	var bySSH *sftp.Error
	text := string(unavailable)
	switch {
	case errors.As(err, &told):
		text = told.Message
	case errors.As(err, &bySSH):
		text = bySSH.Message
	}
	switch reason(text) {
	case notAllowed:
		return http.StatusForbidden, text + ": this address is not in TFTP_ALLOW"
	case exists:
		return http.StatusConflict, text
	case full:
		return http.StatusInsufficientStorage, text
	}
	return http.StatusServiceUnavailable, text
}
