-- A warehouse is counted, many shelves at a time.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/fanout.sql
SELECT temporal.register_activity('stocktaking.count_shelf', initial_interval => '1 hour');
\o

SELECT is(t.launch('take_stock', '50'), 'running', 'some shelves cannot be counted at once');
SELECT is((SELECT count(*) FROM stocktaking.counted), 45::bigint, 'the others are');
SELECT temporal.skip_time('1 hour'), t.tick() \g /dev/null
SELECT is(t.outcome('take_stock'), (SELECT sum(items)::text FROM stocktaking.shelf WHERE shelf <= 50), 'then all are');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT shelf) || ' ' || sum(attempt) FROM stocktaking.counted), '50 50 55',
	'each of them once');
SELECT is((SELECT to_jsonb(r) - 'items' FROM stocktaking.report r), '{"workflow_id": "take_stock", "shelves": 50}', 'one report is written');

SELECT temporal.mock_activity('count_shelf', '2') \g /dev/null
SELECT is(t.launch('take_stock', '100', 'mocked'), '200', 'no real shelf is needed');
SELECT is(temporal.replay('stocktaking.take_stock', id), NULL, id || ' can be played again') FROM unnest(ARRAY['take_stock', 'mocked']) id;
SELECT t.check(id) FROM unnest(ARRAY['take_stock', 'mocked']) id;
SELECT * FROM finish();
ROLLBACK;
