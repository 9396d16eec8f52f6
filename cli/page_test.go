package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
)

// visitor is a browser that takes any certificate and follows no redirect.
func visitor(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	return &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
}

// fetch asks with headers "Name: value".
func fetch(t testing.TB, c *http.Client, method, address string, headers ...string) (*http.Response,
	string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	r, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// on starts a server on all addresses, with more variables.
func on(t testing.TB, environ ...string) *program {
	t.Helper()
	return launch(t, databases["sqlite"](t), environ, `msg=listening address=(\S+)`, "--http",
		"0.0.0.0:0")
}

// TestPageElsewhere: on an address that others reach the page is off until PAGE=on, and then wants
// HTTPS, or a proxy that is believed. Health is answered all the time.
func TestPageElsewhere(t *testing.T) {
	t.Parallel()
	forwarded := "X-Forwarded-Proto: https"
	for name, one := range map[string]struct {
		environ []string
		header  string
		code    int
		want    string
	}{
		"as it is":       {nil, forwarded, 404, "PAGE=on turns it on"},
		"off":            {[]string{"PAGE=off"}, forwarded, 404, "PAGE=on turns it on"},
		"on":             {[]string{"PAGE=on"}, "X: y", 403, "TLS_CERT and TLS_KEY"},
		"a forged proxy": {[]string{"PAGE=on"}, forwarded, 403, "TLS_CERT and TLS_KEY"},
		"another proxy": {[]string{"PAGE=on", "TRUSTED_PROXIES=192.0.2.1"}, forwarded, 403,
			"TLS"},
		"a proxy in clear": {[]string{"PAGE=on", "TRUSTED_PROXIES=127.0.0.1"}, "X: y", 403, "TLS"},
		"a proxy":          {[]string{"PAGE=on", "TRUSTED_PROXIES=127.0.0.1"}, forwarded, 303, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := on(t, one.environ...)
			for _, path := range []string{"/", "/devices", "/api/v1/devices", "/link/x"} {
				r, body := fetch(t, visitor(t), http.MethodGet, p.page(t)+path, one.header)
				if one.code == 303 && path != "/" && path != "/devices" {
					continue
				}
				if r.StatusCode != one.code || !strings.Contains(body, one.want) {
					t.Errorf("%s: %s %s", path, r.Status, body)
				}
			}
			if status, body := get(t, p.page(t)+"/healthz"); status != 200 || body != "ok\n" {
				t.Errorf("healthz: %d %s", status, body)
			}
		})
	}
}

// certify writes a certificate that signs itself, and returns the files.
func certify(t testing.TB, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"x.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		replace(t, file, pem.EncodeToMemory(block))
	}
	return certFile, keyFile
}

