package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/pgtest"
)

// ask sends a request with the token, and returns the answer.
func (w *waysIn) ask(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("any", w.token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestWaysAnswers: what HTTP answers to clients that look first, to Oxidized, and to what can't be
// taken.
func TestWaysAnswers(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	form := func(files ...string) string {
		b := ""
		for _, f := range files {
			b += "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + f +
				"\r\n"
		}
		return b + "--B--\r\n"
	}
	const multipart = "multipart/form-data; boundary=B"
	named := func(file string) string {
		return strings.Replace(form(fortigate("form5", "x")), `"x"`, `"`+file+`"`, 1)
	}
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		code               int
		says               string
	}{
		"OPTIONS":          {"OPTIONS", "/in/acme/", "", nil, 200, ""},
		"PROPFIND":         {"PROPFIND", "/in/acme/fw1", "", nil, 207, "multistatus"},
		"MKCOL":            {"MKCOL", "/in/acme/", "", nil, 201, ""},
		"HEAD of a folder": {"HEAD", "/in/acme/", "", nil, 200, ""},
		"HEAD of a file":   {"HEAD", "/in/acme/fw1", "", nil, 404, ""},
		"DELETE":           {"DELETE", "/in/acme/fw1", "", nil, 405, "PUT or POST"},
		"one file": {"POST", "/in/acme/form1", form(fortigate("form1", "x")),
			[]string{"Content-Type", multipart}, 200, "stored acme/form1 @"},
		"two files": {"POST", "/in/acme/form2", form("a", "b"),
			[]string{"Content-Type", multipart}, 400, "one at a time"},
		"a form that is cut": {"POST", "/in/acme/form3", "--B\r\nContent-Disposition: " +
			"form-data; name=\"f\"; filename=\"x\"\r\n\r\nhostname x",
			[]string{"Content-Type", multipart}, 400, "send it again"},
		"to a folder": {"POST", "/in/acme/", named("form5.conf"),
			[]string{"Content-Type", multipart}, 200, "stored acme/form5 @"},
		"to a folder, with a path": {"POST", "/in/acme/", named(`C:\\backup/globex\\form5.conf`),
			[]string{"Content-Type", multipart}, 200, "stored acme/form5 @"},
		"to the first folder": {"POST", "/in/", named("form5.conf"),
			[]string{"Content-Type", multipart}, 200, "stored acme/form5 @"},
		"to a folder, too long": {"POST", "/in/acme/", named(strings.Repeat("x", 510)),
			[]string{"Content-Type", multipart}, 400, "at most 512 bytes"},
		"to a folder, no form": {"POST", "/in/acme/", "x", nil, 400, "send to /in/SITE/NAME"},
		"no file": {"POST", "/in/acme/form4", form(), []string{"Content-Type", multipart}, 400,
			"has no file"},
		"Oxidized": {"POST", "/in/oxidized", `{"msg":"update","user":"eve","group":"acme",` +
			`"node":"ox1","config":"! a switch\nhostname other\n"}`, nil, 200, "stored acme/"},
		"Oxidized, without a configuration": {"POST", "/in/oxidized",
			`{"group":"acme","node":"ox2"}`, nil, 400, "what Oxidized sends"},
		"Oxidized, another's": {"POST", "/in/oxidized",
			`{"group":"globex","node":"ox3","config":"x"}`, nil, 403, "other sites"},
		"Oxidized, without groups": {"POST", "/in/oxidized",
			`{"group":null,"node":"ox4","config":"! x\nhostname ox4\n"}`, nil, 200, "stored acme/"},
		"Oxidized, with an empty group": {"POST", "/in/oxidized",
			`{"group":"","node":"ox4","config":"! x\nhostname ox4\n"}`, nil, 200, "stored acme/"},
		"Oxidized, with its usual group": {"POST", "/in/oxidized",
			`{"group":"default","node":"ox4","config":"! x\nhostname ox4\n"}`, nil, 200,
			"stored acme/"},
		"Oxidized, a control character": {"POST", "/in/oxidized",
			`{"group":"acme","node":"ox\u00005","config":"x"}`, nil, 400, "control character"},
		"a control character": {"PUT", "/in/acme/fw%1b.cfg", "x", nil, 400, "control character"},
		"no site":             {"PUT", "/in/-/fw9", "x", nil, 403, "other sites"},
	} {
		code, text := w.ask(t, c.method, c.path, c.body, c.header...)
		if code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %q, want %d %q", name, code, text, c.code, c.says)
		}
	}
	var devices []wireDevice
	unmarshal(t, w.must(t, "devices", "--json"), &devices)
	if len(devices) != 4 {
		t.Errorf("stored are %d devices: %+v", len(devices), devices)
	}
	var log []wireCapture
	unmarshal(t, w.must(t, "log", "-n", "0", "--json"), &log)
	for _, c := range log {
		if c.Site != "acme" || c.Mode != "http" ||
			c.Device == "form5" && c.Filename != "acme/form5.conf" ||
			strings.HasPrefix(c.Filename, "acme/ox1") && c.ChangedBy != "eve" {
			t.Errorf("%+v", c)
		}
	}
}

