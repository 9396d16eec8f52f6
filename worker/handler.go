package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// capturer is the tftp.Handler: an upload becomes a capture, a read gets what the same address sent.
type capturer struct {
	store    *store.Store // set before opened is closed
	sites    config.Sites
	read     config.Read
	failures *recorder
	health   *health
	log      *slog.Logger
	quit     context.Context // ends when the program waits for nothing any more; nil where it never does
	opened   <-chan struct{} // closed when the store is open; nil where it is
	prepared <-chan struct{} // closed when the schema has been looked after, or could not be; nil where it is there
	shared   shared
}

// preparePatience is how long an upload waits for the schema that a program makes which has just been started, before it is kept in the
// spool. Without one it waits as long as its device.
const preparePatience = time.Second

// wait waits until the database is prepared, and returns an error where it isn't even opened in time.
func (h *capturer) wait(ctx context.Context) error {
	if h.opened != nil {
		select {
		case <-h.opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if h.prepared == nil {
		return nil
	}
	select {
	case <-h.prepared:
		return nil
	default:
	}
	if h.store.HasSpool() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, preparePatience)
		defer cancel()
	}
	select {
	case <-h.prepared:
	case <-ctx.Done(): // the store says what that means
	}
	return nil
}

// until returns a context that ends with ctx, and when the program waits for nothing any more.
func (h *capturer) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if h.quit == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(h.quit, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// ServeTFTP stores an upload. Whatever it is, it is stored: what can't be understood goes under its file name or source.
func (h *capturer) ServeTFTP(ctx context.Context, r *tftp.Request) error {
	uid, err := uuid.NewV7()
	if err != nil {
		return err
	}
	c := capture.Upload{Peer: r.Peer, Local: r.Local, Filename: r.Filename, Mode: string(r.Mode), Options: optionText(r.Negotiated),
		Received: r.Received, Completed: r.Completed, Body: r.Body}.Capture()
	if site, ok := h.sites.Of(r.Peer.Addr()); ok {
		c.Site = device.Text(site)
	}
	c.UID, c.New = uid.String(), true
	ctx, cancel := h.until(ctx)
	defer cancel()
	if err := h.wait(ctx); err != nil {
		return h.refusal(err)
	}
	start := time.Now()
	stored, err := h.store.Put(ctx, c)
	h.health.stored(time.Since(start), err)
	if err != nil {
		return h.refusal(err)
	}
	ref := store.Device{Site: stored.Site, Name: stored.Device}.Ref()
	r.Annotate(slog.String("device", ref))
	if other := h.shared.meet(c.Source, ref); other != "" && !r.Peer.Addr().IsLoopback() {
		h.log.Warn("several devices send from one address: behind NAT or in a container that is to be expected, and TFTP_ALLOW, TFTP_SITES and TFTP_READ=own can't tell them apart there",
			"address", c.Source, "devices", other+" "+ref)
	}
	if stored.Spooled {
		r.Annotate(slog.Bool("spooled", true), slog.Bool("complete", c.Complete))
		return nil
	}
	r.Annotate(slog.Int64("id", stored.ID), slog.Bool("changed", stored.Changed), slog.Bool("complete", c.Complete))
	return nil
}

// shared remembers which device sends from which address, to point out once where several do. The zero value is ready.
type shared struct {
	mu     sync.Mutex // guards what follows
	device map[string]string
	told   map[string]bool
}

// maxAddresses bounds the addresses that are remembered; more devices than that have one worker in no network.
const maxAddresses = 20_000

// meet returns the device that sent from an address before, if it is another one and nobody was told yet.
func (s *shared) meet(address, device string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.device == nil {
		s.device, s.told = map[string]string{}, map[string]bool{}
	}
	was, known := s.device[address]
	switch {
	case !known && len(s.device) < maxAddresses:
		s.device[address] = device
	case known && was != device && !s.told[address]:
		s.told[address] = true
		return was
	}
	return ""
}

func optionText(options []tftp.Option) string {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = o.Name + "=" + o.Value
	}
	return strings.Join(words, " ")
}

