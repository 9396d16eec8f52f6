package worker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tftpsql/tftpsql/config"
)

// The doctor reads the rules of this machine's firewall as a device's first packet meets them: a
// UDP packet from another machine to the server's port. It reads what nft and iptables-save print,
// and knows the words that such rules are usually made of. A rule with another word may match.

// A truth is whether a rule matches the packet.
type truth int8

const (
	no truth = iota - 1
	maybe
	yes
)

// A rule is a line of a chain.
type rule struct {
	matches truth
	does    string // accept, drop, return, or "" for nothing
	to      string // the chain that it goes on with
}

// A chain is a list of rules. One with a policy is where packets for this machine begin.
type chain struct {
	rules  []rule
	policy string
}

// chains are those of a firewall, by table and name.
type chains map[string]*chain

func (c chains) of(name string) *chain {
	if c[name] == nil {
		c[name] = &chain{}
	}
	return c[name]
}

// deepest bounds the jumps from chain to chain, as nft does.
const deepest = 16

// verdict returns what a chain does with the packet, "" for nothing, "some" where that depends on
// what is not known.
func (c chains) verdict(name string, depth int) string {
	if depth > deepest {
		return "some"
	}
	unsure := ""
	done := func(does string) string {
		if unsure != "" && unsure != does {
			return "some"
		}
		return does
	}
	for _, r := range c.of(name).rules {
		does := r.does
		if r.to != "" {
			does = c.verdict(r.to, depth+1)
		}
		switch {
		case r.matches == no || does == "":
		case r.matches == yes && does == "return":
			return done("")
		case r.matches == yes && does != "some":
			return done(does)
		case does == "return" || unsure != "" && unsure != does:
			unsure = "some"
		default:
			unsure = does
		}
	}
	return done(c.of(name).policy)
}

