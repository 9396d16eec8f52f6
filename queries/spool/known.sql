-- name: Known :one
SELECT value FROM known WHERE kind = @kind AND key = @key;

-- name: Learn :exec
INSERT INTO known (kind, key, value) VALUES (@kind, @key, @value)
ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value;

-- name: Forget :exec
DELETE FROM known WHERE kind = @kind AND key = @key;

-- name: CountKnown :one
SELECT count(*) FROM known WHERE kind = @kind;

-- name: ForgetAll :exec
DELETE FROM known WHERE kind = @kind;
