package device_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/device"
)

// hosts are names of devices, many with numbers that resemble a part of a stamp.
var hosts = []string{"sw1", "sw-2960-24", "fw1-10.1.2.3", "7206vxr", "core1-20gb", "rack12-34",
	"asr-1001-x", "r1-1812", "sw-1200", "c3850-24-19", "isp-1234567890", "mx204-2", "ap-1840-1",
	"vlan-1211-sw", "sw-26-11", "nexus-93180-fx", "dc2-sw0300", "bng-1-2-3", "olt_0512",
	"hq.example.net",
	"sw-12-10-8", "may-sw1", "edge.v7.2", "sw-31-12-1", "x1764"}

// stamps are the forms of a time in file names, as layouts of package time.
var stamps = []string{"20060102", "20060102150405", "20060102-1504", "20060102_150405",
	"20060102T150405Z", "2006-01-02", "2006_01_02", "2006.01.02", "2006-01-02_15-04-05",
	"2006-01-02T15:04:05Z", "2006-01-02T15:04:05-07:00", "02012006", "02-01-2006",
	"02.01.2006 15.04",
	"01-02-2006", "060102_1504", "02-Jan-2006", "Jan-02-2006", "Jan-02-2006-15-04-05", "2Jan2006",
	"Mon Jan 02 15-04-05 2006", "02Jan06"}

// TestStampsInNames: a stamp of any form, on either side of any name, is no part of the name, and
// names stay what they are without one.
func TestStampsInNames(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	first := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, host := range hosts {
		for _, name := range []string{host, host + ".cfg", "acme/" + host + ".conf.gz", host +
			"-confg"} {
			if _, got := device.FromFilename(name); got != host {
				t.Errorf("%q is named %q, want %q", name, got, host)
			}
		}
		for _, layout := range stamps {
			at := first.Add(time.Duration(random.Int64N(int64(12 * 365 * 24 * time.Hour))))
			stamp := at.Format(layout)
			for _, form := range []string{"%s-%s", "%s_%s", "%s-%s.cfg", "%s_%s.cfg.gz",
				"%[2]s-%[1]s",
				"%[2]s_%[1]s.cfg", "%s-%s.cfg.1", "%s-%s (2).cfg"} {
				name := fmt.Sprintf(form, host, stamp)
				if _, got := device.FromFilename(name); got != host {
					t.Errorf("%q is named %q, want %q", name, got, host)
				}
			}
		}
	}
}
