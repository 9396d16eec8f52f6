package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) importCommand() *cobra.Command {
	var git, dry bool
	var site string
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Take over what another program, folder or database has kept",
		Long: `Take over what was kept elsewhere, the oldest first. SOURCE is

  DIR             a TFTP server's folder: a subfolder is a site, files have the times of their last
                  change
  --git DIR       the git repository of Oxidized or RANCID: every version, with the time of its
                  commit; the group is the site
  postgres://...  py3tftpsql's table, and all captures where it is a database of tftpsql
  sqlite:PATH     a database of tftpsql

It goes into the database of --database or DATABASE_URL, which is made where there is none. What
was imported before is not imported again, so the command may be repeated, or go on after an
interruption. The server may run meanwhile.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.ContainsAny(site[:min(1, len(site))], "-@~/") || device.Text(site) != site {
				return usageError{fmt.Errorf(
					"%q is no site: printable characters, and no -, @, ~ or / at its beginning",
					site)}
			}
			i := move.Import{Dry: dry}
			if cmd.Flags().Changed("site") {
				i.Site = &site
			}
			return a.importFrom(cmd.Context(), i, args[0], git)
		},
	}
	cmd.Flags().BoolVar(&git, "git", false, "SOURCE is a git repository of Oxidized or RANCID")
	cmd.Flags().StringVar(&site, "site", "", "the site of everything that is imported; '' for none")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be imported")
	return cmd
}

func (a *app) importFrom(ctx context.Context, i move.Import, source string, git bool) (err error) {
	if i.From, err = a.openSource(ctx, source, git); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.From.Close()) }()
	if i.To, err = a.openTarget(ctx, i.Dry); err != nil {
		return err
	}
	if i.To != nil {
		defer i.To.Close()
	}
	var end func()
	i.Progress, end = drawProgress(a.err, countLine)
	report, err := i.Run(ctx)
	end()
	return errors.Join(a.printReport(report, i.Dry, err), err)
}

const sourceForms = "SOURCE is a folder, --git FOLDER, sqlite:PATH or postgres://"

// openSource opens what is imported from.
func (a *app) openSource(ctx context.Context, source string, git bool) (*move.Source, error) {
	most := int64(a.config.MaxSize)
	scheme, _, isURL := strings.Cut(source, "://")
	switch {
	case git:
		return move.OpenGit(ctx, source, most)
	case noFile(source):
		return nil, fmt.Errorf("SOURCE: no database at %s: %s",
			strings.TrimPrefix(source, "sqlite:"), sourceForms)
	case strings.HasPrefix(source, "sqlite:"),
		isURL && (scheme == "postgres" || scheme == "postgresql"):
		return move.OpenDatabase(ctx, source, a.warnings())
	case isURL:
		return nil, usageError{fmt.Errorf("%q can't be imported: %s", store.Masked(source),
			sourceForms)}
	}
	from, err := move.OpenFolder(source, most)
	switch {
	case errors.Is(err, move.ErrRepository):
		return nil, usageError{fmt.Errorf("%w: say --git, and every version comes with its time",
			err)}
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, sourceForms)
	}
	return from, nil
}

// openTarget opens the database that is imported into. It makes it where there is none; with dry it
// returns nil then.
func (a *app) openTarget(ctx context.Context, dry bool) (*store.Store, error) {
	s, err := a.open(ctx)
	if err == nil || store.ClassOf(err) != store.Config || a.config.Migrate == "off" {
		return s, err
	}
	if dry {
		if a.isNew(ctx) {
			return nil, nil
		}
		return nil, err
	}
	o := a.storeOptions()
	o.Own, o.Create = true, true
	s, failed := store.Open(a.config.Database, o)
	// the same trouble as before, and not a missing database
	if failed != nil && failed.Error() == err.Error() {
		return nil, failed
	}
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	if failed = s.Migrate(ctx); failed != nil {
		return nil, errors.Join(failed, s.Close())
	}
	return s, nil
}

// noFile reports whether a URL is of an SQLite file that doesn't exist.
func noFile(url string) bool {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	_, err := os.Stat(strings.TrimPrefix(path, "//"))
	return isFile && errors.Is(err, fs.ErrNotExist)
}

// isNew reports whether the database has none of this program's tables, or is a file that doesn't
// exist.
func (a *app) isNew(ctx context.Context) bool {
	if noFile(a.config.Database) {
		return true
	}
	s, err := store.Open(a.config.Database, a.storeOptions())
	if err != nil {
		return false
	}
	defer s.Close()
	version, dirty, err := s.SchemaVersion(ctx)
	return err == nil && version == 0 && !dirty
}

// printReport says what was imported, also where the import failed.
func (a *app) printReport(r move.Report, dry bool, failed error) error {
	if r.New > 0 {
		t := a.table("DEVICE", "PLATFORM", "CAPTURES", "FIRST", "LAST")
		for _, d := range r.Devices {
			t.row(d.Ref, d.Platform, d.Captures, local(d.First), local(d.Last))
		}
		if err := t.print(); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	skipped := make([]string, len(r.Skipped))
	for i, s := range r.Skipped {
		skipped[i] = s.What + ": " + message(s.Why)
		if !s.At.IsZero() {
			skipped[i] = s.What + " of " + local(s.At) + ": " + message(s.Why)
		}
	}
	a.printSkipped(skipped)
	for _, site := range slices.Sorted(maps.Keys(r.Elsewhere)) {
		fmt.Fprintf(a.err, "%s of before under %s: --site is for what is new\n",
			counted(r.Elsewhere[site], "capture"), siteText(site))
	}
	if failed == nil && r.New+r.Known+int64(len(r.Skipped)) == 0 {
		fmt.Fprintln(a.err, "the source has no configurations")
	}
	verb := "imported"
	if dry {
		verb = "to import"
	}
	fmt.Fprintf(a.out, "%s: %s of %s; %d here before, %d left out\n", verb,
		counted(r.New, "capture"), counted(len(r.Devices), "device"), r.Known, len(r.Skipped))
	if failed != nil && !dry {
		fmt.Fprintln(a.err,
			"not everything is imported: the same command goes on where this one ended")
	}
	return nil
}

func siteText(site string) string {
	if site == "" {
		return "no site"
	}
	return "site " + site
}
