-- Scenarios S-35 to S-43: stale answers, answers by id, eager start, checks of
-- the command, order of events, what operators do.

BEGIN;
\ir include/worker.sql

SELECT * FROM no_plan();

-- ---------------------------------------------------------------------- S-35

-- What each call says that comes with the token of an attempt.
CREATE FUNCTION t.answers(task jsonb) RETURNS TABLE (method text, answer text)
LANGUAGE sql AS
$$
	SELECT method, coalesce(left(t.error_of(method, t.activity_request(task, more)), 5), 'taken')
	FROM (VALUES
		('RecordActivityTaskHeartbeat', '{"details": ["stale"]}'::jsonb),
		('RespondActivityTaskCanceled', '{}'),
		('RespondActivityTaskCompleted', '{"result": ["stale"]}'),
		('RespondActivityTaskFailed', jsonb_build_object('failure', t.failure('stale'))))
		AS m (method, more)
$$;

CREATE FUNCTION t.all_refused(task jsonb, description text) RETURNS text
LANGUAGE sql AS
$$
	SELECT bag_eq(format('SELECT * FROM t.answers(%L)', task), $v$ VALUES
		('RecordActivityTaskHeartbeat', 'TW503'), ('RespondActivityTaskCanceled', 'TW503'),
		('RespondActivityTaskCompleted', 'TW503'), ('RespondActivityTaskFailed', 'TW503') $v$, description)
$$;

SELECT t.run('s35', t.schedule_activity('a', '{"start_to_close_timeout": "1s"}'));
SELECT t.poll_activity('s35') AS first \gset
SELECT t.skip('1s');
SELECT t.has(t.pending_activity('s35'), '{"attempt": 2, "state": "PENDING_ACTIVITY_STATE_SCHEDULED"}',
	'S-35 attempt 1 has timed out');
SELECT t.all_refused(:'first', 'S-35 its token is stale while attempt 2 waits');
SELECT t.skip('1s');
SELECT t.poll_activity('s35') AS second \gset
SELECT t.heartbeat(:'second', '["second"]');
SELECT t.all_refused(:'first', 'S-35 stale attempt');
SELECT t.has(t.pending_activity('s35'), '{"attempt": 2, "state": "PENDING_ACTIVITY_STATE_STARTED",
	"heartbeatDetails": ["second"], "lastFailure": {"message": "activity StartToClose timeout"}}',
	'S-35 no effect on attempt 2');
SELECT t.complete_activity(:'second', '["r2"]');
SELECT t.history_is('s35', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED',
	'S-35 attempt 2 completes');
SELECT t.event_has('s35', 7, '{"result": ["r2"]}', 'S-35 with its own result');
SELECT t.all_refused(:'second', 'S-35 an answer given twice');
SELECT t.check('s35');

-- ---------------------------------------------------------------------- S-36

SELECT t.run('s36', t.schedule_activity('a'));
SELECT alike(t.error_of('RespondActivityTaskFailedById', t.activity_by_id('s36', 'a',
	jsonb_build_object('failure', t.failure('f')))), 'TW503 %', 'S-36 failure by id before start');
SELECT alike(t.error_of('RespondActivityTaskCanceledById', t.activity_by_id('s36')), 'TW503 %',
	'S-36 cancellation by id before start');
SELECT alike(t.error_of('RecordActivityTaskHeartbeatById', t.activity_by_id('s36')), 'TW503 %',
	'S-36 heartbeat by id before start');
SELECT t.history_is('s36', 'P, 5 ACT_SCHED', 'S-36 which have no effect');
SELECT is(t.rpc('RespondActivityTaskCompletedById', t.activity_by_id('s36', 'a', '{"result": ["r"]}')),
	'{}', 'S-36 completion by id before start is accepted');
SELECT t.history_is('s36', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED',
	'S-36 completion by id before start');
SELECT t.event_has('s36', 6, '{"scheduledEventId": "5", "identity": "client", "attempt": 1}',
	'S-36 the caller is taken for the worker');
