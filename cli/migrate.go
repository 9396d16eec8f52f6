package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

func (a *app) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate up|down|version|force", Short: "Look after the database's schema",
		Long: `Look after the database's schema. golang-migrate's own program works on the same migrations: the folders
schema/postgres and schema/sqlite.`,
		Args: func(_ *cobra.Command, given []string) error {
			return usageError{errors.New("migrate what? up, down, version or force")}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	var yes bool
	down := &cobra.Command{
		Use: "down [N]", Short: "Take back the last N migrations, 1 if not given", Args: args(0, 1),
		RunE: a.withDatabase(false, func(ctx context.Context, s *store.Store, args []string) error {
			n := 1
			if len(args) == 1 {
				var err error
				if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
					return usageError{fmt.Errorf("%q is no number of migrations", args[0])}
				}
			}
			version, dirty, err := s.SchemaVersion(ctx)
			if err != nil {
				return err
			}
			if version == 0 && !dirty {
				return errors.New("there is no migration to take back")
			}
			if !dirty && !yes {
				some, err := s.HasCaptures(ctx)
				switch {
				case err != nil:
					return err
				case some && uint(n) >= version:
					return usageError{errors.New("this deletes every capture: say --yes if that is meant")}
				case some:
					return usageError{errors.New("this deletes what the newer tables keep, such as names from rename and merge, failures, what is published: say --yes if that is meant")}
				}
			}
			if err := s.MigrateDown(n); err != nil {
				return err
			}
			return a.printVersion(ctx, s)
		}),
	}
	down.Flags().BoolVar(&yes, "yes", false, "really delete what the migrations brought; with the first of them every capture")
	cmd.AddCommand(
		&cobra.Command{Use: "up", Short: "Apply what is missing", Args: noArgs,
			RunE: a.withDatabase(true, func(ctx context.Context, s *store.Store, _ []string) error {
				if err := s.Migrate(ctx); err != nil {
					return err
				}
				return a.printVersion(ctx, s)
			})},
		down,
		&cobra.Command{Use: "version", Short: "Print the schema's version", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				s, err := store.Open(a.config.Database, store.Options{})
				if err != nil {
					return err
				}
				defer s.Close()
				return a.printVersion(cmd.Context(), s)
			}},
		&cobra.Command{Use: "force VERSION", Short: "Say that the schema is at VERSION and whole; runs nothing", Args: args(1, 1),
			RunE: a.withDatabase(false, func(ctx context.Context, s *store.Store, args []string) error {
				n, err := strconv.Atoi(args[0])
				if err != nil || n < 0 || n > int(s.LatestSchema()) {
					return usageError{fmt.Errorf("%q is no version: 0 to %d", args[0], s.LatestSchema())}
				}
				if err := s.MigrateForce(n); err != nil {
					return err
				}
				return a.printVersion(ctx, s)
			})})
	return cmd
}

// withDatabase runs a command on a database, an SQLite file alone: while no server has it.
func (a *app) withDatabase(create bool, do func(ctx context.Context, s *store.Store, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if a.configErr != nil {
			return usageError{a.configErr}
		}
		log, closeLog, err := logger(&a.config, a.err, a.environ)
		if err != nil {
			return err
		}
		defer closeLog()
		s, err := store.Open(a.config.Database, store.Options{DirectURL: a.config.DirectDatabase, Own: true, Create: create, Logger: log})
		if err != nil {
			return err
		}
		defer s.Close()
		return do(cmd.Context(), s, args)
	}
}

func (a *app) printVersion(ctx context.Context, s *store.Store) error {
	version, dirty, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	state := ""
	switch {
	case dirty:
		state = ", dirty"
	case version < s.LatestSchema():
		state = ", run: tftpsql migrate up"
	}
	fmt.Fprintf(a.out, "%d of %d%s\n", version, s.LatestSchema(), state)
	return nil
}
