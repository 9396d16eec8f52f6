package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// Located returns a database URL as Masked does, and a file's with its whole path, as commands in
// another folder need it.
func Located(database string) string {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		if abs, err := filepath.Abs(strings.TrimPrefix(path, "//")); err == nil {
			return "sqlite:" + abs
		}
	}
	return Masked(database)
}

// Masked returns a database URL without its password.
func Masked(database string) string {
	u, err := url.Parse(database)
	if err == nil && strings.Contains(u.Path, "@") { // a password with a slash
		err = errors.New("malformed")
	}
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		if strings.HasPrefix(database, "sqlite:") {
			return database
		}
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
