package worker

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

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
