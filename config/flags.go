package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
)

// setting is a field of Config with what its tags say.
type Setting struct {
	Field     string
	Env       string
	Flags     []string // the flag's name, and its other names
	Shorthand string
	desc      string
	index     int
}

// Settings are Config's fields, in order. A tag flag:"port,p,old-name" is name, shorthand and other names.
func Settings() []Setting {
	var list []Setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("env") == "" {
			continue
		}
		s := Setting{Field: f.Name, Env: f.Tag.Get("env"), desc: f.Tag.Get("desc"), index: i}
		if tag := strings.Split(f.Tag.Get("flag"), ","); tag[0] != "" {
			s.Flags = tag[:1]
			if len(tag) > 1 {
				s.Shorthand = tag[1]
				s.Flags = append(s.Flags[:1:1], tag[2:]...)
			}
		}
		list = append(list, s)
	}
	return list
}

// value returns the setting of c as what pflag sets.
func (s Setting) value(c *Config) *flagValue {
	return &flagValue{reflect.ValueOf(c).Elem().Field(s.index)}
}

// Text returns the setting's value in c, as a person would write it.
func (s Setting) Text(c Config) string { return s.value(&c).String() }

// flagValue sets a field of Config by the same rules as a variable of the environment does.
type flagValue struct{ v reflect.Value }

func (f *flagValue) String() string {
	if f == nil || !f.v.IsValid() {
		return ""
	}
	return fmt.Sprint(f.v.Interface())
}

func (f *flagValue) Set(text string) error {
	p := f.v.Addr().Interface()
	switch p := p.(type) {
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	case *string:
		*p = text
	default:
		panic(fmt.Sprintf("a setting of type %T", p))
	}
	return nil
}

func (f *flagValue) Type() string {
	switch f.v.Interface().(type) {
	case Duration:
		return "time"
	case Size, MinFree:
		return "size"
	case Port, Count:
		return "number"
	case Migrate, Read:
		return "word"
	case Switch:
		return "bool"
	}
	return "text"
}

func postgresURL(user, password, host, database string) string {
	u := url.URL{Scheme: "postgres", Host: host, Path: "/" + database}
	switch {
	case password != "":
		u.User = url.UserPassword(user, password)
	case user != "":
		u.User = url.User(user)
	}
	return u.String()
}

// located returns a database URL as masked does, and a file's with its whole path, as commands in another folder need it.
func Located(database string) string {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		if abs, err := filepath.Abs(strings.TrimPrefix(path, "//")); err == nil {
			return "sqlite:" + abs
		}
	}
	return Masked(database)
}

// masked returns a database URL without its password.
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
