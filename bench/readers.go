//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// uploads a second for the CPU that the readers leave
	ofRest      = "uploads/s of the CPU that is left"
	readerShare = "% CPU for the readers"
	pagesRead   = "pages/s"
	readerCount = 20
)

// readers is uploads beside people who read the page all the time. They may cost the uploads the
// CPU that they take, and no more.
func readers(b *bench) (list []*contest, err error) {
	const size, clients = 20_000, 50
	count := pick(b, 2000, 40)
	for _, who := range []string{ours, oursOnPG} {
		var s *server
		var r *reading
		uploadCosts := 0.0 // ms of CPU, without readers
		open := func() error {
			if s != nil {
				return nil
			}
			at, err := freePort()
			if err != nil {
				return err
			}
			if who == oursOnPG {
				if err := b.freshDatabase(); err != nil {
					return err
				}
			}
			env := append(b.env, "HTTP_ADDR="+at.String())
			if s, err = b.start(who, -1, env...); err != nil {
				return err
			}
			r = &reading{at: "http://" + at.String()}
			r.client, err = visitor(b.program, r.at,
				append(append(os.Environ(), env...), "DATABASE_URL="+s.url))
			return err
		}
		c := &contest{name: fmt.Sprintf("%d clients put %d KB beside %d readers of the page, %s",
			clients, size/1000, readerCount, who), metric: ofRest}
		c.close = func() {
			if s != nil {
				s.stop()
			}
		}
		put := func(line string) (sample, error) {
			m, err := b.volley(c.name+": "+line, []*server{s},
				load{blksize: 1428, count: count, width: clients, ramp: ramp}, size)
			if err == nil {
				m[ofRest] = m[rate]
			}
			return m, err
		}
		const alone, beside = "alone", "beside readers"
		c.add(alone, func() (sample, error) {
			if err := open(); err != nil {
				return nil, err
			}
			m, err := put(alone)
			uploadCosts = m[cpuEach]
			return m, err
		})
		c.add(beside, func() (sample, error) {
			if err := open(); err != nil {
				return nil, err
			}
			var m sample
			n, took, err := r.during(func() (err error) { m, err = put(beside); return err })
			if err != nil {
				return nil, err
			}
			// what an upload has cost more than without readers, their pages have
			share := m[rate] * (m[cpuEach] - uploadCosts) / 1e3 / float64(runtime.NumCPU())
			m[readerShare], m[pagesRead] = 100*share, float64(n)/took.Seconds()
			m[ofRest] = m[rate] / max(0.01, 1-share)
			return m, nil
		})
		c.goals = append(append(unharmed(alone, false), unharmed(beside, false)...),
			goal{of: beside, metric: ofRest, against: alone, factor: 0.9})
		list = append(list, c)
	}
	return list, nil
}

// reading is readers of a program's page.
type reading struct {
	at     string
	client *http.Client
}

// during lets all readers read while f runs, and returns how many pages they have read.
func (r *reading) during(f func() error) (n int64, took time.Duration, err error) {
	paths := []string{"/devices", "/changes", "/search?q=hostname"}
	var read atomic.Int64
	var over atomic.Bool
	var group sync.WaitGroup
	failed := make(chan error, readerCount)
	start := time.Now()
	for i := range readerCount {
		group.Go(func() {
			for j := i; !over.Load(); j++ {
				if err := r.page(paths[j%len(paths)]); err != nil {
					failed <- err
					return
				}
				read.Add(1)
			}
		})
	}
	err = f()
	n, took = read.Load(), time.Since(start)
	over.Store(true)
	group.Wait()
	if err == nil && len(failed) > 0 {
		err = <-failed
	}
	return n, took, err
}

func (r *reading) page(path string) error {
	answer, err := r.client.Get(r.at + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, answer.Status)
	}
	return err
}
