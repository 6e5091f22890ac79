-- Transfers of money that are done, or undone.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/transfer.sql
\o
INSERT INTO bank.account VALUES ('ada', 100), ('bob', 0), ('eve', 0);
UPDATE bank.account SET closed = true WHERE name = 'eve';

CREATE FUNCTION t.transfer(id text, sender text, receiver text, amount numeric) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.start_workflow('transfer', workflow_id => id,
		inputs => ARRAY[to_jsonb(sender), to_jsonb(receiver), to_jsonb(amount)]);
	PERFORM t.tick();
	RETURN t.outcome(id);
END
$$;

-- The bookings of a transfer in their order.
CREATE FUNCTION t.bookings(id text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(concat_ws(' ', attributes #>> '{input,0}', attributes #>> '{input,1}'), ', ' ORDER BY event_id)
	FROM temporal.history(id) WHERE event_type = 'ActivityTaskScheduled'
$$;

SELECT is(t.transfer('a', 'ada', 'bob', 10), '"done"', 'a transfer is done');
SELECT is(t.bookings('a'), 'ada -11, fees 1, bob 10', 'by three bookings');
SELECT is(t.transfer('b', 'ada', 'eve', 10), '"undone: activity \"book\" failed: account eve is closed"', 'nobody pays into a closed account');
SELECT is(t.bookings('b'), 'ada -11, fees 1, eve 10, fees -1, ada 11', 'what was booked is undone, the latest first');
SELECT is(t.transfer('c', 'bob', 'ada', 10), '"undone: activity \"book\" failed: account bob has too little money"', 'nor without money');
SELECT is(t.bookings('c'), 'bob -11', 'and nothing needs to be undone');
SELECT is((SELECT string_agg(name || ' ' || balance, ', ' ORDER BY name) FROM bank.account), 'ada 89, bob 10, eve 0, fees 1',
	'the balances are right');

SELECT temporal.mock_activity('book', error => 'the line is down') \g /dev/null
SELECT is(t.transfer('d', 'ada', 'bob', 10), 'running', 'while a bank cannot be reached it is tried again');
SELECT temporal.skip_time('1 day'), t.tick() \g /dev/null
SELECT is(t.outcome('d'), 'running', 'for a day');
SELECT temporal.mock_activity('book') \g /dev/null
SELECT temporal.skip_time('2 minutes'), t.tick() \g /dev/null
SELECT is(t.outcome('d'), '"done"', 'until it can');
SELECT is(temporal.replay('bank.transfer', id), NULL, id || ' can be played again') FROM unnest(ARRAY['a', 'b', 'c', 'd']) id;
SELECT t.check(id) FROM unnest(ARRAY['a', 'b', 'c', 'd']) id;
SELECT * FROM finish();
ROLLBACK;
