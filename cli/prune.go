package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/worker"
)

func (a *app) pruneCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "prune",
		Short: "Delete what is older than KEEP_CHANGED and KEEP_UNCHANGED say; the server does " +
			"it each day",
		Long: `Delete what is older than it is to be kept: versions that were replaced longer
than KEEP_CHANGED ago, and captures older than KEEP_UNCHANGED that brought nothing new. The
newest capture of each device and kind stays in any case, the newest whole one too, and what is
published. The server does the same each day.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.configErr != nil {
				return usageError{a.configErr}
			}
			keep := worker.Retention(a.config)
			if keep == (store.Retention{}) {
				return usageError{errors.New(
					"everything is kept for ever: set KEEP_CHANGED or KEEP_UNCHANGED, such as " +
						"KEEP_UNCHANGED=90d")}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				p, err := s.Prune(cmd.Context(), keep, time.Now(), dry)
				verb := "deleted"
				switch {
				case dry && err != nil:
					return err
				case dry:
					verb = "would delete"
				}
				fmt.Fprintf(a.out,
					"%s %d captures of replaced versions and %d that brought nothing new, "+
						"with %d contents of %d bytes\n", verb, p.Versions, p.Sightings, p.Contents,
					p.Bytes)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be deleted")
	return cmd
}