// TestWaysTorn: what is shorter than it was announced isn't stored, and its sender has no receipt.
func TestWaysTorn(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	c, err := net.Dial("tcp", strings.TrimPrefix(w.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = io.WriteString(c, "PUT /in/acme/torn HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+
		"Bearer "+w.token+"\r\nContent-Length: 100\r\n\r\nhostname torn\n")
	if err == nil {
		err = c.(*net.TCPConn).CloseWrite()
	}
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text),
		"HTTP/1.1 400 ") {
		t.Errorf("%q, %v", text, err)
	}
	w.log.wait(t, `level=WARN msg=failed op=write mode=http .*file=acme/torn .*ended before`)
	if list := w.must(t, "devices"); strings.Contains(list, "torn") {
		t.Errorf("stored:\n%s", list)
	}
}

// TestWaysSites: no name that a file is given takes it out of the sites of its login or token.
func TestWaysSites(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	none := *w
	none.token = strings.TrimSpace(w.must(t, "token", "add", "none", "--role", "uploader", "--site",
		""))
	for _, path := range []string{"/in/-/globex/a", "/in/globex%2Fb", "/in/-/globex%2Fc"} {
		if code, text := none.ask(t, "PUT", path, "x"); code != 200 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	for _, path := range []string{"/in/acme/globex/d", "/in/globex%2Fe", "/in/acme/..%2Fglobex/f"} {
		if code, text := w.ask(t, "PUT", path, "x"); code != 200 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	file := filepath.Join(t.TempDir(), "g")
	writeText(t, file, "x")
	for _, path := range []string{"/globex/g", "/../globex/g"} {
		if said, ok := w.client(t, "scp", "-P", "-O", file, "acme@127.0.0.1:"+path); !ok {
			t.Error(said)
		}
	}
	if code, _ := w.ask(t, "PUT", "/in/globex/h", "x"); code != 403 {
		t.Errorf("another site: %d", code)
	}
	free := *w
	free.token = strings.TrimSpace(w.must(t, "token", "add", "free", "--role", "uploader"))
	if code, text := free.ask(t, "PUT", "/in/a%00b/i", "x"); code != 400 {
		t.Errorf("a site with a control character: %d %s", code, text)
	}
	var devices []wireDevice
	unmarshal(t, w.must(t, "devices", "--json"), &devices)
	if len(devices) < 7 {
		t.Errorf("%+v", devices)
	}
	for _, d := range devices {
		want := "acme"
		if strings.ContainsAny(d.Name, "abc") {
			want = ""
		}
		if d.Site != want {
			t.Errorf("%s is of the site %q, want %q", d.Name, d.Site, want)
		}
	}
}

// TestWaysFolders: where the site is the login's, a folder names the device of a file whose own
// name says nothing. scp takes a target without a dot for a folder.
func TestWaysFolders(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	file := filepath.Join(t.TempDir(), "running.cfg")
	for _, to := range []string{"core1", "/core2", "acme/core3", "acme", "",
		"core5.cfg.0a1b2c3d.partial"} {
		writeText(t, file, "of "+to)
		if said, ok := w.client(t, "scp", "-P", file, "acme@127.0.0.1:"+to); !ok {
			t.Errorf("%s: %s", to, said)
		}
	}
	for _, path := range []string{"/in/acme/core4/running.cfg", "/in/acme/running.cfg"} {
		if code, text := w.ask(t, "PUT", path, "of "+path); code != 200 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	var devices []wireDevice
	unmarshal(t, w.must(t, "devices", "--json"), &devices)
	var names []string
	for _, d := range devices {
		names = append(names, d.Site+"/"+d.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "acme/127.0.0.1 acme/core1 acme/core2 acme/core3 "+
		"acme/core4 acme/core5" {
		t.Errorf("devices: %s", got)
	}
}

// TestWaysOnce: with write-once no site's files stand in the way of another's, and none learns of
// them. Within a site the name counts, whichever way it came. TFTP has the site in its names.
func TestWaysOnce(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["postgres"](t), "TFTP_WRITE_ONCE=true")
	w.typed(t, waysPassword, "login", "add", "globex", "--site", "globex")
	add := func(site string) *waysIn {
		other := *w
		other.token = strings.TrimSpace(w.must(t, "token", "add", "of-"+site, "--role", "uploader",
			"--site", site))
		return &other
	}
	globex, none := add("globex"), add("")
	file := filepath.Join(t.TempDir(), "prove")
	scp := func(user, path, body string) bool {
		t.Helper()
		writeText(t, file, body)
		_, ok := run(t, "curl", "-sSk", "-u", user+":"+waysPassword, "-T", file,
			"scp://"+w.ssh+path)
		status, _, _ := w.do(t, "search", body, "--history") // curl is deaf
		return ok && status == 0
	}
	put := func(w *waysIn, path, body string) bool {
		t.Helper()
		code, text := w.ask(t, "PUT", path, body)
		if code != 200 && code != 409 {
			t.Errorf("%s: %d %s", path, code, text)
		}
		return code == 200
	}
	for i, c := range []struct {
		what       string
		stored, ok bool
	}{
		{"the first", scp("gate", "/prove.cfg", "first-of-acme"), true},
		{"another site's", scp("globex", "/prove.cfg", "first-of-globex"), true},
		{"again, by SCP", scp("gate", "/prove.cfg", "second-of-acme"), false},
		{"again, by HTTP", put(w, "/in/acme/prove.cfg", "third-of-acme"), false},
		{"again, without the site", put(w, "/in/prove.cfg", "fourth-of-acme"), false},
		{"again, the other site's", put(globex, "/in/prove.cfg", "second-of-globex"), false},
		{"of no site", put(none, "/in/prove.cfg", "first-of-none"), true},
		{"of no site, a folder", put(none, "/in/-/acme/prove.cfg", "second-of-none"), true},
	} {
		if c.stored != c.ok {
			t.Errorf("%d, %s: stored is %v, want %v", i, c.what, c.stored, c.ok)
		}
	}
	w.put(t, "prove.cfg", "by TFTP")
	if status, _, _ := w.do(t, "put", file, w.addr, "acme/prove.cfg"); status == 0 {
		t.Error("TFTP has overwritten a file of the site in its name")
	}
}

// TestWaysApart: a login sees nothing of what others have sent, nor of what it sent before. TFTP,
// which has no login, gives back nothing of it.
func TestWaysApart(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	file := filepath.Join(t.TempDir(), "secret.conf")
	writeText(t, file, fortigate("secret", "x"))
	for _, name := range []string{"scp", "dropbear"} {
		if said, ok := ways[name].send(t, w, file, "backup/secret.conf"); !ok {
			t.Fatal(said)
		}
	}
	batch := filepath.Join(t.TempDir(), "batch")
	writeText(t, batch, "ls -la /\nls -la /backup\n-get /backup/secret.conf /dev/null\n"+
		"-ls -l /backup/secret.conf\n")
	said, ok := w.client(t, "sftp", "-P", "-b", batch, "acme@127.0.0.1")
	listed := regexp.MustCompile(`(?m)^sftp> .*$`).ReplaceAllString(said, "")
	if !ok || regexp.MustCompile(`(?m)^-.* secret\.conf$`).MatchString(listed) ||
		!strings.Contains(listed, "not found") {
		t.Errorf("%v\n%s", ok, said)
	}
	if said, ok := ways["curl -T"].send(t, w, file, "secret.conf"); !ok {
		t.Fatal(said)
	}
	for _, name := range []string{"backup/secret.conf", "acme/secret.conf", "secret.conf",
		"acme/backup/secret.conf"} {
		if status, got, _ := w.do(t, "get", w.addr, name, "-o", "-"); status == 0 {
			t.Errorf("TFTP gives back %s: %q", name, got)
		}
	}
}

// ownAddress is an address of this machine that isn't loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if p, ok := a.(*net.IPNet); ok && p.IP.To4() != nil && p.IP.IsGlobalUnicast() {
			return p.IP.String()
		}
	}
	t.Skip("this machine has no address besides loopback")
	return ""
}

// TestWaysAllow: a source outside TFTP_ALLOW sends by no way, and the failures say what to do.
func TestWaysAllow(t *testing.T) {
	t.Parallel()
	own := ownAddress(t)
	w := startWays(t, databases["sqlite"](t), "TFTP_ALLOW=198.51.100.7", "SSH_ADDR="+own+":0",
		"TRUSTED_PROXIES=127.0.0.1")
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	if said, ok := w.client(t, "scp", "-P", file, "acme@"+own+":/fw1"); ok {
		t.Errorf("by SSH: %s", said)
	}
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x", "X-Forwarded-For", "203.0.113.7"); code !=
		http.StatusForbidden || !strings.Contains(text, "not in TFTP_ALLOW") {
		t.Errorf("by HTTP: %d %s", code, text)
	}
	w.finish(t)
	list := w.must(t, "failures")
	for _, source := range []string{own, "203.0.113.7"} {
		told := regexp.MustCompile(`(?m)` + regexp.QuoteMeta(source) + `\s.*TFTP_ALLOW`)
		if !told.MatchString(list) {
			t.Errorf("nothing of %s in the failures:\n%s", source, list)
		}
	}
	if list := w.must(t, "devices"); strings.Contains(list, "fw1") {
		t.Errorf("stored:\n%s", list)
	}
}

// TestWaysFull: MIN_FREE holds for all ways, and clients hear of it.
func TestWaysFull(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t), "MIN_FREE=8000000GiB")
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	for way, says := range map[string]string{"scp": "", "scp -O": "storage full",
		"curl -T": "storage full"} {
		if said, ok := ways[way].send(t, w, file, "fw1"); ok || !strings.Contains(said, says) {
			t.Errorf("%s: %v %q, want %q", way, ok, said, says)
		}
	}
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x"); code != http.StatusInsufficientStorage {
		t.Errorf("%d %s", code, text)
	}
	w.finish(t)
	if list := w.must(t, "failures"); !strings.Contains(list, "storage full") {
		t.Errorf("failures:\n%s", list)
	}
	if list := w.must(t, "devices"); strings.Contains(list, "fw1") {
		t.Errorf("stored:\n%s", list)
	}
}

