package alarm_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
)

// debian finds a program of a Debian package that is installed, or that make deps has unpacked.
func debian(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = filepath.Abs("../.deps/usr/bin/" + name); err == nil {
			_, err = os.Stat(path)
		}
	}
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%v (make deps installs what the tests need)", err)
	} else if err != nil {
		t.Skipf("%v (make deps installs what the tests need)", err)
	}
	return path
}

// certificate writes a new certificate for 127.0.0.1 and its key to a folder.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1),
		Subject:   pkix.Name{CommonName: "mail.example.net"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/fullchain.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, dir+"/privkey.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY",
		Bytes: secret}))
	roots := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(cert)
	return roots
}

func put(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// free returns an address on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// chasquid is a running mail server of that name.
type chasquid struct {
	starttls, implicit string // addresses
	roots              *x509.CertPool
	delivered          string        // the folder of mails, a file a user
	done               chan struct{} // gets one when the queue has delivered a mail
}

func startChasquid(t *testing.T) chasquid {
	t.Helper()
	program, util := debian(t, "chasquid"), debian(t, "chasquid-util")
	dir := t.TempDir()
	c := chasquid{free(t), free(t), certificate(t, dir+"/conf/certs/mail.example.net"),
		dir + "/mails", make(chan struct{}, 10)}
	for _, made := range []string{c.delivered, dir + "/conf/domains/example.net"} {
		if err := os.MkdirAll(made, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir+"/conf/chasquid.conf", fmt.Appendf(nil, `hostname: "mail.example.net"
data_dir: %q
mail_log_path: %q
submission_address: %q
submission_over_tls_address: %q
mail_delivery_agent_bin: "/bin/sh"
mail_delivery_agent_args: "-c"
mail_delivery_agent_args: "cat > '%s/%%to_user%%'"
`, dir+"/data", dir+"/log", c.starttls, c.implicit, c.delivered))
	out, err := exec.Command(util, "-C="+dir+"/conf", "user-add", "noc@example.net",
		"--password=hunter22").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	cmd := exec.Command(program, "-config_dir="+dir+"/conf")
	said, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{}, 2)
	go func() {
		for s := bufio.NewScanner(said); s.Scan(); {
			if strings.Contains(s.Text(), "Server listening on") {
				ready <- struct{}{}
			} else if strings.Contains(s.Text(), "all done") {
				c.done <- struct{}{}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		w.Close()
	})
	wait(t, ready)
	wait(t, ready)
	return c
}

func wait(t *testing.T, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(20 * time.Second):
		t.Fatal("the mail server doesn't get on")
	}
}

// TestChasquid: a real mail server takes a mail by STARTTLS and by TLS, after a login, and delivers
// it; it refuses one of two recipients, a wrong password and, to us, its certificate.
func TestChasquid(t *testing.T) {
	server := startChasquid(t)
	for _, c := range []struct {
		url, to string
		roots   *x509.CertPool
		outcome alarm.Outcome
		reason  string
	}{
		{"smtp://noc%40example.net:hunter22@" + server.starttls + "?tls=required",
			"noc@example.net", server.roots, alarm.Taken, ""},
		{"smtps://noc%40example.net:hunter22@" + server.implicit, "noc@example.net", server.roots,
			alarm.Taken, ""},
		{"smtps://noc%40example.net:hunter22@" + server.implicit + "?auth=plain",
			"nobody@example.net,noc@example.net", server.roots, alarm.Taken, "5.1.1"},
		{"smtps://noc%40example.net:hunter22@" + server.implicit, "nobody@example.net",
			server.roots, alarm.Refused, "5.1.1"},
		{"smtps://noc%40example.net:wrong@" + server.implicit, "noc@example.net", server.roots,
			alarm.Later, "login: 535"},
		{"smtp://" + server.starttls, "noc@example.net", nil, alarm.Later, "MAIL FROM"},
		{"smtp://noc%40example.net:hunter22@" + server.starttls + "?tls=required",
			"noc@example.net", nil, alarm.Later, "STARTTLS: tls: failed to verify certificate"},
		{"smtps://noc%40example.net:hunter22@" + server.implicit, "noc@example.net", nil,
			alarm.Later, "failed to verify certificate"},
	} {
		m, err := alarm.ParseMail(c.url, "noc@example.net")
		if err != nil {
			t.Fatal(err)
		}
		channel, err := alarm.Parse("mailto:"+c.to, alarm.Options{Mail: m, Roots: c.roots})
		if err != nil {
			t.Fatal(err)
		}
		r := channel.Send(t.Context(), messages[4]) // with every odd character
		if r.Outcome != c.outcome || !strings.Contains(fmt.Sprint(r), c.reason) {
			t.Errorf("%s to %s: %+v", m, c.to, r)
		}
		if r.Outcome != alarm.Taken {
			continue
		}
		wait(t, server.done)
		mail, err := os.ReadFile(server.delivered + "/noc")
		if err != nil {
			t.Fatal(err)
		}
		header, parts := partsOf(t, string(mail))
		if header.Get("Message-ID") != "<"+messages[4].ID+"@example.net>" || len(parts) != 2 ||
			!strings.Contains(parts[0].text, "+<!here> @here </pre><script>\\xe2\\x80\\xae") ||
			!strings.Contains(header.Get("Received"), "ESMTPSA") {
			t.Errorf("%s delivered %s", m, mail)
		}
		if err := os.Remove(server.delivered + "/noc"); err != nil {
			t.Fatal(err)
		}
	}
}
