package worker

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/sftp"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
	"github.com/tftpsql/tftpsql/web"
)

// bodiesShare is the part of TFTP_MEMORY that bodies may take which come by SSH, and as much again
// those that come by HTTP: fewer devices send so.
const bodiesShare = 4

// sshServer is the server for uploads by SFTP and SCP.
type sshServer struct {
	*sftp.Server
	ended  chan struct{} // closed when it no longer serves
	giveUp func()        // ends the wait for host keys
}

// listenSSH opens SSH_ADDR; nil for none.
func listenSSH(at config.SSHAddr) (net.Listener, error) {
	if at == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", at.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("SSH_ADDR: %w: another program listens there; choose another", err)
	case err != nil:
		return nil, fmt.Errorf("SSH_ADDR: %w", err)
	}
	return l, nil
}

// startSSH serves on l. Clients wait until the host keys can be read, which takes a database. A nil
// l is none.
func (w *worker) startSSH(s *store.Store, l net.Listener) *sshServer {
	if l == nil {
		return nil
	}
	waiting, giveUp := context.WithCancel(context.Background())
	v := &sshServer{ended: make(chan struct{}), giveUp: giveUp,
		Server: &sftp.Server{
			Handler:  sftp.HandlerFunc(w.handler.serveSSH),
			Password: w.handler.checkPassword, PublicKey: w.handler.checkKey,
			LoggedIn: w.handler.loggedIn,
			Accept:   accepts(w.Allow), Legacy: bool(w.SSHLegacy),
			Limits: sftp.Limits{MaxSize: int64(w.MaxSize), Memory: bodiesMemory(w.Config)},
			Ended:  w.handler.endedSSH, Denied: w.handler.deniedSSH, Logger: w.log,
		}}
	w.log.Info("ssh", "address", l.Addr().String(), "legacy", bool(w.SSHLegacy))
	if w.SSHLegacy {
		w.log.Warn("SSH_LEGACY admits weak algorithms: what devices of before 2015 send can be " +
			"read and changed on the way")
	}
	go func() { // ends by stop
		defer close(v.ended)
		defer l.Close()
		if v.HostKeys = waitForHostKeys(waiting, s, w.log); v.HostKeys == nil {
			return
		}
		w.log.Info("ssh: serving", fingerprints(v.HostKeys)...)
		if err := v.Serve(l); !errors.Is(err, sftp.ErrServerClosed) {
			w.log.Error("uploads by SSH have ended", "err", err)
		}
	}()
	return v
}

// bodiesMemory is the memory for bodies that come by SSH, and as much again for those by HTTP, in
// bytes: room for one of the largest, which is there twice while it is joined.
func bodiesMemory(c config.Config) int64 {
	return max(int64(c.Memory)/bodiesShare, 2*int64(c.MaxSize))
}

// fingerprints are the host keys as clients show them when they connect for the first time.
func fingerprints(keys []ssh.Signer) (attrs []any) {
	for _, key := range keys {
		name := key.PublicKey().Type()
		if name == ssh.KeyAlgoED25519 { // that of most clients
			name = "fingerprint"
		}
		attrs = append(attrs, name, ssh.FingerprintSHA256(key.PublicKey()))
	}
	return attrs
}

// stop lets running uploads end until ctx ends.
func (v *sshServer) stop(ctx context.Context) {
	if v == nil {
		return
	}
	v.giveUp()
	_ = v.Shutdown(ctx) // each upload that was cut off has its own line in the log
	<-v.ended
}

