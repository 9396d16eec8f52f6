package store

import (
	"net/url"
	"path/filepath"
	"strings"
)

// Masked returns a database URL without its passwords, for logs and messages. A URL that it can't
// parse may hold a password in any place, so the result is a fixed phrase.
func Masked(database string) string {
	if strings.HasPrefix(database, "sqlite:") {
		return database
	}
	u, err := url.Parse(database)
	malformed := err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" ||
		strings.Contains(u.Path, "@") // a password with a slash
	if malformed {
		return "a malformed URL"
	}
	q := u.Query()
	for key := range q {
		if strings.Contains(key, "password") {
			q.Set(key, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}

// Located returns a database URL as Masked does. The path of a file becomes absolute, so that the
// URL works for a command in another folder.
func Located(database string) string {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		if abs, err := filepath.Abs(strings.TrimPrefix(path, "//")); err == nil {
			return "sqlite:" + abs
		}
	}
	return Masked(database)
}
