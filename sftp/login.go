package sftp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxUser is how many bytes a user's name may have: as many as one of Linux has, and room for a
// domain.
const maxUser = 256

// loginKey is where the permissions of a login have its Login.
type loginKey struct{}

// config returns what all connections share.
func (s *Server) config() (*ssh.ServerConfig, error) {
	switch {
	case len(s.HostKeys) == 0:
		return nil, errors.New("sftp: no host key")
	case s.Handler == nil:
		return nil, errors.New("sftp: no handler")
	case s.Password == nil && s.PublicKey == nil:
		return nil, errors.New("sftp: no check of logins")
	}
	algorithms, legacy := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	config := &ssh.ServerConfig{MaxAuthTries: s.limits.Attempts}
	config.KeyExchanges, config.Ciphers = algorithms.KeyExchanges, algorithms.Ciphers
	config.MACs, config.PublicKeyAuthAlgorithms = algorithms.MACs, algorithms.PublicKeyAuths
	signatures := []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	if s.Legacy {
		config.KeyExchanges = append(config.KeyExchanges, legacy.KeyExchanges...)
		config.Ciphers = append(config.Ciphers, ssh.InsecureCipherAES128CBC,
			ssh.InsecureCipherTripleDESCBC)
		config.MACs = append(config.MACs, legacy.MACs...)
		config.PublicKeyAuthAlgorithms = append(config.PublicKeyAuthAlgorithms,
			legacy.PublicKeyAuths...)
		signatures = append(signatures, ssh.KeyAlgoRSA)
	}
	for _, key := range s.HostKeys {
		if key.PublicKey().Type() == ssh.KeyAlgoRSA {
			signer, ok := key.(ssh.AlgorithmSigner)
			if !ok {
				return nil, errors.New("sftp: an RSA host key that can't sign with SHA-2")
			}
			limited, err := ssh.NewSignerWithAlgorithms(signer, signatures)
			if err != nil {
				return nil, err
			}
			key = limited
		}
		config.AddHostKey(key)
	}
	return config, nil
}

// authentication is what the checks of one connection found. All of it happens in one goroutine.
type authentication struct {
	attempt Attempt // the last one
	err     error   // of the last one
}

// config returns the configuration of one connection.
func (a *authentication) config(c *conn, base *ssh.ServerConfig) *ssh.ServerConfig {
	config := *base
	if c.s.Password != nil {
		config.PasswordCallback = func(m ssh.ConnMetadata, pw []byte) (*ssh.Permissions, error) {
			return a.password(c, m, pw)
		}
		// Some clients offer no other way to type a password.
		config.KeyboardInteractiveCallback = func(m ssh.ConnMetadata,
			ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errors.New("no answer to the question for a password")
			}
			return a.password(c, m, []byte(answers[0]))
		}
	}
	if c.s.PublicKey != nil {
		config.PublicKeyCallback = func(m ssh.ConnMetadata,
			key ssh.PublicKey) (*ssh.Permissions, error) {
			return a.check(c, m, func(ctx context.Context) (Login, error) {
				return c.s.PublicKey(ctx, a.attempt, key)
			})
		}
	}
	return &config
}

// password checks a password, unless its source has guessed too often.
func (a *authentication) password(c *conn, m ssh.ConnMetadata, password []byte) (*ssh.Permissions,
	error) {
	return a.check(c, m, func(ctx context.Context) (Login, error) {
		guesses := c.s.guesses
		if !guesses.take(time.Now(), c.source) {
			return Login{}, errGuesses
		}
		login, err := c.s.Password(ctx, a.attempt, password)
		var unchecked *Error
		if err == nil || errors.As(err, &unchecked) {
			guesses.give(c.source)
		}
		return login, err
	})
}

// loginContext ends with the time to log in.
func (c *conn) loginContext() (context.Context, context.CancelFunc) {
	return context.WithDeadline(c.s.ctx,
		c.began.Add(orDefault(c.s.HandshakeTimeout, defaultHandshakeTimeout)))
}

func (a *authentication) check(c *conn, m ssh.ConnMetadata,
	check func(context.Context) (Login, error)) (*ssh.Permissions, error) {
	ctx, cancel := c.loginContext()
	defer cancel()
	a.attempt = Attempt{User: m.User(), Client: string(m.ClientVersion()), Peer: c.peer,
		Local: c.local}
	var login Login
	err := error(errUser)
	if len(a.attempt.User) <= maxUser {
		login, err = check(ctx)
	} else {
		a.attempt.User = a.attempt.User[:maxUser]
	}
	a.err = err
	if err != nil {
		c.s.debug("attempt refused", attemptAttrs(a.attempt, slog.Any("err", err))...)
	}
	var said *Error
	switch {
	case errors.As(err, &said):
		return nil, &ssh.BannerError{Err: err, Message: wire(said) + "\r\n"}
	case err != nil:
		return nil, err
	}
	return &ssh.Permissions{ExtraData: map[any]any{loginKey{}: login}}, nil
}

// noteLogin tells of a login that has succeeded.
func (c *conn) noteLogin() {
	c.s.debug("logged in", attemptAttrs(c.attempt,
		append([]slog.Attr{slog.String("login", c.login.Name)}, c.login.Attrs...)...)...)
	if c.s.LoggedIn == nil {
		return
	}
	ctx, cancel := c.loginContext()
	defer cancel()
	c.s.LoggedIn(ctx, c.attempt, c.login)
}

// denyHandshake reports a connection that ended before its login.
func (c *conn) denyHandshake(a *authentication, err error) {
	var mismatch *ssh.AlgorithmNegotiationError
	switch {
	case a.err != nil:
		err = a.err
	case errors.As(err, &mismatch) && !c.s.Legacy && offersLegacy(mismatch):
		err = &Error{Message: "the client knows only algorithms of before 2015: Legacy admits them",
			Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("it did not log in in time")
	case a.attempt.User == "" && gone(err):
		return // a probe of the port, as health checks send
	}
	if !a.attempt.Peer.IsValid() {
		a.attempt = Attempt{Peer: c.peer, Local: c.local}
	}
	c.denied(a.attempt, err)
}

// offersLegacy reports whether the client would be understood with Legacy.
func offersLegacy(e *ssh.AlgorithmNegotiationError) bool {
	l := ssh.InsecureAlgorithms()
	all := slices.Concat(l.KeyExchanges, l.Ciphers[:2], l.MACs, l.HostKeys)
	return slices.ContainsFunc(e.RequestedAlgorithms, func(name string) bool {
		return slices.Contains(all, name)
	})
}

// gone reports whether the client just went away.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

// deny reports a connection that was refused before SSH began.
func (c *conn) deny(err error) {
	c.denied(Attempt{Peer: c.peer, Local: c.local}, err)
}

func (c *conn) denied(a Attempt, err error) {
	if c.s.Denied != nil {
		c.s.Denied(Denial{Attempt: a, Err: err})
	}
	c.s.logDenial(a, err)
}
