package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// readJSON reads the object that a request sends. A field that is unknown is an error: one that is
// misspelt would be left out.
func (v *visit) readJSON(to any) error {
	if kind, _, _ := mime.ParseMediaType(v.r.Header.Get("Content-Type")); kind !=
		"application/json" {
		return status{http.StatusUnsupportedMediaType,
			"send an object as Content-Type: application/json, as curl --json does"}
	}
	d := json.NewDecoder(v.r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(to)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case errors.Is(err, io.EOF):
		return badf("send an object, {} where it has no fields")
	case err != nil:
		return badf("the object can't be read: %w", err)
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return badf("send one object, and nothing behind it")
	}
	return nil
}

// apiManage does what an operator asks of a device, and returns the device as it is then.
func (p *Page) apiManage(v *visit) error {
	action := v.r.PathValue("action")
	field, ok := actions[action]
	if !ok {
		return errNotFound
	}
	if _, err := v.asked(); err != nil {
		return err
	}
	sent := map[string]string{}
	if err := v.readJSON(&sent); err != nil {
		return err
	}
	for name := range sent {
		if name != field {
			return badf("%s has no field %q", action, shown(name))
		}
	}
	if _, ok := sent[field]; !ok && field != "" {
		return badf("%s needs the field %q", action, field)
	}
	d, err := v.device()
	if err != nil {
		return err
	}
	if d, err = v.act(d, action, sent[field]); err != nil {
		return err
	}
	if d, err = v.named(siteInURL(d.Site), d.Name); err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, v.deviceJSON(d))
	return nil
}

// apiForget deletes a device. Its other names don't do: what they mean has changed before.
func (p *Page) apiForget(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	d, err := v.device()
	if err != nil {
		return err
	}
	if d.Name != v.r.PathValue("name") || d.Site != siteOfURL(v.r.PathValue("site")) {
		return status{http.StatusConflict, "this is another name of " +
			shown(deviceName(d.Site, d.Name)) + ": to forget it, use that name"}
	}
	captures, err := v.forget(d)
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, struct {
		Forgotten string `json:"forgotten"`
		Captures  int    `json:"captures"`
	}{d.Ref(), captures})
	return nil
}

func (p *Page) apiPublished(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	list, err := v.store.Published(v.r.Context(), v.now)
	if err != nil {
		return err
	}
	return writeList(v.w, all(list,
		func(one store.Publication) any { return history.JSONOfPublication(one) }))
}

// publishedJSON is what was just published, with what to type on the device.
type publishedJSON struct {
	history.PublicationJSON
	Fetch string `json:"fetch"`
	Then  string `json:"then"`
}

// apiPublish publishes a version.
func (p *Page) apiPublish(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	var sent struct {
		Ref  string `json:"ref"`
		At   string `json:"at"`
		For  string `json:"for"`
		To   string `json:"to"`
		Once bool   `json:"once"`
	}
	if err := v.readJSON(&sent); err != nil {
		return err
	}
	if sent.Ref == "" {
		return badf(`publish what? {"ref": "acme/fw1"}, or "@42" for a capture`)
	}
	at, err := v.at(sent.At)
	if err != nil {
		return err
	}
	r, err := v.store.Resolve(v.r.Context(), refOf(sent.Ref), at)
	if err != nil {
		return err
	}
	now, err := p.publishNow(v, r, sent.For, sent.To, sent.Once)
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusCreated, publishedJSON{history.JSONOfPublication(now.Publication),
		now.Fetch, now.Then})
	return nil
}

func (p *Page) apiUnpublish(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	name := v.r.PathValue("name")
	if err := v.unpublish(name); err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, struct {
		Ended string `json:"ended"`
	}{name})
	return nil
}

// elsewhere answers for addresses that are none, and for methods that an address doesn't have.
func (p *Page) elsewhere(v *visit) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut,
		http.MethodDelete} {
		r := v.r.Clone(v.r.Context())
		r.Method = method
		if _, pattern := p.mux().Handler(r); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return errNotFound
	}
	for _, method := range allowed {
		v.w.Header().Add("Allow", method)
	}
	return status{http.StatusMethodNotAllowed, "this address doesn't take " + shown(v.r.Method)}
}

// hinted says of what isn't there where there are lists.
func hinted(s status) status {
	if s == errNotFound {
		s.text += ": /api/v1/devices and /api/v1/captures list what there is"
	}
	return s
}
