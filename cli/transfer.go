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

	"github.com/tftpsql/tftpsql/tftp"
)

// transferFlags are what put and get ask the server for.
func transferFlags(cmd *cobra.Command) *tftp.Client {
	c := &tftp.Client{Blksize: 1428}
	cmd.Flags().IntVar(&c.Blksize, "blksize", c.Blksize,
		"block size to ask for, bytes, 8 to 65464; 0 to ask for nothing")
	cmd.Flags().IntVar(&c.Windowsize, "windowsize", 0,
		"window size to ask for, blocks, 1 to 65535; 0 to ask for nothing")
	cmd.Flags().StringVar((*string)(&c.Mode), "mode", string(tftp.Octet),
		"octet, or netascii, which translates line ends")
	return c
}

func checkClient(c *tftp.Client) error {
	if c.Blksize != 0 && (c.Blksize < 8 || c.Blksize > tftp.MaxBlksize) || c.Windowsize < 0 ||
		c.Windowsize > tftp.MaxWindowsize {
		return usageError{fmt.Errorf("--blksize is 8 to %d, --windowsize 1 to %d", tftp.MaxBlksize,
			tftp.MaxWindowsize)}
	}
	if c.Mode != tftp.Octet && c.Mode != tftp.Netascii {
		return usageError{fmt.Errorf("--mode %s: it is octet or netascii", c.Mode)}
	}
	return nil
}

func (a *app) putCommand() *cobra.Command {
	var c *tftp.Client
	cmd := &cobra.Command{
		Use: "put FILE HOST[:PORT] [NAME]", Short: "Send a file to a TFTP server, as a device does",
		Args: args(2, 3),
		Long: "Send a file to a TFTP server, as a device does. PORT is 69 if not given; FILE - " +
			"is standard input.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(checkHost(args[1]), checkClient(c)); err != nil {
				return err
			}
			name := filepath.Base(args[0])
			if len(args) == 3 {
				name = args[2]
			} else if args[0] == "-" {
				return usageError{
					errors.New("standard input has no name: say tftpsql put - HOST[:PORT] NAME")}
			}
			read := os.ReadFile
			if args[0] == "-" {
				read = func(string) ([]byte, error) { return io.ReadAll(os.Stdin) }
			}
			body, err := read(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w: the order is put FILE HOST[:PORT] [NAME]", err)
			}
			if err != nil {
				return err
			}
			start := time.Now()
			var end func()
			c.Progress, end = drawProgress(a.err, transferLine)
			err = c.Put(cmd.Context(), withPort(args[1]), name, body)
			end()
			if err != nil {
				return fmt.Errorf("%s to %s: %w", name, withPort(args[1]), err)
			}
			fmt.Fprintf(a.err, "sent %d bytes to %s as %q in %v\n", len(body), withPort(args[1]),
				name, time.Since(start).Round(time.Millisecond))
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
			start := time.Now()
			var end func()
			c.Progress, end = drawProgress(a.err, transferLine)
			body, err := c.Get(cmd.Context(), withPort(args[0]), args[1])
			end()
			if noHost := (*net.DNSError)(nil); errors.As(err, &noHost) {
				return fmt.Errorf("%w: the order is get HOST[:PORT] NAME", err)
			}
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
			fmt.Fprintf(a.err, "fetched %d bytes from %s into %s in %v\n", len(body),
				withPort(args[0]), file, time.Since(start).Round(time.Millisecond))
			return nil
		},
	}
	c = transferFlags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "",
		"write to this file, - for standard output; the last part of NAME if not given")
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
