package device

import (
	"bytes"
	"sync"
)

// Recognition scores how lines begin until a platform is clear. Then the platform's read tracks its
// blocks and takes the identity, and its whole says whether the end is there.

// sign is how a line of a platform begins, and how much that says: 10 is sure, 1 is a hint. A sign
// that ends with a letter ends where the word of the line ends: "config global" is not the
// beginning of "config globals", but "interface Vlan" is that of "interface Vlan10".
type sign struct {
	text   string
	weight int
	// also looks at the rest of the line, where its beginning is not enough. May be nil.
	also func(rest []byte) bool
}

const (
	// headBytes and tailBytes bound the part of a file that recognition looks at. Files name their
	// platform in the head, or have enough typical lines in these parts.
	headBytes = 64 << 10
	tailBytes = 4 << 10
	// A platform needs the weight enough, if at least two signs make it up, or alone, if a single
	// sign does.
	enough = 4
	alone  = 6
	// Recognition ends early when a platform has the weight sure and leads the next one by ahead.
	sure  = 20
	ahead = 10
)

// platformSign is a sign with the platforms that it speaks for. Each counts once.
type platformSign struct {
	sign
	platforms []int
	number    int
}

// signTable has the signs of all platforms, by the first byte of the line.
type signTable struct {
	by    [256][]platformSign
	count int
}

// signs makes the table when it is first needed: a start doesn't wait for it.
var signs = sync.OnceValue(func() *signTable {
	t := &signTable{}
	add := func(list []sign, platforms []int) {
		for _, s := range list {
			t.by[s.text[0]] = append(t.by[s.text[0]], platformSign{s, platforms, t.count})
			t.count++
		}
	}
	families := map[*sign][]int{}
	for i, p := range platforms {
		add(p.signs, []int{i})
		if len(p.family) > 0 {
			families[&p.family[0]] = append(families[&p.family[0]], i)
		}
	}
	for _, p := range platforms {
		if len(p.family) > 0 {
			if members := families[&p.family[0]]; members != nil {
				add(p.family, members)
				delete(families, &p.family[0])
			}
		}
	}
	return t
})

