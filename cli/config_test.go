package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestLogFile: -l, and the flags of py3tftp with numbers in seconds.
func TestLogFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	p := start(t, databases["sqlite"](t), "-v", "--ack-timeout", "0.2", "--conn-timeout", "7.5")
	p.put(t, "x", "y")
	url := databases["sqlite"](t)
	if status, _, errs := do(t, []string{"DATABASE_URL=" + url}, "-l", file, "-p",
		strings.TrimPrefix(p.addr, "127.0.0.1:"), "--host", "127.0.0.1"); status != 1 {
		t.Errorf("%d %s", status, errs)
	}
	if status, out, _ := do(t, nil, "--version"); status != 0 ||
		!strings.HasPrefix(out, "tftpsql ") {
		t.Error(out)
	}
	if b := readFile(t, file); !strings.Contains(b, "choose another port") {
		t.Errorf("the log file says %q", b)
	}
	if runtime.GOOS == "windows" {
		return
	}
	// the file was there
	for was, is := range map[os.FileMode]os.FileMode{0o644: 0o640, 0o640: 0o640, 0o666: 0o660,
		0o600: 0o600} {
		if err := errors.Join(os.WriteFile(file, []byte("older\n"), 0o600),
			os.Chmod(file, was)); err != nil {
			t.Fatal(err)
		}
		if status, _, errs := do(t, []string{"DATABASE_URL=" + url}, "-l", file, "-p",
			strings.TrimPrefix(p.addr, "127.0.0.1:"), "--host", "127.0.0.1"); status != 1 {
			t.Errorf("%d %s", status, errs)
		}
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if b := readFile(t, file); st.Mode() != is || !strings.HasPrefix(b, "older\n") ||
			strings.Contains(b, "other users could read the log: not any more") != (was != is) {
			t.Errorf("%v has become %v and says %q", was, st.Mode(), b)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
