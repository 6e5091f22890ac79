-- Many signals to one run in one transaction: each costs as much as the first,
-- and parts of it that are rolled back leave nothing.
BEGIN;
\ir include/worker.sql
SELECT plan(4);

-- Pages that it takes to send some signals.
CREATE FUNCTION pg_temp.pages(workflow_id text, signals integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT json)
		SELECT temporal.signal_workflow(%L, ''s'') FROM generate_series(1, %s)', workflow_id, signals) INTO plan;
	RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint;
END
$$;

-- Reading all of the history at each signal is not what is measured.
SET LOCAL temporal.check_state = off;
SELECT temporal.start_workflow('w', workflow_id => 'many', task_queue => 'many');
SELECT temporal.signal_workflow('many', 's');
SELECT pg_temp.pages('many', 100) AS first \gset
SELECT pg_temp.pages('many', 3000) AS middle \gset
SELECT cmp_ok(pg_temp.pages('many', 100), '<', (2 * :first)::bigint, 'a signal after thousands costs as much as the first');

SET LOCAL temporal.check_state = on;
SELECT temporal.start_workflow('w', workflow_id => 'undone', task_queue => 'undone');
SELECT temporal.signal_workflow('undone', '1');
SAVEPOINT s;
SELECT temporal.signal_workflow('undone', 'undone') FROM generate_series(1, 50);
ROLLBACK TO s;
SELECT temporal.signal_workflow('undone', '2');
DO $$
BEGIN
	PERFORM temporal.signal_workflow('undone', 'undone');
	RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN
	PERFORM temporal.signal_workflow('undone', '3');
END
$$;
SELECT temporal.signal_workflow('undone', '4');
SELECT is(string_agg(attributes ->> 'signalName', ' ' ORDER BY event_id), '1 2 3 4', 'only what is not rolled back is there')
	FROM temporal.history('undone') WHERE event_type = 'WorkflowExecutionSignaled';
SELECT temporal.terminate_workflow('undone');
SELECT temporal.start_workflow('w', workflow_id => 'undone', task_queue => 'undone');
SELECT temporal.signal_workflow('undone', '5');
SELECT is(count(*), 3::bigint, 'the next run has its own') FROM temporal.history('undone');
SELECT is(count(*), 1::bigint, 'and one row is all that is left of it') FROM temporal.execution_state
	WHERE run_id = (SELECT run_id FROM temporal.workflows WHERE workflow_id = 'undone' AND status = 'Running');

SELECT * FROM finish();
ROLLBACK;
