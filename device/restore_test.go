package device

import (
	"strings"
	"testing"
)

// TestRestoreLines: a line to type names server and file, for every platform.
func TestRestoreLines(t *testing.T) {
	for platform := range restores {
		fetch, then := RestoreLines(platform, "K7.conf", "192.0.2.9")
		both := fetch + " " + then
		if strings.Contains(both, "SERVER") && !strings.Contains(then, "as it asks") ||
			strings.Contains(fetch, "NAME") {
			t.Errorf("%s: %q, then %q", platform, fetch, then)
		}
	}
	if fetch, _ := RestoreLines("fortinet", "K7.conf",
		""); fetch != "execute restore config tftp K7.conf SERVER" {
		t.Error(fetch)
	}
	if fetch, then := RestoreLines("cisco_nxos", "K7.conf", "192.0.2.9"); then != "reload" ||
		fetch != "copy tftp://192.0.2.9/K7.conf startup-config vrf management" {
		t.Errorf("%s, then %s", fetch, then)
	}
	if fetch, _ := RestoreLines("", "K7.conf", ""); fetch != "tftp SERVER: get K7.conf" {
		t.Error(fetch)
	}
}
