package alarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// Mail is the server that takes mails, and whose they are. An operator sets it, so it may be on
// this machine whatever Options.Private says.
type Mail struct {
	host, address  string // address has the port
	user, password string
	implicit       bool   // TLS from the first byte
	tls            string // none, starttls or required
	auth           string // login, plain, xoauth2; empty to take what the server offers
	from           *netmail.Address
}

const (
	smtpTimeout = 30 * time.Second // of an attempt, from the name's resolution to QUIT

	// maxSMTP is how many bytes a server may say: a server that never ends a line is cut off.
	maxSMTP = 256 << 10
)

// ParseMail reads the setting of a mail server, and the sender, "noc@example.net" or "tftpsql
// <noc@example.net>":
//
//	smtp://[USER:PASSWORD@]HOST[:587]    TLS by STARTTLS
//	smtps://[USER:PASSWORD@]HOST[:465]   TLS from the first byte
//
// ?tls=starttls, the default, uses STARTTLS where the server offers it, and needs it for a
// password. A server on this machine rarely has a certificate that can be verified, so there it is
// used only if the server wants it before a login. ?tls=required always needs it, ?tls=none never
// uses it and sends a password to this machine alone. ?auth=login, plain or xoauth2 (the password
// is the token) says how to log in; else it is PLAIN or LOGIN, as the server offers. Errors hold no
// secret.
func ParseMail(server, from string) (*Mail, error) {
	u, err := url.Parse(server)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "smtp" &&
		u.Scheme != "smtps" {
		return nil, errors.New("no mail server: write smtp://user:password@host:587, or smtps://")
	}
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return nil, errors.New(
			"the mail server's URL has more after the host than ?tls= and ?auth=")
	}
	m := &Mail{host: u.Hostname(), implicit: u.Scheme == "smtps", tls: "starttls"}
	port := u.Port()
	if port == "" && m.implicit {
		port = "465"
	} else if port == "" {
		port = "587"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("the mail server's port is %s, not 1 to 65535", port)
	}
	m.address = net.JoinHostPort(m.host, port)
	m.user = u.User.Username()
	m.password, _ = u.User.Password()
	if m.user != "" && m.password == "" {
		return nil, errors.New("the mail server's URL has a user without password")
	}
	for word, values := range u.Query() {
		switch v := values[0]; {
		case word == "tls" && slices.Contains([]string{"none", "starttls", "required"}, v):
			m.tls = v
		case word == "auth" && slices.Contains([]string{"login", "plain", "xoauth2"}, v):
			m.auth = v
		default:
			return nil, errors.New("the mail server's URL takes ?tls=none, starttls or required, " +
				"and ?auth=login, plain or xoauth2")
		}
	}
	if m.password != "" && m.tls == "none" && !m.implicit && !m.local() {
		return nil, errors.New("?tls=none would send the password in plain text")
	}
	if m.from, err = netmail.ParseAddress(from); err != nil || len(from) > 2*maxWord {
		return nil, fmt.Errorf("%q is no sender: write noc@example.net", line(from, maxWord))
	}
	return m, nil
}

// String returns the server's URL without its password.
func (m *Mail) String() string {
	scheme, user := "smtp://", ""
	if m.implicit {
		scheme = "smtps://"
	}
	if m.user != "" {
		user = url.PathEscape(m.user) + ":" + masked + "@"
	}
	return scheme + user + m.address
}

// local reports whether the server is on this machine.
func (m *Mail) local() bool {
	ip, err := netip.ParseAddr(m.host)
	return m.host == "localhost" || err == nil && ip.IsLoopback()
}

var errNoMail = errors.New("no mail server is set: SMTP_URL and MAIL_FROM name it and the sender")

