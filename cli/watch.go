package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

func (a *app) watchCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print captures as they come, until interrupted",
		Long: `Print captures as they come, a line each, until interrupted. With --json each line is an object as log --json has it, for a hook:

  tftpsql watch --json | while read -r capture; do ...; done`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			e := a.encoder()
			err = s.Watch(cmd.Context(), func(r *store.Record) error {
				switch {
				case r == nil:
					fmt.Fprintln(a.err, "watching")
					return nil
				case asJSON:
					return e.Encode(captureOf(*r))
				}
				what := "unchanged"
				if r.Changed {
					what = "changed"
				}
				if !r.Complete {
					what += ", torn"
				}
				_, err := fmt.Fprintf(a.out, "%s  @%d  %s  %s  %s  %d bytes  from %s%s\n", local(r.ReceivedAt), r.ID,
					deviceRef(*r), r.Kind, what, r.Size, r.Source, newSource(*r))
				return err
			})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object a line")
	return cmd
}
