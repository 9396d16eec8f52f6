-- name: Devices :many
SELECT * FROM devices ORDER BY site, name;

-- name: DevicesByName :many
SELECT * FROM devices WHERE name = @name ORDER BY site;

-- name: DeviceBySiteName :one
SELECT * FROM devices WHERE site = @site AND name = @name;

-- name: SourceSeen :one
-- Whether a device ever sent from this source.
SELECT CAST(count(*) AS bigint) FROM (SELECT 1 FROM captures WHERE source = @source AND device_id = @device_id LIMIT 1) AS seen;

-- name: SourceDevices :one
-- The lowest and the highest device that ever sent from this source; equal where it is one, 0 where it is none.
SELECT CAST(coalesce(min(device_id), 0) AS bigint) AS lowest, CAST(coalesce(max(device_id), 0) AS bigint) AS highest
  FROM captures WHERE source = @source;

-- name: NewestFromSource :one
SELECT sha256 FROM captures WHERE source = @source AND filename = @filename
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: Body :one
SELECT body FROM contents WHERE sha256 = @sha256;

-- name: Captures :many
SELECT * FROM capture_log ORDER BY received_at DESC, uid DESC LIMIT CAST(@n AS bigint);

-- name: DeviceCaptures :many
SELECT * FROM capture_log WHERE device_id = @device_id ORDER BY received_at DESC, uid DESC LIMIT CAST(@n AS bigint);

-- name: CaptureRecord :one
SELECT * FROM capture_log WHERE id = @id;

-- name: CaptureRecordByUID :one
SELECT * FROM capture_log WHERE uid = @uid;

-- name: NewestBefore :one
-- The newest complete capture of a device and kind that is older than the one at (received_at, uid).
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND complete
   AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: VersionStart :one
-- The capture that began the version which the one at (received_at, uid) belongs to, or a version before it. A torn capture
-- is no version.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND changed AND complete
   AND (received_at < @received_at OR (received_at = @received_at AND uid <= @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1 OFFSET CAST(@versions_back AS bigint);

-- name: SchemaVersion :one
SELECT version, dirty FROM schema_migrations LIMIT 1;
