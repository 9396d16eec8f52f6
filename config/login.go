package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Issuer is the address of a provider of OpenID Connect, exactly as the provider writes it.
type Issuer string

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *Issuer) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no address of a provider: write https://login.example.net/realm",
			text)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("%q must begin with https://: secrets go there", text)
	}
	*i = Issuer(text)
	return nil
}

func (i Issuer) String() string { return string(i) }

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Grants tell what a person may by the values of a claim, such as the person's groups.
type Grants struct {
	text string
	list []Grant
}

// A Grant is the role of those who have a value, and their sites: "" for devices without one, nil
// for all.
type Grant struct {
	Value, Role string
	Sites       []string
}

const (
	// grantsKept and grantSites bound what is searched at each login, and what the store takes.
	grantsKept = 1000
	grantSites = 1000

	noSite = "-" // as in the page's addresses
)

// grantRoles are store.Roles, which lies above this package.
var grantRoles = []string{"viewer", "reader", "operator", "admin"}

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *Grants) UnmarshalText(b []byte) error {
	parsed := Grants{text: string(b)}
	for entry := range strings.SplitSeq(string(b), ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		one, err := parseGrant(entry)
		if err != nil {
			return err
		}
		parsed.list = append(parsed.list, one)
	}
	if len(parsed.list) > grantsKept {
		return fmt.Errorf("%d entries: at most %d", len(parsed.list), grantsKept)
	}
	*g = parsed
	return nil
}

// parseGrant reads VALUE=ROLE or VALUE=ROLE@SITE+SITE. A value may have = and @.
func parseGrant(entry string) (Grant, error) {
	i := strings.LastIndex(entry, "=")
	if i < 0 {
		return Grant{}, fmt.Errorf("%q has no role: write netops=operator, or "+
			"netops=viewer@acme+globex", entry)
	}
	role, sites, bound := strings.Cut(entry[i+1:], "@")
	g := Grant{Value: strings.TrimSpace(entry[:i]), Role: strings.TrimSpace(role)}
	switch {
	case g.Value == "":
		return g, fmt.Errorf("%q names no group before =", entry)
	case !slices.Contains(grantRoles, g.Role):
		return g, fmt.Errorf("%q: %q is none of %s", entry, g.Role, strings.Join(grantRoles, ", "))
	case !bound:
		return g, nil
	}
	for site := range strings.SplitSeq(sites, "+") {
		switch site = strings.TrimSpace(site); site {
		case "":
			return g, fmt.Errorf("%q: a site after @ is empty: write %s for devices without one",
				entry, noSite)
		case noSite:
			site = ""
		}
		g.Sites = append(g.Sites, site)
	}
	if len(g.Sites) > grantSites {
		return g, fmt.Errorf("%q has %d sites: at most %d", g.Value, len(g.Sites), grantSites)
	}
	return g, nil
}

func (g Grants) String() string { return g.text }

// Of returns the first grant of which a person has the value, and whether there is one. Values are
// compared exactly.
func (g Grants) Of(values []string) (Grant, bool) {
	i := slices.IndexFunc(g.list, func(one Grant) bool {
		return slices.Contains(values, one.Value)
	})
	if i < 0 {
		return Grant{}, false
	}
	return g.list[i], true
}

// checkLogin returns an error where the settings of logins don't go together.
func (c *Config) checkLogin() error {
	switch {
	case c.AuthHeader != "" && len(c.TrustedProxies) == 0:
		return errors.New("AUTH_HEADER needs TRUSTED_PROXIES: anybody else could name any user")
	case c.OIDCIssuer == "":
		return nil
	case c.OIDCClientID == "":
		return errors.New("OIDC_ISSUER needs OIDC_CLIENT_ID: the provider's name for this page")
	case len(c.OIDCRoles.list) == 0:
		return errors.New("OIDC_ISSUER needs OIDC_ROLES, such as netops=operator: nobody else " +
			"could log in")
	case c.BaseURL == "":
		return errors.New("OIDC_ISSUER needs BASE_URL: the provider sends people back to it")
	}
	return nil
}
