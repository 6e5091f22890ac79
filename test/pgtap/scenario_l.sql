-- Scenarios L: queues, reading, deleting.

BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- ---------------------------------------------------------------- S-121

SELECT t.run('121', (SELECT jsonb_agg(command) FROM unnest('{5, 1, 3, 1}'::int[]) WITH ORDINALITY AS p (priority, n),
	jsonb_array_elements(t.schedule_activity('a' || n, jsonb_build_object('priority',
		jsonb_build_object('priority_key', priority)))) AS command));
SELECT is(array(SELECT (poll #>> '{priority,priorityKey}') || ' ' || (poll ->> 'activityId')
		FROM (SELECT t.poll_activity('121') AS poll FROM generate_series(1, 4)) AS p),
	'{1 a2, 1 a4, 3 a3, 5 a1}', 'S-121 activities by priority, then in turn');
SELECT is(t.poll_activity('121'), '{}', 'S-121 no more');
SELECT t.check('121');

-- Each in a completion of its own; no priority is 3; workflow tasks too.
SELECT t.start('121' || n, jsonb_build_object('task_queue', '{"name": "121q"}'::jsonb, 'priority',
	CASE WHEN priority > 0 THEN jsonb_build_object('priority_key', priority) END))
FROM unnest('{5, 0, 1, 4, 2, 3, 1}'::int[]) WITH ORDINALITY AS p (priority, n);
SELECT is(array(SELECT poll #>> '{workflowExecution,workflowId}'
		FROM (SELECT t.poll('121q') AS poll FROM generate_series(1, 7)) AS p),
	'{1213, 1217, 1215, 1212, 1216, 1214, 1211}', 'S-121 workflow tasks by priority, none is 3');

-- An activity inherits its workflow's priority, and may have its own.
SELECT t.run('121low', t.schedule_activity('low', '{"task_queue": {"name": "121m"}}')
	|| t.schedule_activity('own', '{"task_queue": {"name": "121m"}, "priority": {"priority_key": 2}}'),
	'{"priority": {"priority_key": 5, "fairness_key": "f"}}');
SELECT t.run('121mid', t.schedule_activity('mid', '{"task_queue": {"name": "121m"}}'));
SELECT is(array(SELECT (poll ->> 'activityId') || ' ' || coalesce(poll ->> 'priority', '')
		FROM (SELECT t.poll_activity('121m') AS poll FROM generate_series(1, 3)) AS p),
	ARRAY['own {"fairnessKey": "f", "priorityKey": 2}', 'mid ', 'low {"fairnessKey": "f", "priorityKey": 5}'],
	'S-121 the activity''s own priority overrides the workflow''s');

-- ---------------------------------------------------------------- S-122
-- Of the whole queue; the last poll that says one counts, and polls without one
-- leave it.  What is waited for is too long to happen.
CREATE FUNCTION t.poll_limited(queue text, per_second float) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.poll_activity(queue, options => jsonb_build_object('task_queue_metadata',
		jsonb_build_object('max_tasks_per_second', per_second)))
$$;
SELECT t.run('122', t.schedule_activity('a1') || t.schedule_activity('a2') || t.schedule_activity('a3')
	|| t.schedule_activity('a4') || t.schedule_activity('a5'));
SELECT is(t.poll_limited('122', 0), '{}', 'S-122 no task a second');
SELECT is(t.poll_activity('122'), '{}', 'S-122 nor for others');
SELECT is(t.poll_limited('122', 1000) ->> 'activityId', 'a1', 'S-122 until somebody lifts it') FROM pg_sleep(0.01);
SELECT is(t.poll_activity('122') ->> 'activityId', 'a2', 'S-122 for others, too') FROM pg_sleep(0.01);
SELECT t.poll_limited('122', 0.0001);
SELECT is(t.poll_limited('122', 0.0001), '{}', 'S-122 one in hours');
SELECT is(t.poll_limited('122', 'NaN'), '{}', 'S-122 what is no number changes nothing');

-- ---------------------------------------------------------------- S-126

CREATE FUNCTION t.page(workflow_id text, options jsonb DEFAULT '{}', method text DEFAULT '') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('GetWorkflowExecutionHistory' || method,
		t.request(jsonb_build_object('execution', t.execution(workflow_id)), options))
$$;

CREATE FUNCTION t.names(page jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(array_to_string(t.history(page), ', '), '') $$;

CREATE FUNCTION t.next(page jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('next_page_token', page -> 'nextPageToken') $$;

-- Waiting is the caller's: a call returns what there is, and a token.
SELECT t.start('126') ->> 'runId' AS run \gset
SELECT t.page('126', '{"wait_new_event": true}') AS page \gset
SELECT is(t.names(:'page'), '1 WF_STARTED, 2 WFT_SCHED', 'S-126 wait: what there is');
SELECT ok(:'page'::jsonb ? 'nextPageToken', 'S-126 wait: with a token while the run is open');
SELECT t.page('126', '{"wait_new_event": true}' || t.next(:'page')) AS page \gset
SELECT is(:'page'::jsonb - 'nextPageToken', '{"history": {}}', 'S-126 wait: nothing new, at once');
SELECT ok(:'page'::jsonb ? 'nextPageToken', 'S-126 wait: nothing new, with a token');
SELECT t.poll('126') AS task \gset
SELECT t.page('126', '{"wait_new_event": true}' || t.next(:'page')) AS page \gset
SELECT is(t.names(:'page'), '3 WFT_START', 'S-126 wait: the new batch');
SELECT t.signal('126');
SELECT t.page('126', '{"wait_new_event": true}' || t.next(:'page')) AS page \gset
SELECT is(t.names(:'page'), '', 'S-126 wait: what is buffered is not shown');
SELECT t.complete(:'task', t.start_timer('t', '1s'));
SELECT t.page('126', '{"wait_new_event": true}' || t.next(:'page')) AS page \gset
SELECT is(t.names(:'page'), '4 WFT_DONE, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED', 'S-126 wait: the next batch');
SELECT t.page('126', '{"wait_new_event": true, "history_event_filter_type": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"}') AS close \gset
SELECT is(:'close'::jsonb - 'nextPageToken', '{"history": {}}', 'S-126 close event: none yet');
SELECT ok(:'close'::jsonb ? 'nextPageToken', 'S-126 close event: none yet, a token');
SELECT is(t.page('126', '{"history_event_filter_type": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"}'), '{"history": {}}',
	'S-126 close event, not waiting: no token');
SELECT t.complete(t.poll('126'), t.complete_workflow('1'));
SELECT t.page('126', '{"wait_new_event": true}' || t.next(:'page')) AS page \gset
SELECT is(t.names(:'page'), '8 WFT_START, 9 WFT_DONE, 10 WF_COMPLETED', 'S-126 wait: to the end');
SELECT ok(NOT :'page'::jsonb ? 'nextPageToken', 'S-126 wait: no token after the end');
SELECT t.page('126', '{"wait_new_event": true, "history_event_filter_type": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"}'
	|| t.next(:'close')) AS page \gset
SELECT is(t.names(:'page'), '10 WF_COMPLETED', 'S-126 close event: only that');
SELECT ok(NOT :'page'::jsonb ? 'nextPageToken', 'S-126 close event: no token');
SELECT is(t.names(t.page('126', '{"history_event_filter_type": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"}')),
	'10 WF_COMPLETED', 'S-126 close event of a closed run, not waiting');
SELECT is(t.names(t.page('126', '{"wait_new_event": true}')),
	'1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 WF_COMPLETED',
	'S-126 wait on a closed run: all of it');

-- Tokens: they pin the run, and are good for it only.
SELECT t.start('126') ->> 'runId' AS second \gset
SELECT t.page('126', jsonb_build_object('execution', t.execution('126', :'run'), 'maximum_page_size', 1)) AS page \gset
SELECT t.page('126', '{"maximum_page_size": 1}') AS current \gset
SELECT is(t.names(:'page'), '1 WF_STARTED', 'S-126 the first batch');
SELECT is(t.names(t.page('126', '{"maximum_page_size": 1}' || t.next(:'page'))),
	'2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START, 6 WF_SIGNALED',
	'S-126 a page is not less than a batch; a token pins the run, whatever is current');
SELECT t.page('126', '{"maximum_page_size": 1}' || t.next(:'current')) AS current \gset
SELECT is(t.names(:'current'), '2 WFT_SCHED', 'S-126 an event that is not stored yet has a page as well');
SELECT ok(NOT :'current'::jsonb ? 'nextPageToken', 'S-126 it is the last one');
SELECT is(t.error_of('GetWorkflowExecutionHistory', t.next(:'page') || jsonb_build_object('execution', t.execution('126', :'second'))),
	'TW300 RunId in the request does not match the NextPageToken.', 'S-126 the token of another run');
SELECT is(t.error_of('GetWorkflowExecutionHistoryReverse', t.next(:'page') || jsonb_build_object('execution', t.execution('126', :'run'))),
	'TW300 Invalid NextPageToken.', 'S-126 a token of the other direction');
SELECT is(t.error_of('GetWorkflowExecutionHistory', jsonb_build_object('execution', t.execution('126'), 'next_page_token', token)),
	'TW300 Invalid NextPageToken.', 'S-126 a token that is none')
FROM unnest('{AAAA, Z2FyYmFnZQ==}'::text[]) token;
SELECT is(left(t.error_of('GetWorkflowExecutionHistory', t.next(:'page') || jsonb_build_object('execution', t.execution('126other'))), 5),
	'TW500', 'S-126 the token of another workflow');
SELECT is(t.error_of('GetWorkflowExecutionHistory', jsonb_build_object('execution', t.execution('126other'))),
	'TW500 workflow not found for ID: 126other', 'S-126 an unknown workflow');
SELECT is(t.error_of('GetWorkflowExecutionHistory', jsonb_build_object('execution', t.execution('126', 'no uuid'))),
	'TW300 Invalid RunId.', 'S-126 a run id that is none');

-- 1000 and some events in batches of many sizes.
SELECT t.start('126long');
DO $$
BEGIN
	FOR n IN 1 .. 80 LOOP
		PERFORM t.signal('126long', 's' || n);
		PERFORM t.complete(t.poll('126long'), coalesce((SELECT jsonb_agg(m) FROM generate_series(1, n % 23),
			jsonb_array_elements(t.record_marker('m')) m), '[]'));
	END LOOP;
END $$;

CREATE FUNCTION t.pages(workflow_id text, size integer, method text DEFAULT '')
RETURNS TABLE (page integer, ids bigint[]) LANGUAGE plpgsql AS
$$
DECLARE
	answer jsonb;
	token jsonb := '{}';
BEGIN
	FOR n IN 1 .. 10000 LOOP
		answer := t.page(workflow_id, jsonb_build_object('maximum_page_size', size) || token, method);
		page := n;
		ids := array(SELECT (e ->> 'eventId')::bigint FROM jsonb_array_elements(answer #> '{history,events}')
			WITH ORDINALITY AS h (e, at) ORDER BY at);
		RETURN NEXT;
		EXIT WHEN NOT answer ? 'nextPageToken';
		token := t.next(answer);
	END LOOP;
END
$$;

SELECT (t.describe('126long') #>> '{workflowExecutionInfo,historyLength}')::bigint AS length,
	t.describe('126long') #>> '{workflowExecutionInfo,execution,runId}' AS run \gset
SELECT cmp_ok(:length, '>', 1000, 'S-126 a long history');
CREATE TABLE t.page AS SELECT size, method, p.* FROM unnest('{0, 1, 7, 100, 256, 257, 1000000, -1}'::int[]) size,
	unnest('{"", Reverse}'::text[]) method, t.pages('126long', size, method) p;
SELECT is((SELECT array_agg(id ORDER BY page, at) FROM t.page, unnest(ids) WITH ORDINALITY AS i (id, at)
		WHERE p.size = page.size AND p.method = page.method),
	CASE p.method WHEN '' THEN array(SELECT generate_series(1, :length::bigint))
		ELSE array(SELECT generate_series(:length::bigint, 1, -1)) END,
	format('S-126 pages of %s%s: complete, in order, no duplicates', p.size, ' ' || nullif(p.method, '')))
FROM (SELECT DISTINCT size, method FROM t.page) AS p ORDER BY p.size, p.method;
SELECT is((SELECT count(*) FROM t.page, LATERAL (SELECT min(id), max(id) FROM unnest(ids) id) AS p
		WHERE NOT EXISTS (SELECT FROM temporal.history WHERE run_id = :'run' AND first_event_id = p.min)
		OR NOT EXISTS (SELECT FROM temporal.history WHERE run_id = :'run' AND first_event_id + event_count - 1 = p.max)),
	0::bigint, 'S-126 pages begin and end with a batch');
SELECT is((SELECT max(cardinality(ids)) FROM t.page), (SELECT max(cardinality(ids)) FROM t.page WHERE size = 256),
	'S-126 no page is longer than 256 events allow');
SELECT cmp_ok((SELECT max(cardinality(ids)) FROM t.page), '<=', 256, 'S-126 256 events are the most of a page');
SELECT is((SELECT count(*) FROM t.page WHERE size = 1 AND method = ''),
	(SELECT count(*) FROM temporal.history WHERE run_id = :'run'), 'S-126 pages of 1 are the batches');
SELECT is((SELECT count(*) FROM t.page WHERE cardinality(ids) = 0), 0::bigint, 'S-126 no page is empty');

-- A batch larger than a page is not split either.
SELECT t.run('126wide', (SELECT jsonb_agg(m) FROM generate_series(1, 400), jsonb_array_elements(t.record_marker('m')) m));
SELECT is(array(SELECT cardinality(ids) FROM t.pages('126wide', 100)), '{1, 403}', 'S-126 a batch of 403 events');
SELECT is(array(SELECT cardinality(ids) FROM t.pages('126wide', 100, 'Reverse')), '{403, 1}', 'S-126 a batch of 403 events, reverse');

-- A poll's pages end where its task begins, whatever happens meanwhile.
SELECT t.run('126poll', '[]');
SELECT count(t.signal('126poll', 's' || n)) FROM generate_series(1, 300) n;
SELECT t.poll('126poll') AS task \gset
SELECT cmp_ok(cardinality(t.history(:'task')), '<=', 256, 'S-126 a poll''s first page');
SELECT t.complete(:'task', t.start_timer('later'));
SELECT t.page('126poll', t.next(:'task')) AS page \gset
SELECT is((t.history(:'task') || t.history(:'page'))[305:], '{305 WF_SIGNALED, 306 WFT_START}',
	'S-126 a poll''s last page ends with its task');
SELECT ok(NOT :'page'::jsonb ? 'nextPageToken', 'S-126 a poll''s last page has no token');

-- ---------------------------------------------------------------- S-127

SELECT t.rpc('RegisterNamespace', '{"namespace": "kept", "workflow_execution_retention_period": "3600s"}');
SELECT t.start('127', '{"namespace": "kept"}') ->> 'runId' AS run \gset
SELECT t.signal('127', 's', '{"namespace": "kept", "request_id": "r"}');
SELECT t.complete(t.poll('127', 'w', '{"namespace": "kept"}'), t.start_timer('t', '9000s') || t.schedule_activity('a')
	|| t.complete_workflow('1'), '{"namespace": "kept"}');
SELECT t.skip('59 min');
SELECT is(t.rpc('DescribeWorkflowExecution', jsonb_build_object('namespace', 'kept', 'execution', t.execution('127')))
	#>> '{workflowExecutionInfo,execution,runId}', :'run', 'S-127 before the retention has elapsed');
SELECT t.skip('2 min');
SELECT is(t.error_of(method, jsonb_build_object('namespace', 'kept', field, t.execution('127', run)) || more),
	'TW500 workflow not found for ID: 127', 'S-127 retention elapsed: ' || method)
FROM (VALUES ('DescribeWorkflowExecution', 'execution', '{}'::jsonb), ('GetWorkflowExecutionHistory', 'execution', '{}'),
	('GetWorkflowExecutionHistoryReverse', 'execution', '{}'),
	('SignalWorkflowExecution', 'workflow_execution', '{"signal_name": "s", "request_id": "r"}'),
	('RequestCancelWorkflowExecution', 'workflow_execution', '{}'),
	('TerminateWorkflowExecution', 'workflow_execution', '{}'),
	('DeleteWorkflowExecution', 'workflow_execution', '{}'),
	('ResetStickyTaskQueue', 'execution', '{}')) AS v (method, field, more),
	unnest(ARRAY[NULL, :'run']) AS run;

-- Every row of a run, wherever it is; but that of its explicit deletion.
CREATE FUNCTION t.rows(run_id text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	name text;
	n bigint;
	result text := '';
BEGIN
	FOR name IN SELECT c.table_name FROM information_schema.columns AS c JOIN information_schema.tables USING (table_schema, table_name)
		WHERE c.table_schema = 'temporal' AND c.column_name = 'run_id' AND table_type = 'BASE TABLE' ORDER BY 1
	LOOP
		EXECUTE format('SELECT count(*) FROM temporal.%I AS r WHERE run_id = $1 %s', name,
			CASE name WHEN 'timer' THEN 'AND kind <> 3' END) INTO n USING run_id::uuid;
		result := result || CASE WHEN n > 0 THEN name || ' ' || n || ' ' ELSE '' END;
	END LOOP;
	RETURN result;
END
$$;
SELECT is(t.rows(:'run'), '', 'S-127 retention elapsed: no row is left');
SELECT is(t.start('127', '{"namespace": "kept", "workflow_id_reuse_policy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"}')
	-> 'started', 'true', 'S-127 retention elapsed: the id is free');

-- Delete an open run.
SELECT t.start('127open') ->> 'runId' AS run \gset
SELECT t.complete(t.poll('127open'), t.schedule_activity('a') || t.start_timer('t'));
SELECT t.poll_activity('127open') AS activity \gset
SELECT is(t.rpc('DeleteWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('127open'))), '{}',
	'S-127 delete an open run');
SELECT t.history_is('127open', 'P, 5 ACT_SCHED, 6 TIMER_START, 7 WF_TERMINATED', 'S-127 an open run is terminated');
SELECT t.event_has('127open', 7, '{"reason": "Delete workflow execution", "identity": "history-service"}', 'S-127 why it ended');
SELECT t.check('127open');
SELECT is(t.rpc('DeleteWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('127open'))), '{}',
	'S-127 delete it once more');
SELECT t.tick();
SELECT is(t.error_of('DescribeWorkflowExecution', jsonb_build_object('execution', t.execution('127open', run))),
	'TW500 workflow not found for ID: 127open', 'S-127 then it is gone')
FROM unnest(ARRAY[NULL, :'run']) AS run;
SELECT is(t.error_of('RespondActivityTaskCompleted', t.activity_request(:'activity')),
	'TW503 invalid activityID or activity already timed out or invoking workflow is completed',
	'S-127 its activity''s worker is told so');
SELECT is(t.rows(:'run'), '', 'S-127 then no row is left');
SELECT is(t.error_of('DeleteWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('127open'))),
	'TW500 workflow not found for ID: 127open', 'S-127 delete what is gone');

-- Delete a closed old run.
SELECT t.start('127old') ->> 'runId' AS run \gset
SELECT t.terminate('127old');
SELECT t.start('127old') ->> 'runId' AS current \gset
SELECT t.rpc('DeleteWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('127old', :'run')));
SELECT t.tick();
SELECT is(t.error_of('DescribeWorkflowExecution', jsonb_build_object('execution', t.execution('127old', :'run'))),
	'TW500 workflow not found for ID: 127old', 'S-127 a closed old run is gone');
SELECT is(t.rows(:'run'), '', 'S-127 no row of it is left');
SELECT is(t.describe('127old') #>> '{workflowExecutionInfo,execution,runId}', :'current', 'S-127 the current run is untouched');
SELECT t.history_is('127old', '1 WF_STARTED, 2 WFT_SCHED', 'S-127 the current run goes on');
SELECT t.check('127old');
-- and a closed current run
SELECT t.terminate('127old');
SELECT t.rpc('DeleteWorkflowExecution', jsonb_build_object('workflow_execution', t.execution('127old')));
SELECT t.tick();
SELECT is(t.error_of('DescribeWorkflowExecution', jsonb_build_object('execution', t.execution('127old'))),
	'TW500 workflow not found for ID: 127old', 'S-127 a closed current run is gone');
SELECT is(t.rows(:'current'), '', 'S-127 no row of that is left');
SELECT is(t.start('127old', '{"workflow_id_reuse_policy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"}') -> 'started', 'true',
	'S-127 its id is free');

SELECT * FROM finish();
ROLLBACK;