SELECT t.event_has('s36', 7, '{"startedEventId": "6", "result": ["r"], "identity": "client"}',
	'S-36 the result');
SELECT is(t.poll_activity('s36'), '{}', 'S-36 nobody gets it any more');
SELECT t.check('s36');

-- ---------------------------------------------------------------------- S-37

SELECT t.start('s37');
SELECT t.complete(t.poll('s37'), t.schedule_activity('a', '{"request_eager_execution": true}')) AS answer \gset
SELECT is(jsonb_array_length(:'answer'::jsonb -> 'activityTasks'), 1, 'S-37 one task comes with the answer');
SELECT :'answer'::jsonb #> '{activityTasks,0}' AS task \gset
SELECT t.has(:'task', '{"activityId": "a", "attempt": 1, "workflowExecution": {"workflowId": "s37"},
	"activityType": {"name": "act"}, "startToCloseTimeout": "60s"}', 'S-37 eager activity');
SELECT is(t.poll_activity('s37'), '{}', 'S-37 the queue is empty');
SELECT t.has(t.pending_activity('s37'), '{"state": "PENDING_ACTIVITY_STATE_STARTED", "attempt": 1,
	"lastWorkerIdentity": "worker"}', 'S-37 the completing worker has it');
SELECT t.history_is('s37', 'P, 5 ACT_SCHED', 'S-37 its start leaves no event');
SELECT t.complete_activity(:'task', '["r"]');
SELECT t.history_is('s37', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED', 'S-37 it completes');
SELECT t.event_has('s37', 6, '{"attempt": 1, "identity": "worker"}', 'S-37 started by the completer');
SELECT t.check('s37');

SELECT t.start('s37b');
SELECT t.complete(t.poll('s37b'), t.schedule_activity('a', '{"request_eager_execution": true}'))
	#> '{activityTasks,0}' AS task \gset
SELECT t.fail_activity(:'task');
SELECT is(t.poll_activity('s37b'), '{}', 'S-37 variant: attempt 2 waits for its backoff');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('s37b'), '{"attempt": 2}', 'S-37 variant: attempt 2 comes through the queue');
SELECT t.check('s37b');

-- An id may be the text of the activity's event, of another one's, or of none.
SELECT t.run('s37 ids', t.schedule_activity('5') || t.schedule_activity('5 ') || t.schedule_activity('05') || t.schedule_activity('6'));
SELECT is((SELECT string_agg(scheduled_event_id || ' ' || activity_id, ', ' ORDER BY scheduled_event_id) FROM temporal.pending_activity
	JOIN temporal.execution_state USING (run_id) WHERE workflow_id = 's37 ids'), '5 5, 6 5 , 7 05, 8 6', 'S-37 ids that look like events');
SELECT t.rpc('RespondActivityTaskCompletedById', jsonb_build_object('workflow_id', 's37 ids', 'activity_id', id))
	FROM unnest(ARRAY['6', '5']) AS id;
SELECT t.history_is('s37 ids', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_SCHED, 8 ACT_SCHED, 9 ACT_START, 10 ACT_DONE, 11 WFT_SCHED, 12 ACT_START, 13 ACT_DONE',
	'S-37 each is found by its id');
SELECT is((SELECT string_agg(a ->> 'scheduledEventId', ' ' ORDER BY event_id) FROM temporal.history('s37 ids') AS h (event_id, t, event_type, a)
	WHERE event_type = 'ActivityTaskCompleted'), '8 5', 'S-37 and it is that one');
SELECT matches(t.error_of('RespondActivityTaskCompletedById', jsonb_build_object('workflow_id', 's37 ids', 'activity_id', id)),
	'^TW5', 'S-37 nothing is found by ' || quote_literal(id)) FROM unnest(ARRAY['7', '8', '5', '99999999999999999999']) AS id;
SELECT alike(t.error_of_complete(t.poll('s37 ids'), t.schedule_activity('05')), 'TW303 ScheduleActivityDuplicateId: %', 'S-37 an id that is pending');
SELECT t.check('s37 ids');

