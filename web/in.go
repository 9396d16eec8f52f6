package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// An Incoming is an upload by HTTP.
type Incoming struct {
	Peer     netip.AddrPort
	Site     *string // that the address names; nil for that of the source or the file's name
	Filename string
	Name     string // of the device, where the sender knows it; "" for that of the file
	By       string // who has changed it, where the sender knows it
	Began    time.Time
	Body     []byte
}

// Inbox is what takes uploads by HTTP.
type Inbox struct {
	// Take stores an upload. A nil error means that it is durable.
	Take func(*http.Request, Incoming) (store.Stored, error)
	// Accept returns an error where a source may not send.
	Accept func(netip.Addr) error
	// Refused counts an upload that failed or was refused.
	Refused func(Incoming, error)
	// Refusal returns what a sender is told: a status code and a text.
	Refusal func(error) (code int, text string)
	MaxSize int64 // bytes of an upload
	Memory  int64 // bytes of all bodies at once
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
			grown := max(2*cap(b), roomUnit)
			if !p.room.take((grown - cap(b) + roomUnit - 1) / roomUnit) {
				return nil, done, errBusy
			}
			units += (grown - cap(b) + roomUnit - 1) / roomUnit
			b = slices.Grow(b, grown-len(b))
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > p.Inbox.MaxSize:
			return nil, done, status{http.StatusRequestEntityTooLarge, fmt.Sprintf(
				"too large: at most %d bytes; TFTP_MAX_SIZE sets it", p.Inbox.MaxSize)}
		case errors.Is(err, io.EOF):
			return b, done, nil
		case err != nil:
			return nil, done, badf("the body ended before its end: send it again")
		}
	}
}

// inServes answers what comes to /in/: uploads, and what clients of WebDAV ask before.
func (p *Page) inServes(w http.ResponseWriter, r *http.Request) {
	p.headers(w, r)
	v := &visit{w: w, r: r, now: time.Now(), page: p}
	if err := p.in(v); err != nil {
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
}

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
	source, _ := netip.ParseAddr(p.source(v.r))
	if err := p.Inbox.Accept(source); err != nil {
		return p.refusal(err)
	}
	s := p.Store()
	if s == nil {
		return status{http.StatusServiceUnavailable, "starting: try again"}
	}
	secret, ok := token(v.r)
	if !ok {
		return status{http.StatusUnauthorized, "a token is needed: tftpsql token add NAME " +
			"--role uploader makes one; send it as Authorization: Bearer, or as the password"}
	}
	if err := p.identifyToken(v, s, secret); err != nil {
		return err
	}
	if v.Role != store.Uploader {
		return status{http.StatusForbidden, "this token may not send: one of the role uploader may"}
	}
	switch v.r.Method {
	case http.MethodPut, http.MethodPost:
		return p.takeIn(v, source)
	case http.MethodOptions:
		v.w.Header().Set("Allow", "OPTIONS, PUT, POST, PROPFIND, MKCOL")
		v.w.Header().Set("DAV", "1")
		return nil
	case "MKCOL":
		v.w.WriteHeader(http.StatusCreated) // every folder is there
		return nil
	case "PROPFIND":
		v.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
		v.w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(v.w, `<?xml version="1.0"?><multistatus xmlns="DAV:"/>`)
		return nil
	}
	v.w.Header().Set("Allow", "OPTIONS, PUT, POST, PROPFIND, MKCOL")
	return status{http.StatusMethodNotAllowed, "send with PUT or POST"}
}

// takeWithin bounds an upload by HTTP: the largest over a slow line.
const takeWithin = 10 * time.Minute

