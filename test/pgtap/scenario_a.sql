-- Start and workflow tasks.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- ------------------------------------------------- S-01 complete at once

SELECT t.start('s-01');
SELECT t.poll('s-01') AS task \gset
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "3", "previousStartedEventId": null,
	"workflowExecution": {"workflowId": "s-01"}, "workflowType": {"name": "wf"},
	"workflowExecutionTaskQueue": {"name": "s-01", "kind": "TASK_QUEUE_KIND_NORMAL", "normalName": null},
	"nextPageToken": null, "query": null}', 'S-01 complete at once: poll answer');
SELECT t.poll_is(:'task', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-01 history in the poll answer');
SELECT t.check('s-01');
SELECT is(t.complete(:'task', t.complete_workflow('"result"')), '{}', 'S-01 completion answer');
SELECT t.history_is('s-01', 'P, 5 WF_COMPLETED', 'S-01 events');
SELECT t.event_has('s-01', 1, '{"workflowType": {"name": "wf"}, "taskQueue": {"name": "s-01"},
	"attempt": 1, "identity": "client", "workflowId": "s-01", "eagerExecutionAccepted": null}',
	'S-01 WF_STARTED');
SELECT t.event_has('s-01', 2, '{"taskQueue": {"name": "s-01", "kind": "TASK_QUEUE_KIND_NORMAL", "normalName": null},
	"startToCloseTimeout": "10s", "attempt": 1}', 'S-01 WFT_SCHED');
SELECT t.event_has('s-01', 3, '{"scheduledEventId": "2", "identity": "worker", "suggestContinueAsNew": null}',
	'S-01 WFT_START');
SELECT t.event_has('s-01', 4, '{"scheduledEventId": "2", "startedEventId": "3", "identity": "worker"}',
	'S-01 WFT_DONE');
SELECT is(t.event('s-01', 5), '{"workflowTaskCompletedEventId": "4", "result": ["result"]}',
	'S-01 WF_COMPLETED');
SELECT t.has(t.describe('s-01'), '{"pendingActivities": null, "pendingWorkflowTask": null,
	"workflowExecutionInfo": {"status": "WORKFLOW_EXECUTION_STATUS_COMPLETED", "historyLength": "5"}}',
	'S-01 described as completed');
SELECT is((SELECT count(*) FROM temporal.pending_timer) + (SELECT count(*) FROM temporal.pending_activity), 0::bigint,
	'S-01 no activities, no timers');
SELECT t.check('s-01');

-- ------------------------------------------------------ S-02 eager start

SELECT t.start('s-02', '{"request_eager_execution": true, "request_id": "r-02"}') AS answer \gset
SELECT :'answer'::jsonb -> 'eagerWorkflowTask' AS task \gset
SELECT is(:'answer'::jsonb -> 'started', 'true', 'S-02 eager start: started');
SELECT t.poll_is(:'task', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-02 history in the answer');
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "3", "previousStartedEventId": null}',
	'S-02 task in the answer');
SELECT t.event_has('s-02', 1, '{"eagerExecutionAccepted": true}', 'S-02 WF_STARTED(eager_execution_accepted)');
SELECT t.event_has('s-02', 3, '{"scheduledEventId": "2", "identity": "client"}', 'S-02 WFT_START by the starter');
SELECT is(t.poll('s-02'), '{}', 'S-02 the queue is empty');
SELECT t.check('s-02');
SELECT t.start('s-02', '{"request_eager_execution": true, "request_id": "r-02"}') AS again \gset
SELECT is(:'again'::jsonb, :'answer'::jsonb, 'S-02 the same request again has the same answer');
SELECT t.complete(:'task');
SELECT t.history_is('s-02', 'P', 'S-02 its token completes it');
SELECT t.check('s-02');

SELECT t.start('s-02 delayed', '{"request_eager_execution": true, "workflow_start_delay": "2s"}') AS answer \gset
SELECT t.has(:'answer', '{"started": true, "eagerWorkflowTask": null}', 'S-02 with a delay no eager task');
SELECT t.history_is('s-02 delayed', '1 WF_STARTED', 'S-02 with a delay only WF_STARTED');
SELECT t.event_has('s-02 delayed', 1, '{"eagerExecutionAccepted": null}', 'S-02 with a delay not accepted as eager');
SELECT t.check('s-02 delayed');

-- ------------------------------------------------------ S-03 start delay

SELECT t.start('s-03', '{"workflow_start_delay": "2s"}');
SELECT t.history_is('s-03', '1 WF_STARTED', 'S-03 start delay: WF_STARTED only');
SELECT t.event_has('s-03', 1, '{"firstWorkflowTaskBackoff": "2s"}', 'S-03 first_workflow_task_backoff');
SELECT is((info ->> 'executionTime')::timestamptz, (info ->> 'startTime')::timestamptz + '2s',
	'S-03 execution_time = start_time + delay')
	FROM (SELECT t.describe('s-03') -> 'workflowExecutionInfo') AS d (info);
