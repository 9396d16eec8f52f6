-- Where py3tftpsql's rows are: in an ordinary table, under its first name where this program has never migrated.
SELECT c.relname::text FROM pg_class c
 WHERE c.oid IN (to_regclass('backups_py3tftpsql'), to_regclass('backups')) AND c.relkind IN ('r', 'p')
 ORDER BY c.relname DESC LIMIT 1;
