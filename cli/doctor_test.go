package cli

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/tftp"
)

// wireFinding is a finding of doctor --json.
type wireFinding struct {
	What  string `json:"what"`
	State string `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do"`
}

// examine runs doctor and returns what it says of each thing as "STATE FOUND: DO", with a line for
// each finding.
func examine(t testing.TB, environ []string, args ...string) (said map[string]string, status int) {
	t.Helper()
	status, out, errs := do(t, environ, append([]string{"doctor", "--json"}, args...)...)
	var list []wireFinding
	if out == "" {
		t.Fatalf("doctor %q: %d %s", args, status, errs)
	}
	unmarshal(t, out, &list)
	said = map[string]string{}
	failed := 0
	for _, f := range list {
		said[f.What] += fmt.Sprintf("%s %s: %s\n", f.State, f.Found, f.Do)
		if f.State == "failure" {
			failed = 1
		}
	}
	if status != failed {
		t.Errorf("doctor %q: exit status %d with %v", args, status, said)
	}
	return said, status
}

// wants compares what doctor says with patterns.
func wants(t testing.TB, said, patterns map[string]string) {
	t.Helper()
	for what, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(said[what]) {
			t.Errorf("%s: %q, want %s", what, said[what], pattern)
		}
	}
}

// besides returns how a command reaches the server.
func (p *program) besides(t testing.TB) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"DATABASE_URL=" + p.url, "TFTP_HOST=" + host, "TFTP_PORT=" + port,
		"HTTP_ADDR=" + strings.TrimPrefix(p.page(t), "http://")}
}

// TestDoctorIsNoFailure: what the doctor asks a server is none of its failures, refused or not.
func TestDoctorIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, read := range []string{"own", "none"} {
		p := start(t, databases["sqlite"](t), "--http", "127.0.0.1:0", "--read", read)
		examine(t, p.besides(t))
		p.stop() // which writes the last failures
		p.status <- <-p.status
		if out := p.must(t, "failures", "--json"); strings.TrimSpace(out) != "[]" {
			t.Errorf("with TFTP_READ=%s: %s", read, out)
		}
	}
}

// TestDoctor: of a server that works nothing fails, and a device that isn't served is named with
// the setting that serves it, as is why its uploads fail.
func TestDoctor(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url, "--http", "127.0.0.1:0", "--max-size", "1000", "-v")
		environ := p.besides(t)
		said, status := examine(t, environ)
		if status != 0 {
			t.Errorf("exit status %d: %v", status, said)
		}
		wants(t, said, map[string]string{
			"settings": "^ok ", "database": "^ok .* can be written to", "failures": "^ok none",
			"port":   "^warning the server answers at " + p.addr + ", .* port 69: .*-p 69",
			"server": "^ok ready: captures can be stored", "firewall": "^(ok|not known) ",
			"clock": "^(ok|warning|not known) ", "alarms": "^warning nobody is told",
			"tls": "^$", "ssh": "^$",
		})
		if strings.HasPrefix(url, "sqlite:") {
			wants(t, said, map[string]string{"disk": "^ok .* free for .*test.db", "spool": "^$"})
		} else {
			wants(t, said, map[string]string{"disk": "^not known", "spool": "^warning .*SPOOL"})
		}
		// the doctor's own request is none of the failures
		err := (&tftp.Client{Blksize: 1428}).Put(t.Context(), p.addr, "fw1.conf",
			make([]byte, 2000))
		if err == nil {
			t.Fatal("too large, and taken")
		}
		p.log.wait(t, "failures kept")
		said, _ = examine(t, environ, "127.0.0.1")
		wants(t, said, map[string]string{"allow": "^ok served are private",
			"failures": "^warning 1 in the last day, .* 127.0.0.1: too large: raise TFTP_MAX_SIZE"})
		said, _ = examine(t, environ, "203.0.113.7")
		wants(t, said, map[string]string{"failures": "^ok none", "allow": `^failure ` +
			`203\.0\.113\.7 is not served .*TFTP_ALLOW=private,203\.0\.113\.7 serves it`})
	})
}

