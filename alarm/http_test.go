package alarm_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tftpsql/tftpsql/alarm"
)

var try = alarm.Message{ID: "018f-test", Kind: alarm.Test, When: when, Text: "a test"}

// TestAnswers: what each answer of a receiver means for the message.
func TestAnswers(t *testing.T) {
	answer := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprint(w, "because\x1b[2J")
		}
	}
	soon := time.Now().Add(90 * time.Minute).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		answer  http.HandlerFunc
		outcome alarm.Outcome
		most    time.Duration // RetryAfter is at most a second less
	}{
		{answer(200), alarm.Taken, 0}, {answer(202), alarm.Taken, 0},
		{answer(204), alarm.Taken, 0},
		{answer(400), alarm.Refused, 0}, {answer(401), alarm.Refused, 0},
		{answer(404, "Retry-After", "9"), alarm.Refused, 0}, {answer(410), alarm.Gone, 0},
		{answer(408), alarm.Later, 0}, {answer(425), alarm.Later, 0},
		{answer(429), alarm.Later, 0},
		{answer(429, "Retry-After", "120"), alarm.Later, 2 * time.Minute},
		{answer(503, "Retry-After", soon), alarm.Later, 90 * time.Minute},
		{answer(503, "Retry-After", "99999999999"), alarm.Later, 24 * time.Hour},
		{answer(503, "Retry-After", "-5"), alarm.Later, 0},
		{answer(503, "Retry-After", "Fri, 27 Nov 1998 00:00:00 GMT"), alarm.Later, 0},
		{answer(500), alarm.Later, 0}, {answer(501), alarm.Later, 0},
		{answer(599), alarm.Later, 0}, {answer(304), alarm.Later, 0},
	} {
		channel, _ := receive(t, "webhook", alarm.Options{}, c.answer)
		r := channel.Send(t.Context(), try)
		if r.Outcome != c.outcome || r.RetryAfter > c.most || r.RetryAfter < c.most-2*time.Second {
			t.Errorf("want %s, %s: %+v", c.outcome, c.most, r)
		}
		if (r.Err() == nil) != (c.outcome == alarm.Taken) ||
			strings.ContainsRune(r.Answer+r.Reason, '\x1b') {
			t.Errorf("%+v", r)
		}
	}
	channel, _ := receive(t, "webhook", alarm.Options{}, answer(400))
	if r := channel.Send(t.Context(), try); r.Reason !=
		`answered 400 Bad Request: because\x1b[2J` {
		t.Error(r.Reason)
	}
}

// TestRedirects are not followed, wherever they lead.
func TestRedirects(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
	}))
	defer other.Close()
	for code, want := range map[int]alarm.Outcome{301: alarm.Refused, 302: alarm.Later,
		303: alarm.Later, 307: alarm.Later, 308: alarm.Refused} {
		for _, to := range []string{other.URL + "/token123", "/here/token123"} {
			c, got := receive(t, "webhook", alarm.Options{},
				http.RedirectHandler(to, code).ServeHTTP)
			r := c.Send(t.Context(), try)
			if r.Outcome != want || !strings.Contains(r.Reason, "redirects are not followed") ||
				!strings.Contains(r.Reason, "to http://127.0.0.1:") ||
				strings.Contains(r.Reason, "token123") {
				t.Errorf("%d to %s: %+v", code, to, r)
			}
			if <-got; len(got) > 0 {
				t.Errorf("%d to %s: asked again", code, to)
			}
		}
	}
	if asked.Load() > 0 {
		t.Errorf("another host was asked %d times", asked.Load())
	}
}

// bounded calls fn, which must end within the time.
func bounded(t *testing.T, most time.Duration, fn func()) {
	t.Helper()
	begin := time.Now()
	fn()
	if took := time.Since(begin); took > most {
		t.Errorf("it took %s", took)
	}
}

