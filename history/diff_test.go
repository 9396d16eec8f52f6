package history

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// missing skips a test that needs a program, and fails in CI, where it must be there.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// TestMinimal: a difference has at most 1.1 times the changed lines of git's, and git makes the new
// file of the old one with it.
func TestMinimal(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		missing(t, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pairs := map[string][2]string{
		"first":   {"", "a\nb\n"},
		"last":    {"a\nb\n", ""},
		"no end":  {"a\nb", "a\nb\nc"},
		"end":     {"a\nb\nc", "a\nb\nc\n"},
		"no more": {"a\nb\nc\n", "a\nb\nc"},
		"open":    {"a\nb\nc", "x\nb\nc"},
		"crlf":    {"a\r\nb\r\nc\r\n", "a\r\nx\r\nc\r\n"},
		"around":  {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nb\nc\nd\nE\nf\ng\nh\ni\n"},
		"swapped": {blocks(0, 400) + blocks(400, 800), blocks(400, 800) + blocks(0, 400)},
	}
	for _, edits := range []int{1, 20, 60, 100, 300, 2000} {
		old := blocks(0, 3000)
		pairs[fmt.Sprint(edits, " edits")] = [2]string{old, edited(old, edits, random)}
	}
	pairs["repetitive"] = [2]string{strings.Repeat("next\n", 3000),
		edited(strings.Repeat("next\n", 3000), 50, random)}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			d, err := Compare(Side{Kind: device.KindFull, Body: []byte(pair[0])},
				Side{Kind: device.KindFull, Body: []byte(pair[1])}, Options{Noise: true})
			if err != nil || d.Finding != Lines {
				t.Fatal(d.Finding, err)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a"), pair[0])
			write(t, filepath.Join(dir, "b"), pair[1])
			changed, most := changedLines(d), gitChanges(t, dir)
			if 10*changed > 11*most {
				t.Errorf("%d changed lines, git has %d", changed, most)
			}
			apply(t, dir, d, pair[1])
		})
	}
}

// blocks returns a configuration of entries like a firewall's.
func blocks(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "    edit %d\n        set name \"entry %d\"\n        set action accept\n "+
			"   next\n", i, i)
	}
	return b.String()
}

// edited returns a text with so many lines changed, deleted or added.
func edited(text string, edits int, random *rand.Rand) string {
	lines := strings.SplitAfter(text, "\n")
	for range edits {
		i := random.IntN(len(lines))
		switch random.IntN(3) {
		case 0:
			lines[i] = fmt.Sprintf("        set comment %d\n", random.IntN(1000))
		case 1:
			lines[i] = ""
		default:
			lines[i] += fmt.Sprintf("        set extra %d\n", random.IntN(1000))
		}
	}
	return strings.Join(lines, "")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func changedLines(d Diff) (n int) {
	for _, h := range d.Hunks {
		for _, l := range h.Lines {
			if l.Op != ' ' {
				n++
			}
		}
	}
	return n
}

// gitChanges returns how many lines git shows as changed between the files a and b.
func gitChanges(t *testing.T, dir string) int {
	t.Helper()
	cmd := exec.Command("git", "diff", "--no-index", "--numstat", "--histogram", "a", "b")
	cmd.Dir = dir
	out, err := cmd.Output()
	var status *exec.ExitError
	if f := strings.Fields(string(out)); len(f) >= 2 && (err == nil || errors.As(err, &status)) {
		added, err1 := strconv.Atoi(f[0])
		deleted, err2 := strconv.Atoi(f[1])
		if err := errors.Join(err1, err2); err == nil {
			return added + deleted
		}
	}
	t.Fatalf("git diff said %q: %v", out, err)
	return 0
}

// apply has git make the new file by the difference.
func apply(t *testing.T, dir string, d Diff, want string) {
	t.Helper()
	var patch bytes.Buffer
	patch.WriteString("--- a/a\n+++ b/a\n")
	for _, h := range d.Hunks {
		fmt.Fprintf(&patch, "@@ -%s +%s @@\n", h.Old, h.New)
		for _, l := range h.Lines {
			fmt.Fprintf(&patch, "%c%s\n", l.Op, l.Text)
			if l.Open {
				patch.WriteString("\\ No newline at end of file\n")
			}
		}
	}
	cmd := exec.Command("git", "apply", "--unidiff-zero", "-")
	cmd.Dir, cmd.Stdin = dir, &patch
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("git apply: %v\n%s", err, out)
		return
	}
	got, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil || string(got) != want {
		t.Errorf("git apply made another file: %v", err)
	}
}

// TestPaths: a hunk is headed by the blocks of its first change, and lines have the file's numbers.
func TestPaths(t *testing.T) {
	const old = "config system global\n    set hostname \"fw1\"\nend\nconfig system dns\n    set " +
		"primary 192.0.2.1\nend\n"
	d, err := Compare(Side{Kind: device.KindFull, Body: []byte(old)},
		Side{Kind: device.KindFull, Body: []byte(strings.Replace(old, "192.0.2.1", "192.0.2.2",
			1))}, Options{})
	if err != nil || d.Finding != Lines || len(d.Hunks) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	h := d.Hunks[0]
	if got := strings.Join(h.Path, " > "); got != "config system dns" {
		t.Errorf("path %q", got)
	}
	if l := h.firstChange(); l != (Line{Op: '-', Old: 5, Text: "    set primary 192.0.2.1"}) ||
		h.Old.String() != "2,5" {
		t.Errorf("%+v at %s", l, h.Old)
	}
}

func gate(version string) string {
	return "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=ada\n" +
		"#conf_file_ver=" + version + "\nconfig system global\n    set hostname \"fw1\"\nend\n"
}

// TestFindings: what can't be compared line by line is said, and nothing is no difference.
func TestFindings(t *testing.T) {
	full := func(text string) Side { return Side{Kind: device.KindFull, Body: []byte(text)} }
	for name, c := range map[string]struct {
		old, new Side
		o        Options
		want     Finding
	}{
		"same": {full("a\n"), full("a\n"), Options{}, Same},
		"encrypted": {full("a\n"), Side{Kind: device.KindEncrypted, Body: []byte("x")}, Options{},
			Encrypted},
		"binary": {full("a\n"), full("\x00\x01\x02"), Options{}, Binary},
		"noise":  {full(gate("1")), full(gate("2")), Options{}, Noise},
		"form":   {full("a\n"), full("\xff\xfea\x00\n\x00"), Options{Noise: true}, Form},
		"lines":  {full("a\n"), full("b\n"), Options{}, Lines},
	} {
		if d, err := Compare(c.old, c.new, c.o); err != nil || d.Finding != c.want {
			t.Errorf("%s: %v, %v; want %v", name, d.Finding, err, c.want)
		}
	}
	if _, err := Compare(full("a\n"), full("b\n"), Options{Redact: true}); !errors.Is(err,
		ErrSecretsUnknown) {
		t.Errorf("an unknown platform without its secrets: %v", err)
	}
}

// BenchmarkCompare: 5 MB against 5 MB, with a hundredfold of edits; near linear in both.
func BenchmarkCompare(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, entries := range []int{5000, 50_000} {
		for _, edits := range []int{200, 20_000} {
			old := blocks(0, entries)
			changed := edited(old, edits, random)
			b.Run(fmt.Sprintf("%dKB/%dedits", len(old)>>10, edits), func(b *testing.B) {
				b.SetBytes(int64(len(old)))
				for b.Loop() {
					if _, err := Compare(Side{Body: []byte(old)}, Side{Body: []byte(changed)},
						Options{Noise: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
