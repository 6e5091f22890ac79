-- Scenarios F: chains and timeouts.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- ---------------------------------------------------------------- S-77

SELECT t.start('77', '{"workflow_run_timeout": "1s"}');
SELECT t.skip('900 ms');
SELECT t.history_is('77', '1 WF_STARTED, 2 WFT_SCHED', 'S-77 before the run timeout');
SELECT t.skip('100 ms');
SELECT t.history_is('77', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_TIMED_OUT', 'S-77 nothing polled');
SELECT t.event_has('77', 3, '{"retryState": "RETRY_STATE_RETRY_POLICY_NOT_SET", "newExecutionRunId": null}',
	'S-77 there is no retry');
SELECT is(t.describe('77') #>> '{workflowExecutionInfo,status}', 'WORKFLOW_EXECUTION_STATUS_TIMED_OUT',
	'S-77 the status');
SELECT ok(t.event_time('77', 3) - t.event_time('77', 1) BETWEEN '1s' AND '1.5s', 'S-77 after one second');
SELECT is(t.poll('77'), '{}', 'S-77 the task is gone');
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('77')),
	'TW502 workflow execution already completed', 'S-77 it is closed');
SELECT t.check('77');

SELECT t.start('77b', '{"workflow_run_timeout": "1s", "workflow_task_timeout": "10s"}');
SELECT t.event_has('77b', 1, '{"workflowRunTimeout": "1s", "workflowTaskTimeout": "1s"}',
	'S-77 a task timeout is not longer than the run''s');
SELECT t.skip('500 ms');
SELECT t.poll('77b') AS task \gset
SELECT t.skip('500 ms');
SELECT t.history_is('77b', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TIMED_OUT',
	'S-77 with the task started');
SELECT t.event_has('77b', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND",
	"scheduledEventId": "2", "startedEventId": "3"}', 'S-77 how the started task ends');
SELECT t.event_has('77b', 5, '{"retryState": "RETRY_STATE_RETRY_POLICY_NOT_SET"}', 'S-77 how the run ends');
SELECT is(t.error_of_complete(:'task', t.complete_workflow('1')), 'TW503 Workflow task not found.',
	'S-77 the worker is too late');
SELECT t.check('77b');

-- What is buffered is still recorded; what is pending is not.
SELECT t.start('77c', '{"workflow_run_timeout": "10s"}');
SELECT t.complete(t.poll('77c'), t.start_timer('t', '20s') || t.schedule_activity('a'));
SELECT t.signal('77c');
SELECT t.poll('77c');
SELECT t.signal('77c');
SELECT t.skip('9 s');
SELECT t.poll('77c');
SELECT t.signal('77c', 'last');
SELECT t.skip('1 s');
SELECT t.history_is('77c', 'P, 5 TIMER_START, 6 ACT_SCHED, 7 WF_SIGNALED, 8 WFT_SCHED, 9 WFT_START,
	10 WFT_FAILED, 11 WF_SIGNALED, 12 WF_SIGNALED, 13 WF_TIMED_OUT', 'S-77 with a buffer and things pending');
SELECT t.skip('1h');
SELECT t.check('77c');

-- The timeout counts from the end of the start delay.
SELECT t.start('77d', '{"workflow_run_timeout": "2s", "workflow_start_delay": "3s"}');
SELECT t.skip('4 s');
SELECT t.history_is('77d', '1 WF_STARTED, 2 WFT_SCHED', 'S-77 with a start delay: not yet');
SELECT t.skip('1 s');
SELECT t.history_is('77d', '1 WF_STARTED, 2 WFT_SCHED, 3 WF_TIMED_OUT', 'S-77 with a start delay');
SELECT t.check('77d');

-- ---------------------------------------------------------------- S-80

SET temporal.history_count_limit = 60;
SELECT t.run('80');
SELECT count(t.signal('80', 's' || n)) FROM generate_series(1, 56) n;
SELECT is((t.events('80'))[5:6] || (t.events('80'))[61:], '{5 WF_SIGNALED, 6 WFT_SCHED, 61 WF_SIGNALED}',
	'S-80 signals are taken up to event 61');
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('80', 'late', '{"request_id": "late"}')),
	'TW304 Workflow history count exceeds limit.', 'S-80 the next one is refused');
SELECT is((t.events('80'))[61:], '{61 WF_SIGNALED, 62 WF_TERMINATED}', 'S-80 it is not written, the run ends');
SELECT t.event_has('80', 62, '{"reason": "Workflow history count exceeds limit.", "identity": "history-service"}',
	'S-80 why it ends');
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('80', 'late', '{"request_id": "late"}')),
	'TW502 workflow execution already completed', 'S-80 the refused request id is not remembered');
SELECT is(t.describe('80') #>> '{workflowExecutionInfo,status}', 'WORKFLOW_EXECUTION_STATUS_TERMINATED',
	'S-80 the status');
SELECT t.check('80');

-- A completion that goes too far takes no effect.
SELECT t.start('80b');
SELECT t.poll('80b') AS task \gset
SELECT is(t.error_of_complete(:'task', (SELECT jsonb_agg(m) FROM generate_series(1, 57) n,
	jsonb_array_elements(t.record_marker('m')) m)), 'TW304 Workflow history count exceeds limit.',
	'S-80 a completion that goes too far is refused');
