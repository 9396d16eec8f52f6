package store

import (
	"context"
	"database/sql"
	"sync"
)

// statements are the compiled statements of SQLite's writer. Compiling takes longer than running
// for most of them.
type statements struct {
	mu     sync.Mutex           // guards texts
	texts  map[string]*sql.Stmt // nil for those that have run once
	unmade []string
}

// get returns a statement, or nil if it isn't compiled yet.
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

// prepare compiles the statements that have run once. It needs the writer's connection, so it comes
// after the transaction.
func (s *statements) prepare(ctx context.Context, db *sql.DB) {
	s.mu.Lock()
	unmade := s.unmade
	s.unmade = nil
	s.mu.Unlock()
	for _, text := range unmade {
		st, err := db.PrepareContext(ctx, text)
		if err != nil {
			s.mu.Lock()
			delete(s.texts, text) // it runs uncompiled, and is tried again
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		s.texts[text] = st
		s.mu.Unlock()
	}
}

// prepared is a transaction that uses compiled statements where there are any.
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
