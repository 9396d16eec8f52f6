package tftp

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

var stateNames = [numStates]string{"none", "receiving", "committing", "lingering", "loading",
	"sending", "alone"}

var eventNames = [numEvents]string{"request", "DATA", "ACK", "ERROR", "another packet", "timer",
	"too long silent", "handler done", "handler failed"}

// TestStateTables holds states.md to the rules that the engine runs by; -update writes it.
func TestStateTables(t *testing.T) {
	const file = "states.md"
	var b strings.Builder
	b.WriteString("# The states of a server's transfer\n\n" +
		"Written by `go test ./tftp -run StateTables -update` from the table in states.go.\n\n" +
		"| state | event | what happens |\n| --- | --- | --- |\n")
	for s := range numStates {
		for ev := range numEvents {
			if r := rules[s][ev]; r.do != nil {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", stateNames[s], eventNames[ev], r.says)
			} else if r.says != "" {
				t.Errorf("%s, %s: words and no deed", stateNames[s], eventNames[ev])
			}
		}
	}
	b.WriteString("\nAn event without a row is ignored.\n")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(file)
	if err != nil || string(page) != b.String() {
		t.Errorf("%s says otherwise than the code: go test ./tftp -run StateTables -update", file)
	}
}
