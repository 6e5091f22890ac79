-- Closed runs go when the retention of their namespace has passed, those of
-- other namespaces and open ones stay.

BEGIN;
SELECT plan(14);

SELECT temporal.register_namespace('short', '1 hour') IS NOT NULL \g /dev/null
SELECT temporal.register_namespace('long', '10 days') IS NOT NULL \g /dev/null
SELECT count(temporal.start_workflow('T', workflow_id => 'w' || n, namespace => name)) AS done
FROM unnest('{short, default, long}'::text[]) name, generate_series(1, 5) n \gset
SELECT count(temporal.terminate_workflow('w' || n, namespace => name)) AS done
FROM unnest('{short, default, long}'::text[]) name, generate_series(1, 4) n \gset

-- What is left after ticks at a time from now: namespace, closed, open.
CREATE FUNCTION left_after(passed interval, ticks integer DEFAULT 3, items integer DEFAULT 100) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM set_config('temporal.clock_offset', (extract(epoch FROM passed) * 1000)::bigint::text, true);
	FOR n IN 1 .. ticks LOOP
		PERFORM temporal.tick(items);
	END LOOP;
	RETURN (SELECT string_agg(format('%s %s+%s', w.namespace, w.closed, w.open), ', ' ORDER BY w.namespace)
		FROM (SELECT namespace, count(close_time) AS closed, count(*) FILTER (WHERE close_time IS NULL) AS open
			FROM temporal.workflows GROUP BY 1) w);
END
$$;
SELECT is(left_after('30 minutes'), 'default 4+1, long 4+1, short 4+1', 'before anything is due');
SELECT is(left_after('61 minutes', 1, 3), 'default 4+1, long 4+1, short 1+1', 'a tick is bounded');
SELECT is(left_after('61 minutes', 1, 3), 'default 4+1, long 4+1, short 0+1', 'the next one goes on');
SELECT is(left_after('71 hours'), 'default 4+1, long 4+1, short 0+1', 'each namespace has its own time');
SELECT is(left_after('73 hours'), 'default 0+1, long 4+1, short 0+1', 'the default is three days');
SELECT is(left_after('30 minutes'), 'default 0+1, long 4+1, short 0+1', 'the clock was set back');
SELECT is((SELECT count(*) FROM temporal.timer WHERE kind = 3), 0::bigint, 'no row waits for it');
SELECT temporal.terminate_workflow('w5', namespace => 'short') IS NULL \g /dev/null
SELECT is(left_after('3 hours'), 'default 0+1, long 4+1', 'one that closed later');
SELECT temporal.update_namespace('long', retention => '2 hours') IS NULL \g /dev/null
SELECT is(left_after('5 hours'), 'default 0+1, long 0+1', 'a namespace that keeps runs shorter from now on');

-- A tick has fewer than 64 subtransactions that write, as readers pay for more:
-- with many namespaces, and with a run that cannot be deleted.
CREATE TABLE deletions (tick integer);
CREATE FUNCTION undeletable() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	IF old.run_id = current_setting('t.undeletable')::uuid THEN
		RAISE 'not this one';
	END IF;
	INSERT INTO deletions VALUES (current_setting('t.tick')::integer);
	RETURN old;
END
$$;
CREATE TRIGGER undeletable BEFORE DELETE ON temporal.history FOR EACH ROW EXECUTE FUNCTION undeletable();
CREATE VIEW closed AS
	SELECT count(*) FROM temporal.execution WHERE close_time IS NOT NULL;

SELECT count(temporal.register_namespace('n' || n, '1 hour')) AS done FROM generate_series(1, 70) n \gset
SELECT count(temporal.start_workflow('T', workflow_id => 'w', namespace => 'n' || n)) AS done FROM generate_series(1, 70) n \gset
SELECT count(temporal.start_workflow('T', workflow_id => 'v' || n, namespace => 'n35')) AS done FROM generate_series(1, 70) n \gset
SELECT set_config('t.undeletable', (temporal.describe_workflow('v30', namespace => 'n35')
	#>> '{workflowExecutionInfo,execution,runId}'), true) IS NOT NULL AS done \gset
SELECT count(temporal.terminate_workflow('w', namespace => 'n' || n)) AS done FROM generate_series(1, 70) n \gset
SELECT count(temporal.terminate_workflow('v' || n, namespace => 'n35')) AS done FROM generate_series(1, 70) n \gset
SELECT is((TABLE closed), 140::bigint, 'many have closed');
SET LOCAL temporal.clock_offset = '7 h';
SET LOCAL client_min_messages = error;
DO $$
BEGIN
	FOR n IN 1 .. 100 LOOP
		PERFORM set_config('t.tick', n::text, true);
		EXIT WHEN temporal.tick(200) = 0;
	END LOOP;
END
$$;
SELECT ok(max(n) BETWEEN 2 AND 60, 'a tick has few subtransactions') FROM
	(SELECT count(DISTINCT xmin::text) AS n FROM deletions GROUP BY tick) t;
SELECT ok(max(tick) < 30, 'but not as few as possible') FROM deletions;
SELECT is((TABLE closed), 1::bigint, 'and all are gone but one');
SET LOCAL t.undeletable = '';
DROP TRIGGER undeletable ON temporal.history;
SELECT is(left_after('9 hours', 1, 1), 'default 0+1, long 0+1', 'that goes when it can be deleted');

SELECT * FROM finish();
ROLLBACK;
