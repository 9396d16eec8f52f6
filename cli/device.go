package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// deviceCommand is what happens in a device's life.
func (a *app) deviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "device", Short: "Rename, merge, retire, expect or forget a device",
		Args: func(cmd *cobra.Command, args []string) error {
			return usageError{errors.New("device what? rename, merge, retire, expect or forget; tftpsql device --help says more")}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(a.renameCommand(), a.mergeCommand(), a.retireCommand(), a.expectCommand(), a.forgetCommand())
	return cmd
}

// withDevices opens the database and finds the devices that the first n arguments name.
func (a *app) withDevices(n int, do func(ctx context.Context, s *store.Store, d []store.Device, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer s.Close()
		var found []store.Device
		for _, ref := range args[:min(n, len(args))] {
			d, err := s.Device(cmd.Context(), ref)
			if err != nil {
				return err
			}
			found = append(found, d)
		}
		return do(cmd.Context(), s, found, args)
	}
}

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rename DEVICE NAME", Short: "Give a device another name; what still comes under the old one is the device's", Args: args(2, 2),
		RunE: a.withDevices(1, func(ctx context.Context, s *store.Store, d []store.Device, args []string) error {
			name := strings.TrimPrefix(args[1], d[0].Site+"/") // as it is listed
			if strings.TrimSpace(name) != name || name == "" || len(name) > 255 || device.Text(name) != name || strings.ContainsAny(name[:1], "-@~/") || uuid.Validate(name) == nil {
				return usageError{fmt.Errorf("%q is no name: 1 to 255 printable characters, and no -, @, ~ or / at its beginning", name)}
			}
			if err := s.Rename(ctx, d[0], name); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s is now %s\n", d[0].Ref(), store.Device{Site: d[0].Site, Name: name}.Ref())
			return nil
		}),
	}
}

func (a *app) mergeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "merge OLD INTO", Short: "Make two devices one: the captures and the name of OLD become INTO's", Args: args(2, 2),
		RunE: a.withDevices(2, func(ctx context.Context, s *store.Store, d []store.Device, _ []string) error {
			if err := s.Merge(ctx, d[0], d[1]); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s is now part of %s\n", d[0].Ref(), d[1].Ref())
			return nil
		}),
	}
}

func (a *app) retireCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retire DEVICE", Short: "Expect nothing of a device any more; its history stays, and its next upload brings it back", Args: args(1, 1),
		RunE: a.withDevices(1, func(ctx context.Context, s *store.Store, d []store.Device, _ []string) error {
			return s.Retire(ctx, d[0])
		}),
	}
}

func (a *app) expectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "expect DEVICE TIME",
		Short: "Say how often a device must send, such as 24h; 0 for its own rhythm",
		Long: `Say how often a device must send, such as 24h or 7d. It is overdue when it has been silent for longer. With 0 it is left to its
own rhythm: overdue after twice the longest of its last ten gaps and an hour at least, from three captures on.`,
		Args: args(2, 2),
		RunE: a.withDevices(1, func(ctx context.Context, s *store.Store, d []store.Device, args []string) error {
			var every config.Age
			if err := every.UnmarshalText([]byte(args[1])); err != nil {
				return usageError{err}
			}
			if d := duration(every); d != 0 && d < time.Minute {
				return usageError{fmt.Errorf("%s is too short: a minute at least", d)}
			}
			return s.Expect(ctx, d[0], duration(every))
		}),
	}
}

func (a *app) forgetCommand() *cobra.Command {
	var site string
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget DEVICE --yes | --site SITE --yes",
		Short: "Delete a device and all that it sent",
		Long: `Delete a device, or all of a site, and all that was sent: every capture, and every content that no other device has sent too.
What was published of that is fetchable no more. There is no way back but a backup of the database. SQLite overwrites the bytes; PostgreSQL
frees them with its next VACUUM, and overwrites them when it uses the space again (VACUUM FULL contents does at once).`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bySite := cmd.Flags().Changed("site")
			if (len(args) == 1) == bySite {
				return usageError{errors.New("forget what? a DEVICE or --site SITE")}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			var doomed []store.Device
			if bySite {
				all, err := s.Devices(cmd.Context())
				if err != nil {
					return err
				}
				for _, d := range all {
					if d.Site == site {
						doomed = append(doomed, d)
					}
				}
				if len(doomed) == 0 {
					return fmt.Errorf("no device of site %q: tftpsql devices lists them", site)
				}
			} else {
				d, err := s.Device(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				doomed = append(doomed, d)
			}
			if !yes {
				for _, d := range doomed {
					fmt.Fprintf(a.err, "%s: %d captures since %s\n", d.Ref(), d.Captures, local(d.FirstSeen))
				}
				return usageError{errors.New("this would be deleted for good: say --yes")}
			}
			for _, d := range doomed {
				n, err := s.Forget(cmd.Context(), d)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s is forgotten, with %d captures\n", d.Ref(), n)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "all devices of this site")
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}
