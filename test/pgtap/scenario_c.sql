-- Timers, markers, attributes.  S-49 is in test/t/049_timer_durability.pl.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- -------------------------------------------------------------- S-44 fire

SELECT t.run('s-44', t.start_timer('t', '1s'));
SELECT t.history_is('s-44', 'P, 5 TIMER_START', 'S-44 fire: events before');
SELECT is(t.event('s-44', 5), '{"timerId": "t", "startToFireTimeout": "1s", "workflowTaskCompletedEventId": "4"}',
	'S-44 TIMER_START');
SELECT is((SELECT fire_at FROM temporal.pending_timer), t.event_time('s-44', 5) + '1s', 'S-44 due a second later');
SELECT t.skip('0.5s');
SELECT t.history_is('s-44', 'P, 5 TIMER_START', 'S-44 nothing before its time');
SELECT t.check('s-44');
SELECT t.skip('0.5s');
SELECT t.history_is('s-44', 'P, 5 TIMER_START, 6 TIMER_FIRED, 7 WFT_SCHED', 'S-44 events');
SELECT is(t.event('s-44', 6), '{"timerId": "t", "startedEventId": "5"}', 'S-44 TIMER_FIRED(t, started 5)');
SELECT ok(t.event_time('s-44', 6) >= t.event_time('s-44', 5) + '1s', 'S-44 not before its time');
SELECT t.event_has('s-44', 7, '{"taskQueue": {"name": "s-44"}, "attempt": 1}', 'S-44 WFT_SCHED');
SELECT t.check('s-44');
SELECT t.skip('1h');
SELECT t.history_is('s-44', 'P, 5 TIMER_START, 6 TIMER_FIRED, 7 WFT_SCHED', 'S-44 fires once');
SELECT t.poll_is(t.poll('s-44'), 'P, 5 TIMER_START, 6 TIMER_FIRED, 7 WFT_SCHED, 8 WFT_START', 'S-44 the worker sees it');

SELECT t.run('s-44 zero', t.start_timer('t', '0s'));
SELECT t.history_is('s-44 zero', 'P, 5 TIMER_START', 'S-44 a timer of no duration does not fire in its completion');
SELECT t.tick();
SELECT t.history_is('s-44 zero', 'P, 5 TIMER_START, 6 TIMER_FIRED, 7 WFT_SCHED', 'S-44 but at the next tick');
SELECT t.check('s-44 zero');

SELECT t.run('s-44 beyond', t.start_timer('t', '20s'), '{"workflow_run_timeout": "10s"}');
SELECT t.check('s-44 beyond');
SELECT t.skip('10s');
SELECT t.history_is('s-44 beyond', 'P, 5 TIMER_START, 6 WF_TIMED_OUT', 'S-44 a timer that the run does not live to see');
SELECT t.check('s-44 beyond');
SELECT t.skip('20s');
SELECT t.history_is('s-44 beyond', 'P, 5 TIMER_START, 6 WF_TIMED_OUT', 'S-44 never fires');

-- ------------------------------------------------------------ S-45 cancel

SELECT t.run('s-45', t.start_timer('t', '3600s'));
SELECT t.signal('s-45');
SELECT t.complete(t.poll('s-45'), t.cancel_timer('t'));
SELECT t.history_is('s-45', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 TIMER_CANCELED',
	'S-45 cancel: events');
SELECT is(t.event('s-45', 10), '{"timerId": "t", "startedEventId": "5", "workflowTaskCompletedEventId": "9",
	"identity": "worker"}', 'S-45 TIMER_CANCELED(t, started 5)');
SELECT t.check('s-45');
SELECT t.skip('2h');
SELECT t.history_is('s-45', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 TIMER_CANCELED',
	'S-45 never fires');
SELECT t.signal('s-45');
SELECT t.complete(t.poll('s-45'), t.start_timer('t', '1s'));
SELECT t.skip('1s');
SELECT t.history_is('s-45', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 TIMER_CANCELED,
	11 WF_SIGNALED, 12 WFT_SCHED, 13 WFT_START, 14 WFT_DONE, 15 TIMER_START, 16 TIMER_FIRED, 17 WFT_SCHED',
	'S-45 the same id may be started again');
SELECT t.event_has('s-45', 16, '{"timerId": "t", "startedEventId": "15"}', 'S-45 TIMER_FIRED of the second');
SELECT t.check('s-45');

