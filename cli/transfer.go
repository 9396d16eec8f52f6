package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/tftp"
)

// transferFlags are what put and get ask the server for.
func transferFlags(cmd *cobra.Command) *tftp.Client {
	c := &tftp.Client{Blksize: 1428}
	cmd.Flags().IntVar(&c.Blksize, "blksize", c.Blksize, "block size to ask for, bytes, 8 to 65464; 0 to ask for nothing")
	cmd.Flags().IntVar(&c.Windowsize, "windowsize", 0, "window size to ask for, blocks, 1 to 65535; 0 to ask for nothing")
	cmd.Flags().StringVar((*string)(&c.Mode), "mode", string(tftp.Octet), "octet, or netascii, which translates line ends")
	return c
}

func checkClient(c *tftp.Client) error {
	if c.Blksize != 0 && (c.Blksize < 8 || c.Blksize > tftp.MaxBlksize) || c.Windowsize < 0 || c.Windowsize > tftp.MaxWindowsize {
		return usageError{fmt.Errorf("--blksize is 8 to %d, --windowsize 1 to %d", tftp.MaxBlksize, tftp.MaxWindowsize)}
	}
	if c.Mode != tftp.Octet && c.Mode != tftp.Netascii {
		return usageError{fmt.Errorf("--mode %s: it is octet or netascii", c.Mode)}
	}
	return nil
}

// progressBar shows how far a transfer is where w is a terminal, and nothing elsewhere: bytes, rate, time left. It returns
// what ends the line.
func progressBar(c *tftp.Client, w io.Writer) (end func()) {
	c.Progress, end = drawProgress(w, progressLine)
	return end
}

// drawProgress draws lines over one another where w is a terminal, and nothing elsewhere: progress is nil then.
func drawProgress(w io.Writer, line func(done, total int64, took time.Duration, width int) string) (progress func(done, total int64), end func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	width, _, err := term.GetSize(int(f.Fd()))
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

// drawEvery is how often a progress bar moves: as often as an eye sees, which costs nothing beside the transfer.
const drawEvery = 100 * time.Millisecond

// progressLine is a line of a progress bar, which fits a terminal of that width.
func progressLine(done, total int64, took time.Duration, width int) string {
	rate := float64(done) / max(took.Seconds(), 1e-3)
	if total < 0 {
		return fmt.Sprintf("%s, %s/s", config.Bytes(float64(done)), config.Bytes(rate))
	}
	part, left := 1.0, "-"
	if total > 0 {
		part = float64(done) / float64(total)
	}
	if rate > 0 {
		left = time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second).String()
	}
	text := fmt.Sprintf(" %3.0f%% %s of %s, %s/s, %s left", 100*part, config.Bytes(float64(done)), config.Bytes(float64(total)), config.Bytes(rate), left)
	return bar(part, text, width)
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

func (a *app) putCommand() *cobra.Command {
	var c *tftp.Client
	cmd := &cobra.Command{
		Use: "put FILE HOST[:PORT] [NAME]", Short: "Send a file to a TFTP server, as a device does", Args: args(2, 3),
		Long: "Send a file to a TFTP server, as a device does. PORT is 69 if not given; FILE - is standard input.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(checkHost(args[1]), checkClient(c)); err != nil {
				return err
			}
			name := filepath.Base(args[0])
			if len(args) == 3 {
				name = args[2]
			} else if args[0] == "-" {
				return usageError{errors.New("standard input has no name: say tftpsql put - HOST[:PORT] NAME")}
			}
			read := os.ReadFile
			if args[0] == "-" {
				read = func(string) ([]byte, error) { return io.ReadAll(os.Stdin) }
			}
			body, err := read(args[0])
			if err != nil {
				return err
			}
			start, end := time.Now(), progressBar(c, a.err)
			err = c.Put(cmd.Context(), withPort(args[1]), name, body)
			end()
			if err != nil {
				return fmt.Errorf("%s to %s: %w", name, withPort(args[1]), err)
			}
			fmt.Fprintf(a.err, "sent %d bytes to %s as %q in %v\n", len(body), withPort(args[1]), name, time.Since(start).Round(time.Millisecond))
			return nil
		},
	}
	c = transferFlags(cmd)
	return cmd
}

func (a *app) getCommand() *cobra.Command {
	var c *tftp.Client
	var file string
	var force bool
	cmd := &cobra.Command{
		Use: "get HOST[:PORT] NAME", Short: "Fetch a file from a TFTP server", Args: args(2, 2),
		Long: "Fetch a file from a TFTP server. PORT is 69 if not given.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(checkHost(args[0]), checkClient(c)); err != nil {
				return err
			}
			if args[1] == "" {
				return usageError{errors.New("usage: tftpsql get HOST[:PORT] NAME")}
			}
			if file == "" {
				file = filepath.Base(strings.ReplaceAll(args[1], `\`, "/"))
			}
			if _, err := os.Lstat(file); file != "-" && err == nil && !force {
				return fmt.Errorf("%s is there already: say -f to overwrite it, or -o FILE", file)
			}
			var stays sync.WaitGroup // to repeat the last ACK; the file is written meanwhile
			defer stays.Wait()
			c.Dallying = &stays
			start, end := time.Now(), progressBar(c, a.err)
			body, err := c.Get(cmd.Context(), withPort(args[0]), args[1])
			end()
			if err != nil {
				return fmt.Errorf("%s from %s: %w", args[1], withPort(args[0]), err)
			}
			if file == "-" {
				_, err = a.screen().Write(body)
				return err
			}
			if err := writeFile(file, body, force); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "fetched %d bytes from %s into %s in %v\n", len(body), withPort(args[0]), file, time.Since(start).Round(time.Millisecond))
			return nil
		},
	}
	c = transferFlags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this file, - for standard output; the last part of NAME if not given")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "overwrite the file")
	return cmd
}

// writeFile writes a file that must not be there unless force is set.
func writeFile(name string, body []byte, force bool) error {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, how, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: say -f to overwrite it, or -o FILE", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
}

func checkHost(host string) error {
	if strings.Contains(host, "/") {
		return usageError{fmt.Errorf("%q is no HOST[:PORT]: write 192.0.2.10:9069", host)}
	}
	if _, port, err := net.SplitHostPort(withPort(host)); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return usageError{fmt.Errorf("%q: the port is a number, 1 to 65535", host)}
		}
	}
	return nil
}

// withPort adds TFTP's port where none is given.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "69")
}
