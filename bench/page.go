//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

const (
	answerMS    = "ms until all is there"
	firstMS     = "ms until the first line"
	pageKB      = "KB of memory at most"
	aPage       = "page"
	aCommand    = "command"
	agesOfLarge = 60
)

// pages asks the page what commands are asked: it must not take more than twice as long.
func pages(b *bench) (list []*contest, err error) {
	devices, captures := pick(b, 10_000, 50), pick(b, 5000, 20)
	large := pick(b, 1_000_000, 20_000)
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		var p *paged
		open := func() (*paged, error) {
			if p == nil {
				p, err = b.paged(database, devices, captures, large)
			}
			return p, err
		}
		for _, q := range []struct {
			name, path, want, first string
			command                 []string
		}{
			{fmt.Sprintf("the list of %d devices", devices), "/devices", "fw000000", "",
				[]string{"devices"}},
			{fmt.Sprintf("a device of %d captures", captures), "/d/-/often", "often", "",
				[]string{"log", "often"}},
			{fmt.Sprintf("a difference of two configurations of %d KB", large/1000),
				"/diff/LARGE", fmt.Sprintf("new %d", agesOfLarge-1), "", []string{"diff", "large"}},
			{fmt.Sprintf("a search over %d devices", devices), "/search?q=hostname", "fw000000",
				"class=\"l hit\"", []string{"search", "hostname"}},
		} {
			c := &contest{name: q.name + ", " + database, metric: answerMS}
			page, command := aPage+", "+database, aCommand+", "+database
			c.add(page, func() (sample, error) {
				p, err := open()
				if err != nil {
					return nil, err
				}
				return p.get(q.path, q.want, q.first)
			})
			c.add(command, func() (sample, error) {
				p, err := open()
				if err != nil {
					return nil, err
				}
				took, err := commandOr1(b.program, p.url, q.command...)
				return sample{answerMS: took}, err
			})
			c.goals = []goal{{of: page, metric: answerMS, against: command, factor: 2,
				atMost: true}}
			if q.first != "" {
				c.goals = append(c.goals, goal{of: page, metric: firstMS, against: command,
					other: answerMS, factor: 0.5, atMost: true,
					text: "the first line of a search is there while it still looks"})
			}
			list = append(list, c)
		}
		list[len(list)-1].close = func() {
			if p != nil {
				p.end()
			}
		}
	}
	return list, nil
}

// commandOr1 is a command whose exit status 1 is an answer, as that of diff.
func commandOr1(program, url string, args ...string) (ms float64, err error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
	start := time.Now()
	err = cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == 1 {
		err = nil
	}
	return float64(time.Since(start).Microseconds()) / 1e3, err
}

// paged is a running program with its page, and somebody who has logged in.
type paged struct {
	url, at string
	client  *http.Client
	process *exec.Cmd
	large   [2]int64
}

// paged fills a database and starts the program on it.
func (b *bench) paged(database string, devices, captures, large int) (*paged, error) {
	p := &paged{url: "sqlite:" + filepath.Join(b.disk, "page.db")}
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return nil, err
		}
		if p.url, err = pg.database(); err != nil {
			return nil, err
		}
	}
	if err := p.fill(devices, captures, large); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close() // the program takes it
	env := append(os.Environ(), "DATABASE_URL="+p.url, "HTTP_ADDR="+address, "TFTP_PORT=0",
		"TFTP_HOST=127.0.0.1", "LOG_LEVEL=error")
	p.at = "http://" + address
	p.process = exec.Command(b.program)
	p.process.Env = env
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	return p, p.login(b.program, env)
}

// login waits until the program is ready, and uses a link.
func (p *paged) login(program string, env []string) (err error) {
	for range 200 {
		if r, err := http.Get(p.at + "/readyz"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.client, err = visitor(program, p.at, env)
	return err
}

// visitor is somebody who has logged in to the page at an address.
func visitor(program, at string, env []string) (*http.Client, error) {
	cmd := exec.Command(program, "page")
	cmd.Env = env
	link, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar}
	r, err := client.Post(strings.TrimSpace(string(link)), "", nil)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the login: %s", r.Status)
	}
	return client, nil
}

func (p *paged) end() {
	_ = p.process.Process.Kill()
	_ = p.process.Wait()
}

// get returns how long a page took, and when a text was there first.
func (p *paged) get(path, want, first string) (sample, error) {
	path = strings.Replace(path, "LARGE", fmt.Sprintf("%d..%d", p.large[0], p.large[1]), 1)
	start := time.Now()
	r, err := p.client.Get(p.at + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	m := sample{}
	found := false
	in := bufio.NewReader(r.Body)
	for {
		line, err := in.ReadString('\n')
		found = found || strings.Contains(line, want)
		if first != "" && strings.Contains(line, first) && m[firstMS] == 0 {
			m[firstMS] = float64(time.Since(start).Microseconds()) / 1e3
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if r.StatusCode != http.StatusOK || !found {
		return nil, fmt.Errorf("%s: %s, without %q", path, r.Status, want)
	}
	m[answerMS] = float64(time.Since(start).Microseconds()) / 1e3
	m[pageKB], err = p.peak()
	return m, err
}

// peak is the most memory that the program has had, in KB.
func (p *paged) peak() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	return strconv.ParseFloat(strings.Fields(after)[0], 64)
}

// fill stores the devices, one device that sends often, and one with large configurations.
func (p *paged) fill(devices, captures, large int) error {
	s, err := opened(p.url)
	if err != nil {
		return err
	}
	defer s.Close()
	began := time.Now().Add(-240 * time.Hour)
	put := func(name string, number int, body []byte) (int64, error) {
		id, fingerprint := device.Examine(body)
		stored, err := s.Put(context.Background(), store.Capture{UID: uuid.NewString(), New: true,
			ReceivedAt: began.Add(time.Duration(number) * time.Second), Source: "192.0.2.1",
			Local: "192.0.2.100", Filename: name + ".conf", Mode: "octet", Name: name,
			NamedBy: store.NamedByConfig, Platform: id.Platform, Kind: id.Kind, Complete: true,
			Body: body, Fingerprint: fingerprint, Rules: device.Rules})
		return stored.ID, err
	}
	text := tail(5000)
	body := func(n, revision int) []byte { return append(head(n, revision), text...) }
	failed := make(chan error, devices)
	var group sync.WaitGroup
	slots := make(chan struct{}, 64) // a transaction takes so many
	for i := range devices {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if _, err := put(fmt.Sprintf("fw%06d", i), i, body(i, 0)); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	if len(failed) > 0 {
		return <-failed
	}
	for i := range captures {
		if _, err := put("often", i, body(devices, i/10)); err != nil {
			return err
		}
	}
	versions := ages(large, agesOfLarge)
	for i, v := range [][]byte{versions[0], versions[len(versions)-1]} {
		if p.large[i], err = put("large", i, v); err != nil {
			return err
		}
	}
	return nil
}
