-- Without the library in shared_preload_libraries everything works, but only
-- when somebody calls.  An install script is silent below WARNING by default.

DO $$
BEGIN
	IF NOT temporal.preloaded() THEN
		PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);
		RAISE NOTICE 'nothing will run by itself: no timers, retries or timeouts'
			USING HINT = 'Add temporal to shared_preload_libraries and restart the server,'
				' or CALL temporal.run() regularly, for example by pg_cron.';
		PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
	END IF;
END
$$;
