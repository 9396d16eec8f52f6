-- name: AddLogin :execrows
INSERT INTO logins (name, site, password, created_at, used_at) VALUES (@name, @site, @password, @created_at, @created_at)
ON CONFLICT (name) DO NOTHING;

-- name: AddLoginKey :exec
INSERT INTO login_keys (login, key) VALUES (@login, @key) ON CONFLICT (login, key) DO NOTHING;

-- name: Login :one
SELECT * FROM logins WHERE name = @name;

-- name: LoginHasKey :one
-- 1 if a login has a key, or else 0.
SELECT CAST(count(*) AS bigint) FROM login_keys WHERE login = @login AND key = @key;

-- name: Logins :many
SELECT l.name, l.site, l.password, l.created_at, l.used_at,
       CAST((SELECT count(*) FROM login_keys k WHERE k.login = l.name) AS bigint) AS keys
  FROM logins l ORDER BY l.name;

-- name: SeeLogin :exec
UPDATE logins SET used_at = @now WHERE name = @name;

-- name: SetLoginPassword :execrows
UPDATE logins SET password = @password WHERE name = @name;

-- name: RemoveLogin :execrows
DELETE FROM logins WHERE name = @name;

-- name: DropLoginKeys :exec
DELETE FROM login_keys WHERE login = @login;

-- name: AddHostKey :exec
INSERT INTO host_keys (algorithm, pem, created_at) VALUES (@algorithm, @pem, @created_at)
ON CONFLICT (algorithm) DO NOTHING;

-- name: HostKeys :many
SELECT algorithm, pem FROM host_keys ORDER BY algorithm;
