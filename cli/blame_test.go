package cli

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

type wireBlamed struct {
	Line       int       `json:"line"`
	Path       []string  `json:"path"`
	Text       string    `json:"text"`
	Noise      bool      `json:"noise"`
	ID         int64     `json:"id"`
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	Before     bool      `json:"before"`
	Previous   *int64    `json:"previous"`
}

// TestBlame: each line is printed with the version that brought it, whatever the device encrypts
// anew for each upload.
func TestBlame(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		for _, c := range []struct{ salt, policy, dns string }{
			{"salt1", "web", "192.0.2.53"}, {"salt2", "web", "192.0.2.53"},
			{"salt3", "web", "192.0.2.54"}, {"salt4", "mail", "192.0.2.54"},
		} {
			p.put(t, "a.conf", gate("fw1", c.salt, c.policy, c.dns))
		}
		p.put(t, "b.conf", "#FGBK|4|FGT60F|7|04|2731|\x00one") // @5
		p.put(t, "c.conf", "red \x1b[31m\n")                   // @6
		out := p.must(t, "blame", "fw1")
		if n := strings.Count(out, "\n"); n != strings.Count(gate("fw1", "", "", ""), "\n") {
			t.Errorf("%d lines:\n%s", n, out)
		}
		for _, want := range []string{
			`@1  exported by admin-salt1   5  config system global\n`,
			`@1  exported by admin-salt1  20          set passwd ENC salt4\n`,
			`@4  exported by admin-salt4  25          set name "mail"\n`,
			`@3  exported by admin-salt3  33      set primary 192\.0\.2\.54\n`,
		} {
			if !regexp.MustCompile(`(?m)^[-\d]+ \S+  ` + want).MatchString(out) {
				t.Errorf("nothing is %s in\n%s", want, out)
			}
		}
		var lines []wireBlamed
		unmarshal(t, p.must(t, "blame", "fw1", "^ +set (PRIMARY|passwd)", "-i", "--json",
			"--redact"), &lines)
		if len(lines) != 2 || lines[0].ID != 1 || lines[0].Previous != nil || lines[1].ID != 3 ||
			lines[1].Line != 33 || lines[1].Previous == nil || *lines[1].Previous != 2 ||
			lines[0].Text != "        set passwd ENC <secret>" ||
			strings.Join(lines[0].Path, " > ") != `config user local > edit "guest"` ||
			lines[1].ExportedBy != "admin-salt3" || lines[1].ChangedBy != "" ||
			lines[1].Before || lines[1].Noise ||
			time.Since(lines[1].ReceivedAt) > time.Hour || lines[1].UID == "" {
			t.Errorf("blame --json: %+v", lines)
		}
		if out := p.must(t, "blame", "fw1~1", "--path", "policy > 12", "-F", "name"); !strings.
			Contains(out, "  25          set name \"web\"\n") ||
			strings.Count(out, "\n") != 1 {
			t.Errorf("blame of the version before, in a path:\n%s", out)
		}
		status, out, errs := p.do(t, "blame", "fw1", "primary|mail", "-n", "2")
		if status != 0 || !strings.HasPrefix(out, "20") || !strings.Contains(out, "\nbefore 20") ||
			!strings.Contains(errs, "--number") {
			t.Errorf("blame -n 2: %d\n%s%s", status, out, errs)
		}
		for _, c := range []struct {
			args   string
			status int
			says   string
		}{
			{"blame fw1 nosuchtext", 1, ""}, {"blame fw1 --path nosuch", 1, ""},
			{"blame none", 2, "no device"}, {"blame", 2, "usage: tftpsql blame REF [PATTERN]"},
			{"blame fw1 [", 2, "--fixed-strings"}, {"blame @5", 2, "encrypted"},
			{"blame @6 --redact", 2, "--redact=false"}, {"blame @6", 0, ""},
		} {
			if status, _, errs := p.do(t, strings.Fields(c.args)...); status != c.status ||
				!strings.Contains(errs, c.says) {
				t.Errorf("%s: %d, %s", c.args, status, errs)
			}
		}
	})
}
