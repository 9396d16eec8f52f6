package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// aboutAt is the help of --at.
const aboutAt = `the device as of then: "2026-11-20 18:00", "friday 18:00", yesterday, 24h`

func (a *app) showCommand() *cobra.Command {
	var file string
	var at timeFlag
	cmd := &cobra.Command{
		Use:   "show REF",
		Short: "Print a capture, byte for byte",
		Long:  "Print a capture, byte for byte.\n\n" + aboutREF,
		Args:  args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				r, err := a.resolve(cmd.Context(), s, args[0], at.at())
				if err != nil {
					return err
				}
				body, err := s.Content(cmd.Context(), r)
				if err != nil {
					return err
				}
				return a.printBody(body, file)
			})
		},
	}
	a.config.Flags(cmd.Flags(), config.OnPrint)
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().StringVarP(&file, "output", "o", "",
		"write to this file, over what it holds; - for standard output")
	return cmd
}

// aboutVersions matches a reference to a version before the newest.
var aboutVersions = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`~\d+$`)
})

// resolve finds a capture that is handed out. It says on stderr where that is torn, or where the
// device has sent a torn one since.
func (a *app) resolve(
	ctx context.Context, s *store.Store, ref string, at time.Time,
) (store.Record, error) {
	r, err := s.Resolve(ctx, ref, at)
	if err != nil {
		return r, err
	}
	if !r.Complete && r.Size > 0 {
		fmt.Fprintf(a.err, "tftpsql: %s is torn: it may be half a configuration\n", captureRef(r))
		return r, nil
	}
	if isCaptureRef(ref) || !at.IsZero() || aboutVersions().MatchString(ref) {
		return r, nil
	}
	torn, err := s.NewerTorn(ctx, r)
	if err == nil && torn != nil {
		fmt.Fprintf(a.err, "tftpsql: %s has sent a torn capture since, %s of %s; this is the "+
			"newest "+
			"whole one, %s of %s\n", deviceRef(r), captureRef(*torn), local(torn.ReceivedAt),
			captureRef(r), local(r.ReceivedAt))
	}
	return r, err
}

// printBody prints a configuration, or writes it to a file, without its secrets where REDACT says
// so.
func (a *app) printBody(body []byte, file string) (err error) {
	if a.config.Redact {
		if body, err = history.Redacted(body); err != nil {
			return explainRedaction(err)
		}
	}
	if file != "" && file != "-" {
		return os.WriteFile(file, body, 0o600)
	}
	_, err = a.screen().Write(body)
	return err
}

// explainRedaction adds what to do to the error that a capture can't be shown without its secrets.
func explainRedaction(err error) error {
	if errors.Is(err, history.ErrSecretsUnknown) {
		return fmt.Errorf("%w: --redact=false shows it as it is", err)
	}
	return err
}
