//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

//go:embed sql/size.sql
var sizeSQL string

const (
	yearMB   = "MB a device and year"
	nightMS  = "ms to store a night"
	unpackMS = "ms to read one back"
	secrets  = 200 // of 120 characters, encrypted anew each night
	keys     = 10  // of 1,700 characters, likewise
)

// yearOf is what a FortiGate sends in a year: a change a day, and all secrets encrypted anew each
// night.
type yearOf struct {
	nights, size int
	lines        []string // what stays
}

// night returns what it sends in a night.
func (y *yearOf) night(n int) []byte {
	random := rand.NewChaCha8([32]byte{1, byte(n), byte(n >> 8)})
	secret := func(size int) string {
		b := make([]byte, size)
		_, _ = random.Read(b) // it never fails
		return base64.StdEncoding.EncodeToString(b)
	}
	var b bytes.Buffer
	b.Write(head(1, n))
	every := max(len(y.lines)/secrets, 1)
	for i, line := range y.lines {
		if i%every == 0 {
			fmt.Fprintf(&b, "config user local\n    edit \"user%d\"\n        set passwd ENC %s\n"+
				"    next\nend\n", i, secret(90))
		}
		if i%(every*secrets/keys) == 0 {
			fmt.Fprintf(&b, "config vpn certificate local\n    edit \"cert%d\"\n        set "+
				"private-key \"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", i)
			for text := secret(1275); text != ""; text = text[min(64, len(text)):] {
				fmt.Fprintln(&b, text[:min(64, len(text))])
			}
			b.WriteString("-----END ENCRYPTED PRIVATE KEY-----\"\n    next\nend\n")
		}
		b.WriteString(line)
	}
	for i := range n { // an object that came each day
		fmt.Fprintf(&b, "config firewall address\n    edit \"added-%d\"\n        set subnet "+
			"192.0.2.%d 255.255.255.255\n    next\nend\n", i, i%256)
	}
	return b.Bytes()
}

func newYear(nights, size int) *yearOf {
	y, random := &yearOf{nights: nights, size: size}, rand.New(rand.NewPCG(1, 2))
	for i, n := 0, 0; n < size; i++ {
		line := fmt.Sprintf("config firewall address\n    edit \"h-%x\"\n        set uuid "+
			"%08x-%04x-51ee-%04x-%012x\n        set subnet %d.%d.%d.%d 255.255.255.255\n    "+
			"next\nend\n", random.Uint32(), random.Uint32(), i&0xffff, random.Uint32()&0xffff,
			random.Uint64()&0xffffffffffff, 10, random.IntN(256), random.IntN(256),
			random.IntN(256))
		if i%3 == 0 {
			line = fmt.Sprintf("config firewall policy\n    edit %d\n"+
				"        set name \"rule %x\"\n"+
				"        set srcintf \"port%d\"\n        set dstintf \"port%d\"\n        set "+
				"action accept\n        set srcaddr \"h-%x\"\n        set dstaddr \"all\"\n"+
				"        set schedule \"always\"\n        set service \"HTTPS\" \"HTTP\"\n    "+
				"next\nend\n", i, random.Uint32(), random.IntN(20), random.IntN(20),
				random.Uint32())
		}
		y.lines, n = append(y.lines, line), n+len(line)
	}
	return y
}

// sizes compares what a year of a device takes on disk.
func sizes(b *bench) (list []*contest, err error) {
	y := newYear(pick(b, 365, 3), pick(b, mib, 20_000))
	c := &contest{name: fmt.Sprintf("a FortiGate of %d KB sends for %d nights", y.size/1000,
		y.nights), metric: yearMB, less: true}
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c.add(database, func() (sample, error) { return b.yearIn(database, y) }).once = true
	}
	c.add("git, a commit a night, as Oxidized leaves it", func() (sample, error) {
		return b.yearInGit(y, false)
	}).once = true
	c.add("git gc", func() (sample, error) { return b.yearInGit(y, true) }).once = true
	c.add("zstd -3, each night by itself", func() (sample, error) {
		return b.yearInZstd(y, 0)
	}).once = true
	c.add("zstd -3, each by the night before, 30 in a row", func() (sample, error) {
		return b.yearInZstd(y, 30)
	}).once = true
	return append(list, c), nil
}