// replace writes a file anew under its name, with a time of its own.
func replace(t testing.TB, file string, body []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", body, 0o600); err != nil {
		t.Fatal(err)
	}
	if old, err := os.Stat(file); err == nil { // file systems don't all tell moments apart
		later := old.ModTime().Add(time.Second)
		if err := os.Chtimes(file+".new", later, later); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestPageTLS: the page by HTTPS, health and the health check with it, and a certificate that is
// renewed while the server runs.
func TestPageTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := certify(t, dir, 1)
	environ := []string{"PAGE=on", "TLS_CERT=" + certFile, "TLS_KEY=" + keyFile}
	p := on(t, environ...)
	base := p.page(t)
	if !strings.HasPrefix(base, "https://") {
		t.Fatalf("the log says %s", base)
	}
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		r, body := fetch(t, visitor(t), http.MethodGet, base+"/healthz")
		if r.StatusCode != 200 || body != "ok\n" {
			t.Errorf("healthz: %s %s", r.Status, body)
		}
		return r.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if serial() != 1 {
		t.Error("another certificate")
	}
	environ = append(environ, "DATABASE_URL="+p.url, "HTTP_ADDR=0.0.0.0:"+at.Port())
	for _, args := range [][]string{{"healthcheck"}, {"healthcheck", "--live"}} {
		if status, out, errs := do(t, environ, args...); status != 0 {
			t.Errorf("%q: %d %s %s", args, status, out, errs)
		}
	}
	status, link, errs := do(t, environ, "page")
	if status != 0 || !strings.HasPrefix(link, "https://127.0.0.1:"+at.Port()+"/link/") {
		t.Fatalf("page: %d %s %s", status, link, errs)
	}
	c := visitor(t)
	r, _ := fetch(t, c, http.MethodPost, strings.TrimSpace(link))
	if cookie := r.Header.Get("Set-Cookie"); r.StatusCode != 303 ||
		!strings.HasPrefix(cookie, "__Host-tftpsql=") || !strings.Contains(cookie, "; Secure") ||
		!strings.Contains(cookie, "; HttpOnly") || !strings.Contains(cookie, "; SameSite=Lax") ||
		!strings.Contains(cookie, "; Path=/") || strings.Contains(cookie, "Domain") {
		t.Errorf("%s with the cookie %q", r.Status, cookie)
	}
	if r, body := fetch(t, c, http.MethodGet, base+"/"); r.StatusCode != 200 ||
		!strings.Contains(body, "Overview") ||
		!strings.HasPrefix(r.Header.Get("Strict-Transport-Security"), "max-age=") {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	certify(t, dir, 2)
	if got := serial(); got != 2 {
		t.Errorf("the certificate is still %d", got)
	}
	replace(t, certFile, []byte("broken"))
	if got := serial(); got != 2 {
		t.Errorf("with a broken file the certificate is %d", got)
	}
	p.log.wait(t, `level=ERROR msg="the new certificate can't be used`)
	certify(t, dir, 3)
	if got := serial(); got != 3 {
		t.Errorf("after a broken file the certificate is %d", got)
	}
}

// TestPageSettings: settings that don't work are named.
func TestPageSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := certify(t, dir, 1)
	other := t.TempDir()
	_, otherKey := certify(t, other, 2)
	for name, one := range map[string]struct {
		environ []string
		want    string
	}{
		"no key":  {[]string{"TLS_CERT=" + certFile}, "TLS_CERT and TLS_KEY go together"},
		"no cert": {[]string{"TLS_KEY=" + keyFile}, "TLS_CERT and TLS_KEY go together"},
		"no file": {[]string{"TLS_CERT=" + certFile + "x", "TLS_KEY=" + keyFile}, "TLS_CERT"},
		"another key": {[]string{"TLS_CERT=" + certFile, "TLS_KEY=" + otherKey},
			"TLS_CERT, TLS_KEY"},
		"page":    {[]string{"PAGE=yes"}, "PAGE"},
		"proxies": {[]string{"TRUSTED_PROXIES=all"}, "TRUSTED_PROXIES"},
		"base":    {[]string{"BASE_URL=x"}, "BASE_URL"},
	} {
		environ := append(one.environ, "DATABASE_URL="+databases["sqlite"](t))
		status, _, errs := do(t, environ, "-p", "0", "--host", "127.0.0.1", "--http",
			"127.0.0.1:0")
		if status == 0 || !strings.Contains(errs, one.want) {
			t.Errorf("%s: %d %s", name, status, errs)
		}
	}
}

// piped runs a command as a program of its own, with a text on stdin.
func (p *program) piped(t testing.TB, stdin string, args ...string) (status int, out, errs string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+p.url)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return status, stdout.String(), stderr.String()
}

