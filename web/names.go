package web

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/tftpsql/tftpsql/store"
)

// siteInURL writes a site as a part of an address: "-" for none. A site of dashes alone gets one
// more.
func siteInURL(site string) string {
	if strings.Trim(site, "-") == "" {
		return site + "-"
	}
	return site
}

// siteOfURL is the reverse of siteInURL.
func siteOfURL(part string) string {
	if strings.Trim(part, "-") == "" {
		return strings.TrimPrefix(part, "-")
	}
	return part
}

// deviceURL is the address of a device's page.
func deviceURL(site, name string) string {
	return "/d/" + url.PathEscape(siteInURL(site)) + "/" + url.PathEscape(name)
}

func captureURL(id int64) string { return "/c/" + strconv.FormatInt(id, 10) }

func diffURL(from, to int64) string {
	return "/diff/" + strconv.FormatInt(from, 10) + ".." + strconv.FormatInt(to, 10)
}

// deviceName is how a device is shown: as commands take it.
func deviceName(site, name string) string {
	if site == "" {
		return name
	}
	return site + "/" + name
}

// shown returns a text of a stranger's with what isn't printable written as \xNN or \u{NNNN}, so
// that it can't change how the rest of a page or a log reads.
func shown(s string) string {
	if !strings.ContainsFunc(s, hidden) && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && s[i] != 0xef, hidden(r) && r < 0x80:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])+0x100, 16)[1:])
		case hidden(r):
			b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + "}")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character isn't seen, or changes how others are seen. A tab stays.
func hidden(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }

// device returns the device that an address names.
func (v *visit) device() (store.Device, error) {
	return v.named(v.r.PathValue("site"), v.r.PathValue("name"))
}

func (v *visit) named(site, name string) (store.Device, error) {
	return v.store.DeviceNamed(v.r.Context(), siteOfURL(site), name)
}

// find returns the device that a program elsewhere means: by its name or another name that it had,
// in any case, or by its address.
func (v *visit) find(name string) (store.Device, error) {
	d, err := v.store.Device(v.r.Context(), name)
	if !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	found, failed := v.ofAddress(name)
	if len(found) == 0 && failed == nil {
		found, failed = v.inAnyCase(name)
	}
	switch {
	case failed != nil:
		return d, failed
	case len(found) == 0:
		return d, err
	case len(found) == 1:
		return found[0], nil
	}
	ambiguous := &store.AmbiguousError{Ref: name}
	for _, one := range found {
		ambiguous.Candidates = append(ambiguous.Candidates, one.Ref())
	}
	return d, ambiguous
}

// ofAddress returns the devices whose newest capture came from an address, two at most.
func (v *visit) ofAddress(text string) ([]store.Device, error) {
	addr, ok := address(text)
	if !ok {
		return nil, nil
	}
	return v.store.DevicesOfSource(v.r.Context(), addr)
}

// address returns an IP address in the one spelling that is stored.
func address(text string) (string, bool) {
	addr, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(text), "[]"))
	return addr.Unmap().WithZone("").String(), err == nil
}

// inAnyCase returns the devices of that name or SITE/NAME in upper or lower case, two at most:
// names in DNS are often in lower case where those on devices are not.
func (v *visit) inAnyCase(name string) (found []store.Device, err error) {
	err = v.store.EachDevice(v.r.Context(), func(d store.Device) bool {
		if strings.EqualFold(d.Name, name) || strings.EqualFold(d.Ref(), name) {
			found = append(found, d)
		}
		return len(found) < 2
	})
	return found, err
}

// capture returns the capture of a number.
func (v *visit) capture(id string) (store.Record, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return store.Record{}, errNotFound
	}
	return v.store.CaptureByID(v.r.Context(), n)
}
