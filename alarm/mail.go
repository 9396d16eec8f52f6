package alarm

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	netmail "net/mail"
	"strings"
	"sync"

	"github.com/wneessen/go-mail"
)

// parseRecipients reads the addresses of mailto:, separated by commas.
func parseRecipients(list string) (to []string, err error) {
	if strings.ContainsAny(list, "?%") {
		return nil, errors.New("mailto: write addresses alone, without ? and %")
	}
	for _, address := range strings.Split(list, ",") {
		a, err := netmail.ParseAddress(address)
		if err != nil || a.Address != address || a.Name != "" || len(address) > maxWord {
			return nil, fmt.Errorf("mailto: %q is no address: write noc@example.net", address)
		}
		to = append(to, address)
	}
	if len(to) > maxRecipients {
		return nil, fmt.Errorf("mailto: %d addresses: %d at most, more need a list at the server",
			len(to), maxRecipients)
	}
	return to, nil
}

//go:embed mail.html
var mailHTML string

// mailPage is parsed when the first mail is sent, which takes longer than a start should.
var mailPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("mail").Parse(mailHTML))
})

// mailText is the mail as plain text.
func (t told) mailText() string {
	var parts []string
	if t.Text != "" {
		parts = append(parts, t.Text)
	}
	if len(t.about) > 0 {
		parts = append(parts, t.list(listedInFull, 1<<20, plain))
	}
	if len(parts) == 0 {
		parts = append(parts, strings.TrimPrefix(t.title, "[tftpsql] "))
	}
	if t.Link != "" {
		parts = append(parts, t.Link)
	}
	if t.Diff != "" && !t.attaches() {
		parts = append(parts, t.Diff)
	} else if t.Diff != "" {
		parts = append(parts, "The difference is attached.")
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// attaches reports whether the difference is too long to stand in a mail's text.
func (t told) attaches() bool { return len(t.Diff) > MaxDiff }

// mailData is what mail.html shows.
type mailData struct {
	Title, Text, Link string
	Devices           []mailDevice
	More              int
	Diff              []mailLine
	Attached          bool
}

// A mailDevice is a device's line; Rest is what follows its name.
type mailDevice struct{ Ref, Rest, Link string }

// A mailLine is a line of a difference. Op is what it begins with.
type mailLine struct{ Op, Text string }

func (t told) mailPage() (string, error) {
	data := mailData{Title: strings.TrimPrefix(t.title, "[tftpsql] "), Text: t.Text, Link: t.Link,
		More: t.count - len(t.Devices), Attached: t.attaches()}
	for i, d := range t.Devices {
		rest, found := strings.CutPrefix(t.about[i], d.Ref)
		if !found {
			rest = ""
		}
		data.Devices = append(data.Devices, mailDevice{d.Ref, rest, d.Link})
	}
	if t.Diff != "" && !data.Attached {
		for l := range strings.Lines(t.Diff) {
			op := " "
			if strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-") || strings.HasPrefix(l, "@") {
				op = l[:1]
			}
			data.Diff = append(data.Diff, mailLine{op, strings.TrimSuffix(l, "\n")})
		}
	}
	var b bytes.Buffer
	err := mailPage().Execute(&b, data)
	return b.String(), err
}

// compose makes the mail. All attempts make the same, but for the boundaries of its parts.
func (t told) compose(from *netmail.Address, to []string) ([]byte, error) {
	page, err := t.mailPage()
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(from.String()); err != nil {
		return nil, err
	}
	if err := m.To(to...); err != nil {
		return nil, err
	}
	m.Subject(t.title)
	m.SetDateWithValue(t.When)
	m.SetMessageIDWithValue(t.ID + "@" + domain)
	// RFC 3834: no automatic answers; the second is Exchange's word for it
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	if thread := t.thread(); thread != "" {
		m.SetGenHeader(mail.HeaderReferences, "<"+thread+"@"+domain+">")
		m.SetGenHeader(mail.HeaderInReplyTo, "<"+thread+"@"+domain+">")
	}
	m.SetBodyString(mail.TypeTextPlain, t.mailText())
	m.AddAlternativeString(mail.TypeTextHTML, page)
	if t.attaches() {
		err := m.AttachReader("changes.diff", strings.NewReader(t.Diff+"\n"),
			mail.WithFileContentType("text/x-diff; charset=utf-8"))
		if err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err = m.WriteTo(&b)
	return b.Bytes(), err
}

// thread names the mail that all mails about one device answer, though it was never sent: so
// readers show them together. A hash, as names may hold anything.
func (t told) thread() string {
	if t.count != 1 {
		return ""
	}
	sum := sha256.Sum256([]byte(t.Devices[0].Ref))
	return "device-" + hex.EncodeToString(sum[:16])
}
