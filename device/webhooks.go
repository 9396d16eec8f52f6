package device

import "bytes"

// webhooks are what stands before the secret part of an address that anyone who knows it can write
// to, up to the next blank or quote, or the next slash where so it says.
var webhooks = []struct {
	before string
	slash  bool
}{
	{"api.telegram.org/bot", true}, {"hooks.slack.com/services/", false},
	{"hooks.slack.com/workflows/", false}, {"hooks.slack.com/triggers/", false},
	{"discord.com/api/webhooks/", false}, {"discordapp.com/api/webhooks/", false},
	{".webhook.office.com/", false}, {"outlook.office.com/webhook/", false},
	{"hooks.zapier.com/hooks/catch/", false}, {"events.pagerduty.com/integration/", true},
	{"maker.ifttt.com/use/", false}, {"/with/key/", true},
	{"/webhooks/incoming/", false}, {"/bot/v2/hook/", false}, {"hc-ping.com/", false},
	{"/integrations/generic/", false},
}

// hooks stand in addresses of the kind on servers of one's own, before words or a secret.
var hooks = []string{"/hooks/", "/hook/", "/webhook/", "/webhooks/"}

// hideWebhooks marks the secret part of such addresses.
func (w *walk) hideWebhooks() {
	if bytes.IndexByte(w.line, '/') < 0 {
		return
	}
	for _, hook := range hooks {
		_, v, _ := bytes.Cut(w.line, []byte(hook))
		if n := bytes.IndexAny(v, " \t\"'<>\\;)?/"); n >= 0 {
			v = v[:n]
		}
		if strongValue(v) {
			w.mark(v, secret)
		}
	}
	for _, h := range webhooks {
		for b := w.line; ; {
			_, after, ok := bytes.Cut(b, []byte(h.before))
			if !ok {
				break
			}
			b = after
			end := bytes.IndexAny(after, " \t\"'<>\\;)")
			if end < 0 {
				end = len(after)
			}
			if n := bytes.IndexByte(after[:end], '/'); n >= 0 && h.slash {
				end = n
			}
			w.mark(after[:end], secret)
		}
	}
}
