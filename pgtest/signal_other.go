//go:build !linux

package pgtest

func (s *Server) forgetDead() error { return nil }
