package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/worker"
)

// findingJSON is a finding of doctor --json.
type findingJSON struct {
	What  string `json:"what"`
	State string `json:"state"` // ok, warning, failure, not known
	Found string `json:"found"`
	Do    string `json:"do"` // "" for nothing
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [ADDRESS]",
		Short: "Look for what keeps a device from being backed up",
		Long: `Look for what keeps a device from being backed up, on the server's machine and with
the server's settings: the settings, the database, the port, the server itself, this machine's
firewall, TFTP_ALLOW, failures of the last day, the disk, the spool, the clock, the certificate,
SSH_ADDR and the receivers of alarms. With ADDRESS, a device's, it looks whether that one is served,
and why its uploads have failed. It changes nothing, and sends no alarm. The exit status is 1 where
a line says failure, and 0 where none does.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d := worker.Doctor{Config: a.config, Invalid: a.configErr, Environ: a.environ,
				Version: a.version, Log: a.warnings()}
			if len(args) == 1 {
				address, err := netip.ParseAddr(args[0])
				if err != nil {
					return usageError{fmt.Errorf("%q is no address: write 203.0.113.7", args[0])}
				}
				d.Source = address.Unmap().WithZone("")
			}
			list := d.Examine(cmd.Context())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if err := a.printFindings(list, asJSON); err != nil {
				return err
			}
			if slices.ContainsFunc(list, func(f worker.Finding) bool {
				return f.State == worker.Failing
			}) {
				return exitStatus(1)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	a.config.Flags(cmd.Flags(), config.OnServe)
	return cmd
}

func (a *app) printFindings(list []worker.Finding, asJSON bool) error {
	if asJSON {
		out := make([]findingJSON, len(list))
		for i, f := range list {
			out[i] = findingJSON{What: f.What, State: string(f.State), Found: f.Found, Do: f.Do}
		}
		return a.printJSON(out)
	}
	var failed error
	for _, f := range list {
		text := f.Found
		if f.Do != "" {
			text += ": " + f.Do
		}
		_, err := fmt.Fprintf(escaper{a.out}, "%-9s  %-9s  %s\n", f.State, f.What, text)
		failed = errors.Join(failed, err)
	}
	return failed
}
