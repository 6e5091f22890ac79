-- Closed runs go when the retention of their namespace has passed, those of
-- other namespaces and open ones stay.

BEGIN;
SELECT plan(9);

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

SELECT * FROM finish();
ROLLBACK;
