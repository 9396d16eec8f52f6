package alarm_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
)

// A mailServer is a server of mail that answers as the test says.
type mailServer struct {
	address string
	said    chan string // each command
	mails   chan string // each mail
}

// serveMail starts a server. To a command it answers what script says, as it usually does where
// that is nothing, and by closing the connection where that is "close". The greeting is the answer
// to "", the answer to a mail that to ".".
func serveMail(t *testing.T, script func(command string) string) mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := mailServer{l.Addr().String(), make(chan string, 100), make(chan string, 10)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(textproto.NewConn(conn), script)
		}
	}()
	return s
}

func (s mailServer) serve(c *textproto.Conn, script func(string) string) {
	defer c.Close()
	answer := func(command, usual string) bool {
		if said := script(command); said != "" {
			usual = said
		}
		return usual != "close" && c.PrintfLine("%s", usual) == nil
	}
	if !answer("", "220 mail.example.net ESMTP") {
		return
	}
	for {
		command, err := c.ReadLine()
		if err != nil {
			return
		}
		s.said <- command
		verb, _, _ := strings.Cut(command, " ")
		usual := map[string]string{"EHLO": "250-mail.example.net\r\n250 AUTH PLAIN LOGIN",
			"DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome"}[verb]
		if usual == "" {
			usual = "250 ok"
		}
		if !answer(command, usual) {
			return
		}
		if command == "DATA" {
			if script(command) != "" {
				continue
			}
			body, err := io.ReadAll(c.DotReader())
			if err != nil {
				return
			}
			s.mails <- string(body)
			if !answer(".", "250 queued as 77") {
				return
			}
		}
	}
}

func usual(string) string { return "" }

