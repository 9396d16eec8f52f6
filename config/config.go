// Package config is every setting, with its default, its bounds and its words: read from the environment and from flags.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/pflag"

	"github.com/tftpsql/tftpsql/tftp"
)

// Config is every setting: variables of the environment, and flags, which go over them. The flags of py3tftp have its
// names.
type Config struct {
	Database       string   `env:"DATABASE_URL" flag:"database" desc:"where captures are kept: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"`
	DirectDatabase string   `env:"DATABASE_DIRECT_URL" desc:"PostgreSQL's own address for migrations, where DATABASE_URL goes through PgBouncer"`
	Migrate        Migrate  `env:"MIGRATE" flag:"migrate" desc:"auto brings the schema up to date at start; off only checks it"`
	Spool          string   `env:"SPOOL" flag:"spool" desc:"file that keeps captures while PostgreSQL is away"`
	MinFree        MinFree  `env:"MIN_FREE" flag:"min-free" desc:"free disk space below which uploads are refused (SQLite, spool); 0 for none"`
	Host           string   `env:"TFTP_HOST" flag:"host" desc:"address to listen on; empty for all, IPv4 and IPv6"`
	Port           Port     `env:"TFTP_PORT" flag:"port,p" desc:"UDP port; devices speak to 69, which needs a privilege"`
	AckTimeout     Duration `env:"TFTP_ACK_TIMEOUT" flag:"ack-timeout" desc:"first repeat of an unanswered packet; a bare number is seconds"`
	Timeout        Duration `env:"TFTP_TIMEOUT" flag:"timeout,,conn-timeout" desc:"silence after which a transfer is given up"`
	Shards         Count    `env:"TFTP_SHARDS" flag:"shards" desc:"sockets on the port, each served by a core of its own; Linux, 1 to 64"`
	Drain          Duration `env:"TFTP_DRAIN" flag:"drain" desc:"how long running transfers go on after SIGTERM"`
	MaxBlksize     Count    `env:"TFTP_MAX_BLKSIZE" flag:"max-blksize" desc:"largest block granted, bytes, 8 to 65464"`
	MaxWindowsize  Count    `env:"TFTP_MAX_WINDOWSIZE" flag:"max-windowsize" desc:"largest window granted, blocks, 1 to 65535"`
	MaxSize        Size     `env:"TFTP_MAX_SIZE" flag:"max-size" desc:"largest upload"`
	Memory         Size     `env:"TFTP_MEMORY" flag:"memory" desc:"all bodies in flight together; half of the memory (of the cgroup) if unset"`
	Allow          Allow    `env:"TFTP_ALLOW" flag:"allow" desc:"who is served, besides loopback: prefixes, addresses, private, any"`
	Sites          Sites    `env:"TFTP_SITES" flag:"sites" desc:"sites by source: acme=203.0.113.0/29,globex=10.2.0.0/16"`
	Read           Read     `env:"TFTP_READ" flag:"read" desc:"what may be fetched: none, published, or own (that, and what the same address sent)"`
	WriteOnce      Switch   `env:"TFTP_WRITE_ONCE" flag:"write-once" desc:"refuse a file name that was stored before with other bytes, as py3tftp does; not for backups"`
	KeepChanged    Age      `env:"KEEP_CHANGED" desc:"how long a version is kept after another has replaced it: 2y, 90d, 12w"`
	KeepUnchanged  Age      `env:"KEEP_UNCHANGED" desc:"how long captures are kept that brought nothing new"`
	Redact         Switch   `env:"REDACT" flag:"redact" desc:"show, diff, search and spool show hide secrets"`
	HTTP           HTTPAddr `env:"HTTP_ADDR" flag:"http" desc:"address of /healthz, /readyz and /metrics; empty or none for none"`
	LogFile        string   `env:"LOG_FILE" flag:"file-log,l" desc:"append the log to this file instead of stderr"`
	LogLevel       Level    `env:"LOG_LEVEL" desc:"debug, info, warn or error; -v is debug"`
	LogFormat      Format   `env:"LOG_FORMAT" desc:"text or json"`

	Verbose bool // -v
}

// seedDatabase are py3tftpsql's variables, which make a PostgreSQL URL when DATABASE_URL is unset.
type seedDatabase struct {
	Host     string `env:"DATABASE_HOSTNAME"`
	Port     string `env:"DATABASE_PORT"`
	Name     string `env:"DATABASE_NAME"`
	User     string `env:"DATABASE_USERNAME"`
	Password string `env:"DATABASE_PASSWORD"`
}

