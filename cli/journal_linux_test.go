package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/tftpsql/tftpsql/config"
)

// TestJournal: the journal has a time before each line, so the log has none there; wherever else
// stderr goes it has.
func TestJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	for _, stream := range []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", st.Dev, st.Ino),
		"JOURNAL_STREAM=1:1", "X="} {
		log, _, err := newLogger(config.Config{LogFormat: "text"}, f, []string{stream})
		if err != nil {
			t.Fatal(err)
		}
		log.Info("here", "stream", stream)
	}
	if got := readFile(t, file); !regexp.MustCompile(
		`^level=INFO msg=here .*\ntime=\S+ level=INFO msg=here .*\n` +
			`time=\S+ level=INFO msg=here .*\n$`).MatchString(got) {
		t.Error(got)
	}
}
