package web_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tftpsql/tftpsql/store"
)

var updatePictures = flag.Bool("picture", false, "write the pictures of the page into docs/")

// TestPictures takes the pictures of the page that the documents show. make picture writes them.
func TestPictures(t *testing.T) {
	if !*updatePictures {
		t.Skip("make picture takes them")
	}
	s := serve(t, engines["sqlite"](t), nil)
	first, second := madeUpFleet(t, s)
	b := newWindow(t, s)
	b.login(store.Operator, nil)
	for name, path := range map[string]string{
		"page-list":  "/devices",
		"page-diff":  "/diff/" + id(first) + ".." + id(second) + "?view=split",
		"page-blame": "/c/" + id(second) + "/blame",
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

// madeUpFleet stores a fleet of four sites, and returns the last change of a firewall.
func madeUpFleet(t *testing.T, s *site) (before, after store.Stored) {
	s.at = time.Now().Add(-20 * 24 * time.Hour)
	for night := range 6 {
		for i := range 24 {
			at := []string{"acme", "globex", "initech", "umbrella"}[i%4]
			if i%3 == 0 {
				s.put(t, at, fmt.Sprintf("sw-core-%02d", i), madeUpSwitch(i, night))
				continue
			}
			s.put(t, at, fmt.Sprintf("fw-edge-%02d", i), madeUpFirewall(i, night))
		}
		s.at = s.at.Add(3*24*time.Hour + 7*time.Minute)
	}
	s.put(t, "acme", "fw-hq", madeUpFirewall(99, 1))
	s.at = s.at.Add(26 * time.Hour)
	s.put(t, "acme", "fw-hq", madeUpFirewall(99, 3))
	s.at = s.at.Add(5 * time.Hour)
	before = s.put(t, "acme", "fw-hq", madeUpFirewall(99, 4))
	s.at = s.at.Add(4 * time.Hour)
	return before, s.put(t, "acme", "fw-hq", madeUpFirewall(99, 5))
}

func madeUpFirewall(i, night int) string {
	name := fmt.Sprintf("fw-edge-%02d", i)
	if i == 99 {
		name = "fw-hq"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#config-version=FGT60F-7.4.%d-FW-build2731-250120:opmode=0:vdom=0:"+
		"user=admin\n"+
		"config system global\n    set hostname \"%s\"\n    set admintimeout %d\n"+
		"    set timezone \"Europe/Berlin\"\nend\n"+
		"config system admin\n    edit \"admin\"\n        set accprofile \"super_admin\"\n"+
		"        set password ENC SH2%020d\n    next\nend\nconfig firewall policy\n",
		7+night/4, name, 10+5*(night/4), i)
	for p := range 4 + night {
		fmt.Fprintf(&b, "    edit %d\n        set name \"lan-to-%s\"\n"+
			"        set srcintf \"lan\"\n"+
			"        set dstintf \"wan1\"\n        set srcaddr \"all\"\n"+
			"        set dstaddr \"%s\"\n"+
			"        set action accept\n        set schedule \"always\"\n"+
			"        set service \"%s\"\n"+
			"    next\n", p+1, words[p%len(words)], words[p%len(words)],
			[]string{"HTTPS", "DNS", "SMTP"}[(p+night/5)%3])
	}
	return b.String() + "end\n"
}

var words = []string{"internet", "dmz", "branch", "voice", "guest", "backup", "mail", "dc"}

func madeUpSwitch(i, night int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "!\nversion 15.2\nhostname sw-core-%02d\n!\n"+
		"enable secret 9 $9$abc%d\n!\n", i, i)
	for p := range 12 {
		fmt.Fprintf(&b, "interface GigabitEthernet1/0/%d\n description port %d\n"+
			" switchport access vlan %d\n!\n", p+1, p+1, 10+(p*night+i)%3)
	}
	return b.String() + "end\n"
}
