-- name: AddEvent :exec
INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
VALUES (@at, @kind, @site, sqlc.narg('device_id'), sqlc.narg('capture_id'), @since, @detail, FALSE);

-- name: AnyChannel :one
SELECT EXISTS (SELECT 1 FROM channels);

-- name: AddHandedEvent :one
-- An event for one channel: its delivery is made beside it.
INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
VALUES (@at, @kind, '', NULL, NULL, @since, @detail, TRUE) RETURNING id;

-- name: TakeEvents :many
-- The oldest events whose deliveries aren't there yet. Two workers never take the same one.
UPDATE events SET handed = TRUE
 WHERE NOT events.handed AND events.id IN (SELECT e.id FROM events e WHERE NOT e.handed ORDER BY e.id LIMIT CAST(@n AS bigint))
RETURNING id, at, kind, site, detail;

-- name: AddDelivery :exec
INSERT INTO deliveries (channel, event_id, kind, site, message, state, attempts, next_try, leased_until, recipients, error, ended_at)
VALUES (@channel, @event_id, @kind, @site, '', 'waiting', 0, @next_try, @next_try, '', '', @next_try)
ON CONFLICT (channel, event_id) DO NOTHING;

-- name: DueDelivery :one
-- The delivery of a channel that has waited longest of those that may go out now.
SELECT d.channel, d.kind, d.site, d.message, d.event_id FROM deliveries d JOIN channels c ON c.name = d.channel
 WHERE d.channel = @channel AND d.state = 'waiting' AND d.next_try <= @now AND d.leased_until <= @now
   AND c.disabled = '' AND c.paused_until <= @now
 ORDER BY d.next_try, d.event_id LIMIT 1;

-- name: LeaseMessage :many
-- Takes a message for another attempt.
UPDATE deliveries SET leased_until = @until, attempts = attempts + 1
 WHERE channel = @channel AND message = @message AND state = 'waiting' AND leased_until <= @now
RETURNING event_id, attempts, recipients;

-- name: LeaseNew :many
-- Makes a message of what waits for its first attempt: all of a channel and kind, or all of one site. What came after
-- the first of them goes with it.
UPDATE deliveries SET leased_until = @until, attempts = attempts + 1, message = @message
 WHERE channel = @channel AND kind = @kind AND deliveries.message = '' AND state = 'waiting'
   AND (site = @site OR CAST(@every_site AS boolean))
RETURNING event_id, attempts, recipients;

-- name: CountNew :one
-- How many deliveries of a channel and kind wait for their first attempt, up to n.
SELECT CAST(count(*) AS bigint) FROM (
  SELECT 1 FROM deliveries
   WHERE channel = @channel AND kind = @kind AND message = '' AND state = 'waiting'
   LIMIT CAST(@n AS bigint)) AS waiting;

-- name: EventsOf :many
-- The events of a message, the oldest first.
SELECT e.id, e.at, e.kind, e.site, e.device_id, e.capture_id, e.since, e.detail
  FROM deliveries d JOIN events e ON e.id = d.event_id
 WHERE d.message = @message ORDER BY e.id LIMIT CAST(@n AS bigint);

-- name: SettleMessage :exec
UPDATE deliveries
   SET state = @state, next_try = @next_try, leased_until = @next_try, recipients = @recipients, error = @error, ended_at = @now
 WHERE message = @message AND state = 'waiting';

-- name: ChannelOK :exec
UPDATE channels SET ok_at = @now WHERE name = @name;

-- name: ChannelError :exec
UPDATE channels SET error_at = @now, error = @error WHERE name = @name;

-- name: DisableChannel :exec
UPDATE channels SET disabled = @reason WHERE name = @name;

-- name: PauseChannel :execrows
UPDATE channels SET paused_until = @until
 WHERE channels.name = @name
   AND (CAST(@within AS text) = '' OR (channels.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = channels.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))));

-- name: AddChannel :execrows
INSERT INTO channels (name, url, secret, kinds, scope, quiet, batch_us, full_diff, digest, created_at, paused_until, disabled, digest_at, ok_at, error_at, error)
VALUES (@name, @url, @secret, @kinds, @scope, @quiet, @batch_us, @full_diff, @digest, @created_at, @created_at, '', @created_at, @created_at, @created_at, '')
ON CONFLICT (name) DO NOTHING;

-- name: Channels :many
-- In a scope those that are bound to sites of it.
SELECT c.* FROM channels c
 WHERE (CAST(@within AS text) = '' OR (c.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = c.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))))
 ORDER BY c.name;

-- name: RemoveChannel :execrows
DELETE FROM channels
 WHERE channels.name = @name
   AND (CAST(@within AS text) = '' OR (channels.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = channels.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))));

-- name: DropDeliveries :exec
-- SQLite's connections don't all enforce foreign keys.
DELETE FROM deliveries WHERE channel = @channel;

