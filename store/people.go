package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// A Role says what a person or a program may do: all that the roles before it may, and more.
type Role string

// The roles, the least first.
const (
	Viewer   Role = "viewer"   // sees everything but secrets
	Reader   Role = "reader"   // reveals secrets and downloads; each time is noted
	Operator Role = "operator" // publishes, and manages devices
	Admin    Role = "admin"    // manages people, and forgets devices
)

// Uploader is the role of a token that sends configurations, and may do nothing else.
const Uploader Role = "uploader"

// Roles are the roles of those who read, the least first.
var Roles = []Role{Viewer, Reader, Operator, Admin}

// Has reports whether a role is at least another one. An unknown role has nothing.
func (r Role) Has(least Role) bool {
	mine := slices.Index(Roles, r)
	return mine >= 0 && mine >= slices.Index(Roles, least)
}

// A Person is somebody, or a program, that asks.
type Person struct {
	Name  string
	Role  Role
	Sites []string // the sites that the person sees, "" for devices without one; nil for all
}

// A User is a person who is known by name.
type User struct {
	Person
	Created time.Time
	Local   bool // has a password here
}

// A Token is what a program asks with.
type Token struct {
	Person
	CreatedBy     string
	Created, Used time.Time // Used is to a minute, and equals Created if it was never used
	Expires       time.Time // the zero value for never
}

// A Session is a login, or a link that makes one.
type Session struct {
	Person
	User    string // the user of that name, whose role and sites count; "" for nobody's
	Proof   string // what proved the user's password; another one since makes no login
	Created time.Time
	Expires time.Time
	Source  string // the address that it was made from
	Agent   string // the browser
}

// An Audit notes what a person did, or which secrets the person saw.
type Audit struct {
	ID     int64
	At     time.Time
	Name   string
	Role   Role
	Source string
	Action string
	Site   *string // of the device that it was done to; nil where there is none
	Object string
	Detail string
}

// ReadersAtOnce is how many pages may be read at once: so many connections are theirs, and captures
// never wait for one.
const ReadersAtOnce = 6

const (
	// sessionIdle is how long a login lasts without being used: a day's work with its meetings.
	sessionIdle = 12 * time.Hour
	// seenEvery is how exactly the last use is kept, so that reading rarely writes.
	seenEvery = time.Minute
	// maxSites bounds the sites that a person is bound to.
	maxSites = 1000
)

// For returns the store as a person sees it: reads find what is of the person's sites, and nothing
// else exists.
func (s *Store) For(p Person) *Store {
	scope, err := scopeOf(p.Sites)
	if err != nil {
		scope = noScope
	}
	return &Store{database: s.database, within: scope}
}

// noScope is a scope that has no sites.
const noScope = "[]"

// scopeOf returns the name of the scope that has these sites.
func scopeOf(sites []string) (string, error) {
	if sites == nil {
		return "", nil
	}
	if len(sites) > maxSites {
		return "", fmt.Errorf("%d sites: at most %d", len(sites), maxSites)
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(sites)))
	name, err := json.Marshal(sorted)
	return string(name), err
}

// addScope makes a scope of sites, and returns its name. The sites must be of the store's own.
func (s *Store) addScope(ctx context.Context, q *queries.Queries, sites []string) (string, error) {
	if s.within != "" {
		mine := sitesOf(s.within)
		outside := slices.ContainsFunc(sites, func(site string) bool {
			return !slices.Contains(mine, site)
		})
		if sites == nil || outside {
			return "", &Error{Op: "bind to sites", Class: Usage,
				Err: errors.New("not one of your sites"), Hint: "choose some of your own sites"}
		}
	}
	name, err := scopeOf(sites)
	if err != nil {
		return "", &Error{Op: "bind to sites", Class: Usage, Err: err}
	}
	for _, site := range sites {
		if err := q.AddScope(ctx, queries.AddScopeParams{Name: name, Site: site}); err != nil {
			return "", err
		}
	}
	return name, nil
}

// sitesOf returns the sites of a scope, nil for all.
func sitesOf(scope string) []string {
	if scope == "" {
		return nil
	}
	sites := []string{}
	if json.Unmarshal([]byte(scope), &sites) != nil {
		return []string{} // scopeOf made it; what it didn't make sees nothing
	}
	return sites
}

func person(name, role, scope string) Person {
	return Person{Name: name, Role: Role(role), Sites: sitesOf(scope)}
}

