package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
	"github.com/tftpsql/tftpsql/worker"
)

// personFlags are a person's role and sites.
type personFlags struct {
	role  string
	sites []string
}

func (f *personFlags) add(cmd *cobra.Command, role store.Role) {
	cmd.Flags().StringVar(&f.role, "role", string(role), "viewer (secrets are masked), reader "+
		"(may reveal them), operator (publishes, manages devices) or admin (manages people)")
	cmd.Flags().StringArrayVar(&f.sites, "site", nil,
		"only this site, '' for devices without one; may be given again; all sites if not given")
}

// person returns who the flags and a name describe.
func (f *personFlags) person(name string) (store.Person, error) {
	return f.checked(name, web.CheckPerson)
}

func (f *personFlags) checked(name string, check func(store.Person) error) (store.Person, error) {
	who := store.Person{Name: name, Role: store.Role(f.role), Sites: f.sites}
	if err := check(who); err != nil {
		return who, usageError{err}
	}
	return who, nil
}

// noteSites says which sites no device is of: one that is misspelt shows nothing.
func (a *app) noteSites(ctx context.Context, s *store.Store, sites []string) error {
	if len(sites) == 0 {
		return nil
	}
	devices, err := s.Devices(ctx)
	for _, site := range sites {
		if unknown := (history.Filter{Site: &site}).Check(devices); unknown != nil {
			fmt.Fprintf(escaper{a.err}, "tftpsql: %v\n", unknown)
		}
	}
	return err
}

func (a *app) pageCommand() *cobra.Command {
	var f personFlags
	cmd := &cobra.Command{
		Use:   "page",
		Short: "Print a link that opens the page, once, within five minutes",
		Long: `Print a link that opens the page. It works once, within five minutes. Whoever can
open the database can open the page, so no password is needed.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			who, err := f.person("link")
			if err != nil {
				return err
			}
			base, err := a.pageURL()
			if err != nil {
				return err
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				link, err := addLink(cmd.Context(), s, base, who)
				if err == nil {
					err = a.noteSites(cmd.Context(), s, who.Sites)
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.out, link)
				_, err = worker.Ask(cmd.Context(), a.config.HTTP.Local(), "/healthz",
					a.config.TLSCert != "")
				if err != nil {
					fmt.Fprintf(a.err, "tftpsql: the link opens nothing yet: %v\n", err)
				}
				return nil
			})
		},
	}
	f.add(cmd, store.Admin)
	a.config.Flags(cmd.Flags(), config.OnHealthcheck)
	return cmd
}

// addLink returns a link that opens the page at base for somebody.
func addLink(ctx context.Context, s *store.Store, base string, who store.Person) (string, error) {
	secret, sum := web.NewSecret()
	now := time.Now()
	err := s.AddLink(ctx, sum, store.Session{Person: who, Created: now,
		Expires: now.Add(web.LinkLasts), Source: "tftpsql page"})
	return base + "/link/" + secret, err
}

// pageURL returns the page's address as the settings have it.
func (a *app) pageURL() (string, error) {
	switch {
	case a.config.BaseURL != "":
		return a.config.BaseURL.String(), nil
	case a.config.HTTP.Addr == "":
		return "", errors.New("HTTP_ADDR (--http) is none: there is no page")
	case a.config.TLSCert != "":
		return "https://" + a.config.HTTP.Local(), nil
	}
	return "http://" + a.config.HTTP.Local(), nil
}
