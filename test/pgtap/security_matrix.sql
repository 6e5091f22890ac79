-- Who may do what: every function, method, view and table against four rights
-- and a role without any.
--
-- The roles have their right in namespace ours; the worker has it for task
-- queue q1 only.  Each statement is tried three times: on ours and q1, on ours
-- and q2, on namespace theirs.  What is new and not written down here fails
-- the test: give it the right it needs, and a statement that shows it.
--
-- Procedures commit, so they are called last and by other sessions, and this
-- file is not one transaction.
\set QUIET on
SET client_min_messages = error;

SELECT no_plan();
CREATE EXTENSION dblink;
CREATE SCHEMA m;

-- Letters: c client, w worker of q1, v viewer, a admin.  Nobody else, ever.
CREATE TABLE m.rights ("right" text, q1 text, q2 text, theirs text);
INSERT INTO m.rights VALUES
	--           ours, q1  ours, q2  theirs
	('none',     'acvw',   'acvw',   'acvw'),	-- reveals nothing
	('any',      'acvw',   'acvw',   ''),
	('view',     'acv',    'acv',    ''),
	('run',      'acvw',   'acv',    ''),		-- viewers, and workers of the run's queue
	('sticky',   'acw',    'ac',     ''),		-- clients, and workers of the run's queue
	('client',   'ac',     'ac',     ''),
	('worker',   'aw',     'a',      ''),
	('works',    'aw',     'aw',     'aw'),		-- of any queue, and does what it may
	('admin',    'a',      'a',      ''),
	('owner',    '',       '',       '');		-- administrators of all namespaces

-- A statement is tried as it is; a result of false means no.  "answer" is what
-- whoever may call it gets instead of a result.
CREATE TABLE m.statements (
	kind text NOT NULL,
	name text NOT NULL,
	"right" text NOT NULL,
	statement text NOT NULL,
	answer text,
	UNIQUE (kind, name, statement));

INSERT INTO m.statements
SELECT 'function', s.name, s."right",
	CASE WHEN s.call LIKE 'CALL %' THEN format('DO $do$ DECLARE result jsonb; found boolean; BEGIN %s; END $do$', s.call)
		WHEN s.call LIKE 'SELECT %' THEN s.call ELSE 'SELECT temporal.' || s.call END,
	s.answer