// AddUser adds a user. password is what proves a password, "" for a user without one.
func (s *Store) AddUser(ctx context.Context, u User, password string) error {
	return s.explain("add user", s.backend.tx(ctx, func(q *queries.Queries) error {
		scope, err := s.addScope(ctx, q, u.Sites)
		if err != nil {
			return err
		}
		n, err := q.AddUser(ctx, queries.AddUserParams{Name: u.Name, Role: string(u.Role),
			Scope: scope, Password: password, CreatedAt: stamp(u.Created)})
		if err == nil && n == 0 {
			return &Error{Op: "add user", Class: Exists,
				Err:  fmt.Errorf("there is a user %q", u.Name),
				Hint: "tftpsql user remove removes it; tftpsql user password sets its password"}
		}
		return err
	}))
}

// User returns a user, with what proves the password, or ErrNotFound.
func (s *Store) User(ctx context.Context, name string) (u User, password string, err error) {
	r, err := s.backend.read().UserByName(ctx, name)
	return user(r), r.Password, s.explain("find user", err)
}

// Users returns the users, by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	list, err := s.backend.read().Users(ctx, s.within)
	return rows(list, s.explain("list users", err), user)
}

func user(r queries.User) User {
	return User{Person: person(r.Name, r.Role, r.Scope), Created: r.CreatedAt.UTC(),
		Local: r.Password != ""}
}

// SetPassword sets what proves a user's password, and ends the user's sessions.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	return s.explain("set password", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.SetPassword(ctx,
			queries.SetPasswordParams{Name: name, Password: password, Within: s.within})
		if err != nil || n == 0 {
			return orNobody(err, name)
		}
		return q.EndSessionsOf(ctx, &name)
	}))
}

// RemoveUser removes a user and ends the user's sessions.
func (s *Store) RemoveUser(ctx context.Context, name string) error {
	return s.explain("remove user", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.RemoveUser(ctx, queries.RemoveUserParams{Name: name, Within: s.within})
		if err != nil || n == 0 {
			return orNobody(err, name)
		}
		return q.EndSessionsOf(ctx, &name)
	}))
}

// orNobody returns err, or that there is no such user.
func orNobody(err error, name string) error {
	if err != nil {
		return err
	}
	return &Error{Op: "find user", Class: NotFound, Hint: "tftpsql user list lists them",
		Err: notFound("no user %q", name)}
}

// AddSession keeps a login under the hash of its secret. It returns ErrNotFound where the user was
// removed or has another password since v.Proof was looked at.
func (s *Store) AddSession(ctx context.Context, sum [sha256.Size]byte, v Session) error {
	return s.addSession(ctx, sum, v, "login")
}

// AddLink keeps a link that makes one login until v.Expires.
func (s *Store) AddLink(ctx context.Context, sum [sha256.Size]byte, v Session) error {
	return s.addSession(ctx, sum, v, "link")
}

func (s *Store) addSession(ctx context.Context, sum [sha256.Size]byte, v Session,
	kind string) error {
	return s.explain("log in", s.backend.tx(ctx, func(q *queries.Queries) error {
		scope, err := s.addScope(ctx, q, v.Sites)
		if err != nil {
			return err
		}
		now := stamp(v.Created)
		err = q.DropSessions(ctx, queries.DropSessionsParams{Now: now,
			IdleSince: now.Add(-sessionIdle)})
		if err != nil {
			return err
		}
		p := queries.AddSessionParams{SHA256: sum[:], Kind: kind, Name: v.Name,
			Role: string(v.Role), Scope: scope, CreatedAt: now, ExpiresAt: stamp(v.Expires),
			Source: v.Source, Agent: v.Agent}
		if v.User != "" {
			p.UserName = &v.User
			n, err := q.HoldUser(ctx, queries.HoldUserParams{Name: v.User, Password: v.Proof})
			if err != nil || n == 0 {
				return orNobody(err, v.User)
			}
		}
		return q.AddSession(ctx, p)
	}))
}

// UseLink returns who a link logs in, or ErrNotFound. It does so once.
func (s *Store) UseLink(ctx context.Context, sum [sha256.Size]byte,
	now time.Time) (p Person, err error) {
	err = s.backend.tx(ctx, func(q *queries.Queries) error {
		r, err := q.UseLink(ctx, queries.UseLinkParams{SHA256: sum[:], Now: stamp(now)})
		p = person(r.Name, r.Role, r.Scope)
		return err
	})
	return p, s.explain("log in", err)
}