// first returns the chains where packets for this machine begin, in order.
func (c chains) first() (names []string) {
	for name, one := range c {
		if one.policy != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// firewall says whether this machine's rules let packets to the server's port in.
func (d *Doctor) firewall(ctx context.Context, port config.Port) {
	const beyond = "look also at the firewalls between here and the devices"
	found, err := readRules(ctx, port)
	if err != nil {
		d.say("firewall", NotKnown, beyond, "%v", err)
		return
	}
	some := ""
	for _, name := range found.first() {
		switch found.verdict(name, 0) {
		case "drop":
			state := Failing
			if strings.HasPrefix(name, "ip6 ") {
				state = Warning
			}
			d.say("firewall", state, fmt.Sprintf("let UDP port %s in", port),
				"the chain %s drops packets to UDP port %s", name, port)
			return
		case "some":
			some = name
		}
	}
	if some != "" {
		d.say("firewall", NotKnown, "look whether it lets your devices in",
			"what the chain %s does with packets to UDP port %s depends on more than the port",
			some, port)
		return
	}
	d.say("firewall", OK, "", "this machine's rules let UDP port %s in", port)
}

// readRules reads the rules of whatever firewall this machine has.
func readRules(ctx context.Context, port config.Port) (chains, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	all := chains{}
	read := 0
	var failed error
	for _, tool := range []struct {
		command string
		args    []string
		parse   func(c chains, text, port string)
	}{
		{"nft", []string{"--numeric", "list", "ruleset"}, chains.readNft},
		{"iptables-save", nil, chains.readIptables},
	} {
		path, err := exec.LookPath(tool.command)
		if err != nil {
			continue
		}
		text, err := exec.CommandContext(ctx, path, tool.args...).Output()
		if err != nil {
			failed = fmt.Errorf("%s can't be read: %w; root can", tool.command, err)
			continue
		}
		read++
		tool.parse(all, string(text), port.String())
	}
	switch {
	case read > 0:
		return all, nil
	case failed != nil:
		return nil, failed
	}
	return nil, errors.New("there is neither nft nor iptables to read its rules with")
}

// readNft reads what nft list ruleset prints.
func (c chains) readNft(text, port string) {
	table, name, skip := "", "", 0
	for line := range strings.Lines(text) {
		words := wordsOf(line)
		switch {
		case len(words) == 0:
		case skip > 0: // in a set, a map, ...
			skip += strings.Count(line, "{") - strings.Count(line, "}")
		case words[0] == "table":
			table = strings.Join(words[1:len(words)-1], " ") + " "
		case words[0] == "chain" && len(words) > 1:
			name = table + words[1]
		case words[0] == "}":
			name = ""
		case name == "":
			skip = strings.Count(line, "{") - strings.Count(line, "}")
		case words[0] == "type":
			switch {
			case !strings.Contains(line, "type filter hook input "):
			case strings.Contains(line, "policy drop;"):
				c.of(name).policy = "drop"
			default:
				c.of(name).policy = "accept"
			}
		default:
			c.add(table, name, words, port)
		}
	}
}

// readIptables reads what iptables-save prints.
func (c chains) readIptables(text, port string) {
	const table = "iptables filter "
	here := false
	for line := range strings.Lines(text) {
		words := wordsOf(line)
		switch {
		case len(words) == 0:
		case strings.HasPrefix(words[0], "*"):
			here = words[0] == "*filter"
		case here && words[0] == ":INPUT" && len(words) > 1:
			c.of(table + "INPUT").policy = strings.ToLower(words[1])
		case here && words[0] == "-A" && len(words) > 1:
			c.add(table, table+words[1], words[2:], port)
		}
	}
}

// add adds a rule to a chain.
func (c chains) add(table, name string, words []string, port string) {
	r := reading{rule{matches: yes}, words}
	r.read(port)
	if r.to != "" {
		r.to = table + r.to
	}
	c.of(name).rules = append(c.of(name).rules, r.rule)
}

// pieces match a set, a text in quotes, or a word.
var pieces = regexp.MustCompile(`\{[^}]*\}|"[^"]*"|[^\s{}"]+|[{}]`)

// wordsOf returns the words of a rule; a set is one of them, without its blanks.
func wordsOf(line string) []string {
	words := pieces.FindAllString(line, -1)
	for i, w := range words {
		if strings.HasPrefix(w, "{") {
			w = strings.Join(strings.Fields(w), "")
		}
		words[i] = strings.Trim(w, `"`)
	}
	return words
}

// A reading is a rule, and the words of it that are to be read.
type reading struct {
	rule
	words []string
}

// next takes the next word, "" at the end.
func (r *reading) next() (word string) {
	if len(r.words) > 0 {
		word, r.words = r.words[0], r.words[1:]
	}
	return word
}

// skip takes a word if it is the next one.
func (r *reading) skip(word string) bool {
	if len(r.words) == 0 || r.words[0] != word {
		return false
	}
	r.next()
	return true
}

// and adds a condition, or its opposite.
func (r *reading) and(t truth, negated bool) {
	if negated {
		t = -t
	}
	r.matches = min(r.matches, t)
}

// value takes a value, or != and a value, and adds the condition that it holds one of the words.
func (r *reading) value(negated bool, wanted ...string) {
	if r.skip("vmap") {
		r.does = "some"
		return
	}
	negated = r.skip("!=") || negated
	r.and(holds(r.next(), wanted...), negated)
}

// read reads a rule's words: those of nft, and those of iptables, which begin with - or are in
// capitals.
func (r *reading) read(port string) {
	for len(r.words) > 0 && r.does == "" && r.to == "" {
		negated := r.skip("!")
		switch word := r.next(); word {
		case "dport", "--dport", "--dports":
			r.value(negated, port)
		case "udp", "th", "ip", "ip6", "meta": // and what of it
		case "protocol", "nexthdr", "l4proto", "-p":
			r.value(negated, "udp", "17", "all")
		case "tcp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "udplite":
			r.and(no, false)
		case "iif", "iifname", "-i":
			negated = r.skip("!=") || negated
			if r.next() == "lo" { // where this machine's own packets come from
				r.and(no, negated)
			} else {
				r.and(maybe, false)
			}
		case "ct":
			r.connection()
		case "--state", "--ctstate":
			r.value(negated, "NEW")
		case "--dst-type":
			r.value(negated, "LOCAL")
		case "counter", "log":
		case "packets", "bytes", "comment", "prefix", "level", "flags", "group", "-m", "--comment",
			"nfproto": // one of the two, in which devices send
			r.next()
		case "accept", "drop", "return":
			r.does = word
		case "reject":
			r.does = "drop"
		case "queue":
			r.does = "some"
		case "jump", "goto", "-j", "-g":
			r.target(r.next())
		default:
			r.and(maybe, false)
		}
	}
}

// target sets what a rule does, or the chain that it goes on with.
func (r *reading) target(to string) {
	switch to {
	case "ACCEPT", "DROP", "RETURN":
		r.does = strings.ToLower(to)
	case "REJECT":
		r.does = "drop"
	case "NFQUEUE":
		r.does = "some"
	default: // a chain, or something like LOG, which decides nothing
		r.to = to
	}
}

// connection reads what follows ct: the packet is the first one of a connection.
func (r *reading) connection() {
	switch {
	case r.skip("status"): // dnat, which a packet to the port itself is not
		r.value(false, "confirmed")
	case !r.skip("state"):
		r.and(maybe, false)
	case r.skip("vmap"):
		_, does, found := strings.Cut(","+strings.Trim(r.next(), "{}"), ",new:")
		if !found {
			r.and(no, false)
		}
		r.does, _, _ = strings.Cut(does, ",")
	default:
		r.value(false, "new")
	}
}

// holds reports whether a list, such as {53,69-70}, has one of the words.
func holds(list string, wanted ...string) truth {
	if strings.HasPrefix(list, "@") { // a set of its own
		return maybe
	}
	for one := range strings.SplitSeq(strings.Trim(list, "{}"), ",") {
		if slices.Contains(wanted, one) {
			return yes
		}
		low, high, isRange := strings.Cut(strings.ReplaceAll(one, ":", "-"), "-")
		from, err := strconv.Atoi(low)
		to, failed := strconv.Atoi(high)
		port, none := strconv.Atoi(wanted[0])
		if isRange && err == nil && failed == nil && none == nil && from <= port && port <= to {
			return yes
		}
	}
	return no
}
