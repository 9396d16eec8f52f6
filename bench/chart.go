//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"time"
)

// The chart has two columns, as wide together as a README is on GitHub.
const (
	columnWidth = 410
	gutter      = 24
	nameWidth   = 150
	barWidth    = 190
	rowHeight   = 18
	chartHead   = 84
)

// chart draws what each contender reached in the contests that are for the README. Bars are
// relative to the best of their contest, or where less is better to the worst.
func chart(contests []*contest) []byte {
	var drawn []*contest
	total := 0
	for _, c := range contests {
		if c.charted {
			drawn = append(drawn, c)
			total += c.height()
		}
	}
	var b bytes.Buffer
	x, y, lowest := 0, chartHead, chartHead
	for _, c := range drawn {
		if x == 0 && y > chartHead && y+c.height()/2 > chartHead+total/2 {
			x, y = columnWidth+gutter, chartHead
		}
		c.draw(&b, x, y)
		y += c.height()
		lowest = max(lowest, y)
	}
	const width = 2*columnWidth + gutter + 32
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d"
 width="%d" height="%d" role="img" aria-label="tftpsql and other TFTP servers compared">
<style>
text{font:12px system-ui,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#1f2328}
.head{font-weight:600}.unit{fill:#59636e}.failed{fill:#b35900}
.ours{fill:#0969da}.peer{fill:#afb8c1}.bound{fill:#d4a72c}.range{stroke:#1f2328}.card{fill:#ffffff}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}.unit{fill:#9198a1}.failed{fill:#f0883e}
.ours{fill:#4493f8}.peer{fill:#656c76}.bound{fill:#bb8009}.range{stroke:#f0f6fc}.card{fill:#0d1117}}
</style>
<rect width="100%%" height="100%%" rx="8" class="card"/>
<rect x="16" y="14" width="12" height="12" class="ours"/><text x="34" y="24">tftpsql</text>
<rect x="100" y="14" width="12" height="12" class="peer"/><text x="118" y="24">other servers</text>
<rect x="216" y="14" width="12" height="12" class="bound"/><text x="234" y="24"
>the bound: the same without TFTP, or without the rest of tftpsql</text>
<text x="16" y="44" class="unit"
>Medians of n rounds; the thin line goes from the least to the most.
All on one machine, one after the other, round by round.</text>
<text x="16" y="61" class="unit">%s, %s</text>
%s</svg>
`, width, lowest+4, width, lowest+4, html.EscapeString(machine()),
		time.Now().UTC().Format("2006-01-02"), b.Bytes())
}

func (c *contest) height() int { return 20 + len(c.lines)*rowHeight + 14 }

// draw draws a contest with its upper left corner there.
func (c *contest) draw(b *bytes.Buffer, x, y int) {
	most, rounds := 0.0, 0
	for _, l := range c.lines {
		if list := l.values(c.metric); len(list) > 0 {
			most, rounds = math.Max(most, list[len(list)-1]), max(rounds, len(list))
		}
	}
	better := ""
	if c.less {
		better = ", less is better"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" class="head">%s</text><text x="%d" y="%d" class="unit" `+
		`text-anchor="end">%s%s, n = %d</text>`+"\n",
		x+16, y+12, html.EscapeString(c.title()), x+16+columnWidth, y+12,
		html.EscapeString(c.metric), better, rounds)
	at := func(v float64) float64 { return float64(x+nameWidth+24) + v/most*barWidth }
	for i, l := range c.lines {
		top := y + 20 + i*rowHeight
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, x+nameWidth+16, top+13,
			html.EscapeString(l.name))
		list := l.values(c.metric)
		if l.failure != nil || len(list) == 0 || most == 0 {
			fmt.Fprintf(b, `<text x="%d" y="%d" class="failed">failed</text>`+"\n", x+nameWidth+24,
				top+13)
			continue
		}
		class := "peer"
		switch l.name {
		case engine, ours, oursOnPG, oursPGAway, storePath, storeSingle:
			class = "ours"
		case echo, bareSQLite, barePostgres, parts:
			class = "bound"
		}
		m, last := median(list), list[len(list)-1]
		few := ""
		if len(list) < rounds {
			few = fmt.Sprintf(" (n = %d)", len(list))
		}
		fmt.Fprintf(b, `<rect x="%.0f" y="%d" width="%.1f" height="%d" class="%s"/><line `+
			`x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="range"/>`+
			`<text x="%.0f" y="%d">%s%s</text>`+"\n",
			at(0), top+3, math.Max(1, at(m)-at(0)), rowHeight-6, class, at(list[0]), at(last),
			top+9, top+9, at(last)+6, top+13, number(m), few)
	}
}

func (c *contest) title() string {
	if c.short != "" {
		return c.short
	}
	return c.name
}
