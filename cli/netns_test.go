package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
)

// broadcastVariable makes the test program send a write request to the address in it, and print the
// address that answers.
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

// twoHosts makes two network namespaces with a line between: 10.99.0.1, 10.99.0.2 and fd00:99::1
// and ::2 on the one side, 10.99.0.9 and fd00:99::9 on the other. It returns how this program is
// called in the first and in the second, and how ip is.
func twoHosts(t *testing.T) (server, client func(environ []string, args ...string) *exec.Cmd,
	inClient func(args ...string)) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("network namespaces need root on Linux")
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		pgtest.Missing(t, err)
	}
	n := namespaces.Add(1)
	names := [2]string{fmt.Sprintf("tftpsql-a-%d-%d", os.Getpid(), n),
		fmt.Sprintf("tftpsql-b-%d-%d", os.Getpid(), n)}
	must := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	for i, n := range names {
		if i == 0 {
			addFirst(t, ip, n)
		} else {
			must("netns", "add", n)
		}
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", n).Run() })
		must("-n", n, "link", "set", "lo", "up") // by which Go sees whether there is IPv6
	}
	must("-n", names[0], "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns",
		names[1])
	must("-n", names[0], "addr", "add", "10.99.0.1/24", "dev", "va")
	must("-n", names[0], "addr", "add", "10.99.0.2/24", "dev", "va")
	must("-n", names[0], "addr", "add", "fd00:99::1/64", "dev", "va", "nodad")
	must("-n", names[0], "addr", "add", "fd00:99::2/64", "dev", "va", "nodad")
	must("-n", names[1], "addr", "add", "10.99.0.9/24", "dev", "vb")
	must("-n", names[1], "addr", "add", "fd00:99::9/64", "dev", "vb", "nodad")
	must("-n", names[0], "link", "set", "va", "up")
	must("-n", names[1], "link", "set", "vb", "up")
	must("-n", names[1], "route", "add", "default", "dev", "vb") // so that 255.255.255.255 leaves
	self := func(ns string) func([]string, ...string) *exec.Cmd {
		return func(environ []string, args ...string) *exec.Cmd {
			cmd := exec.Command(ip, append([]string{"netns", "exec", ns, os.Args[0]}, args...)...)
			cmd.Env = append(append(os.Environ(), childVariable+"=1"), environ...)
			return cmd
		}
	}
	return self(names[0]), self(names[1]), func(args ...string) {
		t.Helper()
		must(append([]string{"-n", names[1]}, args...)...)
	}
}

// denied matches what ip says where the kernel gives this root no namespace of its own: a plain
// container has no right to make or to mount one, and in a chroot the root is no mount point.
var denied = regexp.MustCompile(
	`Operation not permitted|Permission denied|Invalid argument|Read-only file system|` +
		`Cannot open init namespace`)

// addFirst makes a network namespace and runs a command in it. It skips the test where namespaces
// can't be had. With CI set, any other failure fails the test.
func addFirst(t *testing.T, ip, name string) {
	t.Helper()
	for _, args := range [][]string{{"netns", "add", name}, {"netns", "exec", name, ip, "link"}} {
		out, err := exec.Command(ip, args...).CombinedOutput()
		if err == nil {
			continue
		}
		_ = exec.Command(ip, "netns", "del", name).Run()
		if denied.Match(out) {
			t.Skipf("no network namespaces here (a chroot, a container, no right): ip %v: %v\n%s",
				args, err, out)
		}
		pgtest.Missing(t, fmt.Errorf("ip %v: %w\n%s", args, err, out))
	}
}

// namespaces counts those of this process.
var namespaces atomic.Int64

// TestSharedAddress: an address from which several devices send is named once, with what follows
// from it, and nothing is given back to it any more; one from which a single device sends is not.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	server, client, inClient := twoHosts(t)
	inClient("addr", "add", "10.99.0.8/24", "dev", "vb")
	// packets to 10.99.0.2 come from there
	inClient("route", "add", "10.99.0.2/32", "dev", "vb", "src", "10.99.0.8")
	log := newLog()
	worker := server([]string{"DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "test.db"),
		"HTTP_ADDR=none"}, "-p", "6969")
	worker.Stderr = log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = worker.Process.Kill(); _ = worker.Wait() }()
	log.wait(t, "msg=listening")
	dir := t.TempDir()
	put := func(name, text, to string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(fortigate(name, text)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := client(nil, "put", file, to+":6969",
			name+".conf").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, log)
		}
	}
	get := func() (body, trouble string, err error) {
		var out, errs strings.Builder
		cmd := client(nil, "get", "10.99.0.1:6969", "fw1.conf", "-o", "-")
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	const warning = "several devices send from one address"
	put("fw1", "1", "10.99.0.1")
	put("alone", "1", "10.99.0.2")
	put("alone", "2", "10.99.0.2")
	if body, trouble, err := get(); err != nil || body != fortigate("fw1", "1") {
		t.Errorf("one device: %v %s %s", err, trouble, body)
	}
	if strings.Contains(log.String(), warning) {
		t.Errorf("no address is shared yet:\n%s", log)
	}
	for i := range 3 {
		for _, name := range []string{"fw2", "fw3", "fw1"} {
			put(name, fmt.Sprint(i), "10.99.0.1")
		}
	}
	log.wait(t, `level=WARN msg="`+warning+`[^"]* TFTP_ALLOW, TFTP_SITES and TFTP_READ=own `+
		`[^"]*" address=10\.99\.0\.9 devices="/fw1 /fw2"`)
	if body, trouble, err := get(); err == nil || body != "" ||
		!strings.Contains(trouble, "not allowed") {
		t.Errorf("several devices: %v %s %s", err, trouble, body)
	}
	log.wait(t, `msg=failed .*peer=10\.99\.0\.9:.*/fw1 and /fw2 send from `+
		`10\.99\.0\.9.*tftpsql publish`)
	if n := strings.Count(log.String(), warning); n != 1 {
		t.Errorf("%d warnings:\n%s", n, log)
	}
}

// TestSeveralAddresses runs server and clients in network namespaces of their own: a host with
// several addresses answers from the one that was asked, of both families, and a request to the
// broadcast address from a real one.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	onServer, onClient, _ := twoHosts(t)
	// a socket of both families, and one of IPv4 alone
	for _, host := range []string{"", "0.0.0.0"} {
		log := newLog()
		url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
		server := onServer([]string{"DATABASE_URL=" + url}, "-p", "6969", "--host", host)
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
			if out, err := onClient(nil, "put", file, a+":6969",
				"from-"+strings.Trim(a, "[]")).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", a, err, out, log)
			}
		}
		for _, a := range []string{"10.99.0.255", "255.255.255.255"} {
			out, err := onClient([]string{broadcastVariable + "=" + a + ":6969"}).CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "10.99.0.1:6969 00040000 ") {
				t.Errorf("%s: answered by %s, %v\n%s", a, out, err, log)
			}
		}
		_ = server.Process.Kill()
		_ = server.Wait()
		var list []wireCapture
		unmarshal(t, (&program{url: url}).must(t, "log", "--json"), &list)
		if len(list) != len(addresses) || list[0].Source != "10.99.0.9" &&
			list[0].Source != "fd00:99::9" {
			t.Errorf("stored: %+v", list)
		}
	}
}
