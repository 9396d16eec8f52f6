package cli

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// TestShards: over three sockets on one port every upload is stored once, and the count of packets
// is that of all.
func TestShards(t *testing.T) {
	p := start(t, "sqlite:"+t.TempDir()+"/s.db", "--shards", "3", "--http", "127.0.0.1:0")
	var clients sync.WaitGroup
	for i := range 40 {
		clients.Go(func() {
			p.put(t, fmt.Sprintf("f%02d.conf", i),
				gate(fmt.Sprintf("fw%02d", i), "s", "a", "x"))
		})
	}
	clients.Wait()
	if got := strings.Count(p.must(t, "devices"), "fw"); got != 40 {
		t.Errorf("%d devices of 40", got)
	}
	if !strings.Contains(p.log.String(), "shards=3") {
		t.Error("the start doesn't tell of the shards")
	}
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	status, _, errs := p.do(t, "serve", "--host", "127.0.0.1", "--port", port, "--shards", "3",
		"--database", "sqlite:"+t.TempDir()+"/other.db", "--http", "none")
	if status != 1 || !strings.Contains(errs, "another program listens there") {
		t.Errorf("a second worker on the port ends with %d and says %q", status, errs)
	}
}