// TestDoctorFindsAlarms: a receiver that can't be reached, one that can, and one that is disabled.
func TestDoctorFindsAlarms(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t), "--http", "127.0.0.1:0")
	environ := append(p.besides(t), "ALARM_PRIVATE=1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, url := range map[string]string{"up": "http://" + l.Addr().String(),
		"down": "http://127.0.0.1:1/hook", "mail": "mailto:noc@example.net"} {
		if status, _, errs := do(t, environ, "alarm", "add", name, url); status != 0 {
			t.Fatal(errs)
		}
	}
	said, _ := examine(t, environ)
	wants(t, said, map[string]string{"alarms": `(?s)failure down: it can't be reached: .* ` +
		`refused: tftpsql alarm test "down"\nfailure mail: .*no mail server is set.*\n` +
		`ok up can be reached`})
	said, _ = examine(t, append(environ, "SMTP_URL=smtp://127.0.0.1:1"))
	wants(t, said, map[string]string{"alarms": "^failure SMTP_URL is set and MAIL_FROM isn't"})
	said, _ = examine(t, append(environ, "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=a@example.net"))
	wants(t, said, map[string]string{"alarms": "failure mail: it can't be reached: .*127.0.0.1:1"})
}

// TestDoctorFinds: each trouble has its line, and what to do.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	other, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	go func() { // ends when the socket is closed
		b := make([]byte, 600)
		for {
			_, from, err := other.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = other.WriteTo([]byte("\x00\x05\x00\x01No such \x1bfile\x00"), from)
		}
	}()
	certFile, keyFile := certify(t, dir, 1)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	port := func(c net.PacketConn) string {
		return fmt.Sprint("TFTP_PORT=", c.LocalAddr().(*net.UDPAddr).Port)
	}
	for name, one := range map[string]struct {
		environ  []string
		patterns map[string]string
	}{
		"nothing": {[]string{"TFTP_PORT=0", "HTTP_ADDR=none"}, map[string]string{
			"database": "^failure .*no database at ", "server": "^not known ",
			"port": "^failure no server answers, .*: start tftpsql"}},
		"taken": {[]string{port(silent)}, map[string]string{
			"port": "^failure no server answers, .*another program listens there"}},
		"another server": {[]string{port(other)}, map[string]string{
			"port": `^failure another TFTP server answers at \S+: "No such \\x1bfile": stop it`}},
		"settings": {[]string{"TFTP_TIMEOUT=0.1", "TFTP_ALOW=any", "TFTP_ALLOW=,",
			"MIN_FREE=9999GiB"}, map[string]string{
			"settings": "(?s)warning TFTP_ALOW is no setting.*\nfailure TFTP_TIMEOUT",
			"disk":     "^failure uploads are refused: .*MIN_FREE",
			"allow":    "^(failure TFTP_ALLOW is empty|warning .* is not served)"}},
		"a word": {[]string{"TFTP_PORT=x"}, map[string]string{
			"settings": `^failure TFTP_PORT: "x" is no port`}},
		"certificate": {[]string{"TLS_CERT=" + certFile, "TLS_KEY=" + keyFile},
			map[string]string{"tls": "^warning the certificate ends at .*: renew it"}},
		"another name": {[]string{"TLS_CERT=" + certFile, "TLS_KEY=" + keyFile,
			"BASE_URL=https://backup.example.net"},
			map[string]string{"tls": "^failure the certificate is not for backup.example.net"}},
		"no key": {[]string{"TLS_CERT=" + certFile, "TLS_KEY=" + dir + "/none"},
			map[string]string{"tls": "^failure TLS_CERT, TLS_KEY: .*no such file"}},
		"ssh": {[]string{"SSH_ADDR=127.0.0.1:1"}, map[string]string{
			"ssh": "^failure .* refused: start tftpsql"}},
		"no ssh": {[]string{"SSH_ADDR=" + web.Addr().String()}, map[string]string{
			"ssh": "^failure what answers at .* speaks no SSH"}},
		"away": {[]string{"DATABASE_URL=postgres://x@127.0.0.1:1/x", "SPOOL=" + dir + "/none.db"},
			map[string]string{"database": "^failure postgres://x@127.0.0.1:1/x: .*refused",
				"spool": "^warning .*none.db is not there: start the server", "failures": "^$"}},
		"no spool": {[]string{"DATABASE_URL=postgres://x@127.0.0.1:1/x", "SPOOL=" + certFile},
			map[string]string{"spool": "^failure .*cert.pem: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, _ := examine(t, append([]string{"DATABASE_URL=sqlite:" + dir + "/none.db",
				"TFTP_HOST=127.0.0.1", "HTTP_ADDR=127.0.0.1:1"}, one.environ...))
			wants(t, said, one.patterns)
		})
	}
	if status, _, errs := do(t, nil, "doctor", "x"); status != 2 ||
		!strings.Contains(errs, "is no address") {
		t.Errorf("doctor x: %d %s", status, errs)
	}
}

