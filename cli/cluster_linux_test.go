package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
)

// cluster is PostgreSQL under Patroni and etcd, as docs/failover.md shows it. Each node has a
// network namespace of its own, so that it can be cut off.
type cluster struct {
	t      *testing.T // of the test that runs
	dir    string
	bridge string // where the nodes meet; etcd and the worker are on this side
	subnet string // its first three numbers, with a dot
	etcd   *exec.Cmd
	nodes  []*node

	programs []*exec.Cmd // all that were started
}

// node is a machine with Patroni and PostgreSQL.
type node struct {
	*pgtest.Server
	name, addr string
	space      string // its namespace
	config     string
	patroni    *exec.Cmd
}

// newCluster starts it and returns when it has a primary, a synchronous standby and another one.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("namespaces and the user that PostgreSQL runs as need root"))
	}
	for _, program := range []string{"patroni", "patronictl", "etcd", "ip", "setpriv"} {
		debian(t, program)
	}
	dir, err := os.MkdirTemp("", "tftpsql-patroni") // open to the user that PostgreSQL runs as
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &cluster{t: t, dir: dir, bridge: fmt.Sprint("tftpsql", os.Getpid()),
		subnet: fmt.Sprintf("10.98.%d.", os.Getpid()%256)}
	for i, name := range []string{"a", "b", "c"} {
		n := &node{name: name, addr: c.subnet + fmt.Sprint(11+i),
			space:  fmt.Sprintf("tftpsql-%s-%d", name, os.Getpid()),
			config: filepath.Join(dir, name+".yml")}
		var bin string
		if n.Server, bin, err = pgtest.Managed(filepath.Join(dir, name)); err != nil {
			pgtest.Missing(t, err)
		}
		c.nodes = append(c.nodes, n)
		c.configure(n, bin)
	}
	c.connect()
	t.Cleanup(c.end)
	c.startEtcd()
	for _, n := range c.nodes {
		c.startNode(n)
	}
	c.whole()
	return c
}

// guide returns the first block of a language in docs/failover.md with this cluster's addresses.
func (c *cluster) guide(language string) string {
	c.t.Helper()
	text, err := os.ReadFile("docs/failover.md")
	if err != nil {
		c.t.Fatal(err)
	}
	etcd := c.subnet + "1:2379"
	return strings.NewReplacer("192.0.2.21:2379,192.0.2.22:2379,192.0.2.23:2379", etcd,
		"192.0.2.", c.subnet).Replace(blocks(string(text), language)[0])
}

