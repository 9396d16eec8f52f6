package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Kill kills every process of the server with -9, as the kernel does when memory runs out.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Stall stops every process of the server where it is, and Resume lets them go on.
func (s *Server) Stall() error { return s.signal(syscall.SIGSTOP) }

// Resume ends a Stall.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Running reports whether the server's first process is there.
func (s *Server) Running() bool {
	pid, err := s.pid()
	return err == nil && syscall.Kill(pid, 0) == nil
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
