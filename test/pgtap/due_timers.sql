-- What is due together is done together; what fails does not stop the rest.

BEGIN;
SELECT plan(5);

SELECT temporal.start_workflow('T', workflow_id => 'due-' || i, task_queue => 'q',
	start_delay => i * interval '1 minute')
FROM generate_series(1, 5) i \g /dev/null

-- A row that nobody can make sense of.
INSERT INTO temporal.timer (shard, fire_at, run_id, kind, event_id, namespace_id)
	SELECT shard, fire_at + interval '1 second', run_id, 99, 0, namespace_id FROM temporal.timer
	ORDER BY fire_at LIMIT 1 OFFSET 1;

SET LOCAL temporal.clock_offset = '200s';
SELECT is(temporal.tick(), 4, 'three timers and the broken row are done');
SELECT is((SELECT count(*) FROM temporal.task)::integer, 3, 'the other timers have fired');
SELECT results_eq(
	$$SELECT failures, error, fire_at > clock_timestamp() + interval '200s' FROM temporal.timer WHERE kind = 99$$,
	$$VALUES (1, 'timer has kind 99', true)$$,
	'the broken row is tried again later, and says why');
SELECT is(temporal.tick(), 0, 'nothing else is due');
SET LOCAL temporal.clock_offset = '400s';
SELECT is(temporal.tick(), 3, 'two more timers and the broken row');

SELECT * FROM finish();
ROLLBACK;
