package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostileFiles are names of files, and so of devices, that a shell or a terminal would act on.
var hostileFiles = []string{"x$(touch pwned)", "x`touch pwned`", "x;touch pwned", "x&touch pwned",
	"x'touch pwned", "x${IFS}y", "x>pwned", "x*", "x y", "~x",
	"x\x1b]0;y\a", "x\u202ey",
	"x\ty"}

// completeTries is how often a test asks: a busy machine may not answer in time, and completes
// nothing then.
const completeTries = 20

// completionFleet imports devices of two sites, with versions, and hostile ones, and returns the
// environment that has them.
func completionFleet(t *testing.T, url string) []string {
	t.Helper()
	env, dir := []string{"DATABASE_URL=" + url}, t.TempDir()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i, file := range []string{"acme/fw1", "acme/gate", "globex/fw1", "core.ÿ+1", "old~2"} {
		for version := range 3 {
			name := fmt.Sprintf("%s/%s.conf", dir, file)
			write(t, name, fmt.Sprintf("%s %d\n", file, version), at.Add(
				time.Duration(version*10+i)*time.Hour))
			if status, _, errs := do(t, env, "import", dir); status != 0 {
				t.Fatal(errs)
			}
		}
	}
	imported := 0
	for _, name := range hostileFiles {
		if os.PathSeparator == '\\' && strings.ContainsAny(name, "`>*\x1b\a\t") {
			continue // no file can be called that
		}
		write(t, filepath.Join(dir, "evil", name+".conf"), name+"\n", at)
		imported++
	}
	status, out, errs := do(t, env, "import", dir)
	if status != 0 || !strings.Contains(out+errs, fmt.Sprintf("imported: %d captures", imported)) {
		t.Fatal(out, errs)
	}
	return env
}

// TestCompleteREF: devices and REFs are completed, no more than a screen takes, and nothing that a
// shell or a terminal would act on.
func TestCompleteREF(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		env := completionFleet(t, url)
		once := func(args ...string) (words []string) {
			t.Helper()
			status, out, errs := do(t, env, append([]string{"__complete"}, args...)...)
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if last := lines[len(lines)-1]; status != 0 || last != ":36" {
				t.Errorf("%q: status %d, %q, %s", args, status, last, errs)
			}
			for _, l := range lines[:len(lines)-1] {
				word, _, _ := strings.Cut(l, "\t")
				words = append(words, word)
			}
			return words
		}
		some := func(args ...string) (words []string) {
			for try := 0; len(words) == 0 && try < completeTries; try++ {
				words = once(args...)
			}
			return words
		}
		for _, c := range []struct{ typed, want string }{
			{"show ", "core.ÿ+1 acme/fw1 globex/fw1 gate old~2"},
			{"show q", ""}, {"show f", "fw1"}, {"show g", "globex/fw1 gate"},
			{"show acme/", "acme/fw1 acme/gate"},
			{"diff gate gate~", "gate~1 gate~2"}, {"diff gate gate~2", "gate~2"},
			{"blame acme/fw1~", "acme/fw1~1 acme/fw1~2"}, {"show old~", "old~2"},
			{"show old~2~", "old~2~1 old~2~2"},
			{"blame gate ga", ""}, {"show gate ga", ""}, {"publish ga", "gate"},
			{"restore ga", "gate"},
			{"log ga", "gate"}, {"failures ga", "gate"}, {"device merge ga co", "core.ÿ+1"},
			{"device rename ga", "gate"}, {"device rename gate ga", ""},
			{"device retire /", "/core.ÿ+1 /old~2"},
			{"show evil", "evil/~x"}, {"show x", ""}, {"show -- -", ""}, {"show nothing~", ""},
			{"show \xff", ""}, {"show $(", ""},
		} {
			complete := some
			if c.want == "" {
				complete = once
			}
			if got := strings.Join(complete(strings.Split(c.typed, " ")...), " "); got != c.want {
				t.Errorf("%q becomes %q, want %q", c.typed, got, c.want)
			}
		}
		captures := some("show", "@")
		if len(captures) != completeCaptures {
			t.Errorf("captures %q", captures)
		}
		uid := strings.Fields(lineWith(t, env, `"uid"`))[1]
		uid = strings.Trim(uid, `",`)
		if got := some("diff", "gate", uid[:9]); len(got) != 1 || got[0] != uid {
			t.Errorf("%s is completed to %q", uid[:9], got)
		}
		many := t.TempDir()
		for i := range completeDevices + 50 {
			write(t, fmt.Sprintf("%s/many%d.conf", many, i), fmt.Sprint(i), time.Time{})
		}
		if status, _, errs := do(t, env, "import", many); status != 0 {
			t.Fatal(errs)
		}
		if got := some("show", "many"); len(got) != completeDevices {
			t.Errorf("%d devices", len(got))
		}
	})
}

// lineWith is the first line with this text that log prints of the device gate as JSON.
func lineWith(t *testing.T, env []string, text string) string {
	t.Helper()
	_, out, _ := do(t, env, "log", "gate", "--json")
	for line := range strings.Lines(out) {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatal(out)
	return ""
}

// TestCompletingIsQuiet: a database that isn't there, or that doesn't answer, completes nothing,
// and says nothing in the line that a person types.
func TestCompletingIsQuiet(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, url := range []string{"sqlite:" + filepath.Join(t.TempDir(), "none.db"), "nonsense:",
		"postgres://u:p@" + silent.Addr().String() + "/d"} {
		begun := time.Now()
		status, out, errs := do(t, []string{"DATABASE_URL=" + url, "SPOOL=" + t.TempDir()},
			"__complete", "show", "f")
		// cobra's own line is for who debugs a completion; the scripts drop it
		errs = strings.TrimPrefix(errs, "Completion ended with directive: "+
			"ShellCompDirectiveNoFileComp, ShellCompDirectiveKeepOrder\n")
		if took := time.Since(begun); status != 0 || out != ":36\n" || errs != "" ||
			took > 10*completePatience {
			t.Errorf("%s: status %d, %q, %q, after %s", url, status, out, errs, took)
		}
	}
}

// TestBashCompletion: in a real bash the words that a person begins are completed.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	env := completionFleet(t, databases["sqlite"](t))
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
		{"serve --ack", "--ack-timeout"}, {"show ac", "acme/fw1 acme/gate"}, {"diff gat", "gate"},
		{"diff gate gate~", "gate~1 gate~2"}, {"show x", ""}, {"show evil/", "evil/~x"},
		{"show ", "core.ÿ+1 acme/fw1 globex/fw1 gate old~2"},
	} {
		got := ""
		for try := 0; try == 0 || got == "" && c.want != "" && try < completeTries; try++ {
			cmd := exec.CommandContext(t.Context(), bash,
				append([]string{"--norc", "-c", tab, "bash"}, strings.Split(c.typed, " ")...)...)
			cmd.Env = append(env, "LC_ALL=C.UTF-8", "PATH="+dir+":"+os.Getenv("PATH"))
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatal(err, string(out))
			}
			got = strings.Join(strings.Fields(string(out)), " ")
		}
		if got != c.want {
			t.Errorf("%q becomes %q, want %q", c.typed, got, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a device's name was run")
	}
}
