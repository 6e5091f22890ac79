-- Workflow functions whose histories the replayer is shown; workflows.py has
-- the same in Python.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS python CASCADE;
CREATE SCHEMA python;

CREATE FUNCTION python.say(what text) RETURNS text LANGUAGE sql AS $$ SELECT what $$;

CREATE FUNCTION python.refuse() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RAISE EXCEPTION 'never';
END
$$;

-- A sequence is not rolled back with the attempt.
CREATE SEQUENCE python.attempt;
CREATE FUNCTION python.third_time() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF nextval('python.attempt') % 3 <> 0 THEN
		RAISE EXCEPTION 'not yet';
	END IF;
	RETURN 'at last';
END
$$;

CREATE FUNCTION python.flow() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	said text := temporal.execute_activity('say', 'one'::text, result => NULL::text);
	several bigint[];
BEGIN
	several := ARRAY[temporal.start_activity('say', 'two'::text), temporal.start_activity('say', 'three'::text),
		temporal.start_activity('say', 'four'::text)];
	PERFORM temporal.await_all(several);
	PERFORM temporal.sleep('10 ms');
	PERFORM temporal.execute_activity('refuse');
	RETURN 'not refused';
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	RETURN temporal.execute_activity('say', said, result => said);
END
$$;

CREATE FUNCTION python.local_flow() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_local_activity('say', 'one'::text);
	RETURN temporal.execute_local_activity('third_time', initial_interval => '10 ms', result => NULL::text);
END
$$;

SELECT temporal.register_activity('python.' || name, task_queue => 'python', maximum_attempts => attempts)
FROM (VALUES ('say', 0), ('refuse', 1), ('third_time', 0)) activity (name, attempts);
SELECT temporal.register_workflow('python.' || name, task_queue => 'python') FROM unnest(ARRAY['flow', 'local_flow']) name;
