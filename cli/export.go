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
	var filter history.Filter
	var site string
	cmd := &cobra.Command{
		Use:   "export DIR [GLOB]",
		Short: "Write the latest configuration of each device into a folder",
		Long: `Write the latest whole configuration of each device, or of those whose name
matches GLOB, into DIR: SITE/DEVICE.conf, and SITE/DEVICE.KIND.conf where it is of another kind
than the full one. The bytes are those that the device sent, the time of the file is when. A
file that differs is replaced at once and whole, one that doesn't is left alone; nothing is
deleted. What can't stand in a file's name is written %XX. Configurations hold secrets: files
are readable by their owner alone. Devices of which nothing whole has come are named on stderr.
The exit status is 1 where no device matches.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filterFrom(&filter, cmd, args[1:], &site); err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				return a.export(cmd.Context(), s, args[0], filter)
			})
		},
	}
	siteFlag(cmd, &site)
	return cmd
}

func (a *app) export(ctx context.Context, s *store.Store, dir string, filter history.Filter) error {
	whole, without, err := history.Newest(ctx, s, filter)
	if err != nil {
		return err
	}
	if len(whole)+len(without) == 0 && filter != (history.Filter{}) {
		return errNoDevice
	}
	skipped := make([]string, len(without))
	for i, d := range without {
		skipped[i] = d.Ref() + ": no whole configuration of it has come"
	}
	a.printSkipped(skipped)
	if len(whole) == 0 && len(without) > 0 {
		return errors.New("nothing whole to export: tftpsql log lists the torn captures")
	}
	progress, end := drawProgress(a.err, countLine)
	w, err := move.Export(ctx, s, dir, whole, progress)
	end()
	for _, d := range w.Damaged {
		fmt.Fprintf(a.err, "left out: %s: %s\n", d.What, message(d.Why))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s, %d written, %d unchanged\n", dir,
		counted(w.Found, "configuration"), w.Changed, w.Found-w.Changed)
	if len(w.Damaged) > 0 {
		return fmt.Errorf("%s can't be read", counted(len(w.Damaged), "configuration"))
	}
	return nil
}

// skippedShown is how many are named of what was left out.
const skippedShown = 10

// printSkipped says on stderr what was left out.
func (a *app) printSkipped(list []string) {
	for _, text := range list[:min(len(list), skippedShown)] {
		fmt.Fprintf(a.err, "left out: %s\n", text)
	}
	if more := len(list) - skippedShown; more > 0 {
		fmt.Fprintf(a.err, "and %d more\n", more)
	}
}

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot FILE",
		Short: "Copy an SQLite database into a new file, also while the server runs",
		Long: `Copy the SQLite database, as it is at one moment, into a new FILE, also while the
server runs: a backup of the backups. FILE is a whole database, readable by its owner alone, and
is never overwritten. For PostgreSQL there is pg_dump.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				if err := s.Snapshot(cmd.Context(), args[0]); err != nil {
					return err
				}
				info, err := os.Stat(args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(a.err, "copied %s into %s\n", config.Bytes(float64(info.Size())),
					args[0])
				return nil
			})
		},
	}
}
