package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/store"
)

func (a *app) showCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "show REF", Short: "Print a capture, byte for byte", Args: args(1, 1), Long: "Print a capture, byte for byte.\n\n" + aboutREF,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.Resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			body, err := s.Content(cmd.Context(), r)
			if err != nil {
				return err
			}
			if file != "" && file != "-" {
				return os.WriteFile(file, body, 0o600)
			}
			_, err = a.screen().Write(body)
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this file, over what it holds; - for standard output")
	return cmd
}

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff REF [REF]",
		Short: "Show what changed: in a version against the one before it, or from one capture to another",
		Long: `Show what changed. With one REF: that version against the changed version before it. With two: from the first to the
second. Exit status 0 means no difference, 1 a difference, 2 trouble.

` + aboutREF,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			to, err := s.Resolve(cmd.Context(), args[len(args)-1])
			if err != nil {
				return err
			}
			var from store.Record
			if len(args) == 2 {
				from, err = s.Resolve(cmd.Context(), args[0])
			} else {
				from, err = s.Before(cmd.Context(), to, 1)
			}
			first := len(args) == 1 && errors.Is(err, store.ErrNotFound) // nothing before: all of it is new
			if err != nil && !first {
				return err
			}
			var old []byte
			label := "/dev/null"
			if !first {
				if old, err = s.Content(cmd.Context(), from); err != nil {
					return err
				}
				label = title(from)
			}
			body, err := s.Content(cmd.Context(), to)
			if err != nil {
				return err
			}
			return a.printDiff(label, title(to), old, body)
		},
	}
}

func title(r store.Record) string {
	return fmt.Sprintf("%s\t%s @%d %s", store.Device{Site: r.Site, Name: r.Device}.Ref(), r.ReceivedAt.Format(time.RFC3339), r.ID, r.Kind)
}

func (a *app) printDiff(oldTitle, newTitle string, old, body []byte) error {
	if bytes.Equal(old, body) {
		return nil
	}
	if bytes.IndexByte(old, 0) >= 0 || bytes.IndexByte(body, 0) >= 0 {
		fmt.Fprintf(a.out, "--- %s\n+++ %s\nBinary captures differ: %d and %d bytes\n", oldTitle, newTitle, len(old), len(body))
		return exitStatus(1)
	}
	text, err := udiff.ToUnified(oldTitle, newTitle, string(old), udiff.Lines(string(old), string(body)), udiff.DefaultContextLines)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(a.screen(), text); err != nil {
		return err
	}
	return exitStatus(1)
}

// screen is standard output, made safe where it is a terminal: a configuration may hold bytes that a terminal obeys.
func (a *app) screen() io.Writer {
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return escaper{a.out}
	}
	return a.out
}

// escaper writes control bytes as \xNN, but for line ends and tabs.
type escaper struct{ w io.Writer }

func (e escaper) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == '\n' || r == '\t' || r == '\r' && len(rest) > 1 && rest[1] == '\n':
			out.Write(rest[:n])
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			for _, c := range rest[:n] {
				fmt.Fprintf(&out, `\x%02x`, c)
			}
		default:
			out.Write(rest[:n])
		}
		rest = rest[n:]
	}
	_, err := e.w.Write(out.Bytes())
	return len(b), err
}
