package alarm_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/alarm"
)

// TestURLs: each kind of channel, and what is shown of its URL.
func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"mailto:noc@example.net": "mailto:noc@example.net",
		"mailto:noc@example.net,b.c+d@mail.example.net": "mailto:noc@example.net," +
			"b.c+d@mail.example.net",
		"https://example.net":                        "https://example.net",
		"https://example.net:8443/in?key=abc":        "https://example.net:8443/in?***",
		"https://user:hunter2@example.net/in":        "https://user:***@example.net/in",
		"https://token@example.net/in":               "https://***@example.net/in",
		"https://example.net/hook/0123456789abcdef/": "https://example.net/hook/***/",
		"https://10.0.0.5/in":                        "https://10.0.0.5/in",
		"https://[fd00::5]/in":                       "https://[fd00::5]/in",
		"slack+https://hooks.slack.com/services/T/B/X": "slack+https://hooks.slack.com/" +
			"***",
		"teams+https://x.logic.azure.com/workflows/1?sig=a": "teams+https://x.logic.azure.com/" +
			"***",
		"discord+https://discord.com/api/webhooks/1/a": "discord+https://discord.com/***",
		"ntfy+https://ntfy.sh/mytopic":                 "ntfy+https://ntfy.sh/***",
		"ntfy+https://tk_a@example.net/ntfy/noc":       "ntfy+https://***@example.net/ntfy/noc",
		"ntfy+https://:tk_a@example.net/noc":           "ntfy+https://***@example.net/noc",
		"ntfy+https://example.net/noc?token=tk_a":      "ntfy+https://***@example.net/noc",
		"ntfy+https://bob:hunter2@example.net/noc":     "ntfy+https://bob:***@example.net/noc",
		"gotify+https://Aabc@example.net":              "gotify+https://***@example.net",
		"gotify+https://example.net/push?token=Aabc":   "gotify+https://***@example.net/push",
		"pagerduty:" + routingKey: "pagerduty+https://" +
			"events.pagerduty.com/***",
		"pagerduty+https://events.eu.pagerduty.com/" + routingKey: "pagerduty+https://" +
			"events.eu.pagerduty.com/***",
	} {
		c, err := alarm.Parse(text, alarm.Options{Secret: secret})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if c.String() != want || alarm.Mask(text) != want {
			t.Errorf("%s is shown as %s, %s", text, c, alarm.Mask(text))
		}
		if c.Single() != strings.HasPrefix(text, "pagerduty") {
			t.Errorf("%s: Single is %v", text, c.Single())
		}
	}
}