// opens reports whether a line begins with the sign.
func (s *sign) opens(line []byte) bool {
	n := len(s.text)
	if len(line) < n || string(line[:n]) != s.text {
		return false
	}
	if len(line) > n && letter(line[n-1]) && (letter(line[n]) || line[n] == '-' || line[n] == '_') {
		return false
	}
	return s.also == nil || s.also(bytes.TrimRight(line[n:], " \t\r"))
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// A recogniser adds up the weights of the signs in a text.
type recogniser struct {
	signs *signTable
	seen  []bool // by number of the sign
	score []int  // by platform
	count []int  // halves of signs met, by platform
}

// recognise returns the platform that a text looks most like, or nil.
func recognise(text []byte) *platform {
	t := signs()
	r := recogniser{t, make([]bool, t.count), make([]int, len(platforms)),
		make([]int, len(platforms))}
	if !r.look(text[:min(len(text), headBytes)]) && len(text) > headBytes {
		tail := text[max(headBytes, len(text)-tailBytes):]
		r.look(tail[bytes.IndexByte(tail, '\n')+1:]) // from where a line begins, or there are none
	}
	best, _ := r.best()
	if r.score[best] >= alone || r.score[best] >= enough && r.count[best] >= 4 {
		return platforms[best]
	}
	return nil
}

// look reads lines. It reports whether it ended early because the platform is sure.
func (r *recogniser) look(part []byte) bool {
	for len(part) > 0 {
		line := part
		if n := bytes.IndexByte(part, '\n'); n >= 0 {
			line, part = part[:n], part[n+1:]
		} else {
			part = nil
		}
		for len(line) > 0 && line[0] == '\r' {
			line = line[1:]
		}
		if len(line) > 0 && r.meet(line) {
			if best, next := r.best(); r.score[best] >= sure &&
				r.score[best]-r.score[next] >= ahead {
				return true
			}
		}
	}
	return false
}

// meet adds up the signs that a line has, and reports whether it has one that is new.
func (r *recogniser) meet(line []byte) bool {
	met := false
	of := r.signs.by[line[0]]
	for i := range of {
		s := &of[i]
		if r.seen[s.number] || !s.opens(line) {
			continue
		}
		r.seen[s.number], met = true, true
		for _, p := range s.platforms {
			r.score[p] += s.weight
			if r.count[p]++; s.weight > 1 { // a hint, such as a host name, is half a sign
				r.count[p]++
			}
		}
	}
	return met
}

// best returns the platform of the highest score, the first of equals, and that of the next.
func (r *recogniser) best() (best, next int) {
	best, next = 0, -1
	for i := 1; i < len(r.score); i++ {
		switch {
		case r.score[i] > r.score[best]:
			best, next = i, best
		case next < 0 || r.score[i] > r.score[next]:
			next = i
		}
	}
	return best, next
}

// maxPrompt is the number of lines at the start, with blank ones, in which echoes of commands are
// looked for.
const maxPrompt = 8

// echoed reports whether a line is the head of a terminal session: a prompt with the command that
// shows the configuration.
func echoed(line []byte) bool {
	n := bytes.IndexAny(line, "#>$")
	if n <= 0 || n > 80 || !promptHead(line[:n]) {
		return false
	}
	command := bytes.TrimLeft(line[n+1:], " ")
	if len(command) == 0 {
		return true
	}
	command = bytes.TrimPrefix(command, []byte("(enable) ")) // CatOS
	for _, c := range []string{"sh", "display", "more ", "cat ", "write t", "wr t", "/export",
		"export", "admin ", "copy ", "list ", "config ", "edit ", "term"} {
		if bytes.HasPrefix(command, []byte(c)) {
			return true
		}
	}
	return false
}

// promptHead reports whether b can stand before the sign that ends a prompt: one word, or "name
// (mode)", or "(Cisco Controller)".
func promptHead(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimRight(b, " "), "*") // * is for what is not saved: *A:router#
	// (switch) #, (controller) [mynode] #, (Some Routing) (Config)#
	if len(b) > 2 && b[0] == '(' {
		i := bytes.IndexByte(b, ')')
		return i > 1 && (i == len(b)-1 || b[i+1] == ' ')
	}
	if i := bytes.IndexByte(b, ' '); i > 0 && bytes.HasPrefix(b[i:], []byte(" (")) &&
		b[len(b)-1] == ')' {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, ' '); i > 0 && b[0] == '[' { // [admin@MikroTik] >
		b = b[:i]
	}
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c &&
			c <= '9', c == '_', c == '[', c == '{':
		case i > 0 && bytes.IndexByte([]byte(".-/@:()~]}*"), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

// lastLine returns the end of the last line that is neither blank nor a prompt. The prompt after a
// configuration in a terminal session is not part of it.
func lastLine(text []byte) int {
	end := len(text)
	for range maxPrompt {
		trimmed := bytes.TrimRight(text[:end], " \t\r\n")
		start := bytes.LastIndexByte(trimmed, '\n') + 1
		last := bytes.TrimLeft(trimmed[start:], "\r")
		if len(last) == 0 || len(last) > 80 || !prompted(last) {
			return len(trimmed)
		}
		end = start
	}
	return len(bytes.TrimRight(text[:end], " \t\r\n"))
}

// prompted reports whether a line is a prompt, alone or with a word that ends the session.
func prompted(line []byte) bool {
	n := bytes.LastIndexAny(line, "#>$")
	if n <= 0 || !promptHead(line[:n]) || bytes.HasPrefix(line, []byte("#")) {
		return false
	}
	switch string(bytes.TrimSpace(line[n+1:])) {
	case "", "exit", "quit", "logout", "(enable)", "end":
		return true
	}
	return false
}