// waitForHostKeys tries until it has the host keys; nil once ctx has ended.
func waitForHostKeys(ctx context.Context, s *store.Store, log *slog.Logger) []ssh.Signer {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		keys, err := hostKeys(ctx, s)
		if err == nil {
			return keys
		}
		if ctx.Err() == nil {
			log.Warn("ssh: the host keys can't be read yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// hostKeys returns the host keys of all workers, and makes those that there are none of.
func hostKeys(ctx context.Context, s *store.Store) ([]ssh.Signer, error) {
	now := time.Now()
	kept, err := s.HostKeys(ctx, nil, now)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		made, err := makeHostKeys()
		if err != nil {
			return nil, err
		}
		if kept, err = s.HostKeys(ctx, made, now); err != nil {
			return nil, err
		}
	}
	var list []ssh.Signer
	for _, k := range kept {
		signer, err := ssh.ParsePrivateKey([]byte(k.PEM))
		if err != nil {
			return nil, fmt.Errorf("the host key %s is damaged: %w", k.Algorithm, err)
		}
		list = append(list, signer)
	}
	return list, nil
}

// rsaBits is what clients of all ages take.
const rsaBits = 3072

func makeHostKeys() (list []store.HostKey, err error) {
	_, modern, errModern := ed25519.GenerateKey(rand.Reader)
	middle, errMiddle := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	old, errOld := rsa.GenerateKey(rand.Reader, rsaBits)
	if err := errors.Join(errModern, errMiddle, errOld); err != nil {
		return nil, err
	}
	// always in this order: two workers that begin at once would wait for each other's rows
	for _, k := range []struct {
		algorithm string
		key       crypto.PrivateKey
	}{{ssh.KeyAlgoED25519, modern}, {ssh.KeyAlgoECDSA256, middle}, {ssh.KeyAlgoRSA, old}} {
		block, err := ssh.MarshalPrivateKey(k.key, "tftpsql")
		if err != nil {
			return nil, err
		}
		list = append(list, store.HostKey{Algorithm: k.algorithm,
			PEM: string(pem.EncodeToMemory(block))})
	}
	return list, nil
}

// accepts admits sources as TFTP does.
func accepts(allow config.Allow) func(netip.AddrPort) error {
	return func(peer netip.AddrPort) error {
		if !allow.Contains(peer.Addr()) {
			return &sftp.Error{Message: string(notAllowed), Err: fmt.Errorf(
				"%s is not served: add it to TFTP_ALLOW", peer.Addr())}
		}
		return nil
	}
}

// checkPassword checks a login. An unknown one takes as long as a known one.
func (h *handler) checkPassword(ctx context.Context, a sftp.Attempt,
	password []byte) (sftp.Login, error) {
	l, stored, err := h.store.Sender(ctx, nameOf(a))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return sftp.Login{}, unchecked(err)
	}
	right, hashErr := web.PasswordIs(ctx, string(password), stored)
	if hashErr != nil {
		return sftp.Login{}, unchecked(hashErr)
	}
	if !right {
		return sftp.Login{}, errors.New("unknown name, or wrong password")
	}
	return login(l), nil
}

func (h *handler) checkKey(ctx context.Context, a sftp.Attempt, key ssh.PublicKey) (sftp.Login,
	error) {
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	l, err := h.store.SenderByKey(ctx, nameOf(a), text)
	if errors.Is(err, store.ErrNotFound) {
		return sftp.Login{}, errors.New("unknown name, or unknown key")
	}
	if err != nil {
		return sftp.Login{}, unchecked(err)
	}
	return login(l), nil
}

// nameOf returns the name of a login as the database can hold it; "", which none has, for others.
func nameOf(a sftp.Attempt) string {
	if !utf8.ValidString(a.User) || strings.Contains(a.User, "\x00") {
		return ""
	}
	return a.User
}

// unchecked is the answer where a login could not be checked.
func unchecked(err error) error {
	return &sftp.Error{Message: string(unavailable), Err: err}
}

// login is what a check has found.
func login(l store.Sender) sftp.Login {
	return sftp.Login{Name: l.Name, Data: l, Attrs: []slog.Attr{slog.String("site", l.Site)}}
}

// loggedIn notes that a login was used.
func (h *handler) loggedIn(ctx context.Context, _ sftp.Attempt, found sftp.Login) {
	l, _ := found.Data.(store.Sender) // set by both checks
	if err := h.store.UseLogin(ctx, l, time.Now()); err != nil {
		h.log.Debug("the use of a login could not be noted", "login", l.Name, "err", err)
	}
}

// unfinished are what clients append to the name of a file until all of it is there. They rename it
// then, which changes nothing here.
var unfinished = []string{".filepart", ".part", ".tmp"}

// serveSSH stores an upload by SFTP or SCP. A login's site goes before that of the source, and that
// before the folder.
func (h *handler) serveSSH(ctx context.Context, u *sftp.Upload) error {
	// not before: a client that is turned away earlier shows no reason
	if err := h.health.whyRefused(); err != nil {
		return &sftp.Error{Message: string(full), Err: err}
	}
	sent := strings.TrimPrefix(u.Path, "/")
	name := sent
	for _, ending := range unfinished {
		name = strings.TrimSuffix(name, ending)
	}
	if whole, ok := strings.CutSuffix(name, ".partial"); ok { // rclone's "x.0a1b2c3d.partial"
		name = strings.TrimSuffix(whole, path.Ext(whole))
	}
	l, _ := u.Login.Data.(store.Sender) // set by both checks
	if _, _, err := h.store.Sender(ctx, l.Name); errors.Is(err, store.ErrNotFound) {
		return &sftp.Error{Message: string(loginRefused), Err: err} // removed since
	}
	from := sender{filename: sent}
	if l.Site != "" {
		// write-once asks for the names of this site then
		from.site, from.filename = &l.Site, l.Site+"/"+sent
	}
	stored, c, err := h.take(ctx, capture.Upload{Peer: u.Peer, Local: u.Local.Addr(),
		Filename: name, Mode: string(u.Mode), Received: u.Began, Completed: u.Completed,
		Body: u.Body, Log: h.logs.Match(name)}, from)
	if err != nil {
		return toldBySSH(err)
	}
	u.Annotate(noted(stored, c)...)
	return nil
}

// sender is what is known of an upload besides the file.
type sender struct {
	site     *string // of the login or the token; nil for that of the source or the file's name
	filename string  // to keep; "" for that of the upload
	// what counts where the configuration doesn't say it
	by, device string
}

// take stores an upload of a login or a token.
func (h *handler) take(ctx context.Context, u capture.Upload, from sender) (store.Stored,
	store.Capture, error) {
	c := u.Capture()
	h.setSite(&c, u.Peer.Addr())
	if from.site != nil {
		c.Site = device.Text(*from.site)
		// A folder says no site then: "/core1/running.cfg" is core1's.
		folder, _ := device.FromFilename(u.Filename)
		folder = strings.TrimPrefix(folder+"/", *from.site+"/")
		if _, name := device.FromFilename(strings.TrimSuffix(folder, "/")); name != "" &&
			c.NamedBy == store.NamedBySource {
			c.Name, c.NamedBy = name, store.NamedByFilename
		}
	}
	if from.filename != "" {
		c.Filename = device.Text(from.filename)
	}
	c.ChangedBy = cmp.Or(c.ChangedBy, device.Text(from.by))
	if from.device != "" && c.NamedBy != store.NamedByConfig {
		c.Name, c.NamedBy = device.Text(from.device), store.NamedByFilename
	}
	stored, err := h.keep(ctx, &c)
	return stored, c, err
}

// toldBySSH is an error as an SSH client is told: in the words that TFTP has.
func toldBySSH(err error) error {
	var told *tftp.Error
	if errors.As(err, &told) {
		return &sftp.Error{Message: told.Message, Err: err}
	}
	return err
}

// endedSSH counts the end of an upload.
func (h *handler) endedSSH(o sftp.Outcome) {
	outcome := "ok"
	switch {
	case o.Refused:
		outcome = "refused"
	case o.Err != nil:
		outcome = "failed"
	}
	h.health.metrics.uploads(string(o.Upload.Mode), outcome).Inc()
	if o.Err != nil {
		h.failures.count(failed{peer: o.Upload.Peer.Addr(), filename: o.Upload.Path,
			why: reasonBySSH(o.Err), code: -1, bytes: o.Bytes, began: o.Upload.Began, err: o.Err,
			refused: o.Refused})
	}
}

// deniedSSH counts a connection or a login that was refused.
func (h *handler) deniedSSH(d sftp.Denial) {
	why := reasonBySSH(d.Err)
	if why == givenUp {
		why = loginRefused
	}
	h.failures.count(failed{peer: d.Attempt.Peer.Addr(), filename: d.Attempt.User, why: why,
		code: -1, began: time.Now(), err: d.Err, refused: true})
}
