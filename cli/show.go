package cli

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/device"
)

// aboutAt is the help of --at.
const aboutAt = `the device as of then: "2026-11-20 18:00", "friday 18:00", yesterday, 24h`

func (a *app) showCommand() *cobra.Command {
	var file string
	var at flagWhen
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
				if body, err = redacted(body); err != nil {
					return err
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

// redacted returns a configuration as text without its secrets. Where nobody knows where secrets stand it returns an error: what is
// not understood is not shown.
func redacted(body []byte) ([]byte, error) {
	if id := device.Identify(body); id.Platform == "" || !device.Readable(body) {
		return nil, errors.New("nobody knows where secrets stand in this capture, so it is not shown without them: --redact=false shows it as it is")
	}
	out := make([]byte, 0, len(body))
	for l := range device.Lines(body) {
		out = append(append(out, l.Redacted()...), '\n')
	}
	return out, nil
}

// screen is standard output, made safe where it is a terminal: a configuration may hold bytes that a terminal obeys.
func (a *app) screen() io.Writer {
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return escaper{a.out}
	}
	return a.out
}
