package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"
)

// Which commands have a setting as a flag.
const (
	OnAll         = "all"
	OnServe       = "serve"
	OnPrint       = "print" // what prints configurations
	OnHealthcheck = "healthcheck"
)

// A Setting is a field of Config with what its tags say.
type Setting struct {
	Env         string
	Flags       []string // the flag's name, and its other names; none where it has no flag
	Shorthand   string
	Description string

	field string
	on    []string
	index int
}

// Settings returns Config's fields, in order. The list is one for all: it must not be changed.
func Settings() []Setting { return settings() }

// settings is asked by each command that has flags, and reflection takes its time.
var settings = sync.OnceValue(func() []Setting {
	var list []Setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		variable := f.Tag.Get("env")
		if variable == "" {
			continue
		}
		s := Setting{field: f.Name, Env: variable, Description: descriptions[variable], index: i,
			on: strings.Split(f.Tag.Get("on"), ",")}
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
})

// Flags adds the flags that a kind of command has, such as OnServe.
func (c *Config) Flags(f *pflag.FlagSet, on string) {
	for _, s := range Settings() {
		if !slices.Contains(s.on, on) {
			continue
		}
		for i, name := range s.Flags {
			v := s.value(c)
			if i == 0 {
				f.VarP(v, name, s.Shorthand, s.Description+" ["+s.Env+"]")
				if _, ok := v.v.Interface().(Switch); ok {
					f.Lookup(name).NoOptDefVal = "true"
				}
				continue
			}
			f.Var(v, name, s.Description)
			_ = f.MarkHidden(name) // another name of the first
		}
	}
}

// Text returns the setting's value in c, as a person would write it.
func (s Setting) Text(c Config) string { return s.value(&c).String() }

// value returns the setting of c as what pflag sets.
func (s Setting) value(c *Config) *flagValue {
	return &flagValue{reflect.ValueOf(c).Elem().Field(s.index)}
}

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
