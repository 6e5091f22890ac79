-- A deadline or an effect that fails is pushed back and recorded, and starves
-- nobody.
BEGIN;
\ir include/worker.sql
SELECT plan(14);

-- A workflow with a timer, and before it in the order of firing two rows that
-- cannot be fired: their namespace does not exist.
SELECT t.run('healthy', t.start_timer('t', '1s'));
INSERT INTO temporal.timer (shard, fire_at, run_id, kind, event_id, namespace_id)
	VALUES (0, '2001-01-01', gen_random_uuid(), 1, 0, gen_random_uuid()),
		(0, '2001-01-01', gen_random_uuid(), 99, 0, '64656661-756c-8474-8000-000000000001');

SET LOCAL temporal.clock_offset = '2s';
SELECT ok(temporal.tick() >= 3, 'all due rows are looked at');
SELECT t.history_is('healthy', 'P, 5 TIMER_START, 6 TIMER_FIRED, 7 WFT_SCHED',
	'the healthy timer has fired');
SELECT is(count(*), 2::bigint, 'the poison rows are still there')
	FROM temporal.timer WHERE failures = 1;
SELECT ok(bool_and(fire_at > clock_timestamp() + '2s'), 'and are tried later')
	FROM temporal.timer WHERE failures = 1;
SELECT is(array_agg(error ORDER BY error),
	ARRAY['namespace of a timer does not exist', 'timer has kind 99'], 'with what went wrong')
	FROM temporal.timer WHERE failures = 1;
SELECT is(count(*), 2::bigint, 'status() says so')
	FROM temporal.status() WHERE problem = 'failing timer';
SELECT is(temporal.tick(), 0, 'nothing is due at once');

SET LOCAL temporal.clock_offset = '4s';
SELECT temporal.tick();
SELECT is(count(*), 2::bigint, 'a second failure is counted')
	FROM temporal.timer WHERE failures = 2;
SELECT ok(min(fire_at) - clock_timestamp() > '5s', 'and waited for longer')
	FROM temporal.timer WHERE failures = 2;

-- An effect of a namespace that does not exist.
SELECT t.run('sender', t.signal_external('nobody'));
UPDATE temporal.outbox SET namespace_id = gen_random_uuid();
SELECT temporal.tick();
SELECT is(array_agg(error), ARRAY['namespace of an effect does not exist'], 'an effect that fails is kept, too')
	FROM temporal.outbox;

-- Each has a subtransaction, of which there must not be too many at once.
INSERT INTO temporal.timer (shard, fire_at, run_id, kind, event_id, namespace_id)
	SELECT 0, '2001-01-01', gen_random_uuid(), 1, 0, gen_random_uuid() FROM generate_series(1, 100);
SELECT ok(temporal.tick() BETWEEN 1 AND 60, 'few are tried one by one in one tick');
SELECT temporal.tick() FROM generate_series(1, 7);
SELECT is(count(*), 102::bigint, 'and all in the end') FROM temporal.timer WHERE failures > 0;

-- A tick that cannot go on leaves the session as it was.
ALTER TABLE temporal.outbox RENAME TO hidden;
SELECT throws_ok('SELECT temporal.tick()', '42P01');
ALTER TABLE temporal.hidden RENAME TO outbox;
SELECT is(current_setting('enable_seqscan'), 'on', 'the planner is given back after an error');

SELECT * FROM finish();
ROLLBACK;
