package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBashCompletion: in a real bash the words that a person begins are completed.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tftpsql"),
		[]byte("#!"+bash+"\nexec env "+childVariable+"=1 '"+os.Args[0]+"' \"$@\"\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	// What bash does for a tab: COMP_WORDS and the function that complete was given.
	// _get_comp_words_by_ref is of the package bash-completion, which the script expects and which
	// need not be here.
	const tab = `
_get_comp_words_by_ref() {
	words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}
}
compopt() { :; } # which is for a tab only
source <(tftpsql completion bash)
COMP_WORDS=(tftpsql "$@"); COMP_CWORD=$#; COMP_LINE="tftpsql $*"
COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
definition=$(complete -p tftpsql)
function=${definition#*-F }
"${function%% *}" tftpsql "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
for word in "${COMPREPLY[@]}"; do echo ${word%% *}; done
`
	for _, c := range []struct{ typed, want string }{
		{"unpub", "unpublish"}, {"device re", "rename retire"},
		{"migrate ", "down force up version"}, {"devices --ove", "--overdue"},
		{"serve --ack", "--ack-timeout"},
	} {
		cmd := exec.CommandContext(t.Context(), bash,
			append([]string{"--norc", "-c", tab, "bash"}, strings.Split(c.typed, " ")...)...)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != c.want {
			t.Errorf("%q becomes %q, want %q, %v", c.typed, got, c.want, err)
		}
	}
}
