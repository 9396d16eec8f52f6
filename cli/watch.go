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
		Long: `Print captures as they come, a line each, until interrupted. With --json each
line is an object as log --json has it, for a hook:

  tftpsql watch --json | while read -r capture; do ...; done`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				encoder := a.encoder()
				err := s.Watch(cmd.Context(), func(r *store.Record) error {
					switch {
					case r == nil:
						fmt.Fprintln(a.err, "watching")
						return nil
					case asJSON:
						return encoder.Encode(captureJSONOf(*r))
					}
					_, err := fmt.Fprintf(a.out, "%s  %s  %s  %s  %s  %d bytes  from %s\n",
						local(r.ReceivedAt),
						captureRef(*r), deviceRef(*r), r.Kind, arrival(*r), r.Size, sourceOf(*r))
					return err
				})
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object a line")
	return cmd
}

// arrival says in words what a capture brought.
func arrival(r store.Record) string {
	text := "unchanged"
	if r.Changed {
		text = "changed"
	}
	if !r.Complete {
		text += ", torn"
	}
	return text
}