SELECT is(execution_time, start_time + '2s', 'S-03 listed with that execution_time')
	FROM temporal.execution WHERE workflow_id = 's-03';
SELECT t.skip('1s');
SELECT t.history_is('s-03', '1 WF_STARTED', 'S-03 nothing before the delay ends');
SELECT is(t.poll('s-03'), '{}', 'S-03 the queue is empty');
SELECT t.check('s-03');
SELECT t.skip('1s');
SELECT t.history_is('s-03', '1 WF_STARTED, 2 WFT_SCHED', 'S-03 WFT_SCHED after the delay');
SELECT ok(t.event_time('s-03', 2) >= t.event_time('s-03', 1) + '2s', 'S-03 not before its time');
SELECT t.check('s-03');
SELECT t.poll_is(t.poll('s-03'), '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-03 polled');
SELECT is(t.error_of('StartWorkflowExecution', t.starting('s-03 cron',
		'{"workflow_start_delay": "2s", "cron_schedule": "* * * * *"}')),
	'TW300 CronSchedule and WorkflowStartDelay may not be used together.', 'S-03 delay and cron are refused');

-- ---------------------------------------------- S-04 signal during delay

SELECT t.start('s-04', '{"workflow_start_delay": "2s"}');
SELECT t.signal('s-04', 'early', '{"input": [1]}');
SELECT t.history_is('s-04', '1 WF_STARTED, 2 WF_SIGNALED', 'S-04 signal during delay: no task');
SELECT t.event_has('s-04', 2, '{"signalName": "early", "input": [1], "identity": "client"}', 'S-04 WF_SIGNALED');
SELECT t.check('s-04');
SELECT t.skip('2s');
SELECT t.history_is('s-04', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-04 WFT_SCHED after the delay');
SELECT t.check('s-04');

-- ------------------------------- S-05 signal-with-start skips the delay

SELECT t.start('s-05', '{"workflow_start_delay": "2s"}') AS answer \gset
SELECT t.signal_with_start('s-05') AS again \gset
SELECT t.has(:'again', jsonb_build_object('started', null, 'runId', :'answer'::jsonb -> 'runId'),
	'S-05 signal-with-start skips the delay: not started');
SELECT t.history_is('s-05', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-05 WFT_SCHED at once');
SELECT t.check('s-05');
SELECT t.skip('3s');
SELECT t.history_is('s-05', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-05 nothing more after the delay');
SELECT t.check('s-05');

-- ---------------------------------------------- S-06 cancel during delay

SELECT t.start('s-06', '{"workflow_start_delay": "2s"}');
SELECT t.cancel('s-06', '{"reason": "why"}');
SELECT t.history_is('s-06', '1 WF_STARTED, 2 WF_CANCEL_REQ, 3 WFT_SCHED', 'S-06 cancel during delay: WFT_SCHED at once');
SELECT t.event_has('s-06', 2, '{"cause": "why", "identity": "client"}', 'S-06 WF_CANCEL_REQ');
SELECT t.skip('3s');
SELECT t.history_is('s-06', '1 WF_STARTED, 2 WF_CANCEL_REQ, 3 WFT_SCHED', 'S-06 nothing more after the delay');
SELECT t.check('s-06');

-- ----------------------------- S-07 failed WFT and transient attempt

SELECT t.start('s-07');
SELECT t.poll('s-07') AS task \gset
SELECT t.fail(:'task');
SELECT t.history_is('s-07', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-07 failed WFT: stored events');
SELECT t.event_has('s-07', 4, '{"scheduledEventId": "2", "startedEventId": "3",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
	"failure": {"message": "task failed"}, "identity": "worker"}', 'S-07 WFT_FAILED');
SELECT t.has(t.describe('s-07') -> 'pendingWorkflowTask',
	'{"state": "PENDING_WORKFLOW_TASK_STATE_SCHEDULED", "attempt": 2}', 'S-07 attempt 2 pending');
SELECT t.check('s-07');
SELECT is(t.error_of_complete(:'task'), 'TW503 Workflow task not found.', 'S-07 the failed token is void');
SELECT t.poll('s-07') AS task \gset
SELECT t.has(:'task', '{"attempt": 2, "startedEventId": "6", "previousStartedEventId": null}',
	'S-07 transient attempt: poll answer');
SELECT t.poll_is(:'task', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WFT_SCHED, 6 WFT_START',
	'S-07 history with virtual events');
SELECT t.has(:'task'::jsonb #> '{history,events}' -> 4 -> 'workflowTaskScheduledEventAttributes',
	'{"attempt": 2, "taskQueue": {"name": "s-07"}, "startToCloseTimeout": "10s"}', 'S-07 v5 WFT_SCHED');
SELECT t.has(:'task'::jsonb #> '{history,events}' -> 5 -> 'workflowTaskStartedEventAttributes',
	'{"scheduledEventId": "5", "identity": "worker"}', 'S-07 v6 WFT_START');
SELECT t.history_is('s-07', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-07 virtual events are not stored');
SELECT t.check('s-07');
SELECT t.complete(:'task', t.complete_workflow());
SELECT t.history_is('s-07', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED,
	5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WF_COMPLETED', 'S-07 events in the end');
SELECT t.event_has('s-07', 5, '{"attempt": 2}', 'S-07 WFT_SCHED(attempt 2)');
SELECT t.event_has('s-07', 7, '{"scheduledEventId": "5", "startedEventId": "6"}', 'S-07 WFT_DONE');
SELECT is(t.raw_event('s-07', 5), :'task'::jsonb #> '{history,events}' -> 4, 'S-07 stored as it was shown: WFT_SCHED');
SELECT is(t.raw_event('s-07', 6), :'task'::jsonb #> '{history,events}' -> 5, 'S-07 stored as it was shown: WFT_START');
SELECT t.event_has('s-07', 8, '{"workflowTaskCompletedEventId": "7"}', 'S-07 WF_COMPLETED');
SELECT t.check('s-07');

SELECT t.start('s-07 too large');
SELECT t.fail(t.poll('s-07 too large'), 'WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE');
SELECT t.history_is('s-07 too large', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TERMINATED',
	'S-07 a message too large for gRPC terminates');
SELECT t.event_has('s-07 too large', 5, '{"reason": "GrpcMessageTooLarge", "identity": "history-service"}', 'S-07 WF_TERMINATED');
SELECT t.check('s-07 too large');

-- ----------------------------- S-08 repeated failures leave one event

-- Polls and fails the next attempt; returns attempt and its timeout.
CREATE FUNCTION pg_temp.fail_next(workflow_id text) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	task jsonb := t.poll(workflow_id);
BEGIN
	PERFORM t.fail(task);
	RETURN (task ->> 'attempt') || ' ' || (jsonb_path_query_first(task,
		'$.history.events[last - 1].workflowTaskScheduledEventAttributes.startToCloseTimeout') #>> '{}');
END
$$;

SELECT t.start('s-08');
SELECT is(pg_temp.fail_next('s-08'), '1 10s', 'S-08 repeated failures: attempt 1');
SELECT is(pg_temp.fail_next('s-08'), '2 10s', 'S-08 attempt 2');
SELECT is(pg_temp.fail_next('s-08'), '3 10s', 'S-08 attempt 3');
SELECT t.history_is('s-08', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-08 one event after three failures');
SELECT pg_temp.fail_next('s-08') AS attempt \gset
SELECT matches(:'attempt'::text, '^4 1[1-9](\.\d+)?s$', 'S-08 attempt 4 has more time');
SELECT is(t.search_attributes('s-08'), '{}', 'S-08 no problem reported after four failures');
SELECT pg_temp.fail_next('s-08') AS attempt \gset
SELECT matches(:'attempt'::text, '^5 (1[5-9]|2\d)(\.\d+)?s$', 'S-08 attempt 5 has still more time');
SELECT t.history_is('s-08', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'S-08 one event after five failures');
SELECT t.has(t.describe('s-08'), '{"pendingWorkflowTask": {"attempt": 6}}', 'S-08 attempt 6 pending');
SELECT is(t.search_attributes('s-08'), '{"TemporalReportedProblems": ["category=WorkflowTaskFailed",
	"cause=WorkflowTaskFailedCauseWorkflowWorkerUnhandledFailure"]}', 'S-08 the fifth failure is reported');
SELECT t.check('s-08');
SELECT t.poll('s-08') AS task \gset
SELECT t.has(:'task', '{"attempt": 6, "startedEventId": "6"}', 'S-08 attempt 6');
SELECT t.complete(:'task');
SELECT t.history_is('s-08', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED,
	5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE', 'S-08 events after success');
SELECT t.event_has('s-08', 5, '{"attempt": 6}', 'S-08 WFT_SCHED(attempt 6)');
SELECT is(t.search_attributes('s-08'), '{}', 'S-08 success takes the report away');
SELECT t.check('s-08');
SELECT t.signal('s-08');
SELECT t.has(t.poll('s-08'), '{"attempt": 1, "startedEventId": "10"}', 'S-08 success resets the attempt');

SELECT t.start('s-08 timeouts');
DO
$$
BEGIN
	FOR attempt IN 1 .. 5 LOOP
		PERFORM t.poll('s-08 timeouts');
		PERFORM t.skip('1m');
	END LOOP;
END
$$;
SELECT t.has(t.describe('s-08 timeouts'), '{"pendingWorkflowTask": {"attempt": 6}}', 'S-08 five timeouts');
SELECT is(t.search_attributes('s-08 timeouts'), '{"TemporalReportedProblems": ["category=WorkflowTaskTimedOut",
	"cause=WorkflowTaskTimedOutCauseStartToClose"]}', 'S-08 timeouts are reported too');
SELECT t.history_is('s-08 timeouts', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_TIMEOUT', 'S-08 one event after five timeouts');
SELECT t.check('s-08 timeouts');

-- ------------------------------- S-09 event between transient attempts

SELECT t.start('s-09');
SELECT t.fail(t.poll('s-09'));
SELECT t.signal('s-09');
SELECT t.history_is('s-09', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED',
	'S-09 event between transient attempts: no WFT_SCHED yet');
SELECT t.check('s-09');
SELECT t.poll('s-09') AS task \gset
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "7"}', 'S-09 poll answer');
SELECT t.poll_is(:'task', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED,
	6 WFT_SCHED, 7 WFT_START', 'S-09 history in the poll answer');
SELECT t.history_is('s-09', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED,
	6 WFT_SCHED, 7 WFT_START', 'S-09 stored events');
SELECT t.event_has('s-09', 6, '{"attempt": 1}', 'S-09 WFT_SCHED(attempt 1)');
SELECT t.event_has('s-09', 7, '{"scheduledEventId": "6"}', 'S-09 WFT_START');
SELECT t.check('s-09');
SELECT t.fail(:'task');
SELECT t.history_is('s-09', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED,
	6 WFT_SCHED, 7 WFT_START, 8 WFT_FAILED', 'S-09 so the next failure is an event again');
SELECT t.check('s-09');

-- ------------------------------------------- S-10 start-to-close timeout

SELECT t.start('s-10', '{"workflow_task_timeout": "1s"}');
SELECT t.poll('s-10') AS task \gset
SELECT t.event_has('s-10', 2, '{"startToCloseTimeout": "1s"}', 'S-10 start-to-close timeout: WFT_SCHED');
SELECT t.skip('1s');
SELECT t.history_is('s-10', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_TIMEOUT', 'S-10 events');
SELECT is(t.event('s-10', 4), '{"scheduledEventId": "2", "startedEventId": "3",
	"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}', 'S-10 WFT_TIMEOUT');
SELECT ok(t.event_time('s-10', 4) >= t.event_time('s-10', 3) + '1s', 'S-10 not before its time');
SELECT is(t.error_of_complete(:'task', t.complete_workflow()), 'TW503 Workflow task not found.',
	'S-10 the old token is not found');
SELECT t.check('s-10');
SELECT t.poll('s-10') AS task \gset
SELECT t.has(:'task', '{"attempt": 2, "startedEventId": "6"}', 'S-10 next poll: attempt 2');
SELECT t.poll_is(:'task', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_TIMEOUT, 5 WFT_SCHED, 6 WFT_START',
	'S-10 history with virtual events');
SELECT t.skip('1s');
SELECT t.history_is('s-10', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_TIMEOUT',
	'S-10 a transient attempt times out without an event');
SELECT t.has(t.poll('s-10'), '{"attempt": 3, "startedEventId": "6"}', 'S-10 attempt 3');
SELECT t.check('s-10');

-- ---------------------------------- S-11 sticky schedule-to-start timeout

SELECT t.run('s-11', complete_options => t.sticky('s-11 sticky', 's-11'));
SELECT is(t.poll_sticky('s-11 sticky', 's-11'), '{}', 'S-11 sticky schedule-to-start timeout: nothing yet');
SELECT t.signal('s-11');
SELECT t.history_is('s-11', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-11 events before the timeout');
SELECT t.event_has('s-11', 6, '{"taskQueue": {"name": "s-11 sticky", "kind": "TASK_QUEUE_KIND_STICKY",
	"normalName": "s-11"}, "attempt": 1}', 'S-11 WFT_SCHED on the sticky queue');
SELECT is(t.poll('s-11'), '{}', 'S-11 not on the normal queue');
SELECT t.check('s-11');
SELECT t.skip('1s');
SELECT t.history_is('s-11', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_TIMEOUT, 8 WFT_SCHED', 'S-11 events after the timeout');
SELECT is(t.event('s-11', 7), '{"scheduledEventId": "6", "timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_START"}',
	'S-11 WFT_TIMEOUT, not started');
SELECT t.event_has('s-11', 8, '{"taskQueue": {"name": "s-11", "kind": "TASK_QUEUE_KIND_NORMAL", "normalName": null},
	"attempt": 1}', 'S-11 WFT_SCHED on the normal queue');
SELECT t.check('s-11');
SELECT is(t.poll_sticky('s-11 sticky', 's-11'), '{}', 'S-11 the sticky queue is empty');
SELECT t.poll('s-11') AS task \gset
SELECT t.poll_is(:'task', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_TIMEOUT, 8 WFT_SCHED, 9 WFT_START', 'S-11 full history');
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "9", "previousStartedEventId": "3"}', 'S-11 poll answer');
SELECT t.check('s-11');

SELECT t.run('s-11 alone', complete_options => t.sticky('s-11 alone sticky', 's-11 alone'));
SELECT t.signal('s-11 alone');
SELECT t.event_has('s-11 alone', 6, '{"taskQueue": {"name": "s-11 alone sticky"}}', 'S-11 a sticky queue that nobody polls: WFT_SCHED');
SELECT t.check('s-11 alone');
SELECT t.poll_is(t.poll('s-11 alone'), 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START', 'S-11 but it is on the normal queue at once');
SELECT t.check('s-11 alone');
SELECT t.skip('1s');
SELECT t.history_is('s-11 alone', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START', 'S-11 and once started it has no schedule-to-start timeout');

SELECT t.run('s-11 reset', complete_options => t.sticky('s-11 reset sticky', 's-11 reset'));
SELECT is(t.poll_sticky('s-11 reset sticky', 's-11 reset'), '{}', 'S-11 stickiness is reset while the task waits');
SELECT t.signal('s-11 reset');
SELECT t.rpc('ResetStickyTaskQueue', '{"execution": {"workflow_id": "s-11 reset"}}');
SELECT is(t.poll_sticky('s-11 reset sticky', 's-11 reset'), '{}', 'S-11 reset: the sticky poller does not get it');
SELECT t.skip('1s');
SELECT t.history_is('s-11 reset', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_TIMEOUT, 8 WFT_SCHED', 'S-11 reset: events');
SELECT t.event_has('s-11 reset', 7, '{"timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_START"}', 'S-11 reset: WFT_TIMEOUT');
SELECT t.event_has('s-11 reset', 8, '{"taskQueue": {"name": "s-11 reset"}, "attempt": 1}', 'S-11 reset: attempt 1 on the normal queue');
SELECT t.check('s-11 reset');
SELECT t.poll_is(t.poll('s-11 reset'), 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_TIMEOUT, 8 WFT_SCHED, 9 WFT_START',
	'S-11 reset: full history');

-- ------------------------------------------ S-12 sticky partial history

SELECT t.run('s-12', complete_options => t.sticky('s-12 sticky', 's-12'));
SELECT is(t.poll_sticky('s-12 sticky', 's-12'), '{}', 'S-12 sticky partial history: nothing yet');
SELECT t.signal('s-12');
SELECT t.poll_sticky('s-12 sticky', 's-12') AS task \gset
SELECT t.poll_is(:'task', '4 WFT_DONE, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START', 'S-12 history in the poll answer');
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "7", "previousStartedEventId": "3", "nextPageToken": null,
	"workflowExecutionTaskQueue": {"name": "s-12", "kind": "TASK_QUEUE_KIND_NORMAL"}}', 'S-12 poll answer');
SELECT t.history_is('s-12', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START', 'S-12 stored events');
SELECT t.check('s-12');

-- ---------------------------------------- S-13 failure of a sticky WFT

SELECT t.fail(:'task');
SELECT t.history_is('s-12', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START, 8 WFT_FAILED, 9 WFT_SCHED',
	'S-13 failure of a sticky WFT: events');
SELECT t.event_has('s-12', 8, '{"scheduledEventId": "6", "startedEventId": "7"}', 'S-13 WFT_FAILED');
SELECT t.event_has('s-12', 9, '{"taskQueue": {"name": "s-12", "kind": "TASK_QUEUE_KIND_NORMAL", "normalName": null},
	"attempt": 1}', 'S-13 WFT_SCHED on the normal queue, attempt 1');
SELECT t.check('s-12');
SELECT t.poll('s-12') AS task \gset
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "10", "previousStartedEventId": "3"}', 'S-13 poll answer');
SELECT t.poll_is(:'task', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START, 8 WFT_FAILED, 9 WFT_SCHED, 10 WFT_START',
	'S-13 full history');
SELECT t.check('s-12');

-- ----------------------------------------------- S-14 unhandled command

SELECT t.start('s-14');
SELECT t.poll('s-14') AS task \gset
SELECT t.signal('s-14');
SELECT t.history_is('s-14', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-14 unhandled command: the signal is not stored yet');
SELECT t.check('s-14');
SELECT is(t.error_of_complete(:'task', t.complete_workflow()), 'TW303 UnhandledCommand', 'S-14 refused');
SELECT t.history_is('s-14', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WFT_SCHED',
	'S-14 events');
SELECT t.event_has('s-14', 4, '{"scheduledEventId": "2", "startedEventId": "3",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND", "failure": {"message": "UnhandledCommand"}}', 'S-14 WFT_FAILED');
SELECT t.event_has('s-14', 6, '{"attempt": 1}', 'S-14 WFT_SCHED(attempt 1)');
SELECT t.check('s-14');
SELECT t.poll('s-14') AS task \gset
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "7"}', 'S-14 poll answer');

-- ------------------------------------ S-15 signals refused while closing

SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('s-14')),
	'TW800 workflow operation can not be applied because workflow is closing', 'S-15 signals refused while closing');
SELECT t.history_is('s-14', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WFT_SCHED,
	7 WFT_START', 'S-15 the refused signal leaves nothing');
SELECT t.complete(:'task', t.complete_workflow());
SELECT t.history_is('s-14', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WFT_SCHED,
	7 WFT_START, 8 WFT_DONE, 9 WF_COMPLETED', 'S-14 and S-15 events in the end');
SELECT t.check('s-14');

SELECT t.start('s-15');
SELECT t.poll('s-15') AS task \gset
SELECT t.signal('s-15');
SELECT is(t.error_of_complete(:'task', t.complete_workflow()), 'TW303 UnhandledCommand', 'S-15 again, with another ending');
SELECT t.signal('s-15', 'before it is started');
SELECT t.poll('s-15') AS task \gset
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('s-15')),
	'TW800 workflow operation can not be applied because workflow is closing', 'S-15 refused while the task is started');
SELECT t.complete(:'task');
SELECT t.signal('s-15', 'after');
SELECT t.history_is('s-15', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WFT_SCHED,
	7 WF_SIGNALED, 8 WFT_START, 9 WFT_DONE, 10 WF_SIGNALED, 11 WFT_SCHED', 'S-15 signals are accepted again');
SELECT t.check('s-15');

-- More than a hundred events in the buffer: the task is failed to let them out.
SELECT t.start('s-15 full');
SELECT t.poll('s-15 full') AS task \gset
SELECT count(t.signal('s-15 full', n::text)) FROM generate_series(1, 100) AS n;
SELECT t.history_is('s-15 full', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-15 a hundred events are buffered');
SELECT t.signal('s-15 full', '101');
SELECT t.history_is('s-15 full', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, '
	|| (SELECT string_agg(n || ' WF_SIGNALED', ', ') FROM generate_series(5, 105) AS n) || ', 106 WFT_SCHED',
	'S-15 one more fails the task');
SELECT t.event_has('s-15 full', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND"}', 'S-15 WFT_FAILED(FORCE_CLOSE_COMMAND)');
SELECT t.event_has('s-15 full', 105, '{"signalName": "101"}', 'S-15 the last signal is the last one');
SELECT t.event_has('s-15 full', 106, '{"attempt": 1}', 'S-15 WFT_SCHED(attempt 1)');
SELECT t.check('s-15 full');
SELECT is(t.error_of_complete(:'task'), 'TW503 Workflow task not found.', 'S-15 its token is void');

-- ---------------------- S-16 buffered event after commands, inline WFT

SELECT t.start('s-16');
SELECT t.poll('s-16') AS task \gset
SELECT t.signal('s-16');
SELECT t.complete(:'task', t.start_timer('t', '3600s'),
	'{"return_new_workflow_task": true}' || t.sticky('s-16 sticky', 's-16')) AS answer \gset
SELECT t.history_is('s-16', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START',
	'S-16 buffered event after commands, inline WFT: events');
SELECT :'answer'::jsonb -> 'workflowTask' AS task \gset
SELECT t.poll_is(:'task', '4 WFT_DONE, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START', 'S-16 history in the answer');
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "8", "previousStartedEventId": "3"}', 'S-16 inline task');
SELECT t.event_has('s-16', 7, '{"taskQueue": {"name": "s-16 sticky", "kind": "TASK_QUEUE_KIND_STICKY"}}', 'S-16 WFT_SCHED');
SELECT t.event_has('s-16', 8, '{"scheduledEventId": "7", "identity": "worker",
	"requestId": "request-from-RespondWorkflowTaskCompleted"}', 'S-16 WFT_START');
SELECT is(t.poll('s-16'), '{}', 'S-16 the normal queue is empty');
SELECT is(t.poll_sticky('s-16 sticky', 's-16'), '{}', 'S-16 the sticky queue is empty');
SELECT t.check('s-16');
SELECT t.complete(:'task', t.complete_workflow());
SELECT t.history_is('s-16', 'P, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 WF_COMPLETED',
	'S-16 the inline task completes');
SELECT t.check('s-16');

-- ------------------------------------------------------- S-17 heartbeat

\set heartbeat '{"force_create_new_workflow_task": true, "return_new_workflow_task": true}'
SELECT t.start('s-17');
SELECT t.poll('s-17') AS task \gset
SELECT t.describe('s-17') #>> '{pendingWorkflowTask,originalScheduledTime}' AS original \gset
SELECT is(:'original'::timestamptz, t.event_time('s-17', 2), 'S-17 heartbeat: original_scheduled_time');
SELECT t.skip('3s');
SELECT t.complete(:'task', '[]', :'heartbeat') -> 'workflowTask' AS task \gset
SELECT t.history_is('s-17', 'P, 5 WFT_SCHED, 6 WFT_START', 'S-17 events');
SELECT t.has(:'task', '{"attempt": 1, "startedEventId": "6", "previousStartedEventId": "3"}', 'S-17 inline task');
SELECT t.poll_is(:'task', '4 WFT_DONE, 5 WFT_SCHED, 6 WFT_START', 'S-17 history in the answer');
SELECT t.has(t.describe('s-17') -> 'pendingWorkflowTask', jsonb_build_object('attempt', 1,
	'state', 'PENDING_WORKFLOW_TASK_STATE_STARTED', 'originalScheduledTime', :'original'),
	'S-17 original_scheduled_time does not change');
SELECT t.check('s-17');
SELECT t.skip('3s');
SELECT t.complete(:'task', '[]', :'heartbeat') -> 'workflowTask' AS task \gset
SELECT t.skip('3s');
SELECT t.complete(:'task', '[]', :'heartbeat') -> 'workflowTask' AS task \gset
SELECT t.history_is('s-17', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START', 'S-17 events of several heartbeats');
SELECT t.has(t.describe('s-17') -> 'pendingWorkflowTask', jsonb_build_object('originalScheduledTime', :'original'),
	'S-17 original_scheduled_time does not change over several heartbeats');
SELECT isnt((t.describe('s-17') #>> '{pendingWorkflowTask,scheduledTime}')::timestamptz, :'original'::timestamptz,
	'S-17 scheduled_time does');
SELECT t.skip('9s');
SELECT t.history_is('s-17', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START', 'S-17 each heartbeat gives the whole task timeout');
SELECT t.complete(:'task', t.record_marker('m'), :'heartbeat') -> 'workflowTask' AS task \gset
SELECT t.history_is('s-17', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START, 13 WFT_DONE, 14 MARKER, 15 WFT_SCHED, 16 WFT_START',
	'S-17 force_create_new_workflow_task with a command');
SELECT is((t.describe('s-17') #>> '{pendingWorkflowTask,originalScheduledTime}')::timestamptz,
	t.event_time('s-17', 15), 'S-17 a command ends the series');
SELECT t.check('s-17');
SELECT is(t.complete(:'task', '[]', '{"force_create_new_workflow_task": true}'), '{}',
	'S-17 without return_new_workflow_task no inline task');
SELECT t.has(t.poll('s-17'), '{"attempt": 1, "startedEventId": "19", "previousStartedEventId": "16"}',
	'S-17 without return_new_workflow_task it is in the queue');
SELECT t.check('s-17');

-- ------------------------------------------------- S-18 heartbeat limit

SET LOCAL temporal.heartbeat_limit = '2s';
SELECT t.start('s-18');
SELECT t.poll('s-18') AS task \gset
SELECT t.skip('0.5s');
SELECT t.complete(:'task', '[]', :'heartbeat' || t.sticky('s-18 sticky', 's-18')) -> 'workflowTask' AS task \gset
SELECT t.skip('0.5s');
SELECT t.complete(:'task', '[]', :'heartbeat' || t.sticky('s-18 sticky', 's-18')) -> 'workflowTask' AS task \gset
SELECT t.skip('0.5s');
SELECT t.complete(:'task', '[]', :'heartbeat' || t.sticky('s-18 sticky', 's-18')) -> 'workflowTask' AS task \gset
SELECT t.history_is('s-18', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START', 'S-18 heartbeat limit: events before');
SELECT t.skip('0.5s');
SELECT is(t.error_of_complete(:'task', '[]', :'heartbeat' || t.sticky('s-18 sticky', 's-18')),
	'TW503 workflow task heartbeat timeout', 'S-18 refused after the limit');
SELECT t.history_is('s-18', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START, 13 WFT_TIMEOUT, 14 WFT_SCHED', 'S-18 WFT_TIMEOUT instead of WFT_DONE');
SELECT is(t.event('s-18', 13), '{"scheduledEventId": "11", "startedEventId": "12",
	"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}', 'S-18 WFT_TIMEOUT');
SELECT t.event_has('s-18', 14, '{"taskQueue": {"name": "s-18", "kind": "TASK_QUEUE_KIND_NORMAL", "normalName": null},
	"attempt": 1}', 'S-18 WFT_SCHED on the normal queue');
SELECT t.check('s-18');
SELECT is(t.poll_sticky('s-18 sticky', 's-18'), '{}', 'S-18 no longer sticky');
SELECT t.poll('s-18') AS task \gset
SELECT t.poll_is(:'task', 'P, 5 WFT_SCHED, 6 WFT_START, 7 WFT_DONE, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WFT_SCHED, 12 WFT_START, 13 WFT_TIMEOUT, 14 WFT_SCHED, 15 WFT_START', 'S-18 left for whoever polls');
SELECT t.complete(:'task', '[]', :'heartbeat') -> 'workflowTask' AS task \gset
SELECT t.has(:'task', '{"startedEventId": "18"}', 'S-18 a new series of heartbeats may begin');
SELECT t.check('s-18');
RESET temporal.heartbeat_limit;

-- ---------------------------------------- S-19 command after close command

SELECT t.start('s-19');
SELECT t.poll('s-19') AS task \gset
SELECT matches(t.error_of_complete(:'task', t.complete_workflow() || t.start_timer('t')), '^TW300 invalid command sequence',
	'S-19 command after close command: refused');
SELECT matches(t.error_of_complete(:'task', t.complete_workflow() || t.complete_workflow()), '^TW300 invalid command sequence',
	'S-19 two close commands: refused');
SELECT is(t.error_of_complete(:'task', '[{"command_type": 99}]'), 'TW300 Unknown command type: 99',
	'S-19 unknown command type: refused');
SELECT is(t.error_of_complete(:'task', t.start_timer('t') || '[{"command_type": 0}]'), 'TW300 Unknown command type: 0',
	'S-19 unspecified command type: refused');
SELECT t.history_is('s-19', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-19 history stays');
SELECT t.has(t.describe('s-19') -> 'pendingWorkflowTask', '{"state": "PENDING_WORKFLOW_TASK_STATE_STARTED", "attempt": 1}',
	'S-19 the task is still started');
SELECT t.check('s-19');
SELECT t.complete(:'task', t.start_timer('t') || t.complete_workflow());
SELECT t.history_is('s-19', 'P, 5 TIMER_START, 6 WF_COMPLETED', 'S-19 the correct completion works');
SELECT t.check('s-19');

-- ------------------------------------------ what a worker says of itself

\set build '{"binary_checksum": "sum", "worker_version_stamp": {"build_id": "b1"}}'
\set failed_build '{"binary_checksum": "sum", "worker_version": {"build_id": "b1"}}'
SELECT t.start('versions');
SELECT t.fail(t.poll('versions'), options => :'failed_build');
SELECT t.event_has('versions', 4, '{"binaryChecksum": "sum", "workerVersion": {"buildId": "b1"}}',
	'the failure of a task tells the version of its worker');
SELECT t.signal('versions');
SELECT alike(t.error_of_complete(t.poll('versions'), t.cancel_timer('none'), :'build'), 'TW303 %', 'a bad command');
SELECT t.history_is('versions', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED,
	6 WFT_SCHED, 7 WFT_START, 8 WFT_FAILED', 'fails the task');
SELECT t.event_has('versions', 8, '{"binaryChecksum": "sum", "workerVersion": {"buildId": "b1"}}',
	'and so does the refusal of its commands');
SELECT t.complete(t.poll('versions'), t.complete_workflow(), '{"versioning_behavior": "VERSIONING_BEHAVIOR_PINNED",
	"deployment_options": {"deployment_name": "d", "build_id": "b1", "worker_versioning_mode": "WORKER_VERSIONING_MODE_VERSIONED"}}');
SELECT t.event_has('versions', 11, '{"versioningBehavior": "VERSIONING_BEHAVIOR_PINNED", "workerDeploymentName": "d",
	"deploymentVersion": {"deploymentName": "d", "buildId": "b1"}}', 'a completion tells its deployment');
SELECT t.check('versions');

SELECT t.run('unversioned', t.complete_workflow(), complete_options => '{"deployment_options":
	{"build_id": "b1", "worker_versioning_mode": "WORKER_VERSIONING_MODE_UNVERSIONED"}}');
SELECT t.event_has('unversioned', 4, '{"deploymentVersion": null, "workerDeploymentName": null}',
	'unless it has none');

SELECT t.start('large failure');
SELECT t.fail(t.poll('large failure'), options => jsonb_build_object('failure', t.failure(t.large(), 'T')));
SELECT t.event_has('large failure', 4, '{"failure": {"message": "Failure exceeds size limit.",
	"serverFailureInfo": {"nonRetryable": true}, "cause": {"applicationFailureInfo": {"type": "T"}}}}',
	'of a failure that is too large the beginning is kept');
SELECT t.check('large failure');

SELECT * FROM finish();
ROLLBACK;