// TestDoctorFindsSpool: what waits there is told, and what PostgreSQL has refused.
func TestDoctorFindsSpool(t *testing.T) {
	t.Parallel()
	spool := filepath.Join(t.TempDir(), "spool.db")
	url := "postgres://nobody@127.0.0.1:1/nothing"
	p := start(t, url, "--spool", spool, "--http", "127.0.0.1:0")
	p.put(t, "fw1.conf", fortigate("fw1", "192.0.2.53"))
	said, _ := examine(t, append(p.besides(t), "SPOOL="+spool))
	wants(t, said, map[string]string{"spool": "^warning captures waiting in .*: 1: tftpsql spool",
		"disk": "^ok .* free for .*spool.db"})
}

// TestDoctorReadsFirewall: rules as nft and iptables-save print them, and what they mean for the
// port. What depends on the sender is not known.
func TestDoctorReadsFirewall(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	p := start(t, databases["sqlite"](t), "--http", "127.0.0.1:0")
	environ := p.besides(t)
	number := netip.MustParseAddrPort(p.addr).Port()
	const input = `
		type filter hook input priority filter; policy drop;
		ct state vmap { invalid : drop, established : accept, related : accept }
		iifname "lo" accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport PORT accept
`
	nft := func(rules string) string {
		return `# Warning: table ip nat is managed by iptables-nft, do not touch!
table inet filter {
	set known {
		type ipv4_addr
		elements = { 10.0.0.1,
			     10.0.0.2 }
	}

	chain devices {
		udp dport { 53, LOW-HIGH } counter packets 1 bytes 2 accept comment "udp drop"
	}

	chain input {` + input + rules + "\n\t}\n}\n"
	}
	iptables := func(rules string) string {
		return `*nat
:INPUT DROP [0:0]
COMMIT
*filter
:INPUT DROP [0:0]
:devices - [0:0]
:not-local - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -j not-local
-A not-local -m addrtype --dst-type LOCAL -j RETURN
-A not-local -j DROP
-A devices -p udp -m multiport --dports 53,LOW:HIGH -m comment --comment "a DROP" -j ACCEPT
` + rules + "\nCOMMIT\n"
	}
	const saved = "iptables-save"
	for name, one := range map[string]struct{ tool, printed, want string }{
		"nft drops": {"nft", nft(""),
			"^failure the chain inet filter input drops packets to UDP port PORT: let UDP port"},
		"nft lets in":      {"nft", nft("udp dport PORT accept"), "^ok "},
		"nft jumps":        {"nft", nft("jump devices"), "^ok "},
		"nft rejects":      {"nft", nft("udp dport PORT reject\naccept"), "^failure "},
		"another port":     {"nft", nft("udp dport != PORT accept"), "^failure "},
		"a map":            {"nft", nft("udp dport vmap { PORT : accept }"), "^not known "},
		"some sources":     {"nft", nft("ip saddr @known udp dport PORT accept"), "^not known "},
		"some, and others": {"nft", nft("ip saddr @known drop\naccept"), "^not known "},
		"IPv6 alone": {"nft", strings.ReplaceAll(nft(""), "inet filter", "ip6 filter"),
			"^warning the chain ip6 filter input drops"},
		"no rules": {"nft", "", "^ok "},
		"iptables": {saved, iptables(""), "^failure the chain iptables filter INPUT drops"},
		"iptables lets in": {saved, iptables("-A INPUT -p udp -m udp --dport PORT -j ACCEPT"),
			"^ok "},
		"iptables jumps": {saved,
			iptables("-A INPUT -j LOG --log-prefix \"in \"\n-A INPUT -j devices"), "^ok "},
		"iptables, some sources": {saved,
			iptables("-A INPUT -s 10.0.0.0/8 -p udp -m udp --dport PORT -j ACCEPT"),
			"^not known "},
		"no right": {"nft", "", "^not known nft can't be read: .*; root can"},
		"no tool":  {"ls", "", "^not known there is neither nft nor iptables"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill := strings.NewReplacer("PORT", fmt.Sprint(number), "LOW", fmt.Sprint(number-1),
				"HIGH", fmt.Sprint(number+1))
			script := "#!" + sh + "\nwhile read -r line; do echo \"$line\"; done <<'END'\n" +
				fill.Replace(one.printed) + "END\n"
			if name == "no right" {
				script = "#!" + sh + "\nexit 1\n"
			}
			err := os.WriteFile(filepath.Join(dir, one.tool), []byte(script), 0o700)
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir)
			said, _ := examine(t, environ)
			wants(t, said, map[string]string{"firewall": fill.Replace(one.want)})
		})
	}
}
