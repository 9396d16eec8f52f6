package worker

import (
	"context"
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
	"github.com/tftpsql/tftpsql/sftp"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
	"github.com/tftpsql/tftpsql/web"
)

// page returns what HTTP_ADDR serves besides health and metrics.
func (w *worker) page() *web.Page {
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
			Memory: bodiesMemory(c)},
		OIDC: web.OIDC{Issuer: c.OIDCIssuer.String(), ClientID: c.OIDCClientID,
			Secret: c.OIDCSecret, Claim: c.OIDCClaim, Roles: c.OIDCRoles},
	})
}

// secured returns a listener that has bounds, and speaks HTTPS where there is a certificate.
func (w *worker) secured(l net.Listener) (net.Listener, error) {
	if l == nil {
		return nil, nil
	}
	l = bounded(l)
	if w.TLSCert == "" {
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

// certificate is that of HTTPS. It is read again when its files change: certificates last for
// weeks, and the server for months.
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
	if err := accepts(w.Allow)(netip.AddrPortFrom(source, 0)); err != nil {
		return err
	}
	if err := w.health.whyRefused(); err != nil {
		return full.tell(tftp.CodeFull, err)
	}
	return nil
}

// takeHTTP stores an upload by HTTP.
func (h *handler) takeHTTP(r *http.Request, u web.Incoming) (store.Stored, error) {
	up := capture.Upload{Peer: u.Peer, Local: u.Local, Filename: u.Filename, Mode: "http",
		Received: u.Began, Completed: time.Now(), Body: u.Body, Log: h.logs.Match(u.Filename)}
	stored, c, err := h.take(r.Context(), up, sender{site: u.Site, by: u.By, device: u.Name})
	if err != nil {
		return stored, err
	}
	h.health.metrics.uploads("http", "ok").Inc()
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "received", append(attrsHTTP(u),
		noted(stored, c)...)...)
	return stored, nil
}

// attrsHTTP is what the log says of an upload by HTTP.
func attrsHTTP(u web.Incoming) []slog.Attr {
	return []slog.Attr{slog.String("op", "write"), slog.String("mode", "http"),
		slog.String("peer", u.Peer.String()), slog.String("file", u.Filename),
		slog.Int("bytes", len(u.Body)), slog.Duration("took", time.Since(u.Began))}
}

// refusedHTTP counts an upload by HTTP that has failed. Only who has a token gets lines of the log.
func (h *handler) refusedHTTP(u web.Incoming, code int, err error, begun bool) {
	outcome, level := "refused", slog.LevelDebug
	if begun {
		outcome, level = "failed", slog.LevelWarn
	}
	h.health.metrics.uploads("http", outcome).Inc()
	h.failures.count(failed{peer: u.Peer.Addr(), filename: u.Filename, why: reasonHTTP(code, err),
		code: -1, bytes: int64(len(u.Body)), began: u.Began, err: err, refused: !begun})
	h.log.LogAttrs(context.Background(), level, outcome, append(attrsHTTP(u),
		slog.Any("err", err))...)
}

// reasonHTTP returns why an upload by HTTP failed, whose sender was told so.
func reasonHTTP(code int, err error) reason {
	if told, ok := toldOf(err); ok {
		return told
	}
	switch {
	case errors.Is(err, web.ErrTorn):
		return givenUp
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return loginRefused
	case code == http.StatusRequestEntityTooLarge:
		return tftp.MessageTooLarge
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		return tftp.MessageBusy
	}
	return malformed
}

// toldOf returns what this package has told a sender.
func toldOf(err error) (reason, bool) {
	var told *tftp.Error
	var bySSH *sftp.Error
	switch {
	case errors.As(err, &told):
		return reason(told.Message), true
	case errors.As(err, &bySSH):
		return reason(bySSH.Message), true
	}
	return unavailable, false
}

// refusalHTTP returns what a sender is told: the words of TFTP, under the status that fits.
func refusalHTTP(err error) (int, string) {
	told, _ := toldOf(err)
	text := string(told)
	switch told {
	case notAllowed:
		return http.StatusForbidden, text + ": this address is not in TFTP_ALLOW"
	case exists:
		return http.StatusConflict, text
	case full:
		return http.StatusInsufficientStorage, text
	}
	return http.StatusServiceUnavailable, text
}
