-- Scenarios D: signals, cancel, terminate.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- ---------------------------------------------------------------- S-52

SELECT t.run('52');
SELECT t.signal('52', 'first', '{"input": ["a", 1], "request_id": "r-52",
	"header": {"fields": {"k": "v"}}, "links": [{"workflow_event": {"namespace": "default",
		"workflow_id": "linked", "run_id": "11111111-1111-1111-1111-111111111111"}}]}');
SELECT t.history_is('52', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-52 a signal of an idle run asks for a task');
SELECT t.event_has('52', 5, '{"signalName": "first", "input": ["a", 1], "identity": "client",
	"requestId": "r-52", "header": {"fields": {"k": "v"}}, "externalWorkflowExecution": null}',
	'S-52 what the signal says');
SELECT is(t.raw_event('52', 5) #>> '{links,0,workflowEvent,workflowId}', 'linked', 'S-52 its link');
SELECT t.event_has('52', 6, '{"attempt": 1, "startToCloseTimeout": "10s",
	"taskQueue": {"name": "52", "kind": "TASK_QUEUE_KIND_NORMAL"}}', 'S-52 the task');
SELECT t.signal('52', 'second');
SELECT t.signal('52', 'third');
SELECT t.history_is('52', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED, 8 WF_SIGNALED',
	'S-52 two more ask for no other task');
SELECT is(array(SELECT t.event('52', n) ->> 'signalName' FROM unnest('{5, 7, 8}'::int[]) n),
	'{first, second, third}', 'S-52 in the order of arrival');
SELECT t.poll('52') AS task \gset
SELECT t.history_is('52', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED, 8 WF_SIGNALED, 9 WFT_START',
	'S-52 the poll starts the task behind them');
SELECT t.event_has('52', 9, '{"scheduledEventId": "6", "identity": "worker"}', 'S-52 the start');
SELECT t.poll_is(:'task', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED, 8 WF_SIGNALED, 9 WFT_START',
	'S-52 the worker sees all of it');
SELECT t.check('52');

-- ---------------------------------------------------------------- S-53

SELECT t.run('53');
SELECT is(t.signal('53', 'a', '{"request_id": "r"}'), '{}', 'S-53 a signal');
SELECT is(t.signal('53', 'b', '{"request_id": "r"}'), '{}', 'S-53 the same request again is fine');
SELECT t.history_is('53', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-53 one event for one request id');
SELECT t.complete(t.poll('53'), t.complete_workflow('1'));
SELECT is(t.signal('53', 'a', '{"request_id": "r"}'), '{}', 'S-53 and again after the run has closed');
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('53', 'a', '{"request_id": "other"}')),
	'TW502 workflow execution already completed', 'S-53 another request id on a closed run');
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('53')),
	'TW502 workflow execution already completed', 'S-53 no request id on a closed run');
SELECT t.history_is('53', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START, 8 WFT_DONE, 9 WF_COMPLETED',
	'S-53 nothing more has happened');
SELECT t.check('53');

SELECT t.run('53e');
SELECT t.signal('53e');
SELECT t.signal('53e');
SELECT t.history_is('53e', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED',
	'S-53 empty request ids never dedup');
