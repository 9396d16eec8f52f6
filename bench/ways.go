//go:build linux

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// openssh is OpenSSH's server with internal-sftp, which writes files and doesn't sync them.
const openssh = "OpenSSH"

// ways are uploads by SFTP, of many clients and of one that sends much, against OpenSSH. The
// clients' share is that of both.
func ways(b *bench) (list []*contest, err error) {
	for _, w := range []struct {
		count, size int
		metric      string
	}{
		{pick(b, 100, 4), pick(b, 200_000, 20_000), rate},
		{1, pick(b, 64*mib, mib), mbs},
	} {
		name := fmt.Sprintf("%d clients put %d KB by SFTP, stored in SQLite with fsync", w.count,
			w.size/1000)
		if w.count == 1 {
			name = fmt.Sprintf("put %d MiB by SFTP, stored in SQLite with fsync", w.size/mib)
		}
		c := &contest{name: name, metric: w.metric}
		peers := map[string]*sshPeer{}
		c.close = func() {
			for _, p := range peers {
				p.stop()
			}
		}
		for _, who := range []string{ours, openssh} {
			c.add(who, func() (sample, error) {
				if peers[who] == nil {
					begin := b.startOurs
					if who == openssh {
						begin = b.startOpenSSH
					}
					p, err := begin()
					if err != nil {
						return nil, err
					}
					peers[who] = p
				}
				return b.bySFTP(peers[who], w.count, w.size)
			})
		}
		c.goals = append(unharmed(ours, false),
			goal{of: ours, metric: w.metric, against: openssh, factor: 1})
		list = append(list, c)
	}
	return list, nil
}

// sshPeer is a server that takes uploads by SFTP.
type sshPeer struct {
	addr netip.AddrPort
	key  ssh.Signer // of the user bench
	dir  string     // where its files are; of ours, of its database
	url  string     // of our database; empty for files
	stop func()
}

// newKey returns a key, and its file's text.
func newKey() (ssh.Signer, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, pem.EncodeToMemory(block), err
}

// startOurs starts the whole program, with a login.
func (b *bench) startOurs() (*sshPeer, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := b.start(ours, -1, "SSH_ADDR="+addr.String())
	if err != nil {
		return nil, err
	}
	p := &sshPeer{addr: addr, dir: s.dir, url: s.url, stop: s.stop}
	if p.key, _, err = newKey(); err == nil {
		file := filepath.Join(s.dir, "key.pub")
		if err = os.WriteFile(file, ssh.MarshalAuthorizedKey(p.key.PublicKey()),
			0o600); err == nil {
			cmd := exec.Command(b.program, "login", "add", "bench", "--key", file)
			cmd.Env = append(os.Environ(), "DATABASE_URL="+s.url)
			var out []byte
			if out, err = cmd.CombinedOutput(); err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
		}
	}
	return p.ready(err)
}

// sshdConfig is OpenSSH's configuration: everything that limits clients is out of their way.
const sshdConfig = `ListenAddress %[1]s
Port %[2]d
HostKey %[3]s/host
AuthorizedKeysFile %[3]s/authorized
StrictModes no
UsePAM no
UseDNS no
PidFile none
MaxStartups 10000
LogLevel ERROR
Subsystem sftp internal-sftp
`

// sshdStart gives OpenSSH the users that it wants, in a mount namespace of its own.
const sshdStart = `mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow &&
mkdir -p /run/sshd && exec "$2" -D -e -f "$1/config"`

// startOpenSSH starts OpenSSH, whose files are in memory where there is such a file system.
func (b *bench) startOpenSSH() (*sshPeer, error) {
	program := b.sbin("sshd")
	if _, err := os.Stat(program); err != nil {
		return nil, errors.New("not there: make deps unpacks it")
	}
	if os.Getuid() != 0 {
		return nil, errors.New("wants to be started by root")
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.files, "peer")
	if err != nil {
		return nil, err
	}
	p := &sshPeer{addr: addr, dir: dir, stop: func() { _ = os.RemoveAll(dir) }}
	var host []byte
	if _, host, err = newKey(); err == nil {
		p.key, _, err = newKey()
	}
	if err != nil {
		return p.ready(err)
	}
	for name, text := range map[string]string{
		"host":       string(host),
		"authorized": string(ssh.MarshalAuthorizedKey(p.key.PublicKey())),
		"config":     fmt.Sprintf(sshdConfig, addr.Addr(), addr.Port(), dir),
		"passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:65533:65534::/run/sshd:/bin/false\n" +
			"bench:x:65534:65534::" + dir + ":/bin/sh\n",
		"shadow": "root:*:1::::::\nsshd:*:1::::::\nbench:x:1::::::\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return p.ready(err)
		}
	}
	err = errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Join(dir, "authorized"), 0o644))
	if err != nil {
		return p.ready(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", sshdStart, "sh", dir, program)
	said := &tailBuffer{}
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return p.ready(err)
	}
	p.stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // killed
		_ = os.RemoveAll(dir)
	}
	if p, err = p.ready(nil); err != nil {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return p, err
}

// ready waits until a server answers, and ends it where it doesn't.
func (p *sshPeer) ready(err error) (*sshPeer, error) {
	for until := time.Now().Add(10 * time.Second); err == nil; time.Sleep(answerEvery) {
		c, tried := p.dial()
		if tried == nil {
			return p, c.Close()
		}
		if time.Now().After(until) {
			err = tried
		}
	}
	p.stop()
	return nil, err
}

func (p *sshPeer) dial() (*ssh.Client, error) {
	return ssh.Dial("tcp", p.addr.String(), &ssh.ClientConfig{User: "bench",
		Auth: []ssh.AuthMethod{ssh.PublicKeys(p.key)}, Timeout: 30 * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey()})
}

// put sends a file over a connection of its own. Nil is the receipt.
func (p *sshPeer) put(name string, body []byte) error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	client, err := sftp.NewClient(c, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	path := "/" + name
	if p.url == "" {
		path = filepath.Join(p.dir, name)
	}
	f, err := client.Create(path)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(bytes.NewReader(body))
	return errors.Join(err, f.Close())
}

// bySFTP is a run of so many clients at once.
func (b *bench) bySFTP(p *sshPeer, count, size int) (sample, error) {
	prefix, revision, shared := b.file(), b.names, tail(size-headSize)
	errs := make([]error, count)
	name := func(n int) string { return fmt.Sprintf("%s-%d", prefix, n) }
	var all sync.WaitGroup
	start := time.Now()
	for n := range count {
		all.Go(func() {
			errs[n] = p.put(name(n), append(head(n, revision), shared...))
		})
	}
	all.Wait()
	took := time.Since(start)
	there, err := map[string][32]byte{}, error(nil)
	if p.url != "" {
		there, err = storedIn(p.url, prefix+"-", prefix+".")
	}
	bad, gone, first := 0, 0, error(nil)
	for n := range count {
		if errs[n] != nil {
			bad, first = bad+1, errs[n]
			continue
		}
		if p.url == "" {
			file := filepath.Join(p.dir, name(n))
			if body, err := os.ReadFile(file); err == nil {
				there[name(n)] = sum(body)
			}
			_ = os.Remove(file)
		}
		if there[name(n)] != sum(head(n, revision), shared) {
			gone++
		}
	}
	if bad*5 > count || gone*5 > count {
		return nil, fmt.Errorf("%d of %d failed (%w), %d are lost", bad, count, first, gone)
	}
	return sample{rate: float64(count-bad) / took.Seconds(), failed: float64(bad),
		mbs:  float64((count-bad)*size) / 1e6 / took.Seconds(),
		lost: float64(gone)}, err
}
