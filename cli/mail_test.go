package cli

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/tftp"
)

// post is a mail server, chasquid, with a mailbox for each user.
type post struct {
	address, cert string
	boxes         string // a folder of mails, USER.*
	log           *logBuffer
}

// startPost starts a mail server of the domain example.net. Each user's password is hunter22.
func startPost(t *testing.T, users ...string) *post {
	t.Helper()
	program, util := debian(t, "chasquid"), debian(t, "chasquid-util")
	dir := t.TempDir()
	p := &post{address: freeAddress(t), cert: dir + "/certs/mail.example.net/fullchain.pem",
		boxes: dir + "/boxes", log: newLog()}
	for _, made := range []string{p.boxes, filepath.Dir(p.cert), dir + "/domains/example.net"} {
		if err := os.MkdirAll(made, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := certify(t, filepath.Dir(p.cert), 1)
	if err := errors.Join(os.Rename(cert, p.cert),
		os.Rename(key, filepath.Dir(p.cert)+"/privkey.pem")); err != nil {
		t.Fatal(err)
	}
	writeText(t, dir+"/chasquid.conf", fmt.Sprintf(`hostname: "mail.example.net"
data_dir: "%s/data"
mail_log_path: "%[1]s/log"
submission_address: %[2]q
mail_delivery_agent_bin: "/bin/sh"
mail_delivery_agent_args: "-c"
mail_delivery_agent_args: "cat > \"$(mktemp '%[3]s/%%to_user%%.XXXXXX')\""
`, dir, p.address, p.boxes))
	for _, user := range users {
		if said, ok := run(t, util, "-C="+dir, "user-add", user+"@example.net",
			"--password=hunter22"); !ok {
			t.Fatal(said)
		}
	}
	cmd := exec.Command(program, "-config_dir="+dir)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	p.log.wait(t, "Server listening on")
	return p
}

// freeAddress returns an address on which nobody listened a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// settings are those of a program that mails by a user of the server. The real chain of trust is
// used, so they are for a process of its own.
func (p *post) settings(url, user string) []string {
	return append(os.Environ(), childVariable+"=1", "DATABASE_URL="+url, "HTTP_ADDR=none",
		"SMTP_URL=smtp://"+user+"%40example.net:hunter22@"+p.address+"?tls=required",
		"MAIL_FROM=tftpsql <"+user+"@example.net>", "SSL_CERT_FILE="+p.cert, "TZ=UTC",
		"BASE_URL=https://backup.example.net")
}

// A letter is a mail as it lies in a mailbox.
type letter struct {
	netmail.Header
	text, html, whole string
}

// letters waits until a mailbox has so many mails, and returns them, oldest first.
func (p *post) letters(t *testing.T, user string, count int) (list []letter) {
	t.Helper()
	p.log.wait(t, fmt.Sprintf(`(?s)(%s@example.net sent.*?){%d}`, user, count))
	files, err := filepath.Glob(filepath.Join(p.boxes, user+".*"))
	if err != nil || len(files) != count {
		t.Fatal(files, err)
	}
	for _, file := range files {
		list = append(list, openLetter(t, readFile(t, file)))
	}
	slices.SortFunc(list, func(a, b letter) int {
		return strings.Compare(a.Get("Message-ID"), b.Get("Message-ID"))
	})
	return list
}

func openLetter(t *testing.T, whole string) letter {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	l := letter{Header: m.Header, whole: whole}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, to := range []*string{&l.text, &l.html} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		*to = strings.ReplaceAll(string(text), "\r\n", "\n")
		l.whole += *to
	}
	return l
}

// ciscoSwitch is a switch's configuration, with secrets.
func ciscoSwitch(by, vlan, community string) string {
	return "!\n! Last configuration change at 21:05:11 UTC Mon Nov 23 2026 by " + by + "\n!\n" +
		"version 17.9\nservice timestamps log datetime msec\nhostname sw1\n!\n" +
		"interface GigabitEthernet1/0/1\n description web\n switchport access vlan " + vlan +
		"\n switchport mode access\n!\nsnmp-server community " + community + " RO\n!\nend\n"
}

// TestAlarmMail is what a new user does: a channel, a test, and a change, whose difference comes by
// a real mail server, after a login under TLS. It takes the half minute of a batch.
func TestAlarmMail(t *testing.T) {
	mails := startPost(t, "sqlite", "postgres")
	everywhere(t, func(t *testing.T, url string) {
		user, _, _ := strings.Cut(url, ":") // the engine's
		if user != "sqlite" {
			user = "postgres"
		}
		environ := mails.settings(url, user)
		server, log := exec.Command(os.Args[0], "-p", "0", "--host", "127.0.0.1"), newLog()
		server.Env, server.Stderr = environ, log
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = server.Process.Kill()
			_ = server.Wait() // it was killed
		}()
		address := log.wait(t, `msg=listening address=(\S+)`)[1]
		command := func(args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
			cmd.Env = environ
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", args, err, out)
			}
			return string(out)
		}
		log.wait(t, `msg=database`)
		if said := command("alarm", "add", "noc", "mailto:"+user+"@example.net"); said != "added "+
			"noc, mailto:"+user+"@example.net; try it: tftpsql alarm test noc\n" {
			t.Errorf("add says %q", said)
		}
		if said := command("alarm", "test", "noc"); !strings.HasPrefix(said, "250 2.0.0 ") ||
			!strings.HasSuffix(said, "\nnoc has taken it\n") {
			t.Errorf("test says %q", said)
		}
		for _, body := range []string{ciscoSwitch("ada", "10", "S3cretA"),
			ciscoSwitch("ada", "20", "S3cretB")} {
			if err := (&tftp.Client{}).Put(t.Context(), address, "acme/sw1-confg",
				[]byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		log.wait(t, `msg="an alarm was taken" channel=noc kind=changed`)
		list := mails.letters(t, user, 3)
		checkLetters(t, list, log.String())
		if *updatePicture && user == "sqlite" {
			drawLetter(t, list[2].html)
		}
		said := command("deliveries")
		for _, l := range list[1:] {
			id := strings.TrimSuffix(strings.TrimPrefix(l.Get("Message-ID"), "<"), "@example.net>")
			if !strings.Contains(said, id) {
				t.Errorf("deliveries don't list %s:\n%s", id, said)
			}
		}
		if said := command("alarm", "list"); !strings.Contains(said, "  ok     20") {
			t.Errorf("the channel is not ok:\n%s", said)
		}
	})
}

// checkLetters: a test, a first configuration and a change, whose text is the guide's.
func checkLetters(t *testing.T, list []letter, log string) {
	t.Helper()
	for i, want := range []string{"a test of the channel noc",
		"acme/sw1: first configuration, by ada",
		"acme/sw1: +2 -2 in interface GigabitEthernet1/0/1, by ada"} {
		subject, err := new(mime.WordDecoder).DecodeHeader(list[i].Get("Subject"))
		if err != nil || subject != "[tftpsql] "+want {
			t.Errorf("subject %q, %v; not %q", subject, err, want)
		}
		if strings.Contains(list[i].whole, "S3cret") {
			t.Errorf("a secret: %s", list[i].whole)
		}
	}
	if got := list[2].text; !slices.Contains(blocks(pages(t)["docs/alarms.md"], "diff"), got) {
		t.Errorf("docs/alarms.md doesn't show the mail:\n%s", got)
	}
	if !strings.Contains(list[2].html, ">&#43; switchport access vlan 20</span>") {
		t.Errorf("HTML: %s", list[2].html)
	}
	if strings.Contains(log, "hunter22") {
		t.Errorf("the log has the password:\n%s", log)
	}
}

// drawLetter draws docs/mail.png.
func drawLetter(t *testing.T, html string) {
	t.Helper()
	page := filepath.Join(t.TempDir(), "mail.html")
	writeText(t, page, html)
	picture, err := filepath.Abs("docs/mail.png")
	if err != nil {
		t.Fatal(err)
	}
	if said, ok := run(t, "chromium", "--headless", "--no-sandbox", "--hide-scrollbars",
		"--disable-gpu", "--window-size=760,350", "--screenshot="+picture, page); !ok {
		t.Fatal(said)
	}
}
