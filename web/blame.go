package web

import (
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// blamed is the page that says since when each line is there.
type blamed struct {
	store.Record
	Hidden   string // why it isn't shown; "" where it is
	Revealed bool
	Reveal   string
	Groups   []blameGroup
	Versions int
	Cut      bool // the walk ended before the oldest version
	More     bool // not all lines are shown
}

// blameGroup is neighbouring lines that one version has brought.
type blameGroup struct {
	*history.Origin
	Age   int // 0 for the newest lines of the page, ages-1 for the oldest
	Lines []lineView
}

// ages is how many shades there are.
const ages = 6

// URL is the address of what the version changed.
func (g blameGroup) URL() string {
	if g.Previous == nil {
		return diffURL(0, g.ID)
	}
	return diffURL(g.Previous.ID, g.ID)
}

// Earlier is the address of the same page before the change; "" where there is none.
func (g blameGroup) Earlier() string {
	if g.Previous == nil || g.Before {
		return ""
	}
	return captureURL(g.Previous.ID) + "/blame"
}

func (p *Page) blame(v *visit) error {
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	page := blamed{Record: r}
	if page.Revealed, err = v.reveals(r); err != nil {
		return err
	}
	if v.Role.Has(store.Reader) {
		page.Reveal = with(v.r.URL, "reveal", "1")
	}
	found, err := history.Blame(v.r.Context(), v.store, r,
		history.BlameOptions{Redact: !page.Revealed})
	switch {
	case errors.Is(err, history.ErrSecretsUnknown):
		page.Hidden = secretsUnknown
	case errors.Is(err, history.ErrNoLines):
		page.Hidden = "It is encrypted or no text: it has no lines to compare."
	case errors.Is(err, history.ErrNoVersions):
		page.Hidden = "Logs and dumps have no versions."
	case err != nil:
		return err
	}
	page.Versions = found.Versions
	page.More = len(found.Lines) > linesShown
	page.Groups = groupsOf(found.Lines[:min(len(found.Lines), linesShown)])
	page.Cut = slices.ContainsFunc(page.Groups, func(g blameGroup) bool { return g.Before })
	return p.show(v, "blame", "Blame of "+v.object(r), page)
}

// groupsOf joins neighbours of one version, and shades them by their age.
func groupsOf(lines []history.BlamedLine) (groups []blameGroup) {
	var times []time.Time
	for i, l := range lines {
		n := len(groups)
		if n == 0 || groups[n-1].Origin != l.Origin {
			groups = append(groups, blameGroup{Origin: l.Origin})
			times = append(times, l.Origin.ReceivedAt)
			n++
		}
		class := ""
		switch {
		case l.Noise:
			class = "noise"
		case l.Comment:
			class = "comment"
		case i+1 < len(lines) && len(lines[i+1].Path) > len(l.Path):
			class = "head"
		}
		groups[n-1].Lines = append(groups[n-1].Lines, lineView{l.Number, shown(l.Text), class})
	}
	sort.Slice(times, func(i, j int) bool { return times[i].After(times[j]) })
	times = slices.CompactFunc(times, time.Time.Equal)
	for i := range groups {
		rank := slices.IndexFunc(times, groups[i].ReceivedAt.Equal)
		groups[i].Age = rank * ages / len(times)
	}
	return groups
}

func (p *Page) apiBlame(v *visit) error {
	if _, err := v.asked("reveal"); err != nil {
		return err
	}
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	revealed, err := v.reveals(r)
	if err != nil {
		return err
	}
	found, err := history.Blame(v.r.Context(), v.store, r, history.BlameOptions{Redact: !revealed})
	switch {
	case errors.Is(err, history.ErrNoLines), errors.Is(err, history.ErrNoVersions):
		return badRequest{err}
	case err != nil:
		return masked(err)
	}
	return writeList(v.w, all(history.JSONOfBlamed(found.Lines),
		func(l history.BlamedJSON) any {
			l.UID = v.uid(l.UID)
			return l
		}))
}