// takeIn stores what was sent.
func (p *Page) takeIn(v *visit, source netip.Addr) error {
	control := http.NewResponseController(v.w)
	_ = control.SetReadDeadline(v.now.Add(takeWithin)) // else the server's own bounds hold
	_ = control.SetWriteDeadline(v.now.Add(takeWithin + time.Minute))
	port := uint16(0)
	if at, err := netip.ParseAddrPort(v.r.RemoteAddr); err == nil {
		port = at.Port()
	}
	u := Incoming{Peer: netip.AddrPortFrom(source, port), Began: v.now}
	done, err := p.readIn(v.r, &u)
	defer done()
	if err == nil && !v.maySend(u.Site) {
		err = status{http.StatusForbidden, "this token sends for other sites"}
	}
	if err == nil && v.Sites != nil && u.Site == nil { // a token of one site needs no other word
		u.Site = &v.Sites[0]
	}
	if err != nil {
		p.Inbox.Refused(u, err)
		return err
	}
	stored, err := p.Inbox.Take(v.r, u)
	if err != nil {
		p.Inbox.Refused(u, err)
		return p.refusal(err)
	}
	text := fmt.Sprintf("stored %s @%d", deviceName(stored.Site, stored.Device), stored.ID)
	switch {
	case stored.Spooled:
		text = "stored " + deviceName(stored.Site, stored.Device) + " in the spool"
	case stored.Changed:
		text += " changed"
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(v.w, shown(text)) // 200, which Oxidized wants
	return nil
}

// maySend reports whether the token may send for a site.
func (v *visit) maySend(site *string) bool {
	return v.Sites == nil || site == nil && len(v.Sites) == 1 ||
		site != nil && slices.Contains(v.Sites, *site)
}

func (p *Page) refusal(err error) error {
	code, text := p.Inbox.Refusal(err)
	return status{code, text}
}

// longestIn bounds the name of a file, in bytes, as TFTP does.
const longestIn = 512

// readIn reads an upload: its address says SITE/NAME or NAME, its body is the file, a form with one
// file, or what Oxidized sends.
func (p *Page) readIn(r *http.Request, u *Incoming) (done func(), err error) {
	done = func() {}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/in/")
	if path == "oxidized" && r.Method == http.MethodPost {
		return p.readOxidized(r, u)
	}
	site, name, ok := strings.Cut(path, "/")
	if !ok {
		site, name = "", path
	}
	plainSite, errSite := url.PathUnescape(site)
	plainName, errName := url.PathUnescape(name)
	if errSite != nil || errName != nil || plainName == "" ||
		len(plainSite)+len(plainName) > longestIn {
		return done, badf("send to /in/SITE/NAME, or to /in/NAME; both have at most %d bytes",
			longestIn)
	}
	u.Filename = plainName
	if ok {
		s := siteOfURL(plainSite)
		u.Site = &s
		u.Filename = strings.TrimPrefix(s+"/"+plainName, "/")
	}
	body := io.Reader(r.Body)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind ==
		"multipart/form-data" {
		if body, err = firstFile(r); err != nil {
			return done, err
		}
	}
	u.Body, done, err = p.receive(body)
	return done, err
}

// firstFile returns the first file of a form.
func firstFile(r *http.Request) (io.Reader, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, badf("the form can't be read: %w", err)
	}
	for range formParts {
		part, err := form.NextPart()
		if err != nil {
			break
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
	return nil, badf("the form has no file: curl -F file=@fw1.conf sends one")
}

// formParts bounds the fields before the file of a form.
const formParts = 20

// readOxidized reads what Oxidized's output http sends.
func (p *Page) readOxidized(r *http.Request, u *Incoming) (done func(), err error) {
	b, done, err := p.receive(r.Body)
	if err != nil {
		return done, err
	}
	var sent struct {
		Message string `json:"msg"`
		User    string `json:"user"`
		Email   string `json:"email"`
		Group   string `json:"group"`
		Node    string `json:"node"`
		Config  string `json:"config"`
	}
	if err := json.Unmarshal(b, &sent); err != nil || sent.Node == "" {
		return done, badf("this is not what Oxidized sends: JSON with node and config")
	}
	site := sent.Group
	if site == usualGroup {
		site = ""
	}
	u.Site, u.Name, u.Body = &site, sent.Node, []byte(sent.Config)
	u.By = cmp.Or(sent.User, sent.Email)
	u.Filename = strings.TrimPrefix(site+"/"+sent.Node, "/")
	return done, nil
}
