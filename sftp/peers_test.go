package sftp_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peer is a client of real life: the arguments that send a file to a path of a server.
type peer struct {
	needs   []string // programs
	command func(t *testing.T, e env, local, path string) *exec.Cmd
	// what the client prints of a refusal; empty for one that can't hear it
	says string
}

// env is where a client finds what it needs.
type env struct{ host, port, key, dir string }

func (e env) options() []string {
	return []string{"-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
		"-oLogLevel=ERROR", "-oIdentitiesOnly=yes", "-F", "none"}
}

func withKey(e env) []string {
	return append(e.options(), "-i", e.key, "-oBatchMode=yes", "-P", e.port)
}

// batch runs sftp with lines as its commands.
func batch(t *testing.T, e env, where string, lines ...string) *exec.Cmd {
	script := file(t, "batch", []byte(strings.Join(lines, "\n")+"\n"))
	return exec.Command("sftp", append(withKey(e), "-b", script, where)...)
}

const pythonPut = `
import os, paramiko, stat, sys
host, port, user, password, local, path = sys.argv[1:]
c = paramiko.SSHClient()
c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
c.connect(host, int(port), user, password, allow_agent=False, look_for_keys=False)
s = c.open_sftp()
try:
    if stat.S_ISDIR(s.stat(path).st_mode):
        path = os.path.join(path, os.path.basename(local))
except IOError:
    pass
s.put(local, path)
print(s.stat(path).st_size, s.listdir(os.path.dirname(path)))
`

var peers = map[string]peer{
	"sftp": {
		needs: []string{"sftp"}, says: "close remote",
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			return batch(t, e, user+"@"+e.host, "put "+local+" "+path)
		},
	},
	"sftp with a password": {
		needs: []string{"sftp", "sshpass"}, says: "close remote",
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			script := file(t, "batch", []byte("put -p "+local+" "+path+"\n"))
			args := append([]string{"-p", password, "sftp", "-oBatchMode=no", "-P", e.port},
				append(e.options(), "-b", script, user+"@"+e.host)...)
			return exec.Command("sshpass", args...)
		},
	},
	"sftp from a folder": {
		needs: []string{"sftp"}, says: "close remote",
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			dir, name := filepath.Split(path)
			return batch(t, e, user+"@"+e.host, "mkdir "+dir, "cd "+dir, "put "+local+" x.part",
				"ls -l", "rename x.part "+name, "chmod 600 "+name, "ls -l "+name)
		},
	},
	"scp": {
		needs: []string{"scp"}, says: "close remote",
		command: func(_ *testing.T, e env, local, path string) *exec.Cmd {
			return exec.Command("scp", append(withKey(e), local, user+"@"+e.host+":"+path)...)
		},
	},
	"scp -O": {
		needs: []string{"scp"}, says: refusal,
		command: func(_ *testing.T, e env, local, path string) *exec.Cmd {
			return exec.Command("scp", append(withKey(e), "-O", "-p", local,
				user+"@"+e.host+":"+path)...)
		},
	},
	"dropbear": {
		needs: []string{"scp", "dbclient"}, says: refusal,
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			script := file(t, "dbclient", []byte("#!/bin/sh\nexec dbclient -y -y \"$@\"\n"))
			if err := os.Chmod(script, 0o700); err != nil {
				t.Fatal(err)
			}
			return exec.Command("scp", "-O", "-S", script, "-P", e.port, local,
				user+"@"+e.host+":"+path)
		},
	},
	"paramiko as VyOS has it": {
		needs: []string{"paramiko"}, says: refusal,
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			script := file(t, "put.py", []byte(pythonPut))
			return exec.Command(python(), script, e.host, e.port, user, password, local, path)
		},
	},
	"OPNsense": {
		needs: []string{"sftp"}, says: "close remote",
		command: func(t *testing.T, e env, local, path string) *exec.Cmd {
			dir, name := filepath.Split(path)
			return batch(t, e, "sftp://"+user+"@"+e.host+":"+e.port+"/"+filepath.Clean(dir),
				"ls -lnt", "put "+local+" "+name, "ls -lnt", "rm "+name)
		},
	},
	"curl sftp": {
		needs: []string{"curl with sftp"},
		command: func(_ *testing.T, e env, local, path string) *exec.Cmd {
			return exec.Command("curl", "-sSk", "--ftp-create-dirs", "-u", user+":"+password,
				"-T", local, "sftp://"+net.JoinHostPort(e.host, e.port)+path)
		},
	},
	"curl scp": {
		needs: []string{"curl with scp"},
		command: func(_ *testing.T, e env, local, path string) *exec.Cmd {
			return exec.Command("curl", "-sSk", "-u", user+":"+password,
				"-T", local, "scp://"+net.JoinHostPort(e.host, e.port)+path)
		},
	},
}