-- Of a queue that its run tells an offer does not have the name.
CREATE FUNCTION t.queues() RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(concat_ws(' ', task_type, task_queue, backlog), ', ' ORDER BY task_queue, task_type)
	FROM temporal.task_queues WHERE task_queue LIKE 's37 queue%'
$$;
SELECT t.run('s37 queue', t.schedule_activity('own') || t.schedule_activity('again')
	|| t.schedule_activity('other', '{"task_queue": {"name": "s37 queue of others"}}'), complete_options => t.sticky('s37 queue kept', 's37 queue'));
SELECT t.poll_sticky('s37 queue kept', 's37 queue');
SELECT t.signal('s37 queue');
SELECT is(t.queues(), 'Activity s37 queue 2, Workflow s37 queue kept 1, Activity s37 queue of others 1', 'S-37 queues of a sticky run');
SELECT t.complete(t.poll_sticky('s37 queue kept', 's37 queue'));
SELECT t.signal('s37 queue');
SELECT is(t.queues(), 'Activity s37 queue 2, Workflow s37 queue 1, Activity s37 queue of others 1', 'S-37 queues of one that is not');

-- Its event is read from history, unless that is a large batch.
SELECT t.start('s37 stored');
SELECT t.complete(t.poll('s37 stored'), t.schedule_activity('small', jsonb_build_object('request_eager_execution', true,
		'input', temporal.encode_payloads('"in"', NULL)))
	|| t.schedule_activity('large', jsonb_build_object('request_eager_execution', true,
		'input', temporal.encode_payloads(to_jsonb(repeat('x', 2000)), NULL)))) -> 'activityTasks' AS tasks \gset
SELECT t.complete_activity(:'tasks'::jsonb -> 1);
SELECT t.complete(t.poll('s37 stored'), t.schedule_activity('little', jsonb_build_object('request_eager_execution', true,
	'input', temporal.encode_payloads('"in"', NULL)))) #> '{activityTasks,0}' AS task \gset
SELECT is((SELECT string_agg(activity_id || ' ' || (scheduled IS NULL), ', ' ORDER BY activity_id)
	FROM temporal.pending_activity JOIN temporal.execution_state USING (run_id) WHERE workflow_id = 's37 stored'),
	'little true, small false', 'S-37 the event of an eager activity is not stored twice');
SELECT is((SELECT string_agg(concat_ws(' ', activity_id, activity_type, task_queue, state, attempt), ', ' ORDER BY activity_id)
	FROM temporal.pending_activities WHERE workflow_id = 's37 stored'),
	'little act s37 stored Started 1, small act s37 stored Started 1', 'S-37 its row shows it all the same');
SELECT t.fail_activity(:'task');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('s37 stored'), jsonb_build_object('attempt', 2, 'activityId', 'little',
	'input', temporal.encode_payloads('"in"', NULL)), 'S-37 and so does the next attempt');
SELECT t.check('s37 stored');
SELECT t.rpc('TerminateWorkflowExecution', '{"workflow_execution": {"workflow_id": "s37 stored"}}');
SELECT is_empty($$SELECT FROM temporal.pending_activity JOIN temporal.execution_state USING (run_id)
	WHERE workflow_id = 's37 stored'$$, 'S-37 they go with their run');

SELECT t.start('s37c');
SELECT is(t.complete(t.poll('s37c'), t.schedule_activity('a', '{"request_eager_execution": true}')
	|| t.request_cancel_activity(5)) -> 'activityTasks', NULL,
	'S-37 variant: cancelled in the same completion');
SELECT t.history_is('s37c', 'P, 5 ACT_SCHED, 6 ACT_CANCEL_REQ, 7 ACT_CANCELED, 8 WFT_SCHED',
	'S-37 variant: it never started');
SELECT t.check('s37c');

SELECT t.start('s37d');
SELECT is(t.complete(t.poll('s37d'), t.schedule_activity('a', '{"request_eager_execution": true}')
	|| t.complete_workflow()) -> 'activityTasks', NULL, 'S-37 variant: closed in the same completion');
SELECT t.history_is('s37d', 'P, 5 ACT_SCHED, 6 WF_COMPLETED', 'S-37 variant: the workflow is over');
SELECT t.check('s37d');

