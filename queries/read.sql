-- name: DevicesAfter :many
-- Devices after one, by number, so that a caller needs no memory for all of them. Every query that begins at nothing but a name,
-- a number or a time has a scope: it sees the sites of the scope alone, and everything where the scope is ''.
SELECT d.* FROM devices d WHERE d.id > @after AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
 ORDER BY d.id LIMIT CAST(@n AS bigint);

-- name: QuietDevices :many
-- Devices after one, by number, that may be overdue at a time.
SELECT d.* FROM devices d
 WHERE d.id > @after AND NOT d.retired AND (d.quiet_at < @now OR d.expected_us > 0 OR d.rhythm_captures <> d.captures)
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
 ORDER BY d.id LIMIT CAST(@n AS bigint);

-- name: SentTimes :many
-- When a device's newest captures came that its rhythm is computed from, one left out, the newest first.
SELECT c.received_at FROM captures c
 WHERE c.device_id = @device_id AND c.kind NOT IN ('log', 'empty') AND c.uid <> @uid
 ORDER BY c.received_at DESC, c.uid DESC LIMIT CAST(@n AS bigint);

-- name: DevicesOfSource :many
-- Devices whose newest capture came from an address.
SELECT d.* FROM devices d WHERE d.source = @source AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
 ORDER BY d.last_seen DESC, d.id LIMIT CAST(@n AS bigint);

-- name: DevicesByName :many
SELECT d.* FROM devices d
 WHERE (d.name = @name OR d.id IN (SELECT a.device_id FROM aliases a WHERE a.name = @name))
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
 ORDER BY d.site, d.name;

-- name: NamesBeginning :many
-- Devices whose name, or site and name, is at least one text and less than another. An index has it all.
SELECT d.site, d.name FROM devices d
 WHERE (d.name >= @first AND d.name < @beyond OR d.site || '/' || d.name >= @first AND d.site || '/' || d.name < @beyond)
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
 ORDER BY d.name, d.site LIMIT CAST(@n AS bigint);

-- name: DeviceByAlias :one
SELECT d.* FROM aliases a JOIN devices d ON d.id = a.device_id WHERE a.site = @site AND a.name = @name;

-- name: DeviceNamed :one
-- The device of a name, or else of an alias.
SELECT d.* FROM devices d
 WHERE d.id = coalesce((SELECT o.id FROM devices o WHERE o.site = @site AND o.name = @name),
                       (SELECT a.device_id FROM aliases a WHERE a.site = @site AND a.name = @name))
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site));

-- name: SourceSeen :one
-- 1 if a device has ever sent from this source, or else 0.
SELECT CAST(count(*) AS bigint) FROM (SELECT 1 FROM captures WHERE source = @source AND device_id = @device_id LIMIT 1) AS seen;

-- name: SourceNames :many
-- The devices whose names are from a configuration and that this source has sent since a time. Each
-- device of the source is looked up by itself.
WITH RECURSIVE ids AS (
  SELECT (SELECT min(c.device_id) FROM captures c WHERE c.source = @source) AS id
  UNION ALL
  SELECT (SELECT min(c.device_id) FROM captures c WHERE c.source = @source AND c.device_id > ids.id)
    FROM ids WHERE ids.id IS NOT NULL
)
SELECT d.id, d.site, d.name FROM ids JOIN devices d ON d.id = ids.id
 WHERE d.named_by = 'config'
   AND (SELECT max(c.received_at) FROM captures c WHERE c.device_id = d.id AND c.source = @source) >= @since
 ORDER BY d.id LIMIT 2;

-- name: SourceDevices :many
-- Two devices at most that this source has sent.
WITH RECURSIVE ids AS (
  SELECT (SELECT min(c.device_id) FROM captures c WHERE c.source = @source) AS id
  UNION ALL
  SELECT (SELECT min(c.device_id) FROM captures c WHERE c.source = @source AND c.device_id > ids.id)
    FROM ids WHERE ids.id IS NOT NULL
)
SELECT d.id, d.site, d.name FROM ids JOIN devices d ON d.id = ids.id ORDER BY d.id LIMIT 2;

-- name: NewestFromSource :one
-- The newest whole capture of a file that came by TFTP from a source. Devices put a slash before a name or none. What came with a
-- login is not for who has only the address.
SELECT sha256, received_at FROM captures
 WHERE source = @source AND (filename = @filename OR filename = @slashed) AND complete AND mode IN ('octet', 'netascii')
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: EmptyFromSource :one
-- The newest empty file of a name that came by TFTP from a source.
SELECT sha256, received_at FROM captures
 WHERE source = @source AND (filename = @filename OR filename = @slashed) AND kind = 'empty' AND mode IN ('octet', 'netascii')
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: Body :one
SELECT body FROM contents WHERE sha256 = @sha256;

