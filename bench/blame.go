//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

const (
	blameMS  = "ms of blame"
	gitBlame = "git blame"
)

// blames asks since when each line of a firewall's configuration is there, and git the same.
func blames(b *bench) ([]*contest, error) {
	size, n := pick(b, 200_000, 20_000), pick(b, 500, 20)
	versions := ages(size, n)
	c := &contest{name: fmt.Sprintf("blame of %d versions, %d KB", n, size/1000), metric: blameMS}
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		name, url := ours+", "+database, ""
		l := c.add(name, func() (sample, error) {
			if url == "" {
				var err error
				if url, err = b.aged(database, versions); err != nil {
					return nil, err
				}
			}
			took, err := command(b.program, url, nil, "blame", "fw1", "-n", "0")
			return sample{blameMS: took}, err
		})
		b.explainable(c, l, func(dir string) (sample, error) {
			program, err := b.profiledProgram()
			if err != nil {
				return nil, err
			}
			return b.longEnough(func() (sample, error) {
				took, err := command(program, url, []string{profileDir + "=" + dir}, "blame", "fw1",
					"-n", "0")
				return sample{blameMS: took}, err
			})
		})
		c.goals = append(c.goals, goal{of: name, metric: blameMS, against: gitBlame, factor: 1,
			atMost: true})
	}
	dir := ""
	c.add(gitBlame, func() (sample, error) {
		if dir == "" {
			var err error
			if dir, err = b.repositoryOf(versions); err != nil {
				return nil, err
			}
		}
		start := time.Now()
		said, err := gitIn(dir, nil, "blame", "--porcelain", "main", "--", "fw1.conf")
		took := time.Since(start)
		if err == nil && len(said) < size {
			err = fmt.Errorf("git blame: %d bytes", len(said))
		}
		return sample{blameMS: float64(took.Microseconds()) / 1e3}, err
	})
	return []*contest{c}, nil
}

// ages returns so many versions of a firewall's configuration: policies come, go and change, and
// its secrets are encrypted anew for each.
func ages(size, n int) (versions [][]byte) {
	random := rand.New(rand.NewPCG(1, 2))
	text := string(tail(size - headSize))
	policies := bytes.SplitAfter([]byte(text), []byte("    next\n"))
	for i := range n {
		for range 1 + random.IntN(5) {
			at := 1 + random.IntN(len(policies)-2)
			policy := fmt.Appendf(nil, "    edit %d\n        set name \"new %d\"\n        set "+
				"srcaddr \"host-%d\"\n        set action accept\n    next\n", 1000+i, i, at)
			switch random.IntN(3) {
			case 0:
				policies = slices.Insert(policies, at, policy)
			case 1:
				policies = slices.Delete(policies, at, at+1)
			default:
				policies[at] = bytes.Replace(policies[at], []byte("    next\n"),
					fmt.Appendf(nil, "        set comments \"%d\"\n    next\n", i), 1)
			}
		}
		v := append(head(1, 0), "config user local\n"...)
		for user := range 20 {
			v = fmt.Appendf(v, "    edit \"user%d\"\n        set type password\n"+
				"        set passwd ENC %016x%016x\n    next\n", user, random.Uint64(),
				random.Uint64())
		}
		versions = append(versions, append(append(v, "end\n"...), bytes.Join(policies, nil)...))
	}
	return versions
}

// aged stores versions as captures of a device, and returns the database.
func (b *bench) aged(database string, versions [][]byte) (url string, err error) {
	url = "sqlite:" + filepath.Join(b.disk, "blame.db")
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return "", err
		}
		if url, err = pg.database(); err != nil {
			return "", err
		}
	}
	s, err := opened(url)
	if err != nil {
		return "", err
	}
	defer s.Close()
	for i, v := range versions {
		id, fingerprint := device.Examine(v)
		_, err := s.Put(context.Background(), store.Capture{UID: uuid.NewString(), New: true,
			ReceivedAt: time.Now().Add(time.Duration(i-len(versions)) * time.Hour),
			Source:     "192.0.2.1", Local: "192.0.2.100", Filename: "fw1.conf", Mode: "octet",
			Name: "fw1", NamedBy: store.NamedByConfig, Platform: id.Platform, Kind: id.Kind,
			Complete: true, Body: v, Fingerprint: fingerprint, Rules: device.Rules})
		if err != nil {
			return "", err
		}
	}
	return url, nil
}

// repositoryOf makes a packed git repository of versions, a commit each.
func (b *bench) repositoryOf(versions [][]byte) (string, error) {
	dir := filepath.Join(b.disk, "blame.git")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	var in bytes.Buffer
	for i, v := range versions {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter a <a@example.org> %d +0000\n"+
			"data 1\nx\nM 100644 inline fw1.conf\ndata %d\n%s\n", 1_700_000_000+i, len(v), v)
	}
	if _, err := gitIn(dir, nil, "init", "-q", "--bare"); err != nil {
		return "", err
	}
	if _, err := gitIn(dir, in.Bytes(), "fast-import", "--quiet"); err != nil {
		return "", err
	}
	_, err := gitIn(dir, nil, "gc", "-q")
	return dir, err
}

// gitIn runs git in a folder, whatever the configuration of who runs it.
func gitIn(dir string, in []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1")
	return cmd.Output()
}
