package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/tftpsql/tftpsql/history"
	"golang.org/x/term"
)

// aboutAt is the help of --at.
const aboutAt = `the device as of then: "2026-11-20 18:00", "friday 18:00", yesterday, 24h`

func (a *app) showCommand() *cobra.Command {
	var file string
	var at timeFlag
	cmd := &cobra.Command{
		Use: "show REF", Short: "Print a capture, byte for byte", Args: args(1, 1), Long: "Print a capture, byte for byte.\n\n" + aboutREF,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.Resolve(cmd.Context(), args[0], at.at())
			if err != nil {
				return err
			}
			body, err := s.Content(cmd.Context(), r)
			if err != nil {
				return err
			}
			if a.config.Redact {
				if body, err = history.Redacted(body); err != nil {
					return unredacted(err)
				}
			}
			if file != "" && file != "-" {
				return os.WriteFile(file, body, 0o600)
			}
			_, err = a.screen().Write(body)
			return err
		},
	}
	a.config.Flags(cmd.Flags(), isRedact)
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this file, over what it holds; - for standard output")
	return cmd
}

// unredacted adds to an error that a configuration can't be shown without its secrets what to do.
func unredacted(err error) error {
	if errors.Is(err, history.ErrSecretsUnknown) {
		return fmt.Errorf("%w: --redact=false shows it as it is", err)
	}
	return err
}

// screen is standard output, made safe where it is a terminal: a configuration may hold bytes that a terminal obeys.
func (a *app) screen() io.Writer {
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return escaper{a.out}
	}
	return a.out
}
