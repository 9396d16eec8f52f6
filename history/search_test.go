package history

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// fortios is a configuration of FortiOS with lines.
func fortios(lines ...string) string {
	return "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=backup\n" +
		"config system global\n    set hostname \"fw1\"\nend\nconfig firewall address\n" +
		"    edit \"a\"\n        " + strings.Join(lines, "\n        ") + "\n    next\nend\n"
}

// searched are configurations in which a text is not where it seems to be.
func searched(t testing.TB) []string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(fortios(`set comment "packed Needle"`))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var wide strings.Builder
	for _, r := range fortios(`set comment "wide Needle"`) {
		wide.WriteByte(byte(r))
		wide.WriteByte(0)
	}
	plain := fortios(`set comment "Needle 1"`, `set passwd ENC SecretNeedle0123456789==`,
		`set comment "50% off_all \ 'a' <secret> >x<"`, `set comment "n\xc3edle"`,
		"set comment \"M\u00dcNCHEN stra\u00dfe \ufffd\"", "set comment \"m\u00fcnchen\"",
		"set comment \"\u212aas\u017fe\"",
		"set comment \"bytes \xff\xfe ne\xffedle\"", `set comment "needle NEEDLE needle"`,
		`set psksecret Needle`)
	return []string{plain, strings.ReplaceAll(plain, "\n", "\r\n"),
		strings.ReplaceAll(plain, "\n", "\r\r\n"), strings.ReplaceAll(plain, "\n", "\r"),
		strings.ReplaceAll(plain, "\n", "\n\r"), strings.TrimSuffix(plain, "\n") + "\r",
		plain + "\x00\x00\x1a", "\xef\xbb\xbf" + plain, packed.String(), wide.String(),
		"fw1 # show\n" + fortios("set comment \"Nxx\b\beedle\"", "set comment \"Nee\x1b[1Dedle\""),
		"nothing that is known: Needle\nneedle\x00\n", "no platform: needle Needle\nend",
		"x\rneedle\nend needle\r\n", "one needle\nneedle\nlast\n", "Needle", ""}
}

var soughtPatterns = []string{"Needle", "needle", "(?i)NEEDLE", `ne.*le`, `(?:n|m)eedle$`,
	"^needle",
	`needle\z`, `\Aneedle`, `(?-m:needle$)`, "", ".", "$", "^$", `\bend\b`,
	`end\nconfig`, `end\r`,
	"end\r?$", "needle\r\n", "50%", "%", "_", `off_all`, `\\`, `'a'`, "<secret>", "secret", "ecre",
	`t> >x<`, `ENC <`, "(?i)ENC <SECRET>", "SecretNeedle", "(?i)m\u00fcnchen", "(?i)kasse",
	"(?i)\u212aA\u017fSE", "(?i)STRA\u00dfE", "\ufffd", "ne\ufffdedle", `bytes \x{fffd}`, `\xff`,
	`(?i)comment "(needle|bytes|wide)`, `(needle|end|)`, `(?:needle){2,}`, `(?:needle ?){0,}x`,
	`(?i:N)eedle 1`, `[Nn]eedle`, `ne+dle`, `a|b|c|d|e|f|g|h|i|j`, `hostname`, "set passwd",
	`(?s)end.config`, `\x00`, `x\rneedle`}

// TestSearchFinds: what is looked for in a hurry is what a look at each line finds, whatever the
// bytes, and nothing in what is hidden.
func TestSearchFinds(t *testing.T) {
	everyDatabase(t, func(t *testing.T, database string) {
		h := keep(t, database)
		var plain, redacted []looked
		for i, text := range searched(t) {
			h.add(t, text, func(c *store.Capture) { c.Name = fmt.Sprintf("d%02d", i) })
			plain = append(plain, newLooked([]byte(text), false))
			redacted = append(redacted, newLooked([]byte(text), true))
		}
		some := 0
		for _, pattern := range soughtPatterns {
			for _, q := range []Query{{}, {Redact: true, Around: 2}} {
				q.Pattern = regexp.MustCompile("(?m:" + pattern + ")")
				got, want := []string{}, []string{}
				for m, err := range Search(t.Context(), h.store, q) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, told(m))
				}
				of := plain
				if q.Redact {
					of = redacted
				}
				for i, r := range h.records {
					for _, m := range of[i].find(q, r) {
						want = append(want, told(m))
					}
				}
				if some += len(got); !slices.Equal(got, want) {
					t.Errorf("%q, redact %v:\n%q\nwant\n%q", pattern, q.Redact, got, want)
				}
				if q.Redact && strings.Contains(fmt.Sprint(got), "SecretNeedle") {
					t.Errorf("%q: a secret was found: %q", pattern, got)
				}
			}
		}
		if some < 400 {
			t.Errorf("%d lines were found in all", some)
		}
	})
}

// TestSearchMany: a search hands on what it finds in a large configuration without collecting it.
func TestSearchMany(t *testing.T) {
	h := keep(t, "sqlite")
	const lines = 100_000
	h.add(t, fortios()+"config x\n"+strings.Repeat("a\n", lines)+"end\n", func(*store.Capture) {})
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, q := range []Query{{}, {Redact: true, Around: 2}} {
		q.Pattern = regexp.MustCompile("(?m:^a$)")
		before, n, last := inUse(), 0, 0
		for m, err := range Search(t.Context(), h.store, q) {
			if err != nil || m.Line <= last || q.Around > 0 && n < lines-2 && len(m.After) != 2 {
				t.Fatalf("%d after %d: %v, %v", m.Line, last, m.After, err)
			}
			last = m.Line
			if n++; n == 2000 {
				if now := inUse(); now > before+10<<20 {
					t.Errorf("redact %v: %d MB are held", q.Redact, (now-before)>>20)
				}
			}
		}
		if n != lines {
			t.Errorf("redact %v: %d lines", q.Redact, n)
		}
	}
}

func told(m Match) string {
	return fmt.Sprintf("%s:%d:%q:%s %v %v", m.Device, m.Line, m.Path, m.Text, m.Before, m.After)
}

// looked is a configuration whose lines are looked at one by one.
type looked struct {
	whole []byte
	lines []Match
}

func newLooked(body []byte, redact bool) (l looked) {
	whole, lines := device.Decode(body), device.Outline
	if redact {
		var err error
		if whole, err = Redacted(body); err != nil {
			return looked{}
		}
		lines = device.Lines
	}
	l.whole = bytes.ReplaceAll(whole, []byte("\r\n"), []byte("\n"))
	for line := range lines(body) {
		text := line.Text
		if redact {
			text = line.Redacted()
		}
		l.lines = append(l.lines, Match{Line: line.Number, Path: line.Path(), Text: string(text)})
	}
	return l
}

// find is what a search finds, the slow way.
func (l looked) find(q Query, r store.Record) (found []Match) {
	if !q.Pattern.Match(l.whole) {
		return nil
	}
	numbered := make([]Numbered, len(l.lines))
	for i, m := range l.lines {
		numbered[i] = Numbered{m.Line, m.Text}
	}
	for i, m := range l.lines {
		if m.Record = r; !q.Pattern.MatchString(m.Text) {
			continue
		}
		if q.Around > 0 {
			m.Before = numbered[max(0, i-q.Around):i]
			m.After = numbered[i+1 : min(len(numbered), i+1+q.Around)]
		}
		found = append(found, m)
	}
	return found
}
