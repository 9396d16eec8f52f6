package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/worker"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve TFTP; what tftpsql does without a command", Args: noArgs,
		RunE: a.serve,
	}
	a.serveFlags(cmd)
	return cmd
}

func (a *app) serveFlags(cmd *cobra.Command) {
	a.config.Flags(cmd.Flags(), config.OnServe)
	cmd.Flags().BoolVarP(&a.config.Verbose, "verbose", "v", false,
		"log at level debug, with every packet")
	cmd.Flags().SortFlags = false
}

// serve runs the worker until the command's context ends. SIGHUP reopens the log file, so that it
// can be rotated; without a file it ends the server as SIGTERM does.
func (a *app) serve(cmd *cobra.Command, _ []string) error {
	c := a.config
	if err := a.configErr; err != nil {
		return usageError{err}
	}
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	log, file, err := newLogger(c, a.err, a.environ)
	if err != nil {
		return err
	}
	a.warnOfSpelling(log)
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	if file == nil {
		onHangup(ctx, stop)
		return worker.Run(ctx, c, a.environ, a.version, log)
	}
	defer file.close()
	onHangup(ctx, func() { reopenLog(file, log) })
	err = worker.Run(ctx, c, a.environ, a.version, log)
	if err != nil {
		log.Error("stopped", "err", err)
	}
	return err
}

// onHangup calls fn at each SIGHUP until ctx ends. A program that nohup has started ignores that
// signal.
func onHangup(ctx context.Context, fn func()) {
	if signal.Ignored(syscall.SIGHUP) {
		return
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() { // ends with ctx
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				fn()
			}
		}
	}()
}

// reopenLog begins a new file where the log was rotated.
func reopenLog(file *logFile, log *slog.Logger) {
	note, err := file.reopen()
	switch {
	case err != nil:
		log.Error("the log could not be reopened, and goes on in the old file", "err", err)
	case note != "":
		log.Warn(note, "file", file.name)
	default:
		log.Info("the log was reopened")
	}
}