// TestSlowReceivers don't hold an attempt up for longer than its time.
func TestSlowReceivers(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	endless := func(w http.ResponseWriter, r *http.Request) {
		for block := bytes.Repeat([]byte("a\x00"), 4096); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
			}
		}
	}
	short := alarm.Options{Timeout: 200 * time.Millisecond}
	bounded(t, 5*time.Second, func() {
		c, _ := receive(t, "webhook", short, hang)
		r := c.Send(t.Context(), try)
		if r.Outcome != alarm.Later || !strings.Contains(r.Reason, "no answer within 200ms") {
			t.Errorf("a receiver that hangs: %+v", r)
		}
	})
	bounded(t, 5*time.Second, func() {
		c, _ := receive(t, "webhook", alarm.Options{}, hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if r := c.Send(ctx, try); r.Outcome != alarm.Later {
			t.Errorf("an attempt that is ended: %+v", r)
		}
	})
	bounded(t, 5*time.Second, func() {
		c, _ := receive(t, "webhook", alarm.Options{}, endless)
		r := c.Send(t.Context(), try)
		if r.Outcome != alarm.Taken || len(r.Answer) > 64<<10 || len(r.Answer) < 60<<10 ||
			!strings.Contains(r.Answer, `\x00`) {
			t.Errorf("an answer without end: %s, %d bytes", r.Outcome, len(r.Answer))
		}
	})
	bounded(t, 5*time.Second, func() {
		c, _ := receive(t, "webhook", short, drip)
		r := c.Send(t.Context(), try)
		if r.Outcome != alarm.Taken || !strings.HasPrefix(r.Answer, "200 OK\nxx") {
			t.Errorf("an answer that drips: %+v", r)
		}
	})
}

// TestBrokenReceivers: no answer is no reason to give up, and shows no part of the URL but the
// host.
func TestBrokenReceivers(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			conn, err := rude.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1)) // the request has begun
			fmt.Fprint(conn, "220 mail.example.net ESMTP\r\n")
			conn.Close()
		}
	}()
	for _, host := range []string{address, rude.Addr().String()} {
		c, err := alarm.Parse("slack+http://"+host+"/services/T0/B0/XYZ",
			alarm.Options{Private: true})
		if err != nil {
			t.Fatal(err)
		}
		r := c.Send(t.Context(), try)
		if r.Outcome != alarm.Later || !strings.Contains(r.Reason, host) ||
			strings.Contains(r.Reason, "XYZ") || strings.Contains(r.Reason, "services") {
			t.Errorf("%+v", r)
		}
	}
}

// TestSecretsInAnswers: a receiver that repeats the request makes no secret known.
func TestSecretsInAnswers(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintln(w, r.URL.String(), r.Header)
		_ = r.Write(w)
	}
	for _, c := range []struct{ before, after, secret string }{
		{"http://user:hunter22@", "/in?key=0123456789abcdef", "0123456789abcdef"},
		{"http://user:hunter22@", "/in", "hunter22"},
		{"http://user:hunter22@", "/in", "dXNlcjpodW50ZXIyMg=="},
		{"http://", "/hooks/0123456789abcdefghij", "0123456789abcdefghij"},
		{"slack+http://", "/services/T0/B0/XYZ", "services/T0/B0/XYZ"},
		{"teams+http://", "/workflows/77?sig=aaaabbbbcccc", "aaaabbbbcccc"},
		{"discord+http://", "/api/webhooks/1/abcdefghijklmnopqrst", "abcdefghijklmnopqrst"},
		{"ntfy+http://tk_secret@", "/noc", "tk_secret"},
		{"gotify+http://Atoken@", "", "Atoken"},
	} {
		server := httptest.NewServer(http.HandlerFunc(echo))
		defer server.Close()
		channel, err := alarm.Parse(c.before+strings.TrimPrefix(server.URL, "http://")+c.after,
			alarm.Options{Private: true, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		r := channel.Send(t.Context(), try)
		if all := fmt.Sprint(r, channel); strings.Contains(all, c.secret) ||
			!strings.Contains(all, "***") || r.Outcome != alarm.Refused {
			t.Errorf("%s shows %s", all, c.secret)
		}
	}
}

// TestSignature: the standard's own library takes the signature, and refuses it for other bytes.
func TestSignature(t *testing.T) {
	verifier, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	c, got := receive(t, "webhook", alarm.Options{}, ok)
	for range 2 {
		c.Send(t.Context(), messages[0])
		r := <-got
		if err := verifier.Verify(r.body, r.header); err != nil {
			t.Error(err)
		}
		if id := r.header.Get("webhook-id"); id != messages[0].ID {
			t.Errorf("the attempt's ID is %s", id)
		}
		if verifier.Verify(append(r.body, ' '), r.header) == nil {
			t.Error("other bytes have the same signature")
		}
	}
	old, now := alarm.NewSecret(), alarm.NewSecret()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, s := range []string{old, now} {
			verifier, err := webhooks.NewWebhook(s)
			if err == nil {
				err = verifier.Verify(body, r.Header)
			}
			if err != nil {
				t.Errorf("one of two secrets: %v", err)
			}
		}
	}))
	defer server.Close()
	c, err = alarm.Parse(server.URL, alarm.Options{Private: true, Secret: old + " " + now})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Send(t.Context(), try); r.Outcome != alarm.Taken {
		t.Errorf("%+v", r)
	}
}

