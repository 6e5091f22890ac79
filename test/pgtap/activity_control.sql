-- What operators do to activities, answers by id, priorities.

BEGIN;
\ir include/worker.sql

SELECT * FROM no_plan();

CREATE FUNCTION t.pause_info(workflow_id text) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.search_attributes(workflow_id) -> 'TemporalPauseInfo' $$;

-- The state of each pending activity: 'a PAUSED 1, b SCHEDULED 2'.
CREATE FUNCTION t.pending(workflow_id text) RETURNS text
LANGUAGE sql AS
$$
	SELECT string_agg(format('%s %s %s', a ->> 'activityId',
		replace(a ->> 'state', 'PENDING_ACTIVITY_STATE_', ''), a ->> 'attempt'), ', ')
	FROM jsonb_array_elements(t.describe(workflow_id) -> 'pendingActivities') AS a
$$;

-- ------------------------------------------------------------ answers by id

SELECT t.run('ids', t.schedule_activity('a') || t.schedule_activity('b') || t.schedule_activity('c'));
SELECT t.poll_activity('ids') AS a, t.poll_activity('ids') AS b, t.poll_activity('ids') AS c \gset
SELECT is(t.rpc('RecordActivityTaskHeartbeatById', t.activity_by_id('ids', 'a', '{"details": ["h"]}')), '{}',
	'heartbeat by id');
SELECT t.has(t.pending_activity('ids'), '{"heartbeatDetails": ["h"]}', 'its details');
SELECT t.rpc('RespondActivityTaskFailedById', t.activity_by_id('ids', 'a',
	jsonb_build_object('failure', t.failure('f'), 'last_heartbeat_details', '["last"]'::jsonb)));
SELECT t.has(t.pending_activity('ids'), '{"attempt": 2, "heartbeatDetails": ["last"],
	"lastFailure": {"message": "f"}, "lastWorkerIdentity": "activity worker"}', 'failure by id is retried');
SELECT t.skip('1s');
SELECT t.has(t.poll_activity('ids'), '{"activityId": "a", "heartbeatDetails": ["last"]}',
	'a failure may carry heartbeat details');
SELECT alike(t.error_of('RespondActivityTaskCanceledById', t.activity_by_id('ids', 'b')), 'TW300 %',
	'cancellation by id that was not requested');
SELECT t.signal('ids');
SELECT t.complete(t.poll('ids'), t.request_cancel_activity(6));
SELECT is(t.rpc('RecordActivityTaskHeartbeatById', t.activity_by_id('ids', 'b')), '{"cancelRequested": true}',
	'heartbeat by id tells of the request');