func (s seedDatabase) url() string {
	if s.Host == "" && s.Name == "" {
		return ""
	}
	host := strings.Trim(s.Host, "[]")
	switch {
	case host == "":
		host = "localhost"
	case strings.HasPrefix(host, "/"): // the folder of a Unix socket
		return postgresURL(s.User, s.Password, "", s.Name) + "?host=" + url.QueryEscape(host) + "&port=" + url.QueryEscape(cmp.Or(s.Port, "5432"))
	}
	host = net.JoinHostPort(host, cmp.Or(s.Port, "5432"))
	return postgresURL(s.User, s.Password, host, s.Name)
}

func Default() Config {
	return Config{
		Database: "sqlite:tftpsql.db", Migrate: "auto", Port: 9069, Shards: 1,
		AckTimeout: Duration(500 * time.Millisecond), Timeout: Duration(25 * time.Second), Drain: Duration(8 * time.Second),
		MaxBlksize: tftp.MaxBlksize, MaxWindowsize: tftp.MaxWindowsize, MaxSize: 64 << 20, Memory: max(Size(defaultMemory()), Size(64<<20).withRoom()),
		Allow: defaultAllow(), Read: "own", HTTP: HTTPAddr{Addr: "127.0.0.1:9080"}, LogLevel: Level(slog.LevelInfo), LogFormat: "text",
	}
}

// Load reads the variables of environ ("NAME=value").
func Load(environ []string) (Config, error) {
	c := Default()
	vars := env.ToMap(environ)
	if v, ok := vars["HTTP_ADDR"]; ok && v == "" {
		vars["HTTP_ADDR"] = "none"
	}
	for name, v := range vars { // any other empty variable is one that is not set
		if v == "" {
			delete(vars, name)
		}
	}
	if vars["DATABASE_URL"] == "" {
		var seed seedDatabase
		if err := env.ParseWithOptions(&seed, env.Options{Environment: vars}); err != nil {
			return c, configError(err)
		}
		if u := seed.url(); u != "" {
			c.Database = u
		}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: vars}); err != nil {
		return c, configError(err)
	}
	return c, nil
}

// configError makes one line of what env says.
func configError(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) || len(all.Errors) == 0 {
		return err
	}
	var parse env.ParseError
	if !errors.As(all.Errors[0], &parse) {
		return all.Errors[0]
	}
	name := parse.Name
	for _, s := range Settings() {
		if s.Field == parse.Name {
			name = s.Env
		}
	}
	return fmt.Errorf("%s: %w", name, parse.Err)
}

// maxShards is more than there is use for: beyond the number of cores nothing is gained, and each takes 8 MiB of addresses.
const maxShards = 64

func (c *Config) Check() error {
	switch {
	case c.MaxBlksize < 8 || c.MaxBlksize > tftp.MaxBlksize:
		return fmt.Errorf("TFTP_MAX_BLKSIZE (--max-blksize) is %d: it must be 8 to %d", c.MaxBlksize, tftp.MaxBlksize)
	case c.MaxWindowsize < 1 || c.MaxWindowsize > tftp.MaxWindowsize:
		return fmt.Errorf("TFTP_MAX_WINDOWSIZE (--max-windowsize) is %d: it must be 1 to %d", c.MaxWindowsize, tftp.MaxWindowsize)
	case c.Shards < 1 || c.Shards > maxShards:
		return fmt.Errorf("TFTP_SHARDS (--shards) is %d: it must be 1 to %d", c.Shards, maxShards)
	case c.Shards > 1 && runtime.GOOS != "linux":
		return errors.New("TFTP_SHARDS (--shards) must be 1: only Linux spreads packets over several sockets")
	case c.MaxSize == 0:
		return errors.New("TFTP_MAX_SIZE (--max-size) must be more than 0")
	case c.AckTimeout <= 0:
		return errors.New("TFTP_ACK_TIMEOUT (--ack-timeout) must be more than 0")
	case c.Timeout <= c.AckTimeout:
		return fmt.Errorf("TFTP_TIMEOUT (--timeout) is %s: it must be more than TFTP_ACK_TIMEOUT, %s", c.Timeout, c.AckTimeout)
	case c.Memory/Size(c.Shards) < c.MaxSize.withRoom():
		return fmt.Errorf("TFTP_MEMORY (--memory) is %s: one upload of TFTP_MAX_SIZE takes up to %s, and each of TFTP_SHARDS needs as much", c.Memory, c.MaxSize.withRoom())
	}
	return nil
}

