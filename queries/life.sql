-- name: AddAlias :exec
INSERT INTO aliases (site, name, device_id) VALUES (@site, @name, @device_id)
ON CONFLICT (site, name) DO UPDATE SET device_id = excluded.device_id;

-- name: DropAlias :exec
DELETE FROM aliases WHERE site = @site AND name = @name;

-- name: MoveAliases :exec
UPDATE aliases SET device_id = @new_device WHERE device_id = @old_device;

-- name: DropAliases :exec
DELETE FROM aliases WHERE device_id = @device_id;

-- name: HoldDevice :one
-- A device as it is, held until the end of the transaction.
UPDATE devices SET site = site WHERE id = @id RETURNING *;

-- name: RenameDevice :exec
-- The operator has chosen the name. It is protected like the name in a configuration.
UPDATE devices SET name = @name, named_by = 'config', owner = '' WHERE id = @id;

-- name: RetireDevice :exec
UPDATE devices SET retired = TRUE WHERE id = @id;

-- name: ExpectDevice :exec
UPDATE devices SET expected_us = @expected_us WHERE id = @id;

-- name: MoveCaptures :execrows
UPDATE captures SET device_id = @new_device
 WHERE id IN (SELECT c.id FROM captures c WHERE c.device_id = @old_device ORDER BY c.received_at, c.uid LIMIT CAST(@n AS bigint));

-- name: Kinds :many
-- Each kind of a device is looked up by itself.
WITH RECURSIVE kinds AS (
  SELECT (SELECT min(c.kind) FROM captures c WHERE c.device_id = @device_id) AS kind
  UNION ALL
  SELECT (SELECT min(c.kind) FROM captures c WHERE c.device_id = @device_id AND c.kind > kinds.kind)
    FROM kinds WHERE kinds.kind IS NOT NULL
)
SELECT CAST(kinds.kind AS text) AS kind FROM kinds WHERE kinds.kind IS NOT NULL ORDER BY 1;

-- name: AddChanges :exec
UPDATE devices SET changes = changes + @more WHERE id = @id;

-- name: AbsorbDevice :exec
-- Adds another device's captures to a device. The columns from source on are those of the newer
-- one.
UPDATE devices
   SET captures = captures + @more_captures, changes = changes + @more_changes, first_seen = @first_seen,
       last_change = coalesce((SELECT max(c.received_at) FROM captures c WHERE c.device_id = devices.id AND c.changed), @first_seen),
       named_by = @named_by, owner = @owner,
       source = @source, platform = @platform, model = @model, os_version = @os_version, build = @build, serial = @serial,
       complete = @complete, last_seen = @last_seen, last_uid = @last_uid,
       recent = @recent, longest_us = @longest_us, longest_left = @longest_left, quiet_at = @quiet_at,
       rhythm_captures = captures + @more_captures
 WHERE devices.id = @id;

-- name: RefreshDevice :exec
-- Sets the time of a device's last change, and whether its newest capture is whole, by its
-- captures, after they were compared anew.
UPDATE devices
   SET last_change = coalesce((SELECT max(c.received_at) FROM captures c
                                WHERE c.device_id = devices.id AND c.changed), first_seen),
       complete = coalesce((SELECT c.complete FROM captures c WHERE c.uid = devices.last_uid), complete)
 WHERE devices.id = @id;

-- name: DropDevice :exec
DELETE FROM devices WHERE id = @id;

-- name: DeviceContents :many
-- Captures of a device to be deleted, with their contents.
SELECT c.id, c.sha256, t.size FROM captures c JOIN contents t ON t.sha256 = c.sha256
 WHERE c.device_id = @device_id ORDER BY c.received_at, c.uid LIMIT CAST(@n AS bigint);

-- name: UnpublishContent :exec
-- Ends the publications of a content that no other device has sent.
DELETE FROM published
 WHERE published.sha256 = @sha256
   AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.sha256 = published.sha256 AND c.device_id <> @device_id);
