package store

import (
	"context"
	"database/sql"
	"sync"
)

// statements are those that SQLite's writer has compiled already, which takes longer than running most of them.
type statements struct {
	mu     sync.Mutex           // guards texts
	texts  map[string]*sql.Stmt // nil for those that were run once
	unmade []string
}

// get returns a statement, or nil where it isn't compiled yet.
func (s *statements) get(text string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.texts[text]
	if !ok {
		if s.texts == nil {
			s.texts = map[string]*sql.Stmt{}
		}
		s.texts[text] = nil
		s.unmade = append(s.unmade, text)
	}
	return st
}

// prepare compiles what was run once. It needs the connection that a transaction has, and so comes after it.
func (s *statements) prepare(ctx context.Context, db *sql.DB) {
	s.mu.Lock()
	unmade := s.unmade
	s.unmade = nil
	s.mu.Unlock()
	for _, text := range unmade {
		st, err := db.PrepareContext(ctx, text)
		if err != nil {
			s.mu.Lock()
			delete(s.texts, text) // it goes on without, and is tried again
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		s.texts[text] = st
		s.mu.Unlock()
	}
}

// prepared is a transaction that runs compiled statements where there are any.
type prepared struct {
	*sql.Tx
	texts *statements
}

func (p prepared) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := p.texts.get(text); st != nil {
		return p.StmtContext(ctx, st).ExecContext(ctx, args...)
	}
	return p.Tx.ExecContext(ctx, text, args...)
}

func (p prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := p.texts.get(text); st != nil {
		return p.StmtContext(ctx, st).QueryContext(ctx, args...)
	}
	return p.Tx.QueryContext(ctx, text, args...)
}

func (p prepared) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if st := p.texts.get(text); st != nil {
		return p.StmtContext(ctx, st).QueryRowContext(ctx, args...)
	}
	return p.Tx.QueryRowContext(ctx, text, args...)
}