// SessionPerson returns whose login it is and when it was made, or ErrNotFound. A database that
// takes no writes ends no login before its time: what it holds can still be read.
func (s *Store) SessionPerson(ctx context.Context, sum [sha256.Size]byte,
	now time.Time) (p Person, made time.Time, err error) {
	now = stamp(now)
	r, err := s.backend.read().Session(ctx, queries.SessionParams{SHA256: sum[:], Now: now,
		IdleSince: now.Add(-sessionIdle)})
	if err == nil && now.Sub(r.SeenAt) > seenEvery {
		_ = s.backend.tx(ctx, func(q *queries.Queries) error {
			return q.SeeSession(ctx, queries.SeeSessionParams{SHA256: sum[:], Now: now})
		})
	}
	return person(r.Name, r.Role, r.Scope), r.CreatedAt.UTC(), s.explain("find session", err)
}

// EndSession ends a login.
func (s *Store) EndSession(ctx context.Context, sum [sha256.Size]byte) error {
	return s.explain("log out", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.EndSession(ctx, sum[:])
	}))
}

// AddToken keeps a token under the hash of its secret.
func (s *Store) AddToken(ctx context.Context, sum [sha256.Size]byte, t Token) error {
	if t.Expires.IsZero() {
		t.Expires = never
	}
	return s.explain("add token", s.backend.tx(ctx, func(q *queries.Queries) error {
		scope, err := s.addScope(ctx, q, t.Sites)
		if err != nil {
			return err
		}
		n, err := q.AddToken(ctx, queries.AddTokenParams{Name: t.Name, SHA256: sum[:],
			Role: string(t.Role), Scope: scope, CreatedBy: t.CreatedBy,
			CreatedAt: stamp(t.Created), ExpiresAt: stamp(t.Expires)})
		if err == nil && n == 0 {
			return &Error{Op: "add token", Class: Exists,
				Err:  fmt.Errorf("there is a token %q", t.Name),
				Hint: "tftpsql token remove removes it"}
		}
		return err
	}))
}

// TokenPerson returns what a token stands for, or ErrNotFound.
func (s *Store) TokenPerson(ctx context.Context, sum [sha256.Size]byte,
	now time.Time) (Person, error) {
	now = stamp(now)
	r, fresh, err := find(ctx, s, aToken, string(sum[:]),
		func(ctx context.Context) (queries.TokenRow, error) {
			return s.backend.read().Token(ctx, queries.TokenParams{SHA256: sum[:], Now: now})
		})
	if err == nil && !fresh && !now.Before(r.ExpiresAt) {
		err = sql.ErrNoRows
	}
	if err == nil && fresh && now.Sub(r.UsedAt) > seenEvery {
		_ = s.backend.tx(ctx, func(q *queries.Queries) error { // as for a login
			return q.SeeToken(ctx, queries.SeeTokenParams{SHA256: sum[:], Now: now})
		})
	}
	return person(r.Name, r.Role, r.Scope), s.explain("find token", err)
}

// Tokens returns the tokens, by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	list, err := s.backend.read().Tokens(ctx, s.within)
	return rows(list, s.explain("list tokens", err), func(r queries.TokensRow) Token {
		t := Token{Person: person(r.Name, r.Role, r.Scope), CreatedBy: r.CreatedBy,
			Created: r.CreatedAt.UTC(), Used: r.UsedAt.UTC()}
		if at := r.ExpiresAt.UTC(); !at.Equal(never) {
			t.Expires = at
		}
		return t
	})
}

// RemoveToken ends a token.
func (s *Store) RemoveToken(ctx context.Context, name string) error {
	return s.explain("remove token", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.RemoveToken(ctx, queries.RemoveTokenParams{Name: name, Within: s.within})
		if err == nil && n == 0 {
			return &Error{Op: "remove token", Class: NotFound,
				Hint: "tftpsql token list lists them", Err: notFound("no token %q", name)}
		}
		return err
	}))
}

// NoteAudit keeps what was done, for good.
func (s *Store) NoteAudit(ctx context.Context, a Audit) error {
	return s.explain("note audit", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.AddAudit(ctx, queries.AddAuditParams{At: stamp(a.At), Name: a.Name,
			Role: string(a.Role), Source: a.Source, Action: a.Action, Site: a.Site,
			Object: a.Object, Detail: a.Detail})
	}))
}

// Audits returns what was done, newest first, n at most, before the one of a number; 0 for the
// newest.
func (s *Store) Audits(ctx context.Context, before int64, n int) ([]Audit, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	list, err := s.backend.read().Audits(ctx,
		queries.AuditsParams{Before: before, Within: s.within, N: int64(n)})
	return rows(list, s.explain("list audits", err), func(r queries.Audit) Audit {
		return Audit{ID: r.ID, At: r.At.UTC(), Name: r.Name, Role: Role(r.Role),
			Source: r.Source, Action: r.Action, Site: r.Site, Object: r.Object, Detail: r.Detail}
	})
}
