package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tftpsql/tftpsql/schema"
)

// Class says what kind of trouble an Error is, and so what helps.
type Class int

// The classes.
const (
	Transient Class = iota // the same again may succeed later
	Login                  // the database refuses the user, the password or the database's name
	Config                 // an operator must mend a setting, a permission or the schema
	Full                   // no space left
	Permanent              // this capture can never be stored
	Exists                 // write-once: the name was stored with other bytes
	Usage                  // a malformed URL or reference
	NotFound               // nothing has that name

	conflict // met another transaction: try again at once
	noTable  // the schema is not there
)

// ErrNotFound is wrapped by errors of class NotFound.
var ErrNotFound = errors.New("not found")

// An Error is trouble with the database: the operation, the kind of trouble, and what the operator
// should do.
type Error struct {
	Op    string
	Class Class
	Hint  string // what to do; empty if Err says it all
	Err   error
}

func (e *Error) Error() string {
	text := oneLine(e.Err.Error())
	if e.Hint == "" {
		return text
	}
	return text + ": " + e.Hint
}

// oneLine joins the lines of a driver's message, which has one for each address and each attempt.
// It drops repeated lines, such as the same attempt with and without TLS.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error of this package, Transient for any other.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Transient
}

func usage(hint string, err error) error {
	return &Error{Op: "open", Class: Usage, Hint: hint, Err: err}
}

// class returns the class of an error of the backend or of this package.
func (s *Store) class(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	class, _ := s.backend.classify(err)
	return class
}

// explain makes an Error from what the backend returned.
func (s *Store) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	var dirty schema.DirtyError
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return &Error{Op: op, Class: NotFound, Err: ErrNotFound}
	case errors.As(err, &dirty):
		return &Error{Op: op, Class: Config, Err: err, Hint: fmt.Sprintf(
			"look at what schema/%s/%04d_*.up.sql left behind, then run: tftpsql migrate force %d",
			s.dialect, dirty.Version, max(dirty.Version, 1)-1)}
	}
	class, hint := s.backend.classify(err)
	switch class {
	case conflict:
		class = Transient
	case noTable:
		class, hint = Config, "run: tftpsql migrate up"
	}
	return &Error{Op: op, Class: class, Hint: hint, Err: err}
}

// missing is an ErrNotFound that says in its own words what is missing.
type missing struct{ text string }

func notFound(format string, args ...any) error { return missing{fmt.Sprintf(format, args...)} }

func (m missing) Error() string { return m.text }

// Is reports that the error is ErrNotFound.
func (m missing) Is(target error) bool { return target == ErrNotFound }