SELECT t.history_is('80b', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_TERMINATED',
	'S-80 a completion that goes too far ends the run');
SELECT t.event_has('80b', 5, '{"reason": "Workflow history count exceeds limit."}', 'S-80 that is why');
SELECT t.check('80b');

-- A poll that goes too far ends that run and hands out the next task.
SELECT t.run('80c');
SELECT count(t.signal('80c')) FROM generate_series(1, 56);
SELECT t.start('80d', '{"task_queue": {"name": "80c"}}');
SELECT is(t.poll('80c') #>> '{workflowExecution,workflowId}', '80d', 'S-80 a poll gets the task of another run');
SELECT is((t.events('80c'))[61:], '{61 WF_SIGNALED, 62 WF_TERMINATED}', 'S-80 a poll ends a run that is too long');
SELECT t.check(id) FROM unnest('{80c, 80d}'::text[]) id;

-- So does a timer.
SELECT t.run('80e', t.start_timer('t', '10s'));
SELECT count(t.signal('80e')) FROM generate_series(1, 55);
SELECT t.skip('10 s');
SELECT is((t.events('80e'))[61:], '{61 WF_SIGNALED, 62 WF_TERMINATED}', 'S-80 a timer ends a run that is too long');
SELECT t.check('80e');

-- A signal from another workflow: it is refused, and both runs go on rightly.
SELECT t.run('80f');
SELECT count(t.signal('80f')) FROM generate_series(1, 56);
SELECT t.run('80g', t.signal_external('80f'));
SELECT t.tick();
SELECT t.history_is('80g', 'P, 5 XSIG_INIT, 6 XSIG_FAILED, 7 WFT_SCHED', 'S-80 an external signal fails');
SELECT t.event_has('80g', 6, '{"cause": "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED"}',
	'S-80 an external signal fails by the limit');
SELECT is((t.events('80f'))[61:], '{61 WF_SIGNALED, 62 WF_TERMINATED}', 'S-80 an external signal ends the target');
SELECT t.check(id) FROM unnest('{80f, 80g}'::text[]) id;
RESET temporal.history_count_limit;

SET temporal.history_size_limit = '10kB';
SELECT t.run('80h');
SELECT t.signal('80h', 'big', jsonb_build_object('input', jsonb_build_array(t.large(9000))));
SELECT t.signal('80h', 'bigger', jsonb_build_object('input', jsonb_build_array(t.large(9000))));
SELECT is(t.error_of('SignalWorkflowExecution', t.signaling('80h')),
	'TW304 Workflow history size exceeds limit.', 'S-80 the limit of bytes');
SELECT t.history_is('80h', 'P, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WF_SIGNALED, 8 WF_TERMINATED',
	'S-80 the limit of bytes ends the run');
SELECT t.event_has('80h', 8, '{"reason": "Workflow history size exceeds limit.", "identity": "history-service"}',
	'S-80 the limit of bytes is why');
SELECT t.check('80h');
RESET temporal.history_size_limit;

-- When to think of continuing as new.
SELECT t.run('80i', (SELECT jsonb_agg(m) FROM generate_series(1, 4090) n,
	jsonb_array_elements(t.record_marker('m')) m));
SELECT t.signal('80i');
SELECT t.event_has('80i', 4095, '{"signalName": "sig"}', 'S-80 the history has 4095 events and a task');
SELECT t.poll('80i') AS task \gset
SELECT t.event_has('80i', 4097, '{"suggestContinueAsNew": true,
	"suggestContinueAsNewReasons": ["SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS"]}',
	'S-80 from 4096 events on a task suggests it');
SELECT t.check('80i');
SELECT t.run('80j', (SELECT jsonb_agg(m) FROM generate_series(1, 4089) n,
	jsonb_array_elements(t.record_marker('m')) m));
SELECT t.signal('80j');
SELECT t.poll('80j');
SELECT t.event_has('80j', 4096, '{"scheduledEventId": "4095", "suggestContinueAsNew": true}',
	'S-80 the next event id counts');
SELECT t.run('80k', (SELECT jsonb_agg(m) FROM generate_series(1, 4088) n,
	jsonb_array_elements(t.record_marker('m')) m));
SELECT t.signal('80k');
SELECT t.poll('80k');
SELECT t.event_has('80k', 4095, '{"scheduledEventId": "4094", "suggestContinueAsNew": null,
	"suggestContinueAsNewReasons": null}', 'S-80 one event less does not');

SELECT t.run('80l');
SELECT count(t.signal('80l', 's', jsonb_build_object('input', jsonb_build_array(t.large(1400000)))))
FROM generate_series(1, 3);
SELECT t.poll('80l');
SELECT t.event_has('80l', 9, '{"suggestContinueAsNew": true,
	"suggestContinueAsNewReasons": ["SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE"]}',
	'S-80 4 MiB suggest it as well');
SELECT cmp_ok((t.event('80l', 9) ->> 'historySizeBytes')::bigint, '>=', 4200000::bigint, 'S-80 the size is shown');

SELECT * FROM finish();
ROLLBACK;
