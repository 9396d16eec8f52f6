//go:build linux

package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

//go:embed slow/sync.c
var slowSync string

const (
	serverCPU = "us of PostgreSQL's CPU a row"
	clientCPU = "us of the client's CPU a row"
)

// slowDisk starts a PostgreSQL on a disk whose sync takes so much longer.
func (b *bench) slowDisk(delay time.Duration) (*cluster, error) {
	source, library := filepath.Join(b.disk, "sync.c"), filepath.Join(b.disk, "sync.so")
	if err := os.WriteFile(source, []byte(slowSync), 0o644); err != nil {
		return nil, err
	}
	out, err := exec.Command("gcc", "-shared", "-fPIC", "-O", "-o", library, source, "-ldl").
		CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("gcc: %w\n%s", err, out)
	}
	for key, value := range map[string]string{"LD_PRELOAD": library,
		"SYNC_US": fmt.Sprint(delay.Microseconds())} {
		if err := os.Setenv(key, value); err != nil {
			return nil, err
		}
		defer os.Unsetenv(key)
	}
	return b.cluster("-c wal_sync_method=fdatasync")
}

// disks compares workers that store small captures in one PostgreSQL with as many bare loops, on
// disks that are slow to sync: what they do for each other's commits shows there.
func disks(b *bench) (list []*contest, err error) {
	span := pick(b, time.Second, 50*time.Millisecond)
	for _, delay := range pick(b, []time.Duration{100 * time.Microsecond, time.Millisecond,
		5 * time.Millisecond}, []time.Duration{time.Millisecond}) {
		pg, err := b.slowDisk(delay)
		if err != nil {
			return nil, err
		}
		for _, n := range pick(b, []int{1, 2, 4, 8}, []int{2}) {
			c, err := onSlowDisk(b, pg, n, delay, span)
			if err != nil {
				pg.Remove()
				return nil, err
			}
			list = append(list, c)
		}
		last := list[len(list)-1]
		closed := last.close
		last.close = func() {
			closed()
			pg.Remove()
		}
	}
	return list, nil
}

func onSlowDisk(b *bench, pg *cluster, n int, delay, span time.Duration) (*contest, error) {
	const size = 5000
	url, err := pg.database()
	if err != nil {
		return nil, err
	}
	c := &contest{name: fmt.Sprintf("5 KB, workers: %d, a sync takes %v longer", n, delay),
		metric: rows}
	var stores []*store.Store
	var makers []*rowMaker
	for i := range n {
		s, err := opened(url)
		if err != nil {
			return nil, err
		}
		m := &rowMaker{shared: tail(size - headSize), of: fmt.Sprintf("w%d-", i)}
		m.made.Store(int64(i+1) << 32)
		stores, makers = append(stores, s), append(makers, m)
	}
	bare, closeLoop, err := postgresLoop(url, n*bareWriters)
	if err != nil {
		return nil, err
	}
	// costing adds what a row costs in CPU, of PostgreSQL and of this process.
	costing := func(run func() (sample, error)) func() (sample, error) {
		return func() (sample, error) {
			start, server, client := time.Now(), pg.cpu(), own()
			s, err := run()
			if err != nil {
				return nil, err
			}
			stored := s[rows] * time.Since(start).Seconds()
			s[serverCPU] = float64((pg.cpu() - server).Microseconds()) / stored
			s[clientCPU] = float64((own() - client).Microseconds()) / stored
			return s, nil
		}
	}
	c.add(storePath, costing(func() (sample, error) {
		var group sync.WaitGroup
		samples, failures := make([]sample, n), make([]error, n)
		for i := range n {
			group.Go(func() {
				samples[i], failures[i] = putting(stores[i], makers[i], putters, span)
			})
		}
		group.Wait()
		all := sample{}
		for _, s := range samples {
			all[rows] += s[rows]
			all[lost] += s[lost]
		}
		return all, errors.Join(failures...)
	}))
	m := &rowMaker{shared: tail(size - headSize)}
	c.add(barePostgres, costing(func() (sample, error) {
		start := time.Now()
		done, err := bare(m.during(span))
		return sample{rows: float64(done) / time.Since(start).Seconds()}, err
	}))
	c.goals = []goal{{of: storePath, metric: rows, against: barePostgres, factor: 0.9},
		{of: storePath, metric: lost, atMost: true}}
	c.close = func() {
		closeLoop()
		for _, s := range stores {
			_ = s.Close()
		}
	}
	return c, nil
}
