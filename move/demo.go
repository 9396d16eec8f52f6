package move

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

// The configurations of the demo. A line "+08 text" is there from night 8 on, "-08 text" until
// then. {08:LAYOUT} is the time of the change before night 8, {:LAYOUT} that of the backup, both as
// package time writes them. {noise} is another text each night.
//
//go:embed demo/*.conf
var demoFiles embed.FS

// demoNights is how long the made-up fleet has been sending.
const demoNights = 30

// A madeUp is a device of the demo.
type madeUp struct {
	name, site, address string
	form                string // its file in demo
	later               int    // by how many nights its changes come later than its form says
	silent              int    // the first night without a backup; 0 for none
	torn                int    // the night whose backup is cut in the middle; 0 for none
}

// madeUpFleet is the demo's fleet. Its addresses are those of RFC 5737.
var madeUpFleet = []madeUp{
	{name: "fw-acme", site: "acme", address: "203.0.113.1", form: "fortinet"},
	{name: "sw-acme-1", site: "acme", address: "203.0.113.2", form: "cisco_ios"},
	{name: "sw-acme-2", site: "acme", address: "203.0.113.3", form: "cisco_ios", later: 2},
	{name: "fw-globex", site: "globex", address: "198.51.100.1", form: "fortinet", later: 9},
	{name: "rt-globex", site: "globex", address: "198.51.100.2", form: "juniper_junos"},
	{name: "sw-globex", site: "globex", address: "198.51.100.3", form: "hp_procurve",
		silent: demoNights - 5},
	{name: "asa-initech", site: "initech", address: "192.0.2.1", form: "cisco_asa"},
	{name: "rt-initech", site: "initech", address: "192.0.2.2", form: "mikrotik_routeros"},
	{name: "leaf-initech-1", site: "initech", address: "192.0.2.3", form: "arista_eos"},
	{name: "leaf-initech-2", site: "initech", address: "192.0.2.4", form: "arista_eos", later: 2,
		torn: demoNights - 1},
}

// Demo returns the backups of a made-up fleet, each night at two, until now. They are the same
// whenever it is called, but for their times.
func Demo(now time.Time) *Source {
	last := now.UTC().Truncate(config.Day).Add(2 * time.Hour)
	if last.Add(time.Hour).After(now) { // the last night's backups are not over
		last = last.Add(-config.Day)
	}
	first := last.Add(-(demoNights - 1) * config.Day)
	return &Source{
		total: func() int64 { return int64(len(madeUpFleet) * demoNights) },
		close: func() error { return nil },
		each: func(_ context.Context, _ *store.Store, yield func(item) error) error {
			for night := range demoNights {
				for i, d := range madeUpFleet {
					if d.silent > 0 && night >= d.silent {
						continue
					}
					at := first.Add(time.Duration(night)*config.Day + time.Duration(i)*time.Minute)
					if err := yield(d.backup(i, night, at)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

// backup returns what the device, the nth of the fleet, sends one night.
func (d madeUp) backup(n, night int, at time.Time) item {
	return item{uidOf("demo", d.name, at.String()), func(context.Context) (store.Capture, error) {
		body, err := d.configuration(n, night, at)
		if err != nil {
			return store.Capture{}, err
		}
		u := capture.Upload{Filename: d.site + "/" + d.name + ".conf", Mode: "octet",
			Options: "blksize=1428 tsize=" + strconv.Itoa(len(body)), Received: at,
			Completed: at.Add(time.Duration(len(body)) * time.Microsecond), Body: body,
			Peer:      netip.AddrPortFrom(netip.MustParseAddr(d.address), 49152),
			Announced: int64(len(body))}
		if d.torn > 0 && night == d.torn {
			u.Body = body[:len(body)*2/3]
		}
		return u.Capture(), nil
	}}
}

var (
	dated = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([+-])([0-9]{2}) `)
	})
	timeOf = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\{([0-9]{2})?:([^}]+)\}`)
	})
)

// configuration returns the device's configuration on a night, as it is written at a time.
func (d madeUp) configuration(n, night int, at time.Time) ([]byte, error) {
	form, err := demoFiles.ReadFile("demo/" + d.form + ".conf")
	if err != nil {
		return nil, err
	}
	changed := func(number string) int { // the night after the change of that number
		n, _ := strconv.Atoi(number) // two digits
		return n + d.later
	}
	var b strings.Builder
	for line := range strings.Lines(string(form)) {
		there := true
		for m := dated().FindStringSubmatch(line); m != nil; m = dated().FindStringSubmatch(line) {
			line = line[len(m[0]):]
			there = there && (night >= changed(m[2])) == (m[1] == "+")
		}
		if !there {
			continue
		}
		line = timeOf().ReplaceAllStringFunc(line, func(text string) string {
			m := timeOf().FindStringSubmatch(text)
			if m[1] == "" {
				return at.Format(m[2])
			}
			// somebody's working hours, the day before
			before := time.Duration(night-changed(m[1]))*config.Day + 9*time.Hour + 17*time.Minute
			return at.Add(-before).Format(m[2])
		})
		noise := sha256.Sum256([]byte(d.name + strconv.Itoa(night) + line))
		b.WriteString(strings.NewReplacer("{name}", d.name, "{site}", d.site,
			"{address}", d.address, "{serial}", fmt.Sprintf("%04d", n),
			"{night}", fmt.Sprintf("%02d", night),
			"{noise}", hex.EncodeToString(noise[:16])).Replace(line))
	}
	return []byte(b.String()), nil
}
