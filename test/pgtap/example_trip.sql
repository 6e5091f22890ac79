-- The example with three bookings, in one transaction.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/trip.sql
\o

CREATE FUNCTION t.book(traveller text, city text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.start_workflow('trip_book', workflow_id => traveller, inputs => ARRAY[to_jsonb(traveller), to_jsonb(city)]);
	PERFORM t.tick();
	RETURN t.outcome(traveller);
END
$$;

SELECT is(t.book('Ada', 'Rome'), '"Ada goes to Rome"', 'a trip is booked');
SELECT is((SELECT string_agg(kind, ' ' ORDER BY kind) FROM trip.booking), 'car flight hotel', 'at three places');
SELECT is(t.book('Bob', 'Oslo'), '"Bob stays at home: activity \"trip_reserve\" failed: no flight is free in Oslo"', 'one place refuses');
SELECT is((SELECT count(*) FROM trip.booking WHERE traveller = 'Bob'), 0::bigint, 'nothing is left of it');
SELECT is((SELECT string_agg(free::text, ' ' ORDER BY kind) FROM trip.place WHERE city = 'Oslo'), '5 0 5', 'all is free again');
SELECT is((SELECT string_agg(attributes #>> '{input,0}', ' ' ORDER BY event_id) FROM temporal.history('Bob')
	WHERE attributes #>> '{activityType,name}' = 'trip_release'), 'car hotel', 'undone in reverse order');
SELECT is(temporal.replay('trip.book', who), NULL, 'the history of ' || who || ' can be played again') FROM unnest(ARRAY['Ada', 'Bob']) who;
SELECT t.check(who) FROM unnest(ARRAY['Ada', 'Bob']) who;
SELECT * FROM finish();
ROLLBACK;