-- A worker has kept no slot for the activities of another queue, and may have no
-- right to them.
SELECT is(t.run('s37 other', t.schedule_activity('a', '{"request_eager_execution": true,
	"task_queue": {"name": "s37 elsewhere"}}')) -> 'activityTasks', NULL, 'S-37 none of another queue');
SELECT is(t.poll_activity('s37 elsewhere') ->> 'activityId', 'a', 'S-37 which gets it as usual');
SELECT t.check('s37 other');

-- ---------------------------------------------------------------------- S-38

SELECT t.start('s38');
SELECT alike(t.error_of_complete(t.poll('s38'), t.schedule_activity('a') || t.schedule_activity('a')),
	'TW303 ScheduleActivityDuplicateId: %', 'S-38 the call is refused');
SELECT t.history_is('s38', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED',
	'S-38 duplicate activity id');
SELECT t.event_has('s38', 4, '{"scheduledEventId": "2", "startedEventId": "3", "identity": "worker",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID", "failure": {"serverFailureInfo": {}}}',
	'S-38 the cause');
SELECT t.has(t.describe('s38'), '{"pendingActivities": null,
	"pendingWorkflowTask": {"state": "PENDING_WORKFLOW_TASK_STATE_SCHEDULED", "attempt": 2}}',
	'S-38 the next attempt is pending, no activity is');
SELECT t.poll('s38') AS task \gset
SELECT alike(t.error_of_complete(:'task', t.schedule_activity('a') || t.schedule_activity('a')),
	'TW303 ScheduleActivityDuplicateId: %', 'S-38 refused again');
SELECT t.history_is('s38', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED',
	'S-38 but on attempt 2 without an event');
SELECT t.has(t.describe('s38'),
	'{"pendingWorkflowTask": {"state": "PENDING_WORKFLOW_TASK_STATE_STARTED", "attempt": 2}}',
	'S-38 the task is still started');
SELECT t.skip('10s');
SELECT t.has(t.describe('s38'),
	'{"pendingWorkflowTask": {"state": "PENDING_WORKFLOW_TASK_STATE_SCHEDULED", "attempt": 3}}',
	'S-38 and times out');
SELECT t.check('s38');

SELECT t.run('s38b', t.schedule_activity('a'));
SELECT t.signal('s38b');
SELECT alike(t.error_of_complete(t.poll('s38b'), t.schedule_activity('a')),
	'TW303 ScheduleActivityDuplicateId: %', 'S-38 the id of an activity that is pending');
SELECT t.complete_activity(t.poll_activity('s38b'));
SELECT t.complete(t.poll('s38b'), t.schedule_activity('a'));
SELECT t.history_is('s38b', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_FAILED,
	10 ACT_START, 11 ACT_DONE, 12 WFT_SCHED, 13 WFT_START, 14 WFT_DONE, 15 ACT_SCHED',
	'S-38 the id of an activity that is over is free');
SELECT t.check('s38b');

-- ---------------------------------------------------------------------- S-39

SELECT t.start('s39');
SELECT alike(t.error_of_complete(t.poll('s39'),
	t.schedule_activity('a', '{"start_to_close_timeout": null}')),
	'TW303 BadScheduleActivityAttributes: %', 'S-39 the call is refused');
SELECT t.history_is('s39', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-39 missing timeouts');
SELECT t.event_has('s39', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES"}',
	'S-39 the cause');
SELECT t.check('s39');

CREATE FUNCTION t.timeouts(name text, attributes jsonb, start_options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	id text := 's39 ' || name;
	event jsonb;
BEGIN
	PERFORM t.run(id, t.schedule_activity('a', attributes), start_options);
	event := t.event(id, 5);
	RETURN format('S2C %s, S2S %s, ST2C %s, HB %s', event ->> 'scheduleToCloseTimeout',
		event ->> 'scheduleToStartTimeout', event ->> 'startToCloseTimeout', event ->> 'heartbeatTimeout');
END
$$;

SELECT is(t.timeouts('1', '{"start_to_close_timeout": null, "schedule_to_close_timeout": "5s"}'),
	'S2C 5s, S2S 5s, ST2C 5s, HB 0s', 'S-39 with S2C only');
SELECT is(t.timeouts('2', '{"start_to_close_timeout": "5s"}'),
	'S2C 0s, S2S 0s, ST2C 5s, HB 0s', 'S-39 with ST2C only, no run timeout');
SELECT is(t.timeouts('3', '{"start_to_close_timeout": "5s"}', '{"workflow_run_timeout": "20s"}'),
	'S2C 20s, S2S 20s, ST2C 5s, HB 0s', 'S-39 with ST2C only and a run timeout of 20 s');
SELECT is(t.timeouts('4', '{"start_to_close_timeout": "5s", "heartbeat_timeout": "7s"}'),
	'S2C 0s, S2S 0s, ST2C 5s, HB 5s', 'S-39 HB > ST2C');
SELECT is(t.timeouts('5', '{"schedule_to_close_timeout": "5s", "schedule_to_start_timeout": "9s"}'),
	'S2C 5s, S2S 5s, ST2C 5s, HB 0s', 'S-39 S2C cuts the others');
SELECT is(t.timeouts('6', '{"schedule_to_close_timeout": "50s", "schedule_to_start_timeout": "9s",
	"start_to_close_timeout": "40s", "heartbeat_timeout": "30s"}', '{"workflow_run_timeout": "20s"}'),
	'S2C 20s, S2S 9s, ST2C 20s, HB 20s', 'S-39 the run timeout cuts all');
SELECT t.check('s39 6');

-- ---------------------------------------------------------------------- S-40

SELECT t.run('s40', t.schedule_activity('a'));
SELECT t.poll_activity('s40') AS activity \gset
SELECT t.signal('s40', 'A');
SELECT t.poll('s40') AS task \gset
SELECT t.complete_activity(:'activity');
SELECT t.signal('s40', 'B');
SELECT t.history_is('s40', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START',
	'S-40 events wait for the workflow task');
SELECT t.complete(:'task');
SELECT t.history_is('s40', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_START, 11 WF_SIGNALED, 12 ACT_DONE, 13 WFT_SCHED', 'S-40 reordering');
SELECT t.event_has('s40', 6, '{"signalName": "A"}', 'S-40 signal A');
SELECT t.event_has('s40', 11, '{"signalName": "B"}', 'S-40 signal B');
SELECT t.event_has('s40', 12, '{"scheduledEventId": "5", "startedEventId": "10"}',
	'S-40 the finish names its start');
SELECT t.check('s40');

-- A cancellation that comes too late is only recorded.
SELECT t.run('s40b', t.schedule_activity('a'));
SELECT t.poll_activity('s40b') AS activity \gset
SELECT t.signal('s40b');
SELECT t.poll('s40b') AS task \gset
SELECT t.complete_activity(:'activity');
SELECT t.complete(:'task', t.request_cancel_activity(5));
SELECT t.history_is('s40b', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_DONE, 13 WFT_SCHED',
	'S-40 the finish waits in the buffer when it is to be cancelled');
SELECT t.check('s40b');

-- ---------------------------------------------------------------------- S-41

CREATE FUNCTION t.pause_info(workflow_id text) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.search_attributes(workflow_id) -> 'TemporalPauseInfo' $$;

SELECT t.run('s41', t.schedule_activity('a'));
SELECT t.fail_activity(t.poll_activity('s41'));
SELECT is(t.rpc('PauseActivity', t.activity_control('s41', '{"id": "a", "reason": "why"}')), '{}',
	'S-41 pause');
SELECT t.has(t.pending_activity('s41'), '{"state": "PENDING_ACTIVITY_STATE_PAUSED", "attempt": 2,
	"paused": true, "pauseInfo": {"manual": {"identity": "operator", "reason": "why"}},
	"nextAttemptScheduleTime": null}', 'S-41 described as paused');
SELECT is(t.pause_info('s41'), '["property:activityType=act"]', 'S-41 lists show it');
SELECT t.skip('1h');
SELECT is(t.poll_activity('s41'), '{}', 'S-41 no dispatch after the backoff');
SELECT t.rpc('UnpauseActivity', t.activity_control('s41'));
SELECT t.has(t.pending_activity('s41'), '{"state": "PENDING_ACTIVITY_STATE_SCHEDULED", "attempt": 2,
	"paused": null, "pauseInfo": null}', 'S-41 no longer paused');
SELECT is(t.pause_info('s41'), NULL, 'S-41 lists show it no more');
SELECT t.has(t.poll_activity('s41'), '{"attempt": 2}', 'S-41 unpause dispatches at once');
SELECT t.history_is('s41', 'P, 5 ACT_SCHED', 'S-41 no events');
SELECT t.check('s41');

SELECT t.run('s41b', t.schedule_activity('a'));
SELECT t.poll_activity('s41b') AS task \gset
SELECT t.rpc('PauseActivity', t.activity_control('s41b'));
SELECT t.has(t.pending_activity('s41b'), '{"state": "PENDING_ACTIVITY_STATE_PAUSE_REQUESTED", "attempt": 1}',
	'S-41 pause while running');
SELECT is(t.heartbeat(:'task'), '{"activityPaused": true}', 'S-41 a heartbeat tells the worker');
SELECT t.fail_activity(:'task', t.failure('f'));
SELECT t.has(t.pending_activity('s41b'), '{"state": "PENDING_ACTIVITY_STATE_PAUSED", "attempt": 2,
	"lastFailure": {"message": "f"}}', 'S-41 after the failure it waits, paused, with attempt 2');
SELECT t.skip('1h');
SELECT is(t.poll_activity('s41b'), '{}', 'S-41 it is not dispatched');
SELECT t.rpc('UnpauseActivity', t.activity_control('s41b'));
SELECT t.complete_activity(t.poll_activity('s41b'));
SELECT t.history_is('s41b', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED',
	'S-41 until it is unpaused');
SELECT t.event_has('s41b', 6, '{"attempt": 2, "lastFailure": {"message": "f"}}', 'S-41 the start');
SELECT t.check('s41b');

-- ---------------------------------------------------------------------- S-42

SELECT t.run('s42', t.schedule_activity('a'));
SELECT is(t.complete_activity(t.poll_activity('s42'), jsonb_build_array(t.large())), '{}',
	'S-42 the call succeeds');
SELECT t.history_is('s42', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED', 'S-42 oversized result');
SELECT is(t.event('s42', 7), '{"scheduledEventId": "5", "startedEventId": "6",
	"identity": "activity worker", "retryState": "RETRY_STATE_NON_RETRYABLE_FAILURE",
	"failure": {"message": "Complete result exceeds size limit.", "source": "Server",
	"serverFailureInfo": {"nonRetryable": true}}}', 'S-42 the failure');
SELECT t.check('s42');

SELECT t.run('s42b', t.schedule_activity('a'));
SELECT is(t.heartbeat(t.poll_activity('s42b'), jsonb_build_array(t.large())), '{"cancelRequested": true}',
	'S-42 oversized heartbeat details: the worker is told to stop');
SELECT t.history_is('s42b', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-42 oversized heartbeat details');
SELECT t.event_has('s42b', 7, '{"failure": {"message": "Heartbeat details exceed size limit.",
	"serverFailureInfo": {"nonRetryable": true}}}', 'S-42 oversized heartbeat details: the failure');
SELECT t.check('s42b');

SELECT t.run('s42c', t.schedule_activity('a'));
SELECT t.fail_activity(t.poll_activity('s42c'), t.failure(repeat('ä', 1100000), 'X')) AS answer \gset
SELECT t.has(:'answer'::jsonb #> '{failures,0}', '{"message": "Failure exceeds size limit.",
	"serverFailureInfo": {}}', 'S-42 oversized failure: the worker is told');
SELECT t.history_is('s42c', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED', 'S-42 oversized failure');
SELECT t.event_has('s42c', 7, '{"failure": {"message": "Failure exceeds size limit.",
	"cause": {"applicationFailureInfo": {"type": "X"}}}}', 'S-42 oversized failure: what is recorded');
SELECT ok(octet_length(t.event('s42c', 7)::text) < 600000, 'S-42 oversized failure: the cause is cut');
SELECT t.check('s42c');

-- ---------------------------------------------------------------------- S-43

CREATE FUNCTION t.fail_twice(workflow_id text, attributes jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.run(workflow_id, t.schedule_activity('a', attributes));
	PERFORM t.fail_activity(t.poll_activity(workflow_id), t.failure('f1'));
	PERFORM t.skip('1s');
	PERFORM t.fail_activity(t.poll_activity(workflow_id), t.failure('f2'));
END
$$;

SELECT t.fail_twice('s43');
SELECT t.has(t.pending_activity('s43'), '{"state": "PENDING_ACTIVITY_STATE_SCHEDULED", "attempt": 3}',
	'S-43 attempt 3 waits');
SELECT is(t.poll_activity('s43'), '{}', 'S-43 it is not dispatched yet');
SELECT t.rpc('ResetActivity', t.activity_control('s43'));
SELECT t.poll_activity('s43') AS task \gset
SELECT t.has(:'task', '{"attempt": 1}', 'S-43 after a reset attempt 1 is dispatched now');
SELECT t.skip('2s');
SELECT is(t.poll_activity('s43'), '{}', 'S-43 and the retry that waited is not');
SELECT t.complete_activity(:'task');
SELECT t.history_is('s43', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED', 'S-43 activity reset');
SELECT t.event_has('s43', 6, '{"attempt": 1}', 'S-43 the start');
SELECT t.check('s43');

SELECT t.run('s43b', t.schedule_activity('a', '{"start_to_close_timeout": "10s"}'));
SELECT t.poll_activity('s43b') AS task \gset
SELECT t.rpc('UpdateActivityOptions', t.activity_control('s43b', '{"id": "a",
	"activity_options": {"start_to_close_timeout": "2s"}, "update_mask": "startToCloseTimeout"}')) AS answer \gset
SELECT t.has(:'answer', '{"activityOptions": {"startToCloseTimeout": "2s", "taskQueue": {"name": "s43b"},
	"scheduleToCloseTimeout": "0s", "retryPolicy": {"initialInterval": "1s"}}}', 'S-43 the options now');
SELECT t.fail_activity(:'task');
SELECT t.skip('1s');
SELECT t.poll_activity('s43b') AS task \gset
SELECT t.has(:'task', '{"attempt": 2, "startToCloseTimeout": "10s"}',
	'S-43 the worker still sees what was scheduled');
SELECT t.has(t.pending_activity('s43b'), '{"activityOptions": {"startToCloseTimeout": "2s"}}',
	'S-43 the options are described');
SELECT t.skip('1.9s');
SELECT t.has(t.pending_activity('s43b'), '{"attempt": 2}', 'S-43 attempt 2 runs for 1.9 s');
SELECT t.skip('0.1s');
SELECT t.has(t.pending_activity('s43b'), '{"attempt": 3, "lastFailure":
	{"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}}', 'S-43 and times out after 2 s');
SELECT t.rpc('UpdateActivityOptions', t.activity_control('s43b', '{"id": "a", "restore_original": true}')) AS answer \gset
SELECT t.has(:'answer', '{"activityOptions": {"startToCloseTimeout": "10s"}}', 'S-43 restored');
SELECT t.skip('2s');
SELECT t.poll_activity('s43b') AS task \gset
SELECT t.skip('9.9s');
SELECT t.has(t.pending_activity('s43b'), '{"attempt": 3}', 'S-43 attempt 3 runs for 9.9 s');
SELECT t.skip('0.1s');
SELECT t.has(t.pending_activity('s43b'), '{"attempt": 4}', 'S-43 and times out after 10 s');
SELECT t.history_is('s43b', 'P, 5 ACT_SCHED', 'S-43 options leave no events');
SELECT t.check('s43b');

SELECT * FROM finish();
ROLLBACK;
