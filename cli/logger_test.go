package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
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

// TestLogRotation: SIGHUP reopens the log's file, and the server goes on.
func TestLogRotation(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no SIGHUP here")
	}
	file := filepath.Join(t.TempDir(), "log")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+databases["sqlite"](t),
		"HTTP_ADDR=none", "TFTP_PORT=0", "TFTP_HOST=127.0.0.1", "TFTP_ALOW=any", "LOG_FILE="+file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	says := func(name, want string) string {
		t.Helper()
		for ctx.Err() == nil {
			b, err := os.ReadFile(name)
			if err == nil && strings.Contains(string(b), want) {
				return string(b)
			}
			runtime.Gosched()
		}
		t.Fatalf("%s never said %q", name, want)
		return ""
	}
	text := says(file, "msg=listening address=")
	if !strings.Contains(text, "look at its spelling") ||
		!strings.Contains(text, "variable=TFTP_ALOW") {
		t.Errorf("nothing about TFTP_ALOW in\n%s", text)
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	says(file, "the log was reopened")
	address := text[strings.Index(text, "msg=listening address=")+len("msg=listening address="):]
	address = address[:strings.IndexAny(address, " \n")]
	if err := (&tftp.Client{}).Put(ctx, address, "fw1.conf", []byte("x")); err != nil {
		t.Error(err)
	}
	says(file, "msg=received")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if old := readFile(t, file+".1"); strings.Contains(old, "msg=received") ||
		!strings.Contains(old, "msg=listening") {
		t.Errorf("the old file says\n%s", old)
	}
}