// configure writes Patroni's file as the guide has it.
func (c *cluster) configure(n *node, bin string) {
	c.t.Helper()
	home := filepath.Join(c.dir, n.name)
	text := strings.NewReplacer("name: a\n", "name: "+n.name+"\n", c.subnet+"11:", n.addr+":",
		"/var/lib/postgresql/15/tftpsql", filepath.Join(home, "data"),
		"/usr/lib/postgresql/15/bin", bin, "/var/lib/postgresql/pgpass",
		filepath.Join(home, "pgpass"), "/run/postgresql", home).Replace(c.guide("yaml"))
	if err := os.WriteFile(n.config, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// connect gives each node a namespace and a line to the bridge.
func (c *cluster) connect() {
	c.t.Helper()
	ip := func(args ...string) {
		c.t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			c.t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	for _, n := range c.nodes {
		addFirst(c.t, "ip", n.space)
		c.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", n.space).Run() })
	}
	ip("link", "add", c.bridge, "type", "bridge")
	c.t.Cleanup(func() { _ = exec.Command("ip", "link", "del", c.bridge).Run() })
	ip("addr", "add", c.subnet+"1/24", "dev", c.bridge)
	ip("link", "set", c.bridge, "up")
	for _, n := range c.nodes {
		ip("link", "add", c.line(n), "type", "veth", "peer", "name", "eth0", "netns", n.space)
		ip("link", "set", c.line(n), "master", c.bridge, "up")
		ip("-n", n.space, "addr", "add", n.addr+"/24", "dev", "eth0")
		ip("-n", n.space, "link", "set", "eth0", "up")
		ip("-n", n.space, "link", "set", "lo", "up")
	}
}

// line is the name of a node's end on the bridge.
func (c *cluster) line(n *node) string { return n.name + c.bridge }

func (c *cluster) setLine(n *node, state string) error {
	return exec.Command("ip", "link", "set", c.line(n), state).Run()
}

func (c *cluster) startEtcd() {
	c.t.Helper()
	at, peers := "http://"+c.subnet+"1:2379", "http://"+c.subnet+"1:2380"
	c.etcd = exec.Command(debian(c.t, "etcd"), "--data-dir", filepath.Join(c.dir, "etcd"),
		"--enable-v2", "--listen-client-urls", at, "--advertise-client-urls", at,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
		"--initial-cluster", "default="+peers)
	pgtest.AsUser(c.etcd)
	c.start(c.etcd, "etcd")
}

func (c *cluster) startNode(n *node) {
	c.t.Helper()
	n.patroni = exec.Command("ip", "netns", "exec", n.space, "setpriv", "--reuid", "postgres",
		"--regid", "postgres", "--clear-groups", "patroni", n.config)
	n.patroni.Dir = c.dir
	c.start(n.patroni, n.name)
}

// start starts a program whose words go to a file.
func (c *cluster) start(cmd *exec.Cmd, name string) {
	c.t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY,
		0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.programs = append(c.programs, cmd)
}

// end kills everything, and says what Patroni said if the test has failed.
func (c *cluster) end() {
	for _, cmd := range c.programs {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}
	for _, n := range c.nodes {
		_ = n.Kill() // it may be dead
		if said, err := os.ReadFile(filepath.Join(c.dir, n.name+".log")); c.t.Failed() {
			c.t.Logf("Patroni of %s: %v\n%s", n.name, err, said[max(0, len(said)-5000):])
		}
	}
}

// kill ends Patroni and PostgreSQL at once, as a machine does that loses its power.
func (n *node) kill() error {
	err := n.patroni.Process.Kill()
	_ = n.patroni.Wait() // killed
	return errors.Join(err, n.Kill())
}

// stall stops a node's programs, as a hypervisor does; resume goes on.
func (n *node) stall() error {
	return errors.Join(n.patroni.Process.Signal(syscall.SIGSTOP), n.Stall())
}

func (n *node) resume() error {
	return errors.Join(n.Resume(), n.patroni.Process.Signal(syscall.SIGCONT))
}

// roles returns what each node is, as Patroni sees it from one that answers.
func (c *cluster) roles() map[string]*node {
	client := http.Client{Timeout: time.Second}
	for _, n := range c.nodes {
		answer, err := client.Get("http://" + n.addr + ":8008/cluster")
		if err != nil {
			continue
		}
		var said struct {
			Members []struct {
				Name, Role, State string
				Timeline          int
			}
		}
		err = json.NewDecoder(answer.Body).Decode(&said)
		_ = answer.Body.Close()
		if err != nil {
			continue
		}
		newest := 0 // the leader's; a node on another has yet to follow it
		for _, m := range said.Members {
			newest = max(newest, m.Timeline)
		}
		roles := map[string]*node{}
		for _, m := range said.Members {
			for _, other := range c.nodes {
				if m.Name == other.name && m.Timeline == newest &&
					(m.State == "running" || m.State == "streaming") {
					roles[m.Role] = other
				}
			}
		}
		return roles
	}
	return nil
}

// in returns the node that has a role.
func (c *cluster) in(role string) (n *node) {
	c.t.Helper()
	c.until("a "+role, func() bool { n = c.roles()[role]; return n != nil })
	return n
}

// until waits for something that Patroni doesn't tell.
func (c *cluster) until(what string, fn func() bool) {
	c.t.Helper()
	for limit := time.Now().Add(2 * time.Minute); !fn(); {
		if time.Now().After(limit) {
			c.t.Fatalf("%s: not within 2 min, but %v", what, c.roles())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// whole returns when each node answers and has a role.
func (c *cluster) whole() {
	c.t.Helper()
	client := http.Client{Timeout: time.Second}
	c.until("a primary, a synchronous standby and another one", func() bool {
		for _, n := range c.nodes {
			answer, err := client.Get("http://" + n.addr + ":8008/health")
			if err != nil {
				return false
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return false
			}
		}
		r := c.roles()
		return r["leader"] != nil && r["sync_standby"] != nil && r["replica"] != nil
	})
}

// succeeded returns when another node is the primary.
func (c *cluster) succeeded(old *node) {
	c.t.Helper()
	c.until("a primary after "+old.name, func() bool {
		leader := c.roles()["leader"]
		return leader != nil && leader != old
	})
}

// url makes a database and returns how the guide's worker reaches it.
func (c *cluster) url(database string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://postgres:choose-one@"+c.in("leader").addr+
		"/postgres")
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, text := range []string{"CREATE ROLE " + database + " LOGIN PASSWORD 'secret'",
		"CREATE DATABASE " + database + " OWNER " + database} {
		if _, err := conn.Exec(ctx, text); err != nil {
			c.t.Fatal(err)
		}
	}
	_, url, _ := strings.Cut(c.guide("sh"), "DATABASE_URL='")
	url, _, _ = strings.Cut(url, "'")
	url = strings.NewReplacer("//tftpsql:", "//"+database+":", "/tftpsql?",
		"/"+database+"?").Replace(url)
	c.until("the database on each standby", func() bool {
		for _, n := range c.nodes {
			conn, err := pgx.Connect(ctx, "postgres://"+database+":secret@"+n.addr+"/"+database)
			if err != nil {
				return false
			}
			_ = conn.Close(ctx) // nothing was asked
		}
		return true
	})
	return url
}
