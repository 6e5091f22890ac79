-- A trip is booked at three places; if one refuses, the others are undone.
--
-- Workflows and activities are plain functions, run by the extension:
--
--     psql -f examples/trip.sql
--     SELECT temporal.start_workflow('trip_book', inputs => ARRAY['"Ada"', '"Rome"']::jsonb[], workflow_id => 'ada');
--     CALL temporal.await_result('ada');
--     SELECT * FROM trip.booking;

CREATE SCHEMA trip;
CREATE TABLE trip.place (kind text, city text, free integer CHECK (free >= 0), PRIMARY KEY (kind, city));
CREATE TABLE trip.booking (workflow_id text, kind text, city text, traveller text, PRIMARY KEY (workflow_id, kind));
INSERT INTO trip.place
	SELECT kind, city, CASE WHEN kind = 'flight' AND city = 'Oslo' THEN 0 ELSE 5 END
	FROM unnest(ARRAY['hotel', 'car', 'flight']) kind, unnest(ARRAY['Rome', 'Oslo']) city;

-- An activity: its rows are there exactly once, however often it is tried.
CREATE FUNCTION trip.reserve(kind text, city text, traveller text) RETURNS integer LANGUAGE plpgsql AS
$$
DECLARE
	left_over integer;
BEGIN
	UPDATE trip.place p SET free = free - 1 WHERE p.kind = reserve.kind AND p.city = reserve.city
		RETURNING free INTO STRICT left_over;
	INSERT INTO trip.booking VALUES (temporal.activity_info() ->> 'workflow_id', kind, city, traveller);
	RETURN left_over;
EXCEPTION WHEN check_violation THEN
	PERFORM temporal.fail(format('no %s is free in %s', kind, city), 'SoldOut', non_retryable => true);
END
$$;

CREATE FUNCTION trip.release(kind text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	WITH gone AS (
		DELETE FROM trip.booking b
		WHERE b.kind = release.kind AND b.workflow_id = temporal.activity_info() ->> 'workflow_id'
		RETURNING b.kind, b.city)
	UPDATE trip.place p SET free = free + 1 FROM gone WHERE (p.kind, p.city) = (gone.kind, gone.city);
END
$$;

-- The workflow.
CREATE FUNCTION trip.book(traveller text, city text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	kind text;
BEGIN
	FOREACH kind IN ARRAY ARRAY['hotel', 'car', 'flight'] LOOP
		PERFORM temporal.execute_activity('trip_reserve', ARRAY[to_jsonb(kind), to_jsonb(city), to_jsonb(traveller)]);
		PERFORM temporal.compensate('trip_release', kind);
	END LOOP;
	RETURN format('%s goes to %s', traveller, city);
EXCEPTION WHEN SQLSTATE 'TF011' OR SQLSTATE 'TF020' THEN
	PERFORM temporal.run_compensations();
	RETURN format('%s stays at home: %s', traveller, SQLERRM);
END
$$;

SELECT temporal.register_workflow('trip.book', 'trip_book'),
	temporal.register_activity('trip.reserve', 'trip_reserve'),
	temporal.register_activity('trip.release', 'trip_release');
