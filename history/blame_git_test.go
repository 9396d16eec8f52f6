package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBlameAsGit: each line has the origin that git blame gives it. Lines that stand once in a file
// leave no choice, since each entry has more of them than of lines that repeat. Of those that
// repeat, as "next" and "end" do, one in a hundred may have another origin: where one of two equal
// neighbours was deleted and the lines between them changed too, either may be the one that is
// left.
func TestBlameAsGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		missing(t, err)
	}
	for name, c := range map[string]struct {
		entry  func(n int, random *rand.Rand) []string
		header string
		ends   []string // what stands below the last entry
		repeat bool     // lines repeat
	}{
		"distinct":  {plainEntry, "", nil, false},
		"fortigate": {gateEntry, fortiHead, []string{"end"}, true},
		"cisco":     {ciscoEntry, "version 15.2\nhostname sw1\n", []string{"end"}, true},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, 1))
				versions := made(c.header, c.entry, c.ends, 30, random)
				sameAsGit(t, versions, c.repeat)
			})
		}
	}
}

const fortiHead = "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=ada\n" +
	"#buildno=2731\n#global_vdom=1\nconfig firewall policy\n"

func plainEntry(n int, _ *rand.Rand) []string {
	return []string{fmt.Sprint("entry ", n), fmt.Sprint(" name ", n), fmt.Sprint(" value ", n)}
}

func gateEntry(n int, random *rand.Rand) []string {
	lines := []string{fmt.Sprint("    edit ", n), fmt.Sprintf("        set name \"rule %d\"", n)}
	for i := range 2 + random.IntN(4) {
		lines = append(lines, fmt.Sprintf("        set comments \"%d of %d\"", i, n))
	}
	return append(lines, "        set action accept", "        set logtraffic all", "    next")
}

func ciscoEntry(n int, random *rand.Rand) []string {
	lines := []string{fmt.Sprint("interface Vlan", n), fmt.Sprint(" description vlan ", n),
		fmt.Sprintf(" ip address 10.0.%d.1 255.255.255.0", n), fmt.Sprint(" vrf forwarding v", n)}
	if random.IntN(2) == 0 {
		lines = append(lines, " ip directed-broadcast")
	}
	return append(lines, " shutdown", "!")
}

// made returns so many versions of a configuration of entries: entries are inserted, deleted,
// changed and moved, and now and then all is as it was before.
func made(head string, entry func(int, *rand.Rand) []string, ends []string, n int,
	random *rand.Rand) (versions []string) {
	var entries [][]string
	next := 0
	add := func(at int) {
		next++
		entries = slices.Insert(entries, at, entry(next, random))
	}
	for i := range 50 {
		add(i)
	}
	for len(versions) < n {
		for range 1 + random.IntN(4) {
			at := random.IntN(len(entries))
			switch random.IntN(6) {
			case 0, 1:
				add(at)
			case 2:
				entries = slices.Delete(entries, at, at+1)
			case 3:
				moved := entries[at]
				entries = slices.Delete(entries, at, at+1)
				to := (at + 10 + random.IntN(len(entries)-20)) % len(entries)
				entries = slices.Insert(entries, to, moved)
			default:
				next++
				e := slices.Clone(entries[at])
				e[1+random.IntN(len(e)-2)] = fmt.Sprint("        set changed ", next)
				entries[at] = e
			}
		}
		var lines []string
		for _, e := range entries {
			lines = append(lines, e...)
		}
		text := head + strings.Join(append(lines, ends...), "\n") + "\n"
		if len(versions) > 10 && random.IntN(12) == 0 {
			text = versions[len(versions)-3]
		}
		if len(versions) == 0 || versions[len(versions)-1] != text {
			versions = append(versions, text)
		}
	}
	return versions
}

// sameAsGit compares the origins of all lines of the newest version, and of one before it.
func sameAsGit(t *testing.T, versions []string, repeat bool) {
	t.Helper()
	h := keep(t, "sqlite", versions...)
	repository := repositoryOf(t, versions)
	lines, differ := 0, 0
	for _, n := range []int{len(versions) - 1, len(versions) / 2} {
		b, err := Blame(t.Context(), h.store, h.records[n], BlameOptions{Within: never})
		if err != nil {
			t.Fatal(err)
		}
		git := gitBlame(t, repository, n)
		if len(git) != len(b.Lines) {
			t.Fatalf("%d lines, git has %d", len(b.Lines), len(git))
		}
		times := map[string]int{}
		for _, l := range b.Lines {
			times[l.Text]++
		}
		for i, l := range b.Lines {
			lines++
			if l.Origin.ID == h.records[git[i]].ID && !l.Origin.Before {
				continue
			}
			if differ++; times[l.Text] == 1 || !repeat {
				t.Errorf("line %d, %q, is of @%d, by git of @%d", l.Number, l.Text, l.Origin.ID,
					h.records[git[i]].ID)
			}
		}
	}
	if 100*differ > lines {
		t.Errorf("%d of %d lines have other origins than by git", differ, lines)
	}
}

// repositoryOf returns a git repository that has texts as its commits.
func repositoryOf(t testing.TB, versions []string) string {
	t.Helper()
	dir := t.TempDir()
	var in bytes.Buffer
	for i, text := range versions {
		fmt.Fprintf(&in, "blob\nmark :%d\ndata %d\n%s\n", 2*i+1, len(text), text)
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter a <a@example.org> %d +0000\n"+
			"data 1\nx\nM 100644 :%d a.conf\n\n", 2*i+2, 1_700_000_000+i, 2*i+1)
	}
	git(t, dir, nil, "init", "-q", "-b", "main")
	git(t, dir, &in, "fast-import", "--quiet", "--export-marks="+filepath.Join(dir, "marks"))
	return dir
}

// gitBlame returns for each line of a version the number of the version that it comes from.
func gitBlame(t testing.TB, dir string, version int) (origins []int) {
	t.Helper()
	marks, err := os.ReadFile(filepath.Join(dir, "marks"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{} // by commit
	commit := ""
	for line := range strings.Lines(string(marks)) {
		var mark int
		var hash string
		if _, err := fmt.Sscanf(line, ":%d %s", &mark, &hash); err != nil {
			t.Fatal(err)
		}
		numbers[hash] = mark/2 - 1
		if mark == 2*version+2 {
			commit = hash
		}
	}
	for line := range strings.Lines(git(t, dir, nil, "blame", "--porcelain", commit, "--",
		"a.conf")) {
		if w := strings.Fields(line); len(w) >= 3 && len(w[0]) == 40 && line[0] != '\t' {
			origins = append(origins, numbers[w[0]])
		}
	}
	return origins
}

// git runs git in a folder, whatever the configuration of who runs the test.
func git(t testing.TB, dir string, in *bytes.Buffer, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	if in != nil {
		cmd.Stdin = in
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, errs.String())
	}
	return string(out)
}
