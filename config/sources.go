package config

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"sort"
	"strings"
)

// Allow is the sources that are served.
type Allow struct {
	text     string
	prefixes []netip.Prefix
}

// private are the networks that the word private means: RFC 1918, RFC 3927, RFC 6598 (carrier-grade
// NAT), RFC 4193, RFC 4291.
const private = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10," +
	"fc00::/7,fe80::/10"

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
	return addr.IsLoopback() || slices.ContainsFunc(a.prefixes,
		func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ParsePrefix reads a prefix, or an address as the prefix that holds just it.
func ParsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() {
			return p, fmt.Errorf("%q: write the IPv4 prefix", s)
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{},
			fmt.Errorf("%q is no prefix (10.0.0.0/8), no address, and none of private, any", s)
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Prefixes are networks.
type Prefixes []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Prefixes) UnmarshalText(b []byte) error {
	var parsed Prefixes
	for word := range strings.SplitSeq(string(b), ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		one, err := ParsePrefix(word)
		if err != nil {
			return err
		}
		parsed = append(parsed, one)
	}
	*p = parsed
	return nil
}

func (p Prefixes) String() string {
	words := make([]string, len(p))
	for i, one := range p {
		words[i] = one.String()
	}
	return strings.Join(words, ",")
}

// Sites tells the site of a source: that of the longest prefix that contains it.
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
	sort.SliceStable(parsed.list, func(i, j int) bool {
		return parsed.list[i].prefix.Bits() > parsed.list[j].prefix.Bits()
	})
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

// Patterns are patterns of file names, as path.Match has them.
type Patterns []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Patterns) UnmarshalText(b []byte) error {
	var parsed Patterns
	for word := range strings.SplitSeq(string(b), ",") {
		if word = strings.ToLower(strings.TrimSpace(word)); word == "" {
			continue
		}
		if _, err := path.Match(word, ""); err != nil {
			return fmt.Errorf("%q is no pattern: *, ? and [abc] stand for characters", word)
		}
		parsed = append(parsed, word)
	}
	*p = parsed
	return nil
}

func (p Patterns) String() string { return strings.Join(p, ",") }

// Match reports whether a pattern matches the last part of a file's name, in any case.
func (p Patterns) Match(filename string) bool {
	base := strings.ToLower(path.Base(strings.ReplaceAll(filename, `\`, "/")))
	return slices.ContainsFunc(p, func(pattern string) bool {
		ok, err := path.Match(pattern, base)
		return ok && err == nil
	})
}
