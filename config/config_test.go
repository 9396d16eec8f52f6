package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	c, err := Load([]string{"DATABASE_URL=", "TFTP_PORT=69", "TFTP_ACK_TIMEOUT=1.5",
		"TFTP_TIMEOUT=90", "TFTP_DRAIN=1m", "TFTP_MAX_SIZE=16MiB",
		"TFTP_MEMORY=1GB", "TFTP_READ=none", "TFTP_WRITE_ONCE=1", "TFTP_MAX_BLKSIZE=1228",
		"MIGRATE=off", "LOG_LEVEL=DEBUG", "LOG_FORMAT=json",
		"DATABASE_HOSTNAME=::1", "DATABASE_NAME=net", "DATABASE_USERNAME=u@x",
		"DATABASE_PASSWORD=p/w?", "UNRELATED=1"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Database = "postgres://u%40x:p%2Fw%3F@[::1]:5432/net"
	want.Port, want.AckTimeout, want.Timeout, want.Drain = 69, Duration(1500*time.Millisecond),
		Duration(90*time.Second), Duration(time.Minute)
	want.MaxSize, want.Memory, want.Read, want.WriteOnce, want.MaxBlksize = 16<<20, 1e9, "none",
		true, 1228
	want.Migrate, want.LogLevel, want.LogFormat = "off", Level(-4), "json"
	if got, wanted := describe(c), describe(want); got != wanted {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
}

func describe(c Config) string {
	var words []string
	for _, s := range Settings() {
		words = append(words, s.Env+"="+s.value(&c).String())
	}
	return strings.Join(words, " ")
}

func TestAllow(t *testing.T) {
	for text, sources := range map[string]map[string]bool{
		"private": {"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.31.0.1": true,
			"172.32.0.1": false, "192.168.1.1": true, "100.64.0.1": true,
			"169.254.1.1": true, "fe80::1%eth0": true, "fd00::1": true, "::ffff:10.0.0.1": true,
			"::ffff:8.8.8.8": false, "8.8.8.8": false, "2001:db8::1": false},
		"any": {"8.8.8.8": true, "2001:db8::1": true,
			"::ffff:8.8.8.8": true},
		"203.0.113.0/29, 198.51.100.7,fd00::/8": {"203.0.113.7": true, "203.0.113.8": false,
			"198.51.100.7": true, "10.0.0.1": false, "fd12::1": true, "127.0.0.9": true},
		"private,203.0.113.5": {"10.0.0.1": true, "203.0.113.5": true},
	} {
		var a Allow
		if err := a.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
			continue
		}
		for source, want := range sources {
			if got := a.Contains(netip.MustParseAddr(source)); got != want {
				t.Errorf("%s: %s is served: %v, want %v", text, source, got, want)
			}
		}
	}
	for _, text := range []string{"10.0.0.0/33", "everybody", "10.0.0", "::ffff:10.0.0.0/104"} {
		if err := new(Allow).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSites(t *testing.T) {
	var s Sites
	if err := s.UnmarshalText(
		[]byte("acme=203.0.113.0/29, globex = 10.2.0.0/16," +
			"lab=10.2.3.4,six=2001:db8::/32")); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		"203.0.113.1": "acme", "10.2.0.1": "globex", "10.2.3.4": "lab", "::ffff:10.2.3.4": "lab",
		"2001:db8::7": "six", "192.0.2.1": "",
	} {
		if site, ok := s.Of(netip.MustParseAddr(source)); site != want || ok != (want != "") {
			t.Errorf("%s: site %q, %v; want %q", source, site, ok, want)
		}
	}
	for _, text := range []string{"acme", "=10.0.0.0/8", "acme=x", "-a=10.0.0.0/8"} {
		if err := new(Sites).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// TestMinFree: what stays free of a disk goes by its size, unless somebody has said how much.
func TestMinFree(t *testing.T) {
	for _, c := range []struct {
		set  string
		disk Size
		want Size
	}{
		{"", 1 << 40, 1 << 30}, {"", 8 << 30, 1 << 30}, {"", 1 << 30, 128 << 20}, {"", 0, 0},
		{"1GiB", 1 << 30, 1 << 30}, {"0", 1 << 30, 0}, {"64MiB", 1 << 40, 64 << 20},
	} {
		config, err := Load([]string{"MIN_FREE=" + c.set})
		if got := config.MinFree.Of(int64(c.disk)); err != nil || got != c.want {
			t.Errorf("MIN_FREE=%s of a disk of %s: %s, %v; want %s", c.set, c.disk, got, err,
				c.want)
		}
	}
}

func TestHTTPAddr(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP_ADDR=": "none", "HTTP_ADDR=none": "none", "HTTP_ADDR=:9080": ":9080",
		"HTTP_ADDR=[::1]:1": "[::1]:1", "X=": "127.0.0.1:9080",
	} {
		if c, err := Load([]string{text}); err != nil || c.HTTP.String() != want {
			t.Errorf("%s: %s, %v", text, c.HTTP, err)
		}
	}
}

// TestDescriptions: each setting says what it is, and nothing else is described.
func TestDescriptions(t *testing.T) {
	list := Settings()
	for _, s := range list {
		if s.Description == "" {
			t.Errorf("%s has no description", s.Env)
		}
		if len(s.Flags) > 0 && s.on[0] == "" {
			t.Errorf("--%s is a flag of no command", s.Flags[0])
		}
	}
	if len(list) != len(descriptions) {
		t.Errorf("%d settings and %d descriptions", len(list), len(descriptions))
	}
}