SELECT t.start('53e2');
SELECT t.poll('53e2') AS task \gset
SELECT t.signal('53e2', 'a', '{"request_id": "r"}');
SELECT t.signal('53e2', 'a', '{"request_id": "r"}');
SELECT t.complete(:'task');
SELECT t.history_is('53e2', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-53 a buffered signal dedups too');
SELECT t.start('53e2', '{"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"}');
SELECT t.signal('53e2', 'a', '{"request_id": "r"}');
SELECT t.history_is('53e2', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_SIGNALED',
	'S-53 another run knows nothing of the request ids of the first');
SELECT t.check(id) FROM unnest('{53e, 53e2}'::text[]) id;

-- ---------------------------------------------------------------- S-54

SELECT t.signal_with_start('54', 'hello', '{"signal_input": ["x"], "input": ["in"],
	"request_id": "r-54", "header": {"fields": {"h": "1"}}}') AS first \gset
SELECT t.history_is('54', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-54 a new id');
SELECT is(:'first'::jsonb -> 'started', 'true', 'S-54 a new id: started');
SELECT t.event_has('54', 1, '{"input": ["in"], "header": {"fields": {"h": "1"}}, "identity": "client"}',
	'S-54 the start of it');
SELECT t.event_has('54', 2, '{"signalName": "hello", "input": ["x"], "identity": "client",
	"requestId": "r-54"}', 'S-54 the signal of it');
SELECT is((SELECT count(*) FROM temporal.history WHERE run_id = (:'first'::jsonb ->> 'runId')::uuid), 1::bigint,
	'S-54 all of it is one batch');
SELECT t.check('54');

SELECT t.run('54open') AS done, t.describe('54open') #>> '{workflowExecutionInfo,execution,runId}' AS run \gset
SELECT t.signal_with_start('54open', 'hello', '{"signal_input": ["x"]}') AS answer \gset
SELECT is((:'answer'::jsonb -> 'started') IS NOT DISTINCT FROM 'true', false, 'S-54 an open id: not started');
SELECT is(:'answer'::jsonb ->> 'runId', :'run', 'S-54 an open id: its run');
SELECT t.history_is('54open', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-54 an open id is signaled as in S-52');
SELECT t.event_has('54open', 5, '{"signalName": "hello", "input": ["x"], "identity": "client"}',
	'S-54 an open id: the signal');
SELECT t.signal_with_start('54open');
SELECT t.signal_with_start('54open');
SELECT t.poll('54open');
SELECT t.history_is('54open',
	'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED, 8 WF_SIGNALED, 9 WFT_START',
	'S-54 an open id: two more ask for no other task');
SELECT t.check('54open');

-- A repeated request: the run that it created, and no second signal.
SELECT is(t.signal_with_start('54', 'hello', '{"request_id": "r-54"}') - 'signalLink',
	:'first'::jsonb - 'signalLink' - 'started', 'S-54 the same request again: the same run, not started');
SELECT t.history_is('54', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-54 the same request again: no event');
SELECT is(t.signal_with_start('54', 'hello', '{"request_id": "r-54",
	"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"}') ->> 'runId',
	:'first'::jsonb ->> 'runId', 'S-54 the same request again does not terminate what it created');
SELECT t.terminate('54');
SELECT is(t.signal_with_start('54', 'hello', '{"request_id": "r-54"}') - 'signalLink',
	:'first'::jsonb - 'signalLink' - 'started', 'S-54 the same request again on the closed run');
SELECT t.history_is('54', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED, 4 WF_TERMINATED',
	'S-54 the same request again on the closed run: no event');

SELECT t.start('54term') ->> 'runId' AS run \gset
SELECT t.signal_with_start('54term', 'hello', '{"signal_input": ["x"],
	"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"}') AS answer \gset
SELECT is(:'answer'::jsonb -> 'started', 'true', 'S-54 TERMINATE_EXISTING: started');
SELECT isnt(:'answer'::jsonb ->> 'runId', :'run', 'S-54 TERMINATE_EXISTING: a new run');
SELECT t.history_is('54term', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED',
	'S-54 TERMINATE_EXISTING: the new run', :'answer'::jsonb ->> 'runId');
SELECT t.history_is('54term', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_TERMINATED',
	'S-54 TERMINATE_EXISTING: the old run', :'run');
SELECT t.event_has('54term', 3, jsonb_build_object(
	'reason', 'TerminateIfRunning WorkflowIdReusePolicy', 'identity', 'history-service',
	'details', jsonb_build_array('terminated by new runID: ' || (:'answer'::jsonb ->> 'runId'))),
	'S-54 TERMINATE_EXISTING: why it ended', :'run');
SELECT t.check('54term', run) FROM unnest(ARRAY[:'run', :'answer'::jsonb ->> 'runId']) run;

SELECT t.run('54closed', t.complete_workflow('1'));
SELECT matches(t.error_of('SignalWithStartWorkflowExecution', t.starting('54closed', '{"signal_name": "s",
	"workflow_id_reuse_policy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"}')),
	'^TW600 Workflow execution already finished successfully\. WorkflowId: 54closed, RunId: ',
	'S-54 closed, REJECT_DUPLICATE: AlreadyExists');
SELECT t.history_is('54closed', 'P, 5 WF_COMPLETED', 'S-54 closed, REJECT_DUPLICATE: no event');
SELECT t.signal_with_start('54closed') AS answer \gset
SELECT t.history_is('54closed', '1 WF_STARTED, 2 WF_SIGNALED, 3 WFT_SCHED', 'S-54 closed, allowed: a new run');
SELECT is(:'answer'::jsonb -> 'started', 'true', 'S-54 closed, allowed: started');
SELECT is(t.error_of('SignalWithStartWorkflowExecution', t.starting('54fail', '{"signal_name": "s",
	"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_FAIL"}')),
	'TW300 Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.',
	'S-54 conflict FAIL: InvalidArgument');
SELECT is(left(t.error_of('DescribeWorkflowExecution', '{"execution": {"workflow_id": "54fail"}}'), 5),
	'TW500', 'S-54 conflict FAIL: nothing is started');

-- ---------------------------------------------------------------- S-55

SELECT t.run('55b');
SELECT t.run('55a', t.signal_external('55b', 'ext', '{"input": ["i"], "control": "c",
	"header": {"fields": {"k": "v"}}}'));
SELECT t.describe('55a') #>> '{workflowExecutionInfo,execution,runId}' AS run \gset
SELECT t.history_is('55a', 'P, 5 XSIG_INIT', 'S-55 first only the wish is recorded');
SELECT t.check('55a');
SELECT t.tick();
SELECT t.history_is('55a', 'P, 5 XSIG_INIT, 6 XSIG_DONE, 7 WFT_SCHED', 'S-55 the sender');
SELECT t.event_has('55a', 5, '{"workflowTaskCompletedEventId": "4", "namespace": "default",
	"workflowExecution": {"workflowId": "55b", "runId": null}, "signalName": "ext", "input": ["i"],
	"control": "c", "header": {"fields": {"k": "v"}}, "childWorkflowOnly": null}', 'S-55 the wish');
SELECT t.event_has('55a', 6, '{"initiatedEventId": "5", "namespace": "default", "control": "c",
	"workflowExecution": {"workflowId": "55b"}}', 'S-55 the outcome');
SELECT t.history_is('55b', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-55 the target');
SELECT t.event_has('55b', 5, jsonb_build_object('signalName', 'ext', 'input', '["i"]'::jsonb,
	'identity', 'history-service', 'header', '{"fields": {"k": "v"}}'::jsonb,
	'externalWorkflowExecution', jsonb_build_object('workflowId', '55a', 'runId', :'run')),
	'S-55 the signal at the target');
SELECT t.check(id) FROM unnest('{55a, 55b}'::text[]) id;

-- To a run that is named, also while it is busy.
SELECT t.start('55d') ->> 'runId' AS run \gset
SELECT t.poll('55d') AS task \gset
SELECT t.run('55c', t.signal_external('55d', 'ext', jsonb_build_object('execution', t.execution('55d', :'run'))));
SELECT t.tick();
SELECT t.history_is('55c', 'P, 5 XSIG_INIT, 6 XSIG_DONE, 7 WFT_SCHED', 'S-55 a busy target');
SELECT t.history_is('55d', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-55 a busy target buffers it');
SELECT t.complete(:'task');
SELECT t.history_is('55d', 'P, 5 WF_SIGNALED, 6 WFT_SCHED', 'S-55 a busy target gets it afterwards');

-- To one that refuses signals because it is closing: it is only late.
SELECT t.start('55closing');
SELECT t.poll('55closing') AS task \gset
SELECT t.signal('55closing');
SELECT is(t.error_of_complete(:'task', t.complete_workflow()), 'TW303 UnhandledCommand', 'S-55 a target that is closing');
SELECT t.poll('55closing') AS task \gset
SELECT t.run('55late', t.signal_external('55closing', 'ext'));
SELECT t.tick();
SELECT is((SELECT array_agg(failures) FROM temporal.outbox), '{0}', 'S-55 a closing target: no failure, later');
SELECT t.history_is('55late', 'P, 5 XSIG_INIT', 'S-55 a closing target: not yet');
SELECT t.complete(:'task');
SELECT t.skip('1 s');
SELECT t.history_is('55late', 'P, 5 XSIG_INIT, 6 XSIG_DONE, 7 WFT_SCHED', 'S-55 a closing target goes on and gets it');
SELECT t.check(id) FROM unnest('{55closing, 55late}'::text[]) id;
SELECT t.check(id) FROM unnest('{55c, 55d}'::text[]) id;

-- The outcome comes while the sender is busy.
SELECT t.run('55f');
SELECT t.run('55e', t.signal_external('55f'));
SELECT t.signal('55e');
SELECT t.poll('55e') AS task \gset
SELECT t.tick();
SELECT t.history_is('55e', 'P, 5 XSIG_INIT, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START',
	'S-55 a busy sender buffers the outcome');
SELECT t.complete(:'task');
SELECT t.history_is('55e', 'P, 5 XSIG_INIT, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE,
	10 XSIG_DONE, 11 WFT_SCHED', 'S-55 a busy sender gets it afterwards');
SELECT t.check(id) FROM unnest('{55e, 55f}'::text[]) id;

-- The sender has closed before the signal went out.
SELECT t.run('55h');
SELECT t.run('55g', t.signal_external('55h') || t.complete_workflow('1'));
SELECT t.tick();
SELECT t.history_is('55g', 'P, 5 XSIG_INIT, 6 WF_COMPLETED', 'S-55 a closed sender');
SELECT t.history_is('55h', 'P', 'S-55 the signal of a closed sender is dropped');
SELECT t.check(id) FROM unnest('{55g, 55h}'::text[]) id;

-- ---------------------------------------------------------------- S-56

SELECT t.run('56closed', t.complete_workflow('1'));
SELECT t.run('56open');
SELECT t.run('56', t.signal_external('56unknown', 's', '{"control": "c"}'));
SELECT t.run('56b', t.signal_external('56closed'));
SELECT t.run('56c', t.signal_external('56c'));
SELECT t.run('56d', t.signal_external('56open', 's', '{"child_workflow_only": true}'));
SELECT t.run('56e', t.signal_external('56open', 's',
	jsonb_build_object('execution', t.execution('56open', '22222222-2222-2222-2222-222222222222'))));
SELECT t.run('56f', t.signal_external('56open', 's', jsonb_build_object('execution', t.execution('56open',
	t.describe('56closed') #>> '{workflowExecutionInfo,execution,runId}'))));
SELECT t.tick();
SELECT t.history_is(id, 'P, 5 XSIG_INIT, 6 XSIG_FAILED, 7 WFT_SCHED', 'S-56 ' || variant)
FROM (VALUES ('56', 'an unknown target'), ('56b', 'a closed target'), ('56c', 'itself'),
	('56d', 'child_workflow_only, not a child'), ('56e', 'an unknown run'), ('56f', 'a run of another id'))
	AS v (id, variant);
SELECT t.event_has(id, 6, '{"initiatedEventId": "5", "workflowTaskCompletedEventId": "4", "namespace": "default",
	"cause": "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"}',
	'S-56 ' || id || ' why')
FROM unnest('{56, 56b, 56c, 56d, 56e, 56f}'::text[]) id;
SELECT t.event_has('56', 6, '{"workflowExecution": {"workflowId": "56unknown"}, "control": "c"}',
	'S-56 the outcome names the target');
SELECT t.history_is('56open', 'P', 'S-56 who is no child gets nothing');
SELECT t.history_is('56closed', 'P, 5 WF_COMPLETED', 'S-56 the closed target stays as it was');
SELECT t.check(id) FROM unnest('{56, 56b, 56c, 56d, 56open}'::text[]) id;

-- What a command may not say.
SELECT t.start('56bad', '{"workflow_task_timeout": "1s"}');
SELECT t.poll('56bad') AS task \gset
SELECT matches(t.error_of_complete(:'task', t.signal_external('x', '')), '^TW303 BadSignalWorkflowExecutionAttributes: ',
	'S-56 no signal name: the completion is refused');
SELECT t.history_is('56bad', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED',
	'S-56 no signal name: the task fails');
SELECT t.event_has('56bad', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES"}',
	'S-56 no signal name: why');
SELECT t.start('56bad' || n) FROM generate_series(1, 4) n;
SELECT matches(t.error_of_complete(t.poll(id), t.signal_external('x', 's', attributes)),
	'^TW303 BadSignalWorkflowExecutionAttributes: ', 'S-56 refused: ' || variant)
FROM (VALUES ('56bad1', '{"execution": null}'::jsonb, 'no execution'),
	('56bad2', '{"execution": {"workflow_id": ""}}', 'no workflow id'),
	('56bad3', '{"execution": {"workflow_id": "x", "run_id": "no uuid"}}', 'a run id that is none'),
	('56bad4', '{"namespace": "elsewhere"}', 'another namespace')) AS v (id, attributes, variant);

-- The limit of signals: the target refuses, which is an outcome.
SELECT t.run('56full');
SET temporal.check_state = off; -- too much to read after each
SELECT count(temporal.rpc('SignalWorkflowExecution', request))
FROM generate_series(1, 10000), LATERAL (SELECT t.signaling('56full') OFFSET 0) AS s (request);
RESET temporal.check_state;
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('56full')),
	'TW304 exceeded workflow execution limit for signal events', 'S-56 a run takes 10000 signals');
SELECT t.run('56g', t.signal_external('56full'));
SELECT t.tick();
SELECT t.history_is('56g', 'P, 5 XSIG_INIT, 6 XSIG_FAILED, 7 WFT_SCHED', 'S-56 a target with too many signals');
SELECT t.event_has('56g', 6, '{"cause": "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED"}',
	'S-56 a target with too many signals: why');

-- ---------------------------------------------------------------- S-57

SELECT t.run('57b');
SELECT t.run('57a', t.cancel_external('57b', '{"reason": "why not", "control": "c"}'));
SELECT t.describe('57a') #>> '{workflowExecutionInfo,execution,runId}' AS run \gset
SELECT t.history_is('57a', 'P, 5 XCAN_INIT', 'S-57 first only the wish is recorded');
SELECT t.tick();
SELECT t.history_is('57a', 'P, 5 XCAN_INIT, 6 XCAN_DONE, 7 WFT_SCHED', 'S-57 the sender');
SELECT t.event_has('57a', 5, '{"workflowTaskCompletedEventId": "4", "namespace": "default", "control": "c",
	"workflowExecution": {"workflowId": "57b", "runId": null}, "reason": "why not"}', 'S-57 the wish');
SELECT t.event_has('57a', 6, '{"initiatedEventId": "5", "namespace": "default",
	"workflowExecution": {"workflowId": "57b"}}', 'S-57 the outcome');
SELECT t.history_is('57b', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED', 'S-57 the target');
SELECT t.event_has('57b', 5, jsonb_build_object('cause', 'why not', 'identity', 'history-service',
	'externalInitiatedEventId', '5',
	'externalWorkflowExecution', jsonb_build_object('workflowId', '57a', 'runId', :'run')),
	'S-57 the request at the target');
SELECT is(t.describe('57b') #> '{workflowExtendedInfo,cancelRequested}', 'true', 'S-57 the target knows');
SELECT t.check(id) FROM unnest('{57a, 57b}'::text[]) id;

SELECT t.run('57c');
SELECT t.run('57d');
SELECT t.run('57e', t.cancel_external('57c') || t.cancel_external('57d') || t.cancel_external('57none'));
SELECT t.tick();
SELECT is(array(SELECT name FROM t.stored('57e') WHERE id <= 8 OR name = 'WFT_SCHED' ORDER BY id),
	'{WF_STARTED, WFT_SCHED, WFT_START, WFT_DONE, XCAN_INIT, XCAN_INIT, XCAN_INIT,
	XCAN_DONE, WFT_SCHED}', 'S-57 several: the task comes after the first outcome')
WHERE (SELECT name FROM t.stored('57e') WHERE id = 8) = 'XCAN_DONE'
UNION ALL
SELECT is(array(SELECT name FROM t.stored('57e') WHERE id <= 8 OR name = 'WFT_SCHED' ORDER BY id),
	'{WF_STARTED, WFT_SCHED, WFT_START, WFT_DONE, XCAN_INIT, XCAN_INIT, XCAN_INIT,
	XCAN_FAILED, WFT_SCHED}', 'S-57 several: the task comes after the first outcome')
WHERE (SELECT name FROM t.stored('57e') WHERE id = 8) IS DISTINCT FROM 'XCAN_DONE';
SELECT is((SELECT string_agg((attributes ->> 'initiatedEventId') || ' ' || name, ', ' ORDER BY attributes ->> 'initiatedEventId')
	FROM t.stored('57e') WHERE id >= 8 AND name <> 'WFT_SCHED'), '5 XCAN_DONE, 6 XCAN_DONE, 7 XCAN_FAILED',
	'S-57 several: each has its outcome, in any order');
SELECT is((SELECT max(id) FROM t.stored('57e')), 11::bigint, 'S-57 several: no other event');
SELECT t.check(id) FROM unnest('{57c, 57d, 57e}'::text[]) id;

SELECT t.run('57closed', t.complete_workflow('1'));
SELECT t.run('57f', t.cancel_external('57closed'));
SELECT t.run('57g', t.cancel_external('57b'));
SELECT t.run('57h', t.cancel_external('57none'));
SELECT t.run('57i', t.cancel_external('57i'));
SELECT t.run('57j', t.cancel_external('57b', '{"child_workflow_only": true}'));
SELECT t.tick();
SELECT t.history_is('57f', 'P, 5 XCAN_INIT, 6 XCAN_DONE, 7 WFT_SCHED', 'S-57 a closed target: still done');
SELECT t.history_is('57closed', 'P, 5 WF_COMPLETED', 'S-57 a closed target stays as it was');
SELECT t.history_is('57g', 'P, 5 XCAN_INIT, 6 XCAN_DONE, 7 WFT_SCHED', 'S-57 requested before: still done');
SELECT t.history_is('57b', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED', 'S-57 requested before: no second event');
SELECT t.history_is(id, 'P, 5 XCAN_INIT, 6 XCAN_FAILED, 7 WFT_SCHED', 'S-57 ' || variant)
FROM (VALUES ('57h', 'an unknown target'), ('57i', 'itself'), ('57j', 'child_workflow_only, not a child'))
	AS v (id, variant);
SELECT t.event_has(id, 6, '{"initiatedEventId": "5", "workflowTaskCompletedEventId": "4",
	"cause": "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"}',
	'S-57 ' || id || ' why')
FROM unnest('{57h, 57i, 57j}'::text[]) id;
SELECT t.check(id) FROM unnest('{57f, 57g, 57h, 57i, 57j}'::text[]) id;

-- ---------------------------------------------------------------- S-58

SELECT t.run('58');
SELECT is(t.cancel('58', '{"reason": "enough", "request_id": "r", "links": [{"workflow_event":
	{"namespace": "default", "workflow_id": "linked"}}]}'), '{}', 'S-58 a cancel request');
SELECT is(t.cancel('58', '{"reason": "more than enough", "request_id": "s"}'), '{}', 'S-58 a second one is fine');
SELECT t.history_is('58', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED', 'S-58 one event');
SELECT t.event_has('58', 5, '{"cause": "enough", "identity": "client", "externalInitiatedEventId": null,
	"externalWorkflowExecution": null}', 'S-58 what it says');
SELECT is(t.raw_event('58', 5) #>> '{links,0,workflowEvent,workflowId}', 'linked', 'S-58 its link');
SELECT is(t.describe('58') #> '{workflowExtendedInfo,cancelRequested}', 'true', 'S-58 shown as requested');
SELECT t.complete(t.poll('58'), t.cancel_workflow('["bye"]'));
SELECT t.history_is('58', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED, 7 WFT_START, 8 WFT_DONE, 9 WF_CANCELED',
	'S-58 the worker cancels');
SELECT t.event_has('58', 9, '{"details": ["bye"], "workflowTaskCompletedEventId": "8"}', 'S-58 with details');
SELECT is(t.describe('58') #>> '{workflowExecutionInfo,status}', 'WORKFLOW_EXECUTION_STATUS_CANCELED',
	'S-58 the status');
SELECT is(t.cancel('58'), '{}', 'S-58 a closed run: fine');
SELECT t.history_is('58', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED, 7 WFT_START, 8 WFT_DONE, 9 WF_CANCELED',
	'S-58 a closed run: no effect');
SELECT t.check('58');

SELECT t.run('58b'), t.describe('58b') #>> '{workflowExecutionInfo,execution,runId}' AS run \gset
SELECT is(t.error_of('RequestCancelWorkflowExecution', t.request(jsonb_build_object('workflow_execution',
	t.execution('58b'), 'first_execution_run_id', t.describe('58') #>> '{workflowExecutionInfo,execution,runId}'), '{}')),
	'TW500 workflow not found for ID: 58b', 'S-58 first_execution_run_id of another chain: NotFound');
SELECT is(t.error_of('RequestCancelWorkflowExecution', t.request(jsonb_build_object('workflow_execution',
	t.execution('58b'), 'first_execution_run_id', 'no uuid'), '{}')),
	'TW300 Invalid FirstExecutionRunId.', 'S-58 first_execution_run_id that is none');
SELECT is(left(t.error_of('RequestCancelWorkflowExecution', jsonb_build_object('workflow_execution',
	t.execution('58none'))), 5), 'TW500', 'S-58 an unknown workflow: NotFound');
SELECT t.history_is('58b', 'P', 'S-58 nothing has happened');
SELECT t.cancel('58b', jsonb_build_object('first_execution_run_id', :'run'));
SELECT t.history_is('58b', 'P, 5 WF_CANCEL_REQ, 6 WFT_SCHED', 'S-58 first_execution_run_id of this chain');
SELECT t.check('58b');

-- ---------------------------------------------------------------- S-59

SELECT t.start('59');
SELECT t.poll('59') AS task \gset
SELECT t.cancel('59');
SELECT t.history_is('59', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-59 the request is buffered');
SELECT is(t.error_of_complete(:'task', t.complete_workflow('1')), 'TW303 UnhandledCommand',
	'S-59 a completion that has not seen it is refused');
SELECT t.history_is('59', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_CANCEL_REQ, 6 WFT_SCHED',
	'S-59 the task fails, then the request, then the next task');
SELECT t.event_has('59', 4, '{"scheduledEventId": "2", "startedEventId": "3", "identity": "worker",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"}', 'S-59 why it failed');
SELECT t.event_has('59', 6, '{"attempt": 1}', 'S-59 the next task is a first attempt');
SELECT t.check('59');
SELECT t.complete(t.poll('59'), t.cancel_workflow());
SELECT t.history_is('59', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_CANCEL_REQ, 6 WFT_SCHED,
	7 WFT_START, 8 WFT_DONE, 9 WF_CANCELED', 'S-59 and in the end it is cancelled');
SELECT t.check('59');

-- ---------------------------------------------------------------- S-60

SELECT t.start('60');
SELECT t.poll('60') AS task \gset
SELECT t.signal('60');
SELECT t.terminate('60', '{"reason": "because", "details": ["d", 1], "identity": "boss",
	"links": [{"workflow_event": {"namespace": "default", "workflow_id": "linked"}}]}');
SELECT t.history_is('60', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WF_TERMINATED',
	'S-60 a started task and a buffered signal');
SELECT t.event_has('60', 4, '{"scheduledEventId": "2", "startedEventId": "3",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND"}', 'S-60 how the task ends');
SELECT t.event_has('60', 6, '{"reason": "because", "details": ["d", 1], "identity": "boss"}',
	'S-60 how the run ends');
SELECT is(t.raw_event('60', 6) #>> '{links,0,workflowEvent,workflowId}', 'linked', 'S-60 its link');
SELECT is(t.error_of_complete(:'task', t.complete_workflow('1')), 'TW503 Workflow task not found.',
	'S-60 the worker is too late');
SELECT is(t.error_of('RespondWorkflowTaskFailed', jsonb_build_object('task_token', :'task'::jsonb -> 'taskToken')),
	'TW503 Workflow task not found.', 'S-60 also with a failure');
SELECT is(t.describe('60') #>> '{workflowExecutionInfo,status}', 'WORKFLOW_EXECUTION_STATUS_TERMINATED',
	'S-60 the status');
SELECT t.check('60');

-- What is pending goes with the run; workers learn it by NotFound.
SELECT t.run('60b', t.schedule_activity('a') || t.schedule_activity('b') || t.start_timer('t'));
SELECT t.poll_activity('60b') AS activity \gset
SELECT t.terminate('60b');
SELECT t.skip('1h');
SELECT t.history_is('60b', 'P, 5 ACT_SCHED, 6 ACT_SCHED, 7 TIMER_START, 8 WF_TERMINATED',
	'S-60 activities and timers leave no event');
SELECT is(t.error_of('RespondActivityTaskCompleted', t.activity_request(:'activity')),
	'TW503 invalid activityID or activity already timed out or invoking workflow is completed',
	'S-60 the activity worker is too late');
SELECT is(t.poll_activity('60b'), '{}', 'S-60 no attempt is left to start');
SELECT t.check('60b');

-- ---------------------------------------------------------------- S-61

SELECT t.start('61') ->> 'runId' AS run \gset
SELECT t.terminate('61', '{"reason": "r"}');
SELECT t.history_is('61', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_TERMINATED', 'S-61 a scheduled task');
SELECT t.event_has('61', 3, '{"reason": "r", "details": null, "identity": "client"}', 'S-61 what it says');
SELECT is(t.poll('61'), '{}', 'S-61 the task is gone');
SELECT is(t.error_of('TerminateWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('61'))),
	'TW502 workflow execution already completed', 'S-61 closed: NotFound');
SELECT is(t.error_of('TerminateWorkflowExecution', jsonb_build_object('workflow_execution',
	t.execution('61none'))), 'TW500 workflow not found for ID: 61none', 'S-61 unknown: NotFound');
SELECT is(t.error_of('TerminateWorkflowExecution', jsonb_build_object('workflow_execution',
	t.execution('61'), 'first_execution_run_id', '33333333-3333-3333-3333-333333333333')),
	'TW500 workflow not found for ID: 61', 'S-61 another chain: NotFound');
SELECT t.check('61');

SELECT t.start('61b');
SELECT t.fail(t.poll('61b'));
SELECT t.poll('61b') AS task \gset
SELECT is(:'task'::jsonb -> 'attempt', '2', 'S-61 a second attempt is started');
SELECT t.terminate('61b');
SELECT t.history_is('61b', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TERMINATED',
	'S-61 a transient started task leaves no event');
SELECT is(t.error_of_complete(:'task'), 'TW503 Workflow task not found.', 'S-61 its worker is too late');
SELECT t.check('61b');

SELECT t.run('61c');
SELECT t.terminate('61c');
SELECT t.history_is('61c', 'P, 5 WF_TERMINATED', 'S-61 no task');
SELECT t.start('61d', '{"workflow_start_delay": "3600s"}');
SELECT t.terminate('61d');
SELECT t.history_is('61d', '1 WF_STARTED, 2 WF_TERMINATED', 'S-61 during the start delay');
SELECT t.skip('2h');
SELECT t.history_is('61d', '1 WF_STARTED, 2 WF_TERMINATED', 'S-61 after the start delay');
SELECT t.check(id) FROM unnest('{61c, 61d}'::text[]) id;

-- ---------------------------------------------------------------- S-62

SELECT t.start('62');
SELECT t.poll('62') AS task \gset
SELECT count(t.signal('62', 's' || n)) FROM generate_series(1, 100) n;
SELECT t.history_is('62', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-62 100 signals are buffered');
SELECT t.signal('62', 's101');
SELECT t.history_is('62', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, '
	|| (SELECT string_agg(4 + n || ' WF_SIGNALED', ', ' ORDER BY n) FROM generate_series(1, 101) n)
	|| ', 106 WFT_SCHED', 'S-62 the 101st takes the task away');
SELECT t.event_has('62', 4, '{"scheduledEventId": "2", "startedEventId": "3",
	"cause": "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND"}', 'S-62 how the task ends');
SELECT is(array(SELECT attributes ->> 'signalName' FROM t.stored('62') WHERE name = 'WF_SIGNALED' ORDER BY id),
	array(SELECT 's' || n FROM generate_series(1, 101) n), 'S-62 in the order of arrival');
SELECT t.event_has('62', 106, '{"attempt": 1}', 'S-62 the next task is a first attempt');
SELECT is(t.error_of_complete(:'task', t.complete_workflow('1')), 'TW503 Workflow task not found.',
	'S-62 the worker is too late');
SELECT t.check('62');
SELECT t.complete(t.poll('62'), t.complete_workflow('1'));
SELECT is((t.events('62'))[107:], '{107 WFT_START, 108 WFT_DONE, 109 WF_COMPLETED}',
	'S-62 the next one completes');
SELECT t.check('62');

-- The limit of bytes: three signals of 800 KB.
SELECT t.start('62b');
SELECT t.poll('62b') AS task \gset
SELECT count(t.signal('62b', 's', jsonb_build_object('input', jsonb_build_array(t.large(800 * 1024)))))
FROM generate_series(1, 2);
SELECT t.history_is('62b', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START', 'S-62 1.6 MB are buffered');
SELECT t.signal('62b', 's', jsonb_build_object('input', jsonb_build_array(t.large(800 * 1024))));
SELECT t.history_is('62b', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED,
	6 WF_SIGNALED, 7 WF_SIGNALED, 8 WFT_SCHED', 'S-62 2.4 MB take the task away');
SELECT t.check('62b');

SELECT * FROM finish();
ROLLBACK;