// python returns an interpreter that has paramiko; empty for none.
func python() string {
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import paramiko").Run() == nil {
			return p
		}
	}
	return ""
}

// need skips a test where a client is missing, and fails it where all of them must be there.
func need(t *testing.T, programs []string) {
	t.Helper()
	for _, p := range programs {
		var err error
		switch name, protocol, _ := strings.Cut(p, " with "); {
		case p == "paramiko":
			if python() == "" {
				err = errors.New("no python3 has paramiko")
			}
		case protocol != "":
			var out []byte
			if out, err = exec.Command(name, "--version").Output(); err == nil &&
				!strings.Contains(string(out), " "+protocol) {
				err = errors.New(name + " has no " + protocol)
			}
		default:
			_, err = exec.LookPath(p)
		}
		switch {
		case err == nil:
		case os.Getenv("CI") != "":
			t.Fatal(err, "(make deps installs it)")
		default:
			t.Skip(err, "(make deps installs it)")
		}
	}
}

// environment returns where clients find a server, and a home without keys.
func environment(t *testing.T, s *site) env {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return env{host: host, port: port, key: file(t, "key", keys().clientFile), dir: t.TempDir()}
}

// runs runs a client and returns what it prints.
func runs(t *testing.T, e env, cmd *exec.Cmd) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Env = append(os.Environ(), "HOME="+e.dir, "DROPBEAR_PASSWORD="+password,
		"SSH_AUTH_SOCK=", "LC_ALL=C")
	out, err := bounded.CombinedOutput()
	return string(out), err
}

// TestPeers lets clients of real life send files: each is stored byte for byte, and a client that
// can hear is told of a refusal.
func TestPeers(t *testing.T) {
	for name, p := range peers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, p.needs)
			s := start(t, nil)
			e := environment(t, s)
			for size, path := range map[int]string{0: "/acme/backup/none.conf",
				13: "/acme/backup/fw1.conf", 1 << 20: "/acme/backup/fw2.conf"} {
				body := random(size)
				out, err := runs(t, e, p.command(t, e, file(t, "local.cfg", body), path))
				if err != nil {
					t.Fatalf("%d bytes: %v\n%s", size, err, out)
				}
				if o := s.end(t); o.Err != nil {
					t.Fatalf("%d bytes: %v\n%s", size, o.Err, out)
				}
				if name == "sftp from a folder" {
					path = "/acme/backup/x.part" // the name that it was opened with
				}
				s.has(t, path, body)
			}
			p.refused(t, s, e, name)
		})
	}
}

// refused checks what a client makes of a refusal.
func (p peer) refused(t *testing.T, s *site, e env, name string) {
	t.Helper()
	path := "/acme/refuse/fw1.conf"
	out, err := runs(t, e, p.command(t, e, file(t, "local.cfg", random(13)), path))
	if o := s.end(t); o.Err == nil {
		t.Error("the upload was stored")
	}
	if strings.Contains(out, cause) {
		t.Errorf("the client was told the cause: %s", out)
	}
	if p.says == "" {
		// libssh2 doesn't look at the status of close, and for curl at no answer to a file by SCP:
		// its user learns nothing. If this fails, curl has become better.
		if err != nil || out != "" {
			t.Errorf("%s heard of the refusal: %v\n%s", name, err, out)
		}
		return
	}
	if err == nil || !strings.Contains(out, p.says) {
		t.Errorf("%s: %v, and it prints %q, not %q", name, err, out, p.says)
	}
}