func (y *yearOf) sample(bytes int64, took time.Duration) sample {
	return sample{yearMB: float64(bytes) / 1e6,
		nightMS: took.Seconds() * 1e3 / float64(y.nights)}
}

// yearIn stores a year in a database.
func (b *bench) yearIn(database string, y *yearOf) (sample, error) {
	path := filepath.Join(b.disk, "year.db")
	url := "sqlite:" + path
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return nil, err
		}
		if url, err = pg.database(); err != nil {
			return nil, err
		}
	}
	s, err := opened(url)
	if err != nil {
		return nil, err
	}
	empty := int64(0) // PostgreSQL's own tables
	if database != "SQLite" {
		if err := b.pg.ask(url, sizeSQL, &empty); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	for n := range y.nights {
		body := y.night(n)
		id, fingerprint := device.Examine(body)
		if _, err := s.Put(context.Background(), store.Capture{UID: uuid.NewString(), New: true,
			ReceivedAt: start.AddDate(0, 0, n-y.nights), Source: "192.0.2.1", Filename: "x.conf",
			Mode: "octet", Name: "fw", NamedBy: store.NamedByConfig, Platform: id.Platform,
			Kind: id.Kind, Complete: true, Body: body, Fingerprint: fingerprint,
			Rules: device.Rules}); err != nil {
			return nil, err
		}
	}
	took, size := time.Since(start), int64(0)
	if err := s.Close(); err != nil {
		return nil, err
	}
	if database == "SQLite" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		size = info.Size()
	} else if err := b.pg.ask(url, sizeSQL, &size); err != nil {
		return nil, err
	}
	return y.sample(size-empty, took), nil
}

// yearInGit commits a year, a commit a night.
func (b *bench) yearInGit(y *yearOf, gc bool) (sample, error) {
	dir := filepath.Join(b.disk, fmt.Sprint("git", gc))
	git := func(args ...string) error {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "gc.auto=0", "-c",
			"user.name=bench", "-c", "user.email=bench@example.net"}, args...)...)
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, said)
		}
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := git("init", "-q"); err != nil {
		return nil, err
	}
	start := time.Now()
	for n := range y.nights {
		if err := os.WriteFile(filepath.Join(dir, "fw"), y.night(n), 0o600); err != nil {
			return nil, err
		}
		if err := git("add", "fw"); err != nil {
			return nil, err
		}
		if err := git("commit", "-q", "-m", "update fw"); err != nil {
			return nil, err
		}
	}
	if gc {
		if err := git("gc", "-q", "--prune=now"); err != nil {
			return nil, err
		}
	}
	took, size := time.Since(start), int64(0)
	err := filepath.WalkDir(filepath.Join(dir, ".git"), func(_ string, d fs.DirEntry,
		err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += (info.Size() + 4095) &^ 4095 // of a file system
		}
		return err
	})
	return y.sample(size, took), err
}

// yearInZstd compresses each night, by the one before where row isn't 0; the first of each row by
// itself.
func (b *bench) yearInZstd(y *yearOf, row int) (m sample, err error) {
	file := func(n int) string { return filepath.Join(b.files, fmt.Sprint("night", n)) }
	var took, unpacked time.Duration
	size := int64(0)
	for n := range y.nights {
		if err := os.WriteFile(file(n), y.night(n), 0o600); err != nil {
			return nil, err
		}
		args := []string{"-q", "-f", "-3", "--long=23"}
		if row > 0 && n%row > 0 {
			args = append(args, "--patch-from="+file(n-1))
		}
		start := time.Now()
		packed := file(n) + ".zst"
		if said, err := exec.Command("zstd", append(args, file(n), "-o",
			packed)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("zstd: %w: %s", err, said)
		}
		took += time.Since(start)
		start = time.Now()
		if said, err := exec.Command("zstd", append(args, "-d", packed, "-o",
			file(n)+".out")...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("zstd: %w: %s", err, said)
		}
		unpacked += time.Since(start)
		info, err := os.Stat(packed)
		if err != nil {
			return nil, err
		}
		size += info.Size()
		if n > 0 {
			_ = os.Remove(file(n - 1))
		}
		_, _ = os.Remove(packed), os.Remove(file(n)+".out")
	}
	m = y.sample(size, took)
	m[unpackMS] = unpacked.Seconds() * 1e3 / float64(y.nights)
	return m, os.Remove(file(y.nights - 1))
}
