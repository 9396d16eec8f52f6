package cli

import (
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

// serve runs the worker until the command's context ends.
func (a *app) serve(cmd *cobra.Command, _ []string) error {
	c := a.config
	if err := a.configErr; err != nil {
		return usageError{err}
	}
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	log, closeLog, err := logger(&c, a.err, a.environ)
	if err != nil {
		return err
	}
	defer closeLog()
	if err = worker.Run(cmd.Context(), c, a.environ, a.version, log); err != nil &&
		c.LogFile != "" {
		log.Error("stopped", "err", err)
	}
	return err
}
