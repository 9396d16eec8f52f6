package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/store"
)

const (
	// storageAfter is how long captures must not have been stored for it to be told: a restart of
	// the database is no news.
	storageAfter = time.Minute
	// storageTries is how often it is tried, one scan apart: the database may be what is away, so
	// nothing is kept of it.
	storageTries = 5
)

// storage tells at once that captures can't be stored. It needs no database for that: it remembers
// the channels.
type storage struct {
	*Outbox
	since time.Time // since when; the zero time where they can
	id    string    // of the message
	left  map[string]int

	mu       sync.Mutex // guards channels
	channels []store.Channel
}

func newStorage(b *Outbox) *storage { return &storage{Outbox: b} }

// keep remembers the channels.
func (s *storage) keep(list []store.Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels = list
}

// look tells what has begun, or has ended.
func (s *storage) look(ctx context.Context) {
	now, trouble := s.Now(), s.Trouble()
	switch {
	case trouble != "" && s.since.IsZero():
		s.since, s.id, s.left = now, "", nil
	case trouble == "" && s.since.IsZero():
		return
	case trouble == "":
		if s.id != "" {
			s.begin()
			s.tell(ctx, alarm.Message{ID: s.id + "-over", Alarm: s.id, Kind: alarm.Storage,
				When: now, Resolved: true, Title: "captures are stored again",
				Text: "They could not be stored since " + s.since.Format(time.RFC3339) + "."})
		}
		s.since = time.Time{}
		return
	}
	if now.Sub(s.since) < storageAfter {
		return
	}
	if s.id == "" {
		s.id = uuid.Must(uuid.NewV7()).String()
		s.begin()
	}
	s.tell(ctx, alarm.Message{ID: s.id, Alarm: s.id, Kind: alarm.Storage, When: s.since,
		Title: "captures can't be stored", Text: trouble})
}

// begin sets which channels are to be told, and how often it may be tried.
func (s *storage) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = map[string]int{}
	for _, c := range s.channels {
		if Wants(c, string(alarm.Storage)) && c.Disabled == "" && c.Sites == nil {
			s.left[c.Name] = storageTries
		}
	}
}

// tell sends a message to the channels that haven't got it yet.
func (s *storage) tell(ctx context.Context, m alarm.Message) {
	s.mu.Lock()
	channels := s.channels
	s.mu.Unlock()
	for _, c := range channels {
		if s.left[c.Name] == 0 {
			continue
		}
		s.left[c.Name]--
		channel, err := alarm.Parse(c.URL, s.options(c))
		if err != nil {
			continue
		}
		if result := channel.Send(ctx, m); result.Outcome != alarm.Later {
			delete(s.left, c.Name)
			s.Log.Info("it was told that captures can't be stored, or are again", "channel",
				c.Name, "outcome", result.Outcome.String())
		}
	}
}
