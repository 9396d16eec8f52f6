package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

func (c *Config) retention() store.Retention {
	return store.Retention{Changed: time.Duration(c.KeepChanged), Unchanged: time.Duration(c.KeepUnchanged)}
}

const (
	// pruneFirst is when a worker prunes for the first time, so that one that is started anew each day prunes too, and pruneEvery how
	// often after that.
	pruneFirst = 10 * time.Minute
	pruneEvery = day
)

// pruneDaily deletes what is older than it is to be kept, once a day, until ctx ends.
func pruneDaily(ctx context.Context, s *store.Store, keep store.Retention, log *slog.Logger) {
	for wait := pruneFirst; ; wait = pruneEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		p, err := s.Prune(ctx, keep, time.Now(), false)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("pruning failed and goes on tomorrow", "err", err)
		case p.Versions+p.Sightings > 0:
			log.Info("pruned", "versions", p.Versions, "sightings", p.Sightings, "contents", p.Contents, "bytes", p.Bytes)
		}
	}
}

func (a *app) pruneCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete what is older than KEEP_CHANGED and KEEP_UNCHANGED say; the server does it each day",
		Long: `Delete what is older than it is to be kept: versions that were replaced longer than KEEP_CHANGED ago, and captures older
than KEEP_UNCHANGED that brought nothing new. The newest capture of each device and kind stays in any case, the newest whole one
too, and what is published. The server does the same each day.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.configErr != nil {
				return usageError{a.configErr}
			}
			keep := a.config.retention()
			if keep == (store.Retention{}) {
				return usageError{errors.New("everything is kept for ever: set KEEP_CHANGED or KEEP_UNCHANGED, such as KEEP_UNCHANGED=90d")}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			p, err := s.Prune(cmd.Context(), keep, time.Now(), dry)
			verb := "deleted"
			switch {
			case dry && err != nil:
				return err
			case dry:
				verb = "would delete"
			}
			fmt.Fprintf(a.out, "%s %d captures of replaced versions and %d that brought nothing new, with %d contents of %d bytes\n",
				verb, p.Versions, p.Sightings, p.Contents, p.Bytes)
			return err
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be deleted")
	return cmd
}
