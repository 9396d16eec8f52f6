package cli

import (
	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/worker"
)

// serve is the server: configuration, store, listener, until ctx ends.
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
	if err = worker.Run(cmd.Context(), c, a.environ, a.version, log); err != nil && c.LogFile != "" {
		log.Error("stopped", "err", err)
	}
	return err
}
