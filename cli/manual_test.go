package cli

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
)

var manual = flag.String("manual", "", "write the manual's page to this file")

// TestManual: man shows the help of every command, line by line.
func TestManual(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Memory = 0 // it is of this machine
	root := (&app{config: c}).rootCommand()
	root.InitDefaultCompletionCmd()
	var commands []*cobra.Command
	var list func(*cobra.Command)
	list = func(cmd *cobra.Command) {
		commands = append(commands, cmd)
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				list(sub)
			}
		}
	}
	list(root)
	file := *manual
	if file == "" {
		file = filepath.Join(t.TempDir(), "tftpsql.1")
	}
	if err := os.WriteFile(file, []byte(manualPage(commands)), 0o644); err != nil {
		t.Fatal(err)
	}
	man := exec.Command("man", "--warnings", "--local-file", file)
	if man.Err != nil {
		t.Skip(man.Err)
	}
	man.Env = append(os.Environ(), "MANWIDTH=100", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
	var warnings strings.Builder
	man.Stderr = &warnings
	out, err := man.Output()
	if err != nil || warnings.Len() > 0 || len(commands) < 40 {
		t.Fatalf("%d commands, %v, %s", len(commands), err, warnings.String())
	}
	shown := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		shown[strings.TrimSpace(line)] = true
	}
	for _, cmd := range commands {
		for line := range strings.Lines(helpOf(cmd)) {
			if line = strings.TrimSpace(line); line != "" && !shown[line] {
				t.Errorf("%s: the page doesn't show %q", cmd.CommandPath(), line)
			}
		}
	}
}

// helpOf is what --help says of a command, without the flags of all of them.
func helpOf(cmd *cobra.Command) string {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	return text + "\n\n" + cmd.LocalFlags().FlagUsagesWrapped(90)
}

// manualPage is the page of the manual, with a section for each command.
func manualPage(commands []*cobra.Command) string {
	var b strings.Builder
	root := commands[0]
	fmt.Fprintf(&b, ".TH TFTPSQL 1\n.SH NAME\ntftpsql \\- %s\n.SH SYNOPSIS\n"+
		".B tftpsql\n[COMMAND] [ARGUMENT ...] [FLAG ...]\n.SH DESCRIPTION\n%s.SH COMMANDS\n",
		roff(root.Short), preformatted(helpOf(root)))
	for _, cmd := range commands[1:] {
		fmt.Fprintf(&b, ".SS %s\n%s", roff(cmd.UseLine()), preformatted(helpOf(cmd)))
	}
	b.WriteString(".SH FILES\n.TP\n.I /etc/tftpsql/tftpsql.env\nThe settings of the Debian " +
		"package's service, and of commands beside it.\n.TP\n.I /usr/share/doc/tftpsql\n" +
		"The guides. docs/settings.md there lists all settings.\n")
	return b.String()
}

// preformatted is text that man shows line by line. No line of it is a command to roff.
func preformatted(text string) string {
	var b strings.Builder
	b.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		if line = roff(line); strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		b.WriteString(line)
	}
	return b.String() + ".fi\n"
}

// roff escapes what roff would read as its own.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga", "^", `\(ha`, "~",
	`\(ti`).Replace
