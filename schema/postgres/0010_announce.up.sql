-- The program announces captures after their commit. A transaction that notifies holds a lock of the whole cluster until its commit
-- is done, so with a trigger the commits of all workers would wait for the disk one after the other.
DROP TRIGGER tftpsql_notify ON captures;
DROP FUNCTION tftpsql_notify();
