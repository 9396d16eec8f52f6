package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

// Retention returns how long captures are kept.
func Retention(c config.Config) store.Retention {
	return store.Retention{Changed: time.Duration(c.KeepChanged),
		Unchanged: time.Duration(c.KeepUnchanged)}
}

const (
	// pruneFirst is when a worker prunes for the first time: a worker that is restarted each day
	// prunes too. pruneEvery is how often it prunes after that.
	pruneFirst = 10 * time.Minute
	pruneEvery = config.Day
)

// pruneDaily deletes once a day what is older than keep says, until ctx ends.
func pruneDaily(ctx context.Context, s *store.Store, keep store.Retention, log *slog.Logger) {
	for wait := pruneFirst; ; wait = pruneEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		p, err := s.Prune(ctx, keep, time.Now(), false)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("pruning failed and goes on tomorrow", "err", err)
		case p.Versions+p.Sightings > 0:
			log.Info("pruned", "versions", p.Versions, "sightings", p.Sightings, "contents",
				p.Contents, "bytes", p.Bytes)
		}
	}
}
