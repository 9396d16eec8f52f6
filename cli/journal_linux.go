package cli

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/tftpsql/tftpsql/config"
)

// toJournal reports whether w goes to systemd's journal: JOURNAL_STREAM names it by device and
// inode (systemd.exec(5)).
func toJournal(w io.Writer, environ []string) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && config.Variable(environ, "JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
