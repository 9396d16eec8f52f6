package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tftpsql/tftpsql/store"
)

// An Incoming is an upload by HTTP.
type Incoming struct {
	Peer     netip.AddrPort
	Local    netip.Addr
	Site     *string // "" for none; nil for that of the source or the file's name
	Filename string
	Name     string // of the device, where the sender knows it; "" for that of the file
	By       string // who has changed it, where the sender knows it
	Began    time.Time
	Body     []byte
}

// setSite sets the site of an upload. The file's name then begins with it, so that write-once asks
// for the names of this site.
func (u *Incoming) setSite(site string) {
	u.Site, u.Filename = &site, site+"/"+u.Filename
}

// Inbox is what takes uploads by HTTP.
type Inbox struct {
	// Take stores an upload. A nil error means that it is durable.
	Take func(*http.Request, Incoming) (store.Stored, error)
	// Accept returns an error where a source may not send.
	Accept func(netip.Addr) error
	// Refused counts an upload that failed, or was refused before its body was read: then begun is
	// false. The code is what its sender was told.
	Refused func(u Incoming, code int, err error, begun bool)
	// Refusal returns what a sender is told: a status code and a text.
	Refusal func(error) (code int, text string)
	MaxSize int64 // bytes of an upload
	Memory  int64 // bytes of all bodies at once
}

// uploads are those that run.
type uploads struct {
	mu      sync.Mutex // guards leaving
	leaving bool
	running sync.WaitGroup // none is added once leaving is set
}

// begin reports whether another upload may begin.
func (u *uploads) begin() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.leaving {
		u.running.Add(1)
	}
	return !u.leaving
}

func (u *uploads) end() { u.running.Done() }

