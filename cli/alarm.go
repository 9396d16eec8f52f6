package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/worker"
)

func (a *app) alarmCommand() *cobra.Command {
	return group("alarm", "Say who is told of changes, silence and trouble, and how",
		a.addAlarmCommand(), a.listAlarmsCommand(), a.testAlarmCommand(), a.pauseAlarmCommand(),
		a.removal("channel", "Remove a channel, and what waits for it",
			(*store.Store).RemoveChannel))
}

// alarmFlags are what alarm add is asked for.
type alarmFlags struct {
	kinds, sites     []string
	quiet, secret    string
	batch            time.Duration
	fullDiff, digest bool
}

func (a *app) addAlarmCommand() *cobra.Command {
	var f alarmFlags
	cmd := &cobra.Command{
		Use:   "add NAME URL",
		Short: "Add a channel: mail, a webhook, or a chat",
		Long: `Add a channel, which is told what happens. URL is one of

  mailto:noc@example.net              by the server of SMTP_URL, from MAIL_FROM
  https://example.net/hook            a webhook that is signed (standardwebhooks.com)
  slack+https://hooks.slack.com/...   likewise teams+https, discord+https
  ntfy+https://ntfy.sh/TOPIC          gotify+https://TOKEN@host
  pagerduty:ROUTINGKEY

SMTP_URL, MAIL_FROM and ALARM_PRIVATE must be set for the server as for this command. A message is
repeated for three days until it is taken. Several changes of a site within 30 s, or within
--batch, are one message.`,
		Args: args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := store.Channel{Name: args[0], URL: args[1], Kinds: f.kinds, Sites: f.sites,
				Quiet: f.quiet, Batch: f.batch, FullDiff: f.fullDiff, Secret: f.secret,
				Created: time.Now(),
				Digest:  f.digest || slices.Contains(f.kinds, string(alarm.Digest))}
			made := ""
			if alarm.Signed(c.URL) && c.Secret == "" {
				c.Secret = alarm.NewSecret()
				made = c.Secret
			}
			o, err := worker.AlarmOptions(a.config, a.version)
			if err == nil {
				err = outbox.CheckChannel(c, o)
			}
			if err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				if err := s.AddChannel(cmd.Context(), c); err != nil {
					return err
				}
				fmt.Fprintf(escaper{a.out}, "added %s, %s; try it: tftpsql alarm test %s\n", c.Name,
					alarm.Mask(c.URL), c.Name)
				if made != "" {
					fmt.Fprintf(a.out, "its messages are signed with %s, which is not shown "+
						"again\n", made)
				}
				if err := mailable(c, o); err != nil {
					fmt.Fprintln(a.err, err)
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.kinds, "kinds", nil, "what it is told, such as overdue,changed; if "+
		"not given all but new_source and fetched")
	flags.StringArrayVar(&f.sites, "site", nil,
		"only of this site; may be given again; all sites if not given")
	flags.StringVar(&f.quiet, "quiet", "",
		`when messages are held back, such as "22:00-07:00 Europe/Berlin"`)
	flags.DurationVar(&f.batch, "batch", 30*time.Second,
		"how long a message waits for others of its kind and site, 1s to 1h")
	flags.BoolVar(&f.fullDiff, "full-diff", false,
		"send differences with their secrets; else they are hidden")
	flags.BoolVar(&f.digest, "digest", false, "tell once a week what has happened")
	flags.StringVar(&f.secret, "secret", "",
		"what signs a webhook, whsec_...; one is made if not given")
	return cmd
}

func (a *app) listAlarmsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the channels, without their secrets, and how they do",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				channels, err := s.Channels(cmd.Context())
				if err != nil {
					return err
				}
				t := a.table("NAME", "URL", "KINDS", "SITES", "QUIET", "STATE", "LAST OK",
					"LAST ERROR")
				for _, c := range channels {
					ok, failed := "never", ""
					if c.OK.After(c.Created) {
						ok = local(c.OK)
					}
					if c.Failed.After(c.Created) {
						failed = local(c.Failed) + " " + c.Error
					}
					t.row(c.Name, alarm.Mask(c.URL),
						cmp.Or(strings.Join(c.Kinds, ","), "usual"),
						cmp.Or(strings.Join(c.Sites, ","), "all"), cmp.Or(c.Quiet, "never"),
						outbox.State(c, time.Now()), ok, failed)
				}
				return t.print()
			})
		},
	}
}

// mailable returns what to set where a channel needs a mail server and none is known.
func mailable(c store.Channel, o alarm.Options) error {
	if o.Mail != nil || !strings.HasPrefix(c.URL, "mailto:") {
		return nil
	}
	return errors.New("mail needs SMTP_URL, such as smtp://USER:PASSWORD@HOST:587, and " +
		"MAIL_FROM, such as tftpsql@example.net: set both here and for the server")
}

// untaken says what an outcome means for the messages of a channel.
var untaken = map[alarm.Outcome]string{
	alarm.Later:   "has not taken it now, and would be tried again",
	alarm.Refused: "refuses it",
	alarm.Gone:    "is gone",
}

func (a *app) testAlarmCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Send a test by a channel, and print what the receiver answers",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := worker.AlarmOptions(a.config, a.version)
			if err != nil {
				return usageError{err}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				c, err := s.Channel(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := mailable(c, o); err != nil {
					return usageError{err}
				}
				result, err := outbox.Try(cmd.Context(), c, o, time.Now())
				if err != nil {
					return err
				}
				if result.Answer != "" {
					fmt.Fprintln(escaper{a.out}, result.Answer)
				}
				if err := result.Err(); err != nil {
					return fmt.Errorf("%s %s: %w", c.Name, untaken[result.Outcome], err)
				}
				fmt.Fprintf(escaper{a.err}, "%s has taken it\n", c.Name)
				return nil
			})
		},
	}
}

func (a *app) pauseAlarmCommand() *cobra.Command {
	var lasts config.Age
	cmd := &cobra.Command{
		Use: "pause NAME", Short: "Hold a channel's messages back for a while; --for 0 resumes, " +
			"also one that is disabled",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("for") {
				return usageError{fmt.Errorf("for how long? --for 2h; --for 0 resumes")}
			}
			until := time.Now().Add(time.Duration(lasts))
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := s.PauseChannel(cmd.Context(), args[0], until)
				if err != nil {
					return err
				}
				text := "resumed " + args[0]
				if lasts > 0 {
					text = "paused " + args[0] + " until " + local(until)
				}
				fmt.Fprintln(escaper{a.out}, text)
				return nil
			})
		},
	}
	cmd.Flags().Var(&ageFlag{&lasts}, "for", "how long, such as 2h; 0 resumes")
	return cmd
}

// deliveriesShown is how many messages deliveries lists.
const deliveriesShown = 100

func (a *app) deliveriesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deliveries", Short: "List the newest messages of alarms, and what became of them",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				list, err := s.Deliveries(cmd.Context(), deliveriesShown)
				if err != nil {
					return err
				}
				t := a.table("CHANNEL", "KIND", "EVENTS", "STATE", "ATTEMPTS", "NEXT", "ENDED",
					"MESSAGE", "WHY")
				for _, m := range list {
					next, ended := "", local(m.Ended)
					if m.State == store.DeliveryWaiting {
						next, ended = local(m.Next), ""
					}
					t.row(m.Channel, m.Kind, m.Events, m.State, m.Attempts, next, ended,
						m.ID, m.Error)
				}
				return t.print()
			})
		},
	}
}
