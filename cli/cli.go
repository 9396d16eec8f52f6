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

// Main runs the program and exits. version is what the linker has set, "" for none.
func Main(version string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(Run(ctx, version, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// app is what the commands share.
type app struct {
	config    config.Config
	configErr error // what was wrong with the environment
	version   string
	environ   []string
	out, err  io.Writer
}

// Run runs the program with these arguments and this environment, and returns its exit status: 0
// for success, 1 for a failure, 2 for a mistake in the call. diff, blame and search use 1 for what
// they found, and 2 for every failure.
func Run(ctx context.Context, version string, args, environ []string,
	stdout, stderr io.Writer) int {
	a := &app{version: programVersion(version), environ: environ, out: stdout, err: stderr}
	a.config, a.configErr = config.Load(environ)
	root := a.rootCommand()
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
	// it may repeat what a stranger has named
	fmt.Fprintf(escaper{stderr}, "tftpsql: %s\n", message(err))
	if cmd.Annotations[failsWith2] != "" || isUsage(err) {
		return 2
	}
	return 1
}

// failsWith2 is the annotation of a command whose exit status 1 is an answer: it fails with 2.
const failsWith2 = "failsWith2"

// exitStatus is an exit status without a message: a command's answer, such as diff's 1.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake in the call: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage) || store.ClassOf(err) == store.Usage
}

// message returns an error in one line, with the candidates of an ambiguous reference below it.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	var ambiguous *store.AmbiguousError
	if errors.As(err, &ambiguous) {
		return fmt.Sprintf("%q is ambiguous; it may be\n  %s", ambiguous.Ref,
			strings.Join(ambiguous.Candidates, "\n  "))
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

func programVersion(linked string) string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" &&
		info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

const aboutREF = `A capture is named by a REF: @ID or a uid, or a device for its newest one:
NAME, SITE/NAME, or /NAME for a device without site. NAME~1 is the newest capture of the version
before the last change, NAME~2 of the one before that; versions are of the newest capture's
KIND, and whole.`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tftpsql",
		Short: "Keeps what network devices push by TFTP in an SQL database",
		Long: `tftpsql keeps what network devices push by TFTP in an SQL database. A device
hears "OK" when its configuration is durable, and not before. Without a command it serves.

` + aboutREF,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       suggestCommand,
	}
	// cobra's own --version prints other words than the command version.
	version := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *version {
			a.printVersion()
			return nil
		}
		return a.serve(cmd, args)
	}
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if readsSettings(cmd) {
			a.warnOfSpelling(a.warnings())
		}
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	a.config.Flags(root.PersistentFlags(), config.OnAll)
	a.serveFlags(root)
	root.AddCommand(a.serveCommand(),
		a.devicesCommand(), a.logCommand(), a.showCommand(), a.diffCommand(), a.blameCommand(),
		a.searchCommand(), a.watchCommand(),
		a.failuresCommand(), a.doctorCommand(), a.deviceCommand(),
		a.publishCommand(), a.unpublishCommand(), a.restoreCommand(),
		a.demoCommand(), a.importCommand(), a.exportCommand(), a.snapshotCommand(),
		a.spoolCommand(), a.pruneCommand(), a.migrateCommand(),
		a.pageCommand(), a.userCommand(), a.tokenCommand(), a.loginCommand(),
		a.alarmCommand(), a.deliveriesCommand(),
		a.putCommand(), a.getCommand(), a.healthcheckCommand(), a.versionCommand())
	a.completeArgs(root)
	return root
}

// suggestCommand refuses a word that is no command, and says which one may be meant.
func suggestCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if like := root.SuggestionsFor(args[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return usageError{errors.New(text + " (tftpsql --help lists the commands)")}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Run: func(*cobra.Command, []string) { a.printVersion() },
	}
}

func (a *app) printVersion() { fmt.Fprintln(a.out, "tftpsql", a.version) }

// noArgs and args check the number of arguments as cobra's functions do; what they return is a
// usageError.
func noArgs(cmd *cobra.Command, given []string) error { return args(0, 0)(cmd, given) }

func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) >= least && len(given) <= most {
			return nil
		}
		return usageError{fmt.Errorf("usage: tftpsql %s",
			strings.TrimPrefix(cmd.UseLine(), "tftpsql "))}
	}
}

// warnings returns the log of a command beside the server: what a person should know.
func (a *app) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// readsSettings reports whether a command reads the environment and has no log of its own, as the
// server has.
func readsSettings(cmd *cobra.Command) bool {
	words := strings.Fields(cmd.CommandPath())
	if len(words) < 2 || cmd.Hidden { // the server; what a shell asks for its completion
		return false
	}
	switch words[1] {
	case "serve", "doctor", "put", "get", "version", "help", "completion":
		return false
	}
	return true
}

// warnOfSpelling warns of variables that look like settings and are none.
func (a *app) warnOfSpelling(log *slog.Logger) {
	for _, name := range config.Misspelt(a.environ) {
		log.Warn("a variable of the environment is no setting: look at its spelling",
			"variable", name)
	}
}

// open opens the database for a command beside the server. Mistakes in the server's settings don't
// matter here.
func (a *app) open(ctx context.Context) (*store.Store, error) {
	s, err := store.Open(a.config.Database, a.storeOptions())
	if err != nil {
		return nil, err
	}
	if err := s.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a.warnOfSpool(ctx)
	return s, nil
}

func (a *app) storeOptions() store.Options {
	return store.Options{DirectURL: a.config.DirectDatabase, Fingerprint: device.Fingerprint,
		Ending: device.Ending, CutOff: device.CutOff, Logger: a.warnings()}
}

// onStore runs fn on the database, and closes it.
func (a *app) onStore(ctx context.Context, fn func(*store.Store) error) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(commandGC)
	}
	return fn(s)
}

// commandGC is how much a command's memory grows, in percent, before it is collected. A command
// ends soon, and a quarter of a blame's time was the collector's; a megabyte in use becomes five.
const commandGC = 400
