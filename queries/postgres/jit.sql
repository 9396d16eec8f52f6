-- name: TurnOffJIT :exec
-- Only PostgreSQL: it overestimates the views of all devices and compiles them, which takes longer
-- than running them.
SELECT set_config('jit', 'off', true);
