-- name: AddScope :exec
INSERT INTO scopes (name, site) VALUES (@name, @site) ON CONFLICT (name, site) DO NOTHING;

-- name: ScopeSites :many
SELECT site FROM scopes WHERE name = @name ORDER BY site;

-- name: AddUser :execrows
INSERT INTO users (name, role, scope, password, created_at) VALUES (@name, @role, @scope, @password, @created_at)
ON CONFLICT (name) DO NOTHING;

-- name: Users :many
-- In a scope those that are bound to sites of it.
SELECT u.* FROM users u WHERE (CAST(@within AS text) = '' OR (u.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = u.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))))
 ORDER BY u.name;

-- name: UserByName :one
SELECT * FROM users WHERE name = @name;

-- name: SetPassword :execrows
UPDATE users SET password = @password
 WHERE users.name = @name
   AND (CAST(@within AS text) = '' OR (users.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = users.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))));

-- name: RemoveUser :execrows
DELETE FROM users
 WHERE users.name = @name
   AND (CAST(@within AS text) = '' OR (users.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = users.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))));

-- name: HoldUser :execrows
-- A user whose password is still the same, held until the end of the transaction.
UPDATE users SET password = password WHERE name = @name AND password = @password;

-- name: AddSession :exec
INSERT INTO sessions (sha256, kind, user_name, name, role, scope, created_at, seen_at, expires_at, source, agent)
VALUES (@sha256, @kind, @user_name, @name, @role, @scope, @created_at, @created_at, @expires_at, @source, @agent);

-- name: Session :one
-- A login that has not ended: used after a time, made before it ends. A user's role and scope are those of now.
SELECT s.name, CAST(coalesce(u.role, s.role) AS text) AS role, CAST(coalesce(u.scope, s.scope) AS text) AS scope,
       s.created_at, s.seen_at
  FROM sessions s LEFT JOIN users u ON u.name = s.user_name
 WHERE s.sha256 = @sha256 AND s.kind = 'login' AND s.expires_at > @now AND s.seen_at > @idle_since
   AND (s.user_name IS NULL OR u.name IS NOT NULL);

-- name: SeeSession :exec
UPDATE sessions SET seen_at = @now WHERE sha256 = @sha256;

-- name: UseLink :one
-- A link makes one login: it is gone when it is read.
DELETE FROM sessions WHERE sha256 = @sha256 AND kind = 'link' AND expires_at > @now RETURNING name, role, scope;

-- name: EndSession :exec
DELETE FROM sessions WHERE sha256 = @sha256;

-- name: EndSessionsOf :exec
DELETE FROM sessions WHERE user_name = @user_name;

-- name: DropSessions :exec
-- Deletes what has ended.
DELETE FROM sessions WHERE expires_at <= @now OR (kind = 'login' AND seen_at <= @idle_since);

-- name: AddToken :execrows
INSERT INTO tokens (name, sha256, role, scope, created_by, created_at, used_at, expires_at)
VALUES (@name, @sha256, @role, @scope, @created_by, @created_at, @created_at, @expires_at)
ON CONFLICT (name) DO NOTHING;

-- name: Token :one
SELECT name, role, scope, used_at, expires_at FROM tokens WHERE sha256 = @sha256 AND expires_at > @now;

-- name: SeeToken :exec
UPDATE tokens SET used_at = @now WHERE sha256 = @sha256;

-- name: Tokens :many
SELECT t.name, t.role, t.scope, t.created_by, t.created_at, t.used_at, t.expires_at FROM tokens t
 WHERE (CAST(@within AS text) = '' OR (t.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = t.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))))
 ORDER BY t.name;

-- name: RemoveToken :execrows
DELETE FROM tokens
 WHERE tokens.name = @name
   AND (CAST(@within AS text) = '' OR (tokens.scope <> '' AND NOT EXISTS (
          SELECT 1 FROM scopes s WHERE s.name = tokens.scope
             AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = s.site))));

-- name: AddAudit :exec
INSERT INTO audits (at, name, role, source, action, site, object, detail)
VALUES (@at, @name, @role, @source, @action, @site, @object, @detail);

-- name: Audits :many
-- What was done in the sites of a scope before one, newest first; with the scope '' everything.
SELECT a.id, a.at, a.name, a.role, a.source, a.action, a.site, a.object, a.detail FROM audits a
 WHERE a.id < @before
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = a.site))
 ORDER BY a.id DESC LIMIT CAST(@n AS bigint);
