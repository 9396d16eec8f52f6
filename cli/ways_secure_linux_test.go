package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestWaysLegacy: devices of before 2015 are refused, unless SSH_LEGACY admits them, which the log
// says aloud.
func TestWaysLegacy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	for _, legacy := range []string{"false", "true"} {
		w := startWays(t, databases["sqlite"](t), "SSH_LEGACY="+legacy)
		said, ok := w.client(t, "scp", "-P", "-O", "-oKexAlgorithms=diffie-hellman-group14-sha1",
			"-oCiphers=aes128-cbc", "-oMACs=hmac-sha1", "-oHostKeyAlgorithms=ssh-rsa", file,
			"acme@127.0.0.1:/fw1")
		if ok != (legacy == "true") {
			t.Errorf("SSH_LEGACY=%s: %v %s\n%s", legacy, ok, said, w.log)
		}
		if strings.Contains(w.log.String(), "SSH_LEGACY admits weak algorithms") != ok {
			t.Errorf("SSH_LEGACY=%s: the log says\n%s", legacy, w.log)
		}
	}
}

// TestWaysSecure: on an address that others reach, a token is taken by HTTPS alone. The page may be
// off.
func TestWaysSecure(t *testing.T) {
	t.Parallel()
	own := ownAddress(t)
	w := loggedIn(t, launch(t, databases["sqlite"](t), []string{"SSH_ADDR=127.0.0.1:0",
		"TRUSTED_PROXIES=" + own, "TFTP_ALLOW=" + own, "PAGE=off"},
		`msg=listening address=(\S+)`, "--http", net.JoinHostPort(own, "0")))
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x"); code != http.StatusForbidden ||
		!strings.Contains(text, "in clear") {
		t.Errorf("in clear: %d %s", code, text)
	}
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x", "X-Forwarded-Proto", "https"); code !=
		http.StatusOK {
		t.Errorf("by a proxy that speaks HTTPS: %d %s", code, text)
	}
	if code, text := w.ask(t, "GET", "/devices", "", "X-Forwarded-Proto", "https"); code !=
		http.StatusNotFound || !strings.Contains(text, "the page is off") {
		t.Errorf("the page: %d %s", code, text)
	}
	if status, _ := get(t, w.http+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
}

// TestWaysMemory: bodies by HTTP take no more than their memory. What doesn't fit is told to come
// again, and fits when the others have ended.
func TestWaysMemory(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t), "TFTP_MAX_SIZE=64KiB", "TFTP_MEMORY=2MiB")
	c, err := net.Dial("tcp", strings.TrimPrefix(w.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = io.WriteString(c, "PUT /in/acme/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+
		"Bearer "+w.token+"\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for range 2 { // and an empty line
		if line, err := answers.ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x"); code != http.StatusServiceUnavailable ||
		!strings.Contains(text, "try again") {
		t.Errorf("beside another one: %d %s", code, text)
	}
	if _, err := io.WriteString(c, "slow"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("the slow one: %d %s, %v", answer.StatusCode, text, err)
	}
	largest := strings.Repeat("x", 64<<10)
	for i, body := range []string{"x", largest} {
		if code, text := w.ask(t, "PUT", fmt.Sprintf("/in/acme/f%d", i), body); code !=
			http.StatusOK {
			t.Errorf("afterwards, %d bytes: %d %s", len(body), code, text)
		}
	}
	if code, text := w.ask(t, "PUT", "/in/acme/f2", largest+"x"); code !=
		http.StatusRequestEntityTooLarge {
		t.Errorf("a byte too much: %d %s", code, text)
	}
}
