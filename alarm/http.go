package alarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// httpTimeout bounds an attempt by HTTP, from the name's resolution to the answer's end.
const httpTimeout = 10 * time.Second

// metadata are addresses at which clouds give a machine its credentials, besides 169.254.0.0/16.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure's host
}

// allowed returns why an address is no target: who may add a channel must not reach what trusts
// this machine. Private addresses are allowed, since management networks have them.
func allowed(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	what, may := "", ""
	switch {
	case ip.IsLoopback():
		what, may = "this machine", ": ALARM_PRIVATE=1 allows it"
	case ip.IsUnspecified() || ip.Is4() && ip.As4()[0] == 0:
		what = "unspecified"
	case ip.IsLinkLocalUnicast():
		what = "link-local"
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		what = "multicast"
	}
	for _, m := range metadata {
		if ip == m {
			what = "a cloud's metadata service"
		}
	}
	if what == "" {
		return nil
	}
	return fmt.Errorf("%s is no target that is allowed (%s)%s", ip, what, may)
}

// checkDial refuses a connection by the address that a name was resolved to, so that a name can't
// stand for an allowed address when it is looked at and for another one afterwards.
func checkDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return allowed(at.Addr())
}

// client makes one request a connection: alarms are rare. It follows no redirect, as a message must
// not go where nobody has sent it.
func (c *Channel) client() *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true,
		DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
		TLSClientConfig: &tls.Config{RootCAs: c.options.Roots, MinVersion: tls.VersionTLS12}}
	switch {
	case c.options.Proxy != nil: // it connects to the target, and may stand on this machine itself
		transport.Proxy = http.ProxyURL(c.options.Proxy)
	case !c.options.Private:
		dialer.Control = checkDial
	}
	return &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
}

// encode makes the body of a request, with as much text as the receiver takes.
func (c *Channel) encode(t told) ([]byte, error) {
	for room := c.service.room; ; room /= 2 {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(c.service.body(c, t, room)); err != nil {
			return nil, err
		}
		if b.Len() <= c.service.limit {
			return b.Bytes(), nil
		}
		if room == 0 {
			return nil, fmt.Errorf("the message has %d bytes, and the receiver takes %d",
				b.Len(), c.service.limit)
		}
	}
}

// post makes one attempt by HTTP.
func (c *Channel) post(ctx context.Context, t told) Result {
	body, err := c.encode(t)
	if err != nil {
		return c.result(Refused, err.Error(), "")
	}
	timeout := c.options.Timeout
	if timeout == 0 {
		timeout = httpTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.String(),
		bytes.NewReader(body))
	if err != nil {
		return c.result(Refused, "the URL can't be asked", "")
	}
	request.Header = c.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tftpsql/"+c.options.Version)
	for _, key := range c.signers {
		sign(request.Header, key, t.ID, time.Now(), body)
	}
	client := c.client()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return c.failure(ctx, err, timeout)
	}
	defer response.Body.Close()
	// What the status says counts, however the answer's rest comes.
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return c.judge(response, string(answer))
}

// failure is the result of a request without an answer.
func (c *Channel) failure(ctx context.Context, err error, timeout time.Duration) Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return c.later("%s gave no answer within %s", c.target.Host, timeout)
	}
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		err = wrapped.Err // it repeats the URL
	}
	return c.later("%s: %v", c.target.Host, err)
}

// judge says what an answer means.
func (c *Channel) judge(response *http.Response, answer string) Result {
	code := response.StatusCode
	status := strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	full := strings.TrimSuffix(status+"\n"+answer, "\n")
	if code/100 == 2 {
		return c.result(Taken, "", full)
	}
	reason := "answered " + status
	if first, _, _ := strings.Cut(strings.TrimSpace(answer), "\n"); first != "" {
		reason += ": " + first
	}
	outcome := Later
	switch {
	case code/100 == 3:
		reason = "answered " + status + elsewhere(response) +
			": redirects are not followed, give the channel the address itself"
		if code == http.StatusMovedPermanently || code == http.StatusPermanentRedirect {
			outcome = Refused
		}
	case code == http.StatusGone:
		outcome = Gone
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly,
		code == http.StatusTooManyRequests:
	case code/100 == 4:
		outcome = Refused
	}
	r := c.result(outcome, reason, full)
	if outcome == Later {
		r.RetryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
	}
	return r
}

// elsewhere names the host of a redirect. The rest of the address may be as secret as the
// channel's.
func elsewhere(response *http.Response) string {
	at, err := response.Location()
	if err != nil {
		return ""
	}
	return ", to " + base(at)
}

// retryAfter reads seconds or a date; 0 is nothing that can be read, or a time that has passed.
func retryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
