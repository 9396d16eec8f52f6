package web_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// peak is a client that keeps nothing. It measures the memory in use each time so much has come.
type peak struct {
	header       http.Header
	code         int
	sent, looked int64
	most         uint64
}

// lookEvery is after how many bytes the memory is measured.
const lookEvery = 256 << 10

func (p *peak) Header() http.Header { return p.header }

func (p *peak) WriteHeader(code int) { p.code = code }

func (p *peak) Write(b []byte) (int, error) {
	if p.sent += int64(len(b)); p.sent-p.looked > lookEvery || p.most == 0 {
		p.looked, p.most = p.sent, max(p.most, inUse())
	}
	return len(b), nil
}

// inUse is how many bytes the program can't do without.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fill stores a capture of each of so many more devices.
func (s *site) fill(t testing.TB, from, to int) {
	t.Helper()
	body := gate("x", "04", "AAAAAAAA", "lan")
	_, fingerprint := device.Examine([]byte(body))
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			for i := range numbers {
				_, err := s.store.Put(t.Context(), store.Capture{UID: uuid.NewString(),
					ReceivedAt: s.at.Add(time.Duration(i) * time.Millisecond), Source: "192.0.2.7",
					Filename: "x.conf", Mode: "octet", Site: fmt.Sprintf("site%d", i%7),
					Name: fmt.Sprintf("a-device-with-a-usual-name-%05d", i), Kind: "full",
					NamedBy: store.NamedByConfig, Platform: "fortinet", Complete: true,
					Model: "FGT60F", Body: []byte(body), Fingerprint: fingerprint,
					Rules: device.Rules})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := from; i < to; i++ {
		numbers <- i
	}
	close(numbers)
	all.Wait()
}

// TestGrowth: a list of ten times as many devices takes no more memory, but for a page of it.
func TestGrowth(t *testing.T) {
	few, many := 2000, 20000
	if underRace {
		few, many = 200, 2000
	}
	s := serve(t, engines["sqlite"](t), nil)
	secret := s.program(t, store.Reader, nil).secret
	page := web.New(web.Options{Store: func() *store.Store { return s.store }, On: true,
		Loopback: true, Log: slog.New(slog.DiscardHandler), Trouble: func() string { return "" }})
	measure := func(path string) (bytes int64, most uint64) {
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
		r.SetBasicAuth("", secret)
		p := &peak{header: http.Header{}, code: http.StatusOK}
		before := inUse()
		page.ServeHTTP(p, r)
		if p.code != http.StatusOK {
			t.Fatalf("%s: %d", path, p.code)
		}
		return p.sent, p.most - min(p.most, before)
	}
	paths := []string{"/devices?format=csv", "/devices", "/", "/api/v1/devices",
		"/api/v1/devices?sort=-last_seen", "/api/v1/sites", "/api/v1/captures?n=0",
		"/oxidized/nodes.json", "/changes"}
	s.fill(t, 0, few)
	of := map[string]uint64{}
	for _, path := range paths {
		_, of[path] = measure(path)
	}
	s.fill(t, few, many)
	for _, path := range paths {
		start := time.Now()
		bytes, most := measure(path)
		t.Logf("%s: %d bytes in %s, %d KiB instead of %d", path, bytes,
			time.Since(start).Round(time.Millisecond), most>>10, of[path]>>10)
		if most > of[path]+allowedGrowth {
			t.Errorf("%s: %d KiB of %d devices, %d KiB of %d", path, of[path]>>10, few, most>>10,
				many)
		}
	}
}

// allowedGrowth is what the list in memory of one page of the API takes, in bytes; all devices
// would take three times that.
const allowedGrowth = 5 << 20
