package alarm

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A webhook is signed as standardwebhooks.com has it. Its body is an Event.

const (
	secretPrefix = "whsec_"
	// The bounds of a secret, in bytes, are the standard's.
	minKey, maxKey = 24, 64
)

// NewSecret returns a new secret for a webhook.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// CheckSecret returns what is wrong with the secret of a webhook, or with two of them.
func CheckSecret(secret string) error {
	_, err := keys(secret)
	return err
}

func keys(secret string) (list [][]byte, err error) {
	words := strings.Fields(secret)
	if len(words) == 0 {
		return nil, errors.New("a webhook needs a secret, which signs its messages")
	}
	if len(words) > 2 {
		return nil, errors.New("a webhook has one secret, or two while the receiver changes")
	}
	for _, word := range words {
		text, ok := strings.CutPrefix(word, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
			return nil, fmt.Errorf("a webhook's secret is %s and %d to %d bytes as base64",
				secretPrefix, minKey, maxKey)
		}
		list = append(list, key)
	}
	return list, nil
}

// sign adds the headers of an attempt. The time is the attempt's: receivers refuse old ones, so
// that nobody can repeat a message that he has recorded.
func sign(h http.Header, key []byte, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	if before := h.Get("webhook-timestamp"); before != "" {
		stamp = before // the second signature is of the same message
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if before := h.Get("webhook-signature"); before != "" {
		signature = before + " " + signature
	}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", signature)
}

// parseWebhook shows the URL, but for what may be secret: a password, the query's values, and long
// parts of the path.
func parseWebhook(c *Channel, u *url.URL) (string, error) {
	var err error
	if c.signers, err = keys(c.options.Secret); err != nil {
		return "", err
	}
	c.secret(strings.Fields(c.options.Secret)...)
	c.secretQuery(u)
	shown := u.Scheme + "://"
	if u.User != nil {
		password, set := u.User.Password()
		c.login(u.User.Username(), password)
		user := url.PathEscape(u.User.Username())
		if !set { // a user alone is a token
			c.secret(u.User.Username())
			user = masked
		} else {
			user += ":" + masked
		}
		shown += user + "@"
		u.User = nil
	}
	shown += u.Host
	for i, segment := range strings.Split(u.EscapedPath(), "/") {
		if i > 0 {
			shown += "/"
		}
		if len(segment) >= minSecret {
			c.secret(segment)
			segment = masked
		}
		shown += segment
	}
	if u.RawQuery != "" {
		shown += "?" + masked
	}
	return shown, nil
}

// An Event is the body of a webhook. Texts are printable; what isn't known is left out.
type Event struct {
	Type      string    `json:"type"`      // "tftpsql." and the kind
	Timestamp time.Time `json:"timestamp"` // when it happened
	Data      EventData `json:"data"`
}

// EventData is what has happened.
type EventData struct {
	ID       string        `json:"id"`    // as in the header webhook-id
	Alarm    string        `json:"alarm"` // what is wrong; the same when it is resolved
	Kind     Kind          `json:"kind"`
	Severity string        `json:"severity"` // info, warning, error or critical
	Resolved bool          `json:"resolved"`
	Title    string        `json:"title"`
	Text     string        `json:"text,omitempty"`
	Site     string        `json:"site,omitempty"`
	Devices  []EventDevice `json:"devices"`
	More     int           `json:"more"` // devices beyond the 200 that are listed
	Diff     string        `json:"diff,omitempty"`
	DiffCut  bool          `json:"diff_cut"` // the difference is longer than 64 KiB
	Link     string        `json:"link,omitempty"`
}

// EventDevice is a device that an event is about.
type EventDevice struct {
	Ref      string     `json:"ref"`
	Platform string     `json:"platform,omitempty"`
	Added    int        `json:"added"`
	Removed  int        `json:"removed"`
	Blocks   []string   `json:"blocks,omitempty"` // 20 at most
	By       string     `json:"by,omitempty"`
	From     int64      `json:"from,omitempty"` // the capture before
	To       int64      `json:"to,omitempty"`   // the capture
	Since    *time.Time `json:"since,omitempty"`
	SilentS  int64      `json:"silent_s,omitempty"`
	Missed   int        `json:"missed,omitempty"`
	Source   string     `json:"source,omitempty"`
	Detail   string     `json:"detail,omitempty"`
	Link     string     `json:"link,omitempty"`
}

func webhookBody(_ *Channel, t told, _ int) any {
	data := EventData{ID: t.ID, Alarm: t.alarm(), Kind: t.Kind, Severity: string(t.severity()),
		Resolved: t.Resolved, Title: t.title, Text: t.Text, Site: t.Site, Link: t.Link,
		Devices: []EventDevice{}, More: t.count - len(t.Devices),
		Diff: cutLines(t.Diff, MaxDiff), DiffCut: len(t.Diff) > MaxDiff}
	for _, d := range t.Devices {
		e := EventDevice{Ref: d.Ref, Platform: d.Platform, Added: d.Added, Removed: d.Removed,
			Blocks: d.Blocks[:min(len(d.Blocks), maxBlocksInFull)], By: d.By, From: d.From,
			To: d.To, SilentS: int64(d.Silent / time.Second), Missed: d.Missed,
			Source: d.Source, Detail: d.Detail, Link: d.Link}
		if !d.Since.IsZero() {
			since := d.Since.UTC()
			e.Since = &since
		}
		data.Devices = append(data.Devices, e)
	}
	return Event{"tftpsql." + string(t.Kind), t.When.UTC(), data}
}

// alarm is the key of what is wrong.
func (t told) alarm() string {
	if t.Alarm != "" {
		return t.Alarm
	}
	return t.ID
}

// severity is how much a message matters; that something is over is information.
func (t told) severity() severity {
	if t.Resolved {
		return info
	}
	return kinds[t.Kind].severity
}
