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
	// Of Look alone.
	since   time.Time     // since when; the zero time where they can
	message alarm.Message // what is being told; without an ID for nothing

	mu       sync.Mutex // guards what follows
	left     map[string]int
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
	told := s.message.ID != "" && !s.message.Resolved
	switch {
	case trouble != "" && s.since.IsZero():
		s.since = now
	case trouble != "" && !told && now.Sub(s.since) >= storageAfter:
		id := uuid.Must(uuid.NewV7()).String()
		s.begin(now, alarm.Message{ID: id, Alarm: id, When: s.since,
			Title: "captures can't be stored", Text: trouble})
	case trouble == "" && told:
		s.begin(now, alarm.Message{ID: s.message.ID + "-over", Alarm: s.message.ID, When: now,
			Resolved: true, Title: "captures are stored again",
			Text: "They could not be stored since " + s.since.Format(time.RFC3339) + "."})
		s.since = time.Time{}
	case trouble == "":
		s.since = time.Time{}
	}
	if s.message.ID != "" {
		s.tell(ctx, s.message)
	}
}

// begin sets what is to be told, which channels want it, and how often it may be tried.
func (s *storage) begin(now time.Time, m alarm.Message) {
	m.Kind = alarm.Storage
	s.message = m
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = map[string]int{}
	for _, c := range s.channels {
		if Wants(c, string(alarm.Storage)) && c.Disabled == "" && c.Sites == nil &&
			!c.Paused.After(now) {
			s.left[c.Name] = storageTries
		}
	}
}

// tell sends a message to the channels that haven't got it yet, to all at once.
func (s *storage) tell(ctx context.Context, m alarm.Message) {
	s.mu.Lock()
	var wanted []store.Channel
	for _, c := range s.channels {
		if s.left[c.Name] > 0 {
			s.left[c.Name]--
			wanted = append(wanted, c)
		}
	}
	s.mu.Unlock()
	var sending sync.WaitGroup
	for _, c := range wanted {
		sending.Go(func() { s.tellOne(ctx, c, m) })
	}
	sending.Wait()
}

func (s *storage) tellOne(ctx context.Context, c store.Channel, m alarm.Message) {
	channel, err := alarm.Parse(c.URL, s.options(c))
	if err != nil {
		return
	}
	result := channel.Send(ctx, m)
	if result.Outcome == alarm.Later {
		s.Log.Warn("it could not be told that captures can't be stored, or are again", "channel",
			c.Name, "err", result.Reason)
		return
	}
	s.mu.Lock()
	delete(s.left, c.Name)
	s.mu.Unlock()
	s.Log.Info("it was told that captures can't be stored, or are again", "channel", c.Name,
		"outcome", result.Outcome.String())
}
