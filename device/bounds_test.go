package device_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/device"
)

// beginnings returns the start of a file of every platform that testdata has, which gets what
// follows it read as that platform's.
func beginnings(t testing.TB) map[string]string {
	heads := map[string]string{"": ""}
	b := read(t, "expected.tsv")
	for line := range strings.Lines(b) {
		cells := strings.Split(line, "\t")
		if cells[0] == "path" {
			continue
		}
		if config := read(t, cells[0]); heads[cells[1]] == "" && !strings.ContainsRune(config, 0) {
			heads[cells[1]] = config
		}
	}
	return heads
}

// hostile is what no device writes, of about n bytes.
var hostile = map[string]func(n int) string{
	"one line":          func(n int) string { return strings.Repeat("x", n) },
	"one line of words": func(n int) string { return strings.Repeat("password 7 ", n/11) },
	"one line of blank": func(n int) string { return strings.Repeat(" ", n) },
	"only quotes":       func(n int) string { return strings.Repeat(`"`, n) },
	"backslashes":       func(n int) string { return strings.Repeat(`\`, n) },
	"open quotes":       func(n int) string { return strings.Repeat("set x \"\n", n/8) },
	"config blocks":     func(n int) string { return strings.Repeat("config x\n", n/9) },
	"one long block": func(n int) string {
		return "config " + strings.Repeat("x", n/2) + "\n" + strings.Repeat(" x\n", n/6)
	},
	"edit blocks":      func(n int) string { return strings.Repeat("edit x\n", n/7) },
	"ends":             func(n int) string { return strings.Repeat("end\n", n/4) },
	"braces":           func(n int) string { return strings.Repeat("x {\n", n/4) },
	"closing braces":   func(n int) string { return strings.Repeat("}\n", n/2) },
	"tags":             func(n int) string { return strings.Repeat("<x>\n", n/4) },
	"tags on one line": func(n int) string { return strings.Repeat("<x>", n/3) },
	"brackets":         func(n int) string { return strings.Repeat("[", n) },
	"deeper and deeper": func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(strings.Repeat(" ", i))
			b.WriteString("x\n")
		}
		return b.String()
	},
	"banners":    func(n int) string { return strings.Repeat("banner motd ^C\n", n/15) },
	"one banner": func(n int) string { return "banner motd #\n" + strings.Repeat("x\n", n/2) },
	"automatic": func(n int) string {
		return strings.Repeat(" tunnel mpls traffic-eng bandwidth 1\n", n/37)
	},
	"blank lines": func(n int) string { return strings.Repeat("\n", n) },
	"CRs":         func(n int) string { return strings.Repeat("\r", n) },
	"CR LFs":      func(n int) string { return strings.Repeat("\r\n", n/2) },
	"prompts":     func(n int) string { return strings.Repeat("r1#show run\n", n/12) },
	"NULs":        func(n int) string { return strings.Repeat("\x00", n) },
	"comments":    func(n int) string { return strings.Repeat("! by by by\n", n/11) },
	"headers":     func(n int) string { return strings.Repeat("#config-version=:user=\n", n/23) },
	"secret ENC":  func(n int) string { return strings.Repeat("set a ENC x\n", n/12) },
	"sealed keys": func(n int) string {
		return strings.Repeat("set private-key \"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", n/55)
	},
	"keys":          func(n int) string { return strings.Repeat("key key ", n/8) },
	"equals signs":  func(n int) string { return strings.Repeat("=$a$xyz", n/7) },
	"open secrets":  func(n int) string { return strings.Repeat("password={", n/10) },
	"one-line keys": func(n int) string { return strings.Repeat("BEGIN PRIVATE KEY- END ", n/23) },
	"tokens":        func(n int) string { return strings.Repeat(" eyJ\"eyJ", n/8) },
	"classes":       func(n int) string { return strings.Repeat("policy-map a\nclass b\n", n/21) },
	"timeouts":      func(n int) string { return strings.Repeat("sflow timeout ", n/14) },
	"JSON":          func(n int) string { return strings.Repeat("\"a\": [\n", n/7) },
	"names":         func(n int) string { return strings.Repeat("hostname x\n", n/11) },
	"comment marks": func(n int) string { return strings.Repeat("/*\n", n/3) },
	"half a file":   func(n int) string { return strings.Repeat("\xff\xfe\x00\xd8", n/4) },
}

// TestHostile: what is hostile takes time and memory linear in its size, on every platform. Linear
// is told from quadratic by a bound that no machine needs, and memory by what is allocated.
func TestHostile(t *testing.T) {
	const size = 1 << 16
	for platform, head := range beginnings(t) {
		for name, make := range hostile {
			config := []byte(head + "\n" + make(size))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			device.Examine(config)
			runtime.ReadMemStats(&after)
			took := shortest(func() { device.Examine(config) })
			if used := after.TotalAlloc - before.TotalAlloc; used > 4*uint64(len(config)) {
				t.Errorf("%s: %s: %d bytes of memory for %d", platform, name, used, len(config))
			}
			took = max(took, shortest(func() {
				lines := 0
				for l := range device.Lines(config) {
					if lines++; lines%100 == 1 {
						l.Path()
						l.Redacted()
					}
				}
			}))
			if took > time.Second {
				t.Errorf("%s: %s: %s for %d bytes", platform, name, took, len(config))
			}
		}
	}
}

// shortest returns how long do takes, tried again where a busy machine may be why it took long.
func shortest(do func()) time.Duration {
	least := time.Hour
	for try := 0; try < 3 && least > time.Second/4; try++ {
		start := time.Now()
		do()
		least = min(least, time.Since(start))
	}
	return least
}

// TestLargest: the longest line that is taken, and the most that unpacks.
func TestLargest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second and much memory")
	}
	header := "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=x\n"
	for name, config := range map[string][]byte{
		"one line":      []byte(header + strings.Repeat("x", device.MaxDecoded-len(header))),
		"config blocks": []byte(header + strings.Repeat("config x\n", 1<<20)),
		"open quotes":   []byte(header + strings.Repeat("set x \"\n", 1<<20)),
		"gzip bomb":     bomb(t, device.MaxDecoded+1<<20),
		"zip bomb":      zipBomb(t, device.MaxDecoded+1<<20),
		"zip of many":   manyFiles(t, 1<<16+1),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		id, _ := device.Examine(config)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		t.Logf("%s: %d bytes: %s, %d MiB", name, len(config), took,
			(after.TotalAlloc-before.TotalAlloc)>>20)
		if used := after.TotalAlloc - before.TotalAlloc; used > 3*device.MaxDecoded ||
			took > 10*time.Second {
			t.Errorf("%s: %d bytes of memory, %s", name, used, took)
		}
		if name != "one line" && name != "config blocks" && name != "open quotes" &&
			(id != device.Identity{Kind: device.KindOther, Complete: true}) {
			t.Errorf("%s is %+v", name, id)
		}
	}
}

func bomb(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros(t, w.Write, size)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipBomb(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestSpeed)
	})
	f, err := w.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	zeros(t, f.Write, size)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zeros(t *testing.T, write func([]byte) (int, error), size int) {
	t.Helper()
	b := bytes.Repeat([]byte("set x y\n"), 1<<17)
	for ; size > 0; size -= len(b) {
		if _, err := write(b); err != nil {
			t.Fatal(err)
		}
	}
}

// manyFiles returns an archive of n empty files which says that it has one.
func manyFiles(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for range n {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := out.Bytes()
	end := len(b) - 22
	b[end+8], b[end+9], b[end+10], b[end+11] = 1, 0, 1, 0
	return b
}

func FuzzExamine(f *testing.F) {
	for _, head := range beginnings(f) {
		f.Add([]byte(head))
	}
	f.Add([]byte("#config-version=FG-7.0.0:user=a\nset a \"\nset private-key \"-----BEGIN " +
		"ENCRYPTED PRIVATE KEY-----\nab\n-----END\"\n"))
	f.Add(utf16Of("version 15.2\nservice timestamps x\nhostname a\n", 0, 8))
	f.Add(gzipped([]byte("#config-version=FG-7.0.0\nconfig x\nend\n")))
	f.Fuzz(func(t *testing.T, config []byte) {
		id, sum := device.Examine(config)
		if id != device.Identify(config) || sum != device.Fingerprint(config) {
			t.Fatal("Examine is not Identify and Fingerprint")
		}
		for _, v := range []string{id.Platform, id.Name, id.Model, id.OSVersion, id.Build,
			id.Serial, id.Kind, id.ChangedBy, id.ExportedBy} {
			if !utf8.ValidString(v) || len(v) > 260 ||
				device.Text(strings.ReplaceAll(v, `\`, "")) != strings.ReplaceAll(v, `\`, "") {
				t.Errorf("%q is no value to show", v)
			}
		}
		if id.Kind == "" {
			t.Error("no kind")
		}
		if !device.Readable(config) {
			for range device.Lines(config) {
				t.Fatal("lines of what can't be read")
			}
			return
		}
		significant, number, noise := sha256.New(), 0, map[int]bool{}
		var text [][]byte
		for l := range device.Lines(config) {
			if number++; l.Number != number {
				t.Errorf("line %d is number %d", number, l.Number)
			}
			if len(l.Path()) > 64 {
				t.Errorf("a path of %d blocks", len(l.Path()))
			}
			if !l.Noise {
				significant.Write(append(l.Significant(), '\n'))
			}
			l.Redacted()
			noise[number] = l.Noise
			text = append(text, bytes.Clone(l.Text))
		}
		if got := [sha256.Size]byte(significant.Sum(nil)); got != sum {
			t.Error("the fingerprint is not the hash of the significant lines")
		}
		joined := bytes.Join(text, []byte("\n"))
		if plain := config; !packed(plain) && len(plain) < 32<<10 {
			want := bytes.Split(bytes.TrimSuffix(bytes.TrimPrefix(plain, []byte("\xef\xbb\xbf")),
				[]byte("\n")), []byte("\n"))
			for i := range want {
				want[i] = bytes.TrimRight(want[i], "\r")
			}
			if !bytes.Equal(bytes.Join(want, []byte("\n")), joined) {
				t.Errorf("the lines are not the text's: %q, want %q", joined,
					bytes.Join(want, []byte("\n")))
			}
		}
		if len(joined) > 32<<10 || packed(joined) ||
			bytes.HasPrefix(joined, []byte("\xef\xbb\xbf")) || bytes.ContainsRune(joined, '\r') {
			return
		}
		same := func(form string, other []byte) {
			if device.Fingerprint(other) != sum {
				t.Errorf("with %s it has another fingerprint", form)
			}
		}
		same("CRLF", bytes.ReplaceAll(joined, []byte("\n"), []byte("\r\n")))
		same("a BOM", append([]byte("\xef\xbb\xbf"), joined...))
		if id.Platform != "" && !noise[1] && len(text) > 0 && len(text[0]) > 0 {
			same("a prompt before", append([]byte("r1#show run\n"), joined...))
		}
	})
}

// packed reports whether a text is looked through: as an archive, or in another encoding.
func packed(b []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "PK\x03\x04", "\xff\xfe", "\xfe\xff",
		"\xef\xbb\xbf\xef\xbb\xbf"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}
