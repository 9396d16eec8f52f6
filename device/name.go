package device

import (
	"net/netip"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

// MaxName is how many bytes the name of a device has at most, as file systems bound a file's.
const MaxName = 255

// extensions are cut off a file name to get its stem. Other endings may be part of a host name
// (fw1.example.net).
var extensions = map[string]bool{
	".conf": true, ".cfg": true, ".config": true, ".txt": true, ".text": true, ".log": true,
	".bak": true, ".backup": true,
	".old": true, ".gz": true, ".zip": true, ".tar": true, ".tgz": true, ".xml": true,
	".json": true, ".bin": true, ".cnf": true,
	".dat": true, ".exp": true, ".ucs": true, ".scf": true, ".rsc": true, ".set": true,
	".boot": true,
}

// stampForms are the forms of a stamp in a file name: a date, a time, a week, or the identifier of
// a copy that a program chose. The first form that matches counts. Forms with a month's name come
// first, then those that begin with the year: "2.3-2026" is no date in fw1-10.1.2.3-2026-11-23.
//
// Expressions are compiled when a name needs them, since they take two milliseconds of a start.
var stampForms, datedFolder = formsOfStamps()

// stampForm finds stamps of one of several forms.
type stampForm struct {
	// possible reports whether a name may hold one, at a small part of the cost.
	possible func(s string, digits int) bool
	anywhere func() *regexp.Regexp // as words of their own
	// atEnd also allows a counter behind the stamp. A number alone is no counter: sw-1 and sw-2 are
	// two devices.
	atEnd func() *regexp.Regexp
}

// formsOfStamps returns the forms, and what matches a folder that is nothing but a date.
func formsOfStamps() (forms []stampForm, folder func() *regexp.Regexp) {
	const (
		year  = `(19|20)\d{2}`
		month = `(0?[1-9]|1[0-2])`
		day   = `(0?[1-9]|[12]\d|3[01])`
		mm    = `(0[1-9]|1[0-2])`
		dd    = `(0[1-9]|[12]\d|3[01])`
		name  = `(jan(uary?)?|feb(ruary?)?|mar(ch)?|m(ä|ae)rz|mrz|apr(il)?|ma[yi]|jun[ei]?|` +
			`jul[yi]?|aug(ust)?|sep(t(ember)?)?|o[ck]t(ober)?|nov(ember)?|de[cz](ember)?)`
		week  = `(0[1-9]|[1-4]\d|5[0-3])`
		hhmm  = `([01]\d|2[0-3])[0-5]\d([0-5]\d)?`
		clock = `([01]?\d|2[0-3])[-_.:h]?[0-5]\d([-_.:m]?[0-5]\d([.,]\d{1,6})?)?[ms]?` +
			`([-_. ]?[ap]m)?`
		zone  = `(z|[+-]\d{2}:?\d{2}|[-_. ]?(utc|gmt|ce?s?t|[ecmp][sd]t))?`
		on    = `((mon|tue|wed|thu|fri|sat|sun)[-_. ]+)?`
		at    = `([-_. t]+` + clock + zone + `)?`
		uuid  = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
		left  = `-_. @#+,=({\[` // what may stand before a stamp
		right = `-_. @#+,=)}\]`
	)
	// The first form is that of 20261123T051500Z.
	const dates = `d?` + year + mm + dd + `([-_. t]?` + hhmm + `([.,]\d{1,6})?` + zone + `)?` +
		`|d?` + year + `[-_.]` + month + `[-_.]` + day + at + // 2026-11-23_05:15
		`|` + year + `[-_. ]?(kw|w|week)[-_. ]?` + week + `(-?[1-7])?` + // 2026-W48-1
		`|(kw|w|week)[-_. ]?` + week + `[-_. ]` + year // W48-2026
	const yearFirst = dates +
		`|1[4-9]\d{8}(\d{3}){0,2}` + // seconds or parts of them since 1970
		`|` + uuid + `(-monitor)?`
	const named = on + name + `[-_. ]*` + day + `[-_. ]+` + year + at + // Nov-23-2026
		`|` + year + `[-_. ]?` + name + `[-_. ]?` + day + at + // 2026-Nov-23
		`|` + on + name + `[-_. ]+` + day + `[-_. ]+` + clock + zone + // Nov 23 05-15-00 2026
		`[-_. ]+` + year +
		`|` + on + day + `[-_. ]?` + name + `[-_. ]?` + year + at + // 23-Nov-2026
		`|` + dd + name + `\d{2}` + at // 23Nov26
	const dayFirst = day + `[-_.]` + month + `[-_.]` + year + at + // 23.11.2026
		`|` + month + `[-_.]` + day + `[-_.]` + year + at + // 11-23-2026
		// 23112026, 11232026
		`|(` + dd + mm + `|` + mm + dd + `)` + year + `([-_. t]?` + hhmm + `)?` +
		`|(\d{2}` + mm + dd + `|` + dd + mm + `\d{2})[-_. t]` + hhmm + // 261123_0515
		`|\d{1,2}:\d{2}(:\d{2})?` + zone // 05:15:00
	// ending are forms that may mean something else in the middle of a name: 23-Nov-26, and what
	// IOS appends to the names of its archive, Nov-23-05-15-00.123-UTC. A month and a number alone
	// are no date: sw-mar-01 and sw-mar-02 are two devices.
	const ending = dd + `[-_. ]` + name + `[-_. ][23]\d` + at +
		`|` + name + `[-_. ]+` + day + `[-_. ]([01]?\d|2[0-3])` +
		`([:h][0-5]\d([:m][0-5]\d)?|[-_.][0-5]\d[-_.][0-5]\d)([.,]\d{1,6})?[ms]?` +
		`([-_. ][a-z]{3,4})?`
	form := func(possible func(string, int) bool, anywhere, atEnd string) stampForm {
		return stampForm{possible,
			expression(`(?i)(^|[` + left + `]+)(` + anywhere + `)([` + right + `]+|$)`),
			expression(`(?i)(^|[` + left + `]+)(` + atEnd + `)[)}\]]?` +
				`([-_.]\d{1,5}|\(\d{1,5}\))?$`)}
	}
	return []stampForm{form(monthNamed, named, named), form(monthNamed, `\b\B`, ending),
			form(numbered, yearFirst, yearFirst), form(numbered, dayFirst, dayFirst)},
		// A customer may have an identifier or a large number for a folder.
		expression(`(?i)^(` + named + `|` + dates + `|` + dayFirst +
			`|` + year + `[-_./]` + mm + `(/` + dd + `)?)$`)
}

// withoutDates removes the folders that are dates, which would make another device each night:
// 2026-11-26, or 2026/11/26. The first one stays where it is a number without separators: that may
// be a customer's, and two customers must not become one.
func withoutDates(folders []string) []string {
	var kept []string
next:
	for i := 0; i < len(folders); i++ {
		for n := 3; n > 0; n-- {
			number := i == 0 && n == 1 && strings.Trim(folders[i], "0123456789") == ""
			if i+n <= len(folders) && len(folders[i]) <= MaxName && !number &&
				strings.ContainsAny(folders[i], "0123456789") &&
				datedFolder().MatchString(strings.Join(folders[i:i+n], "/")) {
				i += n - 1
				continue next
			}
		}
		kept = append(kept, folders[i])
	}
	return kept
}

// briefDate matches a name that ends with a date of two digits each.
var briefDate = expression(`(?i)^(.+?)([-_. @#+,=({\[]+)(\d{6}|(\d\d[-_.]){2}\d\d` +
	`([-_. t]+[012]\d[-_.:h]?[0-5]\d([-_.:m]?[0-5]\d)?)?)[)}\]]?$`)

// numberAtEnd matches a name that ends with a short number.
var numberAtEnd = expression(`(^|[-_. ])\d{1,3}$`)

// withoutBriefDate removes a date of two digits each from the end of s: 261126 and 26.11.26 in both
// orders, 26-11-26 with the year first. It must exist, in the years from 2020 to 2039: of a hundred
// numbers of six digits one is such a date. 12-11-26 is no date, since rack-12-11-26 is a place,
// and taking two devices for one is the greater harm.
func withoutBriefDate(s string) string {
	m := briefDate().FindStringSubmatch(s)
	if m == nil {
		return s
	}
	date, layouts := m[3], []string{"060102", "020106"}
	if len(date) > 6 {
		by := date[2:3]
		if date = date[:8]; by != "." {
			layouts = layouts[:1]
		}
		// The next number of an address or of a place: fw1-10.1.12.26, rack-7-26-11-26.
		if date[5:6] != by || strings.HasSuffix(m[2], by) && numberAtEnd().MatchString(m[1]) {
			return s
		}
		date = strings.ReplaceAll(date, by, "")
	}
	for _, layout := range layouts {
		at, err := time.Parse(layout, date)
		if err == nil && at.Year() >= 2020 && at.Year() < 2040 {
			return m[1]
		}
	}
	return s
}

// expression returns what compiles an expression when it is first needed.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// again is what a browser or a file manager adds to the name of a copy.
var again = expression(`(?i)^copy of |^kopie von |( - (copy|kopie))?( ?\(\d{1,3}\))?$`)

// confg matches what Cisco appends to the host name, and what tools put on either side of it.
var confg = expression(`(?i)[-_.](confg|config|cfg|(running|startup)([-_]config)?)$|` +
	`^(running|startup)[-_]config[-_.]`)

// generic are stems that don't name a device.
var generic = map[string]bool{
	"backup": true, "config": true, "confg": true, "configuration": true, "conf": true, "cfg": true,
	"running-config": true,
	"startup-config": true, "running": true, "startup": true, "running_config": true,
	"startup_config": true,
	"network":        true, "network-confg": true, "router": true, "switch": true, "firewall": true,
	"fgt":        true,
	"fgt_system": true, "sys_config": true, "full-config": true, "default": true, "export": true,
	"file": true, "tmp": true,
	"temp": true, "test": true, "juniper": true, "vrpcfg": true, "config.boot": true,
	"device": true, "system": true,
}

// FromFilename splits a requested file name: the directory is the site, and the stem names the
// device. A backslash counts as a slash. Leading slashes, "." and ".." are ignored, as are a drive,
// a server with its share, a file system ("flash:") and a protocol with its host; a name that ends
// with a slash is a site alone. A folder that is a date is no part of the site. The stem is the
// last element without extensions, dates, times, counters after those, and Cisco's "-confg". It is
// blank if it is generic ("backup"). Both values are printable, as [Text] makes them, and blank if
// they have more than 255 bytes.
func FromFilename(name string) (site, stem string) {
	name = withoutVolume(name)
	var elements []string
	for e := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if e = strings.TrimSpace(e); e != "" && e != "." && e != ".." {
			elements = append(elements, e)
		}
	}
	if len(elements) == 0 {
		return "", ""
	}
	last := len(elements) - 1
	if strings.HasSuffix(strings.ReplaceAll(name, `\`, "/"), "/") { // a site, and no file
		elements = append(elements, "")
		last++
	}
	// What begins with - or @ would be taken for a flag or a number where a person types it.
	site = strings.Join(withoutDates(elements[:last]), "/")
	return strings.TrimLeft(value(site), "-@~"),
		value(trimStem(elements[last]))
}

func trimStem(s string) string {
	for len(s) <= 4*maxValue {
		was := s
		ext := path.Ext(s)
		bare := strings.TrimSuffix(s, ext)
		rotated := len(ext) > 1 && len(ext) <= 4 && strings.Trim(ext[1:], "0123456789") == "" &&
			extensions[strings.ToLower(path.Ext(bare))] // sw1.cfg.1
		if (extensions[strings.ToLower(ext)] || rotated) && bare != "" {
			s = bare
			continue // sw1_20261123.tar.gz
		}
		s = strings.TrimSuffix(s, "~") // an editor's copy
		s = again().ReplaceAllString(s, "")
		s = confg().ReplaceAllString(s, "")
		s = withoutStamp(s)
		if s == was {
			break
		}
	}
	s = strings.Trim(s, "-_. @#+,=(){}[]")
	lower := strings.ToLower(s)
	if generic[lower] || strings.Trim(lower, "0123456789") == "" {
		return ""
	}
	return s
}

// monthNamed reports whether a name has the beginning of a month's name and a digit.
func monthNamed(s string, digits int) bool {
	if digits == 0 {
		return false
	}
	s = strings.ToLower(s)
	for _, month := range []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
		"oct", "nov", "dec", "mär", "mae", "mrz", "mai", "okt", "dez"} {
		if strings.Contains(s, month) {
			return true
		}
	}
	return false
}

// numbered reports whether a name has as many digits as a date, 2026-1-2, or a colon of a time.
func numbered(s string, digits int) bool { return digits >= 6 || strings.IndexByte(s, ':') > 0 }

// withoutStamp removes a stamp from s, with the separators around it. It removes all of s only if
// the stamp is all that there is.
func withoutStamp(s string) string {
	count := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			count++
		}
	}
	for _, form := range stampForms {
		if !form.possible(s, count) {
			continue
		}
		end := form.atEnd().ReplaceAllString(s, "")
		if end != s && end != "" {
			return end
		}
		if at := form.anywhere().FindStringIndex(s); at != nil {
			return around(s, at[0], at[1])
		}
		if end != s {
			return ""
		}
	}
	if count >= 6 {
		return withoutBriefDate(s)
	}
	return s
}

// around returns s without what is from one index to another, and with one separator instead.
func around(s string, from, to int) string {
	left := strings.TrimRight(s[:from], "-_. @#+,=({[")
	right := strings.TrimLeft(s[to:], "-_. @#+,=)}]")
	if left == "" || right == "" {
		return left + right
	}
	return left + s[from:from+1] + right
}

// Source returns an address as it is stored and shown: an IPv4 address in IPv6 form (RFC 4291,
// section 2.5.5.2) is the IPv4 address, and a zone stays, since link-local addresses are told apart
// by it.
func Source(addr netip.Addr) string { return addr.Unmap().String() }
