package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/worker"
)

func (a *app) healthcheckCommand() *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server on this machine whether captures can be stored",
		Long: `Ask the server at HTTP_ADDR whether captures can be stored (/readyz), or with
--live whether its UDP loop runs (/healthz). The exit status is 0 for yes and 1 for no, or no
answer. It needs nothing but the program, so that containers without a shell can use it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.configErr != nil {
				return a.configErr
			}
			at := a.config.HTTP
			if at.Addr == "" {
				return errors.New("HTTP_ADDR (--http) is none: there is nothing to ask")
			}
			path := "/readyz"
			if live {
				path = "/healthz"
			}
			text, err := worker.Ask(cmd.Context(), at.Local(), path, a.config.TLSCert != "")
			if err == nil {
				fmt.Fprintln(a.out, text)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the UDP loop turns")
	a.config.Flags(cmd.Flags(), config.OnHealthcheck)
	return cmd
}
