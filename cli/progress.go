package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/config"
)

// drawEvery is how often a progress bar moves: as often as an eye sees, which costs nothing beside
// the transfer.
const drawEvery = 100 * time.Millisecond

// A lineFunc writes how far something is: done of total, after a time, for a terminal of so many
// columns.
type lineFunc func(done, total int64, took time.Duration, width int) string

// drawProgress draws lines over one another where w is a terminal; elsewhere progress is nil. end
// erases the last one.
func drawProgress(w io.Writer, line lineFunc) (progress func(done, total int64), end func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		width = 80
	}
	start, shown := time.Now(), time.Time{}
	progress = func(done, total int64) {
		if now := time.Now(); now.Sub(shown) > drawEvery || done == total {
			shown = now
			fmt.Fprintf(w, "\r%s\x1b[K", line(done, total, now.Sub(start), width))
		}
	}
	return progress, func() { fmt.Fprint(w, "\r\x1b[K") }
}

// transferLine counts the bytes of a file. A total below 0 is unknown.
func transferLine(done, total int64, took time.Duration, width int) string {
	rate := perSecond(done, took)
	if total < 0 {
		return fmt.Sprintf("%s, %s/s", config.Bytes(float64(done)), config.Bytes(rate))
	}
	part := share(done, total)
	text := fmt.Sprintf(" %3.0f%% %s of %s, %s/s, %s left", 100*part, config.Bytes(float64(done)),
		config.Bytes(float64(total)), config.Bytes(rate), timeLeft(total-done, rate))
	return bar(part, text, width)
}

// countLine counts captures.
func countLine(done, total int64, took time.Duration, width int) string {
	rate := perSecond(done, took)
	part := share(done, total)
	text := fmt.Sprintf(" %3.0f%% %d of %d captures, %.0f/s, %s left", 100*part, done, total, rate,
		timeLeft(total-done, rate))
	return bar(part, text, width)
}

func perSecond(done int64, took time.Duration) float64 {
	return float64(done) / max(took.Seconds(), 1e-3)
}

// share is the part that is done, 0 to 1.
func share(done, total int64) float64 {
	if total <= 0 {
		return 1
	}
	return min(float64(done)/float64(total), 1)
}

func timeLeft(left int64, rate float64) string {
	if rate <= 0 {
		return "-"
	}
	return time.Duration(float64(max(left, 0)) / rate * float64(time.Second)).Round(
		time.Second).String()
}

// bar draws a part of 1 in front of a text, where there is room for both.
func bar(part float64, text string, width int) string {
	cells := min(30, width-len(text)-3)
	if cells < 5 {
		return strings.TrimSpace(text)
	}
	full := int(part * float64(cells))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]" + text
}
