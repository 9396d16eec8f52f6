-- name: TurnOffJIT :exec
-- Only PostgreSQL: it takes the views of all devices for much dearer than they are, and compiles them, which takes longer than to run them.
SELECT set_config('jit', 'off', true);
