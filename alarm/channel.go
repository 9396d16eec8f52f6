package alarm

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are what channels need besides their URLs.
type Options struct {
	Version string // of this program, for User-Agent
	// Secret signs webhooks: whsec_ and base64, as NewSecret makes it. Two of them, separated by a
	// blank, sign each message twice while a receiver changes to the new one.
	Secret string
	// Private allows targets on this machine and its links, and http without TLS.
	Private bool
	// Mail is the server that mailto: needs; nil for none.
	Mail *Mail
	// Timeout bounds an attempt; 0 for 10 s by HTTP and 30 s by SMTP.
	Timeout time.Duration
	// Roots are the authorities that sign receivers' certificates; nil for the system's.
	Roots *x509.CertPool
	// Proxy is where HTTP requests go, and what connects to the targets then; nil for none. The
	// variables HTTP_PROXY and HTTPS_PROXY are not read: an alarm must not take a way that nobody
	// chose for it.
	Proxy *url.URL
}

// A Channel is a receiver and how to reach it. Its methods are safe for concurrent use.
type Channel struct {
	options Options // it holds secrets, so no log and no JSON may see it
	service service
	target  *url.URL // where requests go; nil for mail
	header  http.Header
	signers [][]byte // keys of a webhook
	key     string   // what a body has to name: a topic, a routing key
	to      []string // recipients of mail
	mask    string
	secrets []string // they are shown nowhere
}

// A service is a kind of receiver.
type service struct {
	// parse takes target, header and secrets from the URL and returns the URL as it may be shown.
	parse func(*Channel, *url.URL) (shown string, err error)
	// body makes the request's JSON with so many bytes for texts of free length.
	body func(c *Channel, t told, room int) any
	// limit is how many bytes the receiver takes, room the texts' share that is tried first.
	limit, room int
}

// services are the receivers that speak HTTP, by the scheme's first part.
var services = map[string]service{
	"":          {parseWebhook, webhookBody, 4 << 20, 0},
	"slack":     {parseHidden, slackBody, 40_000, maxSlackText},
	"teams":     {parseHidden, teamsBody, 28_000, 16_000},
	"discord":   {parseHidden, discordBody, 16_000, maxDiscordText},
	"ntfy":      {parseNtfy, ntfyBody, maxNtfyRequest, maxNtfyText},
	"gotify":    {parseGotify, gotifyBody, 256 << 10, 32 << 10},
	"pagerduty": {parsePagerDuty, pagerDutyBody, 512_000, MaxDiff},
}

const (
	masked        = "***"
	maxURL        = 2048
	maxRecipients = 20
)

// Parse reads the URL of a channel:
//
//	mailto:noc@example.net,second@example.net
//	https://host/path                  a webhook as standardwebhooks.com has it
//	slack+https://hooks.slack.com/...  likewise teams+https (Workflows) and discord+https
//	ntfy+https://TOKEN@host/topic      or user:password@, or nothing
//	gotify+https://TOKEN@host          or ?token=TOKEN
//	pagerduty:ROUTINGKEY               or pagerduty+https://host/ROUTINGKEY: Europe, a relay
//
// With Options.Private http instead of https is taken too. Errors hold no secret.
func Parse(text string, o Options) (*Channel, error) {
	c := &Channel{options: o, header: http.Header{}}
	shown, err := c.parse(text)
	if err != nil {
		return nil, err
	}
	c.mask = shown
	slices.SortFunc(c.secrets, func(a, b string) int { return len(b) - len(a) })
	return c, nil
}

// Schemes returns what the URLs of channels begin with.
func Schemes() []string {
	list := []string{"mailto", "https", "pagerduty"}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if name != "" {
			list = append(list, name+"+https")
		}
	}
	return list
}

// Signed reports whether the URL is that of a webhook, whose messages a secret signs.
func Signed(text string) bool {
	return strings.HasPrefix(text, "https:") || strings.HasPrefix(text, "http:")
}

// chats are receivers that take messages of their own form alone, by their host.
var chats = map[string]string{"hooks.slack.com": "slack", "discord.com": "discord",
	"discordapp.com": "discord", "ntfy.sh": "ntfy", pagerDutyHost: "pagerduty"}

// CheckScheme returns what to write where a URL has the scheme of a webhook and the host of a
// receiver that refuses one.
func CheckScheme(text string) error {
	if !Signed(text) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil // Parse says what is wrong
	}
	name := chats[strings.ToLower(u.Hostname())]
	if name == "" {
		return nil
	}
	return fmt.Errorf("%s takes messages of its own form: write %s+ before the URL", u.Hostname(),
		name)
}

// Mask returns the URL of a channel without what is secret in it, for lists and logs.
func Mask(text string) string {
	c := &Channel{options: Options{Private: true, Secret: NewSecret()}, header: http.Header{}}
	shown, err := c.parse(text)
	if err != nil {
		scheme, _, _ := strings.Cut(text, ":")
		return line(cut(scheme, 20)+":"+masked, maxURL)
	}
	return shown
}

// String returns the URL without what is secret in it.
func (c *Channel) String() string { return c.mask }

// Single reports whether the receiver keeps one state for each key, as PagerDuty does: it needs a
// message for each device, so that back can close what overdue has opened.
func (c *Channel) Single() bool { return Single(c.mask) }

// Single reports whether the channel of a URL is a single one.
func Single(text string) bool { return strings.HasPrefix(text, "pagerduty") }

// reachLimit bounds an attempt to reach a receiver: a person waits for it.
const reachLimit = 5 * time.Second

