package worker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
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
	c := &certificate{cert: w.TLSCert, key: w.TLSKey, log: w.log}
	if err := c.load(); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("TLS_CERT, TLS_KEY: %w", err)
	}
	return tls.NewListener(l, &tls.Config{GetCertificate: c.get,
		MinVersion: tls.VersionTLS12}), nil
}

// certificate is that of HTTPS. It is read again when its files change: certificates last for weeks,
// and the server for months.
type certificate struct {
	cert, key string // files
	log       *slog.Logger

	mu   sync.Mutex // guards what follows
	now  *tls.Certificate
	seen [2]version // of the files when they were last read
}

// version is what tells one state of a file from another.
type version struct {
	at   time.Time
	size int64
}

// get returns the certificate as tls.Config asks for it.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seen := c.look(); seen != c.seen {
		if err := c.load(); err != nil {
			c.log.Error("the new certificate can't be used: the one of before is kept", "err", err)
		} else {
			c.log.Info("the certificate was read again", "file", c.cert)
		}
	}
	return c.now, nil
}

// load reads the files. What was read before is kept where they don't go together, as between the
// writing of the one and of the other.
func (c *certificate) load() error {
	c.seen = c.look()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.now = &pair
	}
	return err
}

// look returns the versions of the files, the zero value for one that is not there.
func (c *certificate) look() (list [2]version) {
	for i, file := range []string{c.cert, c.key} {
		if info, err := os.Stat(file); err == nil {
			list[i] = version{info.ModTime(), info.Size()}
		}
	}
	return list
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