// TestWaysStrangers: keys, passwords, names and tokens that nobody has are refused, and counted.
func TestWaysStrangers(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["postgres"](t))
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, "x")
	other := filepath.Join(t.TempDir(), "other")
	if said, ok := run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other); !ok {
		t.Fatal(said)
	}
	mine := w.key
	w.key = other
	if said, ok := ways["scp"].send(t, w, file, "fw1"); ok {
		t.Errorf("with another key: %s", said)
	}
	w.key = mine
	for _, user := range []string{"gate", "nobody", "\xff\xfe", ""} {
		c, err := ssh.Dial("tcp", w.ssh, &ssh.ClientConfig{User: user, Timeout: 10 * time.Second,
			Auth:            []ssh.AuthMethod{ssh.Password("not " + waysPassword)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		if err == nil {
			_ = c.Close()
			t.Errorf("%q is let in", user)
		}
	}
	w.token = "wrong"
	if code, text := w.ask(t, "PUT", "/in/acme/fw1", "x"); code != http.StatusUnauthorized {
		t.Errorf("with another token: %d %s", code, text)
	}
	if strings.Contains(w.log.String(), "storage unavailable") {
		t.Errorf("a name that the database can't hold is no trouble of storage:\n%s", w.log)
	}
	open, err := w.sftp(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	w.must(t, "login", "remove", "acme")
	if f, err := open.Create("/fw1"); err != nil || f.Close() == nil {
		t.Errorf("a connection whose login was removed: %v", err)
	}
	if said, ok := ways["scp"].send(t, w, file, "fw1"); ok {
		t.Errorf("a login that was removed: %s", said)
	}
	w.finish(t)
	list := w.must(t, "failures")
	for _, name := range []string{"login or token refused", "acme", "tftpsql login list"} {
		if !strings.Contains(list, name) {
			t.Errorf("no %q in the failures:\n%s", name, list)
		}
	}
}

// liar offers a key that it doesn't have.
type liar struct {
	ssh.Signer
	public ssh.PublicKey
}

func (l liar) PublicKey() ssh.PublicKey { return l.public }

// TestWaysUsed: a login is used by who has its key, not by who offers it.
func TestWaysUsed(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t))
	signer := func(text []byte, err error) ssh.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		s, err := ssh.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	mine := signer(os.ReadFile(w.key))
	other := filepath.Join(t.TempDir(), "other")
	if said, ok := run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other); !ok {
		t.Fatal(said)
	}
	for _, c := range []struct {
		key  ssh.Signer
		used bool
	}{{liar{signer(os.ReadFile(other)), mine.PublicKey()}, false}, {mine, true}} {
		conn, err := ssh.Dial("tcp", w.ssh, &ssh.ClientConfig{User: "acme",
			Auth:            []ssh.AuthMethod{ssh.PublicKeys(c.key)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		if err == nil { // a channel is served after the login was noted
			_, _, _ = conn.OpenChannel("session", nil)
			_ = conn.Close()
		}
		list := w.must(t, "login", "list")
		used := !regexp.MustCompile(`(?m)^acme .*never`).MatchString(list)
		if (err == nil) != c.used || used != c.used {
			t.Errorf("logged in: %v, used: %v, want both %v\n%s", err, used, c.used, list)
		}
	}
}

// TestWaysVerbose: at level debug the log follows an upload from its connection to its end, also
// one that is refused, and has nothing that lets anybody in.
func TestWaysVerbose(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t), "LOG_LEVEL=debug")
	const wrong = "a wrong password"
	if c, err := ssh.Dial("tcp", w.ssh, &ssh.ClientConfig{User: "gate",
		Auth:            []ssh.AuthMethod{ssh.Password(wrong)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()}); err == nil {
		_ = c.Close()
		t.Error("a wrong password got in")
	}
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	for _, way := range []string{"scp -O", "curl scp", "curl -T"} {
		if said, ok := ways[way].send(t, w, file, "fw1.conf"); !ok {
			t.Fatal(said)
		}
	}
	if code, _ := w.ask(t, "PUT", "/in/globex/fw1", "x"); code != http.StatusForbidden {
		t.Error(code)
	}
	for _, line := range []string{
		`level=DEBUG msg=connected peer=127\.\S+ local=127\.`,
		`level=DEBUG msg="attempt refused" peer=\S+ user=gate client=\S+ err=`,
		`level=DEBUG msg="logged in" peer=\S+ user=acme client=.+ login=acme site=acme`,
		`level=DEBUG msg="logged in" peer=\S+ user=gate client=\S+ login=gate site=acme`,
		`level=DEBUG msg=begun op=write mode=scp peer=\S+ login=gate file=/fw1.conf site=acme`,
		`msg=received op=write mode=scp peer=\S+ login=gate file=/fw1.conf bytes=`,
		`level=DEBUG msg=request peer=127\S+ method=PUT path=/in/acme/fw1.conf status=200`,
		`level=DEBUG msg=request peer=127\S+ method=PUT path=/in/globex/fw1 status=403`,
	} {
		w.log.wait(t, line)
	}
	public, err := os.ReadFile(w.key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{waysPassword, wrong, w.token,
		strings.Fields(string(public))[1]} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// finish ends the program, which writes the failures that it has counted.
func (p *program) finish(t *testing.T) {
	t.Helper()
	p.stop()
	status := <-p.status
	p.status <- status
}

// TestWaysSIGTERM: uploads under way end well after the signal, no new one begins, and the program
// exits with 0.
func TestWaysSIGTERM(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("no SIGTERM here")
	}
	t.Parallel()
	url := databases["sqlite"](t)
	cmd, log := childWith(t, url, []string{"SSH_ADDR=127.0.0.1:0"}, "--http", "127.0.0.1:0")
	log.wait(t, `msg=listening`)
	w := loggedIn(t, &program{url: url, log: log})
	client, err := w.sftp(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	bodies := []string{fortigate("fw1", "x"), fortigate("fw2", "x")}
	file, err := client.Create("/fw2")
	if err == nil {
		_, err = io.WriteString(file, bodies[1][:10])
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(w.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say := func(text string) {
		t.Helper()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	say("PUT /in/acme/fw1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + w.token +
		"\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(c)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "stopping: no new requests")
	if code, text := w.ask(t, "PUT", "/in/acme/late", "x"); code != 503 {
		t.Errorf("a new one: %d %s", code, text)
	}
	_, err = io.WriteString(file, bodies[1][10:])
	if err := errors.Join(err, file.Close()); err != nil {
		t.Errorf("by SFTP: %v\n%s", err, log)
	}
	say(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(bodies[0]), bodies[0]))
	text, err := io.ReadAll(answers)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) ||
		!strings.Contains(string(text), "stored acme/fw1 @2 changed") {
		t.Errorf("by HTTP: %q, %v", text, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	for i, body := range bodies {
		if got := w.must(t, "show", fmt.Sprintf("acme/fw%d", i+1)); got != body {
			t.Errorf("%q is stored", got)
		}
	}
	if list := w.must(t, "devices"); strings.Contains(list, "late") {
		t.Error(list)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("an orderly end is no error:\n%s", log)
	}
}

// TestWaysStalled: while PostgreSQL hangs, logins and tokens that were found before hold, and what
// they send is kept in the spool.
func TestWaysStalled(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	w := startWays(t, server.Create(t), "SPOOL="+filepath.Join(t.TempDir(), "spool.db"))
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	kinds := []string{"scp", "dropbear", "curl -T"}
	for _, name := range kinds {
		if said, ok := ways[name].send(t, w, file, "fw1.conf"); !ok {
			t.Fatalf("%s: %s", name, said)
		}
	}
	if err := server.Stall(); err != nil {
		pgtest.Missing(t, err)
	}
	began := time.Now()
	for _, name := range kinds {
		writeText(t, file, fortigate("fw1", "by "+name))
		if said, ok := ways[name].send(t, w, file, "fw1.conf"); !ok {
			t.Errorf("%s: not kept in the spool: %s\n%s", name, said, w.log)
		}
	}
	t.Logf("%d uploads took %s", len(kinds), time.Since(began))
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	w.log.wait(t, "PostgreSQL is back")
	for _, name := range kinds {
		if got := w.must(t, "search", "by "+name, "--history"); !strings.Contains(got, "fw1") {
			t.Errorf("what came by %s was not forwarded: %q", name, got)
		}
	}
}

// TestSSHAddrTaken: a port in use is said, and leaves no database behind.
func TestSSHAddrTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "test.db")
	status, _, errs := do(t, []string{"DATABASE_URL=sqlite:" + file, "SSH_ADDR=" +
		l.Addr().String()}, "-p", "0", "--host", "127.0.0.1", "--http", "none")
	if status != 1 || !strings.Contains(errs, "SSH_ADDR") || !strings.Contains(errs,
		"another program listens there") {
		t.Errorf("%d %s", status, errs)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database is left: %v", err)
	}
}
