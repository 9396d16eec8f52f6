DROP VIEW current_log;