// mail makes one attempt by SMTP.
func (c *Channel) mail(ctx context.Context, t told) Result {
	if c.options.Mail == nil {
		return c.later("%v", errNoMail)
	}
	to := c.to
	if len(t.Only) > 0 {
		to = slices.DeleteFunc(slices.Clone(c.to), func(a string) bool {
			return !slices.Contains(t.Only, a)
		})
	}
	if len(to) == 0 { // they have been taken from the channel meanwhile
		return c.result(Refused, "the channel has none of the recipients any more", "")
	}
	body, err := t.compose(c.options.Mail.from, c.to)
	if err != nil {
		return c.result(Refused, "the mail can't be made: "+err.Error(), "")
	}
	timeout := c.options.Timeout
	if timeout == 0 {
		timeout = smtpTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, step, err := c.options.Mail.login(ctx, c.options.Roots)
	if err != nil {
		// It concerns the connection or the settings and not the message, whatever the code says.
		return c.mailResult(ctx, Later, step, err)
	}
	defer s.close()
	if err := s.Mail("<" + c.options.Mail.from.Address + ">"); err != nil {
		return c.mailResult(ctx, Later, "MAIL FROM", err) // the sender is a setting too
	}
	r := c.offer(s, to)
	if len(r.with(Taken)) == 0 {
		_ = s.Quit()
		return c.explain(r)
	}
	answer, err := s.write(body)
	if err != nil {
		failed := c.mailResult(ctx, verdict(err), "DATA", err)
		for i, to := range r.Recipients {
			if to.Outcome == Taken {
				r.Recipients[i].Outcome, r.Recipients[i].Reason = failed.Outcome, failed.Reason
			}
		}
		return c.explain(r)
	}
	_ = s.Quit() // the server has taken the mail, whatever it says now
	r.Answer = c.result(Taken, "", "250 "+answer).Answer
	return c.explain(r)
}

// offer names the recipients. Those that the server accepts are Taken.
func (c *Channel) offer(s *session, to []string) (r Result) {
	for _, address := range to {
		recipient := Recipient{Address: address}
		if err := s.Rcpt("<" + address + ">"); err != nil {
			recipient.Outcome = verdict(err)
			recipient.Reason = c.result(0, said(err), "").Reason
		}
		r.Recipients = append(r.Recipients, recipient)
	}
	return r
}

// explain makes one outcome of those of the recipients: Later if one may take the mail later, else
// Taken if one has, else Refused.
func (c *Channel) explain(r Result) Result {
	var reasons []string
	for _, to := range r.Recipients {
		if to.Reason != "" {
			reasons = append(reasons, to.Address+": "+to.Reason)
		}
	}
	switch {
	case len(r.with(Later)) > 0:
		r.Outcome = Later
	case len(r.with(Taken)) > 0:
		r.Outcome = Taken
	default:
		r.Outcome = Refused
	}
	told := c.result(r.Outcome, strings.Join(reasons, "; "), strings.Join(append(reasons,
		r.Answer), "\n"))
	r.Answer = told.Answer
	if r.Outcome != Taken {
		r.Reason = told.Reason
	}
	return r
}

// mailResult is the result of an attempt that failed before the recipients were named.
func (c *Channel) mailResult(ctx context.Context, o Outcome, step string, err error) Result {
	why := said(err)
	if ctx.Err() != nil {
		why = "no answer in time"
	}
	return c.result(o, c.options.Mail.address+": "+step+": "+why, why)
}

// said is an answer as the server gave it, or another error's text.
func said(err error) string {
	var answer *textproto.Error
	if errors.As(err, &answer) { // its own text has quotes
		return fmt.Sprintf("%d %s", answer.Code, answer.Msg)
	}
	return err.Error()
}

// verdict is what an answer of the server means for a message: 5xx is for good, but for 530, which
// asks for a login.
func verdict(err error) Outcome {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code/100 == 5 && answer.Code != 530 {
		return Refused
	}
	return Later
}

// A session is a connection to a mail server.
type session struct {
	*smtp.Client
	close func()
}

// write sends the mail itself and returns what the server answered.
func (s *session) write(body []byte) (answer string, err error) {
	w, err := s.Data()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if d, ok := w.(*smtp.DataCloser); ok {
		answer = d.ServerResponse()
	}
	return answer, nil
}

// boundedConn ends a connection on which the server says too much.
type boundedConn struct {
	net.Conn
	left int
}

func (b *boundedConn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the server said over %d KiB", maxSMTP>>10)
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// login connects, greets, encrypts and logs in. Where it fails it says at which step.
func (m *Mail) login(ctx context.Context, roots *x509.CertPool) (s *session, step string,
	err error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", m.address)
	if err != nil {
		return nil, "connect", err
	}
	// No deadline of its own: where a read fails by this, ctx says that the time was over.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	end := func() { stop(); _ = raw.Close() }
	defer func() {
		if err != nil {
			end()
		}
	}()
	config := &tls.Config{ServerName: m.host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	var conn net.Conn = &boundedConn{raw, maxSMTP}
	if m.implicit {
		conn = tls.Client(conn, config)
	}
	client, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return nil, "greeting", err
	}
	if err := client.Hello(helloName()); err != nil {
		return nil, "EHLO", err
	}
	offered, _ := client.Extension("STARTTLS")
	plain, _ := client.Extension("AUTH") // some servers offer it after STARTTLS alone
	switch {
	case m.implicit || m.tls == "none":
	case offered && (m.tls == "required" || !m.local() || m.user != "" && !plain):
		if err := client.StartTLS(config); err != nil {
			return nil, "STARTTLS", err
		}
	case m.tls == "required" || m.password != "" && !m.local():
		return nil, "STARTTLS", errors.New("the server doesn't offer it")
	}
	if m.user != "" {
		if ok, _ := client.Extension("AUTH"); !ok {
			return nil, "login", errors.New("the server doesn't offer it")
		}
		if err := client.Auth(m.method(client)); err != nil {
			return nil, "login", err
		}
	}
	return &session{client, end}, "", nil
}

// method is how to log in.
func (m *Mail) method(client *smtp.Client) smtp.Auth {
	_, offered := client.Extension("AUTH")
	words := strings.Fields(strings.ToUpper(offered))
	switch {
	case m.auth == "xoauth2":
		return smtp.XOAuth2Auth(m.user, m.password)
	case m.auth == "login", m.auth == "" && slices.Contains(words, "LOGIN") &&
		!slices.Contains(words, "PLAIN"):
		return smtp.LoginAuth(m.user, m.password, m.host, m.local())
	}
	return smtp.PlainAuth("", m.user, m.password, m.host, m.local())
}

var hostForm = expression(`^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$`)

// helloName is how this machine calls itself.
func helloName() string {
	if name, err := os.Hostname(); err == nil && hostForm().MatchString(name) {
		return name
	}
	return "localhost"
}