// Reach returns why nothing answers at the receiver's address, or nil. It sends nothing.
func (c *Channel) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	var dialer net.Dialer
	address := ""
	switch {
	case c.to != nil && c.options.Mail == nil:
		return errNoMail
	case c.to != nil:
		address = c.options.Mail.address
	default:
		address = net.JoinHostPort(c.target.Hostname(), cmp.Or(c.target.Port(),
			map[string]string{"http": "80"}[c.target.Scheme], "443"))
		if !c.options.Private {
			dialer.Control = checkDial
		}
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return c.later("%v", err).Err()
	}
	return conn.Close()
}

// Send makes one attempt to send a message. It takes no longer than Options.Timeout.
func (c *Channel) Send(ctx context.Context, m Message) Result {
	if err := m.Check(); err != nil {
		return c.result(Refused, err.Error(), "")
	}
	if c.to != nil {
		return c.mail(ctx, tell(m))
	}
	return c.post(ctx, tell(m))
}

func (c *Channel) parse(text string) (shown string, err error) {
	if len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~'
	}) {
		return "", fmt.Errorf("no URL: up to %d characters of ASCII, without blanks", maxURL)
	}
	if list, ok := strings.CutPrefix(text, "mailto:"); ok {
		if c.to, err = parseRecipients(list); err != nil {
			return "", err
		}
		if m := c.options.Mail; m != nil {
			c.secret(m.password, encoded(m.password), encoded("\x00"+m.user+"\x00"+m.password))
		}
		return "mailto:" + strings.Join(c.to, ","), nil
	}
	if key, ok := strings.CutPrefix(text, "pagerduty:"); ok && !strings.HasPrefix(key, "//") {
		text = "pagerduty+https://" + pagerDutyHost + "/" + key
	}
	u, err := url.Parse(text)
	if err != nil {
		var bad *url.Error // it repeats the URL
		if errors.As(err, &bad) {
			return "", errors.New("no URL of a channel: its host, port or %XX is malformed")
		}
		return "", errors.New("no URL of a channel")
	}
	name, transport, both := strings.Cut(u.Scheme, "+")
	if !both {
		name, transport = "", u.Scheme
	}
	s, known := services[name]
	if !known || transport != "https" && transport != "http" {
		return "", fmt.Errorf("%q is no kind of channel: %s", cut(u.Scheme, 20),
			strings.Join(Schemes(), ", "))
	}
	u.Scheme = transport
	if err := c.allows(u); err != nil {
		return "", err
	}
	c.service, c.target = s, u
	if shown, err = s.parse(c, u); err != nil {
		return "", err
	}
	if both {
		shown = name + "+" + shown
	}
	return shown, nil
}

// allows returns why a target is none. What a name stands for is looked at when connecting.
func (c *Channel) allows(u *url.URL) error {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "" || u.Opaque != "" {
		return errors.New("the URL names no host")
	}
	if u.Fragment != "" {
		return errors.New("the URL has a #, which no server gets")
	}
	if c.options.Private {
		return nil
	}
	if u.Scheme == "http" {
		return errors.New("http without TLS is not allowed: write https, or set ALARM_PRIVATE=1")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return errors.New("localhost is this machine: ALARM_PRIVATE=1 allows it as a target")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return allowed(ip)
	}
	return nil
}

// secret remembers a text that must not be shown.
func (c *Channel) secret(texts ...string) {
	for _, s := range texts {
		if len(s) >= 4 { // hiding less would make the rest unreadable
			c.secrets = append(c.secrets, s)
		}
	}
}

// encoded is how a password travels; a receiver may repeat that too.
func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// login makes the header of a user and a password.
func (c *Channel) login(user, password string) {
	c.secret(password, encoded(user+":"+password))
	c.header.Set("Authorization", "Basic "+encoded(user+":"+password))
}

// base is a URL without user and query, as it may be shown before a path.
func base(u *url.URL) string { return u.Scheme + "://" + u.Host }

// parseHidden is for receivers to whom anyone can write that knows the URL.
func parseHidden(c *Channel, u *url.URL) (string, error) {
	if u.User != nil {
		return "", errors.New("the URL has a user, which this receiver doesn't know")
	}
	path := strings.Trim(u.EscapedPath(), "/")
	if path == "" {
		return "", errors.New("the URL has no path: copy the whole address of the webhook")
	}
	c.secret(path, u.RawQuery)
	for _, segment := range strings.Split(path, "/") {
		if len(segment) >= minSecret {
			c.secret(segment)
		}
	}
	c.secretQuery(u)
	return base(u) + "/" + masked, nil
}

// minSecret is how long a part of a path is, in bytes, that may be a secret.
const minSecret = 16

func (c *Channel) secretQuery(u *url.URL) {
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= 8 {
				c.secret(v, url.QueryEscape(v))
			}
		}
	}
}

// takeToken takes a token from the URL: as its user or password, or as the value of a word of the
// query. The URL keeps neither.
func (c *Channel) takeToken(u *url.URL, word string) (user, token string) {
	if u.User != nil {
		user = u.User.Username()
		token, _ = u.User.Password()
		if token == "" {
			user, token = "", user
		}
	}
	if q := u.Query(); q.Has(word) {
		token = q.Get(word)
		q.Del(word)
		u.RawQuery = q.Encode()
	}
	u.User = nil
	c.secret(token, url.QueryEscape(token), url.PathEscape(token))
	return user, token
}

// expression returns what compiles an expression when it is first needed: a start doesn't wait for
// it.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
