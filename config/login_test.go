package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestGrants: the first entry of which a person has the value says role and sites.
func TestGrants(t *testing.T) {
	var g Grants
	if err := g.UnmarshalText([]byte("admins=admin, /net/ops = operator,CN=it@acme=viewer@acme" +
		"+globex,rest=reader@-,netops=viewer")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"admins"}, "admin [] true"},
		{[]string{"netops", "/net/ops"}, "operator [] true"},
		{[]string{"netops", "admins"}, "admin [] true"},
		{[]string{"CN=it@acme"}, `viewer ["acme" "globex"] true`},
		{[]string{"rest"}, `reader [""] true`},
		{[]string{"Admins", "", "admin"}, " [] false"},
		{nil, " [] false"},
	} {
		one, ok := g.Of(c.values)
		if got := fmt.Sprintf("%s %q %v", one.Role, one.Sites, ok); got != c.want {
			t.Errorf("%q: %s, want %s", c.values, got, c.want)
		}
		if strings.Contains(c.want, "[]") != (one.Sites == nil) {
			t.Errorf("%q: sites %#v", c.values, one.Sites)
		}
	}
	for text, want := range map[string]string{
		"netops":                "has no role",
		"=admin":                "names no group",
		"netops=root":           `"root" is none of viewer`,
		"netops=":               `"" is none of viewer`,
		"netops=viewer@":        "a site after @ is empty",
		"netops=viewer@acme++x": "a site after @ is empty",
		"netops=viewer@" + strings.Repeat("a+", grantSites) + "a": "at most 1000",
		strings.Repeat("a=viewer,", grantsKept+1):                 "at most 1000",
	} {
		err := g.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
	if one, ok := g.Of([]string{"admins"}); !ok || one.Role != "admin" {
		t.Error("what was wrong has changed what was right")
	}
}

// TestIssuer: secrets go to a provider over TLS, but for one on this machine.
func TestIssuer(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://login.example.net/realms/net": true, "https://a.example/": true,
		"http://127.0.0.1:8080/realms/net": true, "http://localhost": true, "http://[::1]:1": true,
		"http://login.example.net": false, "login.example.net": false, "https://": false,
		"https://u:p@login.example.net": false, "https://a.example/?x": false,
		"https://a.example/#x": false, "ftp://a.example": false,
	} {
		var i Issuer
		if err := i.UnmarshalText([]byte(text)); (err == nil) != ok || ok && i.String() != text {
			t.Errorf("%s: %q, %v", text, i, err)
		}
	}
}

// TestSecret: a secret is in nothing that is printed.
func TestSecret(t *testing.T) {
	c, err := Load([]string{"OIDC_CLIENT_SECRET=swordfish"})
	if err != nil || c.OIDCSecret != "swordfish" {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{describe(c), fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c),
		string(asJSON)} {
		if strings.Contains(text, "swordfish") || !strings.Contains(text, "***") {
			t.Error(text)
		}
	}
}

// TestCheckLogin: what a login needs is asked for.
func TestCheckLogin(t *testing.T) {
	all := []string{"OIDC_ISSUER=https://a.example", "OIDC_CLIENT_ID=page",
		"OIDC_ROLES=admins=admin", "BASE_URL=https://b.example"}
	for i, want := range []string{"", "OIDC_ISSUER needs OIDC_CLIENT_ID",
		"OIDC_ISSUER needs OIDC_ROLES", "OIDC_ISSUER needs BASE_URL"} {
		environ := all
		if i > 0 {
			environ = slices.Delete(slices.Clone(all), i, i+1)
		}
		c, err := Load(environ)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); (err == nil) != (want == "") ||
			err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", environ, err, want)
		}
	}
	c, err := Load([]string{"AUTH_HEADER=Remote-User"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "TRUSTED_PROXIES") {
		t.Error(err)
	}
	if bad := Misspelt(append(all, "OIDC_ISUER=x")); !slices.Equal(bad, []string{"OIDC_ISUER"}) {
		t.Errorf("misspelt: %q", bad)
	}
}