// TestTLS: a certificate is verified.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, o := range []alarm.Options{{Roots: roots}, {}} {
		o.Private, o.Secret = true, secret
		c, err := alarm.Parse(server.URL, o)
		if err != nil {
			t.Fatal(err)
		}
		r := c.Send(t.Context(), try)
		if trusted := o.Roots != nil; (r.Outcome == alarm.Taken) != trusted ||
			!trusted && (r.Outcome != alarm.Later || !strings.Contains(r.Reason, "certificate")) {
			t.Errorf("%+v", r)
		}
	}
}

// TestRebinding: a name that stands for this machine is no way to it. The name server is the
// test's own.
func TestRebinding(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
	}))
	defer server.Close()
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	go answerNames(names, [4]byte{127, 0, 0, 1})
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", names.LocalAddr().String())
		}}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, private := range []bool{false, true} {
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		// the certificate of httptest is for example.com
		c, err := alarm.Parse("https://example.com:"+port+"/in", alarm.Options{Private: private,
			Secret: secret, Roots: roots})
		if err != nil {
			t.Fatal(err)
		}
		r := c.Send(t.Context(), try)
		if private && r.Outcome != alarm.Taken || !private && (r.Outcome != alarm.Later ||
			!strings.Contains(r.Reason, "127.0.0.1 is no target that is allowed")) {
			t.Errorf("private %v: %+v", private, r)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// answerNames answers each question for an A record with an address, and each other with nothing.
func answerNames(conn net.PacketConn, ip [4]byte) {
	for b := make([]byte, 1500); ; {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		end := 12 + bytes.IndexByte(b[12:n], 0) + 5 // the question: a name, its type and class
		answer := append([]byte{}, b[:end]...)
		answer[2], answer[3] = 0x81, 0x80
		clear(answer[6:12])
		if binary.BigEndian.Uint16(answer[end-4:]) == 1 {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2],
				ip[3])
		}
		_, _ = conn.WriteTo(answer, from)
	}
}

// TestProxy: a proxy that was set gets the request, and connects to the target itself.
func TestProxy(t *testing.T) {
	got := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.RequestURI
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := alarm.Parse("http://receiver.invalid/in", alarm.Options{Private: true,
		Secret: secret, Proxy: at})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Send(t.Context(), try); r.Outcome != alarm.Taken {
		t.Fatalf("%+v", r)
	}
	if target := <-got; target != "http://receiver.invalid/in" {
		t.Errorf("the proxy was asked for %s", target)
	}
}