// mailTo returns a channel to addresses by a server.
func mailTo(t *testing.T, server, to string, o alarm.Options) *alarm.Channel {
	t.Helper()
	m, err := alarm.ParseMail(server, "tftpsql <alarm@example.net>")
	if err != nil {
		t.Fatal(err)
	}
	o.Mail = m
	c, err := alarm.Parse("mailto:"+to, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A part is a part of a mail, decoded.
type part struct{ kind, file, text string }

// partsOf reads a mail as a mail reader does.
func partsOf(t *testing.T, mail string) (header netmail.Header, parts []part) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(mail))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(kind, encoding, file string, r io.Reader)
	walk = func(kind, encoding, file string, r io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(media, "multipart/") {
			for mr := multipart.NewReader(r, params["boundary"]); ; {
				p, err := mr.NextRawPart()
				if err == io.EOF {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				walk(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"),
					p.FileName(), p)
			}
		}
		switch encoding {
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{media, file, strings.ReplaceAll(string(text), "\r\n", "\n")})
	}
	walk(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
	return m.Header, parts
}

var boundary = regexp.MustCompile(`[0-9a-f]{60}`)

// TestMail: what a mail looks like, as it is sent and as it is read.
func TestMail(t *testing.T) {
	server := serveMail(t, usual)
	c := mailTo(t, "smtp://"+server.address, "noc@example.net,second@example.net",
		alarm.Options{})
	var out bytes.Buffer
	for _, m := range messages {
		for range 2 {
			r := c.Send(t.Context(), m)
			if r.Outcome != alarm.Taken || r.Answer != "250 queued as 77" {
				t.Fatalf("%+v", r)
			}
		}
		first, again := <-server.mails, <-server.mails
		first = boundary.ReplaceAllString(first, "BOUNDARY")
		if again = boundary.ReplaceAllString(again, "BOUNDARY"); first != again {
			t.Errorf("%s: the second attempt is another mail", m.ID)
		}
		header, parts := partsOf(t, first)
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n\u202e\x1b") ||
			!strings.HasPrefix(subject, "[tftpsql] ") {
			t.Errorf("subject %q, %v", subject, err)
		}
		date, err := header.Date()
		if err != nil || !date.Equal(when) || header.Get("Bcc") != "" ||
			header.Get("Message-ID") != "<"+m.ID+"@example.net>" ||
			header.Get("Auto-Submitted") != "auto-generated" ||
			(header.Get("In-Reply-To") == "") != (len(m.Devices) != 1) ||
			header.Get("References") != header.Get("In-Reply-To") {
			t.Errorf("%v, %v", header, err)
		}
		if len(parts) != 2 || parts[0].kind != "text/plain" || parts[1].kind != "text/html" ||
			strings.ContainsAny(parts[0].text+parts[1].text, "\u202e\x1b\r") ||
			strings.Contains(parts[1].text, "<script") ||
			strings.Contains(parts[0].text+parts[1].text, "javascript:") {
			t.Errorf("%+v", parts)
		}
		fmt.Fprintf(&out, "%s\n%s\n==\n\n", first, parts[1].text)
	}
	golden(t, "mail", out.Bytes())
}

// TestLongDiff: a difference of up to 64 KiB stands in the mail, a longer one is attached.
func TestLongDiff(t *testing.T) {
	server := serveMail(t, usual)
	c := mailTo(t, "smtp://"+server.address, "noc@example.net", alarm.Options{})
	for lines, attached := range map[int]bool{6000: false, 7000: true} {
		diff := strings.Repeat("+set a ä\n", lines)
		c.Send(t.Context(), alarm.Message{ID: "1", Kind: alarm.Changed, When: when, Diff: diff})
		_, parts := partsOf(t, <-server.mails)
		if !attached {
			if len(parts) != 2 || !strings.Contains(parts[0].text, diff) ||
				strings.Count(parts[1].text, "set a ä") != lines {
				t.Errorf("%d lines: %d parts", lines, len(parts))
			}
			continue
		}
		if len(parts) != 3 || parts[2].file != "changes.diff" || parts[2].text != diff ||
			parts[2].kind != "text/x-diff" || !strings.Contains(parts[0].text, "is attached") ||
			!strings.Contains(parts[1].text, "is attached") {
			t.Errorf("%d lines: %d parts, the last %.100q", lines, len(parts), parts[len(parts)-1])
		}
	}
}

// TestThread: the mails about one device, and no others, are one thread.
func TestThread(t *testing.T) {
	server := serveMail(t, usual)
	c := mailTo(t, "smtp://"+server.address, "noc@example.net", alarm.Options{})
	threads := map[string]int{}
	for _, ref := range []string{"acme/fw1", "acme/fw2", "acme/fw1"} {
		c.Send(t.Context(), alarm.Message{ID: "1", Kind: alarm.Torn, When: when,
			Devices: []alarm.Device{{Ref: ref}}})
		header, _ := partsOf(t, <-server.mails)
		threads[header.Get("References")]++
	}
	if len(threads) != 2 || threads[""] > 0 {
		t.Error(threads)
	}
}

// TestMailAnswers: what each answer of a server means for the message and its recipients.
func TestMailAnswers(t *testing.T) {
	const all = "a@example.net b@example.net"
	for _, c := range []struct {
		name, command, answer string
		outcome               alarm.Outcome
		left, rejected        string
	}{
		{"all well", "x", "x", alarm.Taken, "", ""},
		{"one refused", "RCPT TO:<a@example.net>", "550 5.1.1 no such user", alarm.Taken, "",
			"a@example.net"},
		{"one later", "RCPT TO:<b@example.net>", "451 4.7.1 greylisted", alarm.Later,
			"b@example.net", ""},
		{"all refused", "RCPT", "550 5.1.1 no such user", alarm.Refused, "", all},
		{"all later", "RCPT", "450 4.2.1 mailbox busy", alarm.Later, all, ""},
		{"the sender refused", "MAIL", "550 5.7.1 who are you", alarm.Later, "", ""},
		{"a login wanted", "MAIL", "530 5.7.0 log in", alarm.Later, "", ""},
		{"no room", "MAIL", "452 4.3.1 disk full", alarm.Later, "", ""},
		{"no data", "DATA", "554 5.5.1 no", alarm.Refused, "", all},
		{"the mail refused", ".", "554 5.7.1 spam", alarm.Refused, "", all},
		{"the mail later", ".", "451 4.3.0 later", alarm.Later, all, ""},
		{"gone after the mail", ".", "close", alarm.Later, all, ""},
		{"gone at QUIT", "QUIT", "close", alarm.Taken, "", ""},
		{"gone at first", "", "close", alarm.Later, "", ""},
		{"no service", "", "554 5.3.2 no service here", alarm.Later, "", ""},
		{"overloaded", "", "421 4.3.2 too many", alarm.Later, "", ""},
		{"no EHLO", "EHLO", "500 what", alarm.Taken, "", ""}, // HELO then
		{"no HELO", "E", "550 no", alarm.Taken, "", ""},
		{"shutting down", "RCPT", "421 4.3.2 shutting down", alarm.Later, all, ""},
		{"escapes", "RCPT", "550 \x1b[2J", alarm.Refused, "", all},
	} {
		server := serveMail(t, func(command string) string {
			if c.command == command || c.command != "" && strings.HasPrefix(command, c.command) {
				return c.answer
			}
			return ""
		})
		channel := mailTo(t, "smtp://"+server.address, strings.ReplaceAll(all, " ", ","),
			alarm.Options{})
		r := channel.Send(t.Context(), try)
		if r.Outcome != c.outcome || strings.Join(r.Left(), " ") != c.left ||
			strings.Join(r.Rejected(), " ") != c.rejected {
			t.Errorf("%s: %+v", c.name, r)
		}
		_, said, _ := strings.Cut(c.answer, " ")
		if c.outcome != alarm.Taken && (r.Reason == "" || c.answer != "close" &&
			!strings.Contains(r.Reason, strings.ReplaceAll(said, "\x1b", `\x1b`))) {
			t.Errorf("%s: the reason is %q", c.name, r.Reason)
		}
		if strings.ContainsRune(fmt.Sprint(r), '\x1b') {
			t.Errorf("%s: %q", c.name, r)
		}
	}
}

// TestMailAgain: who has the mail doesn't get it a second time when another takes it later.
func TestMailAgain(t *testing.T) {
	var grey atomic.Bool
	grey.Store(true)
	server := serveMail(t, func(command string) string {
		if command == "RCPT TO:<b@example.net>" && grey.Swap(false) {
			return "451 4.7.1 greylisted"
		}
		return ""
	})
	c := mailTo(t, "smtp://"+server.address, "a@example.net,b@example.net", alarm.Options{})
	m := try
	r := c.Send(t.Context(), m)
	if m.Only = r.Left(); r.Outcome != alarm.Later || !slices.Equal(m.Only,
		[]string{"b@example.net"}) {
		t.Fatalf("%+v", r)
	}
	if r = c.Send(t.Context(), m); r.Outcome != alarm.Taken || len(r.Recipients) != 1 {
		t.Fatalf("%+v", r)
	}
	first, second := <-server.mails, <-server.mails
	if boundary.ReplaceAllString(first, "") != boundary.ReplaceAllString(second, "") {
		t.Error("the recipients got different mails")
	}
	m.Only = []string{"c@example.net"} // it isn't of the channel any more
	if r = c.Send(t.Context(), m); r.Outcome != alarm.Refused || len(server.mails) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestSlowMail: a server that hangs, drips or never ends a line doesn't hold an attempt up.
func TestSlowMail(t *testing.T) {
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		reason string
	}{
		"hangs": {func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, "no answer in time"},
		"drips": {func(conn net.Conn) {
			for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
				if _, err := conn.Write([]byte("2")); err != nil {
					return
				}
			}
		}, "no answer in time"},
		"never ends a line": {func(conn net.Conn) {
			for w := bufio.NewWriter(conn); ; {
				if _, err := w.WriteString("220 hello "); err != nil {
					return
				}
			}
		}, "said over 256 KiB"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := l.Accept(); err == nil {
				c.serve(conn)
				conn.Close()
			}
		}()
		o := alarm.Options{Timeout: 10 * time.Second}
		if c.reason == "no answer in time" {
			o.Timeout = 200 * time.Millisecond
		}
		bounded(t, 5*time.Second, func() {
			r := mailTo(t, "smtp://"+l.Addr().String(), "a@example.net", o).Send(t.Context(), try)
			if r.Outcome != alarm.Later || !strings.Contains(r.Reason, c.reason) {
				t.Errorf("a server that %s: %+v", name, r)
			}
		})
		l.Close()
	}
	r := mailTo(t, "smtp://127.0.0.1:1", "a@example.net", alarm.Options{}).Send(t.Context(), try)
	if r.Outcome != alarm.Later || !strings.Contains(r.Reason, "127.0.0.1:1: connect") {
		t.Errorf("nobody listens: %+v", r)
	}
	c, err := alarm.Parse("mailto:a@example.net", alarm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Send(t.Context(), try); r.Outcome != alarm.Later || r.Reason == "" {
		t.Errorf("no server is set: %+v", r)
	}
}

// TestMailLogin: how a login goes, and that a password doesn't leave without TLS.
func TestMailLogin(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00u\x00hunter22"))
	for _, c := range []struct {
		query, offers, wrong string
		outcome              alarm.Outcome
		said                 string // the last command of login or STARTTLS
	}{
		{"", "250-x\r\n250 STARTTLS", "", alarm.Later, "STARTTLS"},
		{"?tls=none", "250-x\r\n250 STARTTLS", "", alarm.Later, ""},
		{"", "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "", alarm.Taken, "AUTH PLAIN " + plain},
		{"?tls=required", "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "", alarm.Later, "STARTTLS"},
		{"", "250-x\r\n250 AUTH PLAIN LOGIN", "", alarm.Taken, "AUTH PLAIN " + plain},
		{"", "250-x\r\n250 AUTH LOGIN", "", alarm.Later, "AUTH LOGIN"}, // it never asks for a name
		{"?auth=login", "250-x\r\n250 AUTH PLAIN", "", alarm.Later, "AUTH LOGIN"},
		{"?auth=xoauth2", "250-x\r\n250 AUTH XOAUTH2", "", alarm.Taken, "AUTH XOAUTH2 " +
			base64.StdEncoding.EncodeToString([]byte("user=u\x01auth=Bearer hunter22\x01\x01"))},
		{"", "250-x\r\n250 AUTH PLAIN", "535 5.7.8 wrong: " + plain + " hunter22", alarm.Later,
			"AUTH PLAIN " + plain},
		{"?tls=required", "250-x\r\n250 AUTH PLAIN", "", alarm.Later, ""},
	} {
		server := serveMail(t, func(command string) string {
			switch {
			case strings.HasPrefix(command, "EHLO"):
				return c.offers
			case strings.HasPrefix(command, "AUTH LOGIN"):
				return "535 5.7.8 not so"
			case strings.HasPrefix(command, "AUTH"):
				return c.wrong
			}
			return ""
		})
		channel := mailTo(t, "smtp://u:hunter22@"+server.address+c.query, "a@example.net",
			alarm.Options{})
		r := channel.Send(t.Context(), try)
		close(server.said)
		said := ""
		for command := range server.said {
			if strings.HasPrefix(command, "AUTH") || command == "STARTTLS" {
				said = command
			}
		}
		if r.Outcome != c.outcome || said != c.said {
			t.Errorf("%s, %s: %q, %+v", c.query, c.offers, said, r)
		}
		if all := fmt.Sprint(r); strings.Contains(all, "hunter22") || strings.Contains(all, plain) {
			t.Errorf("the password is shown: %s", all)
		}
	}
}
