-- Only PostgreSQL: what DeleteCapture and DeleteContent do, for many rows.

-- name: DeleteCaptures :exec
DELETE FROM captures WHERE id = ANY(@ids::bigint[]);

-- name: DeleteContents :many
DELETE FROM contents
 WHERE contents.sha256 = ANY(@sums::bytea[])
   AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.sha256 = contents.sha256)
   AND NOT EXISTS (SELECT 1 FROM published p WHERE p.sha256 = contents.sha256)
RETURNING size;