// TestBadURLs: an error says what is wrong, and shows nothing that may be secret.
func TestBadURLs(t *testing.T) {
	for text, want := range map[string]string{
		"": "no kind of channel", "noc": "no kind of channel", "exec:/bin/sh": "no kind of channel",
		"ftp://example.net/hunter2": "no kind of channel",
		"x+https://example.net/hunter2": "no kind of channel: mailto, https, pagerduty, " +
			"discord+https, gotify+https, ntfy+https, pagerduty+https, slack+https, teams+https",
		"https://":                             "names no host",
		"https:example.net":                    "names no host",
		"https://example.net:hunter2/":         "malformed",
		"https://user:hunter2@exam ple.net/":   "without blanks",
		"https://example.net/%zzhunter2":       "malformed",
		"https://example.net/#hunter2":         "has a #",
		"https://exämple.net/":                 "ASCII",
		"http://example.net/in":                "write https",
		"slack+http://example.net/in":          "write https",
		"https://localhost/in":                 "this machine",
		"https://a.LOCALHOST./in":              "this machine",
		"https://127.0.0.1/in":                 "this machine",
		"https://127.99.0.1/in":                "this machine",
		"https://[::1]/in":                     "this machine",
		"https://[::ffff:127.0.0.1]/in":        "this machine",
		"https://0.0.0.0/in":                   "unspecified",
		"https://[::]/in":                      "unspecified",
		"https://169.254.169.254/latest":       "link-local",
		"https://[fe80::1%25eth0]/in":          "link-local",
		"https://224.0.0.1/in":                 "multicast",
		"https://255.255.255.255/in":           "multicast",
		"https://[ff02::1]/in":                 "multicast",
		"https://[fd00:ec2::254]/in":           "metadata",
		"https://100.100.100.200/in":           "metadata",
		"slack+https://hooks.slack.com/":       "no path",
		"slack+https://u:hunter2@slack.com/a":  "has a user",
		"ntfy+https://ntfy.sh":                 "topic",
		"ntfy+https://ntfy.sh/a/":              "topic",
		"ntfy+https://ntfy.sh/a?x=hunter2":     "more after ?",
		"gotify+https://example.net":           "no token",
		"gotify+https://A@example.net?hunter2": "more after ?",
		"pagerduty:hunter2":                    "routing key",
		"pagerduty:" + routingKey + "?hunter2": "routing key",
		"mailto:":                              "no address",
		"mailto:noc":                           "no address",
		"mailto:NOC <noc@example.net>":         "without blanks",
		"mailto:a@b,":                          "no address",
		"mailto:a@b\r\nBcc:c@d":                "without blanks",
		"mailto:a@b?subject=x":                 "addresses alone",
		"mailto:" + strings.Repeat("a@example.net,", 20) + "b@example.net":   "20 at most",
		"https://example.net/" + strings.Repeat("hunter2/", 300):             "2048",
		"gotify+https://" + strings.Repeat("a", 50) + ".example.net/%0d%0aX": "no token",
	} {
		c, err := alarm.Parse(text, alarm.Options{Secret: secret})
		if err == nil {
			t.Errorf("%s is %s", text, c)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
		if strings.Contains(alarm.Mask(text), "hunter2") {
			t.Errorf("%s is shown as %s", text, alarm.Mask(text))
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, bad := range []string{"", "hunter2", "whsec_", "whsec_hunter2", "whsec_aGk=",
		secret + " " + secret + " " + secret, strings.TrimPrefix(secret, "whsec_")} {
		_, err := alarm.Parse("https://example.net/", alarm.Options{Secret: bad})
		if err == nil || alarm.CheckSecret(bad) == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if a, b := alarm.NewSecret(), alarm.NewSecret(); a == b || alarm.CheckSecret(a) != nil {
		t.Error(a, b)
	}
}

func TestMailSettings(t *testing.T) {
	for text, want := range map[string]string{
		"smtp://mail.example.net":                        "smtp://mail.example.net:587",
		"smtps://mail.example.net":                       "smtps://mail.example.net:465",
		"smtp://u:hunter2@mail.example.net:25":           "smtp://u:***@mail.example.net:25",
		"smtps://u%40x:hunter2@mail.example.net/":        "smtps://u@x:***@mail.example.net:465",
		"smtp://[::1]:25?tls=none":                       "smtp://[::1]:25",
		"smtp://u:hunter2@localhost:25?tls=none":         "smtp://u:***@localhost:25",
		"smtp://u:t@m.example?tls=required&auth=xoauth2": "smtp://u:***@m.example:587",
	} {
		m, err := alarm.ParseMail(text, "tftpsql <noc@example.net>")
		if err != nil || m.String() != want {
			t.Errorf("%s is %v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "mail.example.net", "mail.example.net:25", "http://hunter2",
		"smtp://", "smtp:hunter2", "smtp://u@mail.example.net", "smtp://m:0", "smtp://m:99999",
		"smtp://m/hunter2", "smtp://m?tls=hunter2", "smtp://m?hunter2=1", "smtp://m?auth=ntlm",
		"smtp://u:hunter2@mail.example.net?tls=none", "smtp://m:hunter2"} {
		m, err := alarm.ParseMail(text, "noc@example.net")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s is %v, %v", text, m, err)
		}
	}
	for _, from := range []string{"", "noc", "a@b, c@d", "a@b\r\nBcc: c@d"} {
		if _, err := alarm.ParseMail("smtp://m", from); err == nil {
			t.Errorf("%q is a sender", from)
		}
	}
}
