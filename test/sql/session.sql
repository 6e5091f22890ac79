-- Which sessions have ended: not by their process id alone.
CREATE EXTENSION temporal_test;

WITH self AS (
	SELECT pid, backend_start, pg_postmaster_start_time() AS server_start
	FROM pg_stat_activity WHERE pid = pg_backend_pid())
SELECT
	temporal_test.session_ended(pid, backend_start, server_start) AS self,
	temporal_test.session_ended(pid, backend_start - interval '1 us', server_start) AS same_pid,
	temporal_test.session_ended(pid, backend_start, server_start - interval '1 us') AS same_pid_after_restart,
	temporal_test.session_ended(0, backend_start, server_start) AS no_such_pid
FROM self;

DROP EXTENSION temporal_test;