SELECT t.run('s-45 again', t.start_timer('t', '3600s'));
SELECT t.signal('s-45 again');
SELECT t.complete(t.poll('s-45 again'), t.cancel_timer('t') || t.start_timer('t', '1s')
	|| t.cancel_timer('t') || t.start_timer('t', '2s'));
SELECT t.check('s-45 again');
SELECT t.skip('1s');
SELECT t.history_is('s-45 again', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 TIMER_CANCELED, 11 TIMER_START, 12 TIMER_CANCELED, 13 TIMER_START', 'S-45 even in the same completion');
SELECT t.event_has('s-45 again', 12, '{"startedEventId": "11"}', 'S-45 TIMER_CANCELED of the one just started');
SELECT t.skip('1s');
SELECT t.history_is('s-45 again', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 TIMER_CANCELED, 11 TIMER_START, 12 TIMER_CANCELED, 13 TIMER_START, 14 TIMER_FIRED, 15 WFT_SCHED',
	'S-45 the last one fires');
SELECT t.event_has('s-45 again', 14, '{"timerId": "t", "startedEventId": "13"}', 'S-45 TIMER_FIRED(t, started 13)');
SELECT t.check('s-45 again');

-- --------------------- S-46 cancel a fired but buffered timer and close

-- Timer 1 s, a workflow task started by a signal, the timer fires meanwhile.
CREATE FUNCTION pg_temp.fire_while_started(workflow_id text) RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	task jsonb;
BEGIN
	PERFORM t.run(workflow_id, t.start_timer('t', '1s'));
	PERFORM t.signal(workflow_id);
	task := t.poll(workflow_id);
	PERFORM t.skip('1s');
	RETURN task;
END
$$;

SELECT pg_temp.fire_while_started('s-46') AS task \gset
SELECT t.history_is('s-46', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START',
	'S-46 cancel a fired but buffered timer and close: events before');
SELECT is((SELECT count(*) FROM temporal.buffered_event), 1::bigint, 'S-46 TIMER_FIRED is in the buffer');
SELECT t.check('s-46');
SELECT t.complete(:'task', t.cancel_timer('t') || t.complete_workflow());
SELECT t.history_is('s-46', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START,
	9 WFT_DONE, 10 TIMER_CANCELED, 11 WF_COMPLETED', 'S-46 events');
SELECT t.event_has('s-46', 10, '{"timerId": "t", "startedEventId": "5"}', 'S-46 TIMER_CANCELED');
SELECT t.check('s-46');

SELECT pg_temp.fire_while_started('s-46 open') AS task \gset
SELECT t.complete(:'task', t.cancel_timer('t') || t.start_timer('t', '1s'));
SELECT t.history_is('s-46 open', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START,
	9 WFT_DONE, 10 TIMER_CANCELED, 11 TIMER_START', 'S-46 without closing: nothing is left to see');
SELECT t.check('s-46 open');

SELECT pg_temp.fire_while_started('s-46 close') AS task \gset
SELECT is(t.error_of_complete(:'task', t.complete_workflow()), 'TW303 UnhandledCommand', 'S-46 without cancelling: refused');
SELECT t.history_is('s-46 close', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START,
	9 WFT_FAILED, 10 TIMER_FIRED, 11 WFT_SCHED', 'S-46 without cancelling: events');
SELECT t.check('s-46 close');

-- What the completion itself puts into the buffer does not keep it from closing:
-- the worker would do the same again and again.
SELECT t.run('s-46 activity', t.schedule_activity('a') || t.start_timer('t', '3600s'));
SELECT t.signal('s-46 activity');
SELECT t.complete(t.poll('s-46 activity'),
	t.request_cancel_activity(5) || t.cancel_timer('t') || t.complete_workflow());
SELECT t.history_is('s-46 activity', 'P, 5 ACT_SCHED, 6 TIMER_START, 7 WF_SIGNALED, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 ACT_CANCEL_REQ, 12 TIMER_CANCELED, 13 WF_COMPLETED',
	'S-46 cancel an activity before its start, then a timer, and close');
SELECT t.check('s-46 activity');

-- ------------------------------------ S-47 same with another buffered event

SELECT pg_temp.fire_while_started('s-47') AS task \gset
SELECT t.signal('s-47', 'second');
SELECT t.check('s-47');
SELECT is(t.error_of_complete(:'task', t.cancel_timer('t') || t.complete_workflow()), 'TW303 UnhandledCommand',
	'S-47 same with another buffered event: refused');
SELECT t.history_is('s-47', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START,
	9 WFT_FAILED, 10 TIMER_FIRED, 11 WF_SIGNALED, 12 WFT_SCHED', 'S-47 events');
SELECT t.event_has('s-47', 9, '{"scheduledEventId": "7", "startedEventId": "8",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"}', 'S-47 WFT_FAILED(UNHANDLED_COMMAND)');
SELECT t.event_has('s-47', 10, '{"timerId": "t", "startedEventId": "5"}', 'S-47 TIMER_FIRED');
SELECT t.event_has('s-47', 11, '{"signalName": "second"}', 'S-47 WF_SIGNALED');
SELECT t.check('s-47');
SELECT t.complete(t.poll('s-47'), t.complete_workflow());
SELECT t.history_is('s-47', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_FAILED, 10 TIMER_FIRED,
	11 WF_SIGNALED, 12 WFT_SCHED, 13 WFT_START, 14 WFT_DONE, 15 WF_COMPLETED', 'S-47 closes at the second try');
SELECT t.check('s-47');

SELECT pg_temp.fire_while_started('s-47 open') AS task \gset
SELECT t.signal('s-47 open', 'second');
SELECT t.complete(:'task', t.cancel_timer('t'));
SELECT t.history_is('s-47 open', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START,
	9 WFT_DONE, 10 TIMER_CANCELED, 11 WF_SIGNALED, 12 WFT_SCHED', 'S-47 without closing: only TIMER_FIRED is taken back');
SELECT t.check('s-47 open');

-- ------------------------------------------------- S-48 several at once

SELECT t.run('s-48', t.start_timer('a', '1s') || t.start_timer('b', '1s'));
SELECT is((SELECT count(*) FROM temporal.timer JOIN temporal.execution USING (run_id) WHERE workflow_id = 's-48'),
	1::bigint, 'S-48 several at once: one deadline for the run');
SELECT t.skip('3s');
SELECT t.history_is('s-48', 'P, 5 TIMER_START, 6 TIMER_START, 7 TIMER_FIRED, 8 TIMER_FIRED, 9 WFT_SCHED', 'S-48 events');
SELECT is(t.event('s-48', 7), '{"timerId": "a", "startedEventId": "5"}', 'S-48 TIMER_FIRED a');
SELECT is(t.event('s-48', 8), '{"timerId": "b", "startedEventId": "6"}', 'S-48 TIMER_FIRED b');
SELECT t.check('s-48');

SELECT t.run('s-48 order', t.start_timer('a', '2s') || t.start_timer('b', '1s') || t.start_timer('c', '5s'));
SELECT t.skip('3s');
SELECT t.history_is('s-48 order', 'P, 5 TIMER_START, 6 TIMER_START, 7 TIMER_START,
	8 TIMER_FIRED, 9 TIMER_FIRED, 10 WFT_SCHED', 'S-48 only those that are due');
SELECT is(ARRAY[t.event('s-48 order', 8) ->> 'timerId', t.event('s-48 order', 9) ->> 'timerId'], '{b,a}',
	'S-48 in the order of their times');
SELECT t.check('s-48 order');
SELECT t.skip('2s');
SELECT t.history_is('s-48 order', 'P, 5 TIMER_START, 6 TIMER_START, 7 TIMER_START,
	8 TIMER_FIRED, 9 TIMER_FIRED, 10 WFT_SCHED, 11 TIMER_FIRED', 'S-48 the last one while a task waits');
SELECT t.check('s-48 order');

SELECT t.start('s-48 twice');
SELECT t.poll('s-48 twice') AS task \gset
SELECT is(t.error_of_complete(:'task', t.start_timer('t') || t.start_timer('t')),
	'TW303 StartTimerDuplicateId: TimerID t is already in use.', 'S-48 duplicate id: refused');
SELECT t.history_is('s-48 twice', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-48 duplicate id: events');
SELECT t.event_has('s-48 twice', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID"}',
	'S-48 WFT_FAILED(START_TIMER_DUPLICATE_ID)');
SELECT t.check('s-48 twice');

SELECT t.run('s-48 pending', t.start_timer('t', '3600s'));
SELECT t.signal('s-48 pending');
SELECT is(t.error_of_complete(t.poll('s-48 pending'), t.start_timer('t')),
	'TW303 StartTimerDuplicateId: TimerID t is already in use.', 'S-48 id of a pending timer: refused');
SELECT t.event_has('s-48 pending', 9, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID"}',
	'S-48 id of a pending timer: WFT_FAILED');
SELECT t.check('s-48 pending');

SELECT t.start('s-48 unknown');
SELECT is(t.error_of_complete(t.poll('s-48 unknown'), t.start_timer('t') || t.cancel_timer('x')),
	'TW303 BadCancelTimerAttributes: TimerID x is not pending.', 'S-48 cancel unknown id: refused');
SELECT t.history_is('s-48 unknown', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED',
	'S-48 cancel unknown id: the timer before it is not started either');
SELECT t.event_has('s-48 unknown', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES"}',
	'S-48 WFT_FAILED(BAD_CANCEL_TIMER_ATTRIBUTES)');
SELECT t.check('s-48 unknown');

-- The cause of the failed task after one completion with these commands.
CREATE FUNCTION pg_temp.cause_of(workflow_id text, commands jsonb) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	error text;
BEGIN
	PERFORM t.start(workflow_id);
	error := t.error_of_complete(t.poll(workflow_id), commands);
	RETURN coalesce(left(error, 5), 'accepted') || ' '
		|| coalesce(replace(t.event(workflow_id, 4) ->> 'cause', 'WORKFLOW_TASK_FAILED_CAUSE_', ''), '');
END
$$;

SELECT is(pg_temp.cause_of('s-48 no id', t.start_timer('')), 'TW303 BAD_START_TIMER_ATTRIBUTES', 'S-48 timer without id');
SELECT is(pg_temp.cause_of('s-48 negative', t.start_timer('t', '-1s')), 'TW303 BAD_START_TIMER_ATTRIBUTES',
	'S-48 timer of negative duration');
SELECT is(pg_temp.cause_of('s-48 cancel no id', t.cancel_timer('')), 'TW303 BAD_CANCEL_TIMER_ATTRIBUTES',
	'S-48 cancel without id');

-- ------------------------------------------ S-50 marker, upsert, memo

SELECT temporal.add_search_attribute('CustomKeyword', 'Keyword');
SELECT temporal.add_search_attribute('CustomInt', 'Int');
SELECT t.run('s-50', t.record_marker('m', '{"d": [{"deep": null}]}')
	|| t.upsert_search_attributes('{"CustomKeyword": "x"}') || t.modify_properties('{"k": "v"}'),
	'{"memo": {"fields": {"at start": 1}}, "search_attributes": {"indexed_fields": {"CustomInt": 7}}}');
SELECT t.history_is('s-50', 'P, 5 MARKER, 6 UPSERT_SA, 7 PROPS_MOD', 'S-50 marker, upsert, memo: events');
SELECT is(t.event('s-50', 5), '{"markerName": "m", "details": {"d": [{"deep": null}]}, "workflowTaskCompletedEventId": "4"}',
	'S-50 MARKER');
SELECT t.event_has('s-50', 6, '{"workflowTaskCompletedEventId": "4"}', 'S-50 UPSERT_SA');
SELECT is(t.value(t.event('s-50', 6) #> '{searchAttributes,indexedFields,CustomKeyword}'), '"x"', 'S-50 what UPSERT_SA sets');
SELECT is(t.event('s-50', 7), '{"upsertedMemo": {"fields": {"k": "v"}}, "workflowTaskCompletedEventId": "4"}', 'S-50 PROPS_MOD');
SELECT results_eq($$SELECT status::text, search_attributes, memo FROM temporal.workflows WHERE workflow_id = 's-50'$$,
	$$VALUES ('Running', '{"CustomInt": 7, "CustomKeyword": "x"}'::jsonb, '{"at start": 1, "k": "v"}'::jsonb)$$,
	'S-50 listed while running');
SELECT is(t.search_attributes('s-50'), '{"CustomInt": 7, "CustomKeyword": "x"}', 'S-50 described search attributes');
SELECT is(t.describe('s-50') #> '{workflowExecutionInfo,memo}', '{"fields": {"at start": 1, "k": "v"}}', 'S-50 described memo');
SELECT t.check('s-50');

SELECT t.signal('s-50');
SELECT t.complete(t.poll('s-50'), t.upsert_search_attributes('{"CustomKeyword": null, "CustomInt": 8}')
	|| t.modify_properties('{"k": null, "l": [1]}'));
SELECT t.history_is('s-50', 'P, 5 MARKER, 6 UPSERT_SA, 7 PROPS_MOD, 8 WF_SIGNALED, 9 WFT_SCHED, 10 WFT_START,
	11 WFT_DONE, 12 UPSERT_SA, 13 PROPS_MOD', 'S-50 later upsert: events');
SELECT results_eq($$SELECT search_attributes, memo FROM temporal.workflows WHERE workflow_id = 's-50'$$,
	$$VALUES ('{"CustomInt": 8}'::jsonb, '{"at start": 1, "l": [1]}'::jsonb)$$, 'S-50 nil payload removes, others stay');
SELECT t.signal('s-50');
SELECT t.complete(t.poll('s-50'), t.upsert_search_attributes('{"CustomInt": []}') || t.complete_workflow());
SELECT is(t.search_attributes('s-50'), '{}', 'S-50 an empty list removes too');
SELECT results_eq($$SELECT status::text, memo FROM temporal.workflows WHERE workflow_id = 's-50'$$,
	$$VALUES ('Completed', '{"at start": 1, "l": [1]}'::jsonb)$$, 'S-50 listed after the close');
SELECT t.check('s-50');

SELECT t.start('s-50 unknown');
SELECT is(t.error_of_complete(t.poll('s-50 unknown'), t.record_marker('m') || t.upsert_search_attributes('{"Nowhere": 1}')),
	'TW303 BadSearchAttributes: search attribute Nowhere is not defined', 'S-50 unknown name: refused');
SELECT t.history_is('s-50 unknown', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-50 unknown name: events');
SELECT t.event_has('s-50 unknown', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES"}',
	'S-50 WFT_FAILED(BAD_SEARCH_ATTRIBUTES)');
SELECT is(t.search_attributes('s-50 unknown'), '{}', 'S-50 unknown name: nothing is set');
SELECT t.check('s-50 unknown');
SELECT is(pg_temp.cause_of('s-50 system', t.upsert_search_attributes('{"WorkflowId": "y"}')),
	'TW303 BAD_SEARCH_ATTRIBUTES', 'S-50 setting WorkflowId: same');
SELECT is(pg_temp.cause_of('s-50 type', t.upsert_search_attributes('{"CustomInt": "seven"}')),
	'TW303 BAD_SEARCH_ATTRIBUTES', 'S-50 value of another type: same');
SELECT is(pg_temp.cause_of('s-50 empty', t.upsert_search_attributes('{}')),
	'TW303 BAD_SEARCH_ATTRIBUTES', 'S-50 no search attributes: same');
SELECT is(pg_temp.cause_of('s-50 no memo', t.modify_properties('{}')),
	'TW303 BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES', 'S-50 no memo');
SELECT is(pg_temp.cause_of('s-50 no name', t.record_marker('')),
	'TW303 BAD_RECORD_MARKER_ATTRIBUTES', 'S-50 marker without name');

-- ---------------------------------------------- S-51 oversized marker

\set too_large 'BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit.'
SELECT t.start('s-51');
SELECT is(t.error_of_complete(t.poll('s-51'), t.record_marker('m', jsonb_build_object('d', jsonb_build_array(t.large())))),
	'TW303 ' || :'too_large', 'S-51 oversized marker: refused');
SELECT t.history_is('s-51', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TERMINATED', 'S-51 events');
SELECT t.event_has('s-51', 4, '{"scheduledEventId": "2", "startedEventId": "3",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES"}', 'S-51 WFT_FAILED');
SELECT is(t.event('s-51', 5), jsonb_build_object('reason', :'too_large', 'identity', 'history-service'), 'S-51 WF_TERMINATED');
SELECT is(t.poll('s-51'), '{}', 'S-51 no further task');
SELECT t.check('s-51');

SELECT t.start('s-51 buffered');
SELECT t.poll('s-51 buffered') AS task \gset
SELECT t.signal('s-51 buffered');
SELECT is(t.error_of_complete(:'task', t.record_marker('m', jsonb_build_object('d', jsonb_build_array(t.large())))),
	'TW303 ' || :'too_large', 'S-51 with a buffered event: refused');
SELECT t.history_is('s-51 buffered', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WF_TERMINATED',
	'S-51 with a buffered event: it is kept');
SELECT t.check('s-51 buffered');

SELECT t.start('s-51 again');
SELECT t.fail(t.poll('s-51 again'));
SELECT is(t.error_of_complete(t.poll('s-51 again'),
	t.record_marker('m', jsonb_build_object('d', jsonb_build_array(t.large())))), 'TW303 ' || :'too_large',
	'S-51 on a second attempt: refused');
SELECT t.history_is('s-51 again', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED',
	'S-51 on a second attempt nothing is written');
SELECT t.check('s-51 again');

SELECT is(pg_temp.cause_of('s-51 fits', t.record_marker('m', jsonb_build_object('d', jsonb_build_array(t.large(2000000))))),
	'accepted ', 'S-51 a marker that fits is accepted');
SELECT t.history_is('s-51 fits', 'P, 5 MARKER', 'S-51 a marker that fits is recorded');
SELECT t.check('s-51 fits');

-- ----------------------------------- sizes of search attributes and the memo

-- A value that is too large ends the workflow, and so does what has grown by
-- and by.
SELECT t.start('large value');
SELECT alike(t.error_of_complete(t.poll('large value'), t.upsert_search_attributes(
	jsonb_build_object('TemporalChangeVersion', jsonb_build_array(repeat('v', 2049))))),
	'TW303 BadSearchAttributes: %exceeds size limit%', 'a search attribute that is too large is refused');
SELECT t.history_is('large value', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TERMINATED',
	'and ends the workflow');
SELECT t.check('large value');
SELECT alike(t.error_of('StartWorkflowExecution', t.starting('large start', jsonb_build_object('search_attributes',
	jsonb_build_object('indexed_fields', jsonb_build_object('TemporalChangeVersion',
		jsonb_build_array(repeat('v', 2049))))))), 'TW300 %exceeds size limit%', 'it also keeps a workflow from starting');

SELECT t.run('large memo', t.modify_properties(jsonb_build_object('a', t.large(1024 * 1024)))
	|| t.modify_properties(jsonb_build_object('a', t.large(1024 * 1024))));
SELECT t.signal('large memo');
SELECT t.complete(t.poll('large memo'), t.modify_properties(jsonb_build_object('a', null, 'b', t.large(1024 * 1024))));
SELECT t.history_is('large memo', 'P, 5 PROPS_MOD, 6 PROPS_MOD, 7 WF_SIGNALED, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 PROPS_MOD', 'the memo counts as it is after the change');
SELECT t.signal('large memo');
SELECT alike(t.error_of_complete(t.poll('large memo'), t.modify_properties(jsonb_build_object('c', t.large(1024 * 1024)))),
	'TW303 BadModifyWorkflowPropertiesAttributes: %exceeds size limit.', 'with what it had before');
SELECT t.history_is('large memo', 'P, 5 PROPS_MOD, 6 PROPS_MOD, 7 WF_SIGNALED, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 PROPS_MOD, 12 WF_SIGNALED, 13 WFT_SCHED, 14 WFT_START, 15 WFT_FAILED, 16 WF_TERMINATED',
	'a memo that has grown too large ends the workflow');
SELECT t.check('large memo');

-- ------------------------------------------------ what commands say to people

CREATE FUNCTION pg_temp.annotated(commands jsonb) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT jsonb_agg(c || '{"user_metadata": {"summary": "why"},
		"event_group_markers": [{"label": {"label": "group"}}]}')
	FROM jsonb_array_elements(commands) c
$$;

SELECT t.run('annotated', pg_temp.annotated(t.schedule_activity('a') || t.start_timer('t', '3600s') || t.record_marker('m')
	|| t.upsert_search_attributes('{"TemporalChangeVersion": ["v"]}') || t.modify_properties('{"k": 1}')
	|| t.signal_external('other') || t.cancel_external('other')));
SELECT t.signal('annotated');
SELECT t.complete(t.poll('annotated'),
	pg_temp.annotated(t.request_cancel_activity(5) || t.cancel_timer('t') || t.complete_workflow()));
SELECT t.history_is('annotated', 'P, 5 ACT_SCHED, 6 TIMER_START, 7 MARKER, 8 UPSERT_SA, 9 PROPS_MOD, 10 XSIG_INIT,
	11 XCAN_INIT, 12 WF_SIGNALED, 13 WFT_SCHED, 14 WFT_START, 15 WFT_DONE, 16 ACT_CANCEL_REQ, 17 TIMER_CANCELED,
	18 WF_COMPLETED', 'events of annotated commands');
SELECT t.has(t.raw_event('annotated', id), '{"userMetadata": {"summary": "why"},
	"eventGroupMarkers": [{"label": {"label": "group"}}]}', format('event %s has what its command says', id))
FROM unnest('{5,6,7,8,9,10,11,16,17,18}'::bigint[]) id;
SELECT t.check('annotated');

SELECT * FROM finish();
ROLLBACK;