// TestPeople: users, tokens and links by the commands, as the page and the API then know them.
func TestPeople(t *testing.T) {
	everywhere(t, func(t *testing.T, database string) {
		p := start(t, database, "--http", "127.0.0.1:0")
		p.put(t, "acme/fw1.conf", fortigate("fw1", "192.0.2.53"))
		p.put(t, "globex/fw2.conf", fortigate("fw2", "192.0.2.53"))
		base := p.page(t)
		status, link, errs := do(t, []string{"DATABASE_URL=" + database, "HTTP_ADDR=" +
			strings.TrimPrefix(base, "http://")}, "page", "--role", "viewer", "--site", "acme")
		if status != 0 || !strings.HasPrefix(link, base+"/link/") {
			t.Fatalf("page: %d %s %s", status, link, errs)
		}
		link = strings.TrimSpace(link)
		c := visitor(t)
		if r, _ := fetch(t, c, http.MethodPost, link); r.StatusCode != http.StatusSeeOther {
			t.Errorf("the link: %s", r.Status)
		}
		onlyAcme(t, c, base)
		if r, body := fetch(t, visitor(t), http.MethodPost, link); r.StatusCode != 403 ||
			!strings.Contains(body, "this link was used") {
			t.Errorf("the link a second time: %s", r.Status)
		}
		for _, one := range []struct {
			stdin  string
			args   string
			status int
			want   string
		}{
			{"correct horse\n", "user add ann --site acme", 0, "added ann, viewer"},
			{"correct horse\n", "user add ann", 1, `there is a user "ann"`},
			{"short\n", "user add bob", 2, "a password has 10 to 1024 bytes"},
			{"", "user add bob", 1, "no password"},
			{"correct horse\n", "user add bob --role root", 2, `"root" is no role`},
			{"correct horse\n", "user add", 2, ""},
			{"", "user add carl --no-password --role admin", 0, "added carl, admin"},
			{"", "user list", 0, "viewer of [\"acme\"]"},
			{"battery staple", "user password ann", 0, "the password of ann is set"},
			{"battery staple", "user password bob", 1, `no user "bob"`},
			{"", "user remove bob", 1, `no user "bob"`},
			{"", "user remove carl", 0, "removed the user carl"},
			{"", "user", 2, "user what? "},
			{"", "token add nms --role root", 2, `"root" is no role`},
			{"", "token add nms --for soon", 2, "soon"},
			{"", "token remove nms", 1, `no token "nms"`},
			{"", "page --role root", 2, `"root" is no role`},
		} {
			status, out, errs := p.piped(t, one.stdin, strings.Fields(one.args)...)
			if status != one.status || !strings.Contains(out+errs, one.want) {
				t.Errorf("%s: exit status %d, want %d: %s%s", one.args, status, one.status, out,
					errs)
			}
		}
		for password, want := range map[string]int{"correct horse": 401, "battery staple": 303} {
			c := visitor(t)
			r, err := c.PostForm(base+"/login", url.Values{"name": {"ann"},
				"password": {password}})
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != want {
				t.Errorf("a login with %q: %s", password, r.Status)
			}
			if want == 303 {
				onlyAcme(t, c, base)
			}
		}
		secret := strings.TrimSpace(p.must(t, "token", "add", "nms", "--site", "acme", "--for",
			"1y"))
		if !strings.Contains(p.must(t, "token", "list"), "nms") {
			t.Error("the token isn't listed")
		}
		request, err := http.NewRequest(http.MethodGet, base+"/api/v1/devices", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("anybody", secret)
		basic := request.Header.Get("Authorization")
		for _, header := range []string{"Bearer " + secret, basic} {
			if r, body := fetch(t, visitor(t), http.MethodGet, base+"/api/v1/devices",
				"Authorization: "+header); r.StatusCode != 200 ||
				!strings.Contains(body, `"fw1"`) || strings.Contains(body, `"fw2"`) {
				t.Errorf("with %.7s: %s %s", header, r.Status, body)
			}
		}
		p.must(t, "token", "remove", "nms")
		if r, _ := fetch(t, visitor(t), http.MethodGet, base+"/api/v1/devices",
			"Authorization: "+basic); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("a token that was removed: %s", r.Status)
		}
	})
}

// onlyAcme checks that a browser sees the devices of acme alone.
func onlyAcme(t testing.TB, c *http.Client, base string) {
	t.Helper()
	r, body := fetch(t, c, http.MethodGet, base+"/devices")
	if r.StatusCode != 200 || !strings.Contains(body, "acme/fw1") || strings.Contains(body, "fw2") {
		t.Errorf("%s %s", r.Status, body)
	}
}

// TestPeopleOldSchema: with a database that is older than the program the commands say what to do.
func TestPeopleOldSchema(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": databases["sqlite"](t),
		"postgres": pgtest.Database(t)} {
		environ := []string{"DATABASE_URL=" + database}
		for _, args := range [][]string{{"migrate", "up"}, {"migrate", "down", "3"}} {
			if status, _, errs := do(t, environ, args...); status != 0 {
				t.Errorf("%s, %q: %d %s", name, args, status, errs)
			}
		}
		for _, args := range [][]string{{"page"}, {"user", "list"}, {"token", "add", "x"},
			{"user", "remove", "x"}} {
			if status, _, errs := do(t, environ, args...); status != 1 ||
				!strings.Contains(errs, "migrate up") {
				t.Errorf("%s, %q: %d %s", name, args, status, errs)
			}
		}
	}
}

// TestPageOfNoServer: a link that nothing serves yet, and a site that no device is of, are said.
func TestPageOfNoServer(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t), "--http", "none")
	p.put(t, "acme/fw1.conf", fortigate("fw1", "192.0.2.53"))
	status, out, errs := p.do(t, "page", "--http", "127.0.0.1:1", "--site", "acmee")
	if status != 0 || !strings.HasPrefix(out, "http://127.0.0.1:1/link/") ||
		!strings.Contains(errs, "the link opens nothing yet") ||
		!strings.Contains(errs, `no device is of site "acmee"; there are: acme`) {
		t.Errorf("%d %q %q", status, out, errs)
	}
	status, out, errs = p.do(t, "user", "add", "bob", "--no-password", "--site", "acmee")
	if status != 0 || !strings.HasPrefix(out, "added bob") || !strings.Contains(errs, "acmee") {
		t.Errorf("%d %q %q", status, out, errs)
	}
	status, _, errs = p.do(t, "token", "add", "up", "--role", "uploader", "--site", "new")
	if status != 0 || errs != "" {
		t.Errorf("%d %q", status, errs)
	}
}
