package cli

import (
	"flag"
	"fmt"
	"html"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

var updatePicture = flag.Bool("picture", false, "write docs/terminal.svg and docs/mail.png")

// TestPicture holds the README's picture against what the program prints on a terminal. make
// picture writes it.
func TestPicture(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("script is another program here")
	}
	if _, err := exec.LookPath("script"); err != nil { // of util-linux: it makes the terminal
		pgtest.Missing(t, err)
	}
	url := "sqlite:" + filepath.Join(t.TempDir(), "tftpsql.db")
	s := opened(t, url)
	at := time.Date(2025, 11, 17, 3, 0, 0, 0, time.UTC)
	send := func(name, source, body string, night, minutes int) {
		t.Helper()
		when := at.Add(time.Duration(night)*config.Day + time.Duration(minutes)*time.Minute)
		c := capture.Upload{Peer: netip.AddrPortFrom(netip.MustParseAddr(source), 49152),
			Filename: name, Mode: string(tftp.Octet),
			Received: when, Completed: when, Body: []byte(body)}.Capture()
		c.UID = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, name, night, minutes)).String()
		if _, err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	sw := "!\nversion 17.9\nservice timestamps log datetime msec\nhostname sw1\n!\ninterface " +
		"GigabitEthernet1/0/1\n description web\n!\nend\n"
	for night := range 7 {
		policy, dns := "web", "192.0.2.53"
		if night >= 3 {
			dns = "192.0.2.54"
		}
		if night >= 5 {
			policy = "web-and-mail"
		}
		send("acme/fw1.conf", "203.0.113.1", strings.ReplaceAll(
			gate("fw1", fmt.Sprint("r4nd0m", night), policy, dns), "admin-r4nd0m"+fmt.Sprint(night),
			"ada"), night, 0)
		send("acme/fw2.conf", "203.0.113.2", gate("fw2", fmt.Sprint(night), "web", "192.0.2.53"),
			night, 5)
		if night < 4 {
			send("sw1-confg", "192.0.2.17", sw, night, 30)
		}
	}
	p := &program{url: url}
	// what is overdue must not depend on the day of the test
	for _, d := range []string{"acme/fw1", "acme/fw2"} {
		p.must(t, "device", "expect", d, "36500d")
	}
	var screen strings.Builder
	for _, command := range []string{"devices", "log fw1", "diff fw1"} {
		fmt.Fprintf(&screen, "\x1b[1m$ tftpsql %s\x1b[0m\n%s\n", command,
			onTerminal(t, url, command))
	}
	picture := svg(strings.TrimRight(screen.String(), "\n"))
	const file = "docs/terminal.svg"
	if *updatePicture {
		if err := os.WriteFile(file, []byte(picture), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(file); err != nil || string(was) != picture {
		t.Errorf("%s is not what the program prints: make picture; err %v", file, err)
	}
}

// onTerminal runs a command on a terminal and returns what it shows.
func onTerminal(t testing.TB, url, command string) string {
	t.Helper()
	cmd := exec.Command("script", "-qec", os.Args[0]+" "+command, os.DevNull)
	cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+url, "TZ=UTC",
		"TERM=xterm-256color")
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // diff's
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

// colours are what the numbers of a terminal's colours mean here.
var colours = map[string]string{"1": "#ffffff", "31": "#ff7b72", "32": "#7ee787", "36": "#79c0ff"}

const (
	glyph, row, margin = 7.2, 17, 14 // pixels at 12 pixels a letter
	plain              = "#c9d1d9"
)

// svg draws a terminal's screen. Each piece of text has its place and length, so that columns stand
// under one another in any font.
func svg(screen string) string {
	lines := strings.Split(screen, "\n")
	escape := regexp.MustCompile("\x1b\\[([0-9;]*)m")
	words := regexp.MustCompile(`\S+( \S+)*`) // what has one blank between
	width := 0
	var b strings.Builder
	for i, line := range lines {
		column, colour := 0, plain
		draw := func(text string) {
			for _, m := range words.FindAllStringIndex(text, -1) {
				at, length := column+utf8.RuneCountInString(text[:m[0]]),
					utf8.RuneCountInString(text[m[0]:m[1]])
				fmt.Fprintf(&b,
					"<text x=\"%.1f\" y=\"%d\" fill=\"%s\" textLength=\"%.1f\">%s</text>\n",
					margin+glyph*float64(at), margin+row*(i+1)-5,
					colour, glyph*float64(length), html.EscapeString(text[m[0]:m[1]]))
			}
			column += utf8.RuneCountInString(text)
		}
		for rest := line; rest != ""; {
			m := escape.FindStringSubmatchIndex(rest)
			if m == nil {
				draw(rest)
				break
			}
			draw(rest[:m[0]])
			if colour = plain; colours[rest[m[2]:m[3]]] != "" {
				colour = colours[rest[m[2]:m[3]]]
			}
			rest = rest[m[1]:]
		}
		width = max(width, column)
	}
	w, h := int(glyph*float64(width))+2*margin, row*len(lines)+2*margin
	return fmt.Sprintf(
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d"
 width="%d" height="%d" role="img" aria-label="tftpsql devices, log and diff on a terminal">
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
 font-size="12">
%s</g>
</svg>
`, w, h, w, h, b.String())
}
