//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

const (
	chartWidth = 860
	nameWidth  = 190
	barWidth   = 480
	rowHeight  = 20
	headHeight = 34
)

// chart draws what each contender reached, by contest. Bars are relative to the best of their contest.
func chart(contests []*contest) []byte {
	var b bytes.Buffer
	y := 56
	for _, c := range contests {
		most := 0.0
		for _, l := range c.lines {
			if m := median(l.values(c.metric)); m > most {
				most = m
			}
		}
		if most == 0 {
			continue
		}
		fmt.Fprintf(&b, `<text x="16" y="%d" class="head">%s</text><text x="%d" y="%d" class="unit" text-anchor="end">%s</text>`+"\n",
			y+16, html.EscapeString(c.name), chartWidth-16, y+16, html.EscapeString(c.metric))
		y += headHeight - 8
		for _, l := range c.lines {
			m, class := median(l.values(c.metric)), "peer"
			switch l.name {
			case engine, ours, oursOnPG, oursPGAway, storePath, storeSingle:
				class = "ours"
			case echo, bareSQLite, barePostgres:
				class = "bound"
			}
			text := number(m)
			if l.failure != nil || math.IsNaN(m) {
				m, text = 0, "failed"
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.0f" height="%d" class="%s"/><text x="%.0f" y="%d">%s</text>`+"\n",
				nameWidth+8, y+14, html.EscapeString(l.name), nameWidth+16, y+3, max(1, m/most*barWidth), rowHeight-6, class, nameWidth+24+m/most*barWidth, y+14, text)
			y += rowHeight
		}
		y += 12
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="tftpsql and other TFTP servers compared">
<style>text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.unit{fill:#57606a}.ours{fill:#0969da}.peer{fill:#afb8c1}.bound{fill:#d4a72c}</style>
<rect width="100%%" height="100%%" fill="#ffffff"/>
<text x="16" y="24" class="unit">Medians. Blue: tftpsql. Yellow: what the machine does without TFTP, or without the rest of tftpsql. Of times and CPU less is better.</text>
<text x="16" y="42" class="unit">%s</text>
%s</svg>
`, chartWidth, y+8, chartWidth, y+8, html.EscapeString(machine()), b.Bytes())
}
