package move

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// gitRepository is the repository of Oxidized (a file a device, or a folder a group with those) or
// RANCID (a folder configs in that of the group). It is read by the git program, which is where
// such a repository is, by two commands that look at objects alone: neither hooks nor filters of
// the repository run.
type gitRepository struct {
	dir      string
	versions []gitVersion
	most     int64
	blobs    *exec.Cmd // git cat-file, when the first is read
	ask      io.WriteCloser
	answer   *bufio.Reader
	trouble  bytes.Buffer
}

type gitVersion struct {
	commit, path, blob string
	at                 time.Time
}

func git(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1")
	if abs, err := filepath.Abs(dir); err == nil {
		// a repository around it isn't meant
		cmd.Env = append(cmd.Env, "GIT_CEILING_DIRECTORIES="+filepath.Dir(abs))
	}
	for _, v := range os.Environ() {
		// GIT_DIR isn't meant either
		if !strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "LC_") ||
			strings.HasPrefix(v, "GIT_CONFIG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// OpenGit opens the git repository of Oxidized or RANCID: every version of its first-parent
// history, with the time of its commit; the group is the site. Versions of more than most bytes are
// left out. It needs the git program.
func OpenGit(ctx context.Context, dir string, most int64) (*Source, error) {
	g := &gitRepository{dir: dir, most: most}
	cmd := git(ctx, dir, "log", "--reverse", "--first-parent", "-m", "--raw", "-z", "--no-abbrev",
		"--no-renames", "--no-ext-diff",
		"--no-show-signature", "--diff-filter=AM", "--format=commit %H %ct")
	cmd.Stderr = &g.trouble
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: install git", err)
	}
	readErr := g.history(bufio.NewReader(out))
	_, _ = io.Copy(io.Discard, out) // so that it can end
	if err := cmd.Wait(); err != nil {
		if ctx.Err() == nil && strings.Contains(g.trouble.String(),
			"does not have any commits yet") {
			return nil, fmt.Errorf("git in %s: its HEAD is a branch without commits; where they "+
				"are on another branch: git -C %s symbolic-ref HEAD refs/heads/BRANCH", dir, dir)
		}
		return nil, g.failed(ctx, err)
	}
	return &Source{each: g.each, total: g.total, close: g.close}, readErr
}

// failed says what git has said, where nobody has interrupted it.
func (g *gitRepository) failed(ctx context.Context, err error) error {
	if g.blobs != nil {
		_, _ = g.ask.Close(), g.blobs.Wait() // then all that it has to say is there
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if text := strings.Join(strings.Fields(g.trouble.String()), " "); text != "" {
		err = errors.New(text)
	}
	return fmt.Errorf("git in %s: %w", g.dir, err)
}

// history reads what git log prints: for each commit a head, and for each file of it its modes and
// hashes, and then its path; a NUL after each.
func (g *gitRepository) history(r *bufio.Reader) error {
	commit, at := "", time.Time{}
	last := map[string]time.Time{} // of a path
	for {
		text, err := r.ReadString(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f := strings.Fields(strings.TrimSuffix(text, "\x00"))
		switch {
		case len(f) == 3 && f[0] == "commit":
			seconds, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil {
				return fmt.Errorf("git log said %q", text)
			}
			commit, at = f[1], time.Unix(seconds, 0)
		case len(f) == 5 && strings.HasPrefix(f[0], ":"):
			file, err := r.ReadString(0)
			if err != nil {
				return fmt.Errorf("git log ended early: %w", err)
			}
			file = strings.TrimSuffix(file, "\x00")
			if !strings.HasPrefix(f[1], "100") || !configuration(file) { // a link, a module
				continue
			}
			t := at
			if was := last[file]; !was.Before(t) { // two commits of one second
				t = was.Add(time.Microsecond)
			}
			last[file] = t
			g.versions = append(g.versions, gitVersion{commit, file, f[3], t})
		case len(f) > 0:
			return fmt.Errorf("git log said %q", text)
		}
	}
}

// configuration reports whether a file of a repository is a device's, and not the program's own.
func configuration(file string) bool {
	for part := range strings.SplitSeq(file, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	switch base := path.Base(file); {
	case base == "router.db", strings.HasPrefix(base, "routers."), base == "CVSROOT",
		strings.HasPrefix(base, "README"):
		return false // RANCID's lists of devices
	}
	return true
}

// place returns what a file would have been named by a device: GROUP/DEVICE. RANCID's folder
// configs is no group; where it has no other folder around it, the repository is the group's.
func (g *gitRepository) place(file string) string {
	dir, name := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	if dir == "configs" {
		if abs, err := filepath.Abs(g.dir); err == nil {
			dir = strings.TrimSuffix(filepath.Base(abs), ".git")
		}
	} else {
		dir = strings.TrimSuffix(dir, "/configs")
	}
	return path.Join(dir, name)
}

func (g *gitRepository) total() int64 { return int64(len(g.versions)) }

func (g *gitRepository) close() error {
	if g.blobs == nil {
		return nil
	}
	_ = g.ask.Close()  // which ends it
	_ = g.blobs.Wait() // what it read is checked by its hash already
	return nil
}

func (g *gitRepository) each(ctx context.Context, _ *store.Store, yield func(item) error) error {
	for _, v := range g.versions {
		err := yield(item{uid: uidOf("git", v.commit, v.path, v.blob),
			capture: func(context.Context) (store.Capture, error) {
				body, err := g.blob(ctx, v)
				if err != nil {
					return store.Capture{}, err
				}
				if bytes.HasPrefix(body, []byte("\x00GITCRYPT\x00")) {
					return store.Capture{}, skipped(v.path, "encrypted by git-crypt")
				}
				place := g.place(v.path)
				if !device.IsConfiguration(v.path, body) {
					return store.Capture{}, skipped(v.path, "it is no configuration")
				}
				return captureFrom(place, v.at, body), nil
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// blob returns the bytes of a version.
func (g *gitRepository) blob(ctx context.Context, v gitVersion) ([]byte, error) {
	if g.blobs == nil {
		cmd := git(ctx, g.dir, "cat-file", "--batch")
		g.trouble.Reset()
		cmd.Stderr = &g.trouble
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		g.blobs, g.ask, g.answer = cmd, in, bufio.NewReader(out)
	}
	if _, err := fmt.Fprintln(g.ask, v.blob); err != nil {
		return nil, g.failed(ctx, err)
	}
	head, err := g.answer.ReadString('\n')
	if err != nil {
		return nil, g.failed(ctx, err)
	}
	f := strings.Fields(head) // hash, "blob", size; or "missing"
	if len(f) != 3 || f[1] != "blob" {
		return nil, fmt.Errorf("git in %s: %s of commit %s: %s", g.dir, v.path, v.commit,
			strings.TrimSpace(head))
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git cat-file said %q", head)
	}
	if size > g.most {
		if _, err := io.CopyN(io.Discard, g.answer, size+1); err != nil {
			return nil, g.failed(ctx, err)
		}
		return nil, tooLarge(v.path, size, g.most)
	}
	body := make([]byte, size+1) // a line end follows
	if _, err := io.ReadFull(g.answer, body); err != nil {
		return nil, g.failed(ctx, err)
	}
	return body[:size], nil
}
