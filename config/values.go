package config

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration; a bare number is seconds.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 || seconds > 1e6 {
			return fmt.Errorf("%q is no time: 0 to 1000000 seconds", s)
		}
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no time: write 500ms, 25s, 1m or a number of seconds", s)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// Age is a time span: in days, weeks or years, or written as a Duration; 0 is for ever.
type Age time.Duration

const (
	Day  = 24 * time.Hour
	week = 7 * Day
	year = 365 * Day
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Age) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	if s == "" || s == "0" || s == forEver {
		*a = 0
		return nil
	}
	for suffix, unit := range map[string]time.Duration{"d": Day, "w": week, "y": year} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			if err != nil || n == 0 || time.Duration(n) > maxAge/unit {
				return ageError(s)
			}
			*a = Age(time.Duration(n) * unit)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		return ageError(s)
	}
	*a = Age(v)
	return nil
}

const (
	forEver = "for ever"
	maxAge  = 100 * year // longer than a table lives
)

func ageError(s string) error {
	return fmt.Errorf("%q is no time span: write 90d, 12w, 2y or 36h", s)
}

func (a Age) String() string {
	d := time.Duration(a)
	switch {
	case d == 0:
		return forEver
	case d%Day == 0:
		return fmt.Sprintf("%dd", d/Day)
	}
	return d.String()
}

// Size is a number of bytes.
type Size int64

var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}, {"", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	number := strings.TrimRight(text, "KMGiBk ")
	unit := strings.TrimSpace(text[len(number):])
	n, err := strconv.ParseInt(number, 10, 64)
	for _, u := range units {
		if u.name == unit && err == nil && n >= 0 && n <= math.MaxInt64/u.size {
			*s = Size(n * u.size)
			return nil
		}
	}
	return fmt.Errorf("%q is no size: write 65536, 64KiB, 64MiB or 1GiB", text)
}

// grown is the memory that a body of this size takes at most while it grows.
func (s Size) grown() Size { return s + s/8 + 1<<20 }

// MinFree is how much of a disk must stay free: what was set, else 1 GiB, or an eighth of a disk of
// less than 8 GiB.
type MinFree struct {
	size Size
	set  bool
}

const (
	minFree      = 1 << 30
	minFreeShare = 8 // Fly's smallest volume has 1 GiB in all
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MinFree) UnmarshalText(b []byte) error {
	var s Size
	if err := s.UnmarshalText(b); err != nil {
		return err
	}
	*m = MinFree{s, true}
	return nil
}

func (m MinFree) String() string {
	if !m.set {
		return "1GiB, or an eighth of the disk where that is less"
	}
	return m.size.String()
}

// Of returns what stays free of a disk of that size, bytes.
func (m MinFree) Of(disk int64) Size {
	if !m.set {
		return Size(min(minFree, disk/minFreeShare))
	}
	return m.size
}

func (s Size) String() string {
	for i := 2; i >= 0; i-- {
		if u := units[i]; s > 0 && int64(s)%u.size == 0 {
			return strconv.FormatInt(int64(s)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Bytes returns a number of bytes as people read it, to four digits: "1.234 MiB".
func Bytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g GiB", n)
}

// Port is a UDP port.
type Port uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Port) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 16)
	if err != nil {
		return fmt.Errorf("%q is no port: 0 to 65535, 0 for any that is free", b)
	}
	*p = Port(n)
	return nil
}

func (p Port) String() string { return strconv.Itoa(int(p)) }

// Count is a number without unit.
type Count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Count) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil {
		return fmt.Errorf("%q is no number", b)
	}
	*c = Count(n)
	return nil
}

func (c Count) String() string { return strconv.Itoa(int(c)) }

// Migrate, Read, Page and Format are one of a few words, Level a level of log/slog.
type (
	Migrate string
	Read    string
	Page    string
	Format  string
	Level   slog.Level
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Migrate) UnmarshalText(b []byte) error { return oneOf(m, b, "auto", "off") }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Read) UnmarshalText(b []byte) error { return oneOf(r, b, "none", "published", "own") }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Page) UnmarshalText(b []byte) error { return oneOf(p, b, "auto", "on", "off") }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(b []byte) error { return oneOf(f, b, "text", "json") }

func oneOf[T ~string](to *T, b []byte, words ...string) error {
	if !slices.Contains(words, string(b)) {
		return fmt.Errorf("%q is none of %s", b, strings.Join(words, ", "))
	}
	*to = T(b)
	return nil
}

// Switch is true or false.
type Switch bool

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Switch) UnmarshalText(b []byte) error {
	v, err := strconv.ParseBool(string(b))
	if err != nil {
		return fmt.Errorf("%q is none of true, false", b)
	}
	*s = Switch(v)
	return nil
}

func (s Switch) String() string { return strconv.FormatBool(bool(s)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(b []byte) error {
	if err := (*slog.Level)(l).UnmarshalText(b); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn, error", b)
	}
	return nil
}

func (m Migrate) String() string { return string(m) }

func (r Read) String() string { return string(r) }

func (p Page) String() string { return string(p) }

func (f Format) String() string { return string(f) }

func (l Level) String() string { return strings.ToLower(slog.Level(l).String()) }

// Round returns a size to the mebibyte, or the kibibyte where it is less, for people.
func (s Size) Round() Size {
	if s < 1<<20 {
		return s &^ (1<<10 - 1)
	}
	return s &^ (1<<20 - 1)
}

// HTTPAddr is the address of health and metrics.
type HTTPAddr struct {
	Addr     string // empty for nowhere
	Explicit bool   // set, and not the default
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *HTTPAddr) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	if text == "" || text == "none" {
		*a = HTTPAddr{Explicit: true}
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		err = new(Port).UnmarshalText([]byte(port))
	}
	if err != nil {
		return fmt.Errorf(
			"%q is no address: write 127.0.0.1:9080, or :9080 for all addresses, or none", text)
	}
	*a = HTTPAddr{text, true}
	return nil
}

func (a HTTPAddr) String() string {
	if a.Addr == "" {
		return "none"
	}
	return a.Addr
}

// Local returns the address as a program on the same machine reaches it.
func (a HTTPAddr) Local() string {
	host, port, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return a.Addr
	}
	if host == "" || host == "0.0.0.0" || host == "::" { // all addresses, of both families
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Loopback reports whether only this machine reaches the address.
func (a HTTPAddr) Loopback() bool {
	host, _, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return false
	}
	return loopback(host)
}

// BaseURL is the address of the page as browsers have it, without a path.
type BaseURL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *BaseURL) UnmarshalText(b []byte) error {
	text := strings.TrimSuffix(strings.TrimSpace(string(b)), "/")
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Path != "" || parsed.RawQuery != "" ||
		parsed.User != nil || parsed.Fragment != "" ||
		parsed.Scheme != "https" && parsed.Scheme != "http" {
		return fmt.Errorf("%q is no address of a page: write https://backup.example.net", b)
	}
	*u = BaseURL(text)
	return nil
}

func (u BaseURL) String() string { return string(u) }

// Secret is a text that is never printed, in whatever form.
type Secret string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = Secret(b)
	return nil
}

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return s.String() }

// MarshalText is what JSON and logs have.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SSHAddr is the address for uploads by SSH, "" for none.
type SSHAddr string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *SSHAddr) UnmarshalText(b []byte) error {
	var at HTTPAddr
	if err := at.UnmarshalText(b); err != nil {
		return fmt.Errorf("%q is no address: write :2022 for all addresses, or none", b)
	}
	*a = SSHAddr(at.Addr)
	return nil
}

func (a SSHAddr) String() string { return string(a) }
