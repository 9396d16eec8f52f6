package history

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// versionSigns are the comparisons of a version, the longer first.
var versionSigns = []string{"<=", ">=", "<", ">", "="}

// CheckVersion returns an error where a comparison of versions is malformed. It is a version, alone
// or after one of <, <=, >, >=, =; several are joined by commas, and all must hold: ">=7.2,<7.2.8".
func CheckVersion(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if _, version := splitVersion(part); version == "" ||
			!strings.ContainsAny(version, "0123456789") {
			return fmt.Errorf("%q is no version: write 7.2.8, '<7.2.8' or '>=7.2,<7.2.8'", text)
		}
	}
	return nil
}

func splitVersion(part string) (sign, version string) {
	part = strings.TrimSpace(part)
	for _, sign := range versionSigns {
		if rest, ok := strings.CutPrefix(part, sign); ok {
			return sign, strings.TrimSpace(rest)
		}
	}
	return "=", part
}

// versionMatches reports whether a system's version is as a comparison says. An unknown version
// never is.
func versionMatches(comparison, version string) bool {
	if version == "" {
		return false
	}
	for part := range strings.SplitSeq(comparison, ",") {
		sign, wanted := splitVersion(part)
		order := compareVersions(version, wanted)
		var ok bool
		switch sign {
		case "<":
			ok = order < 0
		case "<=":
			ok = order <= 0
		case ">":
			ok = order > 0
		case ">=":
			ok = order >= 0
		default:
			ok = order == 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// compareVersions compares numbers as numbers and words as words: 7.2.10 is above 7.2.8, and
// 15.2(7)E3 above 15.2(7)E.
func compareVersions(a, b string) int {
	x, y := versionParts(a), versionParts(b)
	for i := range min(len(x), len(y)) {
		m, errM := strconv.ParseUint(x[i], 10, 64)
		n, errN := strconv.ParseUint(y[i], 10, 64)
		order := strings.Compare(strings.ToLower(x[i]), strings.ToLower(y[i]))
		switch {
		case errM == nil && errN == nil:
			order = cmp.Compare(m, n)
		case errM == nil:
			order = 1 // 7.2.1 is above 7.2-rc
		case errN == nil:
			order = -1
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(x), len(y))
}

// versionParts returns the numbers and the words of a version.
func versionParts(version string) (parts []string) {
	kind := func(c rune) int {
		switch {
		case c >= '0' && c <= '9':
			return 1
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return 2
		}
		return 0
	}
	start, was := 0, 0
	for i, c := range version + " " {
		now := kind(c)
		if now != was {
			if was != 0 {
				parts = append(parts, version[start:i])
			}
			start, was = i, now
		}
	}
	return parts
}
