-- name: AddEvents :exec
-- Only PostgreSQL: the events of a batch of captures. Where there is no channel nobody is told.
INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
SELECT unnest(@at::timestamptz[]), unnest(@kind::text[]), unnest(@site::text[]), unnest(@device_id::bigint[]),
       unnest(@capture_id::bigint[]), unnest(@at::timestamptz[]), unnest(@detail::text[]), FALSE
 WHERE EXISTS (SELECT 1 FROM channels);
