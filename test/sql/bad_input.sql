-- Whatever a client sends: a clear error of class TW, and nothing has changed.
-- Shown is "SQLSTATE message. Detail" of what is refused, else the answer.
\set QUIET on
\pset format unaligned
\pset tuples_only on
BEGIN;
SET LOCAL client_min_messages = error;
CREATE EXTENSION temporal_test;

CREATE FUNCTION pg_temp.try(method text, request jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
	detail text;
BEGIN
	answer := temporal.rpc(method, request);
	IF answer ? 'error' THEN
		RETURN format('%s %s', answer #>> '{error,sqlstate}', answer #>> '{error,message}');
	END IF;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws('. ', sqlstate || ' ' || rtrim(sqlerrm, '.'), nullif(detail, ''));
END $$;

CREATE FUNCTION pg_temp.try_sql(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE statement INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws('. ', sqlstate || ' ' || rtrim(sqlerrm, '.'), nullif(detail, ''));
END $$;

-- How many rows there are, by table.
CREATE FUNCTION pg_temp.rows() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	n bigint;
	result text;
BEGIN
	FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'temporal'::regnamespace AND relkind = 'r'
		ORDER BY relname COLLATE "C"
	LOOP
		EXECUTE format('SELECT count(*) FROM temporal.%I', name) INTO n;
		result := concat_ws(', ', nullif(result, ''), CASE WHEN n > 0 THEN name || ' ' || n END);
	END LOOP;
	RETURN result;
END $$;

CREATE FUNCTION pg_temp.starting(id text, options jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('namespace', 'default', 'workflow_id', id,
		'workflow_type', '{"name": "T"}'::jsonb, 'task_queue', '{"name": "q"}'::jsonb) || options)
$$;

CREATE FUNCTION pg_temp.start(options jsonb) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.try('StartWorkflowExecution', pg_temp.starting('w', options)) $$;

-- A call about an open run "open" or its activity "a".
CREATE FUNCTION pg_temp.call(method text, options jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.try(method, jsonb_strip_nulls('{"namespace": "default"}' ||
		CASE WHEN method IN ('GetWorkflowExecutionHistory', 'GetWorkflowExecutionHistoryReverse',
				'DescribeWorkflowExecution', 'PauseActivity', 'UnpauseActivity', 'ResetActivity',
				'UpdateActivityOptions', 'ResetStickyTaskQueue')
			THEN '{"execution": {"workflow_id": "open"}}'
			WHEN method IN ('SignalWorkflowExecution', 'RequestCancelWorkflowExecution',
				'TerminateWorkflowExecution', 'DeleteWorkflowExecution')
			THEN '{"workflow_execution": {"workflow_id": "open"}}'::jsonb
			WHEN method LIKE '%ById' THEN '{"workflow_id": "open", "activity_id": "a"}'
			ELSE '{}' END || options))
$$;

-- A poll without its task; the task goes to the variable.
CREATE FUNCTION pg_temp.poll(kind text, queue text DEFAULT 'q', namespace text DEFAULT 'default') RETURNS jsonb LANGUAGE sql AS $$
	SELECT temporal.rpc('Poll' || kind || 'TaskQueue', jsonb_build_object('namespace', namespace,
		'task_queue', jsonb_build_object('name', queue))) -> 'taskToken'
$$;


--
-- Every method with nothing
--

CREATE TEMP TABLE method AS SELECT unnest(string_to_array(
	'AddSearchAttributes CountSchedules CountWorkflowExecutions CreateSchedule DeleteNamespace DeleteSchedule '
	'DeleteWorkflowExecution DescribeBatchOperation DescribeNamespace DescribeSchedule DescribeTaskQueue '
	'DescribeWorkflowExecution ExecuteMultiOperation GetClusterInfo GetSearchAttributes GetSystemInfo '
	'GetWorkflowExecutionHistory GetWorkflowExecutionHistoryReverse ListBatchOperations '
	'ListClosedWorkflowExecutions ListNamespaces ListOpenWorkflowExecutions ListScheduleMatchingTimes '
	'ListSchedules ListSearchAttributes ListTaskQueuePartitions ListWorkflowExecutions PatchSchedule '
	'PauseActivity PauseActivityExecution PauseWorkflowExecution PollActivityTaskQueue '
	'PollWorkflowExecutionUpdate PollWorkflowTaskQueue QueryWorkflow RecordActivityTaskHeartbeat '
	'RecordActivityTaskHeartbeatById RegisterNamespace RemoveSearchAttributes RequestCancelWorkflowExecution '
	'ResetActivity ResetActivityExecution ResetStickyTaskQueue ResetWorkflowExecution RespondActivityTaskCanceled '
	'RespondActivityTaskCanceledById RespondActivityTaskCompleted RespondActivityTaskCompletedById '
	'RespondActivityTaskFailed RespondActivityTaskFailedById RespondQueryTaskCompleted '
	'RespondWorkflowTaskCompleted RespondWorkflowTaskFailed ScanWorkflowExecutions ShutdownWorker '
	'SignalWithStartWorkflowExecution SignalWorkflowExecution StartBatchOperation StartWorkflowExecution '
	'StopBatchOperation TerminateWorkflowExecution UnpauseActivity UnpauseActivityExecution '
	'UnpauseWorkflowExecution UpdateActivityExecutionOptions UpdateActivityOptions UpdateNamespace '
	'UpdateSchedule UpdateTaskQueueConfig UpdateWorkflowExecution UpdateWorkflowExecutionOptions', ' ')) AS name;

-- those that need nothing, and those that fail in another way than they may
SELECT name FROM method WHERE pg_temp.try(name, '{}') !~ '^TW' ORDER BY name;
SELECT name, pg_temp.try(name, '{}') FROM method WHERE pg_temp.try(name, '{}') !~ '^(TW[39C]|\{)';
-- those that need no more than a namespace
SELECT name FROM method WHERE pg_temp.try(name, '{"namespace": "default"}') !~ '^TW' ORDER BY name;
SELECT name, pg_temp.try(name, '{"namespace": "default"}') FROM method
WHERE pg_temp.try(name, '{"namespace": "default"}') !~ '^(TW[39C]|\{)';
-- those that do not say which namespace does not exist
SELECT name, pg_temp.try(name, '{"namespace": "nowhere"}') FROM method
WHERE pg_temp.try(name, '{"namespace": "nowhere"}') !~ '^(TW501 Namespace nowhere is not found$|TWC00 )';
SELECT name FROM method
WHERE pg_temp.try(name, jsonb_build_object('namespace', repeat('n', 1001)))
	!~ '^(TW300 Namespace length exceeds limit$|TW302 field "namespace" does not exist|TWC00 )';
-- what is no request at all
SELECT json, count(*) FROM method, unnest(ARRAY['[]', '1', 'true', '"x"', 'null']::jsonb[]) json
WHERE pg_temp.try(name, json) NOT LIKE concat('TW302 invalid value: ', json, '. Expected an object.')
	AND pg_temp.try(name, json) NOT LIKE 'TWC00 %' GROUP BY json;
SELECT pg_temp.try('', '{}');
SELECT pg_temp.try('NoSuchMethod', '{}');
SELECT pg_temp.try('startworkflowexecution', '{}');
SELECT pg_temp.try_sql('SELECT temporal.rpc(''GetSystemInfo'', NULL) IS NULL');
SELECT pg_temp.try_sql('SELECT temporal.rpc(NULL, ''{}'') IS NULL');
SELECT pg_temp.rows();


--
-- Something to be wrong about
--

SELECT temporal.rpc('AddSearchAttributes', '{"namespace": "default", "search_attributes": {"AnInt":
	"INDEXED_VALUE_TYPE_INT", "ADouble": "INDEXED_VALUE_TYPE_DOUBLE", "AText": "INDEXED_VALUE_TYPE_TEXT"}}');
SELECT count(temporal.rpc('RegisterNamespace', jsonb_build_object('namespace', name,
	'workflow_execution_retention_period', '86400s'))) FROM unnest('{other, old, gone}'::text[]) name;
SELECT temporal.rpc('UpdateNamespace', '{"namespace": "old", "update_info": {"state": "NAMESPACE_STATE_DEPRECATED"}}')
	#>> '{namespaceInfo,state}';
SELECT temporal.rpc('UpdateNamespace', '{"namespace": "gone", "update_info": {"state": "NAMESPACE_STATE_DELETED"}}')
	#>> '{namespaceInfo,state}';
SELECT temporal.rpc('StartWorkflowExecution', pg_temp.starting('open', '{"workflow_task_timeout": "120s"}')) ? 'runId';
SELECT temporal.rpc('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', pg_temp.poll('Workflow'), 'commands',
	'[{"command_type": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK", "schedule_activity_task_command_attributes":
		{"activity_id": "a", "activity_type": {"name": "A"}, "start_to_close_timeout": "60s"}}]'::jsonb));
SELECT pg_temp.poll('Activity') AS activity \gset
SELECT temporal.rpc('SignalWorkflowExecution', '{"namespace": "default", "workflow_execution":
	{"workflow_id": "open"}, "signal_name": "s"}');
SELECT pg_temp.poll('Workflow') AS task \gset
SELECT temporal.rpc('StartWorkflowExecution', pg_temp.starting('open', '{"namespace": "other"}')) ? 'runId';
SELECT pg_temp.poll('Workflow', 'q', 'other') AS other_task \gset
SELECT pg_temp.try('StartWorkflowExecution', pg_temp.starting('nul', jsonb_build_object('input', jsonb_build_object('payloads',
	jsonb_build_array(jsonb_build_object('metadata', jsonb_build_object('encoding', 'YmluYXJ5L3BsYWlu'), 'data', 'AGEA/w==')))))) LIKE '{%';
CREATE TEMP TABLE before AS SELECT pg_temp.rows(), md5(string_agg(s::text, '' ORDER BY s.run_id)) FROM temporal.execution_state s;
CREATE FUNCTION pg_temp.nothing_changed() RETURNS boolean LANGUAGE sql AS $$
	SELECT rows = pg_temp.rows() AND md5 = (SELECT md5(string_agg(s::text, '' ORDER BY s.run_id)) FROM temporal.execution_state s)
	FROM before
$$;


--
-- Namespaces
--

SELECT pg_temp.start('{"namespace": "nowhere"}');
SELECT pg_temp.start('{"namespace": "default "}');
SELECT pg_temp.start('{"namespace": "DEFAULT"}');
SELECT pg_temp.start('{"namespace": "old"}');
SELECT pg_temp.start('{"namespace": "gone"}');
SELECT pg_temp.call('SignalWithStartWorkflowExecution', pg_temp.starting('w', '{"namespace": "old", "signal_name": "s"}'));
SELECT pg_temp.call('PollWorkflowTaskQueue', '{"namespace": "old", "task_queue": {"name": "q"}}');
SELECT pg_temp.call('PollWorkflowTaskQueue', '{"namespace": "gone", "task_queue": {"name": "q"}}');
SELECT pg_temp.try('RegisterNamespace', '{"namespace": "other", "workflow_execution_retention_period": "86400s"}');
SELECT pg_temp.try('RegisterNamespace', '{"namespace": "default", "workflow_execution_retention_period": "86400s"}');
SELECT retention, pg_temp.try('RegisterNamespace', jsonb_build_object('namespace', 'new', 'workflow_execution_retention_period', retention))
FROM unnest('{0s, 3599s, -86400s}'::text[]) retention;
SELECT pg_temp.try('UpdateNamespace', '{"namespace": "other", "config": {"workflow_execution_retention_ttl": "1s"}}');
SELECT state, pg_temp.try('UpdateNamespace', jsonb_build_object('namespace', 'other', 'update_info', jsonb_build_object('state', state)))
FROM unnest('{77, -1}'::int[]) state;
SELECT pg_temp.try('UpdateNamespace', '{"namespace": "gone", "update_info": {"state": "NAMESPACE_STATE_REGISTERED"}}');
SELECT pg_temp.try('DescribeNamespace', '{"namespace": "default", "id": "64656661-756c-8474-8000-000000000001"}');
SELECT pg_temp.try('DescribeNamespace', '{"id": "no uuid"}');
SELECT pg_temp.try('DescribeNamespace', '{"id": "00000000-0000-0000-0000-000000000000"}');
SELECT token, pg_temp.try('ListNamespaces', jsonb_build_object('next_page_token', token)) FROM unnest('{/w==, AAAA}'::text[]) token;
SELECT pg_temp.try('ListNamespaces', '{"page_size": -5}') LIKE '{"namespaces": %';
SELECT pg_temp.nothing_changed();


--
-- Shapes
--

SELECT options, pg_temp.start(options::jsonb) FROM (VALUES
	('{"workflow_id": 5}'), ('{"workflow_id": ["w"]}'), ('{"workflow_id": {"w": 1}}'), ('{"workflow_id": true}'),
	('{"workflow_type": "T"}'), ('{"workflow_type": []}'), ('{"task_queue": {"name": 5}}'),
	('{"task_queue": {"nam": "q"}}'), ('{"task_queue": {"kind": "STICKY"}}'), ('{"task_queue": {"kind": 1.5}}'),
	('{"no_such_field": 1}'), ('{"workflowId": "w"}'), ('{"input": "x"}'), ('{"input": {"payloads": {}}}'),
	('{"memo": []}'), ('{"memo": {"fields": []}}'),
	('{"workflow_run_timeout": 5}'), ('{"workflow_run_timeout": "5"}'), ('{"workflow_run_timeout": "5m"}'),
	('{"workflow_run_timeout": ""}'), ('{"workflow_run_timeout": {"seconds": 5}}'),
	('{"workflow_run_timeout": "9999999999999s"}'), ('{"workflow_run_timeout": "1e3s"}'),
	('{"request_eager_execution": "true"}'), ('{"request_eager_execution": 1}'), ('{"links": {}}'),
	('{"links": [{"workflow_event": {}, "batch_job": {}}]}'), ('{"retry_policy": {"backoff_coefficient": "x"}}'),
	('{"retry_policy": {"maximum_attempts": 3000000000}}'), ('{"retry_policy": {"maximum_attempts": 1.5}}'),
	('{"workflow_id_reuse_policy": "REJECT"}'), ('{"workflow_id_reuse_policy": 3000000000}')) v(options);
SELECT pg_temp.try('RespondWorkflowTaskCompleted', '{"task_token": "not base64!"}');
SELECT pg_temp.try('RespondWorkflowTaskCompleted', '{"task_token": "AAA"}') AS token_without_padding;
SELECT pg_temp.try('RespondWorkflowTaskCompleted', '{"commands": [null]}');
SELECT pg_temp.try('RespondWorkflowTaskCompleted', '{"commands": [{"start_timer_command_attributes": {}, "cancel_timer_command_attributes": {}}]}');
SELECT pg_temp.nothing_changed();


--
-- Text
--

-- a NUL byte cannot be in text, but in bytes
SELECT pg_temp.try_sql($$ SELECT temporal.rpc('StartWorkflowExecution', '{"workflow_id": "a\u0000b"}') $$);
SELECT pg_temp.try_sql($$ SELECT temporal.rpc('StartWorkflowExecution', '{"workflow_id": "\ud800"}') $$);
SELECT temporal.rpc('GetWorkflowExecutionHistory', '{"namespace": "default", "execution": {"workflow_id": "nul"}}')
	#> '{history,events,0,workflowExecutionStartedEventAttributes,input}';
-- the same in a token: text that is no UTF-8, or holds a NUL byte, in field 4
SELECT pg_temp.try('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', encode(decode(token, 'hex'), 'base64')))
FROM (VALUES ('1a02ffff'), ('1a03610062'), ('1a05616263')) v(token);
SELECT pg_temp.nothing_changed();


--
-- Identifiers
--

SELECT field, pg_temp.start(jsonb_build_object(field, '')), pg_temp.start(jsonb_build_object(field, repeat('x', 1001)))
FROM unnest('{workflow_id, identity, request_id}'::text[]) field WHERE field = 'workflow_id'
UNION ALL
SELECT field, NULL, pg_temp.start(jsonb_build_object(field, repeat('x', 1001)))
FROM unnest('{identity, request_id}'::text[]) field;
SELECT field, pg_temp.start(jsonb_build_object(field, NULL)), pg_temp.start(jsonb_build_object(field, '{}'::jsonb)),
	pg_temp.start(jsonb_build_object(field, jsonb_build_object('name', repeat('x', 1001))))
FROM unnest('{workflow_type, task_queue}'::text[]) field;
SELECT pg_temp.start('{"task_queue": {"name": "/_sys/q/1"}}');
-- bytes count, not characters
SELECT pg_temp.start(jsonb_build_object('workflow_id', repeat('ä', 501)));
SELECT left(id, 10), run, pg_temp.call('SignalWorkflowExecution', jsonb_build_object('signal_name', 's', 'workflow_execution',
	jsonb_build_object('workflow_id', id, 'run_id', run)))
FROM (VALUES ('', NULL), (repeat('x', 1001), NULL), ('open', 'no uuid'), ('open', '00000000-0000-0000-0000-00000000000'),
		('open', '00000000-0000-0000-0000-000000000000'), ('none', NULL), ('open ', NULL)) e(id, run);
SELECT method, count(*), min(pg_temp.call(method, jsonb_build_object(field, jsonb_build_object('workflow_id', 'open', 'run_id', 'no uuid'),
	'signal_name', signal_name, 'activity_id', activity_id)))
FROM (VALUES ('SignalWorkflowExecution', 'workflow_execution', 's', NULL),
	('RequestCancelWorkflowExecution', 'workflow_execution', NULL, NULL), ('TerminateWorkflowExecution', 'workflow_execution', NULL, NULL),
	('DeleteWorkflowExecution', 'workflow_execution', NULL, NULL), ('DescribeWorkflowExecution', 'execution', NULL, NULL),
	('GetWorkflowExecutionHistory', 'execution', NULL, NULL), ('GetWorkflowExecutionHistoryReverse', 'execution', NULL, NULL),
	('ResetStickyTaskQueue', 'execution', NULL, NULL)) v(method, field, signal_name, activity_id) GROUP BY method ORDER BY method;
SELECT method, field, pg_temp.call(method, jsonb_build_object('signal_name', CASE method WHEN 'SignalWorkflowExecution' THEN 's' END)
	|| jsonb_build_object(field, repeat('x', 1001)))
FROM (VALUES ('SignalWorkflowExecution', 'signal_name'), ('SignalWorkflowExecution', 'request_id'), ('SignalWorkflowExecution', 'identity'),
	('RequestCancelWorkflowExecution', 'request_id'), ('RequestCancelWorkflowExecution', 'identity'),
	('RequestCancelWorkflowExecution', 'first_execution_run_id'), ('TerminateWorkflowExecution', 'identity'),
	('TerminateWorkflowExecution', 'first_execution_run_id'), ('RespondWorkflowTaskCompleted', 'identity'),
	('RespondWorkflowTaskFailed', 'identity'), ('RespondActivityTaskCompleted', 'identity'),
	('RecordActivityTaskHeartbeat', 'identity'), ('RespondActivityTaskCompletedById', 'activity_id'),
	('RespondActivityTaskCompletedById', 'workflow_id'), ('RespondActivityTaskCompletedById', 'run_id'),
	('RespondActivityTaskFailedById', 'activity_id'), ('RecordActivityTaskHeartbeatById', 'activity_id')) v(method, field);
SELECT method, pg_temp.call(method, jsonb_build_object('task_queue', jsonb_build_object('name', repeat('x', 1001)))),
	pg_temp.call(method, '{"task_queue": {"name": "q"}, "identity": 5}'),
	pg_temp.call(method, jsonb_build_object('task_queue', '{"name": "q"}'::jsonb, 'identity', repeat('x', 1001)))
FROM unnest('{PollWorkflowTaskQueue, PollActivityTaskQueue}'::text[]) method;
SELECT pg_temp.nothing_changed();


--
-- Durations, numbers, enums
--

SELECT field, pg_temp.start(jsonb_build_object(field, '-1s'))
FROM unnest('{workflow_execution_timeout, workflow_run_timeout, workflow_task_timeout, workflow_start_delay}'::text[]) field;
SELECT pg_temp.start('{"workflow_run_timeout": "-0.5s"}');
SELECT policy, pg_temp.start(jsonb_build_object('retry_policy', policy::jsonb)) FROM (VALUES
	('{"initial_interval": "-1s"}'), ('{"maximum_interval": "-1s"}'), ('{"backoff_coefficient": 0.5}'),
	('{"backoff_coefficient": -1}'), ('{"backoff_coefficient": "NaN"}'), ('{"maximum_attempts": -1}'),
	('{"initial_interval": "10s", "maximum_interval": "5s"}'),
	('{"non_retryable_error_types": ["TemporalTimeout:Whatever"]}')) v(policy);
SELECT pg_temp.start('{"cron_schedule": "@every 1h", "workflow_start_delay": "1s"}');
SELECT pg_temp.start('{"priority": {"priority_key": -1}}');
SELECT pg_temp.start(jsonb_build_object('priority', jsonb_build_object('fairness_key', repeat('x', 65))));
SELECT pg_temp.start('{"priority": {"fairness_weight": -1}}');
SELECT pg_temp.start('{"priority": {"fairness_weight": "NaN"}}');
SELECT field, number, pg_temp.start(jsonb_build_object(field, number))
FROM unnest('{workflow_id_reuse_policy, workflow_id_conflict_policy}'::text[]) field, unnest('{99, -1}'::int[]) number;
SELECT pg_temp.call('DescribeTaskQueue', '{"task_queue": {"name": "q"}, "task_queue_type": 99}');
SELECT pg_temp.call('RespondActivityTaskFailed', jsonb_build_object('task_token', :'activity'::jsonb, 'failure',
	'{"application_failure_info": {"next_retry_delay": "-5s"}}'::jsonb));
SELECT pg_temp.call('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'task'::jsonb, 'sticky_attributes',
	'{"worker_task_queue": {"name": "s"}, "schedule_to_start_timeout": "-5s"}'::jsonb));
