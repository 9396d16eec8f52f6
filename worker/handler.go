package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
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

// handler is the tftp.Handler: it stores an upload as a capture, and gives a read what was
// published or what the same address sent.
type handler struct {
	store    *store.Store // set before opened is closed
	sites    config.Sites
	read     config.Read
	logs     config.Patterns
	failures *recorder
	health   *health
	log      *slog.Logger
	quit     context.Context // ends when the program stops waiting; nil for never
	opened   <-chan struct{} // closed when the store is open; nil where it is
	prepared <-chan struct{} // closed when the schema is migrated, or could not be; nil where it is
	shared   sharedAddresses
}

// preparePatience is how long an upload waits for a schema that is being migrated at start before
// it goes to the spool. Without a spool it waits as long as its device does.
const preparePatience = time.Second

// wait waits until the database is prepared. It returns an error where the store isn't even open in
// time.
func (h *handler) wait(ctx context.Context) error {
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

// until returns a context that ends with ctx, and when the program stops waiting.
func (h *handler) until(ctx context.Context) (context.Context, context.CancelFunc) {
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

// ServeTFTP stores an upload. Every upload is stored: one that isn't understood goes under its file
// name or source.
func (h *handler) ServeTFTP(ctx context.Context, r *tftp.Request) error {
	c := h.captureOf(r)
	stored, err := h.keep(ctx, &c)
	if err != nil {
		return err
	}
	r.Annotate(noted(stored, c)...)
	if !r.Peer.Addr().IsLoopback() {
		h.warnOfSharing(c.Source, refOf(stored), c.NamedBy)
	}
	return nil
}

// keep stores a capture, however it came. An error is what the sender is told.
func (h *handler) keep(ctx context.Context, c *store.Capture) (store.Stored, error) {
	uid, err := uuid.NewV7()
	if err != nil {
		return store.Stored{}, err
	}
	c.UID, c.New = uid.String(), true
	ctx, cancel := h.until(ctx)
	defer cancel()
	if err := h.wait(ctx); err != nil {
		return store.Stored{}, h.refusal(err)
	}
	start := time.Now()
	stored, err := h.store.Put(ctx, *c)
	h.health.stored(time.Since(start), err)
	if err != nil {
		err = h.refusal(err)
	}
	return stored, err
}

func refOf(s store.Stored) string { return store.Device{Site: s.Site, Name: s.Device}.Ref() }

// noted is what the log says of a stored capture.
func noted(stored store.Stored, c store.Capture) []slog.Attr {
	device := slog.String("device", refOf(stored))
	complete := slog.Bool("complete", c.Complete)
	if stored.Spooled {
		return []slog.Attr{device, slog.Bool("spooled", true), complete}
	}
	return []slog.Attr{device, slog.Int64("id", stored.ID), slog.Bool("changed", stored.Changed),
		complete}
}

// captureOf returns an upload by TFTP as the store keeps it. A site of its source goes before that
// of its file name.
func (h *handler) captureOf(r *tftp.Request) store.Capture {
	u := capture.Upload{
		Peer: r.Peer, Local: r.Local, Filename: r.Filename, Mode: string(r.Mode),
		Options:  tftp.FormatOptions(r.Negotiated),
		Received: r.Received, Completed: r.Completed, Body: r.Body,
		Announced: r.Announced, Log: h.logs.Match(r.Filename),
	}
	c := u.Capture()
	h.setSite(&c, r.Peer.Addr())
	return c
}

// setSite sets the site of a capture's source, where there is one.
func (h *handler) setSite(c *store.Capture, source netip.Addr) {
	if site, ok := h.sites.Of(source); ok {
		c.Site = device.Text(site)
	}
}

// warnOfSharing logs once where a second device sends from an address. One that has its name from
// its file may be the first under a new name, as with a date in it that is not known as one.
func (h *handler) warnOfSharing(source, ref, namedBy string) {
	other := h.shared.meet(source, ref)
	switch {
	case other == "":
	case namedBy == store.NamedByFilename:
		h.log.Warn("an address sends files under several names, and each name makes a device: "+
			"if they are of one device, give its files one name, and tftpsql device merge puts "+
			"together what came", "address", source, "devices", other+" "+ref)
	default:
		h.log.Warn("several devices send from one address: behind NAT or in a container that is "+
			"normal, "+
			"and TFTP_ALLOW, TFTP_SITES and TFTP_READ=own can't tell them apart there",
			"address", source, "devices", other+" "+ref)
	}
}

// sharedAddresses remembers which device sends from which address. The zero value is ready.
type sharedAddresses struct {
	mu     sync.Mutex // guards what follows
	device map[string]string
	told   map[string]bool
}

// maxAddresses bounds the addresses that are remembered: more than the devices that one worker
// serves.
const maxAddresses = 20_000

// meet returns the device that sent from an address before, if it is another one and that was not
// told yet.
func (s *sharedAddresses) meet(address, device string) string {
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

// refusal returns what the device is told when its upload is not stored. The log gets the cause and
// what to do.
func (h *handler) refusal(err error) error {
	if h.quit != nil && h.quit.Err() != nil && errors.Is(err, context.Canceled) {
		return stopping.tell(tftp.CodeUndefined, errors.New("it was not stored within TFTP_DRAIN"))
	}
	switch store.ClassOf(err) {
	case store.Exists:
		return exists.tell(tftp.CodeExists, err)
	case store.Full:
		return full.tell(tftp.CodeFull, err)
	}
	return unavailable.tell(tftp.CodeUndefined, err)
}

// ReadTFTP returns what was published under a name, or what the same address sent, as TFTP_READ
// says.
func (h *handler) ReadTFTP(ctx context.Context, r *tftp.Request) ([]byte, error) {
	if h.read == "none" {
		return nil, notAllowed.tell(tftp.CodeAccess, errors.New("reading is off: TFTP_READ=none"))
	}
	ctx, cancel := h.until(ctx)
	defer cancel()
	if err := h.wait(ctx); err != nil {
		return nil, h.refusal(err)
	}
	body, err := h.store.FetchPublished(ctx, capture.PublishedName(r.Filename), r.Peer.Addr(),
		time.Now())
	switch {
	case errors.Is(err, store.ErrNotAllowed):
		return nil, notAllowed.tell(tftp.CodeAccess, err)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, h.refusal(err)
	case err == nil:
		return body, nil
	case h.read == "published":
		return nil, notFound.tell(tftp.CodeNotFound,
			errors.New("nothing is published under that name"))
	}
	return h.own(ctx, r)
}

func ref(n store.Name) string { return store.Device{Site: n.Site, Name: n.Name}.Ref() }

// own returns the newest whole file of that name that came by TFTP from the asker's own address,
// and only while everything from there belongs to one device: behind NAT one customer's firewall
// could otherwise fetch another's. Loopback is excepted: it is this machine.
func (h *handler) own(ctx context.Context, r *tftp.Request) ([]byte, error) {
	source := device.Source(r.Peer.Addr())
	body, devices, err := h.store.NewestFrom(ctx, source, device.Text(r.Filename), time.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, notFound.tell(tftp.CodeNotFound,
			fmt.Errorf("nothing of that name came by TFTP from %s", source))
	case err != nil:
		return nil, h.refusal(err)
	case len(devices) > 1 && !r.Peer.Addr().IsLoopback():
		return nil, notAllowed.tell(tftp.CodeAccess, fmt.Errorf("%s and %s send from %s, so what "+
			"came from there is not given back: tftpsql device merge makes one of two names, and "+
			"tftpsql publish hands a file over", ref(devices[0]), ref(devices[1]), source))
	}
	return body, nil
}

// fetchNoteTimeout bounds the note that a published file was fetched.
const fetchNoteTimeout = 10 * time.Second

// ended notes the end of a transfer: a failure, and that a published file was fetched.
func (h *handler) ended(o tftp.Outcome) {
	h.failures.note(o)
	h.health.metrics.ended(o)
	if o.Request.Op != tftp.OpRead || o.Err != nil {
		return
	}
	go func() { // ends by its timeout
		ctx, cancel := context.WithTimeout(context.Background(), fetchNoteTimeout)
		defer cancel()
		name := capture.PublishedName(o.Request.Filename)
		if err := h.store.Fetched(ctx, name, o.Request.Peer.Addr(), time.Now()); err != nil {
			h.log.Warn("a fetch could not be noted", "file", o.Request.Filename, "err", err)
		}
	}()
}

// wider returns TFTP_ALLOW with one more address.
func wider(allow config.Allow, addr netip.Addr) string {
	return strings.TrimPrefix(allow.String()+","+addr.WithZone("").String(), ",")
}

// admission admits sources, and uploads while the disk has space, before anything is kept of a
// request.
func admission(allow config.Allow, whyFull func() error) func(*tftp.Request) error {
	return func(r *tftp.Request) error {
		addr := r.Peer.Addr()
		if !allow.Contains(addr) {
			return notAllowed.tell(tftp.CodeAccess,
				fmt.Errorf("%s is not served: add it to TFTP_ALLOW, as in TFTP_ALLOW=%s",
					addr, wider(allow, addr)))
		}
		if r.Op == tftp.OpWrite {
			if err := whyFull(); err != nil {
				return full.tell(tftp.CodeFull, err)
			}
		}
		return nil
	}
}
