package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Fill an empty database with a made-up fleet, to look around in",
		Long: `Fill an empty database with a made-up fleet: ten devices of seven platforms at
three sites, and what each has sent in the last thirty nights. One has gone silent, and one upload
is torn. The database is made where there is none; one that holds captures is refused. The fleet
sends no more, so after two days every device counts as silent.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.demo(cmd.Context()); err != nil {
				return err
			}
			next := tryNext
			if database := cmd.Flags().Lookup("database"); database.Changed &&
				strings.HasPrefix(database.Value.String(), "sqlite:") { // else it has a password
				next = "  export DATABASE_URL=" + shellQuoted(database.Value.String()) + "\n" + next
			}
			_, err := fmt.Fprint(escaper{a.out}, "\nTry:\n\n", next)
			return err
		},
	}
	a.config.Flags(cmd.Flags(), config.OnHealthcheck)
	return cmd
}

// tryNext are the commands that have something to show of the demo.
const tryNext = `  tftpsql devices --overdue
  tftpsql log '*' --since 2d --changed --diff
  tftpsql show fw-acme --redact
  tftpsql blame sw-acme-1 ntp
  tftpsql search 'ntp.example.net' --history
  tftpsql restore fw-acme~1 --dry-run
`

func (a *app) demo(ctx context.Context) (err error) {
	s, err := a.openTarget(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close()
	holds, err := s.HasCaptures(ctx)
	switch {
	case err != nil:
		return err
	case holds:
		return fmt.Errorf("%s holds captures already, and a made-up fleet must not mix with them: "+
			"name a database of its own, as in tftpsql demo --database sqlite:demo.db",
			store.Located(a.config.Database))
	}
	i := move.Import{From: move.Demo(time.Now()), To: s}
	var end func()
	i.Progress, end = drawProgress(a.err, countLine)
	report, err := i.Run(ctx)
	end()
	if err = errors.Join(a.printReport(report, false, err), err); err != nil {
		return err
	}
	if base, none := a.pageURL(); none == nil {
		link, err := addLink(ctx, s, base, store.Person{Name: "link", Role: store.Admin})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "\n%s\nopens the page, once, within five minutes, while the server "+
			"runs on this database.\ntftpsql page prints another link.\n", link)
	}
	return nil
}

// shellQuoted returns a text as a word of a shell.
func shellQuoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
