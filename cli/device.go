package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// deviceCommand has the commands for what happens in a device's life.
func (a *app) deviceCommand() *cobra.Command {
	return group("device", "Rename, merge, retire, expect or forget a device",
		a.renameCommand(), a.mergeCommand(), a.retireCommand(), a.expectCommand(),
		a.forgetCommand())
}

// onDevices runs fn on the database and the devices that refs name.
func (a *app) onDevices(cmd *cobra.Command, refs []string,
	fn func(*store.Store, []store.Device) error) error {
	return a.onStore(cmd.Context(), func(s *store.Store) error {
		var found []store.Device
		for _, ref := range refs {
			d, err := s.Device(cmd.Context(), ref)
			if errors.Is(err, store.ErrNotFound) && isCaptureRef(ref) {
				err = explainCapture(cmd.Context(), s, ref)
			}
			if err != nil {
				return err
			}
			found = append(found, d)
		}
		return fn(s, found)
	})
}

// explainCapture returns the error for a capture's reference where a device's is wanted.
func explainCapture(ctx context.Context, s *store.Store, ref string) error {
	r, err := s.Resolve(ctx, ref, time.Time{})
	if err != nil {
		return err
	}
	return usageError{fmt.Errorf("%s is a capture of %s: name the device", ref, deviceRef(r))}
}

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename DEVICE NAME",
		Short: "Give a device another name; what still comes under the old one is the device's",
		Args:  args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onDevices(cmd, args[:1], func(s *store.Store, d []store.Device) error {
				name := strings.TrimPrefix(args[1], d[0].Site+"/") // as it is listed
				if err := history.CheckName(name); err != nil {
					return usageError{err}
				}
				if err := s.Rename(cmd.Context(), d[0], name); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s is now %s\n", d[0].Ref(),
					store.Device{Site: d[0].Site, Name: name}.Ref())
				return nil
			})
		},
	}
}

func (a *app) mergeCommand() *cobra.Command {
	var really bool
	cmd := &cobra.Command{
		Use:   "merge OLD INTO --yes",
		Short: "Make two devices one: the captures and the name of OLD become INTO's",
		Args:  args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onDevices(cmd, args, func(s *store.Store, d []store.Device) error {
				if !really {
					return a.explainMerge(d[0], d[1])
				}
				if err := s.Merge(cmd.Context(), d[0], d[1]); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s is now part of %s\n", d[0].Ref(), d[1].Ref())
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&really, "yes", false, "really merge")
	return cmd
}

// explainMerge says what a merge would do.
func (a *app) explainMerge(old, into store.Device) error {
	for _, d := range []store.Device{old, into} {
		fmt.Fprintf(a.err, "%s: %s, %s from %s to %s\n", d.Ref(),
			cmp.Or(d.Platform, "unknown platform"), counted(d.Captures, "capture"),
			local(d.FirstSeen), local(d.LastSeen))
	}
	return usageError{fmt.Errorf("the captures and the name of %s would become %s's, in one "+
		"history by their times, and can't be separated again: say --yes", old.Ref(), into.Ref())}
}

func (a *app) retireCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retire DEVICE",
		Short: "Expect nothing of a device any more; its history stays, and its next upload " +
			"brings it back",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onDevices(cmd, args, func(s *store.Store, d []store.Device) error {
				if err := s.Retire(cmd.Context(), d[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s is retired: nothing is expected of it until it sends "+
					"again\n", d[0].Ref())
				return nil
			})
		},
	}
}

func (a *app) expectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "expect DEVICE TIME",
		Short: "Say how often a device must send, such as 24h; 0 for its own rhythm",
		Long: `Say how often a device must send, such as 24h or 7d. It is overdue when it has
been silent for longer. With 0 its own rhythm counts:
` + aboutOverdue,
		Args: args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var age config.Age
			if err := age.UnmarshalText([]byte(args[1])); err != nil {
				return usageError{err}
			}
			every := time.Duration(age)
			if every != 0 && every < time.Minute {
				return usageError{fmt.Errorf("%s is too short: a minute at least", every)}
			}
			return a.onDevices(cmd, args[:1], func(s *store.Store, d []store.Device) error {
				if err := s.Expect(cmd.Context(), d[0], every); err != nil {
					return err
				}
				often := "as often as it does by itself"
				if every != 0 {
					often = "every " + args[1]
				}
				fmt.Fprintf(a.out, "%s is expected to send %s\n", d[0].Ref(), often)
				return nil
			})
		},
	}
}

func (a *app) forgetCommand() *cobra.Command {
	var site string
	var really bool
	cmd := &cobra.Command{
		Use:   "forget DEVICE --yes | --site SITE --yes",
		Short: "Delete a device and all that it sent",
		Long: `Delete a device, or all devices of a site, and all that was sent: every capture,
and every content that no other device has sent too. What was published of that can't be fetched
any more. Only a backup of the database brings it back. SQLite overwrites the bytes. PostgreSQL
frees them with its next VACUUM, and overwrites them when it uses the space again (VACUUM FULL
contents does so at once).`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bySite := cmd.Flags().Changed("site")
			if (len(args) == 1) == bySite {
				return usageError{errors.New("forget what? a DEVICE or --site SITE")}
			}
			return a.onDevices(cmd, args, func(s *store.Store, doomed []store.Device) error {
				if bySite {
					all, err := s.Devices(cmd.Context())
					if err != nil {
						return err
					}
					ofSite := history.Filter{Site: &site}
					doomed = slices.DeleteFunc(all,
						func(d store.Device) bool { return !ofSite.Picks(d) })
					if len(doomed) == 0 {
						return fmt.Errorf("no device of site %q: tftpsql devices lists them", site)
					}
				}
				return a.forget(cmd, s, doomed, really)
			})
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "all devices of this site")
	cmd.Flags().BoolVar(&really, "yes", false, "really delete")
	return cmd
}

// forget deletes devices, or says what would be deleted.
func (a *app) forget(cmd *cobra.Command, s *store.Store, doomed []store.Device, really bool) error {
	if !really {
		for _, d := range doomed {
			fmt.Fprintf(a.err, "%s: %s since %s\n", d.Ref(),
				counted(d.Captures, "capture"), local(d.FirstSeen))
		}
		return usageError{errors.New("this would be deleted for good: say --yes")}
	}
	for _, d := range doomed {
		n, err := s.Forget(cmd.Context(), d)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s is forgotten, with %s\n", d.Ref(), counted(n, "capture"))
	}
	return nil
}
