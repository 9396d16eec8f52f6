package tftp

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

var stateNames = [numStates]string{"none", "receiving", "committing", "lingering", "loading", "sending", "alone"}

var eventNames = [numEvents]string{"request", "DATA", "ACK", "ERROR", "another packet", "timer", "too long silent", "handler done", "handler failed"}

// TestStateTables holds ARCHITECTURE.md's state tables to the rules that the engine runs by; -update writes them.
func TestStateTables(t *testing.T) {
	const file, begin, end = "../ARCHITECTURE.md", "-run StateTables -update -->\n", "<!-- end of states -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("ARCHITECTURE.md has no place for the state tables")
	}
	var b strings.Builder
	b.WriteString("| state | event | what happens |\n| --- | --- | --- |\n")
	for s := range numStates {
		for ev := range numEvents {
			if r := rules[s][ev]; r.do != nil {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", stateNames[s], eventNames[ev], r.says)
			} else if r.says != "" {
				t.Errorf("%s, %s: words and no deed", stateNames[s], eventNames[ev])
			}
		}
	}
	b.WriteString("\nWhat stands in no row is ignored.\n")
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+b.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if old != b.String() {
		t.Errorf("ARCHITECTURE.md says otherwise than the code: go test ./tftp -run StateTables -update")
	}
}
