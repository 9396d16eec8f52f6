package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
)

// terminalLog is the log as people read it on a terminal: time of day, level, message, and
// key=value as slog's text has them, which quotes whatever a terminal might obey. It is our own
// because tint, the usual library, passes escape characters in a stranger's file name through.
type terminalLog struct {
	w     io.Writer
	mu    *sync.Mutex // guards w and line
	line  *bytes.Buffer
	attrs slog.Handler // writes into line what comes after the message
}

func newTerminalLog(w io.Writer, o slog.HandlerOptions) *terminalLog {
	line := new(bytes.Buffer)
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey ||
			a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}
	return &terminalLog{w: w, mu: new(sync.Mutex), line: line, attrs: slog.NewTextHandler(line, &o)}
}

// Enabled implements slog.Handler.
func (h *terminalLog) Enabled(ctx context.Context,
	l slog.Level) bool {
	return h.attrs.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h *terminalLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &terminalLog{h.w, h.mu, h.line, h.attrs.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *terminalLog) WithGroup(name string) slog.Handler {
	return &terminalLog{h.w, h.mu, h.line, h.attrs.WithGroup(name)}
}

// Handle implements slog.Handler.
func (h *terminalLog) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	const dim, bold, plain = "\x1b[2m", "\x1b[1m", "\x1b[0m"
	color := "\x1b[32m" // green
	switch {
	case r.Level >= slog.LevelError:
		color = "\x1b[31m" // red
	case r.Level >= slog.LevelWarn:
		color = "\x1b[33m" // yellow
	case r.Level < slog.LevelInfo:
		color = dim
	}
	h.line.Reset()
	h.line.WriteString(dim + r.Time.Format("15:04:05.000") + plain + " " + color +
		(r.Level.String() + " ")[:5] + plain + " " + bold + device.Text(r.Message) + plain + " ")
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.w.Write(h.line.Bytes())
	return err
}

// withoutTime leaves the time to the journal, which has its own before each line.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// logFile is a log that can be reopened, so that it can be rotated.
type logFile struct {
	name string
	mu   sync.Mutex // guards file
	file *os.File
}

// openLogFile opens the log's file. note is what the operator should know of it.
func openLogFile(name string) (l *logFile, note string, err error) {
	file, note, err := openPrivate(name)
	if err != nil {
		return nil, "", err
	}
	return &logFile{name: name, file: file}, note, nil
}

func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(b)
}

// reopen opens the file of that name anew. Where that fails the log goes on in the old one.
func (l *logFile) reopen() (note string, err error) {
	file, note, err := openPrivate(l.name)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close() // every line was written
	l.file = file
	return note, nil
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close() // every line was written
}

// openPrivate opens a file to append to. Where other users could read it, it takes that from them:
// which device sends from where is not their business. Its group keeps its rights, since logs are
// shipped that way.
func openPrivate(name string) (f *os.File, note string, err error) {
	f, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	// /dev/stderr is no regular file
	if mode := st.Mode(); mode.IsRegular() && mode&0o007 != 0 && runtime.GOOS != "windows" {
		if err := f.Chmod(mode.Perm() &^ 0o007); err != nil {
			return f, "other users can read the log: " + err.Error(), nil
		}
		note = "other users could read the log: not any more"
	}
	return f, note, nil
}

// inMilliseconds gives a time span its unit in JSON, where slog writes a bare number of
// nanoseconds: took becomes took_ms.
func inMilliseconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	return slog.Float64(a.Key+"_ms", float64(a.Value.Duration())/float64(time.Millisecond))
}

// coloured reports whether w is a terminal that shows colours (https://no-color.org).
func coloured(w io.Writer, environ []string) bool {
	if runtime.GOOS == "windows" || !isTerminal(w) {
		return false
	}
	for _, v := range environ {
		if v == "TERM=dumb" || strings.HasPrefix(v, "NO_COLOR=") && v != "NO_COLOR=" {
			return false
		}
	}
	return true
}

// newLogger makes the log that the settings ask for. Its file is nil where it goes to stderr.
func newLogger(
	c config.Config, stderr io.Writer, environ []string,
) (*slog.Logger, *logFile, error) {
	if c.LogFile == "" {
		return slog.New(logHandler(c, stderr, environ)), nil, nil
	}
	file, note, err := openLogFile(c.LogFile)
	if err != nil {
		return nil, nil, fmt.Errorf("LOG_FILE (--file-log): %w%s", err, sandboxHint(err))
	}
	log := slog.New(logHandler(c, file, environ))
	if note != "" {
		log.Warn(note, "file", c.LogFile)
	}
	return log, file, nil
}

// sandboxHint says what to do where systemd has made a folder read-only for the service.
func sandboxHint(err error) string {
	if errors.Is(err, syscall.EROFS) {
		return ": under systemd write to /var/log/tftpsql, or add the folder to ReadWritePaths="
	}
	return ""
}

func logHandler(c config.Config, w io.Writer, environ []string) slog.Handler {
	o := &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}
	if c.Verbose {
		o.Level = slog.LevelDebug
	}
	switch {
	case c.LogFormat == "json":
		o.ReplaceAttr = inMilliseconds
		return slog.NewJSONHandler(history.PlainJSON{W: w}, o)
	case coloured(w, environ):
		return newTerminalLog(w, *o)
	case toJournal(w, environ):
		o.ReplaceAttr = withoutTime
	}
	return slog.NewTextHandler(w, o)
}
