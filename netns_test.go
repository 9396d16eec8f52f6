package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
)

// broadcastVariable makes the test program send a write request to the address in it, and print who answers.
const broadcastVariable = "TFTPSQL_TEST_BROADCAST"

func broadcast(to string) {
	c, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		panic(err)
	}
	addr, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		panic(err)
	}
	if _, err := c.WriteTo([]byte("\x00\x02broadcast.conf\x00octet\x00"), addr); err != nil {
		panic(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		panic(err)
	}
	b := make([]byte, 512)
	n, from, err := c.ReadFrom(b)
	fmt.Printf("%v %x %v\n", from, b[:n], err)
}

// TestSeveralAddresses runs server and clients in network namespaces of their own: a host with several addresses answers
// from the one that was asked, of both families, and a request to the broadcast address from a real one.
func TestSeveralAddresses(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("network namespaces need root on Linux")
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		pgtest.Missing(t, err)
	}
	names := [2]string{fmt.Sprintf("tftpsql-a-%d", os.Getpid()), fmt.Sprintf("tftpsql-b-%d", os.Getpid())}
	must := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	for _, n := range names {
		must("netns", "add", n)
		must("-n", n, "link", "set", "lo", "up") // by which Go sees whether there is IPv6
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", n).Run() })
	}
	must("-n", names[0], "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", names[1])
	must("-n", names[0], "addr", "add", "10.99.0.1/24", "dev", "va")
	must("-n", names[0], "addr", "add", "10.99.0.2/24", "dev", "va")
	must("-n", names[0], "addr", "add", "fd00:99::1/64", "dev", "va", "nodad")
	must("-n", names[0], "addr", "add", "fd00:99::2/64", "dev", "va", "nodad")
	must("-n", names[1], "addr", "add", "10.99.0.9/24", "dev", "vb")
	must("-n", names[1], "addr", "add", "fd00:99::9/64", "dev", "vb", "nodad")
	must("-n", names[0], "link", "set", "va", "up")
	must("-n", names[1], "link", "set", "vb", "up")
	must("-n", names[1], "route", "add", "default", "dev", "vb") // so that 255.255.255.255 leaves
	self := func(ns string, environ []string, args ...string) *exec.Cmd {
		cmd := exec.Command(ip, append([]string{"netns", "exec", ns, os.Args[0]}, args...)...)
		cmd.Env = append(append(os.Environ(), childVariable+"=1"), environ...)
		return cmd
	}
	for _, host := range []string{"", "0.0.0.0"} { // a socket of both families, and one of IPv4 alone
		log := newLog()
		url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
		server := self(names[0], []string{"DATABASE_URL=" + url}, "-p", "6969", "--host", host)
		server.Stderr = log
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		log.wait(t, "msg=listening")
		file := filepath.Join(t.TempDir(), "fw1.conf")
		if err := os.WriteFile(file, []byte(fortigate("fw1", "x")), 0o600); err != nil {
			t.Fatal(err)
		}
		addresses := []string{"10.99.0.1", "10.99.0.2"}
		if host == "" {
			addresses = append(addresses, "[fd00:99::1]", "[fd00:99::2]")
		}
		for _, a := range addresses {
			// The client hears answers from the address that it asked, and no other.
			if out, err := self(names[1], nil, "put", file, a+":6969", "from-"+strings.Trim(a, "[]")).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", a, err, out, log)
			}
		}
		for _, a := range []string{"10.99.0.255", "255.255.255.255"} {
			out, err := self(names[1], []string{broadcastVariable + "=" + a + ":6969"}).CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "10.99.0.1:6969 00040000 ") {
				t.Errorf("%s: answered by %s, %v\n%s", a, out, err, log)
			}
		}
		_ = server.Process.Kill()
		_ = server.Wait()
		var list []captureJSON
		unmarshal(t, (&program{url: url}).must(t, "log", "--json"), &list)
		if len(list) != len(addresses) || list[0].Source != "10.99.0.9" && list[0].Source != "fd00:99::9" {
			t.Errorf("stored: %+v", list)
		}
	}
}
