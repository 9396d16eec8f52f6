package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// publishFor is how long a version can be fetched unless --for says otherwise: long enough to walk
// to the device.
const publishFor = time.Hour

// longestPublished bounds the name of a publication, bytes: a read request must fit in a packet.
const longestPublished = 512

// publishFlags are what publish is asked for.
type publishFlags struct {
	as, file, to string
	once, list   bool
	asJSON       bool
	lasts        config.Duration
	at           timeFlag
}

func (a *app) publishCommand() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "publish REF | --file PATH | --list",
		Short: "Let a version, or a file, be fetched by TFTP for an hour",
		Long: `Let a version, or a file, be fetched by TFTP: for an hour, under a name that
nobody can guess, unless told otherwise. The command prints the line to type on the device. The
server must not run with TFTP_READ=none.

` + aboutREF,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.publication(len(args), time.Now())
			if err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				if f.list {
					return a.listPublished(cmd.Context(), s, f.asJSON)
				}
				if f.file != "" {
					if err = publishFile(cmd.Context(), s, &p, f.file); err == nil {
						a.printPublication(p, a.typedOn("", p, ""))
					}
					return err
				}
				return a.publishVersion(cmd.Context(), s, p, args[0], f.at.at())
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.file, "file", "",
		"publish this file, up to 256 MiB, instead of a version")
	cmd.Flags().BoolVar(&f.list, "list", false, "list what is published")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "with --list: print an array of objects")
	return cmd
}

// add adds the flags that say which version is published, and how.
func (f *publishFlags) add(cmd *cobra.Command) {
	f.lasts = config.Duration(publishFor)
	cmd.Flags().Var(&f.at, "at", aboutAt)
	cmd.Flags().StringVar(&f.as, "as", "",
		"the name to publish under; one that nobody can guess if not given")
	cmd.Flags().Var(&durationFlag{&f.lasts}, "for", "how long; 0 for until unpublish")
	cmd.Flags().StringVar(&f.to, "to", "",
		"the addresses that may fetch it: a prefix, or one; all that are served if not given")
	cmd.Flags().BoolVar(&f.once, "once", false, "for the first address that gets it alone")
}

// durationFlag is a Duration as a flag.
type durationFlag struct{ *config.Duration }

func (f *durationFlag) Set(s string) error { return f.UnmarshalText([]byte(s)) }

func (f *durationFlag) Type() string { return "time" }

// publication returns what the flags say of a publication, beside refs references.
func (f *publishFlags) publication(refs int, now time.Time) (p store.Publication, err error) {
	chosen := refs
	for _, c := range []bool{f.list, f.file != ""} {
		if c {
			chosen++
		}
	}
	if f.asJSON && !f.list {
		return p, errors.New("--json goes with --list")
	}
	if chosen != 1 {
		return p, errors.New("publish what? a REF, --file PATH, or --list to see what is published")
	}
	name := capture.PublishedName(f.as)
	if f.as != "" && (name == "" || len(name) > longestPublished ||
		name != strings.TrimLeft(f.as, "/")) {
		return p, fmt.Errorf("--as %q: a name has 1 to %d printable characters and no backslash",
			f.as, longestPublished)
	}
	p = store.Publication{Name: name, Once: f.once, PublishedAt: now}
	if f.lasts > 0 {
		p.ExpiresAt = now.Add(time.Duration(f.lasts))
	}
	if f.to != "" {
		if p.Allowed, err = config.ParsePrefix(f.to); err != nil {
			return p, fmt.Errorf("--to: %w", err)
		}
	}
	return p, nil
}

