-- temporal.check_state: a run whose state does not follow from its history is
-- noticed by the next transition.

\pset format unaligned
BEGIN;
SET LOCAL temporal.check_state = on;

CREATE FUNCTION command(type text, attributes jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('commandType', 'COMMAND_TYPE_' || type,
		lower(type) || '_command_attributes', attributes))
$$;
SELECT temporal.start_workflow('T', workflow_id => 'w', task_queue => 'check');
SELECT temporal.complete_workflow_task(temporal.poll_workflow_task('check') ->> 'taskToken',
	command('START_TIMER', '{"timer_id": "t", "start_to_fire_timeout": "100s"}')
	|| command('SCHEDULE_ACTIVITY_TASK', '{"activity_id": "a", "activity_type": {"name": "A"},
		"start_to_close_timeout": "100s"}')
	|| command('SIGNAL_EXTERNAL_WORKFLOW_EXECUTION', '{"signal_name": "s",
		"execution": {"workflow_id": "nobody"}}')) IS NOT NULL AS completed;

-- What the next transition says after a change behind the engine's back.
CREATE FUNCTION signal_after(change text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	PERFORM temporal.signal_workflow('w', 's');
	RAISE 'nothing' USING errcode = 'ZZZZZ';
EXCEPTION
	WHEN internal_error THEN
		RETURN sqlerrm;
	WHEN sqlstate 'ZZZZZ' THEN
		RETURN 'nothing';
END
$$;
SELECT change, signal_after(change) FROM unnest(ARRAY[
	'SELECT',
	'DELETE FROM temporal.pending_timer',
	'UPDATE temporal.pending_timer SET fire_at = fire_at + interval ''1 s''',
	'DELETE FROM temporal.pending_activity',
	'DELETE FROM temporal.pending_external',
	'DELETE FROM temporal.history WHERE first_event_id = 2',
	'UPDATE temporal.history SET event_count = 9 WHERE first_event_id = 2'
	]) WITH ORDINALITY c (change, n) ORDER BY n;

SET LOCAL temporal.check_state = off;
SELECT signal_after('DELETE FROM temporal.pending_timer');
ROLLBACK;
