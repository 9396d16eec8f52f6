package cli

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// atTerminal runs a command on a terminal and returns what reaches it.
func atTerminal(t *testing.T, environ []string, args ...string) (status int, shown string) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() { // ends with an error when the terminal is closed
		b, _ := io.ReadAll(screen)
		read <- string(b)
	}()
	status = Run(t.Context(), "", args, environ, tty, tty)
	_ = tty.Close()
	return status, strings.ReplaceAll(<-read, "\r\n", "\n")
}

// TestHostileTerminal: what configurations hold reaches a terminal as text, too.
func TestHostileTerminal(t *testing.T) {
	ours := regexp.MustCompile(`\x1b\[[0-9;]*m`) // colours
	url, spool := databases["sqlite"](t), filepath.Join(t.TempDir(), "spool.db")
	p := start(t, url)
	for i, name := range hostileNames {
		for _, web := range []string{"web", "mail"} {
			p.put(t, fmt.Sprintf("%d.conf", i), hostileGate(name, web+name))
		}
	}
	away, err := store.Open("postgres://nobody@127.0.0.1:1/nothing",
		store.Options{Own: true, Spool: spool})
	if err != nil {
		t.Fatal(err)
	}
	uid := newUID(t)
	all := strings.Join(hostileNames, "")
	c := capture.Upload{Peer: netip.MustParseAddrPort("192.0.2.1:69"), Filename: all,
		Completed: time.Now(), Body: []byte(hostileGate(all, "web"))}.Capture()
	c.UID = uid
	if _, err := away.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"search", "hostname"}, {"search", "--json", "hostname"}, {"devices"},
		{"spool"}, {"spool", "--json"}, {"spool", "show", uid},
		{"show", "/none" + hostile}, {"log", "/none" + hostile}, {"spool", "show", hostile},
		{"search", "(" + hostile}}
	var devices []wireDevice
	unmarshal(t, p.must(t, "devices", "--json"), &devices)
	for _, d := range devices {
		ref := d.Site + "/" + d.Name
		commands = append(commands, []string{"show", ref}, []string{"diff", ref},
			[]string{"log", ref}, []string{"show", ref, "--redact"},
			[]string{"diff", ref, "--redact"})
	}
	printed := 0
	for _, args := range commands {
		_, out := atTerminal(t, []string{"DATABASE_URL=" + url, "SPOOL=" + spool}, args...)
		if out = ours.ReplaceAllString(out, ""); strings.ContainsAny(out, hostile) ||
			strings.ToValidUTF8(out, "") != out {
			t.Errorf("%q shows %q", args, out)
		}
		printed += strings.Count(out, "gnp.fnoc")
	}
	if printed < 8 {
		t.Errorf("the name was shown only %d times", printed)
	}
}

// TestRestoreOnTerminal: whoever stands at a terminal is told that the device has fetched it,
// without a word about waiting.
func TestRestoreOnTerminal(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t))
	p.put(t, "fw1.conf", fortigate("fw1", "192.0.2.53"))
	go func() { // the device asks again until it is published; ends with the test
		for t.Context().Err() == nil {
			if _, err := (&tftp.Client{}).Get(t.Context(), p.addr, "back.conf"); err == nil {
				return
			}
		}
	}()
	status, shown := atTerminal(t, []string{"DATABASE_URL=" + p.url}, "restore", "fw1", "--as",
		"back.conf")
	if status != 0 || !regexp.MustCompile(`\nfetched    by 127\.0\.0\.1 at `).MatchString(shown) {
		t.Errorf("exit status %d:\n%s", status, shown)
	}
}