-- name: Captures :many
-- The captures of all devices since a time and before one, newest first.
SELECT l.* FROM capture_log l
 WHERE l.received_at >= @since AND l.received_at <= @received_at
   AND (l.received_at < @received_at OR (l.received_at = @received_at AND l.uid < @uid))
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = l.site))
 ORDER BY l.received_at DESC, l.uid DESC LIMIT CAST(@n AS bigint);

-- name: Changes :many
-- Those of them that brought a change. An index has them alone.
SELECT l.* FROM capture_log l
 WHERE l.changed AND l.received_at >= @since AND l.received_at <= @received_at
   AND (l.received_at < @received_at OR (l.received_at = @received_at AND l.uid < @uid))
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = l.site))
 ORDER BY l.received_at DESC, l.uid DESC LIMIT CAST(@n AS bigint);

-- name: DeviceCaptures :many
-- The captures of a device before one, newest first.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND received_at <= @received_at AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT CAST(@n AS bigint);

-- name: NewestAt :one
-- The newest capture of a device as of a time.
SELECT * FROM capture_log WHERE device_id = @device_id AND received_at <= @at ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: Oldest :one
SELECT * FROM capture_log WHERE device_id = @device_id ORDER BY received_at, uid LIMIT 1;

-- name: CurrentBeyond :many
-- The newest whole capture of each kind of so many devices beyond one, in the order of sites and names.
WITH RECURSIVE kinds(device_id, kind) AS (
  SELECT p.id, (SELECT min(c.kind) FROM captures c WHERE c.device_id = p.id)
    FROM (SELECT d.id FROM devices d
           WHERE (d.site, d.name) > (CAST(@site AS text), CAST(@name AS text))
             AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))
           ORDER BY d.site, d.name LIMIT CAST(@n AS bigint)) AS p
  UNION ALL
  SELECT k.device_id, (SELECT min(c.kind) FROM captures c WHERE c.device_id = k.device_id AND c.kind > k.kind)
    FROM kinds k WHERE k.kind IS NOT NULL
)
SELECT l.* FROM capture_log l
 WHERE l.id IN (SELECT (SELECT c.id FROM captures c WHERE c.device_id = k.device_id AND c.kind = k.kind AND c.complete
                         ORDER BY c.received_at DESC, c.uid DESC LIMIT 1)
                  FROM kinds k WHERE k.kind IS NOT NULL)
 ORDER BY l.site, l.device, l.kind;

-- name: CapturesAfter :many
SELECT * FROM capture_log WHERE id > @id ORDER BY id LIMIT CAST(@n AS bigint);

-- name: NewestID :one
SELECT CAST(coalesce(max(id), 0) AS bigint) AS id FROM captures;

-- name: Boxes :many
-- The serial numbers and models in a device's newest captures.
SELECT serial, model FROM captures
 WHERE device_id = @device_id AND (serial <> '' OR model <> '')
 ORDER BY received_at DESC, uid DESC LIMIT CAST(@n AS bigint);

-- name: SilentSince :many
-- Devices of a site and platform that were last seen before a time, the latest first.
SELECT * FROM devices
 WHERE site = @site AND platform = @platform AND id <> @id AND last_seen <= @before
 ORDER BY last_seen DESC LIMIT CAST(@n AS bigint);

-- name: Aliases :many
-- The other names of a device; in a scope those of its sites.
SELECT a.site, a.name FROM aliases a
 WHERE a.device_id = @device_id
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = a.site))
 ORDER BY a.site, a.name;

-- name: CaptureRecord :one
SELECT l.* FROM capture_log l WHERE l.id = @id AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = l.site));

-- name: CaptureRecordByUID :one
SELECT l.* FROM capture_log l WHERE l.uid = @uid AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = l.site));

-- name: NewestBefore :one
-- The newest complete capture of a device and kind that is older than the one at (received_at,
-- uid).
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND complete AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: VersionStart :one
-- The first capture of the version that the one at (received_at, uid) belongs to, or of a version
-- before it. A torn capture is no version.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND changed AND complete AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid <= @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1 OFFSET CAST(@versions_back AS bigint);

-- name: NextVersion :one
-- The first capture after the one at (received_at, uid) that changed something, of the same device and kind.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND changed AND received_at >= @received_at
   AND (received_at > @received_at OR (received_at = @received_at AND uid > @uid))
 ORDER BY received_at, uid LIMIT 1;

-- name: AnyBefore :one
-- The capture before the one at (received_at, uid), of the same device and kind, whole or torn.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: AnyVersionStart :one
-- As VersionStart, of a device and kind that never was whole.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND changed AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid <= @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1 OFFSET CAST(@versions_back AS bigint);

-- name: NewestOfKind :one
-- The newest whole capture of a device and kind as of a time.
SELECT * FROM capture_log
 WHERE device_id = @device_id AND kind = @kind AND complete AND received_at <= @at
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: SchemaVersion :one
SELECT version, dirty FROM schema_migrations LIMIT 1;
