//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// credential is the user that PostgreSQL runs as, if the tests run as root.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true},
				errors.Join(err, err2)
		}
	}
	return nil, errors.New("no user postgres or nobody to run PostgreSQL as")
}

func (s *Server) own() error {
	c, err := credential()
	if c == nil || err != nil {
		return err
	}
	return os.Chown(s.dir, int(c.Uid), int(c.Gid))
}

func (s *Server) as(cmd *exec.Cmd) {
	if c, err := credential(); err == nil && c != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c}
	}
}
