package cli

import (
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
	"github.com/tftpsql/tftpsql/store"
)

const (
	// publishFor is how long a version is fetchable unless told otherwise: long enough to walk to the device.
	publishFor = time.Hour
)

func (a *app) publishCommand() *cobra.Command {
	var as, file, to string
	var once, list bool
	var at timeFlag
	lasts := config.Duration(publishFor)
	cmd := &cobra.Command{
		Use:   "publish REF | --file PATH | --list",
		Short: "Let a version, or a file, be fetched by TFTP for an hour",
		Long: `Let a version, or a file, be fetched by TFTP: for an hour, under a name that nobody can guess, unless told otherwise. The
command prints the line to type on the device. The server must not run with TFTP_READ=none.

` + aboutREF,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen := 0
			for _, c := range []bool{list, file != "", len(args) == 1} {
				if c {
					chosen++
				}
			}
			if chosen != 1 {
				return usageError{errors.New("publish what? a REF, --file PATH, or --list to see what is published")}
			}
			if name := strings.TrimLeft(as, "/"); as != "" && (name == "" || len(name) > 512 || capture.PublishedName(as) != name) {
				return usageError{fmt.Errorf("--as %q: a name has 1 to 512 printable characters and no backslash", as)}
			}
			p := store.Publication{Name: capture.PublishedName(as), Once: once, PublishedAt: time.Now()}
			if lasts > 0 {
				p.ExpiresAt = p.PublishedAt.Add(time.Duration(lasts))
			}
			if to != "" {
				prefix, err := config.ParsePrefix(to)
				if err != nil {
					return usageError{fmt.Errorf("--to: %w", err)}
				}
				p.Allowed = prefix
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if list {
				return a.listPublished(cmd, s)
			}
			platform := ""
			if file != "" {
				err = publishFile(cmd, s, &p, file)
			} else {
				platform, err = publishVersion(cmd, s, &p, args[0], at.at())
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, fetchLine(platform, p.Name))
			until := "until " + local(p.ExpiresAt)
			if p.ExpiresAt.IsZero() {
				until = "until tftpsql unpublish " + p.Name
			}
			fmt.Fprintf(a.err, "published %s, %d bytes, %s; SERVER is this server's address as the device sees it\n", p.Description, p.Size, until)
			return nil
		},
	}
	cmd.Flags().Var(&at, "at", aboutAt)
	cmd.Flags().StringVar(&as, "as", "", "the name to publish under; one that nobody can guess if not given")
	cmd.Flags().Var(&flagDuration{&lasts}, "for", "how long; 0 for until unpublish")
	cmd.Flags().StringVar(&to, "to", "", "who may fetch it: a prefix or an address; everybody who is served if not given")
	cmd.Flags().BoolVar(&once, "once", false, "for the first address that gets it alone")
	cmd.Flags().StringVar(&file, "file", "", "publish this file, up to 256 MiB, instead of a version")
	cmd.Flags().BoolVar(&list, "list", false, "list what is published")
	return cmd
}

// flagDuration is a Duration as a flag.
type flagDuration struct{ *config.Duration }

func (f *flagDuration) Set(s string) error { return f.UnmarshalText([]byte(s)) }

func (f *flagDuration) Type() string { return "time" }

func publishFile(cmd *cobra.Command, s *store.Store, p *store.Publication, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() > store.MaxPublished {
		return fmt.Errorf("%s has %d bytes: at most %s can be published", file, info.Size(), config.Size(store.MaxPublished))
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if p.Name == "" {
		p.Name = rand.Text() + filepath.Ext(file)
	}
	p.Description, p.Size = filepath.Base(file), int64(len(body))
	return s.PublishFile(cmd.Context(), *p, body)
}

func publishVersion(cmd *cobra.Command, s *store.Store, p *store.Publication, ref string, at time.Time) (platform string, err error) {
	r, err := s.Resolve(cmd.Context(), ref, at)
	if err != nil {
		return "", err
	}
	if p.Name == "" {
		p.Name = rand.Text() + ".conf"
	}
	p.Description, p.Size = fmt.Sprintf("%s @%d of %s", deviceRef(r), r.ID, local(r.ReceivedAt)), r.Size
	return r.Platform, s.Publish(cmd.Context(), *p, r)
}

// fetchLine is what to type on the device.
func fetchLine(platform, name string) string {
	switch platform {
	case "fortinet":
		return "execute restore config tftp " + name + " SERVER"
	}
	return "tftp SERVER: get " + name
}

func (a *app) listPublished(cmd *cobra.Command, s *store.Store) error {
	list, err := s.Published(cmd.Context(), time.Now())
	if err != nil {
		return err
	}
	t := a.table("NAME", "WHAT", "SIZE", "FOR", "UNTIL", "ONCE", "FETCHES")
	for _, p := range list {
		until, who := "unpublish", "all"
		if !p.ExpiresAt.IsZero() {
			until = local(p.ExpiresAt)
		}
		if p.Allowed != (netip.Prefix{}) {
			who = p.Allowed.String()
		}
		t.row(p.Name, short(p.Description), p.Size, who, until, yes(p.Once), p.Fetches)
	}
	return t.print()
}

func (a *app) unpublishCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unpublish NAME", Short: "End a publication", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			return s.Unpublish(cmd.Context(), capture.PublishedName(args[0]))
		},
	}
}
