//go:build linux

package main

import (
	"fmt"
	"time"
)

const kib, mib = 1 << 10, 1 << 20

// workloads in the order in which they run.
var workloads = []workload{
	{"lockstep", lockstep},
	{"burst", bursts},
	{"durable", durable},
	{"get", gets},
	{"put", puts},
	{"large", large},
	{"storage", storage},
	{"captures", captures},
	{"device", oneDevice},
	{"workers", workers},
	{"disks", disks},
	{"memory", held},
	{"start", starts},
	{"ways", ways},
	{"linear", linear},
	{"clients", clients},
	{"history", history},
	{"history-growth", growth},
	{"history-prune", prunes},
	{"search", searches},
	{"size", sizes},
	{"blame", blames},
	{"page", pages},
	{"readers", readers},
	{"alarms", alarms},
}

// pick is b's choice between what measures and what only shows that it works.
func pick[T any](b *bench, full, short T) T {
	if b.short {
		return short
	}
	return full
}

// lockstep is one device that knows no options: both ends on one core, since a wake-up across cores
// would be all that is measured.
func lockstep(b *bench) ([]*contest, error) {
	who := []string{engine, hpa, pin, echo, atftpd, pinSingle, ours}
	times := pick(b, 30, 1)
	put := b.single("put 1 MiB, 512 B blocks in lock-step, one core", opWrite, mib, times, 0, 1,
		true, who...)
	get := b.single("get 1 MiB, 512 B blocks in lock-step, one core", opRead, mib, times, 0, 1,
		true, append(who, dnsmasq)...)
	for _, f := range []*field{put, get} {
		f.goals = []goal{
			{of: engine, metric: mbs, against: hpa, factor: 1},
			{of: engine, metric: mbs, against: pin, factor: 1.4},
			{of: engine, metric: mbs, against: echo, factor: 0.62},
		}
	}
	put.inChart("put, 512 B lock-step, one core", false)
	get.inChart("get, 512 B lock-step, one core", false)
	return []*contest{put.contest, get.contest}, nil
}

// ramp is between the starts of two clients where rates are compared. When 1,000 requests come at
// the same instant most peers lose many of them, and their rate is that of the clients' timers.
const ramp = 100 * time.Microsecond

func bursts(b *bench) (list []*contest, err error) {
	size := pick(b, 200_000, 20_000)
	for _, clients := range pick(b, []int{1000, 5000}, []int{40}) {
		for _, blksize := range []int{1428, 512} {
			who := []string{engine, pin}
			if clients <= 1000 { // the others take minutes
				who = append(who, hpa, pinSingle)
			}
			f := b.burst(fmt.Sprintf("%d clients put %d KB, blksize %d", clients, size/1000,
				blksize), clients, clients, size, blksize, ramp, who...)
			f.goals = append(unharmed(engine, clients <= 1000),
				goal{of: engine, metric: rate, against: pin, factor: 1.6},
				goal{of: engine, metric: spread, factor: 1.2, atMost: true})
			if blksize == 1428 && clients <= 1000 {
				f.inChart(fmt.Sprintf("%d clients put %d KB", clients, size/1000), false)
			}
			list = append(list, f.contest)
		}
	}
	clients := pick(b, 1000, 40)
	f := b.burst(fmt.Sprintf("%d clients at the same instant put %d KB, blksize 1428", clients,
		size/1000), clients, clients, size, 1428, 0,
		engine, ours, pin, hpa, atftpd)
	f.goals = append(unharmed(engine, true), goal{of: engine, metric: spread, factor: 1.2,
		atMost: true})
	return append(list, f.contest), nil
}

func durable(b *bench) (list []*contest, err error) {
	size := pick(b, 200_000, 20_000)
	for _, blksize := range []int{1428, 512} {
		clients := pick(b, 1000, 20)
		f := b.burst(fmt.Sprintf("%d clients put %d KB, blksize %d, stored in SQLite with fsync",
			clients, size/1000, blksize), clients, clients, size, blksize,
			// pin/tftp on a single port has had the same clients in bursts, which took as long as
			// all may
			ramp, ours, pin, hpa)
		f.goals = append(unharmed(ours, false),
			goal{of: ours, metric: rate, against: pin, factor: 1},
			goal{of: ours, metric: rate, against: hpa, factor: 1.8})
		if blksize == 1428 {
			f.inChart("the same, ours into SQLite, fsync", false)
		}
		list = append(list, f.contest)
	}
	return list, nil
}

func gets(b *bench) (list []*contest, err error) {
	size := pick(b, 16*mib, mib)
	for _, g := range []struct {
		window      int
		atftpd, pin float64
	}{{64, 2.5, 20}, {16, 1.4, 9}} {
		f := b.single(fmt.Sprintf("get %d MiB, blksize 1428, window %d, a core each", size/mib,
			g.window), opRead, size, pick(b, 8,
			1), 1428, g.window, false, engine, atftpd, pin, pinSingle, dnsmasq)
		f.goals = []goal{{of: engine, metric: mbs, against: atftpd, factor: g.atftpd},
			{of: engine, metric: mbs, against: pin, factor: g.pin}}
		if g.window == 64 {
			f.inChart(fmt.Sprintf("get %d MiB, window 64", size/mib), false)
		}
		list = append(list, f.contest)
	}
	return list, nil
}

func puts(b *bench) (list []*contest, err error) {
	size := pick(b, 16*mib, mib)
	for _, g := range []struct {
		window int
		atftpd float64
	}{{64, 1.6}, {16, 1}} {
		f := b.single(fmt.Sprintf("put %d MiB, blksize 1428, window %d, a core each", size/mib,
			g.window), opWrite, size, pick(b, 8,
			1), 1428, g.window, false, engine, atftpd, pin, pinSingle, ours)
		f.goals = []goal{{of: engine, metric: mbs, against: atftpd, factor: g.atftpd}}
		if g.window == 64 {
			f.inChart(fmt.Sprintf("put %d MiB, window 64", size/mib), false)
		}
		list = append(list, f.contest)
	}
	return list, nil
}

func large(b *bench) ([]*contest, error) {
	size := pick(b, 64*mib, mib)
	f := b.single(fmt.Sprintf("get %d MiB, blksize 65464, one core", size/mib), opRead, size,
		pick(b, 4, 1), 65464, 1, true, engine, hpa, pin, pinSingle, dnsmasq)
	f.goals = []goal{{of: engine, metric: mbs, against: hpa, factor: 1}}
	f.inChart(fmt.Sprintf("get %d MiB, blksize 65464", size/mib), false)
	return []*contest{f.contest}, nil
}
