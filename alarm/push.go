package alarm

import (
	"errors"
	"net/url"
	"strings"
	"time"
)

// ntfy, Gotify and PagerDuty. None marks text up.

const (
	maxNtfyText    = 4096 // bytes; a longer message becomes a file
	maxNtfyRequest = 8000 // ntfy reads twice its text in all
	maxSummary     = 1024 // of PagerDuty

	pagerDutyHost = "events.pagerduty.com"
)

// priorities are those of ntfy (1 to 5) and Gotify (0 to 10).
var priorities = map[severity]struct{ ntfy, gotify int }{
	info: {3, 4}, warning: {4, 6}, bad: {4, 8}, critical: {5, 10},
}

var topicForm = expression(`^[-_A-Za-z0-9]{1,64}$`)

// parseNtfy hides the topic where there is no token: who knows it can read and write then.
func parseNtfy(c *Channel, u *url.URL) (string, error) {
	at := strings.LastIndexByte(u.Path, '/')
	if at < 0 || !topicForm().MatchString(u.Path[at+1:]) {
		return "", errors.New("ntfy: the URL ends with a topic, A-Z a-z 0-9 - _, up to 64")
	}
	c.key = u.Path[at+1:]
	user, token := c.takeToken(u, "token")
	if u.RawQuery != "" {
		return "", errors.New("ntfy: the URL has more after ? than token=")
	}
	u.Path, u.RawPath = u.Path[:at+1], ""
	shown := base(u) + u.EscapedPath()
	switch {
	case token == "":
		c.secret(c.key)
		return shown + masked, nil
	case user != "":
		c.login(user, token)
		return u.Scheme + "://" + url.PathEscape(user) + ":" + masked + "@" + u.Host +
			u.EscapedPath() + c.key, nil
	}
	c.header.Set("Authorization", "Bearer "+token)
	return u.Scheme + "://" + masked + "@" + u.Host + u.EscapedPath() + c.key, nil
}

func ntfyBody(c *Channel, t told, room int) any {
	body := object{"topic": c.key, "title": t.title, "message": t.body(room),
		"priority": priorities[t.severity()].ntfy, "tags": []string{string(t.Kind)}}
	if t.Link != "" {
		body["click"] = t.Link
	}
	return body
}

func parseGotify(c *Channel, u *url.URL) (string, error) {
	_, token := c.takeToken(u, "token")
	if token == "" || printable(token, "") != token {
		return "", errors.New("gotify: the URL has no token: gotify+https://TOKEN@host")
	}
	if u.RawQuery != "" {
		return "", errors.New("gotify: the URL has more after ? than token=")
	}
	c.header.Set("X-Gotify-Key", token)
	shown := u.Scheme + "://" + masked + "@" + u.Host + u.EscapedPath()
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/message") + "/message"
	u.RawPath = ""
	return shown, nil
}

func gotifyBody(_ *Channel, t told, room int) any {
	extras := object{"client::display": object{"contentType": "text/plain"}}
	if t.Link != "" {
		extras["client::notification"] = object{"click": object{"url": t.Link}}
	}
	return object{"title": t.title, "message": t.body(room), "extras": extras,
		"priority": priorities[t.severity()].gotify}
}

var routingKeyForm = expression(`^[A-Za-z0-9]{32}$`)

func parsePagerDuty(c *Channel, u *url.URL) (string, error) {
	c.key = strings.Trim(u.Path, "/")
	if !routingKeyForm().MatchString(c.key) || u.User != nil || u.RawQuery != "" {
		return "", errors.New(
			"pagerduty: the URL ends with a routing key, 32 letters and digits")
	}
	c.secret(c.key)
	u.Path, u.RawPath = "/v2/enqueue", ""
	return base(u) + "/" + masked, nil
}

// pagerDutyBody triggers an incident, or resolves the one of the same alarm.
func pagerDutyBody(c *Channel, t told, room int) any {
	action := "trigger"
	if t.Resolved {
		action = "resolve"
	}
	source := "tftpsql"
	if t.count == 1 {
		source = t.Devices[0].Ref
	}
	details := object{"id": t.ID}
	if t.Text != "" {
		details["text"] = cutLines(t.Text, max(room/4, maxSummary))
	}
	if len(t.about) > 0 {
		details["devices"] = strings.Split(
			t.list(listedInFull, max(room, maxSummary), plain), "\n")
	}
	if t.Diff != "" && room > minDiff {
		details["diff"] = cutLines(t.Diff, room)
	}
	payload := object{"summary": cut(t.title, maxSummary), "source": source,
		"severity": t.severity(), "timestamp": t.When.UTC().Format(time.RFC3339),
		"class": t.Kind, "custom_details": details}
	if t.Site != "" {
		payload["group"] = t.Site
	}
	body := object{"routing_key": c.key, "event_action": action, "dedup_key": t.alarm(),
		"client": "tftpsql", "payload": payload}
	if t.Link != "" {
		body["client_url"] = t.Link
		body["links"] = []object{{"href": t.Link, "text": "Open the page"}}
	}
	return body
}