-- name: Deliveries :many
-- The newest deliveries, one row a message. In a scope those of channels that are bound to sites of it.
SELECT d.channel, d.kind, d.message, d.state, d.attempts, d.next_try, d.ended_at, d.error, d.event_id,
       CAST(CASE WHEN d.message = '' THEN 1 ELSE (SELECT count(*) FROM deliveries o WHERE o.message = d.message) END AS bigint) AS events
  FROM deliveries d
 WHERE (d.message = '' OR d.event_id = (SELECT max(o.event_id) FROM deliveries o WHERE o.message = d.message))
   AND (CAST(@within AS text) = '' OR EXISTS (
          SELECT 1 FROM channels c
           WHERE c.name = d.channel AND c.scope <> '' AND NOT EXISTS (
                   SELECT 1 FROM scopes s WHERE s.name = c.scope
                      AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))))
 ORDER BY d.event_id DESC, d.channel LIMIT CAST(@n AS bigint);

-- name: CountGivenUp :one
-- How many messages were given up between two times, by a channel, or by all where none is named.
SELECT CAST(count(DISTINCT d.message) AS bigint) FROM deliveries d
 WHERE d.state = 'given up' AND d.ended_at >= @since AND d.ended_at < @upto
   AND (CAST(@channel AS text) = '' OR d.channel = @channel);

-- name: ClaimDigest :execrows
UPDATE channels SET digest_at = @now WHERE name = @name AND digest_at = @was;

-- name: CountEvents :many
-- What has happened between two times, by kind, in the sites of a scope.
SELECT e.kind, CAST(count(*) AS bigint) AS n FROM events e
 WHERE e.at >= @since AND e.at < @upto
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = e.site))
 GROUP BY e.kind ORDER BY e.kind;

-- name: OpenAlarm :execrows
INSERT INTO alarms (kind, device_id, site, since, told_at) VALUES (@kind, @device_id, @site, @since, @told_at)
ON CONFLICT (kind, device_id) DO NOTHING;

-- name: OpenAlarms :many
SELECT kind, device_id, site, since, told_at FROM alarms ORDER BY kind, device_id;

-- name: EndAlarm :execrows
DELETE FROM alarms WHERE kind = @kind AND device_id = @device_id AND since = @since;

-- name: RemindAlarm :execrows
UPDATE alarms SET told_at = @now WHERE kind = @kind AND device_id = @device_id AND told_at = @was;

-- name: EventsWait :one
-- 1 if an event has no deliveries yet, or else 0.
SELECT CAST(count(*) AS bigint) FROM (SELECT 1 FROM events WHERE NOT handed LIMIT 1) AS waiting;

-- name: DeviceByID :one
SELECT * FROM devices WHERE id = @id;

-- name: DevicesBetween :many
-- The devices of captures after one, each once: those whose alarms may be over.
SELECT DISTINCT device_id FROM captures WHERE id > @after AND id <= @upto;

-- name: FailingDevices :many
-- What has failed lately from the addresses of devices that have sent nothing since. At an address that several devices
-- have, nobody knows whose it is.
SELECT d.id, f.reason, f.times, f.first_at, f.last_at
  FROM failures f JOIN devices d ON d.source = f.source
 WHERE f.last_at >= @since AND f.last_at > d.last_seen AND NOT d.retired AND f.reason NOT LIKE 'read: %'
   AND NOT EXISTS (SELECT 1 FROM devices o WHERE o.source = f.source AND o.id <> d.id AND NOT o.retired)
 ORDER BY d.id, f.last_at;

-- name: Ready :one
SELECT ready_at FROM watch WHERE id = 1;

-- name: SetReady :exec
INSERT INTO watch (id, ready_at) VALUES (1, @now)
ON CONFLICT (id) DO UPDATE
   SET ready_at = CASE WHEN excluded.ready_at > watch.ready_at OR watch.ready_at > @ahead THEN excluded.ready_at ELSE watch.ready_at END;

-- name: DropDowntimesAfter :exec
DELETE FROM downtimes WHERE ended > @now;

-- name: HurryDeliveries :exec
-- What waits for a time that is to come goes out now.
UPDATE deliveries SET next_try = @now, leased_until = @now
 WHERE state = 'waiting' AND (next_try > @now OR leased_until > @now);

-- name: TellAlarmsBefore :exec
UPDATE alarms SET told_at = @now WHERE told_at > @now;

-- name: DigestBefore :exec
UPDATE channels SET digest_at = @now WHERE digest_at > @now;

-- name: AddDowntime :exec
INSERT INTO downtimes (began, ended) VALUES (@began, @ended)
ON CONFLICT (began) DO UPDATE SET ended = excluded.ended;

-- name: Downtimes :many
SELECT began, ended FROM downtimes WHERE ended > @since ORDER BY began;

-- name: PruneEvents :execrows
DELETE FROM events
 WHERE events.id IN (SELECT e.id FROM events e WHERE e.at < @before AND e.handed
                        AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state = 'waiting')
                      ORDER BY e.at, e.id LIMIT CAST(@n AS bigint));

-- name: PruneDeliveries :exec
DELETE FROM deliveries WHERE state <> 'waiting' AND ended_at < @before;

-- name: PruneDowntimes :exec
DELETE FROM downtimes WHERE ended < @before;

-- name: LeaseOne :execrows
UPDATE deliveries SET leased_until = @until, attempts = attempts + 1, message = @message
 WHERE channel = @channel AND event_id = @event_id AND deliveries.message = '' AND state = 'waiting' AND next_try <= @now;

-- name: CapturesFrom :one
-- How many captures of a device came from a source, two at most.
SELECT CAST(count(*) AS bigint) FROM (SELECT 1 FROM captures WHERE source = @source AND device_id = @device_id LIMIT 2) AS seen;
