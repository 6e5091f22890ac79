-- Scenarios S-20 to S-34: activities, their retries, timeouts, cancellation.

BEGIN;
\ir include/worker.sql

SELECT * FROM no_plan();

-- ---------------------------------------------------------------- S-20, S-23

SELECT t.run('s20', t.schedule_activity('a'));
SELECT t.signal('s20');
SELECT t.complete(t.poll('s20'), t.request_cancel_activity(5));
SELECT t.history_is('s20', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_CANCELED, 12 WFT_SCHED', 'S-20 cancel before start');
SELECT t.event_has('s20', 10, '{"scheduledEventId": "5", "workflowTaskCompletedEventId": "9"}',
	'S-20 the request');
SELECT is(t.event('s20', 11), '{"scheduledEventId": "5", "latestCancelRequestedEventId": "10",
	"details": ["ACTIVITY_ID_NOT_STARTED"], "identity": "worker"}', 'S-20 the cancellation');
SELECT is(t.poll_activity('s20'), '{}', 'S-20 activity poll finds nothing');
SELECT is(t.pending_activity('s20'), NULL, 'S-20 nothing is pending');
SELECT t.check('s20');

SELECT t.run('s20b', t.schedule_activity('a'));
SELECT t.fail_activity(t.poll_activity('s20b'));
SELECT t.signal('s20b');
SELECT t.complete(t.poll('s20b'), t.request_cancel_activity(5));
SELECT t.history_is('s20b', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_CANCELED, 12 WFT_SCHED',
	'S-20 an activity in retry backoff has not started');
SELECT t.skip('2s');
SELECT is(t.poll_activity('s20b'), '{}', 'S-20 its retry does not come');
SELECT t.check('s20b');

SELECT t.run('s23', t.schedule_activity('a'));
SELECT t.signal('s23');
SELECT t.complete(t.poll('s23'), t.request_cancel_activity(5) || t.complete_workflow());
SELECT t.history_is('s23', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 WF_COMPLETED', 'S-23 cancel before start in the closing completion');
SELECT is(t.poll_activity('s23'), '{}', 'S-23 activity poll finds nothing');
SELECT t.check('s23');

-- ---------------------------------------------------------------------- S-21

SELECT t.run('s21', t.schedule_activity('a', '{"input": [1, "two"], "header": {"fields": {"h": 3}}}'));
SELECT t.poll_activity('s21') AS task \gset
SELECT t.history_is('s21', 'P, 5 ACT_SCHED', 'S-21 a start leaves no event');
SELECT t.has(t.pending_activity('s21'), '{"state": "PENDING_ACTIVITY_STATE_STARTED", "attempt": 1,
	"activityType": {"name": "act"}, "lastWorkerIdentity": "activity worker", "lastFailure": null,
	"nextAttemptScheduleTime": null}', 'S-21 described as started');
SELECT t.has(:'task', '{"workflowNamespace": "default", "workflowType": {"name": "wf"},
	"workflowExecution": {"workflowId": "s21"}, "activityType": {"name": "act"}, "activityId": "a",
	"input": [1, "two"], "header": {"fields": {"h": 3}}, "attempt": 1, "heartbeatDetails": null,
	"scheduleToCloseTimeout": "0s", "startToCloseTimeout": "60s", "heartbeatTimeout": "0s",
	"retryPolicy": {"initialInterval": "1s", "backoffCoefficient": 2, "maximumInterval": "100s",
	"maximumAttempts": null}}', 'S-21 what the worker gets');
SELECT is((:'task'::jsonb ->> 'scheduledTime')::timestamptz, t.event_time('s21', 5),
	'S-21 scheduled when the event says');
SELECT t.skip('3s');
SELECT t.complete_activity(:'task', '["r"]');
SELECT t.history_is('s21', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED', 'S-21 success');
SELECT t.event_has('s21', 5, '{"activityId": "a", "activityType": {"name": "act"},
	"taskQueue": {"name": "s21", "kind": "TASK_QUEUE_KIND_NORMAL"}, "workflowTaskCompletedEventId": "4",
	"retryPolicy": {"initialInterval": "1s", "backoffCoefficient": 2, "maximumInterval": "100s",
	"maximumAttempts": null}}', 'S-21 the retry policy with its defaults');
SELECT t.event_has('s21', 6, '{"scheduledEventId": "5", "attempt": 1, "identity": "activity worker",
	"lastFailure": null}', 'S-21 the start');
SELECT is(t.event_time('s21', 6), (:'task'::jsonb ->> 'startedTime')::timestamptz,
	'S-21 the start has the time of the start');
SELECT ok(t.event_time('s21', 7) >= t.event_time('s21', 6) + interval '3s',
	'S-21 and not that of the completion');
SELECT is(t.event('s21', 7), '{"scheduledEventId": "5", "startedEventId": "6", "result": ["r"],
	"identity": "activity worker"}', 'S-21 the result');
SELECT t.check('s21');

-- ---------------------------------------------------------------------- S-22

SELECT t.run('s22', t.schedule_activity('a'));
SELECT t.poll_activity('s22', 'first worker') AS task \gset
SELECT t.fail_activity(:'task', t.failure('f1'));
SELECT t.pending_activity('s22') AS waiting \gset
SELECT t.has(:'waiting', '{"state": "PENDING_ACTIVITY_STATE_SCHEDULED", "attempt": 2,
	"lastFailure": {"message": "f1", "source": "test"}, "currentRetryInterval": "1s",
	"lastWorkerIdentity": "first worker", "lastStartedTime": null}', 'S-22 waits for attempt 2');
SELECT is((:'waiting'::jsonb ->> 'nextAttemptScheduleTime')::timestamptz
	- (:'waiting'::jsonb ->> 'lastAttemptCompleteTime')::timestamptz, interval '1s',
	'S-22 attempt 2 is due 1 s after the failure');
SELECT is(t.poll_activity('s22'), '{}', 'S-22 not at once');
SELECT t.skip('0.9s');
SELECT is(t.poll_activity('s22'), '{}', 'S-22 not after 0.9 s');
SELECT t.skip('0.1s');
SELECT t.poll_activity('s22') AS task \gset
SELECT t.has(:'task', '{"attempt": 2}', 'S-22 attempt 2');
SELECT is((:'task'::jsonb ->> 'currentAttemptScheduledTime')::timestamptz,
	(:'waiting'::jsonb ->> 'nextAttemptScheduleTime')::timestamptz, 'S-22 it was due when announced');
SELECT is((:'task'::jsonb ->> 'scheduledTime')::timestamptz, t.event_time('s22', 5),
	'S-22 scheduled as a whole when the event says');
SELECT t.has(t.pending_activity('s22'), '{"state": "PENDING_ACTIVITY_STATE_STARTED", "attempt": 2,
	"lastFailure": {"message": "f1"}, "currentRetryInterval": null, "nextAttemptScheduleTime": null}',
	'S-22 attempt 2 runs');
SELECT t.fail_activity(:'task', t.failure('f2'));
SELECT t.pending_activity('s22') AS waiting \gset
SELECT t.has(:'waiting', '{"attempt": 3, "lastFailure": {"message": "f2"}, "currentRetryInterval": "2s"}',
	'S-22 waits for attempt 3');
SELECT t.skip('1.9s');
SELECT is(t.poll_activity('s22'), '{}', 'S-22 not after 1.9 s');
SELECT t.history_is('s22', 'P, 5 ACT_SCHED', 'S-22 failures leave no events');
SELECT is(t.poll('s22'), '{}', 'S-22 and no workflow task');
SELECT t.skip('0.1s');
SELECT t.complete_activity(t.poll_activity('s22'));
SELECT t.history_is('s22', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED',
	'S-22 retries are invisible');
SELECT t.event_has('s22', 6, '{"attempt": 3, "lastFailure": {"message": "f2", "source": "test"}}',
	'S-22 the last start is the only one');
SELECT t.check('s22');

-- ---------------------------------------------------------------------- S-24

CREATE FUNCTION t.run_and_fail(workflow_id text, attributes jsonb, failure jsonb) RETURNS void
LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.run(workflow_id, t.schedule_activity('a', attributes));
	PERFORM t.fail_activity(t.poll_activity(workflow_id), failure);
END
$$;

SELECT t.run_and_fail('s24', '{"retry_policy": {"non_retryable_error_types": ["W", "X"]}}',
	t.failure('f', 'X', more => '{"stack_trace": "here", "cause": {"message": "because"}}'));
SELECT t.history_is('s24', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-24 the policy lists the type');
SELECT is(t.event('s24', 7), '{"scheduledEventId": "5", "startedEventId": "6",
	"identity": "activity worker", "retryState": "RETRY_STATE_NON_RETRYABLE_FAILURE",
	"failure": {"message": "f", "source": "test", "stackTrace": "here", "cause": {"message": "because"},
	"applicationFailureInfo": {"type": "X"}}}', 'S-24 the failure is unchanged');
SELECT t.check('s24');

SELECT t.run_and_fail('s24b', '{}', t.failure('f', 'X', true));
SELECT t.history_is('s24b', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-24 variant: the failure says that it is not retryable');
SELECT t.event_has('s24b', 7, '{"retryState": "RETRY_STATE_NON_RETRYABLE_FAILURE",
	"failure": {"applicationFailureInfo": {"type": "X", "nonRetryable": true}}}', 'S-24 variant: as sent');
SELECT t.check('s24b');

SELECT t.run_and_fail('s24c', '{"retry_policy": {"non_retryable_error_types": ["X"]}}',
	t.failure('f', 'Y', more => jsonb_build_object('cause', t.failure('inner', 'X'))));
SELECT t.history_is('s24c', 'P, 5 ACT_SCHED', 'S-24 variant: the type of the cause does not count');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('s24c'), '{"attempt": 2}', 'S-24 variant: it is retried');
SELECT t.check('s24c');

-- ---------------------------------------------------------------------- S-25

SELECT t.run_and_fail('s25', '{"retry_policy": {"maximum_attempts": 2}}', t.failure('f1'));
SELECT t.skip('1s');
SELECT t.fail_activity(t.poll_activity('s25'), t.failure('f2'));
SELECT t.history_is('s25', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-25 maximum attempts');
SELECT t.event_has('s25', 6, '{"attempt": 2, "lastFailure": {"message": "f1"}}', 'S-25 the start');
SELECT t.event_has('s25', 7, '{"startedEventId": "6", "failure": {"message": "f2"},
	"retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"}', 'S-25 the failure');
SELECT t.check('s25');

-- ---------------------------------------------------------------------- S-26

SELECT t.run_and_fail('s26', '{"start_to_close_timeout": null, "schedule_to_close_timeout": "3s",
	"retry_policy": {"initial_interval": "2s", "backoff_coefficient": 2}}', t.failure('f1'));
SELECT t.skip('1.9s');
SELECT is(t.poll_activity('s26'), '{}', 'S-26 attempt 2 not after 1.9 s');
SELECT t.skip('0.1s');
SELECT t.fail_activity(t.poll_activity('s26'), t.failure('f2'));
SELECT t.history_is('s26', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-26 no time for another retry');
SELECT t.event_has('s26', 6, '{"attempt": 2, "lastFailure": {"message": "f1"}}', 'S-26 the start');
SELECT t.event_has('s26', 7, '{"startedEventId": "6", "failure": {"message": "f2"},
	"retryState": "RETRY_STATE_TIMEOUT"}', 'S-26 a failure, not a timeout');
SELECT t.skip('10s');
SELECT t.history_is('s26', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED',
	'S-26 and no timeout later');
SELECT t.check('s26');

-- ---------------------------------------------------------------------- S-27

SELECT t.run('s27', t.schedule_activity('a', '{"start_to_close_timeout": "1s",
	"retry_policy": {"maximum_attempts": 1}}'));
SELECT t.poll_activity('s27') AS task \gset
SELECT t.skip('0.9s');
SELECT t.history_is('s27', 'P, 5 ACT_SCHED', 'S-27 not after 0.9 s');
SELECT t.skip('0.1s');
SELECT t.history_is('s27', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_TIMEOUT, 8 WFT_SCHED',
	'S-27 start-to-close');
SELECT is(t.event('s27', 7), '{"scheduledEventId": "5", "startedEventId": "6",
	"retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED",
	"failure": {"message": "activity StartToClose timeout", "source": "Server",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}}', 'S-27 the timeout');
SELECT t.check('s27');

SELECT t.run('s27b', t.schedule_activity('a', '{"start_to_close_timeout": "1s",
	"retry_policy": {"maximum_attempts": 2}}'));
SELECT t.poll_activity('s27b') AS task \gset
SELECT t.skip('1s');
SELECT t.history_is('s27b', 'P, 5 ACT_SCHED', 'S-27 variant: with attempts left a silent retry');
SELECT t.has(t.pending_activity('s27b'), '{"attempt": 2, "state": "PENDING_ACTIVITY_STATE_SCHEDULED",
	"currentRetryInterval": "1s", "lastFailure": {"message": "activity StartToClose timeout",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}}',
	'S-27 variant: attempt 2 waits');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('s27b'), '{"attempt": 2}', 'S-27 variant: attempt 2');
SELECT t.check('s27b');

-- ---------------------------------------------------------------------- S-28

SELECT t.run('s28', t.schedule_activity('a', '{"start_to_close_timeout": "1s",
	"schedule_to_close_timeout": "2s", "retry_policy": {"initial_interval": "2s"}}'));
SELECT t.poll_activity('s28') AS task \gset
SELECT t.skip('0.9s');
SELECT t.history_is('s28', 'P, 5 ACT_SCHED', 'S-28 not after 0.9 s');
SELECT t.skip('0.1s');
SELECT t.history_is('s28', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_TIMEOUT, 8 WFT_SCHED',
	'S-28 start-to-close near the end of schedule-to-close');
SELECT t.event_has('s28', 6, '{"attempt": 1}', 'S-28 the start');
SELECT is(t.event('s28', 7), '{"scheduledEventId": "5", "startedEventId": "6",
	"retryState": "RETRY_STATE_TIMEOUT", "failure": {"source": "Server",
	"message": "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_CLOSE"}}}', 'S-28 the timeout');
SELECT t.check('s28');

-- ---------------------------------------------------------------------- S-29

SELECT t.run('s29', t.schedule_activity('a', '{"schedule_to_start_timeout": "1s"}'));
SELECT t.skip('0.9s');
SELECT t.history_is('s29', 'P, 5 ACT_SCHED', 'S-29 not after 0.9 s');
SELECT t.skip('0.1s');
SELECT t.history_is('s29', 'P, 5 ACT_SCHED, 6 ACT_TIMEOUT, 7 WFT_SCHED', 'S-29 schedule-to-start');
SELECT is(t.event('s29', 6), '{"scheduledEventId": "5", "retryState": "RETRY_STATE_TIMEOUT",
	"failure": {"message": "activity ScheduleToStart timeout", "source": "Server",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_START"}}}', 'S-29 the timeout');
SELECT is(t.poll_activity('s29'), '{}', 'S-29 a later poll finds nothing');
SELECT t.check('s29');

-- ---------------------------------------------------------------------- S-30

SELECT t.run('s30', t.schedule_activity('a', '{"heartbeat_timeout": "1s",
	"retry_policy": {"maximum_attempts": 2}}'));
SELECT t.poll_activity('s30') AS task \gset
SELECT t.skip('0.6s');
SELECT is(t.heartbeat(:'task', '["d0"]'), '{}', 'S-30 a heartbeat');
SELECT t.skip('0.6s');
SELECT t.heartbeat(:'task', '["d1"]');
SELECT t.has(t.pending_activity('s30'), '{"attempt": 1, "state": "PENDING_ACTIVITY_STATE_STARTED",
	"heartbeatDetails": ["d1"]}', 'S-30 heartbeats keep it running');
SELECT t.skip('0.9s');
SELECT t.has(t.pending_activity('s30'), '{"attempt": 1}', 'S-30 not 0.9 s after the last one');
SELECT t.skip('0.1s');
SELECT t.history_is('s30', 'P, 5 ACT_SCHED', 'S-30 the first timeout is a silent retry');
SELECT t.has(t.pending_activity('s30'), '{"attempt": 2, "state": "PENDING_ACTIVITY_STATE_SCHEDULED"}',
	'S-30 attempt 2 waits');
SELECT t.skip('1s');
SELECT t.poll_activity('s30') AS task \gset
SELECT t.has(:'task', '{"attempt": 2, "heartbeatDetails": ["d1"]}',
	'S-30 attempt 2 gets the details of attempt 1');
SELECT t.skip('0.9s');
SELECT t.history_is('s30', 'P, 5 ACT_SCHED', 'S-30 not 0.9 s after its start');
SELECT t.skip('0.1s');
SELECT t.history_is('s30', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_TIMEOUT, 8 WFT_SCHED',
	'S-30 heartbeat timeout');
SELECT t.event_has('s30', 6, '{"attempt": 2, "lastFailure": {
	"message": "activity Heartbeat timeout", "timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_HEARTBEAT"}}}',
	'S-30 the start');
SELECT t.event_has('s30', 7, '{"startedEventId": "6", "retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED",
	"failure": {"message": "activity Heartbeat timeout", "source": "Server",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_HEARTBEAT", "lastHeartbeatDetails": ["d1"]},
	"cause": {"message": "activity Heartbeat timeout",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_HEARTBEAT"}}}}', 'S-30 the timeout');
SELECT t.check('s30');

-- ---------------------------------------------------------------------- S-31

SELECT t.run_and_fail('s31', '{"retry_policy": {"maximum_interval": "1s"}}', t.failure('f1',
	more => '{"application_failure_info": {"type": "X", "next_retry_delay": "3s"}}'));
SELECT t.has(t.pending_activity('s31'), '{"attempt": 2, "currentRetryInterval": "3s"}',
	'S-31 the failure asks for a delay beyond the maximum');
SELECT t.skip('2.9s');
SELECT is(t.poll_activity('s31'), '{}', 'S-31 not after 2.9 s');
SELECT t.skip('0.1s');
SELECT t.fail_activity(t.poll_activity('s31'), t.failure('f2'));
SELECT t.has(t.pending_activity('s31'), '{"attempt": 3, "currentRetryInterval": "1s"}',
	'S-31 the next failure does not');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('s31'), '{"attempt": 3}', 'S-31 attempt 3 after 1 s');
SELECT t.history_is('s31', 'P, 5 ACT_SCHED', 'S-31 next_retry_delay leaves no event');
SELECT t.check('s31');

-- ------------------------------------------------------- S-32, S-33 and S-34

-- Up to a running activity whose cancellation is requested; its task.
CREATE FUNCTION t.run_and_cancel(workflow_id text) RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	task jsonb;
BEGIN
	PERFORM t.run(workflow_id, t.schedule_activity('a'));
	task := t.poll_activity(workflow_id);
	PERFORM t.signal(workflow_id);
	PERFORM t.complete(t.poll(workflow_id), t.request_cancel_activity(5));
	RETURN task;
END
$$;

SELECT t.run_and_cancel('s32') AS task \gset
SELECT t.history_is('s32', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ', 'S-32 the request causes no workflow task');
SELECT t.event_has('s32', 10, '{"scheduledEventId": "5", "workflowTaskCompletedEventId": "9"}',
	'S-32 it belongs to the completion');
SELECT t.has(t.pending_activity('s32'), '{"state": "PENDING_ACTIVITY_STATE_CANCEL_REQUESTED"}',
	'S-32 described as such');
SELECT is(t.heartbeat(:'task'), '{"cancelRequested": true}', 'S-32 a heartbeat tells the worker');
SELECT t.cancel_activity(:'task', '["cleaned up"]');
SELECT t.history_is('s32', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_CANCELED, 13 WFT_SCHED', 'S-32 cancel while running');
SELECT is(t.event('s32', 12), '{"scheduledEventId": "5", "startedEventId": "11",
	"latestCancelRequestedEventId": "10", "details": ["cleaned up"], "identity": "activity worker"}',
	'S-32 the cancellation');
SELECT t.check('s32');

SELECT t.run('s33', t.schedule_activity('a'));
SELECT t.poll_activity('s33') AS task \gset
SELECT alike(t.error_of('RespondActivityTaskCanceled', t.activity_request(:'task')), 'TW300 %',
	'S-33 canceled without request');
SELECT t.has(t.pending_activity('s33'), '{"state": "PENDING_ACTIVITY_STATE_STARTED", "attempt": 1}',
	'S-33 the activity is unaffected');
SELECT t.complete_activity(:'task');
SELECT t.history_is('s33', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED',
	'S-33 and can complete');
SELECT t.check('s33');

SELECT t.fail_activity(t.run_and_cancel('s34'), t.failure('f'));
SELECT t.history_is('s34', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_FAILED, 13 WFT_SCHED', 'S-34 failure after cancel request');
SELECT t.event_has('s34', 12, '{"startedEventId": "11", "failure": {"message": "f"},
	"retryState": "RETRY_STATE_CANCEL_REQUESTED"}', 'S-34 it is not retried');
SELECT t.check('s34');

SELECT t.complete_activity(t.run_and_cancel('s34b'), '["r"]');
SELECT t.history_is('s34b', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_DONE, 13 WFT_SCHED', 'S-34 variant: complete instead');
SELECT t.event_has('s34b', 12, '{"startedEventId": "11", "result": ["r"]}', 'S-34 variant: accepted');
SELECT t.check('s34b');

SELECT t.run_and_cancel('s34c');
SELECT t.skip('60s');
SELECT t.history_is('s34c', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_TIMEOUT, 13 WFT_SCHED', 'S-34 variant: timeout instead');
SELECT t.event_has('s34c', 12, '{"retryState": "RETRY_STATE_CANCEL_REQUESTED",
	"failure": {"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}}',
	'S-34 variant: it is not retried either');
SELECT t.check('s34c');

SELECT * FROM finish();
ROLLBACK;
