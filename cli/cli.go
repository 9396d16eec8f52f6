// Package cli is what a person types: the commands, their flags, and what they print.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// Main is the program, of which version is what the linker has set. It doesn't return.
func Main(version string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(Run(ctx, version, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// usageError is a mistake in how the program was called: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitStatus is a status to exit with, without a word: diff's 1.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// app is what the commands share.
type app struct {
	config    config.Config
	configErr error // what was wrong with the environment
	version   string
	environ   []string
	out, err  io.Writer
}

// run is the program: arguments and environment in, exit status out. 0 is success, 1 a failure, 2 a mistake in the call.
func Run(ctx context.Context, version string, args, environ []string, stdout, stderr io.Writer) int {
	a := &app{version: programVersion(version), environ: environ, out: stdout, err: stderr}
	a.config, a.configErr = config.Load(environ)
	root := a.command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(escaper{stderr}, "tftpsql: %s\n", message(err)) // it may repeat what a stranger has named
	if cmd.Name() == "diff" || cmd.Name() == "search" || isUsage(err) {
		return 2
	}
	return 1
}

func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage) || store.ClassOf(err) == store.Usage
}

// message is an error in one line, with the candidates of an ambiguous reference below it.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	var ambiguous *store.AmbiguousError
	if errors.As(err, &ambiguous) {
		return fmt.Sprintf("%q is ambiguous; it may be\n  %s", ambiguous.Ref, strings.Join(ambiguous.Candidates, "\n  "))
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

const aboutREF = `A capture is named by a REF: @ID or a uid, or a device for its newest one: NAME, SITE/NAME, or /NAME for a device without
site. NAME~1 is the newest capture of the version before the last change, NAME~2 of the one before that; versions are of
the newest capture's KIND, and whole.`

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "tftpsql",
		Short: "Keeps what network devices push by TFTP in an SQL database",
		Long: `tftpsql keeps what network devices push by TFTP in an SQL database. A device hears "OK" when its configuration is
durable, and not before. Without a command it serves.

` + aboutREF,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	// cobra's own --version would bring text/template into the program, and with it every method of every type: 2.6 MB.
	about := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *about {
			fmt.Fprintln(a.out, "tftpsql", a.version)
			return nil
		}
		return a.serve(cmd, args)
	}
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("unknown command %q", args[0])
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			text += "; did you mean " + strings.Join(like, " or ") + "?"
		}
		return usageError{errors.New(text + " (tftpsql --help lists the commands)")}
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	everywhere := func(s config.Setting) bool { return s.Field == "Database" || s.Field == "Spool" }
	served := func(s config.Setting) bool { return !everywhere(s) && !isRedact(s) }
	a.config.Flags(root.PersistentFlags(), everywhere)
	serve := &cobra.Command{Use: "serve", Short: "Serve TFTP; what tftpsql does without a command", Args: noArgs, RunE: a.serve}
	for _, c := range []*cobra.Command{root, serve} {
		a.config.Flags(c.Flags(), served)
		c.Flags().BoolVarP(&a.config.Verbose, "verbose", "v", false, "log at level debug, with every packet")
		c.Flags().SortFlags = false
	}
	root.AddCommand(serve, a.devicesCommand(), a.logCommand(), a.showCommand(), a.diffCommand(), a.migrateCommand(),
		a.searchCommand(), a.watchCommand(), a.failuresCommand(), a.deviceCommand(), a.pruneCommand(), a.spoolCommand(), a.importCommand(),
		a.exportCommand(), a.snapshotCommand(),
		a.publishCommand(), a.unpublishCommand(), a.putCommand(), a.getCommand(), a.healthcheckCommand(), &cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			Run: func(*cobra.Command, []string) { fmt.Fprintln(a.out, "tftpsql", a.version) },
		})
	return root
}

// noArgs and args are cobra's checks of the number of arguments, as usage errors.
func noArgs(cmd *cobra.Command, given []string) error { return args(0, 0)(cmd, given) }

func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) >= least && len(given) <= most {
			return nil
		}
		return usageError{fmt.Errorf("usage: tftpsql %s", strings.TrimPrefix(cmd.UseLine(), "tftpsql "))}
	}
}

func programVersion(version string) string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// isRedact picks the setting of the commands that print configurations.
func isRedact(s config.Setting) bool { return s.Field == "Redact" }

// warnings is the log of a command beside the server: what a person should know.
func (a *app) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// open opens the database for a command beside the server. What may be wrong with the server's settings is not its concern.
func (a *app) open(ctx context.Context) (*store.Store, error) {
	s, err := store.Open(a.config.Database, store.Options{DirectURL: a.config.DirectDatabase, Fingerprint: device.Fingerprint, Logger: a.warnings()})
	if err != nil {
		return nil, err
	}
	if err := s.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a.tellWaiting(ctx)
	return s, nil
}
