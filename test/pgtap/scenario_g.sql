-- Scenarios G: workflow ids, idempotency.  S-87 is test/t/087_parallel_starts.pl.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

CREATE FUNCTION t.reuse(policy text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('workflow_id_reuse_policy', 'WORKFLOW_ID_REUSE_POLICY_' || policy) $$;

CREATE FUNCTION t.conflict(policy text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('workflow_id_conflict_policy', 'WORKFLOW_ID_CONFLICT_POLICY_' || policy) $$;

-- 'SQLSTATE message (detail)' of a start that is refused.
CREATE FUNCTION t.error_of_start(workflow_id text, options jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	detail text;
BEGIN
	PERFORM t.start(workflow_id, options);
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s %s (%s)', sqlstate, sqlerrm, detail);
END
$$;

-- Such an error for a run that is in the way.
CREATE FUNCTION t.already_started(workflow_id text, run_id text, what text, request_id text) RETURNS text
LANGUAGE sql AS
$$
	SELECT format('TW600 Workflow execution %s. WorkflowId: %s, RunId: %s. (start_request_id: %s, '
		'run_id: %s, first_execution_run_id: %s)', what, workflow_id, run_id, request_id, run_id, run_id)
$$;

CREATE FUNCTION t.runs(workflow_id text) RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM temporal.execution AS e WHERE e.workflow_id = runs.workflow_id $$;

-- ---------------------------------------------------------------- S-81

SELECT t.start('81', '{"request_id": "first"}') AS run \gset
SELECT is(:'run'::jsonb - 'runId' - 'firstExecutionRunId',
	'{"started": true, "status": "WORKFLOW_EXECUTION_STATUS_RUNNING"}', 'S-81 a start');
SELECT is(:'run'::jsonb ->> 'firstExecutionRunId', :'run'::jsonb ->> 'runId', 'S-81 the run is the first of its chain');
SELECT is(t.error_of_start('81', '{"request_id": "second"}' || options),
	t.already_started('81', :'run'::jsonb ->> 'runId', 'is already running', 'first'),
	'S-81 open, ' || variant || ': AlreadyExists')
FROM (VALUES (t.conflict('FAIL'), 'conflict FAIL'), ('{}', 'no policy'),
	(t.reuse('ALLOW_DUPLICATE'), 'ALLOW_DUPLICATE'), (t.reuse('REJECT_DUPLICATE'), 'REJECT_DUPLICATE'),
	(t.reuse('ALLOW_DUPLICATE_FAILED_ONLY') || t.conflict('FAIL'), 'ALLOW_DUPLICATE_FAILED_ONLY'))
	AS v (options, variant);
SELECT t.history_is('81', '1 WF_STARTED, 2 WFT_SCHED', 'S-81 nothing has happened');
SELECT is(t.runs('81'), 1::bigint, 'S-81 one run');
SELECT t.check('81');

-- ---------------------------------------------------------------- S-82

SELECT is(t.start('81', '{"request_id": "first"}' || options), :'run'::jsonb,
	'S-82 the same request again, ' || variant || ': the same answer')
FROM (VALUES ('{}'::jsonb, 'no policy'), (t.conflict('FAIL'), 'conflict FAIL'),
	(t.conflict('USE_EXISTING'), 'USE_EXISTING'), (t.conflict('TERMINATE_EXISTING'), 'TERMINATE_EXISTING'),
	(t.reuse('REJECT_DUPLICATE'), 'REJECT_DUPLICATE')) AS v (options, variant);
SELECT t.complete(t.poll('81'), t.complete_workflow('1'));
SELECT is(t.start('81', '{"request_id": "first"}' || options),
	:'run'::jsonb || '{"status": "WORKFLOW_EXECUTION_STATUS_COMPLETED"}',
	'S-82 the same request again on a closed run, ' || variant)
FROM (VALUES ('{}'::jsonb, 'no policy'), (t.reuse('REJECT_DUPLICATE'), 'REJECT_DUPLICATE')) AS v (options, variant);
SELECT is(t.runs('81'), 1::bigint, 'S-82 one run');
SELECT t.history_is('81', 'P, 5 WF_COMPLETED', 'S-82 it has run once');
SELECT t.check('81');

-- Request ids of an earlier run count no more.
SELECT t.start('81', '{"request_id": "next"}') ->> 'runId' AS next \gset
SELECT isnt(:'next', :'run'::jsonb ->> 'runId', 'S-82 another request on a closed run: a new run');
SELECT is(left(t.error_of_start('81', '{"request_id": "first"}'), 5), 'TW600',
	'S-82 only the request ids of the current run count');

-- An eager start again: its task too, while it is the untouched first one.
SELECT t.start('82', '{"request_id": "e", "request_eager_execution": true}') AS eager \gset
SELECT t.poll_is(:'eager'::jsonb -> 'eagerWorkflowTask', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-82 an eager start');
SELECT is(t.start('82', '{"request_id": "e", "request_eager_execution": true}'), :'eager'::jsonb,
	'S-82 an eager start again: the same task');
SELECT is(t.start('82', '{"request_id": "e"}'), :'eager'::jsonb - 'eagerWorkflowTask',
	'S-82 an eager start again, not eager');
SELECT t.complete(:'eager'::jsonb -> 'eagerWorkflowTask');
SELECT is(t.start('82', '{"request_id": "e", "request_eager_execution": true}'), :'eager'::jsonb - 'eagerWorkflowTask',
	'S-82 an eager start again, too late for its task');
SELECT t.history_is('82', 'P', 'S-82 an eager start: one task');
SELECT t.check('82');

-- ---------------------------------------------------------------- S-83

SELECT t.start('83', '{"request_id": "first"}') AS run \gset
SELECT is(t.start('83', '{"request_id": "second"}' || t.conflict('USE_EXISTING')), :'run'::jsonb - 'started',
	'S-83 USE_EXISTING: the open run, not started');
SELECT t.history_is('83', '1 WF_STARTED, 2 WFT_SCHED', 'S-83 USE_EXISTING: no event');
SELECT t.complete(t.poll('83'));
SELECT is(t.start('83', '{"request_id": "third", "identity": "other", "on_conflict_options":
	{"attach_request_id": true, "attach_links": true}, "links": [{"workflow_event":
	{"namespace": "default", "workflow_id": "linked"}}]}' || t.conflict('USE_EXISTING')), :'run'::jsonb - 'started',
	'S-83 attach: the open run, not started');
SELECT t.history_is('83', 'P, 5 WF_OPTIONS', 'S-83 attach: an event, no task');
SELECT t.event_has('83', 5, '{"attachedRequestId": "third", "identity": "other"}', 'S-83 attach: the request id');
SELECT is(t.raw_event('83', 5) #>> '{links,0,workflowEvent,workflowId}', 'linked', 'S-83 attach: the link');
SELECT is(t.describe('83') #> '{workflowExtendedInfo,requestIdInfos,third}',
	'{"eventId": "5", "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"}', 'S-83 attach: described');
SELECT is(t.start('83', '{"request_id": "third", "on_conflict_options":
	{"attach_request_id": true}}' || t.conflict('USE_EXISTING')), :'run'::jsonb - 'started',
	'S-83 the attached request again: not started');
SELECT is(t.start('83', '{"request_id": "third", "request_eager_execution": true}'), :'run'::jsonb - 'started',
	'S-83 the attached request again, without the policy');
SELECT t.history_is('83', 'P, 5 WF_OPTIONS', 'S-83 the attached request again: no second event');
SELECT is(t.start('83', '{"request_id": "first"}'), :'run'::jsonb, 'S-83 the first request is still known');
SELECT is(t.start('83', '{"request_id": "fourth", "on_conflict_options": {}}' || t.conflict('USE_EXISTING')),
	:'run'::jsonb - 'started', 'S-83 options that ask for nothing');
SELECT t.history_is('83', 'P, 5 WF_OPTIONS', 'S-83 options that ask for nothing: no event');
SELECT is(t.error_of_start('83', '{"on_conflict_options": {"attach_completion_callbacks": true}}'
	|| t.conflict('USE_EXISTING')), 'TW300 attaching request ID is required for attaching completion callbacks ()',
	'S-83 callbacks need the request id');
SELECT t.check('83');

-- While a task is started the event waits, and is known all the same.
SELECT t.signal('83');
SELECT t.poll('83') AS task \gset
SELECT t.start('83', '{"request_id": "fifth", "on_conflict_options":
	{"attach_request_id": true}}' || t.conflict('USE_EXISTING'));
SELECT is(t.describe('83') #> '{workflowExtendedInfo,requestIdInfos,fifth}',
	'{"buffered": true, "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"}', 'S-83 attach: buffered');
SELECT t.start('83', '{"request_id": "fifth", "on_conflict_options":
	{"attach_request_id": true}}' || t.conflict('USE_EXISTING'));
SELECT t.complete(:'task');
SELECT t.history_is('83', 'P, 5 WF_OPTIONS, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 WF_OPTIONS,
	11 WFT_SCHED', 'S-83 attach while a task is started: one event after it');
SELECT is(t.describe('83') #> '{workflowExtendedInfo,requestIdInfos,fifth}',
	'{"eventId": "10", "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"}', 'S-83 attach: flushed');
SELECT t.check('83');

SELECT t.complete(t.poll('83'), t.complete_workflow('1'));
SELECT is(t.start('83', '{"request_id": "third"}'), (:'run'::jsonb - 'started')
	|| '{"status": "WORKFLOW_EXECUTION_STATUS_COMPLETED"}', 'S-83 the attached request again, closed: not started');
SELECT isnt(t.start('83', '{"request_id": "sixth"}' || t.conflict('USE_EXISTING')) ->> 'runId', :'run'::jsonb ->> 'runId',
	'S-83 USE_EXISTING of a closed run: a new run');

-- ---------------------------------------------------------------- S-84

SELECT t.start('84') ->> 'runId' AS run \gset
SELECT t.poll('84') AS task \gset
SELECT t.signal('84');
SELECT t.start('84', t.conflict('TERMINATE_EXISTING')) AS answer \gset
SELECT isnt(:'answer'::jsonb ->> 'runId', :'run', 'S-84 TERMINATE_EXISTING: a new run');
SELECT is(:'answer'::jsonb -> 'started', 'true', 'S-84 TERMINATE_EXISTING: started');
SELECT is(:'answer'::jsonb ->> 'firstExecutionRunId', :'answer'::jsonb ->> 'runId', 'S-84 the new run is no successor');
SELECT t.history_is('84', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WF_TERMINATED',
	'S-84 the old run', :'run');
SELECT t.event_has('84', 6, jsonb_build_object('reason', 'TerminateIfRunning WorkflowIdReusePolicy',
	'identity', 'history-service',
	'details', jsonb_build_array('terminated by new runID: ' || (:'answer'::jsonb ->> 'runId'))), 'S-84 why it ended', :'run');
SELECT t.history_is('84', '1 WF_STARTED, 2 WFT_SCHED', 'S-84 the new run');
SELECT t.event_has('84', 1, '{"continuedExecutionRunId": null, "attempt": 1}', 'S-84 the new run begins anew');
SELECT is((SELECT count(*) FROM temporal.execution WHERE workflow_id = '84' AND status = 1), 1::bigint, 'S-84 one is open');
SELECT is(t.describe('84') #>> '{workflowExecutionInfo,execution,runId}', :'answer'::jsonb ->> 'runId', 'S-84 the new one is current');
SELECT is(t.error_of_complete(:'task', t.complete_workflow('1')), 'TW503 Workflow task not found.', 'S-84 the old worker is too late');
SELECT t.complete(t.poll('84'), t.complete_workflow('"S-01"'));
SELECT t.history_is('84', 'P, 5 WF_COMPLETED', 'S-84 the new run completes as in S-01');
SELECT t.check('84', run) FROM unnest(ARRAY[:'run', :'answer'::jsonb ->> 'runId']) run;
SELECT is(t.start('84', t.conflict('TERMINATE_EXISTING')) -> 'started', 'true', 'S-84 of a closed run: a new run');
SELECT t.start('84old', t.reuse('TERMINATE_IF_RUNNING')) ->> 'runId' AS run \gset
SELECT is(t.start('84old', t.reuse('TERMINATE_IF_RUNNING')) -> 'started', 'true', 'S-84 TERMINATE_IF_RUNNING means the same');
SELECT t.history_is('84old', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_TERMINATED', 'S-84 TERMINATE_IF_RUNNING: the old run', :'run');
-- A start that fails after the decision leaves the old run alone.
SELECT t.start('84atomic') ->> 'runId' AS run \gset
SELECT is(t.error_of_start('84atomic', t.conflict('TERMINATE_EXISTING') || jsonb_build_object('input',
	jsonb_build_array(t.large()))), 'TW304 Blob data size exceeds limit. ()', 'S-84 a start that is refused');
SELECT t.history_is('84atomic', '1 WF_STARTED, 2 WFT_SCHED', 'S-84 a start that is refused ends nothing');
SELECT is(t.describe('84atomic') #>> '{workflowExecutionInfo,execution,runId}', :'run', 'S-84 the old run stays current');

-- ---------------------------------------------------------------- S-85

SELECT t.run('85completed', t.complete_workflow('1'), '{"request_id": "c"}');
SELECT is(t.error_of_start('85completed', t.reuse('ALLOW_DUPLICATE_FAILED_ONLY')),
	t.already_started('85completed', t.describe('85completed') #>> '{workflowExecutionInfo,execution,runId}',
	'already finished successfully', 'c'), 'S-85 COMPLETED, ALLOW_DUPLICATE_FAILED_ONLY: AlreadyExists');
SELECT is(t.runs('85completed'), 1::bigint, 'S-85 COMPLETED: no new run');
SELECT t.run('85failed', t.fail_workflow());
SELECT t.run('85canceled', t.cancel_workflow());
SELECT t.start('85terminated');
SELECT t.terminate('85terminated');
SELECT t.start('85timed_out', '{"workflow_run_timeout": "1s"}');
SELECT t.skip('1 s');
SELECT is(t.describe(id) #>> '{workflowExecutionInfo,status}', status, 'S-85 ' || status)
FROM (VALUES ('85failed', 'WORKFLOW_EXECUTION_STATUS_FAILED'), ('85canceled', 'WORKFLOW_EXECUTION_STATUS_CANCELED'),
	('85terminated', 'WORKFLOW_EXECUTION_STATUS_TERMINATED'), ('85timed_out', 'WORKFLOW_EXECUTION_STATUS_TIMED_OUT'))
	AS v (id, status);
SELECT is(t.start('85' || status, t.reuse('ALLOW_DUPLICATE_FAILED_ONLY')) -> 'started', 'true',
	'S-85 ' || status || ', ALLOW_DUPLICATE_FAILED_ONLY: a new run')
FROM unnest('{failed, canceled, terminated, timed_out}'::text[]) status;
SELECT is(t.runs('85' || status), 2::bigint, 'S-85 ' || status || ': two runs')
FROM unnest('{failed, canceled, terminated, timed_out}'::text[]) status;
SELECT t.history_is('85failed', '1 WF_STARTED, 2 WFT_SCHED', 'S-85 the new run is the current one');

-- ---------------------------------------------------------------- S-86

SELECT is(t.error_of_start('85completed', t.reuse('REJECT_DUPLICATE')),
	t.already_started('85completed', t.describe('85completed') #>> '{workflowExecutionInfo,execution,runId}',
	'already finished successfully', 'c'), 'S-86 COMPLETED, REJECT_DUPLICATE: AlreadyExists');
SELECT t.run('86', t.fail_workflow(), '{"request_id": "f"}');
SELECT is(t.error_of_start('86', t.reuse('REJECT_DUPLICATE')),
	t.already_started('86', t.describe('86') #>> '{workflowExecutionInfo,execution,runId}', 'already finished', 'f'),
	'S-86 FAILED, REJECT_DUPLICATE: AlreadyExists');
SELECT is(t.error_of_start('86', t.reuse('REJECT_DUPLICATE') || t.conflict('USE_EXISTING')),
	t.already_started('86', t.describe('86') #>> '{workflowExecutionInfo,execution,runId}', 'already finished', 'f'),
	'S-86 FAILED, REJECT_DUPLICATE, USE_EXISTING: AlreadyExists');
SELECT is(left(t.error_of_start('86new', t.reuse('REJECT_DUPLICATE') || t.conflict('TERMINATE_EXISTING')), 43),
	'TW300 Invalid WorkflowIDReusePolicy: WORKFL', 'S-86 TERMINATE_EXISTING, REJECT_DUPLICATE: InvalidArgument');
SELECT is(left(t.error_of_start('86new', t.reuse('TERMINATE_IF_RUNNING') || t.conflict(policy)), 43),
	'TW300 Invalid WorkflowIDReusePolicy: WORKFL', 'S-86 TERMINATE_IF_RUNNING, ' || policy || ': InvalidArgument')
FROM unnest('{FAIL, USE_EXISTING, TERMINATE_EXISTING}'::text[]) policy;
SELECT is(t.runs('86new'), 0::bigint, 'S-86 nothing is started');
SELECT is(t.start('86new', t.reuse('REJECT_DUPLICATE')) -> 'started', 'true', 'S-86 a new id');
SELECT is(t.start('85completed', t.reuse('ALLOW_DUPLICATE')) -> 'started', 'true', 'S-86 ALLOW_DUPLICATE: a new run');

SELECT * FROM finish();
ROLLBACK;