// flags binds the settings that have flags and that which picks.
func (c *Config) Flags(f *pflag.FlagSet, which func(Setting) bool) {
	for _, s := range Settings() {
		if !which(s) {
			continue
		}
		for i, name := range s.Flags {
			v := s.value(c)
			if i == 0 {
				f.VarP(v, name, s.Shorthand, s.desc+" ["+s.Env+"]")
				if _, ok := v.v.Interface().(Switch); ok {
					f.Lookup(name).NoOptDefVal = "true"
				}
				continue
			}
			f.Var(v, name, s.desc)
			_ = f.MarkHidden(name) // another name of the first
		}
	}
}

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

// Age is a time span in days, weeks or years, or as a Duration is written; 0 is for ever.
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
	maxAge  = 100 * year // longer than any table lives
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
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}, {"", 1}}

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

// withRoom is the memory that a body of this size takes at most while it grows.
func (s Size) withRoom() Size { return s + s/8 + 1<<20 }

// MinFree is how much of a disk stays free: what was set, else 1 GiB, or less where the disk is small.
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

// of is what stays free of a disk of that size.
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

// Migrate, Read and Format are one of a few words, Level a level of log/slog.
type (
	Migrate string
	Read    string
	Format  string
	Level   slog.Level
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Migrate) UnmarshalText(b []byte) error { return oneOf(m, b, "auto", "off") }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Read) UnmarshalText(b []byte) error { return oneOf(r, b, "none", "published", "own") }

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

func (f Format) String() string { return string(f) }

func (l Level) String() string { return strings.ToLower(slog.Level(l).String()) }

// Allow is who is served.
type Allow struct {
	text     string
	prefixes []netip.Prefix
}

// private are the networks that the word stands for: RFC 1918, RFC 3927, RFC 6598 (carrier-grade NAT), RFC 4193, RFC 4291.
const private = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10,fc00::/7,fe80::/10"

func defaultAllow() (a Allow) {
	if err := a.UnmarshalText([]byte("private")); err != nil {
		panic(err)
	}
	return a
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Allow) UnmarshalText(b []byte) error {
	parsed := Allow{text: string(b)}
	for word := range strings.SplitSeq(string(b), ",") {
		switch word = strings.TrimSpace(word); word {
		case "":
			continue
		case "any":
			word = "0.0.0.0/0,::/0"
		case "private":
			word = private
		}
		for one := range strings.SplitSeq(word, ",") {
			p, err := ParsePrefix(one)
			if err != nil {
				return err
			}
			parsed.prefixes = append(parsed.prefixes, p)
		}
	}
	*a = parsed
	return nil
}

func (a Allow) String() string { return a.text }

// Contains reports whether a source is served. Loopback always is.
func (a Allow) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsLoopback() || slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// parsePrefix reads a prefix, or an address as the prefix that holds just it.
func ParsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() {
			return p, fmt.Errorf("%q: write the IPv4 prefix", s)
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no prefix (10.0.0.0/8), no address, and none of private, any", s)
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Sites tells the site of a source. The longest prefix that holds it counts.
type Sites struct {
	text string
	list []site
}

type site struct {
	name   string
	prefix netip.Prefix
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sites) UnmarshalText(b []byte) error {
	parsed := Sites{text: string(b)}
	for pair := range strings.SplitSeq(string(b), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, prefix, ok := strings.Cut(pair, "=")
		name, prefix = strings.Trim(strings.TrimSpace(name), "/"), strings.TrimSpace(prefix)
		if !ok || name == "" || strings.ContainsAny(name[:1], "-@~") {
			return fmt.Errorf("%q is no site: write acme=203.0.113.0/29", pair)
		}
		p, err := ParsePrefix(prefix)
		if err != nil {
			return fmt.Errorf("site %s: %w", name, err)
		}
		parsed.list = append(parsed.list, site{name, p})
	}
	slices.SortStableFunc(parsed.list, func(a, b site) int { return b.prefix.Bits() - a.prefix.Bits() })
	*s = parsed
	return nil
}

func (s Sites) String() string { return s.text }

// Of returns the site of a source, and whether one is set.
func (s Sites) Of(addr netip.Addr) (string, bool) {
	addr = addr.Unmap().WithZone("")
	for _, site := range s.list {
		if site.prefix.Contains(addr) {
			return site.name, true
		}
	}
	return "", false
}

// defaultMemory is half of what this process may use: of the cgroup's limit where there is one, else of the machine's
// memory; 512 MiB where neither can be read.
func defaultMemory() int64 {
	total := int64(1 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				total = kib << 10
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				total = min(total, n)
			}
		}
	}
	return total / 2
}

// round is a size to the mebibyte, for people.
func (s Size) Round() Size {
	if s < 1<<20 {
		return s &^ (1<<10 - 1)
	}
	return s &^ (1<<20 - 1)
}