// TestPlaces: where a file lands that is sent as people send it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	need(t, []string{"sftp", "scp", "ssh"})
	s := start(t, nil)
	e := environment(t, s)
	local := file(t, "fw1.conf", []byte("hostname fw1\n"))
	folder := filepath.Dir(local)
	at := user + "@" + e.host
	scp := func(args ...string) *exec.Cmd {
		return exec.Command("scp", append(withKey(e), args...)...)
	}
	sftp := func(lines ...string) *exec.Cmd { return batch(t, e, at, lines...) }
	below := "/" + filepath.Base(folder) + "/fw1.conf"
	for _, c := range []struct {
		command *exec.Cmd
		want    string
	}{
		{scp(local, at+":"), "/fw1.conf"},
		{scp(local, at+":/a"), "/a/fw1.conf"},
		{scp(local, at+":/a.d/"), "/a.d/fw1.conf"},
		{scp(local, at+":~/b.conf"), "/b.conf"},
		{scp(local, at+":c d.conf"), "/c d.conf"},
		{scp("-r", folder, at+":/a"), "/a" + below},
		{scp("-O", local, at+":"), "/fw1.conf"},
		{scp("-O", local, at+":/a"), "/a/fw1.conf"},
		{scp("-O", local, at+":/a.d/"), "/a.d/fw1.conf"},
		{scp("-O", local, at+":~/b.conf"), "/b.conf"},
		{scp("-O", "-r", folder, at+":/a"), "/a" + below},
		{sftp("put " + local), "/fw1.conf"},
		{sftp("put -f " + local + " /a.d/"), "/a.d/fw1.conf"},
		{sftp("cd a.d", "put "+local+" b.conf", "pwd"), "/a.d/b.conf"},
		{sftp("mkdir /a.d", "put "+local+" /a.d"), "/a.d/fw1.conf"},
		{sftp("mkdir r", "put -r "+folder+" r"), "/r" + below},
		{batch(t, e, "sftp://"+at+":"+e.port+"//a", "put "+local), "/a/fw1.conf"},
	} {
		out, err := runs(t, e, c.command)
		if err != nil {
			t.Errorf("%q: %v\n%s", c.command.Args, err, out)
			continue
		}
		if o := s.end(t); o.Err != nil || o.Upload.Path != c.want {
			t.Errorf("%q: stored as %s, not %s; %v", c.command.Args, o.Upload.Path, c.want, o.Err)
		}
	}
}

// TestRefusedPeers: what OpenSSH prints where a login is good for no more than uploads.
func TestRefusedPeers(t *testing.T) {
	t.Parallel()
	need(t, []string{"sftp", "scp", "ssh"})
	s := start(t, nil)
	e := environment(t, s)
	local := file(t, "fw1.conf", []byte("hostname fw1\n"))
	at := user + "@" + e.host
	ssh := func(args ...string) *exec.Cmd {
		return exec.Command("ssh", append(append(e.options(), "-i", e.key, "-oBatchMode=yes",
			"-p", e.port, at), args...)...)
	}
	for _, c := range []struct {
		command *exec.Cmd
		want    string
	}{
		{ssh(), "shell request failed"},
		{ssh("id"), "uploads only"},
		{ssh("-s", "netconf"), "subsystem request failed"},
		{exec.Command("scp", append(withKey(e), at+":fw1.conf", local)...), "fw1.conf"},
		{exec.Command("scp", append(withKey(e), "-O", at+":fw1.conf", local)...), "uploads only"},
		{batch(t, e, at, "get fw1.conf "+local), "not found"},
		{batch(t, e, at, "put "+local, "get fw1.conf "+local), "ermission denied"},
		{batch(t, e, at, "put "+local, "reput "+local), "same size or larger"},
		{batch(t, e, at, "put "+local, "ln -s fw1.conf b.conf"), "nsupported"},
	} {
		out, err := runs(t, e, c.command)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(out, c.want) {
			t.Errorf("%q: %v, and it prints %q, not %q", c.command.Args, err, out, c.want)
		}
	}
}
