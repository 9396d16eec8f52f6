package web_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/store"
)

var updatePictures = flag.Bool("picture", false, "write the pictures of the page into docs/")

// TestPictures takes the pictures of the page that the documents show. make picture writes them.
func TestPictures(t *testing.T) {
	if !*updatePictures {
		t.Skip("make picture takes them")
	}
	s := serve(t, engines["sqlite"](t), nil)
	demo := move.Import{From: move.Demo(time.Now()), To: s.store}
	if _, err := demo.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := s.store.Resolve(t.Context(), "fw-acme", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.store.Resolve(t.Context(), "fw-acme~1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	b := newWindow(t, s)
	b.login(store.Operator, nil)
	for name, path := range map[string]string{
		"page-list":  "/devices",
		"page-diff":  fmt.Sprintf("/diff/%d..%d?view=split", before.ID, after.ID),
		"page-blame": fmt.Sprintf("/c/%d/blame", after.ID),
	} {
		b.do(chromedp.EmulateViewport(1280, 720))
		b.open(path)
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "docs", name+".png")
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
