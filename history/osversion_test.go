package history

import "testing"

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		comparison, version string
		want                bool
	}{
		{"<7.2.8", "7.2.10", false}, {"<7.2.8", "7.2.7", true}, {"<7.2.8", "6.4.15", true},
		{"<7.2.8", "7.4.0", false},
		{"<=7.2.8", "7.2.8", true}, {"7.2.8", "7.2.8", true}, {"=7.2.8", "7.2.80", false},
		{">7.2.8", "7.2.10", true},
		{">=7.2,<7.2.8", "7.2.5", true}, {">=7.2,<7.2.8", "7.0.12", false},
		{"<15.2(7)E3", "15.2(7)E", true},
		{">=15.2(7)E3", "15.2(7)E10", true}, {"<17.09.04a", "17.09.04", true},
		{"<7.2.8", "", false},
		{"<21.4R3-S5", "21.4R3-S4.9", true}, {">7.1beta3", "7.1", false}, {">8", "10.1", true},
	} {
		if got := versionMatches(c.comparison, c.version); got != c.want {
			t.Errorf("%s of %s: %v", c.comparison, c.version, got)
		}
	}
	for text, want := range map[string]bool{"7.2.8": true, "<7.2.8": true, ">= 7.2, < 7.4": true,
		"": false, "<": false, "new": false, "7.2,": false} {
		if err := CheckVersion(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
