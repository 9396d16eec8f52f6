package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kill kills every process of the server with SIGKILL, as the kernel does when memory runs out, and
// returns when the first one is dead.
func (s *Server) Kill() error {
	if err := s.signal(syscall.SIGKILL); err != nil {
		return err
	}
	for range 10000 {
		if !s.Running() {
			return nil
		}
		time.Sleep(time.Millisecond) // only its parent is told when it ends
	}
	return errors.New("PostgreSQL doesn't die")
}

// Stall stops every process of the server with SIGSTOP; Resume continues them.
func (s *Server) Stall() error { return s.signal(syscall.SIGSTOP) }

// Resume ends a Stall.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Running reports whether the server's first process is alive. A dead one may remain as a zombie
// until its parent reaps it.
func (s *Server) Running() bool {
	pid, err := s.pid()
	if err != nil {
		return false
	}
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(after, "Z")
}

// forgetDead removes the lock files of a server that has died. PostgreSQL would take them for those
// of a running server as long as its zombies remain.
func (s *Server) forgetDead() error {
	if s.Running() {
		return nil
	}
	if err := s.killOrphans(); err != nil {
		return err
	}
	pid, socket := filepath.Join(s.data(), "postmaster.pid"),
		filepath.Join(s.dir, ".s.PGSQL.5432.lock")
	for _, file := range []string{pid, socket} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// killOrphans ends the backends of a killed server that don't notice that it is gone: they would
// keep its shared memory, and the server from starting.
func (s *Server) killOrphans() error {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return err
	}
	for _, link := range links {
		if dir, err := os.Readlink(link); err != nil || dir != s.data() {
			continue // it has ended, or is another's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	return nil
}

func (s *Server) pid() (int, error) {
	b, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return strconv.Atoi(first)
}

func (s *Server) signal(sig syscall.Signal) error {
	postmaster, err := s.pid()
	if err != nil {
		return err
	}
	pids := []int{postmaster}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(postmaster) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
