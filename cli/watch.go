package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) watchCommand() *cobra.Command {
	var asJSON bool
	var after captureID
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print captures as they come, until interrupted",
		Long: `Print captures as they come, one line each, until interrupted. With --json each
line is an object as log --json has it, for a hook:

  tftpsql watch --json | while read -r capture; do ...; done

A hook that was interrupted goes on with --after and the last capture that it has handled.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				encoder := history.NewEncoder(a.out)
				err := s.Watch(cmd.Context(), int64(after), func(r *store.Record) error {
					switch {
					case r == nil:
						fmt.Fprintln(a.err, "watching")
						return nil
					case asJSON:
						return encoder.Encode(history.JSONOfCapture(*r))
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
	cmd.Flags().Var(&after, "after", "first those that came after this capture, such as @42")
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

// captureID is the number of a capture as a flag: 42 or @42.
type captureID int64

func (id *captureID) String() string {
	if *id == 0 {
		return ""
	}
	return fmt.Sprintf("@%d", *id)
}

func (id *captureID) Type() string { return "ref" }

func (id *captureID) Set(s string) error {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "@"), 10, 64)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no capture: write @42", s)
	}
	*id = captureID(n)
	return nil
}
