package move

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/store"
)

func TestFileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long/", 60)
	records := []store.Record{
		{Site: "..", Device: ".."}, {Site: "../..", Device: "/etc/passwd"},
		{Site: "", Device: "a/b"}, {Site: "a", Device: "b"}, {Site: "/", Device: `c:\x`},
		{Device: "FW1"}, {Device: "fw1"}, {Device: "nul"}, {Device: "COM1.x"}, {Device: "-rf"},
		{Device: "x."}, {Device: long}, {Site: long, Device: long + "2"},
		{Device: "größe ☃"}, {Device: "a%2Fb"}, {Device: "fw1", Kind: "vdom:../x"},
		{Site: "fw1.conf", Device: "y"}, {Device: "\xff\n"}, {Site: ".git", Device: "config"},
	}
	for i := range records {
		if records[i].Kind == "" {
			records[i].Kind = "full"
		}
	}
	seen := map[string]int{}
	for i, name := range fileNames(records) {
		if !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\:\n") ||
			strings.Contains(name, "/.") || strings.HasPrefix(name, ".") ||
			strings.HasPrefix(name, "-") || strings.Contains(name, "//") {
			t.Errorf("%+v becomes %q", records[i], name)
		}
		for part := range strings.SplitSeq(name, "/") {
			if len(part) > 220 {
				t.Errorf("a name of %d bytes", len(part))
			}
		}
		if other, ok := seen[strings.ToLower(name)]; ok {
			t.Errorf("%+v and %+v are both %q", records[i], records[other], name)
		}
		seen[strings.ToLower(name)] = i
	}
	if got := fileNames(records[13:14])[0]; got != "größe ☃.conf" {
		t.Errorf("a plain name became %q", got)
	}
}