SELECT t.rpc('RespondActivityTaskCanceledById', t.activity_by_id('ids', 'b', '{"details": ["x"]}'));
SELECT t.rpc('RespondActivityTaskCompletedById', t.activity_by_id('ids', 'c', jsonb_build_object(
	'result', '["r"]'::jsonb, 'run_id', t.describe('ids') #>> '{workflowExecutionInfo,execution,runId}')));
SELECT t.history_is('ids', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_SCHED, 8 WF_SIGNALED, 9 WFT_SCHED, 10 WFT_START,
	11 WFT_DONE, 12 ACT_CANCEL_REQ, 13 ACT_START, 14 ACT_CANCELED, 15 WFT_SCHED, 16 ACT_START, 17 ACT_DONE',
	'answers by id');
SELECT t.event_has('ids', 14, '{"scheduledEventId": "6", "details": ["x"], "identity": "client",
	"latestCancelRequestedEventId": "12"}', 'cancelled by id');
SELECT t.event_has('ids', 16, '{"scheduledEventId": "7", "identity": "activity worker"}',
	'the one who started it is not the one who completes it');
SELECT t.event_has('ids', 17, '{"scheduledEventId": "7", "identity": "client", "result": ["r"]}', 'completed by id');
SELECT t.rpc('RespondActivityTaskCompletedById', t.activity_by_id('ids', 'a'));
SELECT is(t.pending('ids'), NULL, 'by id the attempt does not matter');
SELECT t.check('ids');

SELECT is(left(t.error_of('RespondActivityTaskCompletedById', request), 5), state, name)
FROM (VALUES
	('no such activity', t.activity_by_id('ids', 'z'), 'TW503'),
	('no activity id', t.activity_by_id('ids', ''), 'TW300'),
	('no such workflow', t.activity_by_id('no such', 'a'), 'TW500'),
	('no such run', t.activity_by_id('ids', 'a', '{"run_id": "01234567-89ab-cdef-0123-456789abcdef"}'), 'TW500'),
	('bad run id', t.activity_by_id('ids', 'a', '{"run_id": "x"}'), 'TW300')) AS c (name, request, state);
SELECT t.run('closed', t.schedule_activity('a') || t.complete_workflow());
SELECT alike(t.error_of('RespondActivityTaskCompletedById', t.activity_by_id('closed')), 'TW503 %',
	'activity of a closed workflow');

-- -------------------------------------------------------------------- pause

SELECT t.run('pause', t.schedule_activity('a') || t.schedule_activity('b')
	|| t.schedule_activity('c', '{"activity_type": {"name": "other \"type\""}}'));
SELECT t.rpc('PauseActivity', t.activity_control('pause', '{"type": "act", "request_id": "r1"}'));
SELECT is(t.pending('pause'), 'a PAUSED 1, b PAUSED 1, c SCHEDULED 1', 'pause by type');
SELECT is(t.pause_info('pause'), '["property:activityType=act"]', 'one type is paused');
SELECT t.rpc('PauseActivity', t.activity_control('pause', '{"id": "c"}'));
SELECT is(t.pause_info('pause'), '["property:activityType=act", "property:activityType=other \"type\""]',
	'two types are');
SELECT is(t.poll_activity('pause'), '{}', 'nothing is handed out');
SELECT is(t.error_of('PauseActivity', t.activity_control('pause', '{"id": "a"}')),
	'TW900 activity is already paused', 'pause twice');
SELECT is(t.error_of('PauseActivity', t.activity_control('pause', '{"id": "a", "request_id": "r2"}')),
	'TW900 activity is already paused', 'pause twice, with another request id');
SELECT is(t.error_of('PauseActivity', t.activity_control('pause', '{"type": "act", "request_id": "r1"}')),
	NULL, 'pause twice, with the same request id');
SELECT t.rpc('UnpauseActivity', t.activity_control('pause', '{"id": "a"}'));
SELECT is(t.pending('pause'), 'a SCHEDULED 1, b PAUSED 1, c PAUSED 1', 'unpause one');
SELECT is(t.pause_info('pause'), '["property:activityType=act", "property:activityType=other \"type\""]',
	'another of its type is still paused');
SELECT t.has(t.poll_activity('pause'), '{"activityId": "a", "attempt": 1}', 'it is handed out');
SELECT is(t.poll_activity('pause'), '{}', 'and nothing else is');
SELECT is(t.error_of('UnpauseActivity', t.activity_control('pause', '{"id": "a"}')), NULL,
	'unpause what is not paused');
SELECT t.rpc('UnpauseActivity', t.activity_control('pause', '{"unpause_all": true}'));
SELECT is(t.pending('pause'), 'a STARTED 1, b SCHEDULED 1, c SCHEDULED 1', 'unpause all');
SELECT is(t.pause_info('pause'), NULL, 'no type is paused');
SELECT t.rpc('PauseActivity', t.activity_control('pause', '{"id": "a"}'));
SELECT t.rpc('PauseActivity', t.activity_control('pause', '{"id": "c"}'));
SELECT t.rpc('RespondActivityTaskCompletedById', t.activity_by_id('pause', 'a'));
SELECT is(t.pause_info('pause'), '["property:activityType=other \"type\""]',
	'an activity that is over is not paused any more');
SELECT t.complete(t.poll('pause'), t.request_cancel_activity(7));
SELECT is(t.pause_info('pause'), NULL, 'nor is one that is cancelled');
SELECT t.check('pause');

SELECT is(left(t.error_of(method, request), 5), state, method || ': ' || name)
FROM (VALUES ('PauseActivity'), ('UnpauseActivity'), ('ResetActivity'), ('UpdateActivityOptions')) AS m (method),
	(VALUES
	('no activity', t.activity_control('pause', '{}'), 'TW300'),
	('an empty id', t.activity_control('pause', '{"id": ""}'), 'TW300'),
	('no such activity', t.activity_control('pause', '{"id": "z"}'), 'TW503'),
	('no such type', t.activity_control('pause', '{"type": "z"}'), 'TW503'),
	('closed workflow', t.activity_control('closed'), 'TW502'),
	('no such workflow', t.activity_control('no such'), 'TW500')) AS c (name, request, state)
ORDER BY method, name;

-- Nothing is due while paused; what became due comes with the end of the pause.
SELECT t.run('deadlines', t.schedule_activity('a', '{"schedule_to_close_timeout": "5s"}')
	|| t.schedule_activity('b', '{"start_to_close_timeout": "5s", "heartbeat_timeout": "2s"}'));
SELECT t.poll_activity('deadlines') AS a \gset
SELECT t.fail_activity(:'a');
SELECT t.poll_activity('deadlines') AS b \gset
SELECT t.rpc('PauseActivity', t.activity_control('deadlines', '{"type": "act"}'));
SELECT t.skip('1h');
SELECT is(t.pending('deadlines'), 'a PAUSED 2, b PAUSE_REQUESTED 1', 'paused activities do not time out');
SELECT t.rpc('UnpauseActivity', t.activity_control('deadlines', '{"unpause_all": true}'));
SELECT t.tick();
SELECT is(t.pending('deadlines'), 'b SCHEDULED 2', 'unpaused ones do');
SELECT t.history_is('deadlines', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_TIMEOUT, 8 WFT_SCHED',
	'schedule-to-close goes on during the pause');
SELECT t.check('deadlines');

-- What unpausing may change besides.
SELECT t.run('unpause', t.schedule_activity('a'));
SELECT t.poll_activity('unpause') AS a \gset
SELECT t.heartbeat(:'a', '["h"]');
SELECT t.fail_activity(:'a');
SELECT t.rpc('PauseActivity', t.activity_control('unpause'));
SELECT t.rpc('UnpauseActivity', t.activity_control('unpause', '{"id": "a", "reset_attempts": true,
	"reset_heartbeat": true, "jitter": "10s"}'));
SELECT t.pending_activity('unpause') AS waiting \gset
SELECT t.has(:'waiting', '{"attempt": 1, "heartbeatDetails": null, "lastHeartbeatTime": null,
	"state": "PENDING_ACTIVITY_STATE_SCHEDULED"}', 'attempts and heartbeats begin again');
SELECT ok((:'waiting'::jsonb ->> 'nextAttemptScheduleTime')::timestamptz BETWEEN t.now() - interval '1s'
	AND t.now() + interval '10s', 'due at random within the jitter');
SELECT t.skip('10s');
SELECT t.has(t.poll_activity('unpause'), '{"attempt": 1, "heartbeatDetails": null}', 'and dispatched');
SELECT t.check('unpause');

-- A request to cancel is shown before a pause.
SELECT t.run('both', t.schedule_activity('a'));
SELECT t.poll_activity('both') AS a \gset
SELECT t.signal('both');
SELECT t.complete(t.poll('both'), t.request_cancel_activity(5));
SELECT t.rpc('PauseActivity', t.activity_control('both'));
SELECT is(t.pending('both'), 'a CANCEL_REQUESTED 1', 'cancelled and paused');
SELECT is(t.heartbeat(:'a'), '{"cancelRequested": true, "activityPaused": true}', 'the worker hears of both');
SELECT t.fail_activity(:'a');
SELECT t.history_is('both', 'P, 5 ACT_SCHED, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 ACT_CANCEL_REQ, 11 ACT_START, 12 ACT_FAILED, 13 WFT_SCHED', 'a failure ends it');
SELECT is(t.pause_info('both'), NULL, 'and the pause');
SELECT t.check('both');

-- The last attempt that fails while paused waits all the same.
SELECT t.run('last', t.schedule_activity('a', '{"retry_policy": {"maximum_attempts": 1}}'));
SELECT t.poll_activity('last') AS a \gset
SELECT t.rpc('PauseActivity', t.activity_control('last'));
SELECT t.fail_activity(:'a');
SELECT is(t.pending('last'), 'a PAUSED 2', 'paused comes before the maximum of attempts');
SELECT t.check('last');

-- -------------------------------------------------------------------- reset

SELECT t.run('reset', t.schedule_activity('a', '{"heartbeat_timeout": "30s"}'));
SELECT t.fail_activity(t.poll_activity('reset'), t.failure('f1'));
SELECT t.skip('1s');
SELECT t.poll_activity('reset') AS task \gset
SELECT t.heartbeat(:'task', '["h1"]');
SELECT t.rpc('ResetActivity', t.activity_control('reset', '{"id": "a", "reset_heartbeat": true}'));
SELECT t.has(t.pending_activity('reset'), '{"state": "PENDING_ACTIVITY_STATE_STARTED", "attempt": 1,
	"heartbeatDetails": ["h1"]}', 'an attempt that runs goes on after a reset');
SELECT is(t.heartbeat(:'task', '["h2"]'), '{"activityReset": true}', 'its worker is told');
SELECT t.fail_activity(:'task', t.failure('f2'));
SELECT t.has(t.pending_activity('reset'), '{"attempt": 2, "heartbeatDetails": null}',
	'the reset counts the attempt that ran as the first');
SELECT t.skip('1s');
SELECT t.poll_activity('reset') AS task \gset
SELECT t.has(:'task', '{"attempt": 2, "heartbeatDetails": null}', 'heartbeats are forgotten then');
SELECT is(t.heartbeat(:'task'), '{}', 'the next attempt is not told of the reset');
SELECT t.complete_activity(:'task');
SELECT t.history_is('reset', 'P, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED', 'reset while running');
SELECT t.check('reset');

-- The number of the attempt does not tell an old worker from a new one.
SELECT t.run('stale', t.schedule_activity('a', '{"start_to_close_timeout": "1s"}'));
SELECT t.poll_activity('stale') AS old \gset
SELECT t.skip('1s');
SELECT t.rpc('ResetActivity', t.activity_control('stale'));
SELECT t.poll_activity('stale') AS new \gset
SELECT t.has(:'new', '{"attempt": 1}', 'attempt 1 again');
SELECT alike(t.error_of('RespondActivityTaskCompleted', t.activity_request(:'old')), 'TW503 %',
	'the first attempt 1 is stale');
SELECT t.complete_activity(:'new');
SELECT t.check('stale');

SELECT t.run('keep', t.schedule_activity('a') || t.schedule_activity('b'));
SELECT t.fail_activity(t.poll_activity('keep')), t.fail_activity(t.poll_activity('keep'));
SELECT t.rpc('PauseActivity', t.activity_control('keep', '{"type": "act"}'));
SELECT t.rpc('ResetActivity', t.activity_control('keep', '{"id": "a", "keep_paused": true}'));
SELECT is(t.pending('keep'), 'a PAUSED 1, b PAUSED 2', 'reset keeps the pause');
SELECT is(t.poll_activity('keep'), '{}', 'nothing is dispatched');
SELECT t.rpc('ResetActivity', t.activity_control('keep', '{"match_all": true, "jitter": "5s"}'));
SELECT is(t.pending('keep'), 'a SCHEDULED 1, b SCHEDULED 1', 'reset all ends it');
SELECT is(t.pause_info('keep'), NULL, 'and no type is paused');
SELECT t.skip('5s');
SELECT isnt(t.poll_activity('keep'), '{}', 'dispatched after the jitter');
SELECT isnt(t.poll_activity('keep'), '{}', 'both');
SELECT t.check('keep');

-- ------------------------------------------------------------------ options

CREATE FUNCTION t.update_options(workflow_id text, options jsonb, mask text, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.activity_control(workflow_id,
		jsonb_build_object('id', 'a', 'activity_options', options, 'update_mask', mask) || more)
$$;

SELECT t.run('options', t.schedule_activity('a', '{"schedule_to_close_timeout": "100s",
	"retry_policy": {"maximum_attempts": 5, "non_retryable_error_types": ["X"]}, "priority": {"fairness_key": "k"}}'));
SELECT t.rpc('UpdateActivityOptions', t.update_options('options', '{"retry_policy": {"maximum_attempts": 7,
	"initial_interval": "2s", "backoff_coefficient": 3, "maximum_interval": "50s"}, "heartbeat_timeout": "500s",
	"schedule_to_start_timeout": "200s", "start_to_close_timeout": "300s", "priority": {"priority_key": 1}}',
	'retryPolicy.maximumAttempts,retry_policy.initial_interval,heartbeatTimeout,scheduleToStartTimeout,startToCloseTimeout,priority.priorityKey'))
	AS answer \gset
SELECT is(:'answer'::jsonb -> 'activityOptions', '{"taskQueue": {"name": "options", "kind": "TASK_QUEUE_KIND_NORMAL"},
	"scheduleToCloseTimeout": "100s", "scheduleToStartTimeout": "100s", "startToCloseTimeout": "100s",
	"heartbeatTimeout": "100s", "priority": {"priorityKey": 1, "fairnessKey": "k"}, "retryPolicy": {
	"initialInterval": "2s", "backoffCoefficient": 2, "maximumInterval": "100s", "maximumAttempts": 7,
	"nonRetryableErrorTypes": ["X"]}}', 'only what the mask names changes, cut as for a command');
SELECT is(t.pending_activity('options') -> 'activityOptions', :'answer'::jsonb -> 'activityOptions',
	'as described');
SELECT t.has(t.pending_activity('options'), '{"maximumAttempts": 7, "priority": {"priorityKey": 1}}',
	'also beside the options');
SELECT t.rpc('UpdateActivityOptions', t.update_options('options', '{}', 'retryPolicy')) AS answer \gset
SELECT t.has(:'answer', '{"activityOptions": {"retryPolicy": {"initialInterval": "1s", "backoffCoefficient": 2,
	"maximumInterval": "100s", "maximumAttempts": null, "nonRetryableErrorTypes": null}}}',
	'no retry policy is the default one');
SELECT t.rpc('UpdateActivityOptions', t.update_options('options', '{}', ''));
SELECT t.has(t.pending_activity('options'), '{"activityOptions": {"scheduleToCloseTimeout": "100s"}}',
	'an empty mask changes nothing');

SELECT t.pending_activity('options') -> 'activityOptions' AS before \gset
SELECT alike(t.error_of('UpdateActivityOptions', request), 'TW300 ' || message, name)
FROM (VALUES
	('a path that is none', t.update_options('options', '{}', 'bogus'),
		'UpdateMask names a field that cannot be updated: bogus'),
	('a part that is none', t.update_options('options', '{"retry_policy": {}}', 'retryPolicy.bogus'),
		'UpdateMask names a field that cannot be updated: retry_policy.bogus'),
	('a part of a policy that is not there', t.update_options('options', '{}', 'retryPolicy.maximumAttempts'),
		'RetryPolicy is not provided'),
	('a part of a priority that is not there', t.update_options('options', '{}', 'priority.priorityKey'),
		'Priority is not provided'),
	('a part of a priority that is none', t.update_options('options', '{"priority": {}}', 'priority.bogus'),
		'UpdateMask names a field that cannot be updated: priority.bogus'),
	('a bad path after a good one', t.update_options('options', '{"heartbeat_timeout": "1s"}', 'heartbeatTimeout,bogus'),
		'UpdateMask names a field that cannot be updated: bogus'),
	('no mask', t.update_options('options', '{}', NULL), 'UpdateMask is not provided'),
	('no options', t.update_options('options', NULL, 'heartbeatTimeout'), 'ActivityOptions are not provided'),
	('mask and restore', t.update_options('options', '{}', 'heartbeatTimeout', '{"restore_original": true}'),
		'Both UpdateMask and RestoreOriginal are provided'),
	('no task queue', t.update_options('options', '{}', 'taskQueue.name'), 'TaskQueue is not provided'),
	('an empty task queue', t.update_options('options', '{"task_queue": {}}', 'taskQueue.name'), 'TaskQueue is not set.'),
	('a reserved task queue', t.update_options('options', '{"task_queue": {"name": "/_sys/x"}}', 'taskQueue.name'), '%reserved prefix%'),
	('a negative timeout', t.update_options('options', '{"heartbeat_timeout": "-1s"}', 'heartbeatTimeout'), '%negative%'),
	('no timeout', t.update_options('options', '{}', 'scheduleToCloseTimeout,startToCloseTimeout'), 'A valid StartToClose %'),
	('a policy that is none', t.update_options('options', '{"retry_policy": {"backoff_coefficient": 0.1}}',
		'retryPolicy.backoffCoefficient'), 'BackoffCoefficient %'),
	('a negative priority', t.update_options('options', '{"priority": {"priority_key": -1}}', 'priority'), 'priority key %'),
	('a long fairness key', t.update_options('options', jsonb_build_object('priority', jsonb_build_object(
		'fairness_key', repeat('x', 65))), 'priority'), 'fairness key %')) AS c (name, request, message);
SELECT is(t.pending_activity('options') -> 'activityOptions', :'before'::jsonb,
	'a request that is refused changes nothing');
SELECT t.check('options');

-- Another queue, and a place before the others in it.
SELECT t.run('queue', t.schedule_activity('a') || t.schedule_activity('b') || t.schedule_activity('c'));
SELECT t.rpc('UpdateActivityOptions', t.update_options('queue', '{"task_queue": {"name": "elsewhere"}}', 'taskQueue'));
SELECT t.rpc('UpdateActivityOptions', t.update_options('queue', '{"priority": {"priority_key": 1}}', 'priority',
	'{"id": "c"}'));
SELECT t.poll_activity('queue') AS first, t.poll_activity('queue') AS second, t.poll_activity('queue') AS third \gset
SELECT is(concat_ws(' ', :'first'::jsonb ->> 'activityId', :'second'::jsonb ->> 'activityId',
	:'third'::jsonb ->> 'activityId'), 'c b', 'the more urgent one first, the moved one not at all');
SELECT t.has(:'first', '{"priority": {"priorityKey": 1}}', 'the worker sees the new priority');
SELECT t.has(t.poll_activity('elsewhere'), '{"activityId": "a"}', 'it is in the other queue');
SELECT t.check('queue');

-- A waiting retry follows the policy; other options leave it where it is.
SELECT t.run('backoff', t.schedule_activity('a', '{"retry_policy": {"initial_interval": "10s"}}'));
SELECT t.fail_activity(t.poll_activity('backoff'));
SELECT t.rpc('UpdateActivityOptions', t.update_options('backoff', '{"heartbeat_timeout": "5s"}', 'heartbeatTimeout'));
SELECT t.has(t.pending_activity('backoff'), '{"currentRetryInterval": "10s"}', 'a waiting retry stays');
SELECT t.rpc('UpdateActivityOptions', t.update_options('backoff', '{"retry_policy": {"initial_interval": "2s"}}',
	'retryPolicy.initialInterval'));
SELECT t.has(t.pending_activity('backoff'), '{"currentRetryInterval": "2s", "attempt": 2}', 'and moves with its policy');
SELECT t.skip('2s');
SELECT t.has(t.poll_activity('backoff'), '{"attempt": 2}', 'it is dispatched then');
SELECT t.skip('10s');
SELECT is(t.poll_activity('backoff'), '{}', 'and only then');
SELECT t.check('backoff');

-- A shorter timeout cuts an attempt that runs.
SELECT t.run('running', t.schedule_activity('a'));
SELECT t.poll_activity('running') AS task \gset
SELECT t.rpc('UpdateActivityOptions', t.update_options('running', '{"start_to_close_timeout": "1s"}', 'startToCloseTimeout'));
SELECT t.skip('1s');
SELECT is(t.pending('running'), 'a SCHEDULED 2', 'a shorter timeout reaches the running attempt');
SELECT t.check('running');

-- ----------------------------------------------------- methods for one activity

CREATE FUNCTION t.one(options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request('{"workflow_id": "one", "activity_id": "a", "identity": "operator"}', options)
$$;

SELECT t.run('one', t.schedule_activity('a') || t.schedule_activity('b'));
SELECT is(t.rpc('PauseActivityExecution', t.one('{"reason": "why", "request_id": "r"}')), '{}', 'PauseActivityExecution');
SELECT is(t.pending('one'), 'a PAUSED 1, b SCHEDULED 1', 'pauses that one');
SELECT t.has(t.pending_activity('one'), '{"pauseInfo": {"manual": {"identity": "operator", "reason": "why"}}}', 'says why');
SELECT is(t.error_of('PauseActivityExecution', t.one('{"request_id": "r"}')), NULL, 'the same request again');
SELECT is(t.error_of('PauseActivityExecution', t.one()), 'TW900 activity is already paused', 'another request');
SELECT is(t.rpc('UnpauseActivityExecution', t.one('{"reason": "enough"}')), '{}', 'UnpauseActivityExecution');
SELECT is(t.pending('one'), 'a SCHEDULED 1, b SCHEDULED 1', 'unpauses it');
SELECT t.rpc('UpdateActivityExecutionOptions', t.one('{"activity_options": {"heartbeat_timeout": "3s"},
	"update_mask": "heartbeatTimeout"}')) AS answer \gset
SELECT t.has(:'answer', '{"activityOptions": {"heartbeatTimeout": "3s", "startToCloseTimeout": "60s"}}',
	'UpdateActivityExecutionOptions');
SELECT t.poll_activity('one') AS b, t.poll_activity('one') AS a \gset
SELECT t.fail_activity(:'a'), t.fail_activity(:'b');
SELECT is(t.pending('one'), 'a SCHEDULED 2, b SCHEDULED 2', 'both fail');
SELECT is(t.rpc('ResetActivityExecution', t.one('{"restore_original_options": true}')), '{}', 'ResetActivityExecution');
SELECT t.has(t.pending_activity('one'), '{"attempt": 1, "activityOptions": {"heartbeatTimeout": "0s"}}', 'resets it');
SELECT t.has(t.poll_activity('one'), '{"activityId": "a", "attempt": 1}', 'and dispatches it');
SELECT is(t.poll_activity('one'), '{}', 'and no other');
SELECT t.check('one');
SELECT is(left(t.error_of(method, request), 5), state, method || ': ' || name)
FROM (VALUES ('PauseActivityExecution'), ('UnpauseActivityExecution'), ('ResetActivityExecution'),
	('UpdateActivityExecutionOptions')) AS m (method),
	(VALUES
	('no activity', t.one('{"activity_id": ""}'), 'TW300'),
	('no such activity', t.one('{"activity_id": "z"}'), 'TW503'),
	('no such workflow', t.one('{"workflow_id": "z"}'), 'TW500'),
	('closed workflow', t.one('{"workflow_id": "closed"}'), 'TW502'),
	('an activity without a workflow', t.one('{"workflow_id": ""}'), 'TWC00')) AS c (name, request, state)
ORDER BY method, name;

-- --------------------------------------------------------------- priorities

SELECT t.run('merge', t.schedule_activity('a', '{"priority": {"priority_key": 5}}')
	|| t.schedule_activity('b', '{"priority": {"fairness_key": "own", "fairness_weight": 0.5}}')
	|| t.schedule_activity('c'),
	'{"priority": {"priority_key": 2, "fairness_key": "outer", "fairness_weight": 2}}');
SELECT is(array(SELECT t.event('merge', n) -> 'priority' FROM generate_series(5, 7) AS n),
	array['{"priorityKey": 5, "fairnessKey": "outer", "fairnessWeight": 2}',
		'{"priorityKey": 2, "fairnessKey": "own", "fairnessWeight": 0.5}',
		'{"priorityKey": 2, "fairnessKey": "outer", "fairnessWeight": 2}']::jsonb[],
	'the activity''s priority overrides the workflow''s, field by field');
SELECT t.poll_activity('merge') AS first, t.poll_activity('merge') AS second, t.poll_activity('merge') AS third \gset
SELECT is(concat_ws(' ', :'first'::jsonb ->> 'activityId', :'second'::jsonb ->> 'activityId',
	:'third'::jsonb ->> 'activityId'), 'b c a', 'handed out by priority, then in order');
SELECT t.has(:'third', '{"priority": {"priorityKey": 5, "fairnessKey": "outer"}}', 'the worker sees it');
SELECT t.check('merge');
SELECT t.run('plain', t.schedule_activity('a'));
SELECT t.event_has('plain', 5, '{"priority": null}', 'no priority where nobody gives one');

SELECT is(left(t.error_of_complete(t.poll(id), t.schedule_activity('a', jsonb_build_object('priority', priority))), 36),
	'TW303 BadScheduleActivityAttributes:', 'refused: ' || left(priority::text, 40))
FROM (VALUES ('{"priority_key": -1}'::jsonb), ('{"fairness_weight": -1}'),
	(jsonb_build_object('fairness_key', repeat('x', 65)))) AS p (priority),
	LATERAL (SELECT 'bad ' || left(priority::text, 40), t.start('bad ' || left(priority::text, 40))) AS w (id);

SELECT * FROM finish();
ROLLBACK;
