-- Timeouts of several activities, and retries at the edges of their policy.

BEGIN;
\ir include/worker.sql

SELECT * FROM no_plan();

-- Three that end, one whose retry is silent, one that goes on.
SELECT t.run('together', t.schedule_activity('a', '{"schedule_to_start_timeout": "2s"}')
	|| t.schedule_activity('b', '{"schedule_to_close_timeout": "1s"}')
	|| t.schedule_activity('c', '{"start_to_close_timeout": "1s"}')
	|| t.schedule_activity('d', '{"schedule_to_start_timeout": "1s"}')
	|| t.schedule_activity('e'));
SELECT t.poll_activity('together') AS a \gset
SELECT t.poll_activity('together') AS b \gset
SELECT t.poll_activity('together') AS c \gset
SELECT is(array[:'a'::jsonb ->> 'activityId', :'b'::jsonb ->> 'activityId', :'c'::jsonb ->> 'activityId'],
	'{a,b,c}', 'activities are handed out in the order they were scheduled');
SELECT t.complete_activity(:'a');
SELECT t.complete(t.poll('together'), t.schedule_activity('f', '{"schedule_to_start_timeout": "1s"}'));
SELECT t.skip('3s');
SELECT t.history_is('together', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_SCHED, 8 ACT_SCHED, 9 ACT_SCHED,
	10 ACT_START, 11 ACT_DONE, 12 WFT_SCHED, 13 WFT_START, 14 WFT_DONE, 15 ACT_SCHED,
	16 ACT_START, 17 ACT_TIMEOUT, 18 ACT_TIMEOUT, 19 ACT_TIMEOUT, 20 WFT_SCHED',
	'one workflow task for all that is due together');
SELECT is(array(SELECT t.event('together', n) ->> 'scheduledEventId' FROM generate_series(17, 19) AS n),
	'{6,8,15}', 'in the order of their deadlines');
SELECT t.has(t.pending_activity('together', 'c'), '{"attempt": 2}', 'a silent retry meanwhile');
SELECT t.has(t.pending_activity('together', 'e'), '{"attempt": 1}', 'another goes on');
SELECT t.check('together');

-- While a workflow task is started, due work waits in the buffer.
SELECT t.run('buffered', t.schedule_activity('a', '{"schedule_to_start_timeout": "1s"}')
	|| t.schedule_activity('b'));
SELECT t.fail_activity(t.poll_activity('buffered'));
SELECT t.poll_activity('buffered') AS b \gset
SELECT t.fail_activity(:'b');
SELECT t.signal('buffered');
SELECT t.poll('buffered') AS task \gset
SELECT t.signal('buffered', 'second');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('buffered'), '{"activityId": "a", "attempt": 2}',
	'a retry that is due while events wait is offered');
SELECT t.complete(:'task');
SELECT t.history_is('buffered', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 WF_SIGNALED, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_DONE, 11 WF_SIGNALED, 12 WFT_SCHED', 'and the events come as they should');
SELECT t.check('buffered');

-- An activity which runs into schedule-to-close while it waits for its retry.
SELECT t.run('waiting', t.schedule_activity('a', '{"start_to_close_timeout": null,
	"schedule_to_close_timeout": "3s", "retry_policy": {"initial_interval": "2s"}}'));
SELECT t.fail_activity(t.poll_activity('waiting'), t.failure('f1'));
SELECT t.skip('3s');
SELECT t.history_is('waiting', 'P, 5 ACT_SCHED, 6 ACT_TIMEOUT, 7 WFT_SCHED',
	'schedule-to-close before the second start');
SELECT is(t.event('waiting', 6), '{"scheduledEventId": "5", "retryState": "RETRY_STATE_TIMEOUT",
	"failure": {"source": "Server",
	"message": "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying",
	"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_CLOSE"},
	"cause": {"message": "f1", "source": "test", "applicationFailureInfo": {}}}}',
	'the cause is the failure of the attempt before');
SELECT t.check('waiting');

-- Schedule-to-start counts from when the attempt is due.
SELECT t.run('s2s', t.schedule_activity('a', '{"schedule_to_start_timeout": "1s",
	"retry_policy": {"initial_interval": "5s"}}'));
SELECT t.fail_activity(t.poll_activity('s2s'));
SELECT t.skip('5.9s');
SELECT t.has(t.pending_activity('s2s'), '{"attempt": 2}', 'schedule-to-start does not count the backoff');
SELECT t.skip('0.1s');
SELECT t.history_is('s2s', 'P, 5 ACT_SCHED, 6 ACT_TIMEOUT, 7 WFT_SCHED', 'but what comes after it');
SELECT t.event_has('s2s', 6, '{"retryState": "RETRY_STATE_TIMEOUT", "startedEventId": null,
	"failure": {"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_SCHEDULE_TO_START"}}}',
	'schedule-to-start is not retried');
