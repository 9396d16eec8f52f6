-- name: CaptureByUID :one
SELECT id, device_id, changed FROM captures WHERE uid = @uid;

-- name: FirstOfName :one
SELECT sha256 FROM captures WHERE filename = @filename ORDER BY received_at, uid LIMIT 1;

-- name: InsertContent :exec
INSERT INTO contents (sha256, size, encoding, latin1, body)
VALUES (@sha256, @size, @encoding, sqlc.narg('latin1'), @body)
ON CONFLICT (sha256) DO NOTHING;

-- name: LockDevice :one
-- The device of a name or an alias, created if there is none. The update changes nothing but locks
-- the row until the end of the transaction, so that the captures of a device are compared one by
-- one.
INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes,
                     source, platform, model, os_version, build, serial, complete, last_seen, last_uid)
VALUES (coalesce((SELECT d.site FROM aliases a JOIN devices d ON d.id = a.device_id WHERE a.site = @site AND a.name = @name), @site),
        coalesce((SELECT d.name FROM aliases a JOIN devices d ON d.id = a.device_id WHERE a.site = @site AND a.name = @name), @name),
        @named_by, @owner, @seen, @seen, 0, 0, @source, '', '', '', '', '', FALSE, @seen, '')
ON CONFLICT (site, name) DO UPDATE SET site = excluded.site
RETURNING id, site, name, named_by, owner, platform, captures, changes, last_seen, last_uid, source,
          recent, longest_us, longest_left, rhythm_captures;

-- name: YieldName :execrows
-- A name from a file name gives way to the same name from a configuration.
UPDATE devices SET name = @new_name
 WHERE devices.id = @id
   AND NOT EXISTS (SELECT 1 FROM devices AS other WHERE other.site = devices.site AND other.name = @new_name);

-- name: InsertCapture :one
-- The UID was looked up before, so ON CONFLICT would do it twice. If another worker has stored it
-- meanwhile, the statement fails with a conflict.
INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete, ending,
                      platform, model, os_version, serial, changed_by, exported_by)
VALUES (@uid, @received_at, @source, @source_port, @local_address, @filename, @mode, @options, @duration_us,
        @device_id, @kind, @sha256, @fingerprint, @rules, @changed, @complete, @ending,
        @platform, @model, @os_version, @serial, @changed_by, @exported_by)
RETURNING id;

-- name: Previous :one
-- The capture before one, of the same device and kind, whole or torn. Here and elsewhere the bound
-- that the brackets imply is repeated outside of them, where an index can use it.
SELECT sha256, fingerprint, rules, ending, complete FROM captures
 WHERE device_id = @device_id AND kind = @kind AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: Base :one
-- The newest whole capture before one, of the same device and kind.
SELECT sha256, fingerprint, rules, ending FROM captures
 WHERE device_id = @device_id AND kind = @kind AND complete AND received_at <= @received_at
   AND (received_at < @received_at OR (received_at = @received_at AND uid < @uid))
 ORDER BY received_at DESC, uid DESC LIMIT 1;

-- name: Followers :many
-- The captures after one, oldest first. Those up to the next complete one are compared with it.
SELECT id, uid, received_at, sha256, fingerprint, rules, ending, changed, complete FROM captures
 WHERE device_id = @device_id AND kind = @kind AND received_at >= @received_at
   AND (received_at > @received_at OR (received_at = @received_at AND uid > @uid))
 ORDER BY received_at, uid LIMIT CAST(@n AS bigint);

-- name: EndsLikewise :one
-- Whether a capture before one, of the same device and kind, lacks its end in the same way. That
-- an ending isn't blank is said for the index.
SELECT EXISTS (SELECT 1 FROM captures c
                WHERE c.device_id = @device_id AND c.kind = @kind AND c.ending = @ending AND c.ending <> ''
                  AND c.received_at <= @received_at
                  AND (c.received_at < @received_at OR (c.received_at = @received_at AND c.uid < @uid)));

-- name: NextLikewise :one
-- The capture after one, of the same device and kind, that lacks its end in the same way.
SELECT id, uid, received_at, sha256, fingerprint, rules, ending, changed, complete FROM captures
 WHERE device_id = @device_id AND kind = @kind AND ending = @ending AND ending <> '' AND received_at >= @received_at
   AND (received_at > @received_at OR (received_at = @received_at AND uid > @uid))
 ORDER BY received_at, uid LIMIT 1;

-- name: SetChanged :exec
UPDATE captures SET changed = @changed WHERE id = @id;

-- name: SetComplete :exec
UPDATE captures SET complete = @complete WHERE id = @id;

-- name: CountCapture :exec
UPDATE devices
   SET captures = captures + 1,
       changes = changes + @new_changes,
       first_seen = CASE WHEN @received_at < first_seen THEN @received_at ELSE first_seen END,
       last_change = coalesce((SELECT max(c.received_at) FROM captures c WHERE c.device_id = devices.id AND c.changed),
                              last_change),
       complete = coalesce((SELECT c.complete FROM captures c WHERE c.uid = devices.last_uid), complete),
       named_by = @named_by,
       owner = @owner,
       recent = @recent, longest_us = @longest_us, longest_left = @longest_left, quiet_at = @quiet_at,
       rhythm_captures = captures + 1
 WHERE devices.id = @id;

-- name: CountNewest :execrows
-- Counts a capture that is its device's newest, as nearly all are, and copies its fields. It finds
-- no row if the device has changed: another transaction has stored a capture, or renamed, merged or
-- forgotten the device. It locks the row as LockDevice does.
UPDATE devices
   SET captures = captures + 1,
       changes = changes + @new_changes,
       last_change = CASE WHEN @new_changes > 0 THEN @last_seen ELSE last_change END,
       named_by = @named_by, owner = @owner,
       source = @source, platform = @platform, model = @model, os_version = @os_version, build = @build,
       serial = @serial, complete = @complete, last_seen = @last_seen, last_uid = @last_uid, retired = FALSE,
       recent = @recent, longest_us = @longest_us, longest_left = @longest_left, quiet_at = @quiet_at,
       rhythm_captures = captures + 1
 WHERE devices.id = @id AND devices.last_uid = @known_uid AND devices.captures = @known_captures
   AND devices.site = @site AND devices.name = @name
   -- A late capture or a merge may have found its name in a configuration.
   AND (devices.named_by = @named_by OR @named_by = 'config')
   AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.site = @site AND a.name = @name AND a.device_id <> devices.id);