FROM (VALUES
	-- what only computes
	('encode_payload', 'none', $$encode_payload('1')$$, NULL),
	('encode_payloads', 'none', $$encode_payloads('1', NULL)$$, NULL),
	('encode_fields', 'none', $$encode_fields('{"a": 1}')$$, NULL),
	('decode_payloads', 'none', $$decode_payloads('[]')$$, NULL),
	('duration', 'none', $$duration('1 s')$$, NULL),
	('start_request', 'none', $$start_request('t')$$, NULL),
	('decode', 'none', $$decode('temporal.api.common.v1.Memo', '')$$, NULL),
	('decode_values', 'none', $$decode_values('')$$, NULL),
	('decode_events', 'none', $$decode_events('', '00000000-0000-0000-0000-000000000000', '', '')$$, NULL),
	('decode_kept_events', 'none', $$decode_kept_events('', '')$$, NULL),
	('stored_event', 'none', $$stored_event('', 5)$$, NULL),
	('decode_time', 'none', $$decode_time(1)$$, NULL),
	('decode_activity', 'none', $$decode_activity('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 5, '', '')$$, NULL),
	('enum_name', 'none', $$enum_name('EventType', 1)$$, NULL),
	('queue_id', 'none', $$queue_id('<ns id>', 1, '<q>')$$, NULL),
	('adopted', 'none', $$adopted()$$, NULL),
	('preloaded', 'none', $$preloaded()$$, NULL),
	('library_version', 'none', $$library_version()$$, NULL),
	('stat_workers', 'none', $$stat_workers()$$, NULL),
	('stat_frontend', 'none', $$stat_frontend()$$, NULL),
	('stat_rpc', 'none', $$stat_rpc()$$, NULL),
	-- clients
	('start_workflow', 'client', $$start_workflow('t', namespace => '<ns>', task_queue => '<q>')$$, NULL),
	('start_workflow_run', 'client', $$start_workflow_run('t', namespace => '<ns>', task_queue => '<q>')$$, NULL),
	('signal_workflow', 'client', $$signal_workflow('open <q>', 's', namespace => '<ns>')$$, NULL),
	('signal_with_start_workflow', 'client',
		$$signal_with_start_workflow('s', 't', workflow_id => 'open <q>', namespace => '<ns>')$$, NULL),
	('cancel_workflow', 'client', $$cancel_workflow('open <q>', namespace => '<ns>')$$, NULL),
	('terminate_workflow', 'client', $$terminate_workflow('open <q>', namespace => '<ns>')$$, NULL),
	('execute_workflow', 'client',
		$$CALL temporal.execute_workflow('t', namespace => '<ns>', task_queue => '<q>', timeout => '0', result => result)$$,
		'TW902'),
	-- readers
	('failure_text', 'none', $$failure_text('{}')$$, NULL),
	('timeline', 'view', $$timeline('open <q>', namespace => '<ns>')$$, NULL),
	('describe_workflow', 'view', $$describe_workflow('open <q>', namespace => '<ns>')$$, NULL),
	('history', 'run', $$history('open <q>', namespace => '<ns>')$$, NULL),
	('workflow_result', 'run', $$workflow_result('closed <q>', namespace => '<ns>')$$, NULL),
	('await_result', 'run', $$CALL temporal.await_result('closed <q>', namespace => '<ns>', result => result)$$, NULL),
	('readable_namespaces', 'view', $$SELECT '<ns id>' = ANY (temporal.readable_namespaces())$$, NULL),
	('stat_pollers', 'view', $$SELECT EXISTS (SELECT FROM temporal.stat_pollers() WHERE identity = 'poller <ns>')$$, NULL),
	('status', 'view', $$SELECT EXISTS (SELECT FROM temporal.status() WHERE detail LIKE '%trouble in <ns>')$$, NULL),
	-- workers
	('poll_workflow_task', 'worker', $$SELECT temporal.poll_workflow_task('<q>', namespace => '<ns>') IS NOT NULL$$, NULL),
	('complete_workflow_task', 'worker', $$complete_workflow_task('<workflow token>')$$, NULL),
	('fail_workflow_task', 'worker', $$fail_workflow_task('<workflow token>', 'no')$$, NULL),
	('poll_activity_tasks', 'worker',
		$$SELECT EXISTS (SELECT FROM temporal.poll_activity_tasks('<q>', namespace => '<ns>'))$$, NULL),
	('complete_activity_task', 'worker', $$complete_activity_task('<activity token>')$$, NULL),
	('fail_activity_task', 'worker', $$fail_activity_task('<activity token>', 'no', namespace => '<ns>')$$, NULL),
	('cancel_activity_task', 'worker', $$cancel_activity_task('<cancelled token>', namespace => '<ns>')$$, NULL),
	('heartbeat_activity_task', 'worker', $$heartbeat_activity_task('<activity token>', namespace => '<ns>')$$, NULL),
	('complete_activity', 'worker', $$complete_activity('open <q>', 'activity', namespace => '<ns>')$$, NULL),
	('fail_activity', 'worker', $$fail_activity('open <q>', 'activity', 'no', namespace => '<ns>')$$, NULL),
	('cancel_activity', 'worker', $$cancel_activity('open <q>', 'cancelled', namespace => '<ns>')$$, NULL),
	('listen', 'worker', $$listen('<q>', namespace => '<ns>')$$, NULL),
	('wait_for_task', 'worker',
		$$CALL temporal.wait_for_task('<q>', timeout => '0', namespace => '<ns>', found => found)$$, NULL),
	('work', 'worker',
		$$CALL temporal.work('<q>', 'public.matrix_handler', idle_timeout => '0', namespace => '<ns>')$$, NULL),
	('register_workflow', 'worker',
		$$register_workflow('public.' || current_user, 'mine', '<q>', '<ns>')$$, NULL),
	('register_activity', 'worker',
		$$register_activity('public.' || current_user, 'mine', '<q>', '<ns>')$$, NULL),
	('unregister_workflow', 'worker', $$SELECT temporal.unregister_workflow('mine', '<ns>')
		FROM temporal.register_workflow('public.' || current_user, 'mine', '<q>', '<ns>')$$, NULL),
	('unregister_activity', 'worker', $$SELECT temporal.unregister_activity('mine', '<ns>')
		FROM temporal.register_activity('public.' || current_user, 'mine', '<q>', '<ns>')$$, NULL),
	('workflow_queue', 'any', $$SELECT temporal.workflow_queue('registered <q>', '<ns>') = 'served'$$, NULL),
	('replay', 'run', $$SELECT temporal.replay('public.' || current_user, 'open <q>', namespace => '<ns>') IS NOT NULL$$, NULL),
	('mock_activity', 'none', $$mock_activity('a')$$, NULL),
	('skip_time', 'owner', $$skip_time('1 s')$$, NULL),
	-- in workflow functions only
	('step', 'none', $$step('s', 'SELECT 1')$$, '55000'),
	('step', 'none', $$step('s', 'SELECT $1', 1)$$, '55000'),
	('retry_steps', 'none', $$retry_steps()$$, '55000'),
	('execute_local_activity', 'none', $$execute_local_activity('a')$$, '55000'),
	('workflow_info', 'none', $$workflow_info()$$, '55000'),
	('patched', 'none', $$patched('p')$$, '55000'),
	('upsert_search_attributes', 'none', $$upsert_search_attributes('{}')$$, '55000'),
	('upsert_memo', 'none', $$upsert_memo('{}')$$, '55000'),
	('compensate', 'none', $$compensate('a')$$, '55000'),
	('next_compensation', 'none', $$next_compensation()$$, '55000'),
	('run_compensations', 'none', $$run_compensations()$$, '55000'),
	('activity_info', 'none', $$activity_info()$$, '55000'),
	('heartbeat', 'none', $$heartbeat()$$, '55000'),
	('complete_later', 'none', $$complete_later()$$, '55000'),
	('fail', 'none', $$fail('m')$$, 'TF010'),
	('execute_activity', 'none', $$execute_activity('a')$$, '55000'),
	('start_activity', 'none', $$start_activity('a')$$, '55000'),
	('await', 'none', $$await(1)$$, '55000'),
	('await_all', 'none', $$await_all('{1}')$$, '55000'),
	('await_any', 'none', $$await_any('{1}')$$, '55000'),
	('cancel_handle', 'none', $$cancel_handle(1)$$, '55000'),
	('sleep', 'none', $$sleep('1 s')$$, '55000'),
	('start_timer', 'none', $$start_timer('1 s')$$, '55000'),
	('await_signal', 'none', $$await_signal('s')$$, '55000'),
	('await_signals', 'none', $$await_signals('{s}')$$, '55000'),
	('expect_signal', 'none', $$expect_signal('s')$$, '55000'),
	('side_effect', 'none', $$side_effect(1)$$, '55000'),
	('poll_signal', 'none', $$poll_signal('s')$$, '55000'),
	('workflow_now', 'none', $$workflow_now()$$, '55000'),
	('workflow_random', 'none', $$workflow_random()$$, '55000'),
	('workflow_uuid', 'none', $$workflow_uuid()$$, '55000'),
	('is_cancelled', 'none', $$is_cancelled()$$, '55000'),
	-- administrators of a namespace
	('delete_workflow', 'admin', $$delete_workflow('open <q>', namespace => '<ns>')$$, NULL),
	('pause_activity', 'admin', $$pause_activity('open <q>', 'activity', namespace => '<ns>')$$, NULL),
	('unpause_activity', 'admin', $$unpause_activity('open <q>', 'activity', namespace => '<ns>')$$, NULL),
	('reset_activity', 'admin', $$reset_activity('open <q>', 'activity', namespace => '<ns>')$$, NULL),
	('update_namespace', 'admin', $$update_namespace('<ns>', description => 'x')$$, NULL),
	('grant_usage', 'admin', $$grant_usage('matrix_viewer', '<ns>', 'admin')$$, NULL),
	('revoke_usage', 'admin', $$revoke_usage('matrix_viewer', '<ns>')$$, NULL),
	('add_search_attribute', 'admin', $$add_search_attribute('new', 'Text', namespace => '<ns>')$$, NULL),
	('remove_search_attribute', 'admin', $$remove_search_attribute('attribute', namespace => '<ns>')$$, NULL),
	-- administrators of the database
	('register_namespace', 'owner', $$register_namespace('new')$$, NULL),
	('tick', 'works', $$tick()$$, NULL),
	('run', 'works', $$CALL temporal.run('0')$$, NULL),
	('adopt', 'owner', $$adopt()$$, NULL),
	('create_api_key', 'owner', $$create_api_key('matrix_viewer')$$, NULL),
	('revoke_api_key', 'owner', $$revoke_api_key('none')$$, NULL),
	('api_keys', 'owner', $$api_keys()$$, NULL),
	-- by method, below
	('rpc', 'none', $$rpc('GetSystemInfo')$$, NULL)
) s (name, "right", call, answer);

INSERT INTO m.statements
SELECT 'method', s.name, s."right",
	CASE WHEN s.request LIKE 'SELECT %' THEN s.request ELSE format('SELECT temporal.rpc(%L, %L)', s.name, s.request) END
FROM (VALUES
	('GetClusterInfo', 'none', '{}'),
	('GetSystemInfo', 'none', '{}'),
	('GetSearchAttributes', 'none', '{}'),
	('DescribeNamespace', 'any', '{"namespace": "<ns>"}'),
	('ListNamespaces', 'any', $$SELECT temporal.rpc('ListNamespaces') @? '$.namespaces.namespaceInfo.name ? (@ == "<ns>")'$$),

	('DescribeTaskQueue', 'view', '{"namespace": "<ns>", "taskQueue": {"name": "<q>"}}'),
	('DescribeWorkflowExecution', 'view', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}}'),
	('GetWorkflowExecutionHistory', 'run', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}}'),
	('GetWorkflowExecutionHistoryReverse', 'run', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}}'),
	('ListTaskQueuePartitions', 'view', '{"namespace": "<ns>", "taskQueue": {"name": "<q>"}}'),
	('ListSearchAttributes', 'view', '{"namespace": "<ns>"}'),

	('StartWorkflowExecution', 'client',
		'{"namespace": "<ns>", "workflowId": "new", "workflowType": {"name": "t"}, "taskQueue": {"name": "<q>"}}'),
	('SignalWithStartWorkflowExecution', 'client',
		'{"namespace": "<ns>", "workflowId": "new", "workflowType": {"name": "t"}, "taskQueue": {"name": "<q>"},
			"signalName": "s"}'),
	('SignalWorkflowExecution', 'client',
		'{"namespace": "<ns>", "workflowExecution": {"workflowId": "open <q>"}, "signalName": "s"}'),
	('RequestCancelWorkflowExecution', 'client',
		'{"namespace": "<ns>", "workflowExecution": {"workflowId": "open <q>"}}'),
	('TerminateWorkflowExecution', 'client',
		'{"namespace": "<ns>", "workflowExecution": {"workflowId": "open <q>"}}'),

	('PollActivityTaskQueue', 'worker',
		$$SELECT temporal.rpc('PollActivityTaskQueue', '{"namespace": "<ns>", "taskQueue": {"name": "<q>"}}') <> '{}'$$),
	('PollWorkflowTaskQueue', 'worker',
		$$SELECT temporal.rpc('PollWorkflowTaskQueue', '{"namespace": "<ns>", "taskQueue": {"name": "<q>"}}') <> '{}'$$),
	('RecordActivityTaskHeartbeat', 'worker', '{"taskToken": "<activity token>"}'),
	('RecordActivityTaskHeartbeatById', 'worker',
		'{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('RespondActivityTaskCompleted', 'worker', '{"taskToken": "<activity token>"}'),
	('RespondActivityTaskCompletedById', 'worker',
		'{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('RespondActivityTaskFailed', 'worker', '{"taskToken": "<activity token>"}'),
	('RespondActivityTaskFailedById', 'worker',
		'{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('RespondActivityTaskCanceled', 'worker', '{"taskToken": "<cancelled token>"}'),
	('RespondActivityTaskCanceledById', 'worker',
		'{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "cancelled"}'),
	('RespondWorkflowTaskCompleted', 'worker', '{"taskToken": "<workflow token>"}'),
	('RespondWorkflowTaskFailed', 'worker', '{"taskToken": "<workflow token>"}'),
	('ShutdownWorker', 'worker', '{"namespace": "<ns>", "taskQueue": "<q>"}'),
	('ResetStickyTaskQueue', 'sticky', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}}'),

	('AddSearchAttributes', 'admin', '{"namespace": "<ns>", "searchAttributes": {"new": "INDEXED_VALUE_TYPE_TEXT"}}'),
	('RemoveSearchAttributes', 'admin', '{"namespace": "<ns>", "searchAttributes": ["attribute"]}'),
	('DeleteWorkflowExecution', 'admin', '{"namespace": "<ns>", "workflowExecution": {"workflowId": "open <q>"}}'),
	('PauseActivity', 'admin', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}, "id": "activity"}'),
	('UnpauseActivity', 'admin', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}, "id": "activity"}'),
	('ResetActivity', 'admin', '{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}, "id": "activity"}'),
	('PauseActivityExecution', 'admin', '{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('UnpauseActivityExecution', 'admin', '{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('ResetActivityExecution', 'admin', '{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity"}'),
	('UpdateActivityExecutionOptions', 'admin',
		'{"namespace": "<ns>", "workflowId": "open <q>", "activityId": "activity",
			"activityOptions": {"startToCloseTimeout": "9s"}, "updateMask": "startToCloseTimeout"}'),
	('UpdateActivityOptions', 'admin',
		'{"namespace": "<ns>", "execution": {"workflowId": "open <q>"}, "id": "activity",
			"activityOptions": {"startToCloseTimeout": "9s"}, "updateMask": "startToCloseTimeout"}'),
	('UpdateNamespace', 'admin', '{"namespace": "<ns>", "updateInfo": {"description": "x"}}'),

	('RegisterNamespace', 'owner', '{"namespace": "new", "workflowExecutionRetentionPeriod": "86400s"}')
) s (name, "right", request);

INSERT INTO m.statements
SELECT 'relation', s.name, s."right", format('SELECT EXISTS (SELECT FROM temporal.%s WHERE %s)', s.name, s.condition)
FROM (VALUES
	('namespace', 'view', $$id = '<ns id>'$$),
	('search_attribute', 'view', $$namespace_id = '<ns id>'$$),
	('current_execution', 'view', $$namespace_id = '<ns id>'$$),
	('execution', 'view', $$namespace_id = '<ns id>'$$),
	('execution_state', 'view', $$namespace_id = '<ns id>'$$),
	('pending_activity', 'view', $$namespace_id = '<ns id>'$$),
	('pending_timer', 'view', $$namespace_id = '<ns id>'$$),
	('pending_external', 'view', $$namespace_id = '<ns id>'$$),
	('buffered_event', 'view', $$namespace_id = '<ns id>'$$),
	('history', 'view', $$namespace_id = '<ns id>'$$),
	('task', 'view', $$namespace_id = '<ns id>'$$),
	('timer', 'view', $$namespace_id = '<ns id>'$$),
	('outbox', 'view', $$namespace_id = '<ns id>'$$),
	('registration', 'view', $$namespace_id = '<ns id>'$$),
	('access', 'owner', $$namespace_id = '<ns id>'$$),
	('instance', 'owner', $$true$$),
	('credential', 'owner', $$true$$),
	('signal_request', 'owner', $$namespace_id = '<ns id>'$$),
	('namespaces', 'view', $$name = '<ns>'$$),
	('workflows', 'view', $$namespace = '<ns>'$$),
	('events', 'view', $$namespace = '<ns>'$$),
	('pending_activities', 'view', $$namespace = '<ns>'$$),
	('pending_timers', 'view', $$namespace = '<ns>'$$),
	('task_queues', 'view', $$namespace = '<ns>'$$),
	('registrations', 'view', $$namespace = '<ns>'$$)
) s (name, "right", condition);

-- ---------------------------------------------------------------- completeness

SELECT bag_eq($$SELECT name FROM m.statements WHERE kind = 'function'$$,
	$$SELECT proname::text FROM pg_proc WHERE pronamespace = 'temporal'::regnamespace$$,
	'every function is in the matrix');
SELECT bag_eq($$SELECT name FROM m.statements WHERE kind = 'relation'$$,
	$$SELECT relname::text FROM pg_class WHERE relnamespace = 'temporal'::regnamespace
		AND relkind NOT IN ('i', 'I', 't', 'c')$$,
	'every table and view is in the matrix');
\set methods `sed -n 's/^.METHOD(\([A-Za-z]*\),.*/\1/p' src/service/registry.c | sort`
SELECT bag_eq($$SELECT name FROM m.statements WHERE kind = 'method'$$,
	string_to_array(:'methods', e'\n'), 'every method is in the matrix');

-- -------------------------------------------------------------------- fixtures

CREATE ROLE matrix_nobody LOGIN;
CREATE ROLE matrix_client LOGIN;
CREATE ROLE matrix_worker LOGIN;
CREATE ROLE matrix_viewer LOGIN;
CREATE ROLE matrix_admin LOGIN;
DO $$
DECLARE
	role name;
BEGIN
	FOR role IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'matrix\_%' LOOP
		EXECUTE format('CREATE FUNCTION public.%I() RETURNS text LANGUAGE sql AS %L', role, 'SELECT ''x''');
		EXECUTE format('ALTER FUNCTION public.%I() OWNER TO %I', role, role);
	END LOOP;
END
$$;
CREATE FUNCTION matrix_handler(task jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT task';

SELECT temporal.register_namespace(n) FROM unnest(ARRAY['ours', 'theirs']) n \g (format=unaligned tuples_only) /dev/null
SELECT temporal.grant_usage('matrix_client', 'ours', 'client'), temporal.grant_usage('matrix_worker', 'ours', 'worker', 'q1'),
	temporal.grant_usage('matrix_viewer', 'ours', 'viewer'), temporal.grant_usage('matrix_admin', 'ours', 'admin') \g /dev/null

-- Of each namespace and queue: ids and tokens.
CREATE TABLE m.places (place text, ns text, q text, "ns id" text, "workflow token" text, "activity token" text,
	"cancelled token" text);

CREATE FUNCTION m.command(name text, attributes jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_array(jsonb_build_object('commandType', 'COMMAND_TYPE_' || upper(regexp_replace(name, '([A-Z])', '_\1', 'g')),
	name || 'CommandAttributes', attributes)) $$;

CREATE FUNCTION m.schedule(activity text, queue text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT m.command('scheduleActivityTask', jsonb_build_object('activityId', activity, 'activityType', '{"name": "a"}'::jsonb,
	'taskQueue', jsonb_build_object('name', queue), 'startToCloseTimeout', '1000s')) $$;

-- "open" has two started activities, one of them cancelled, a timer, a started
-- workflow task and a buffered signal; other workflows leave tasks that nobody
-- has taken.
CREATE FUNCTION m.make_place(place text, ns text, q text) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	ns_id uuid := (SELECT id FROM temporal.namespace WHERE name = ns);
	run uuid;
	token text;
	activity record;
	task jsonb;
	tokens jsonb := '{}';
BEGIN
	FOR workflow IN 1 .. 3 LOOP
		run := (temporal.start_workflow_run('t', workflow_id => (ARRAY['open ', 'closed ', 'waiting '])[workflow] || q,
			namespace => ns, task_queue => q)).run_id;
		token := temporal.poll_workflow_task(q, namespace => ns, identity => 'poller ' || ns) ->> 'taskToken';
		CASE workflow
		WHEN 1 THEN
			PERFORM temporal.complete_workflow_task(token, namespace => ns,
				commands => m.schedule('activity', q) || m.schedule('cancelled', q)
					|| m.command('startTimer', '{"timerId": "t", "startToFireTimeout": "1000s"}'));
			FOR activity IN SELECT * FROM temporal.poll_activity_tasks(q, namespace => ns, max_tasks => 2) LOOP
				tokens := tokens || jsonb_build_object(activity.activity_id, activity.task_token);
			END LOOP;
			PERFORM temporal.signal_workflow('open ' || q, 's', namespace => ns);
			task := temporal.poll_workflow_task(q, namespace => ns);
			PERFORM temporal.complete_workflow_task(task ->> 'taskToken', namespace => ns,
				commands => m.command('requestCancelActivityTask', '{"scheduledEventId": 6}'));
			PERFORM temporal.signal_workflow('open ' || q, 's', namespace => ns);
			tokens := tokens || jsonb_build_object('workflow',
				temporal.poll_workflow_task(q, namespace => ns) ->> 'taskToken');
			PERFORM temporal.signal_workflow('open ' || q, 's', namespace => ns, request_id => 'r');
			INSERT INTO temporal.pending_external VALUES (0, ns_id, run, 99, 1, 'r');
			INSERT INTO temporal.outbox VALUES (0, '2100-01-01', run, 99, ns_id, 1, 1, 'trouble in ' || ns, '');
		WHEN 2 THEN
			PERFORM temporal.complete_workflow_task(token, namespace => ns,
				commands => m.command('completeWorkflowExecution', '{"result": [1]}'));
		WHEN 3 THEN
			-- A task whose poll is undone has to wait before it is tried again.
			PERFORM temporal.complete_workflow_task(token, namespace => ns, commands => m.schedule('1', q)
				|| m.schedule('2', q) || m.schedule('3', q) || m.schedule('4', q) || m.schedule('5', q));
		END CASE;
	END LOOP;
	PERFORM temporal.start_workflow('t', namespace => ns, task_queue => q);
	INSERT INTO temporal.search_attribute VALUES (ns_id, 'attribute', 1) ON CONFLICT DO NOTHING;
	INSERT INTO temporal.registration VALUES (ns_id, 1, 'registered ' || q, 'served', 'postgres', 'public', 'f', '{}', true, false, '');
	INSERT INTO m.places VALUES (place, ns, q, ns_id, tokens ->> 'workflow', tokens ->> 'activity', tokens ->> 'cancelled');
END
$$;
SELECT m.make_place('q1', 'ours', 'q1'), m.make_place('q2', 'ours', 'q2'), m.make_place('theirs', 'theirs', 'q1') \g /dev/null
SELECT is(count("cancelled token"), 3::bigint, 'the fixtures are complete') FROM m.places;

-- ------------------------------------------------------------------ the matrix

CREATE FUNCTION m.connection() RETURNS text LANGUAGE sql AS
$$ SELECT format('host=%s port=%s dbname=%s user=postgres', split_part(current_setting('unix_socket_directories'), ',', 1),
	current_setting('port'), current_database()) $$;
SELECT dblink_connect(rolname, m.connection()), dblink_exec(rolname, 'SET client_min_messages = error'),
	dblink_exec(rolname, 'SET SESSION AUTHORIZATION ' || rolname)
FROM pg_roles WHERE rolname LIKE 'matrix%' \g /dev/null

-- 'yes', 'no', or the unexpected error.  What was done is undone.
CREATE FUNCTION m.try(role text, statement text, answer text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	IF statement LIKE 'DO %' THEN
		PERFORM dblink_exec(role, statement);
	ELSE
		EXECUTE format('SET LOCAL ROLE %I', role);
		EXECUTE statement INTO result;
		RAISE EXCEPTION USING ERRCODE = 'UNDO1', MESSAGE = CASE WHEN result = 'false' THEN 'no' ELSE 'yes' END;
	END IF;
	RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE
		WHEN SQLSTATE = 'UNDO1' THEN SQLERRM
		WHEN SQLSTATE = answer THEN 'yes'
		-- Insufficient privilege; permission denied; the namespace is not found.
		WHEN SQLSTATE IN ('42501', 'TW700', 'TW501') THEN 'no'
		ELSE SQLSTATE || ' ' || SQLERRM END;
END
$$;

-- The letters of those who may, and errors.
CREATE FUNCTION m.who_may(s m.statements, p m.places) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(CASE r.outcome WHEN 'yes' THEN r.letter WHEN 'no' THEN '' ELSE format(' %s (%s)', r.letter, r.outcome) END,
		'' ORDER BY r.letter), '')
	FROM (SELECT substr(rolname, 8, 1) AS letter,
			m.try(rolname, replace(replace(replace(replace(replace(replace(s.statement, '<ns>', p.ns), '<q>', p.q),
				'<ns id>', p."ns id"), '<workflow token>', p."workflow token"), '<activity token>', p."activity token"),
				'<cancelled token>', p."cancelled token"), s.answer) AS outcome
		FROM pg_roles WHERE rolname LIKE 'matrix\_%') r
$$;

SELECT is(format('%s | %s | %s',
		(SELECT m.who_may(s, p) FROM m.places p WHERE place = 'q1'),
		(SELECT m.who_may(s, p) FROM m.places p WHERE place = 'q2'),
		(SELECT m.who_may(s, p) FROM m.places p WHERE place = 'theirs')),
	format('%s | %s | %s', r.q1, r.q2, r.theirs), format('%s %s: %s', s.kind, s.name, s."right"))
FROM m.statements s LEFT JOIN m.rights r USING ("right")
ORDER BY s.statement LIKE 'DO %', s.kind, s.name;

SELECT dblink_disconnect(rolname) FROM pg_roles WHERE rolname LIKE 'matrix\_%' \g /dev/null
SELECT * FROM finish();

DROP OWNED BY matrix_nobody, matrix_client, matrix_worker, matrix_viewer, matrix_admin;
DROP ROLE matrix_nobody, matrix_client, matrix_worker, matrix_viewer, matrix_admin;
