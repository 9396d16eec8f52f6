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
	"time"

	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
)

// terminalLog is the log as people read it on a terminal: time of day, level, message, and
// key=value as slog's text has them, which quotes whatever a terminal might obey.
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

// openLog opens the log's file. Where other users could read one that was there, it takes that from
// them: who sends what from where is not their business. What its group may do it still may, since
// that is how logs are shipped. note is what the operator should know of it.
func openLog(name string) (f *os.File, note string, err error) {
	f, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	// /dev/stderr is no file of ours
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
	f, ok := w.(*os.File)
	if !ok || runtime.GOOS == "windows" || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	for _, v := range environ {
		if v == "TERM=dumb" || strings.HasPrefix(v, "NO_COLOR=") && v != "NO_COLOR=" {
			return false
		}
	}
	return true
}

// logger makes the log that the settings ask for.
func logger(c *config.Config, stderr io.Writer, environ []string) (log *slog.Logger,
	closeLog func(), err error) {
	w, closeLog := stderr, func() {}
	if c.LogFile != "" {
		f, note, err := openLog(c.LogFile)
		if err != nil {
			return nil, nil, fmt.Errorf("LOG_FILE (--file-log): %w", err)
		}
		w, closeLog = f, func() { _ = f.Close() }
		if note != "" {
			defer func() { log.Warn(note, "file", c.LogFile) }()
		}
	}
	o := &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}
	if c.Verbose {
		o.Level = slog.LevelDebug
	}
	if c.LogFormat == "json" {
		o.ReplaceAttr = inMilliseconds
		return slog.New(slog.NewJSONHandler(plainJSON{w}, o)), closeLog, nil
	}
	if c.LogFile == "" && coloured(stderr, environ) {
		return slog.New(newTerminalLog(w, *o)), closeLog, nil
	}
	if c.LogFile == "" && toJournal(stderr, environ) {
		o.ReplaceAttr = withoutTime
	}
	return slog.New(slog.NewTextHandler(w, o)), closeLog, nil
}