// refusal is what the device is told when its upload is not stored; the log gets the cause and what to do.
func (h *capturer) refusal(err error) error {
	if h.quit != nil && h.quit.Err() != nil && errors.Is(err, context.Canceled) {
		return &tftp.Error{Code: tftp.CodeUndefined, Message: "server is shutting down, try again", Err: errors.New("it was not stored within TFTP_DRAIN")}
	}
	switch store.ClassOf(err) {
	case store.Exists:
		return &tftp.Error{Code: tftp.CodeExists, Message: "file already exists", Err: err}
	case store.Full:
		return &tftp.Error{Code: tftp.CodeFull, Message: "storage full", Err: err}
	}
	return &tftp.Error{Code: tftp.CodeUndefined, Message: "storage unavailable, try again", Err: err}
}

// ReadTFTP returns what was published under that name, or what the asker sent itself, as the policy has it.
func (h *capturer) ReadTFTP(ctx context.Context, r *tftp.Request) ([]byte, error) {
	if h.read == "none" {
		return nil, &tftp.Error{Code: tftp.CodeAccess, Message: "not allowed", Err: errors.New("reading is off: TFTP_READ=none")}
	}
	ctx, cancel := h.until(ctx)
	defer cancel()
	if err := h.wait(ctx); err != nil {
		return nil, h.refusal(err)
	}
	body, err := h.store.FetchPublished(ctx, capture.PublishedName(r.Filename), r.Peer.Addr(), time.Now())
	switch {
	case errors.Is(err, store.ErrNotAllowed):
		return nil, &tftp.Error{Code: tftp.CodeAccess, Message: "not allowed", Err: err}
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, h.refusal(err)
	case err == nil:
		return body, nil
	case h.read == "published":
		return nil, &tftp.Error{Code: tftp.CodeNotFound, Message: "file not found", Err: errors.New("nothing is published under that name")}
	}
	return h.own(ctx, r)
}

// fetchNoteTimeout bounds the note that a published file was fetched.
const fetchNoteTimeout = 10 * time.Second

// ended notes what failed, and that a file was fetched, if it was a published one.
func (h *capturer) ended(o tftp.Outcome) {
	h.failures.note(o)
	h.health.metrics.ended(o)
	if o.Request.Op != tftp.OpRead || o.Err != nil {
		return
	}
	go func() { // ends by its timeout
		ctx, cancel := context.WithTimeout(context.Background(), fetchNoteTimeout)
		defer cancel()
		if err := h.store.Fetched(ctx, capture.PublishedName(o.Request.Filename), o.Request.Peer.Addr(), time.Now()); err != nil {
			h.log.Warn("a fetch could not be noted", "file", o.Request.Filename, "err", err)
		}
	}()
}

// own returns the newest file of that name from the asker's own address, and only while everything from there belongs to
// one device: behind NAT one customer's firewall could otherwise fetch another's. Loopback is this machine's own.
func (h *capturer) own(ctx context.Context, r *tftp.Request) ([]byte, error) {
	source := device.Source(r.Peer.Addr())
	body, oneDevice, err := h.store.NewestFrom(ctx, source, device.Text(r.Filename))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, &tftp.Error{Code: tftp.CodeNotFound, Message: "file not found", Err: fmt.Errorf("nothing of that name came from %s", source)}
	case err != nil:
		return nil, h.refusal(err)
	case !oneDevice && !r.Peer.Addr().IsLoopback():
		return nil, &tftp.Error{Code: tftp.CodeAccess, Message: "not allowed", Err: fmt.Errorf(
			"several devices send from %s, so what came from there is not given back; hand it over with tftpsql publish", source)}
	}
	return body, nil
}

// accept admits sources, and uploads while there is room, before anything is kept of a request.
func accept(allow config.Allow, full func() error) func(*tftp.Request) error {
	return func(r *tftp.Request) error {
		addr := r.Peer.Addr()
		if !allow.Contains(addr) {
			return &tftp.Error{Code: tftp.CodeAccess, Message: "not allowed", Err: fmt.Errorf(
				"%s is not among those served: add it to TFTP_ALLOW, as in TFTP_ALLOW=%s", addr, strings.TrimPrefix(allow.String()+","+addr.WithZone("").String(), ","))}
		}
		if r.Op == tftp.OpWrite {
			if err := full(); err != nil {
				return &tftp.Error{Code: tftp.CodeFull, Message: "storage full", Err: err}
			}
		}
		return nil
	}
}
