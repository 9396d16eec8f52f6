package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
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

// openSpool opens the spool that the settings name, if it is there. With own no server may have it.
func (a *app) openSpool(own bool) (*store.Spool, error) {
	if a.config.Spool == "" {
		return nil, usageError{errors.New("which spool? set SPOOL or --spool as the server has it")}
	}
	if _, err := os.Stat(a.config.Spool); err != nil {
		return nil, fmt.Errorf("no spool at %s: the server makes it; look at SPOOL", a.config.Spool)
	}
	return store.OpenSpool(a.config.Spool, own)
}

// onSpool runs fn on the spool, and closes it.
func (a *app) onSpool(own bool, fn func(*store.Spool) error) error {
	p, err := a.openSpool(own)
	if err != nil {
		return err
	}
	return errors.Join(fn(p), p.Close())
}

// warnOfSpool says on stderr when captures wait in the spool, since a listing doesn't show them.
func (a *app) warnOfSpool(ctx context.Context) {
	if a.config.Spool == "" {
		return
	}
	// an error: this machine doesn't have the worker's spool
	_ = a.onSpool(false, func(p *store.Spool) error {
		st, err := p.Status(ctx)
		if err == nil && st.Waiting+st.Refused > 0 {
			fmt.Fprintf(a.err, "tftpsql: in the spool %d wait and %d are refused: "+
				"tftpsql spool lists them\n", st.Waiting, st.Refused)
		}
		return err
	})
}

func (a *app) spoolCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "List the captures that wait for PostgreSQL",
		Long: `List the captures that were kept in the spool (SPOOL) while PostgreSQL was away.
The server forwards them by itself when PostgreSQL is back. What PostgreSQL refuses for good
stays in the spool with the reason, until you retry or drop it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onSpool(false, func(p *store.Spool) error {
				list, err := p.List(cmd.Context())
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.printWaitingJSON(list)
				}
				return a.printWaiting(list)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.AddCommand(a.forwardCommand(), a.showWaitingCommand(), a.dropCommand())
	return cmd
}

func (a *app) printWaiting(list []store.Waiting) error {
	t := a.table("UID", "RECEIVED", "DEVICE", "SIZE", "SOURCE", "FILE", "STATE")
	for _, w := range list {
		state := "waits"
		if w.Refused != "" {
			state = "refused: " + w.Refused
		}
		t.row(w.UID, local(w.ReceivedAt), store.Device{Site: w.Site, Name: w.Name}.Ref(), w.Size,
			w.Source,
			short(w.Filename), state)
	}
	return t.print()
}

func (a *app) printWaitingJSON(list []store.Waiting) error {
	out := make([]waitingJSON, len(list))
	for i, w := range list {
		out[i] = waitingJSON{UID: w.UID, ReceivedAt: w.ReceivedAt.UTC(), Site: w.Site, Name: w.Name,
			Source:   w.Source,
			Filename: w.Filename, Size: w.Size, Refused: w.Refused}
	}
	return a.printJSON(out)
}

func (a *app) showWaitingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show UID", Short: "Print a capture of the spool, byte for byte", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onSpool(false, func(p *store.Spool) error {
				body, err := p.Body(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.printBody(body, "")
			})
		},
	}
	a.config.Flags(cmd.Flags(), config.OnPrint)
	return cmd
}

func (a *app) forwardCommand() *cobra.Command {
	var refusedToo bool
	cmd := &cobra.Command{
		Use: "forward", Short: "Forward what waits, where no server does it", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onSpool(true, func(p *store.Spool) error {
				s, err := store.Open(a.config.Database, a.storeOptions())
				if err != nil {
					return err
				}
				defer s.Close()
				if err := s.CheckSchema(cmd.Context()); err != nil {
					return err
				}
				if refusedToo {
					if _, err := p.Retry(cmd.Context()); err != nil {
						return err
					}
				}
				forwarded, refused, err := s.Forward(cmd.Context(), p)
				fmt.Fprintf(a.out, "forwarded %s, %d refused\n", counted(forwarded, "capture"),
					refused)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&refusedToo, "refused", false, "try again what was refused")
	return cmd
}

func (a *app) dropCommand() *cobra.Command {
	var really bool
	cmd := &cobra.Command{
		Use: "drop UID --yes", Short: "Delete a capture from the spool, for good", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !really {
				return usageError{errors.New("it is nowhere else: say --yes to delete it for good")}
			}
			return a.onSpool(false, func(p *store.Spool) error {
				return p.Drop(cmd.Context(), args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&really, "yes", false, "really delete")
	return cmd
}
