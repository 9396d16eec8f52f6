package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// found is something to import. Its uid is made of what it is and where it was found, so that it is stored once however often it
// is imported.
type found struct {
	uid     string
	capture func(context.Context) (store.Capture, error) // errSkipped where it is no configuration
}

// errSkipped is why something isn't imported, for the list of what was left out.
type errSkipped struct{ what, why string }

func (e errSkipped) Error() string { return e.what + ": " + e.why }

// origin is where captures are imported from: everything it has, the oldest first.
type origin interface {
	each(ctx context.Context, yield func(found) error) error
	total() int64
	// after is done when everything is stored, under that site if it is not nil.
	after(ctx context.Context, to *store.Store, site *string) error
	close() error
}

func (a *app) importCommand() *cobra.Command {
	var git, dry bool
	var site string
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Take over what another program, folder or database has kept",
		Long: `Take over what was kept elsewhere, the oldest first. SOURCE is

  DIR                 a TFTP server's folder: a subfolder is a site, files have the times of their last change
  --git DIR           the git repository of Oxidized or RANCID: every version, with the time of its commit; the group is the site
  postgres://...      py3tftpsql's table, and all captures where it is a database of tftpsql
  sqlite:PATH         a database of tftpsql

into the database of --database or DATABASE_URL, which is made where there is none. What was imported before is not imported
again, so it may be repeated, or go on after an interruption. The server may run meanwhile.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.ContainsAny(site[:min(1, len(site))], "-@~") || device.Text(site) != site || strings.HasPrefix(site, "/") {
				return usageError{fmt.Errorf("%q is no site: printable characters, and no -, @, ~ or / at its beginning", site)}
			}
			i := importing{app: a, dry: dry, devices: map[string]*imported{}, elsewhere: map[string]int64{}}
			if cmd.Flags().Changed("site") {
				i.site = &site
			}
			return i.run(cmd.Context(), args[0], git)
		},
	}
	cmd.Flags().BoolVar(&git, "git", false, "SOURCE is a git repository of Oxidized or RANCID")
	cmd.Flags().StringVar(&site, "site", "", "the site of everything that is imported; '' for none")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be imported")
	return cmd
}

// importing is an import.
type importing struct {
	app     *app
	site    *string // of everything, if not nil
	dry     bool
	to      *store.Store // nil with dry where there is no database yet
	devices map[string]*imported

	fresh, known int64
	elsewhere    map[string]int64 // by site: captures that were here before, under another site than the one asked for
	skipped      []errSkipped
}

// imported is what was imported of a device.
type imported struct {
	ref, platform string
	captures      int
	first, last   time.Time
}

// skippedShown is how many of those are named that were left out.
const skippedShown = 10

func (i *importing) run(ctx context.Context, source string, git bool) (err error) {
	from, err := i.open(ctx, source, git)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if i.to, err = i.app.openOrCreate(ctx, i.dry); err != nil {
		return err
	}
	if i.to != nil {
		defer i.to.Close()
	}
	if o, ok := from.(*seedOrigin); ok {
		if err := o.times(ctx, i.to, time.Now()); err != nil {
			return err
		}
	}
	progress, end := drawProgress(i.app.err, countLine)
	err = i.all(ctx, from, progress)
	end()
	if err == nil && !i.dry {
		err = from.after(ctx, i.to, i.site)
	}
	return errors.Join(i.report(err), err)
}

// open opens what is imported from.
func (i *importing) open(ctx context.Context, source string, git bool) (origin, error) {
	most := int64(i.app.config.MaxSize)
	switch {
	case git:
		return openGit(ctx, source, most)
	case strings.HasPrefix(source, "sqlite:"), strings.HasPrefix(source, "postgres://"), strings.HasPrefix(source, "postgresql://"):
		return openDatabase(ctx, source, i.app.warnings())
	case strings.Contains(source, "://"):
		return nil, usageError{fmt.Errorf("%q is no SOURCE: a folder, --git FOLDER, sqlite:PATH or postgres://", config.Masked(source))}
	}
	return openFolder(source, most)
}

// all goes through what there is. Captures are stored one after the other, so that their numbers grow with their times, and a
// device that sends meanwhile waits for one of them at most.
func (i *importing) all(ctx context.Context, from origin, progress func(done, total int64)) error {
	done := int64(0)
	return from.each(ctx, func(f found) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done++; progress != nil {
			progress(done, from.total())
		}
		if here, err := i.has(ctx, f.uid); err != nil || here != nil {
			if err == nil {
				i.was(here.Site)
			}
			return err
		}
		c, err := f.capture(ctx)
		var skipped errSkipped
		if errors.As(err, &skipped) {
			i.skipped = append(i.skipped, skipped)
			return nil
		}
		if err != nil {
			return err
		}
		c.UID = f.uid
		if i.site != nil {
			c.Site = *i.site
		}
		return i.put(ctx, c)
	})
}

// has returns what is stored already, or nil.
func (i *importing) has(ctx context.Context, uid string) (*store.Record, error) {
	if i.to == nil {
		return nil, nil
	}
	r, err := i.to.Resolve(ctx, uid, time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &r, err
}

// was counts what is here already.
func (i *importing) was(site string) {
	i.known++
	if i.site != nil && site != *i.site {
		i.elsewhere[site]++
	}
}

// put stores a capture, and counts it.
func (i *importing) put(ctx context.Context, c store.Capture) error {
	stored := store.Stored{Site: c.Site, Device: c.Name}
	if !i.dry {
		var err error
		if stored, err = i.to.Put(ctx, c); err != nil {
			return err
		}
	}
	if stored.Known { // another import runs
		i.was(stored.Site)
		return nil
	}
	i.fresh++
	ref := store.Device{Site: stored.Site, Name: stored.Device}.Ref()
	d := i.devices[ref]
	if d == nil {
		d = &imported{ref: ref, first: c.ReceivedAt, last: c.ReceivedAt}
		i.devices[ref] = d
	}
	d.captures++
	d.platform = cmp.Or(c.Platform, d.platform)
	if c.ReceivedAt.Before(d.first) {
		d.first = c.ReceivedAt
	}
	if c.ReceivedAt.After(d.last) {
		d.last = c.ReceivedAt
	}
	return nil
}

// report says what was done, also where it went no further.
func (i *importing) report(failed error) error {
	if i.fresh > 0 {
		list := make([]*imported, 0, len(i.devices))
		for _, d := range i.devices {
			list = append(list, d)
		}
		slices.SortFunc(list, func(a, b *imported) int { return strings.Compare(a.ref, b.ref) })
		t := i.app.table("DEVICE", "PLATFORM", "CAPTURES", "FIRST", "LAST")
		for _, d := range list {
			t.row(d.ref, d.platform, d.captures, local(d.first), local(d.last))
		}
		if err := t.print(); err != nil {
			return err
		}
		fmt.Fprintln(i.app.out)
	}
	for n, s := range i.skipped {
		if n == skippedShown {
			fmt.Fprintf(i.app.err, "and %d more\n", len(i.skipped)-n)
			break
		}
		fmt.Fprintf(i.app.err, "left out: %s\n", s)
	}
	for _, site := range slices.Sorted(maps.Keys(i.elsewhere)) {
		fmt.Fprintf(i.app.err, "%d captures were here before and stay under %s: --site is for what is new\n", i.elsewhere[site], siteText(site))
	}
	if failed == nil && i.fresh+i.known+int64(len(i.skipped)) == 0 {
		fmt.Fprintln(i.app.err, "SOURCE has no configurations")
	}
	verb := "imported"
	if i.dry {
		verb = "to import"
	}
	fmt.Fprintf(i.app.out, "%s: %d captures of %d devices; %d were here before, %d left out\n", verb, i.fresh, len(i.devices), i.known, len(i.skipped))
	if failed != nil && !i.dry {
		fmt.Fprintln(i.app.err, "not everything is imported: the same command goes on where this one ended")
	}
	return nil
}

func siteText(site string) string {
	if site == "" {
		return "no site"
	}
	return "site " + site
}

// openOrCreate opens the database for a command beside the server, and makes it where there is none, unless it is only looked at:
// then there is no store.
func (a *app) openOrCreate(ctx context.Context, look bool) (*store.Store, error) {
	s, err := a.open(ctx)
	if err == nil || store.ClassOf(err) != store.Config || a.config.Migrate == "off" {
		return s, err
	}
	if look {
		if a.nothingYet(ctx) {
			return nil, nil
		}
		return nil, err
	}
	s, failed := store.Open(a.config.Database, store.Options{DirectURL: a.config.DirectDatabase, Own: true, Create: true,
		Fingerprint: device.Fingerprint, Logger: a.warnings()})
	if failed != nil && failed.Error() == err.Error() { // it isn't that it was not there
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

// nothingYet reports whether the database has none of this program's tables, or is a file that is not there.
func (a *app) nothingYet(ctx context.Context) bool {
	path, isFile := strings.CutPrefix(a.config.Database, "sqlite:")
	if _, err := os.Stat(strings.TrimPrefix(path, "//")); isFile && errors.Is(err, fs.ErrNotExist) {
		return true
	}
	s, err := store.Open(a.config.Database, store.Options{DirectURL: a.config.DirectDatabase, Logger: a.warnings()})
	if err != nil {
		return false
	}
	defer s.Close()
	version, dirty, err := s.SchemaVersion(ctx)
	return err == nil && version == 0 && !dirty
}

// countLine is a line of a progress bar that counts captures.
func countLine(done, total int64, took time.Duration, width int) string {
	part, left := 1.0, "-"
	rate := float64(done) / max(took.Seconds(), 1e-3)
	if total > 0 {
		part = min(float64(done)/float64(total), 1)
	}
	if rate > 0 {
		left = time.Duration(float64(max(total-done, 0)) / rate * float64(time.Second)).Round(time.Second).String()
	}
	return bar(part, fmt.Sprintf(" %3.0f%% %d of %d captures, %.0f/s, %s left", 100*part, done, total, rate, left), width)
}

// importSpace is the namespace of the uids of what is imported (RFC 9562, section 5.5).
var importSpace = uuid.MustParse("7c0f4d0e-5a1b-4c52-9a5e-6f1d8f3b2a90")

// uidOf makes a uid of what names a thing wherever it is imported.
func uidOf(parts ...string) string {
	return uuid.NewSHA1(importSpace, []byte(strings.Join(parts, "\x00"))).String()
}

// captureFrom is a file as a capture: nobody knows from which address it came, so a file that would be
// named by that has its own name. What claims to be from tomorrow is of today: nothing that is sent until then would be the newest.
func captureFrom(filename string, at time.Time, body []byte) store.Capture {
	if now := time.Now(); at.After(now) {
		at = now
	}
	c := capture.Upload{Filename: filename, Mode: store.Imported, Received: at, Completed: at, Body: body}.Capture()
	if c.NamedBy == store.NamedBySource {
		c.Name, c.NamedBy = nameOf(strings.TrimSuffix(path.Base(filename), path.Ext(filename))), store.NamedByFilename
	}
	return c
}

// nameOf makes a name for a device of what was not meant as one.
func nameOf(text string) string {
	text = strings.TrimLeft(device.Text(text), "-@~/")
	for len(text) > 255 {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return cmp.Or(text, "unnamed")
}

// folder is a TFTP server's folder.
type folder struct {
	root  *os.Root
	files []folderFile
	most  int64
	shut  []string // folders that this user may not read
}

type folderFile struct {
	name string // with slashes
	at   time.Time
}

func openFolder(dir string, most int64) (origin, error) {
	root, err := os.OpenRoot(dir) // which no link in it leads out of
	if err != nil {
		return nil, fmt.Errorf("%w: SOURCE is a folder, --git FOLDER, sqlite:PATH or postgres://", err)
	}
	if isRepository(root) {
		return nil, errors.Join(usageError{fmt.Errorf("%s is a git repository: say --git, and every version comes with its time", dir)}, root.Close())
	}
	f := &folder{root: root, most: most}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission) && name != ".":
			f.shut = append(f.shut, name)
			return fs.SkipDir
		case errors.Is(err, fs.ErrNotExist) && name != ".": // it went away
			return nil
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			f.files = append(f.files, folderFile{name, info.ModTime()})
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	slices.SortStableFunc(f.files, func(a, b folderFile) int { return a.at.Compare(b.at) })
	return f, nil
}

// isRepository reports whether a folder is a git repository, with its files or without.
func isRepository(root *os.Root) bool {
	for _, parts := range [][]string{{".git"}, {"HEAD", "objects", "refs"}} {
		there := 0
		for _, name := range parts {
			if _, err := root.Stat(name); err == nil {
				there++
			}
		}
		if there == len(parts) {
			return true
		}
	}
	return false
}

func (f *folder) total() int64 { return int64(len(f.files) + len(f.shut)) }

func (f *folder) close() error { return f.root.Close() }

func (f *folder) after(context.Context, *store.Store, *string) error { return nil }

func (f *folder) each(_ context.Context, yield func(found) error) error {
	for _, name := range f.shut {
		if err := yield(leftOut(name, errSkipped{device.Text(name), "this user may not read it"})); err != nil {
			return err
		}
	}
	for _, file := range f.files {
		if err := yield(f.find(file)); err != nil {
			return err
		}
	}
	return nil
}

// find reads a file, unless it is too large, gone meanwhile, or somebody else's alone.
func (f *folder) find(file folderFile) found {
	name := filepath.FromSlash(file.name)
	info, err := f.root.Stat(name)
	if err == nil && info.Size() > f.most {
		return leftOut(file.name, tooLarge(file.name, info.Size(), f.most))
	}
	var body []byte
	if err == nil {
		body, err = f.root.ReadFile(name)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return leftOut(file.name, errSkipped{device.Text(file.name), "this user may not read it"})
	case errors.Is(err, fs.ErrNotExist):
		return leftOut(file.name, errSkipped{device.Text(file.name), "it went away"})
	case err != nil:
		return leftOut(file.name, err)
	}
	sum := sha256.Sum256(body)
	return found{uidOf("file", file.name, file.at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano), string(sum[:])),
		func(context.Context) (store.Capture, error) { return captureFrom(file.name, file.at, body), nil }}
}

// leftOut is what can't be imported. Its uid is never stored.
func leftOut(name string, why error) found {
	return found{uidOf("left out", name), func(context.Context) (store.Capture, error) { return store.Capture{}, why }}
}

func tooLarge(name string, size, most int64) error {
	return errSkipped{device.Text(name), fmt.Sprintf("%s, and TFTP_MAX_SIZE is %s", bytesText(float64(size)), config.Size(most))}
}
