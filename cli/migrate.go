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
		Long: `Look after the database's schema. golang-migrate's own program works on the same
migrations: the folders schema/postgres and schema/sqlite.`,
		Args: func(*cobra.Command, []string) error {
			return usageError{errors.New("migrate what? up, down, version or force")}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	up := &cobra.Command{
		Use: "up", Short: "Apply what is missing", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.migrate(cmd.Context(), true,
				func(s *store.Store) error { return s.Migrate(cmd.Context()) })
		},
	}
	version := &cobra.Command{
		Use: "version", Short: "Print the schema's version", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := store.Open(a.config.Database, store.Options{})
			if err != nil {
				return err
			}
			defer s.Close()
			return a.printSchema(cmd.Context(), s)
		},
	}
	force := &cobra.Command{
		Use: "force VERSION", Short: "Say that the schema is at VERSION and whole; runs nothing",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.migrate(cmd.Context(), false, func(s *store.Store) error {
				n, err := strconv.Atoi(args[0])
				if err != nil || n < 0 || n > int(s.LatestSchema()) {
					return usageError{fmt.Errorf("%q is no version: 0 to %d", args[0],
						s.LatestSchema())}
				}
				return s.MigrateForce(n)
			})
		},
	}
	cmd.AddCommand(up, a.migrateDownCommand(), version, force)
	return cmd
}

func (a *app) migrateDownCommand() *cobra.Command {
	var really bool
	cmd := &cobra.Command{
		Use: "down [N]", Short: "Take back the last N migrations, 1 if not given", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n := 1
			if len(args) == 1 {
				var err error
				if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
					return usageError{fmt.Errorf("%q is no number of migrations", args[0])}
				}
			}
			return a.migrate(cmd.Context(), false, func(s *store.Store) error {
				if err := checkDown(cmd.Context(), s, n, really); err != nil {
					return err
				}
				return s.MigrateDown(n)
			})
		},
	}
	cmd.Flags().BoolVar(&really, "yes", false,
		"really delete what the migrations brought; with the first of them every capture")
	return cmd
}

// checkDown returns an error where there is nothing to take back, or where that deletes something
// and really is false.
func checkDown(ctx context.Context, s *store.Store, n int, really bool) error {
	version, dirty, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if version == 0 && !dirty {
		return errors.New("there is no migration to take back")
	}
	if dirty || really {
		return nil
	}
	some, err := s.HasCaptures(ctx)
	switch {
	case err != nil || !some:
		return err
	case uint(n) >= version:
		return usageError{errors.New("this deletes every capture: say --yes if that is meant")}
	}
	return usageError{errors.New("this deletes what the newer tables keep, such as names from " +
		"rename and merge, failures, what is published: say --yes if that is meant")}
}

// migrate runs fn on the database and prints the schema's version. An SQLite file must not be in
// use by a server.
func (a *app) migrate(ctx context.Context, create bool, fn func(*store.Store) error) error {
	if a.configErr != nil {
		return usageError{a.configErr}
	}
	log, file, err := newLogger(a.config, a.err, a.environ)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.close()
	}
	s, err := store.Open(a.config.Database,
		store.Options{DirectURL: a.config.DirectDatabase, Own: true, Create: create, Logger: log})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := fn(s); err != nil {
		return err
	}
	return a.printSchema(ctx, s)
}

func (a *app) printSchema(ctx context.Context, s *store.Store) error {
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