SELECT t.check('s2s');

-- What is too late to begin is not begun, though its timer has not fired yet.
SELECT t.run('late', t.schedule_activity('a', '{"schedule_to_start_timeout": "1s"}')
	|| t.schedule_activity('b', '{"schedule_to_close_timeout": "1s"}') || t.schedule_activity('c'));
SELECT t.move_clock('1s');
SELECT t.has(t.poll_activity('late'), '{"activityId": "c"}', 'attempts whose time is over are not handed out');
SELECT is(t.poll_activity('late'), '{}', 'nor later');
SELECT t.tick();
SELECT t.history_is('late', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_SCHED, 8 ACT_TIMEOUT, 9 ACT_TIMEOUT, 10 WFT_SCHED',
	'they time out');
SELECT t.check('late');

-- Types of timeouts can be excluded from retries.
SELECT t.run('named', t.schedule_activity('a', '{"start_to_close_timeout": "1s",
	"retry_policy": {"non_retryable_error_types": ["TemporalTimeout:StartToClose"]}}')
	|| t.schedule_activity('b', '{"heartbeat_timeout": "1s",
	"retry_policy": {"non_retryable_error_types": ["TemporalTimeout:StartToClose"]}}'));
SELECT t.poll_activity('named'), t.poll_activity('named');
SELECT t.skip('1s');
SELECT t.history_is('named', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_START, 8 ACT_TIMEOUT, 9 WFT_SCHED',
	'one timeout is listed, the other retried');
SELECT t.event_has('named', 8, '{"scheduledEventId": "5", "retryState": "RETRY_STATE_NON_RETRYABLE_FAILURE",
	"failure": {"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}}', 'by its name');
SELECT t.check('named');

-- ----------------------------------------------------------------- policies

-- The pauses before the next attempts.
CREATE FUNCTION t.intervals(workflow_id text, policy jsonb, n integer) RETURNS text[]
LANGUAGE plpgsql AS
$$
DECLARE
	intervals text[];
BEGIN
	PERFORM t.run(workflow_id, t.schedule_activity('a', jsonb_build_object('retry_policy', policy)));
	FOR i IN 1 .. n LOOP
		PERFORM t.fail_activity(t.poll_activity(workflow_id));
		intervals := intervals || (t.pending_activity(workflow_id) ->> 'currentRetryInterval');
		PERFORM t.skip((t.pending_activity(workflow_id) ->> 'currentRetryInterval')::interval);
	END LOOP;
	RETURN intervals;
END
$$;

SELECT is(t.intervals('linear', '{"initial_interval": "3s", "backoff_coefficient": 1}', 3),
	'{3s,3s,3s}', 'coefficient 1');
SELECT is(t.intervals('capped', '{"initial_interval": "1s", "backoff_coefficient": 3, "maximum_interval": "5s"}', 4),
	'{1s,3s,5s,5s}', 'maximum interval');
SELECT is(t.intervals('hundred', '{"initial_interval": "0.5s", "backoff_coefficient": 10}', 4),
	'{0.500s,5s,50s,50s}', 'the maximum is 100 times the initial interval');
SELECT is(t.intervals('steep', '{"initial_interval": "1s", "backoff_coefficient": 1e300, "maximum_interval": "7s"}', 3),
	'{1s,7s,7s}', 'an interval beyond all bounds is the maximum');

SELECT t.run('zero', t.schedule_activity('a'));
SELECT t.fail_activity(t.poll_activity('zero'), t.failure('f',
	more => '{"application_failure_info": {"next_retry_delay": "0s"}}'));
SELECT t.history_is('zero', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED, 8 WFT_SCHED', 'next_retry_delay 0');
SELECT t.event_has('zero', 7, '{"retryState": "RETRY_STATE_TIMEOUT"}', 'ends the retries');
SELECT t.check('zero');

SELECT t.run('long', t.schedule_activity('a'));
SELECT t.fail_activity(t.poll_activity('long'), t.failure(repeat('ä', 5000), 'X', more => '{"stack_trace": "here"}'));
SELECT t.has(t.pending_activity('long') -> 'lastFailure', jsonb_build_object('message', repeat('ä', 1024),
	'applicationFailureInfo', '{"type": "X"}'::jsonb, 'stackTrace', NULL), 'a long failure is kept in short');
SELECT t.check('long');

-- What a policy must not say.
CREATE FUNCTION t.refused_policy(workflow_id text, policy jsonb) RETURNS text
LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.start(workflow_id);
	RETURN t.error_of_complete(t.poll(workflow_id),
		t.schedule_activity('a', jsonb_build_object('retry_policy', policy)));
END
$$;

SELECT is(left(t.refused_policy('bad' || n, policy), 36), 'TW303 BadScheduleActivityAttributes:', policy::text)
FROM (VALUES (1, '{"initial_interval": "-1s"}'::jsonb), (2, '{"backoff_coefficient": 0.5}'),
	(3, '{"initial_interval": "2s", "maximum_interval": "1s"}'), (4, '{"maximum_attempts": -1}'),
	(5, '{"non_retryable_error_types": ["TemporalTimeout:Bogus"]}')) AS p (n, policy);
SELECT is(t.refused_policy('bad6', '{"maximum_attempts": 1, "backoff_coefficient": 0.5}'), NULL,
	'with one attempt the rest of the policy does not matter');

-- A failure must be one of the application.
SELECT t.run('failure', t.schedule_activity('a'));
SELECT is(t.error_of('RespondActivityTaskFailed', t.activity_request(t.poll_activity('failure'),
	'{"failure": {"message": "f", "timeout_failure_info": {}}}')),
	'TW300 Failure must have ApplicationFailureInfo.', 'a failure of another kind is refused');

-- Cancelled twice in one completion.
SELECT t.run('twice', t.schedule_activity('a'));
SELECT t.signal('twice');
SELECT t.complete(t.poll('twice'), t.request_cancel_activity(5) || t.request_cancel_activity(5));
SELECT t.history_is('twice', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_CANCEL_REQ, 12 ACT_CANCELED, 13 WFT_SCHED',
	'cancelled twice in one completion');
SELECT t.check('twice');
SELECT alike(t.error_of_complete(t.poll('twice'), t.request_cancel_activity(5)),
	'TW303 BadRequestCancelActivityAttributes: %', 'but not when it is over');
SELECT t.check('twice');

SELECT t.run('again', t.schedule_activity('a'));
SELECT t.poll_activity('again') IS NOT NULL;
SELECT t.signal('again');
SELECT alike(t.error_of_complete(t.poll('again'), t.request_cancel_activity(5) || t.request_cancel_activity(5)),
	'TW303 BadRequestCancelActivityAttributes: %', 'an activity that runs is cancelled once');
SELECT t.check('again');

-- An activity that starts in a transition of its run has no deadline row until
-- that of the run, of the workflow task that is long over, fires.
CREATE FUNCTION t.deadlines(id text) RETURNS integer[]
LANGUAGE sql AS
$$
	SELECT array(SELECT kind FROM temporal.timer JOIN temporal.execution USING (run_id)
		WHERE workflow_id = id ORDER BY 1)
$$;
SELECT jsonb_array_length(t.run('within', t.schedule_activity('a', '{"start_to_close_timeout": "30s",
	"request_eager_execution": true, "retry_policy": {"maximum_attempts": 1}}')) -> 'activityTasks') AS eager \gset
SELECT is(:eager, 1, 'an activity starts with the answer');
SELECT is(t.deadlines('within'), '{1}', 'without a deadline row');
SELECT t.skip('11s');
SELECT is(t.deadlines('within'), '{2}', 'which it gets in time');
SELECT t.check('within');
SELECT t.skip('20s');
SELECT t.history_is('within', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_TIMEOUT, 8 WFT_SCHED', 'to time out');

SELECT t.run('within short', t.schedule_activity('a', '{"start_to_close_timeout": "2s",
	"request_eager_execution": true}'));
SELECT is(t.deadlines('within short'), '{1,2}', 'one that is due before has its own at once');

SELECT t.run('within done', t.schedule_activity('a', '{"request_eager_execution": true}')) -> 'activityTasks' -> 0
	AS task \gset
SELECT t.complete_activity(:'task');
SELECT t.skip('11s');
SELECT is(t.deadlines('within done'), '{}', 'one that is over needs none');
SELECT t.check('within done');

SELECT * FROM finish();
ROLLBACK;
