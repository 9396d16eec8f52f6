//go:build !unix

package pgtest

import "os/exec"

func (s *Server) own() error { return nil }

func (s *Server) as(*exec.Cmd) {}