// Drain refuses new uploads, and waits for those that run until ctx ends.
func (p *Page) Drain(ctx context.Context) {
	p.uploads.mu.Lock()
	p.uploads.leaving = true
	p.uploads.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends with the last upload
		p.uploads.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// room is the memory that bodies may take.
type room struct {
	free chan struct{} // a token for each roomUnit
}

// roomUnit is the unit of memory, in bytes: small files take one.
const roomUnit = 1 << 20

func newRoom(bytes int64) *room {
	r := &room{free: make(chan struct{}, max(bytes/roomUnit, 1))}
	for range cap(r.free) {
		r.free <- struct{}{}
	}
	return r
}

// take takes so many units, or none.
func (r *room) take(units int) bool {
	for i := range units {
		select {
		case <-r.free:
		default:
			r.give(i)
			return false
		}
	}
	return true
}

func (r *room) give(units int) {
	for range units {
		r.free <- struct{}{}
	}
}

// errBusy is the answer where there is no memory for a body.
var errBusy = status{http.StatusServiceUnavailable, "too much is being sent at once: try again"}

// ErrTorn is the error of an upload that ended before its end.
var ErrTorn error = badRequest{errors.New("the body ended before its end: send it again")}

func (p *Page) tooLarge() error {
	return status{http.StatusRequestEntityTooLarge, fmt.Sprintf(
		"too large: at most %d bytes; TFTP_MAX_SIZE sets it", p.Inbox.MaxSize)}
}

// receive reads a body within the bounds. Its memory is given back by done.
func (p *Page) receive(body io.Reader) (b []byte, done func(), err error) {
	units := 0
	done = func() { p.room.give(units) }
	defer func() {
		if err != nil {
			done()
			done = func() {}
		}
	}()
	for {
		if len(b) == cap(b) {
			// a byte more than may come shows that it is too much
			grown := min(max(2*cap(b), roomUnit), max(int(p.Inbox.MaxSize), cap(b))+1)
			more := (grown+roomUnit-1)/roomUnit - units
			if !p.room.take(more) {
				return nil, done, errBusy
			}
			units += more
			b = slices.Grow(b, grown-len(b))
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > p.Inbox.MaxSize:
			return nil, done, p.tooLarge()
		case errors.Is(err, io.EOF):
			return b, done, nil
		case err != nil:
			return nil, done, ErrTorn
		}
	}
}

// answer knows its status, for the log.
type answer struct {
	http.ResponseWriter
	code int
}

func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// inServes answers what comes to /in/: uploads, and what clients of WebDAV ask before.
func (p *Page) inServes(to http.ResponseWriter, r *http.Request) {
	w := &answer{to, http.StatusOK}
	defer func() {
		p.Log.Debug("request", "peer", p.source(r), "method", r.Method, "path", r.URL.Path,
			"status", w.code)
	}()
	p.headers(w, r)
	v := &visit{w: w, r: r, now: time.Now(), page: p}
	err := errStopping
	if p.uploads.begin() {
		defer p.uploads.end()
		err = p.in(v)
	}
	if err != nil {
		s := asStatus(err)
		if s.code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="tftpsql"`)
		}
		if s.code == http.StatusServiceUnavailable || s.code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "30")
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(s.code)
		_, _ = fmt.Fprintln(w, s.text)
	}
	_ = http.NewResponseController(w).Flush() // before the server may end
}

var errStopping error = status{http.StatusServiceUnavailable,
	"the server is stopping: try again"}

func (p *Page) in(v *visit) error {
	switch {
	case !p.Loopback && !p.secure(v.r):
		return status{http.StatusForbidden, "a token must not go over the network in clear: " +
			"use HTTPS (TLS_CERT and TLS_KEY, or a proxy of TRUSTED_PROXIES)"}
	case p.Loopback && !p.localName(v.r.Host):
		return status{http.StatusMisdirectedRequest, "this address is for this machine"}
	}
	if err := p.crossSite.Check(v.r); err != nil { // by a browser that keeps a token
		return status{http.StatusForbidden, "this request comes from another site"}
	}
	u := v.incoming()
	if err := p.admitIn(v, u.Peer.Addr()); err != nil {
		told := p.refusal(err)
		if !errors.Is(err, errNoToken) { // clients try without one first
			p.Inbox.Refused(u, asStatus(told).code, err, false)
		}
		return told
	}
	switch v.r.Method {
	case http.MethodPut, http.MethodPost:
		return p.takeIn(v, u)
	case http.MethodHead:
		if !strings.HasSuffix(v.r.URL.Path, "/") {
			return errNotFound // nothing that was sent is shown
		}
		return nil // every folder is there
	case http.MethodOptions:
		v.w.Header().Set("Allow", inMethods)
		v.w.Header().Set("DAV", "1")
		return nil
	case "MKCOL":
		v.w.WriteHeader(http.StatusCreated)
		return nil
	case "PROPFIND":
		v.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
		v.w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(v.w, `<?xml version="1.0"?><multistatus xmlns="DAV:"/>`)
		return nil
	}
	v.w.Header().Set("Allow", inMethods)
	return status{http.StatusMethodNotAllowed, "send with PUT or POST"}
}

// inMethods are what /in/ answers: uploads, and what clients of WebDAV ask before.
const inMethods = "OPTIONS, HEAD, PUT, POST, PROPFIND, MKCOL"

// incoming is what is known of an upload before its body has come.
func (v *visit) incoming() Incoming {
	u := Incoming{Began: v.now, Filename: strings.TrimPrefix(v.r.URL.Path, "/in/")}
	u.Filename = u.Filename[:min(len(u.Filename), longestIn)]
	source, _ := netip.ParseAddr(v.page.source(v.r))
	at, _ := netip.ParseAddrPort(v.r.RemoteAddr)
	u.Peer = netip.AddrPortFrom(source, at.Port())
	if local, ok := v.r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		u.Local = local.AddrPort().Addr().Unmap()
	}
	return u
}

// knowWithin is how long the database has to say whose token it is.
const knowWithin = 10 * time.Second

var errNoToken error = status{http.StatusUnauthorized, "a token is needed: tftpsql token add " +
	"NAME --role uploader makes one; send it as Authorization: Bearer, or as the password"}

// admitIn returns an error where a source or a token may not send.
func (p *Page) admitIn(v *visit, source netip.Addr) error {
	if err := p.Inbox.Accept(source); err != nil {
		return err
	}
	s := p.Store()
	if s == nil {
		return status{http.StatusServiceUnavailable, "starting: try again"}
	}
	secret, ok := token(v.r)
	if !ok {
		return errNoToken
	}
	asked := v.r
	ctx, cancel := context.WithTimeout(asked.Context(), knowWithin)
	defer cancel()
	v.r = asked.WithContext(ctx)
	err := p.identifyToken(v, s, secret)
	v.r = asked
	if err == nil && v.Role != store.Uploader {
		err = status{http.StatusForbidden,
			"this token may not send: one of the role uploader may"}
	}
	return err
}

// takeWithin bounds an upload by HTTP: the largest over a slow line.
const takeWithin = 10 * time.Minute

// takeIn stores what was sent.
func (p *Page) takeIn(v *visit, u Incoming) error {
	control := http.NewResponseController(v.w)
	_ = control.SetReadDeadline(v.now.Add(takeWithin)) // else the server's own bounds hold
	_ = control.SetWriteDeadline(v.now.Add(takeWithin + time.Minute))
	done, err := v.readIn(&u)
	defer done()
	if err == nil {
		err = v.bindSite(&u)
	}
	if err == nil && strings.ContainsFunc(u.Filename, unicode.IsControl) { // as by SSH
		err = badf("the name of the file or the site has a control character")
	}
	var stored store.Stored
	if err == nil {
		stored, err = p.Inbox.Take(v.r, u)
	}
	if err != nil {
		told := asStatus(p.refusal(err))
		p.Inbox.Refused(u, told.code, err, true)
		return told
	}
	text := fmt.Sprintf("stored %s @%d", deviceName(stored.Site, stored.Device), stored.ID)
	switch {
	case stored.Spooled:
		text = "stored " + deviceName(stored.Site, stored.Device) + " in the spool"
	case stored.Changed:
		text += " changed"
	}
	text = shown(text) + "\n"
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(v.w, text) // 200, which Oxidized wants
	return nil
}

// bindSite keeps an upload to the sites of its token. A token of one site needs no other word, and
// what a file's name or its source says of another site doesn't count.
func (v *visit) bindSite(u *Incoming) error {
	switch {
	case v.Sites == nil:
		return nil
	case u.Site == nil && len(v.Sites) == 1:
		u.setSite(v.Sites[0])
		return nil
	case u.Site == nil || !slices.Contains(v.Sites, *u.Site):
		return status{http.StatusForbidden, "this token sends for other sites"}
	}
	return nil
}

// refusal makes of an error what its sender is told.
func (p *Page) refusal(err error) error {
	var known status
	var mistake badRequest
	if errors.As(err, &known) || errors.As(err, &mistake) {
		return err
	}
	code, text := p.Inbox.Refusal(err)
	return status{code, text}
}

// longestIn bounds the name of a file, in bytes, as TFTP does.
const longestIn = 512

// readIn reads an upload: its address says SITE/NAME or NAME, its body is the file, a form with one
// file, or what Oxidized sends. A form may go to a folder, since its file has a name.
func (v *visit) readIn(u *Incoming) (done func(), err error) {
	p, r := v.page, v.r
	done = func() {}
	if r.ContentLength > p.Inbox.MaxSize+formRoom {
		return done, p.tooLarge()
	}
	address := strings.TrimPrefix(r.URL.EscapedPath(), "/in/")
	if address == "oxidized" && r.Method == http.MethodPost {
		return v.readOxidized(u)
	}
	site, name, ok := strings.Cut(address, "/")
	if !ok {
		site, name = "", address
	}
	plainSite, errSite := url.PathUnescape(site)
	plainName, errName := url.PathUnescape(name)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isForm := kind == "multipart/form-data"
	if errSite != nil || errName != nil || plainName == "" && !isForm ||
		len(plainSite)+len(plainName) > longestIn {
		return done, errAddress
	}
	u.Filename = plainName
	if ok {
		u.setSite(siteOfURL(plainSite))
	}
	if !isForm {
		u.Body, done, err = p.receive(r.Body)
		return done, err
	}
	form, err := r.MultipartReader()
	if err != nil {
		return done, badf("the form can't be read: %w", err)
	}
	file, err := nextFile(form)
	if err == nil && file == nil {
		err = badf("the form has no file: curl -F file=@fw1.conf sends one")
	}
	if err != nil {
		return done, err
	}
	if plainName == "" || strings.HasSuffix(plainName, "/") {
		u.Filename += path.Base(strings.ReplaceAll(file.FileName(), `\`, "/"))
		if len(u.Filename) > longestIn {
			return done, errAddress
		}
	}
	if u.Body, done, err = p.receive(file); err != nil {
		return done, err
	}
	if file, err = nextFile(form); err == nil && file != nil {
		err = badf("the form has several files: send one at a time")
	}
	return done, err
}

var errAddress = badf("send to /in/SITE/NAME, or to /in/NAME; both have at most %d bytes",
	longestIn)

const (
	// formParts bounds the fields before and after the file of a form.
	formParts = 20
	// formRoom is what a form may have besides its file, in bytes.
	formRoom = 64 << 10
)

// nextFile returns the next file of a form, nil where there is none.
func nextFile(form *multipart.Reader) (*multipart.Part, error) {
	for range formParts {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, ErrTorn
		case part.FileName() != "":
			return part, nil
		}
	}
	return nil, badf("the form has too many fields")
}

// readOxidized reads what Oxidized's output http sends.
func (v *visit) readOxidized(u *Incoming) (done func(), err error) {
	b, done, err := v.page.receive(v.r.Body)
	if err != nil {
		return done, err
	}
	var sent struct {
		Message string  `json:"msg"`
		User    string  `json:"user"`
		Email   string  `json:"email"`
		Group   string  `json:"group"`
		Node    string  `json:"node"`
		Config  *string `json:"config"`
	}
	if err := json.Unmarshal(b, &sent); err != nil || sent.Node == "" || sent.Config == nil {
		return done, badf("this is not what Oxidized sends: JSON with node and config")
	}
	site := sent.Group
	if site == usualGroup {
		site = ""
	}
	u.Filename, u.Name, u.Body = sent.Node, sent.Node, []byte(*sent.Config)
	u.By = cmp.Or(sent.User, sent.Email)
	if site != "" || len(v.Sites) != 1 { // else it is that of the token
		u.setSite(site)
	}
	return done, nil
}
