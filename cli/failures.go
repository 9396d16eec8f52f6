package cli

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/worker"
)

func (a *app) failuresCommand() *cobra.Command {
	var asJSON bool
	var since timeFlag
	cmd := &cobra.Command{
		Use:   "failures [DEVICE]",
		Short: "List what failed or was refused, why, and what to do",
		Long: `List what failed or was refused, why, and what to do: uploads that broke off, and
requests that were refused, folded by source, hour and reason. With DEVICE: from the addresses
that it has sent from. They are kept for 30 days. Where very many fail in one hour, those beyond
count together as "others".`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := time.Now().Add(-config.Day)
			if since.text != "" {
				from = since.time.Time
			}
			return a.onDevices(cmd, args, func(s *store.Store, found []store.Device) error {
				var d *store.Device
				if len(found) == 1 {
					d = &found[0]
				}
				list, err := s.Failures(cmd.Context(), d, from)
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.printFailuresJSON(list)
				}
				return a.printFailures(list)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.Flags().Var(&since, "since", "how far back, 24h if not given: 7d, or a time")
	return cmd
}

func (a *app) printFailures(list []store.Failure) error {
	t := a.table("LAST", "SOURCE", "TIMES", "BYTES", "FILE", "WHY", "WHAT TO DO")
	for _, f := range list {
		t.row(local(f.Last), f.Source, f.Times, f.Bytes, short(f.File()), f.Reason,
			cmp.Or(worker.Cure(f.Reason), short(f.Detail)))
	}
	return t.print()
}

func (a *app) printFailuresJSON(list []store.Failure) error {
	out := make([]history.FailureJSON, len(list))
	for i, f := range list {
		out[i] = history.JSONOfFailure(f)
	}
	return a.printJSON(out)
}