// publishFile publishes a file of this machine.
func publishFile(ctx context.Context, s *store.Store, p *store.Publication, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() > store.MaxPublished {
		return fmt.Errorf("%s has %d bytes: at most %s can be published", file, info.Size(),
			config.Size(store.MaxPublished))
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if p.Name == "" {
		p.Name = rand.Text() + filepath.Ext(file)
	}
	p.Description, p.Size = filepath.Base(file), int64(len(body))
	return s.PublishFile(ctx, *p, body)
}

// publishVersion publishes a capture, and prints what to type.
func (a *app) publishVersion(
	ctx context.Context, s *store.Store, p store.Publication, ref string, at time.Time,
) error {
	r, err := a.resolve(ctx, s, ref, at)
	if err != nil {
		return err
	}
	p = published(p, r)
	line, err := a.typedFor(ctx, s, p, r)
	if err == nil {
		err = s.Publish(ctx, p, r)
	}
	if err == nil {
		a.printPublication(p, line)
	}
	return err
}

// published returns a capture's publication.
func published(p store.Publication, r store.Record) store.Publication {
	if p.Name == "" {
		p.Name = rand.Text() + ".conf"
	}
	p.Description = fmt.Sprintf("%s %s of %s", deviceRef(r), captureRef(r), local(r.ReceivedAt))
	p.Size = r.Size
	return p
}

// typedFor returns what to type on the device of a capture.
func (a *app) typedFor(ctx context.Context, s *store.Store, p store.Publication,
	r store.Record) (typed, error) {
	address, err := s.LocalAddress(ctx, r)
	return a.typedOn(r.Platform, p, address), err
}

// typed is what to type on a device that fetches a publication.
type typed struct {
	fetch, then string
	server      string // what SERVER in them means, "" where they have the address
}

// typedOn returns what to type on a device of that platform. address is the one that the device has
// sent to, "" for unknown: it may be a container's own, so it isn't put into the line.
func (a *app) typedOn(platform string, p store.Publication, address string) (t typed) {
	t.fetch, t.then = device.RestoreLines(platform, p.Name, a.config.Host)
	if a.config.Host == "" {
		t.server = "SERVER is this server's address as the device sees it"
		if address != "" {
			t.server += ": its last capture came to " + address
		}
	}
	return t
}

// lasting says until when something is published.
func lasting(p store.Publication) string {
	if p.ExpiresAt.IsZero() {
		return "until tftpsql unpublish " + p.Name
	}
	return "until " + local(p.ExpiresAt)
}

// printPublication prints what to type, and beside it what was published.
func (a *app) printPublication(p store.Publication, t typed) {
	fmt.Fprintln(a.out, t.fetch)
	if t.then != "" {
		fmt.Fprintf(a.err, "then: %s\n", t.then)
	}
	fmt.Fprintf(a.err, "published %s, %d bytes, %s", p.Description, p.Size, lasting(p))
	if t.server != "" {
		fmt.Fprint(a.err, "; ", t.server)
	}
	fmt.Fprintln(a.err)
}

func (a *app) listPublished(ctx context.Context, s *store.Store, asJSON bool) error {
	list, err := s.Published(ctx, time.Now())
	if err != nil {
		return err
	}
	if asJSON {
		out := make([]history.PublicationJSON, len(list))
		for i, p := range list {
			out[i] = history.JSONOfPublication(p)
		}
		return a.printJSON(out)
	}
	t := a.table("NAME", "WHAT", "SIZE", "FOR", "UNTIL", "ONCE", "FETCHES")
	for _, p := range list {
		until, allowed := "unpublish", "all"
		if !p.ExpiresAt.IsZero() {
			until = local(p.ExpiresAt)
		}
		if p.Allowed != (netip.Prefix{}) {
			allowed = p.Allowed.String()
		}
		t.row(p.Name, short(p.Description), p.Size, allowed, until, yes(p.Once), p.Fetches)
	}
	return t.print()
}

func (a *app) unpublishCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unpublish NAME", Short: "End a publication", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				name := capture.PublishedName(args[0])
				if err := s.Unpublish(cmd.Context(), name); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s is no longer published\n", name)
				return nil
			})
		},
	}
}
