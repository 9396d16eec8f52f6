package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) exportCommand() *cobra.Command {
	var site string
	cmd := &cobra.Command{
		Use:   "export DIR [GLOB]",
		Short: "Write the latest configuration of each device into a folder",
		Long: `Write the latest whole configuration of each device, or of those whose name matches GLOB, into DIR: SITE/DEVICE.conf, and
SITE/DEVICE.KIND.conf where it is of another kind than the full one. The bytes are those that the device sent, the time of the file is when.
A file that differs is replaced at once and whole, one that doesn't is left alone; nothing is deleted. What can't stand in a file's
name is written %XX. Configurations hold secrets: files are readable by their owner alone. Devices of which nothing whole has come are
named on stderr. The exit status is 1 where no device matches.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var filter history.Filter
			if len(args) == 2 {
				filter.Glob = args[1]
			}
			if cmd.Flags().Changed("site") {
				filter.Site = &site
			}
			if err := history.CheckGlob(filter.Glob); err != nil {
				return usageError{err}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			wanted, torn, err := history.Newest(cmd.Context(), s, filter)
			if err != nil {
				return err
			}
			if len(wanted)+len(torn) == 0 && (filter.Glob != "" || filter.Site != nil) {
				return errors.New("no device matches: tftpsql devices lists them")
			}
			for n, d := range torn {
				if n == skippedShown {
					fmt.Fprintf(a.err, "and %d more\n", len(torn)-n)
					break
				}
				fmt.Fprintf(a.err, "left out: %s: no whole configuration of it has come\n", d.Ref())
			}
			return a.export(cmd.Context(), s, args[0], wanted)
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "only devices of this site; '' for those without one")
	return cmd
}

func (a *app) export(ctx context.Context, s *store.Store, dir string, records []store.Record) error {
	progress, end := drawProgress(a.err, countLine)
	w, err := move.Export(ctx, s, dir, records, progress)
	end()
	for _, d := range w.Damaged {
		fmt.Fprintf(a.err, "left out: %s: %s\n", d.What, message(d.Why))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %d configurations, %d written, %d unchanged\n", dir, w.Found, w.Changed, w.Found-w.Changed)
	if len(w.Damaged) > 0 {
		return fmt.Errorf("%d configurations can't be read", len(w.Damaged))
	}
	return nil
}

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot FILE",
		Short: "Copy an SQLite database into a new file, also while the server runs",
		Long: `Copy the SQLite database, as it is at one moment, into a new FILE, also while the server runs: a backup of the backups. FILE is a
whole database, readable by its owner alone, and is never overwritten. For PostgreSQL there is pg_dump.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Snapshot(cmd.Context(), args[0]); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "copied %s into %s\n", config.Bytes(float64(info.Size())), args[0])
			return nil
		},
	}
}
