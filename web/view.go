package web

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

//go:embed pages
var files embed.FS

// templates are the pages, each within the layout.
type templates map[string]*template.Template

// pageNames are the templates of pages.
var pageNames = []string{"front", "devices", "device", "config", "diff", "compare", "search",
	"changes", "failures", "published", "audit", "users", "tokens", "login", "link", "error",
	"blame", "alarms"}

func parseTemplates() *templates {
	base := template.Must(template.New("layout.html").Funcs(functions).
		ParseFS(files, "pages/layout.html", "pages/parts.html"))
	all := templates{}
	for _, name := range pageNames {
		one := template.Must(base.Clone())
		all[name] = template.Must(one.ParseFS(files, "pages/"+name+".html"))
	}
	return &all
}

// framed is what the layout shows around a page.
type framed struct {
	Title string
	Page  string // the template's name
	Path  string
	Who   store.Person
	Data  any
}

// Has reports whether the person may do what a role may.
func (f framed) Has(role string) bool { return f.Who.Role.Has(store.Role(role)) }

// show writes a page as it is made, so that a long one needs no memory.
func (p *Page) show(v *visit, name, title string, data any) error {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	out := bufio.NewWriterSize(flusher{v.w}, 16<<10)
	f := framed{Title: title, Page: name, Path: v.r.URL.RequestURI(), Who: v.Person, Data: data}
	if err := (*p.templates())[name].Execute(out, f); err != nil {
		if v.r.Context().Err() == nil {
			p.Log.Warn("a page could not be written", "page", name, "err", err)
		}
		return errCut
	}
	if out.Flush() != nil {
		return errCut
	}
	return nil
}

// flusher is a ResponseWriter under a buffer.
type flusher struct{ http.ResponseWriter }

// showError shows an error as a page.
func (p *Page) showError(w http.ResponseWriter, v *visit, s status) {
	if v == nil {
		v = &visit{w: w, r: &http.Request{URL: nothing}}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(s.code)
	f := framed{Title: http.StatusText(s.code), Page: "error", Path: v.r.URL.RequestURI(),
		Who: v.Person, Data: s.text}
	_ = (*p.templates())["error"].Execute(w, f) // the browser may have gone
}

// functions are what templates call.
var functions = template.FuncMap{
	"at": at, "ago": ago, "span": span, "shown": shown, "deviceURL": deviceURL,
	"siteInURL":  siteInURL,
	"captureURL": captureURL, "diffURL": diffURL, "deviceName": deviceName,
	"ref":     func(d store.Device) string { return deviceName(d.Site, d.Name) },
	"state":   history.State,
	"base":    base,
	"summary": summary, "by": by, "blocks": blocks, "describe": describe,
	"asset":  asset,
	"join":   func(list []string) string { return shown(strings.Join(list, " > ")) },
	"masked": maskedParts, "size": size, "now": time.Now,
	"add": func(a, b int) int { return a + b },
}

// base is a file's name without the folders before it.
func base(file string) string { return file[strings.LastIndexAny(file, `/\`)+1:] }

// at writes a time in the server's zone, as the commands do.
func at(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, // of digits and signs alone
		t.UTC().Format(time.RFC3339), t.Local().Format("2006-01-02 15:04")))
}

// ago writes how long ago a time was, in one unit.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := time.Since(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span writes a time span in one unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// size writes a number of bytes.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// A part is a piece of a line: a secret that is hidden, or text.
type part struct {
	Text   string
	Secret bool
}

// secretMark is what device writes for a secret.
const secretMark = "<secret>"

// maskedParts cuts a line where a secret is hidden.
func maskedParts(line string) (parts []part) {
	for i, text := range strings.Split(line, secretMark) {
		if i > 0 {
			parts = append(parts, part{secretMark, true})
		}
		if text != "" {
			parts = append(parts, part{text, false})
		}
	}
	return parts
}

// assets are the style, the script and the icon, under names that change when they do, so that a
// browser keeps them.
var assets = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		body, err := files.ReadFile("pages/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		names[name] = strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	}
	return names
})

// asset is the address of an asset.
func asset(name string) string { return "/static/" + assets()[name] }

func static(w http.ResponseWriter, r *http.Request) {
	for name, hashed := range assets() {
		if r.PathValue("file") != hashed {
			continue
		}
		body, _ := files.ReadFile("pages/" + name) // assets has read it
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(body)
		return
	}
	http.NotFound(w, r)
}
