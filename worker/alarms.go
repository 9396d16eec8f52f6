package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
)

// AlarmOptions are what the settings say of all channels, or what is wrong with them.
func AlarmOptions(c config.Config, version string) (alarm.Options, error) {
	o := alarm.Options{Version: version, Private: bool(c.AlarmPrivate)}
	if c.SMTP == "" {
		return o, nil
	}
	if c.MailFrom == "" {
		return o, errors.New("SMTP_URL is set and MAIL_FROM isn't: set it to the sender of " +
			"mails, such as tftpsql@example.net")
	}
	mail, err := alarm.ParseMail(string(c.SMTP), c.MailFrom)
	if err != nil {
		return o, fmt.Errorf("SMTP_URL, MAIL_FROM: %w", err)
	}
	o.Mail = mail
	return o, nil
}

// alarmSource stands for an address where a failure is an alarm that was given up.
const alarmSource = "alarm"

// tellAlarms tells what happens until ctx ends.
func (w *worker) tellAlarms(ctx context.Context, s *store.Store) {
	outbox.New(outbox.Options{Store: s, Channels: w.alarms, BaseURL: w.BaseURL.String(),
		Heartbeat: string(w.Heartbeat), Trouble: w.health.whyUnready, Log: w.log,
		Settled: func(channel, kind, state, why string) {
			w.health.metrics.alarms(state).Inc()
			if state == store.DeliveryGivenUp || state == store.DeliverySent && why != "" {
				w.failures.undelivered(channel, kind, why)
			}
		},
	}).Run(ctx)
}
