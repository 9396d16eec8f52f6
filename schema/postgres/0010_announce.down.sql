CREATE FUNCTION tftpsql_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  d record;
BEGIN
  SELECT site, name, captures INTO d FROM devices WHERE id = NEW.device_id;
  PERFORM pg_notify('tftpsql', json_build_object('id', NEW.id, 'uid', NEW.uid, 'site', d.site, 'device', d.name, 'changed', NEW.changed,
    'complete', NEW.complete, 'new_device', d.captures = 0, 'received_at', to_char(NEW.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER tftpsql_notify AFTER INSERT ON captures FOR EACH ROW EXECUTE FUNCTION tftpsql_notify();
