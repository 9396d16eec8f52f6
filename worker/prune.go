package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

func Retention(c *config.Config) store.Retention {
	return store.Retention{Changed: time.Duration(c.KeepChanged), Unchanged: time.Duration(c.KeepUnchanged)}
}

const (
	// pruneFirst is when a worker prunes for the first time, so that one that is started anew each day prunes too, and pruneEvery how
	// often after that.
	pruneFirst = 10 * time.Minute
	pruneEvery = config.Day
)

// pruneDaily deletes what is older than it is to be kept, once a day, until ctx ends.
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
			log.Info("pruned", "versions", p.Versions, "sightings", p.Sightings, "contents", p.Contents, "bytes", p.Bytes)
		}
	}
}
