//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The contenders. Each is a process of its own, so that its CPU and memory can be read.
const (
	ours      = "tftpsql"        // the whole program, into SQLite
	engine    = "tftpsql engine" // package tftp, and a handler that does nothing
	hpa       = "tftpd-hpa"
	atftpd    = "atftpd"
	dnsmasq   = "dnsmasq" // reads only
	pin       = "pin/tftp"
	pinSingle = "pin/tftp single port"
	echo      = "echo" // the bound: answers a packet and knows nothing
)

// server is a contender that runs.
type server struct {
	name    string
	addr    netip.AddrPort
	dir     string // of its files; of ours, the one that holds the database
	url     string // of our database
	cmd     *exec.Cmd
	said    *tailBuffer
	started time.Time
	ask     io.WriteCloser // of bench's own servers: a line is answered by a line
	answer  *bufio.Scanner
	ended   chan struct{} // closed when the process is gone
	written bool          // when it ends: a profile
}

// places are where things are.
type places struct {
	root    string // of the repository
	program string // tftpsql, built
	pin     string // pin/tftp's server, built
	// for the peers' files: memory, where there is such a file system, to their advantage
	files string
	disk  string // for databases
	pgURL string // of the whole program on PostgreSQL
	// where oursPGAway looks for PostgreSQL: it takes connections and says nothing
	hung net.Listener
	// folder for the CPU profile of a server of ours that is started; empty for none
	profile string
	// that pin/tftp allows in single-port mode: it makes a buffer of that size for each packet
	blksize int
}

func (p *places) sbin(name string) string {
	return filepath.Join(p.root, ".deps", "usr", "sbin", name)
}

// command returns how a contender is started on an address.
func (p *places) command(name, dir string, addr netip.AddrPort, env []string) (*exec.Cmd, error) {
	ip, port := addr.Addr().String(), strconv.Itoa(int(addr.Port()))
	var cmd *exec.Cmd
	switch name {
	case hpa:
		cmd = exec.Command(p.sbin("in.tftpd"), "-L", "-a", addr.String(), "-c", "-p", "-u", "root",
			"-s", dir)
	case atftpd:
		cmd = exec.Command(p.sbin("atftpd"), "--daemon", "--no-fork", "--port", port,
			"--bind-address", ip,
			"--user", "root", "--group", "root", "--maxthread", "6000", dir)
	case dnsmasq:
		cmd = exec.Command(p.sbin("dnsmasq"), "-k", "--port=0", "--conf-file=/dev/null",
			"--pid-file=", "--enable-tftp", "--tftp-root="+dir,
			"--tftp-max=6000", "--user=root", "--listen-address="+ip, "--bind-interfaces")
	case ours, oursOnPG, oursPGAway:
		program := p.program
		if p.profile != "" {
			var err error
			if program, err = p.profiledProgram(); err != nil {
				return nil, err
			}
		}
		cmd = exec.Command(program, "--host", ip, "--port", port, "--database",
			p.database(name, dir))
	case pin:
		cmd = exec.Command(p.pin, addr.String(), dir)
	case pinSingle:
		cmd = exec.Command(p.pin, addr.String(), dir, strconv.Itoa(max(512, p.blksize)))
	default:
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(self, "serve", name, addr.String())
	}
	cmd.Env = append(append(os.Environ(), "HTTP_ADDR=127.0.0.1:0"), env...)
	if p.profile != "" {
		cmd.Env = append(cmd.Env, profileDir+"="+p.profile)
	}
	if name == hpa || name == atftpd || name == dnsmasq {
		if _, err := os.Stat(cmd.Path); err != nil {
			return nil, fmt.Errorf("not there: make deps unpacks it")
		}
		if os.Getuid() != 0 {
			return nil, errors.New("wants to be started by root")
		}
	}
	return cmd, nil
}

// database is the URL of a contender's database.
func (p *places) database(name, dir string) string {
	switch name {
	case ours:
		return "sqlite:" + filepath.Join(dir, "tftpsql.db")
	case oursOnPG:
		return p.pgURL
	case oursPGAway:
		return fmt.Sprintf("postgres://nobody@%s/none?sslmode=disable", p.hung.Addr())
	}
	return ""
}

