package web

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
)

// An Atom feed (RFC 4287) of what changed.
type feed struct {
	XMLName xml.Name   `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string     `xml:"id"`
	Title   string     `xml:"title"`
	Updated time.Time  `xml:"updated"`
	Author  feedAuthor `xml:"author"`
	Links   []feedLink `xml:"link"`
	Entries []entry    `xml:"entry"`
}

type feedAuthor struct {
	Name string `xml:"name"`
}

type feedLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

type entry struct {
	ID      string     `xml:"id"`
	Title   string     `xml:"title"`
	Updated time.Time  `xml:"updated"`
	Links   []feedLink `xml:"link"`
	Summary string     `xml:"summary"`
}

func (p *Page) feed(v *visit) error {
	q, _, err := v.changesQuery(30 * config.Day)
	if err != nil {
		return err
	}
	list, _, err := p.changes(v, q, changesShown)
	if err != nil {
		return err
	}
	base := p.base(v)
	// Updated is a time that stays where nothing has changed.
	out := feed{ID: base + with(v.r.URL, "since", "", "until", ""), Title: "tftpsql: changes",
		Updated: time.Unix(0, 0).UTC(),
		Author:  feedAuthor{"tftpsql"},
		Links: []feedLink{{"self", base + v.r.URL.RequestURI()},
			{"alternate", base + "/changes"}}}
	if len(list) > 0 {
		out.Updated = list[0].ReceivedAt
	}
	for _, c := range list {
		out.Entries = append(out.Entries, entry{
			ID: "urn:uuid:" + c.UID, Updated: c.ReceivedAt,
			Title:   shown(deviceName(c.Site, c.Device)) + ": " + summary(c),
			Summary: cmp.Or(by(c), "by whom is not known"),
			Links:   []feedLink{{"alternate", base + c.URL()}}})
	}
	v.w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	_, _ = v.w.Write([]byte(xml.Header))
	if err := xml.NewEncoder(v.w).Encode(out); err != nil {
		return errCut
	}
	return nil
}

// base is the page's address as the reader has it.
func (p *Page) base(v *visit) string {
	if p.BaseURL != "" {
		return strings.TrimSuffix(p.BaseURL, "/")
	}
	scheme := "http"
	if p.secure(v.r) {
		scheme = "https"
	}
	return scheme + "://" + v.r.Host
}

func by(c *change) string {
	if c.ChangedBy == "" {
		return ""
	}
	return "by " + shown(c.ChangedBy)
}

// URL is the address of what the capture changed.
func (c *change) URL() string {
	if c.Before == nil {
		return diffURL(0, c.ID)
	}
	return diffURL(c.Before.ID, c.ID)
}

// summary says in a few words what a capture changed.
func summary(c *change) string {
	switch {
	case c.Before == nil:
		return "first version"
	case c.Delta == nil:
		return "changed"
	case c.Delta.Finding == history.Encrypted:
		return "changed, encrypted"
	case c.Delta.Finding == history.Binary:
		return "changed, no text"
	case c.Delta.Finding != history.Lines:
		return "changed by itself"
	}
	text := fmt.Sprintf("+%d −%d", c.Delta.Added, c.Delta.Removed)
	if len(c.Delta.Blocks) > 0 {
		text += " in " + blocks(c.Delta)
	}
	return text
}

// blocks names the blocks that differ, the innermost last.
func blocks(d *history.Delta) string {
	names := make([]string, len(d.Blocks))
	for i, path := range d.Blocks {
		if i > 0 { // what is named already stands before it
			path = path[sharedHead(path, d.Blocks[i-1]):]
		}
		names[i] = shown(strings.Join(path, " > "))
	}
	text := strings.Join(names, ", ")
	if d.More > 0 {
		text += fmt.Sprintf(" and %d more", d.More)
	}
	return text
}

// sharedHead returns how many blocks two paths begin with that are the same. Some of a path is
// left.
func sharedHead(path, other []string) int {
	n := 0
	for n < min(len(path), len(other))-1 && path[n] == other[n] {
		n++
	}
	return n
}
