package alarm

import (
	"strings"
	"time"
)

// Slack, Teams and Discord. Each marks text up in its own way, and what strangers chose must not be
// read as marks: no link, no mention, no picture.

// object is an object of JSON; its keys are written in order.
type object = map[string]any

const (
	maxSlackText   = 3000 // bytes in a text of a block; Slack counts characters
	maxSlackHead   = 150
	maxSlackList   = 2900
	maxDiscordText = 4096 // of an embed's description
	maxDiscordHead = 256
	maxTeamsLine   = 400
	maxTeamsText   = 4000
)

// slackEscape is all that Slack asks for: no entity, link or mention is left.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// slackBody has names and lists as plain_text, in which nothing is marked up.
func slackBody(_ *Channel, t told, room int) any {
	text := func(s string) object {
		return object{"type": "section",
			"text": object{"type": "plain_text", "text": s, "emoji": false}}
	}
	blocks := []object{{"type": "header", "text": object{"type": "plain_text",
		"text": fit(t.title, maxSlackHead, cut, slackEscape), "emoji": false}}}
	if t.Text != "" {
		blocks = append(blocks, text(fit(t.Text, maxSlackText, cutLines, slackEscape)))
	}
	if len(t.about) > 0 {
		blocks = append(blocks, text(t.list(listed, maxSlackList, slackEscape)))
	}
	if t.Diff != "" && room > minDiff {
		diff := fit(t.Diff, room-len("```\n\n```"), cutLines, func(s string) string {
			return fenced(slackEscape(s))
		})
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn",
			"verbatim": true, "text": "```\n" + diff + "\n```"}})
	}
	if t.Link != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn",
			"verbatim": true, "text": "<" + slackEscape(t.Link) + "|Open the page>"}})
	}
	return object{"text": slackEscape(t.title), "mrkdwn": false, "unfurl_links": false,
		"unfurl_media": false, "blocks": blocks}
}

// fit returns as much of a text as fits into so many bytes once it is escaped.
func fit(s string, most int, cut func(string, int) string, escape func(string) string) string {
	for room := most; room > 0; room -= max(room/16, 1) {
		if out := escape(cut(s, room)); len(out) <= most {
			return out
		}
	}
	return ""
}

// fenced breaks the marks that would end a code block, by a character that isn't seen.
func fenced(s string) string { return strings.ReplaceAll(s, "``", "`\u200b`") }

var teamsColors = map[severity]string{info: "Default", warning: "Warning", bad: "Attention",
	critical: "Attention"}

// teamsBody is an Adaptive Card for a Workflow. TextRun and CodeBlock, unlike TextBlock, mark
// nothing up.
func teamsBody(_ *Channel, t told, room int) any {
	run := func(s string, more object) object {
		r := object{"type": "TextRun", "text": s}
		for k, v := range more {
			r[k] = v
		}
		return object{"type": "RichTextBlock", "spacing": "Small", "inlines": []object{r}}
	}
	color := teamsColors[t.severity()]
	if t.Resolved {
		color = "Good"
	}
	body := []object{run(t.title, object{"weight": "Bolder", "size": "Medium", "color": color})}
	if t.Text != "" {
		for _, s := range strings.Split(cutLines(t.Text, min(room, maxTeamsText)), "\n") {
			body = append(body, run(s, nil))
		}
	}
	if len(t.about) > 0 {
		list := t.list(listed, listed*maxTeamsLine, func(s string) string {
			return cut(s, maxTeamsLine-1)
		})
		for _, s := range strings.Split(list, "\n") {
			body = append(body, run(s, nil))
		}
	}
	if t.Diff != "" && room > minDiff {
		body = append(body, object{"type": "CodeBlock", "language": "PlainText",
			"codeSnippet": cutLines(t.Diff, room), "fallback": "drop"})
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
		"type": "AdaptiveCard", "version": "1.4", "msteams": object{"width": "Full"},
		"fallbackText": t.title, "body": body}
	if t.Link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the page",
			"url": t.Link}}
	}
	return object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": card}}}
}

// discordEscape puts a backslash before all that Markdown or a mention may begin with.
func discordEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\*_~|`<>#[]()@:-", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

var discordColors = map[severity]int{info: 0x3b82f6, warning: 0xd97706, bad: 0xdc2626,
	critical: 0xdc2626}

// discordBody mentions nobody, whatever its text says.
func discordBody(_ *Channel, t told, room int) any {
	var parts []string
	left := room
	add := func(s string) {
		parts = append(parts, s)
		left -= len(s) + 1
	}
	if t.Text != "" {
		add(fit(t.Text, t.share(room), cutLines, discordEscape))
	}
	if len(t.about) > 0 {
		add(t.list(listed, left/2, discordEscape))
	}
	const fences = "```diff\n\n```"
	if t.Diff != "" && left > minDiff+len(fences) {
		add("```diff\n" + fit(t.Diff, left-len(fences), cutLines, fenced) + "\n```")
	}
	color := discordColors[t.severity()]
	if t.Resolved {
		color = 0x16a34a
	}
	embed := object{"title": discordEscape(cut(t.title, maxDiscordHead/2)),
		"description": strings.Join(parts, "\n"), "color": color,
		"timestamp": t.When.UTC().Format(time.RFC3339)}
	if t.Link != "" {
		embed["url"] = t.Link
	}
	return object{"embeds": []object{embed}, "allowed_mentions": object{"parse": []string{}}}
}