// start starts a contender, on one core if core is not negative, and returns when it answers.
func (p *places) start(name string, core int, env ...string) (*server, error) {
	s, err := p.launch(name, "", core, env...)
	if err != nil {
		return nil, err
	}
	if err := s.answers(opRead, 10*time.Second); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// launch starts a contender's process. dir is its folder; empty for one of its own.
func (p *places) launch(name, dir string, core int, env ...string) (*server, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	if name == dnsmasq { // it knows no other port
		addr = netip.MustParseAddrPort("127.0.0.69:69")
	}
	if dir == "" {
		parent := p.files
		if name == ours {
			parent = p.disk
		}
		if dir, err = os.MkdirTemp(parent, "peer"); err != nil {
			return nil, err
		}
		if err := os.Chmod(dir, 0o777); err != nil { // some give up root's rights
			return nil, err
		}
	}
	cmd, err := p.command(name, dir, addr, env)
	if err != nil {
		return nil, err
	}
	if core >= 0 {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return nil, err
		}
		cmd.Args = append([]string{taskset, "-c", strconv.Itoa(core)},
			append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Path = taskset
	}
	s := &server{name: name, addr: addr, dir: dir, url: p.database(name, dir), cmd: cmd,
		said: &tailBuffer{}, ended: make(chan struct{}), written: p.profile != ""}
	cmd.Stderr = s.said
	if name == engine {
		if s.ask, err = cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		s.answer = bufio.NewScanner(out)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.started = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		_ = cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

// stop ends a server and all that it forked, and deletes its files.
func (s *server) stop() {
	s.kill()
	_ = os.RemoveAll(s.dir)
}

func (s *server) kill() {
	if s.written {
		if s.ask != nil {
			_ = s.ask.Close()
		} else {
			_ = s.cmd.Process.Signal(unix.SIGTERM)
		}
		select {
		case <-s.ended:
		case <-time.After(endWithin):
		}
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// endWithin is how long a profile may take to be written.
const endWithin = 3 * time.Second

func (s *server) dead() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// answerEvery is how often a server that starts is looked at: often enough that it doesn't show in
// some milliseconds, seldom enough that it can start.
const answerEvery = 200 * time.Microsecond

// answers waits until a server answers a request at all.
func (s *server) answers(op byte, within time.Duration) error {
	fd, err := udpSocket(unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, b := request(op, "nothing-of-that-name", 0, 1), make([]byte, 2048)
	for start := time.Now(); time.Since(start) < within && !s.dead(); {
		_ = unix.Sendto(fd, req, 0, sockaddr(s.addr)) // refused until it listens
		time.Sleep(answerEvery)
		if n, _, err := unix.Recvfrom(fd, b, 0); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s never answered: %s", s.name, s.said)
}

// cpu is what a server has used so far, with the children that it has reaped.
func (s *server) cpu() time.Duration { return cpuOf(s.cmd.Process.Pid) }

// cpuOf is what a process has used so far, all threads that it ever had, and the children that it
// has reaped: those the kernel counts to 10 ms.
func cpuOf(pid int) time.Duration {
	var own unix.Timespec
	const schedClock = 2 // CPUCLOCK_SCHED: how linux/posix-timers.h makes a process's clock
	if unix.ClockGettime(int32(^pid<<3|schedClock), &own) != nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(b, []byte(") "))
	ticks := 0
	for _, f := range strings.Fields(string(after))[13:15] {
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(own.Nano()) + time.Duration(ticks)*10*time.Millisecond
}

// pss is the memory of a server and all that it forked, shared pages divided among those that share
// them.
func (s *server) pss() (kib int) {
	for _, pid := range append(children(s.cmd.Process.Pid), s.cmd.Process.Pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				n, _ := strconv.Atoi(strings.Fields(rest)[0])
				kib += n
			}
		}
	}
	return kib
}

// children are the processes that a process has started and that are still there.
func children(parent int) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := bytes.Cut(b, []byte(") "))
		if f := strings.Fields(string(after)); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// taken asks bench's own server how many uploads its handler has had, how many bytes, and for the
// hash of the newest.
func (s *server) taken() (uploads int, bytes int64, newest string, err error) {
	if err = s.say("taken"); err != nil {
		return 0, 0, "", err
	}
	_, err = fmt.Sscan(s.answer.Text(), &uploads, &bytes, &newest)
	return uploads, bytes, newest, err
}

// say sends bench's own server a line and waits for one.
func (s *server) say(line string) error {
	if _, err := io.WriteString(s.ask, line+"\n"); err != nil {
		return err
	}
	if !s.answer.Scan() {
		return errors.New("the engine has ended")
	}
	return nil
}

// kept asks bench's own server for the hashes of the bodies that it has kept since it was told to,
// by name; it keeps no more.
func (s *server) kept() (map[string][sha256.Size]byte, error) {
	sums := map[string][sha256.Size]byte{}
	for err := s.say("sums"); ; {
		if err != nil {
			return nil, err
		}
		name, text, more := strings.Cut(s.answer.Text(), " ")
		if !more {
			return sums, nil
		}
		var digest [sha256.Size]byte
		if _, err = hex.Decode(digest[:], []byte(text)); err != nil {
			return nil, err
		}
		sums[name] = digest
		if !s.answer.Scan() {
			err = errors.New("the engine has ended")
		}
	}
}

func freePort() (netip.AddrPort, error) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

// tailBuffer keeps the last of what a process says.
type tailBuffer struct{ b []byte }

func (t *tailBuffer) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if over := len(t.b) - 2048; over > 1024 {
		t.b = append([]byte(nil), t.b[over:]...)
	}
	return len(b), nil
}

func (t *tailBuffer) String() string { return strings.TrimSpace(string(t.b)) }
