package alarm

import "time"

// waits stand between the first attempts: a receiver that restarts is back after seconds, one that
// is being repaired after an hour.
var waits = []time.Duration{0, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

const (
	laterWait  = 4 * time.Hour
	laterTries = int(3 * day / laterWait)

	// Attempts is how often a message is sent at most, over three days.
	Attempts = 5 + laterTries

	// maxRetryAfter bounds what a receiver may ask for.
	maxRetryAfter = day
	day           = 24 * time.Hour
)

// Next returns how long to wait before the next attempt, after so many that have failed, and
// whether to give up instead: 0, 30 s, 2 m, 10 m, 1 h, then every 4 h for three days. It waits
// longer where the receiver asked for it, up to a day each time, which makes the three days longer.
func Next(attempts int, retryAfter time.Duration) (wait time.Duration, giveUp bool) {
	if attempts >= Attempts {
		return 0, true
	}
	wait = laterWait
	if attempts < len(waits) {
		wait = waits[max(attempts, 0)]
	}
	return max(wait, min(retryAfter, maxRetryAfter)), false
}