SELECT pg_temp.call('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'task'::jsonb, 'sticky_attributes',
	jsonb_build_object('worker_task_queue', jsonb_build_object('name', repeat('x', 1001)))));
SELECT pg_temp.call('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'task'::jsonb, 'commands',
	'[{"command_type": 99}]'::jsonb));
SELECT pg_temp.call('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'task'::jsonb, 'commands', '[{}]'::jsonb));
SELECT options, pg_temp.call('UpdateActivityOptions', jsonb_build_object('id', 'a') || options::jsonb) FROM (VALUES
	('{}'), ('{"update_mask": {"paths": []}}'), ('{"update_mask": "no_such_field", "activity_options": {}}'),
	('{"update_mask": "startToCloseTimeout", "activity_options": {"start_to_close_timeout": "-1s"}}')) v(options);
SELECT pg_temp.nothing_changed();
-- the largest are capped, not refused
SELECT pg_temp.try('StartWorkflowExecution', pg_temp.starting('huge', '{"workflow_run_timeout": "315576000000s",
	"workflow_execution_timeout": "315576000000s", "workflow_task_timeout": "315576000000s", "workflow_start_delay": "315576000000s"}')) LIKE '{%';
SELECT h #> '{workflowRunTimeout}', h #> '{workflowExecutionTimeout}', h #> '{workflowTaskTimeout}', h #> '{firstWorkflowTaskBackoff}'
FROM temporal.rpc('GetWorkflowExecutionHistory', '{"namespace": "default", "execution": {"workflow_id": "huge"}}') answer,
	LATERAL (SELECT answer #> '{history,events,0,workflowExecutionStartedEventAttributes}') a(h);
SELECT temporal.rpc('TerminateWorkflowExecution', '{"namespace": "default", "workflow_execution": {"workflow_id": "huge"}}');


--
-- Sizes: 2 MiB for a payload or memo, 2 KiB a search attribute, 40 KiB all, 10 links of 4000 bytes
--

CREATE FUNCTION pg_temp.large(bytes integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(repeat('x', bytes)) $$;
TRUNCATE before;
INSERT INTO before SELECT pg_temp.rows(), md5(string_agg(s::text, '' ORDER BY s.run_id)) FROM temporal.execution_state s;
SELECT pg_temp.start(jsonb_build_object('input', jsonb_build_array(pg_temp.large(2 * 1024 * 1024))));
SELECT pg_temp.start(jsonb_build_object('input', jsonb_build_array(pg_temp.large(1200000)), 'header',
	jsonb_build_object('fields', jsonb_build_object('h', pg_temp.large(1200000)))));
SELECT pg_temp.start(jsonb_build_object('memo', jsonb_build_object('fields', jsonb_build_object('m', pg_temp.large(2 * 1024 * 1024)))));
SELECT pg_temp.start(jsonb_build_object('search_attributes', jsonb_build_object('indexed_fields',
	jsonb_build_object('BuildIds', pg_temp.large(2100)))));
SELECT pg_temp.start('{"search_attributes": {"indexed_fields": {"NoSuchName": "x"}}}');
SELECT pg_temp.start('{"search_attributes": {"indexed_fields": {"WorkflowId": "x"}}}');
SELECT pg_temp.start(jsonb_build_object('links', (SELECT jsonb_agg('{"batch_job": {"job_id": "j"}}'::jsonb) FROM generate_series(1, 11))));
SELECT pg_temp.start(jsonb_build_object('links', jsonb_build_array(jsonb_build_object('batch_job', jsonb_build_object('job_id', repeat('x', 4001))))));
SELECT pg_temp.call('SignalWorkflowExecution', jsonb_build_object('signal_name', 's', 'input', jsonb_build_array(pg_temp.large(2 * 1024 * 1024))));
SELECT pg_temp.call('SignalWithStartWorkflowExecution', pg_temp.starting('w', jsonb_build_object('signal_name', 's',
	'signal_input', jsonb_build_array(pg_temp.large(2 * 1024 * 1024)))));
SELECT method, pg_temp.call(method, jsonb_build_object('signal_name', CASE method WHEN 'SignalWorkflowExecution' THEN 's' END, 'links',
	(SELECT jsonb_agg('{"batch_job": {"job_id": "j"}}'::jsonb) FROM generate_series(1, 11))))
FROM unnest('{SignalWorkflowExecution, RequestCancelWorkflowExecution, TerminateWorkflowExecution}'::text[]) method;
SELECT pg_temp.call('TerminateWorkflowExecution', jsonb_build_object('details', jsonb_build_array(pg_temp.large(2 * 1024 * 1024))));
SELECT pg_temp.nothing_changed();
-- one byte less is taken
SELECT pg_temp.try('StartWorkflowExecution', pg_temp.starting('large', jsonb_build_object('input',
	jsonb_build_array(pg_temp.large(2 * 1024 * 1024 - 100))))) LIKE '{%';


--
-- Values of search attributes
--

CREATE TEMP TABLE attribute AS SELECT * FROM (VALUES ('AnInt', '5'), ('AnInt', '"5"'), ('AnInt', '5.5'), ('AnInt', '1e30'), ('AnInt', '[5]'),
	('AnInt', '[5, 6]'), ('AnInt', 'null'), ('AnInt', '[]'), ('AnInt', '{}'), ('AnInt', 'true'), ('ADouble', '5.5'), ('ADouble', '"NaN"'),
	('AText', '"a b"'), ('AText', '5'), ('BatcherUser', '"u"'), ('BatcherUser', '["u"]'), ('BatcherUser', '["u", "v"]'), ('BatcherUser', '[["u"]]'),
	('TemporalSchedulePaused', 'true'), ('TemporalSchedulePaused', '"true"'), ('TemporalScheduledStartTime', '"2026-01-02T03:04:05Z"'),
	('TemporalScheduledStartTime', '"yesterday"'), ('TemporalScheduledStartTime', '5'), ('BuildIds', '["a", "b"]'), ('BuildIds', '"a"'),
	('BuildIds', '["a", 5]'), ('BuildIds', '{"a": "b"}')) AS v(name, value);
SELECT name, value, left(pg_temp.try('StartWorkflowExecution', pg_temp.starting('sa-' || name || value, jsonb_build_object('search_attributes',
	jsonb_build_object('indexed_fields', jsonb_build_object(name, CASE value WHEN 'null' THEN '[]' ELSE value::jsonb END))))), 60) NOT LIKE '{%' AS refused
FROM attribute;
-- bytes that only look like JSON
SELECT encoding, bytes, pg_temp.start(jsonb_build_object('search_attributes', jsonb_build_object('indexed_fields',
	jsonb_build_object('BuildIds', jsonb_build_object('metadata', jsonb_build_object('encoding', encode(encoding::bytea, 'base64')),
	'data', encode(decode(bytes, 'hex'), 'base64'))))))
FROM (VALUES ('json/plain', '22ff22'), ('json/plain', '5b2261'), ('json/plain', '225c753030303022'), ('json/plain', '226122226222'),
	('json/plain', '00'), ('binary/plain', '226122')) AS v(encoding, bytes);


--
-- Payloads that are not what their encoding says are kept as they came
--

SELECT temporal.rpc('StartWorkflowExecution', pg_temp.starting('payloads', jsonb_build_object('input', jsonb_build_object('payloads', (
	SELECT jsonb_agg(jsonb_build_object('metadata', jsonb_build_object('encoding', encode(encoding::bytea, 'base64')), 'data',
		encode(decode(bytes, 'hex'), 'base64')))
	FROM (VALUES ('json/plain', '22ff22'), ('json/plain', '225c753030303022'), ('json/plain', ''), ('json/plain', '7b'), ('json/protobuf', '7b7d'),
		('binary/null', '00'), ('no such', '01')) AS v(encoding, bytes)))))) ? 'runId';
SELECT jsonb_pretty(temporal.rpc('GetWorkflowExecutionHistory', '{"namespace": "default", "execution": {"workflow_id": "payloads"}}')
	#> '{history,events,0,workflowExecutionStartedEventAttributes,input}');


--
-- Commands: the task fails
--

SELECT count(temporal.rpc('StartWorkflowExecution', pg_temp.starting('command' || n, '{"task_queue": {"name": "command"}}')))
FROM generate_series(1, 17) n;
CREATE TEMP TABLE command AS SELECT row_number() OVER () AS n, kind, attributes || jsonb_strip_nulls(jsonb_build_object(coalesce(field, ''), long)) AS attributes
FROM (VALUES ('RECORD_MARKER', '{}'::jsonb, NULL, NULL::text), ('RECORD_MARKER', '{}', 'marker_name', repeat('x', 1001)),
	('START_TIMER', '{}', NULL, NULL), ('START_TIMER', '{"start_to_fire_timeout": "1s"}', 'timer_id', repeat('x', 1001)),
	('START_TIMER', '{"timer_id": "t", "start_to_fire_timeout": "-1s"}', NULL, NULL), ('CANCEL_TIMER', '{}', NULL, NULL),
	('CANCEL_TIMER', '{"timer_id": "none"}', NULL, NULL),
	('SCHEDULE_ACTIVITY_TASK', '{"activity_type": {"name": "A"}, "start_to_close_timeout": "1s"}', 'activity_id', repeat('x', 1001)),
	('SCHEDULE_ACTIVITY_TASK', '{"activity_id": "a", "start_to_close_timeout": "1s"}', NULL, NULL),
	('SCHEDULE_ACTIVITY_TASK', '{"activity_id": "a", "activity_type": {"name": "A"}, "start_to_close_timeout": "-1s"}', NULL, NULL),
	('SCHEDULE_ACTIVITY_TASK', '{"activity_id": "a", "activity_type": {"name": "A"}, "start_to_close_timeout": "1s", "task_queue": {"name": "/_sys/q"}}', NULL, NULL),
	('REQUEST_CANCEL_ACTIVITY_TASK', '{}', NULL, NULL), ('REQUEST_CANCEL_ACTIVITY_TASK', '{"scheduled_event_id": -5}', NULL, NULL),
	('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION', '{"workflow_id": "x", "run_id": "no uuid"}', NULL, NULL),
	('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES', '{"search_attributes": {"indexed_fields": {"AnInt": "x"}}}', NULL, NULL),
	('MODIFY_WORKFLOW_PROPERTIES', '{}', NULL, NULL), ('FAIL_WORKFLOW_EXECUTION', '{}', NULL, NULL)) AS v(kind, attributes, field, long);
SELECT n, kind, pg_temp.try('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', pg_temp.poll('Workflow', 'command'), 'commands',
	jsonb_build_array(jsonb_build_object('command_type', 'COMMAND_TYPE_' || kind, lower(kind) || '_command_attributes', attributes))))
FROM command;
SELECT pg_temp.poll('Workflow', 'command') AS task2 \gset
-- a command after the last, with the attributes of another, with none: a second attempt leaves no record
SELECT pg_temp.try('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'task2'::jsonb, 'commands', commands::jsonb)) FROM (VALUES
	('[{"command_type": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "complete_workflow_execution_command_attributes": {}},
	   {"command_type": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "complete_workflow_execution_command_attributes": {}}]'),
	('[{"command_type": "COMMAND_TYPE_START_TIMER", "cancel_timer_command_attributes": {}}]'),
	('[{"command_type": "COMMAND_TYPE_START_TIMER"}]')) AS v(commands);


--
-- Tokens
--

TRUNCATE before;
INSERT INTO before SELECT pg_temp.rows(), md5(string_agg(s::text, '' ORDER BY s.run_id)) FROM temporal.execution_state s;
CREATE TEMP VIEW respond AS SELECT method, method LIKE '%Workflow%' AS workflow FROM unnest('{RespondWorkflowTaskCompleted,
	RespondWorkflowTaskFailed, RespondActivityTaskCompleted, RespondActivityTaskFailed, RespondActivityTaskCanceled,
	RecordActivityTaskHeartbeat}'::text[]) method;
SELECT what, string_agg(DISTINCT pg_temp.try(method, jsonb_build_object('task_token', token) || more), E'\n')
FROM respond, LATERAL (VALUES
	(1, 'none', '""', '{}'::jsonb), (2, 'null', 'null', '{}'), (3, 'garbage', '"Z2FyYmFnZQ=="', '{}'), (4, 'zeros', '"AAAAAAAAAAA="', '{}'),
	(5, 'truncated', to_jsonb(encode(substr(decode((CASE WHEN workflow THEN :'task' ELSE :'activity' END)::jsonb #>> '{}', 'base64'), 1, 40), 'base64')), '{}'),
	(6, 'lengthened', to_jsonb(encode(decode((CASE WHEN workflow THEN :'task' ELSE :'activity' END)::jsonb #>> '{}', 'base64') || '\x0a', 'base64')), '{}'),
	(7, 'of the other kind', (CASE WHEN workflow THEN :'activity' ELSE :'task' END)::jsonb, '{}'),
	(8, 'of another namespace', (CASE WHEN workflow THEN :'task' ELSE :'activity' END)::jsonb, '{"namespace": "other"}'),
	(9, 'of an unknown namespace', (CASE WHEN workflow THEN :'task' ELSE :'activity' END)::jsonb, '{"namespace": "nowhere"}'))
	AS v(n, what, token, more) GROUP BY n, what ORDER BY n;
SELECT pg_temp.call('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', :'other_task'::jsonb));
-- every byte of a token changed: never anything but an error
SELECT DISTINCT regexp_replace(pg_temp.try('RespondWorkflowTaskCompleted', jsonb_build_object('task_token',
	encode(set_byte(token, n, (get_byte(token, n) + d) % 256), 'base64'))), '^(TW[359]..) .*$', '\1')
FROM (SELECT decode(:'task'::jsonb #>> '{}', 'base64')) t(token), generate_series(0, length(token) - 1) n, unnest('{1, 128, 255}'::int[]) d ORDER BY 1;
SELECT DISTINCT regexp_replace(pg_temp.try('RespondActivityTaskCanceled', jsonb_build_object('task_token',
	encode(set_byte(token, n, (get_byte(token, n) + d) % 256), 'base64'))), '^(TW[359]..) .*$', '\1')
FROM (SELECT decode(:'activity'::jsonb #>> '{}', 'base64')) t(token), generate_series(0, length(token) - 1) n, unnest('{1, 128, 255}'::int[]) d ORDER BY 1;
SELECT pg_temp.nothing_changed();

-- stale: the attempt has failed, and the next one is started
SELECT pg_temp.call('RespondActivityTaskFailed', jsonb_build_object('task_token', :'activity'::jsonb));
SELECT pg_temp.try(method, jsonb_build_object('task_token', :'activity'::jsonb)) FROM respond WHERE NOT workflow;
SET LOCAL temporal.clock_offset = '2s';
SELECT temporal.tick() > 0;
SELECT pg_temp.poll('Activity') AS second \gset
SELECT pg_temp.try(method, jsonb_build_object('task_token', :'activity'::jsonb)) FROM respond WHERE NOT workflow;
SELECT pg_temp.call('RespondWorkflowTaskFailed', jsonb_build_object('task_token', :'task'::jsonb, 'cause', 99));
SELECT pg_temp.try(method, jsonb_build_object('task_token', :'task'::jsonb)) FROM respond WHERE workflow;
SELECT pg_temp.call('RespondActivityTaskCompleted', jsonb_build_object('task_token', :'second'::jsonb));
SELECT pg_temp.try(method, jsonb_build_object('task_token', :'second'::jsonb)) FROM respond WHERE NOT workflow;
-- a cause that we do not know is kept as it came
SELECT e -> 'workflowTaskFailedEventAttributes' -> 'cause' FROM temporal.rpc('GetWorkflowExecutionHistory',
	'{"namespace": "default", "execution": {"workflow_id": "open"}}') answer, jsonb_array_elements(answer #> '{history,events}') e
WHERE e ? 'workflowTaskFailedEventAttributes';


--
-- Nesting
--

-- A failure with that many causes.
CREATE FUNCTION pg_temp.failure(causes integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	failure jsonb := '{"message": "root", "application_failure_info": {"type": "T", "details": ["d"]}}';
BEGIN
	FOR n IN 1 .. causes LOOP
		failure := jsonb_build_object('message', 'cause ' || n, 'application_failure_info', '{"type": "T"}'::jsonb, 'cause', failure);
	END LOOP;
	RETURN failure;
END $$;

SELECT temporal.rpc('StartWorkflowExecution', pg_temp.starting('deep', '{"task_queue": {"name": "deep"}}')) ? 'runId';
SELECT temporal.rpc('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', pg_temp.poll('Workflow', 'deep'), 'commands',
	'[{"command_type": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK", "schedule_activity_task_command_attributes":
		{"activity_id": "a", "activity_type": {"name": "A"}, "start_to_close_timeout": "60s", "retry_policy": {"maximum_attempts": 1}}}]'::jsonb));
SELECT pg_temp.poll('Activity', 'deep') AS activity \gset
SELECT n, regexp_replace(pg_temp.try('RespondActivityTaskFailed', jsonb_build_object('task_token', :'activity'::jsonb, 'failure', pg_temp.failure(n))),
	'value for .*\. ', 'value. ')
FROM unnest('{200, 1000}'::int[]) n;
-- the deepest that is taken, and how it comes back
CREATE TEMP TABLE deepest AS SELECT max(n) AS n FROM generate_series(80, 100) n
WHERE pg_temp.try_sql(format('SELECT temporal_test.to_wire(%L, %L::jsonb) IS NOT NULL', 'temporal.api.workflowservice.v1.RespondActivityTaskFailedRequest',
	jsonb_build_object('failure', pg_temp.failure(n)))) = 'true';
SELECT n > 90 FROM deepest;
SELECT temporal.rpc('RespondActivityTaskFailed', jsonb_build_object('task_token', :'activity'::jsonb, 'failure', pg_temp.failure(n))) FROM deepest;
SELECT temporal.rpc('RespondWorkflowTaskCompleted', jsonb_build_object('task_token', pg_temp.poll('Workflow', 'deep'), 'commands',
	jsonb_build_array(jsonb_build_object('command_type', 'COMMAND_TYPE_RECORD_MARKER', 'record_marker_command_attributes',
		jsonb_build_object('marker_name', 'm', 'failure', pg_temp.failure(n - 2))),
	jsonb_build_object('command_type', 'COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION', 'fail_workflow_execution_command_attributes',
		jsonb_build_object('failure', pg_temp.failure(n - 2)))))) FROM deepest;
SELECT temporal.rpc('StartWorkflowExecution', pg_temp.starting('deep2', jsonb_build_object('task_queue', '{"name": "deep"}'::jsonb,
	'continued_failure', pg_temp.failure(n)))) ? 'runId' FROM deepest;
SELECT temporal.rpc('RespondWorkflowTaskFailed', jsonb_build_object('task_token', pg_temp.poll('Workflow', 'deep'),
	'failure', pg_temp.failure(n))) FROM deepest;
CREATE TEMP VIEW deep_history AS SELECT id, temporal.rpc('GetWorkflowExecutionHistory', jsonb_build_object('namespace', 'default',
	'execution', jsonb_build_object('workflow_id', id))) AS answer FROM unnest('{deep, deep2}'::text[]) id;
SELECT id, e ->> 'eventType', (SELECT count(*) FROM jsonb_path_query(e, '$.**.cause') c WHERE jsonb_typeof(c) = 'object') AS causes,
	(SELECT c ->> 'message' FROM jsonb_path_query(e, '$.**.cause') c WHERE jsonb_typeof(c) = 'object' AND NOT c ? 'cause') AS last
FROM deep_history, jsonb_array_elements(answer #> '{history,events}') e WHERE jsonb_path_exists(e, '$.**.cause.cause');
-- what clients read has less than 100 levels
SELECT id, temporal_test.to_wire('temporal.api.workflowservice.v1.GetWorkflowExecutionHistoryResponse', answer) IS NOT NULL FROM deep_history;
-- payloads may nest as they like
SELECT pg_temp.try('StartWorkflowExecution', pg_temp.starting('nested', jsonb_build_object('input',
	jsonb_build_array((repeat('[', 2000) || repeat(']', 2000))::jsonb)))) LIKE '{%';


--
-- The other functions
--

SELECT type, bytes, pg_temp.try_sql(format('SELECT temporal.decode(%L, %L)', type, bytes)) FROM (VALUES
	('temporal.api.history.v1.History', '\xff'), ('temporal.api.history.v1.History', '\x0a05'), ('temporal.api.history.v1.History', '\x00'),
	('temporal.no.such.Type', '\x'), ('', '\x')) v(type, bytes);
SELECT pg_temp.try_sql('SELECT count(*) FROM temporal.decode_events(''w'', ''00000000-0000-0000-0000-000000000000'', ''q'', ''\xff'')');
SELECT pg_temp.try_sql('SELECT count(*) FROM temporal.decode_kept_events('''', ''\xff'')');
SELECT n, pg_temp.try_sql(format('SELECT temporal.tick(%s)', n)) FROM unnest('{0, -1}'::int[]) n;
-- what is no object, no number, no end
SELECT pg_temp.try_sql(format('SELECT temporal.%I(''w'', %s => ''[1]'')', f, a))
FROM unnest('{start_workflow,start_workflow_run}'::text[]) f, unnest('{memo,search_attributes}'::text[]) a;
SELECT pg_temp.try_sql('SELECT count(*) FROM temporal.poll_activity_tasks(''nothing'', max_tasks => NULL)');
SELECT pg_temp.try_sql('CALL temporal.work(''queue'', NULL)');
SELECT pg_temp.try_sql('CALL temporal.work(''queue'', ''jsonb_array_elements'')');
SELECT pg_temp.try_sql('CALL temporal.execute_workflow(''w'')');
-- both forms count an interval in the same way
SELECT length, temporal.start_workflow('w', workflow_id => 'a' || length, execution_timeout => length) IS NOT NULL,
	temporal.start_workflow_run('w', workflow_id => 'b' || length, execution_timeout => length) IS NOT NULL
FROM unnest('{1 year 1 month 1 day 1 second, 10000 years}'::interval[]) length;
SELECT temporal.start_workflow('w', workflow_id => 'longest', execution_timeout => '178000000 years');
SELECT workflow_id, attributes ->> 'workflowExecutionTimeout' FROM temporal.events
WHERE event_type = 'WorkflowExecutionStarted' AND workflow_id ~ 'year|longest' ORDER BY 1;
-- somebody has deleted what a row points to
DELETE FROM temporal.execution_state WHERE workflow_id = 'longest';
SELECT regexp_replace(pg_temp.try_sql('SELECT temporal.start_workflow(''w'', workflow_id => ''longest'')'), '[0-9a-f-]{36}', 'RUN');
ROLLBACK;
