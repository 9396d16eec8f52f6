package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// waitingJSON is a capture in the spool as spool --json prints it.
type waitingJSON struct {
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Name       string    `json:"name"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Size       int64     `json:"size"`
	Refused    string    `json:"refused"`
}

// openSpool opens the spool that the settings name, if it is there.
func (a *app) openSpool(own bool) (*store.Spool, error) {
	if a.config.Spool == "" {
		return nil, usageError{errors.New("which spool? set SPOOL or --spool as the server has it")}
	}
	if _, err := os.Stat(a.config.Spool); err != nil {
		return nil, fmt.Errorf("no spool at %s: the server makes it; look at SPOOL", a.config.Spool)
	}
	return store.OpenSpool(a.config.Spool, own)
}

// tellWaiting says on stderr when captures wait, since what a listing shows is not all then.
func (a *app) tellWaiting(ctx context.Context) {
	if a.config.Spool == "" {
		return
	}
	p, err := a.openSpool(false)
	if err != nil {
		return // this machine doesn't have the worker's spool
	}
	defer p.Close()
	if st, err := p.Status(ctx); err == nil && st.Waiting+st.Refused > 0 {
		fmt.Fprintf(a.err, "tftpsql: %d captures wait in the spool and %d were refused: tftpsql spool lists them\n", st.Waiting, st.Refused)
	}
}

func (a *app) spoolCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "List the captures that wait for PostgreSQL",
		Long: `List the captures that were kept in the spool (SPOOL) while PostgreSQL was away. The server forwards them by itself when PostgreSQL is
back; what PostgreSQL refuses for good stays in the spool with the reason, until somebody retries or drops it.`,
		Args: noArgs,
		RunE: a.withSpool(false, func(ctx context.Context, p *store.Spool, _ []string) error {
			list, err := p.List(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				out := make([]waitingJSON, len(list))
				for i, w := range list {
					out[i] = waitingJSON{w.UID, w.ReceivedAt.UTC(), w.Site, w.Name, w.Source, w.Filename, w.Size, w.Refused}
				}
				return a.printJSON(out)
			}
			t := a.table("UID", "RECEIVED", "DEVICE", "SIZE", "SOURCE", "FILE", "STATE")
			for _, w := range list {
				state := "waits"
				if w.Refused != "" {
					state = "refused: " + w.Refused
				}
				t.row(w.UID, local(w.ReceivedAt), store.Device{Site: w.Site, Name: w.Name}.Ref(), w.Size, w.Source, short(w.Filename), state)
			}
			return t.print()
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.AddCommand(a.forwardCommand(), a.showWaitingCommand(), a.dropCommand())
	return cmd
}

func (a *app) showWaitingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show UID", Short: "Print a capture of the spool, byte for byte", Args: args(1, 1),
		RunE: a.withSpool(false, func(ctx context.Context, p *store.Spool, args []string) error {
			body, err := p.Body(ctx, args[0])
			if err == nil && a.config.Redact {
				body, err = history.Redacted(body)
			}
			if err == nil {
				_, err = a.screen().Write(body)
			}
			return unredacted(err)
		}),
	}
	a.config.Flags(cmd.Flags(), isRedact)
	return cmd
}

func (a *app) withSpool(own bool, do func(ctx context.Context, p *store.Spool, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p, err := a.openSpool(own)
		if err != nil {
			return err
		}
		return errors.Join(do(cmd.Context(), p, args), p.Close())
	}
}

func (a *app) forwardCommand() *cobra.Command {
	var again bool
	cmd := &cobra.Command{
		Use: "forward", Short: "Forward what waits, where no server does it", Args: noArgs,
		RunE: a.withSpool(true, func(ctx context.Context, p *store.Spool, _ []string) error {
			s, err := store.Open(a.config.Database, store.Options{Fingerprint: device.Fingerprint, Logger: a.warnings()})
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.CheckSchema(ctx); err != nil {
				return err
			}
			if again {
				if _, err := p.Retry(ctx); err != nil {
					return err
				}
			}
			forwarded, refused, err := s.Forward(ctx, p)
			fmt.Fprintf(a.out, "forwarded %d captures, %d were refused\n", forwarded, refused)
			return err
		}),
	}
	cmd.Flags().BoolVar(&again, "refused", false, "try again what was refused")
	return cmd
}

func (a *app) dropCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop UID --yes", Short: "Delete a capture from the spool, for good", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				return usageError{errors.New("it is nowhere else: say --yes to delete it for good")}
			}
			return a.withSpool(false, func(ctx context.Context, p *store.Spool, args []string) error { return p.Drop(ctx, args[0]) })(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}
