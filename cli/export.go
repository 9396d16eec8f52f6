package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

func (a *app) exportCommand() *cobra.Command {
	var site string
	cmd := &cobra.Command{
		Use:   "export DIR [GLOB]",
		Short: "Write the latest configuration of each device into a folder",
		Long: `Write the latest whole configuration of each device, or of those whose name matches GLOB, into DIR: SITE/DEVICE.conf, and
SITE/DEVICE.KIND.conf where it is of another kind than the full one. The bytes are those that the device sent, the time of the file is when.
A file that differs is replaced at once and whole, one that doesn't is left alone; nothing is deleted. What can't stand in a file's
name is written %XX. Configurations hold secrets: files are readable by their owner alone. Devices of which nothing whole has come are
named on stderr. The exit status is 1 where no device matches.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			glob := ""
			if len(args) == 2 {
				glob = args[1]
				if _, err := path.Match(glob, ""); err != nil {
					return usageError{fmt.Errorf("%q is no pattern: *, ? and [abc] stand for characters", glob)}
				}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			var bySite *string
			if cmd.Flags().Changed("site") {
				bySite = &site
			}
			wanted, torn, err := exported(cmd.Context(), s, glob, bySite)
			if err != nil {
				return err
			}
			if len(wanted)+len(torn) == 0 && (glob != "" || bySite != nil) {
				return errors.New("no device matches: tftpsql devices lists them")
			}
			for n, ref := range torn {
				if n == skippedShown {
					fmt.Fprintf(a.err, "and %d more\n", len(torn)-n)
					break
				}
				fmt.Fprintf(a.err, "left out: %s: no whole configuration of it has come\n", ref)
			}
			return a.export(cmd.Context(), s, args[0], wanted)
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "only devices of this site; '' for those without one")
	return cmd
}

// exported returns the newest whole captures of the devices that match, and the references of those devices that have none.
func exported(ctx context.Context, s *store.Store, glob string, site *string) (wanted []store.Record, torn []string, err error) {
	matches := func(d store.Device) bool { return globbed(glob, d) && (site == nil || d.Site == *site) }
	devices, err := s.Devices(ctx) // first: a device that comes meanwhile is not torn
	if err != nil {
		return nil, nil, err
	}
	records, err := s.Current(ctx)
	if err != nil {
		return nil, nil, err
	}
	has := map[store.Name]bool{}
	for _, r := range records {
		d := store.Device{Site: r.Site, Name: r.Device}
		has[store.Name{Site: d.Site, Name: d.Name}] = true
		if matches(d) {
			wanted = append(wanted, r)
		}
	}
	for _, d := range devices {
		if matches(d) && !has[store.Name{Site: d.Site, Name: d.Name}] {
			torn = append(torn, d.Ref())
		}
	}
	return wanted, torn, nil
}

func (a *app) export(ctx context.Context, s *store.Store, dir string, records []store.Record) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no name and no link leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	found, written, failed := 0, 0, 0
	progress, end := drawProgress(a.err, countLine)
	defer end()
	names := fileNames(records)
	for i, r := range records {
		if progress != nil {
			progress(int64(i+1), int64(len(records)))
		}
		body, err := s.Content(ctx, r)
		switch {
		case errors.Is(err, store.ErrNotFound): // it was forgotten meanwhile
			continue
		case err != nil && store.ClassOf(err) == store.Config: // damaged: the others are worth having all the more
			fmt.Fprintf(a.err, "left out: %s: %s\n", store.Device{Site: r.Site, Name: r.Device}.Ref(), message(err))
			failed++
			continue
		case err != nil:
			return err
		}
		found++
		changed, err := replace(root, names[i], body, r)
		if err != nil {
			return err
		}
		if changed {
			written++
		}
	}
	end()
	fmt.Fprintf(a.out, "%s: %d configurations, %d written, %d unchanged\n", dir, found, written, found-written)
	if failed > 0 {
		return fmt.Errorf("%d configurations can't be read", failed)
	}
	return nil
}

// replace makes a file what it should be, and reports whether it was something else.
func replace(root *os.Root, name string, body []byte, r store.Record) (changed bool, err error) {
	name = filepath.FromSlash(name)
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(body)) {
		was, err := root.ReadFile(name)
		if err != nil || bytes.Equal(was, body) {
			return false, err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return false, err
	}
	other := filepath.Join(filepath.Dir(name), ".tftpsql-"+rand.Text())
	f, err := root.OpenFile(other, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Chtimes(other, r.ReceivedAt, r.ReceivedAt)
	}
	if err == nil {
		err = root.Rename(other, name)
	}
	if err != nil {
		return false, errors.Join(err, root.Remove(other))
	}
	return true, nil
}

// fileNames returns a name, with slashes, for each capture. Two that a file system might take for one are told apart.
func fileNames(records []store.Record) []string {
	names := make([]string, len(records))
	taken := map[string]bool{}
	whole := map[store.Device]bool{} // which have a full configuration
	for _, r := range records {
		if r.Kind == device.KindFull {
			whole[store.Device{Site: r.Site, Name: r.Device}] = true
		}
	}
	for i, r := range records {
		var folder string
		for part := range strings.SplitSeq(r.Site, "/") {
			if r.Site != "" {
				folder = path.Join(folder, fileName(part, true))
			}
		}
		stem := fileName(r.Device, false)
		if r.Kind != device.KindFull && (r.Kind != device.KindOther || whole[store.Device{Site: r.Site, Name: r.Device}]) {
			stem += "." + fileName(strings.ReplaceAll(r.Kind, ":", "-"), false)
		}
		name := path.Join(folder, stem+extension)
		if taken[folded(name)] {
			sum := sha256.Sum256([]byte(r.Site + "\x00" + r.Device + "\x00" + r.Kind))
			name = path.Join(folder, stem+"~"+hex.EncodeToString(sum[:8])+extension)
		}
		taken[folded(name)] = true
		names[i] = name
	}
	return names
}

const (
	extension = ".conf"
	// longestName bounds a part of a name, in bytes: file systems take 255, with what is put behind it.
	longestName = 100
)

// folded is a name as a file system that doesn't tell cases apart may see it.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// reserved are names that mean something else on Windows.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)`)

// fileName makes a name, whatever it is, one element of a path that any file system takes. A folder never ends as a file does, so
// that the two can't be in each other's way.
func fileName(name string, folder bool) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		plain := r != utf8.RuneError && unicode.IsPrint(r) && !strings.ContainsRune(`/\:*?"<>|%~`, r)
		if i == 0 && (r == '.' || r == '-' || r == ' ' || reserved.MatchString(name)) || i+n == len(name) && (r == '.' || r == ' ') {
			plain = false
		}
		if folder && strings.EqualFold(name[i:], extension) {
			plain = false
		}
		if plain {
			b.WriteString(name[i : i+n])
		} else {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += n
	}
	safe := b.String()
	if len(safe) > longestName {
		sum := sha256.Sum256([]byte(name))
		cut := longestName - 17
		for cut > 0 && !utf8.RuneStart(safe[cut]) {
			cut--
		}
		safe = safe[:cut] + "~" + hex.EncodeToString(sum[:8])
	}
	if safe == "" {
		return "%"
	}
	return safe
}

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot FILE",
		Short: "Copy an SQLite database into a new file, also while the server runs",
		Long: `Copy the SQLite database, as it is at one moment, into a new FILE, also while the server runs: a backup of the backups. FILE is a
whole database, readable by its owner alone, and is never overwritten. For PostgreSQL there is pg_dump.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Snapshot(cmd.Context(), args[0]); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "copied %s into %s\n", bytesText(float64(info.Size())), args[0])
			return nil
		},
	}
}
