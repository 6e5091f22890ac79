-- What a person types: names, defaults and PostgreSQL's types around the RPC
-- layer.  Nothing here decides anything.

-- ---- payloads ----

CREATE FUNCTION temporal.encode_payload(value jsonb)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_encode_payload';
COMMENT ON FUNCTION temporal.encode_payload(jsonb) IS
'A JSON value as a payload in a request: itself, or the full form where it could be mistaken for one.';

CREATE FUNCTION temporal.decode_payloads(payloads jsonb)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_decode_payloads';
COMMENT ON FUNCTION temporal.decode_payloads(jsonb) IS
'The value in a list of payloads of an answer: the only one, or an array of several; NULL for none.';

CREATE FUNCTION temporal.encode_payloads(value jsonb, several jsonb[])
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN several IS NOT NULL THEN
			(SELECT pg_catalog.jsonb_agg(temporal.encode_payload(coalesce(u.v, 'null')) ORDER BY u.i)
			 FROM ROWS FROM (pg_catalog.unnest(several)) WITH ORDINALITY u (v, i))
		WHEN value IS NOT NULL THEN pg_catalog.jsonb_build_array(temporal.encode_payload(value))
	END;
END;
COMMENT ON FUNCTION temporal.encode_payloads(jsonb, jsonb[]) IS
'One value, or several, as a list of payloads in a request.';

CREATE FUNCTION temporal.encode_fields("values" jsonb)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT CASE pg_catalog.jsonb_typeof("values")
		WHEN 'object' THEN
			(SELECT pg_catalog.jsonb_object_agg(f.key, temporal.encode_payload(f.value))
			 FROM pg_catalog.jsonb_each("values") f)
		ELSE "values"	-- to be refused
	END;
END;
COMMENT ON FUNCTION temporal.encode_fields(jsonb) IS
'An object as a map of payloads in a request: memo and search attributes.';

CREATE FUNCTION temporal.duration(length interval)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT EXTRACT(epoch FROM length)::pg_catalog.text OPERATOR(pg_catalog.||) 's';
END;
COMMENT ON FUNCTION temporal.duration(interval) IS
'An interval as a duration in a request; a month counts as 30 days, a year as 365.25.';

-- ---- clients ----

CREATE FUNCTION temporal.workflow_queue(workflow_type text, namespace text DEFAULT 'default')
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_queue';
COMMENT ON FUNCTION temporal.workflow_queue IS
'The task queue of a workflow whose starter names none: where its function is registered, else "default".';

CREATE FUNCTION temporal.start_request(
	workflow_type text,
	input jsonb DEFAULT NULL,
	workflow_id text DEFAULT NULL,
	task_queue text DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	request_id text DEFAULT NULL,
	id_reuse_policy text DEFAULT NULL,
	id_conflict_policy text DEFAULT NULL,
	execution_timeout interval DEFAULT NULL,
	run_timeout interval DEFAULT NULL,
	task_timeout interval DEFAULT NULL,
	start_delay interval DEFAULT NULL,
	memo jsonb DEFAULT NULL,
	search_attributes jsonb DEFAULT NULL,
	priority integer DEFAULT NULL,
	summary text DEFAULT NULL,
	identity text DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowId', coalesce(workflow_id, pg_catalog.gen_random_uuid()::pg_catalog.text),
		'workflowType', pg_catalog.jsonb_build_object('name', workflow_type),
		'taskQueue', pg_catalog.jsonb_build_object('name',
			coalesce(task_queue, temporal.workflow_queue(workflow_type, namespace))),
		'input', temporal.encode_payloads(input, inputs),
		'requestId', request_id,
		'workflowIdReusePolicy', id_reuse_policy,
		'workflowIdConflictPolicy', id_conflict_policy,
		'workflowExecutionTimeout', temporal.duration(execution_timeout),
		'workflowRunTimeout', temporal.duration(run_timeout),
		'workflowTaskTimeout', temporal.duration(task_timeout),
		'workflowStartDelay', temporal.duration(start_delay),
		'memo', pg_catalog.jsonb_build_object('fields', temporal.encode_fields(memo)),
		'searchAttributes',
			pg_catalog.jsonb_build_object('indexedFields', temporal.encode_fields(search_attributes)),
		'priority', pg_catalog.jsonb_build_object('priorityKey', priority),
		'userMetadata', pg_catalog.jsonb_build_object('summary', temporal.encode_payload(pg_catalog.to_jsonb(summary))),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text));
END;
COMMENT ON FUNCTION temporal.start_request IS
'The StartWorkflowExecution request that start_workflow() makes of its arguments.';

CREATE FUNCTION temporal.start_workflow_run(
	workflow_type text,
	input jsonb DEFAULT NULL,
	INOUT workflow_id text DEFAULT NULL,
	task_queue text DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	request_id text DEFAULT NULL,
	id_reuse_policy text DEFAULT NULL,
	id_conflict_policy text DEFAULT NULL,
	execution_timeout interval DEFAULT NULL,
	run_timeout interval DEFAULT NULL,
	task_timeout interval DEFAULT NULL,
	start_delay interval DEFAULT NULL,
	memo jsonb DEFAULT NULL,
	search_attributes jsonb DEFAULT NULL,
	priority integer DEFAULT NULL,
	summary text DEFAULT NULL,
	identity text DEFAULT NULL,
	OUT run_id uuid,
	OUT started boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	request jsonb := temporal.start_request(
		workflow_type, input, workflow_id, task_queue, namespace, inputs, request_id,
		id_reuse_policy, id_conflict_policy, execution_timeout, run_timeout, task_timeout,
		start_delay, memo, search_attributes, priority, summary, identity);
	answer jsonb := temporal.rpc('StartWorkflowExecution', request);
BEGIN
	workflow_id := request ->> 'workflowId';
	run_id := answer ->> 'runId';
	started := coalesce((answer -> 'started')::boolean, false);
END
$$;
COMMENT ON FUNCTION temporal.start_workflow_run IS
'Starts a workflow, or finds the run that its options say to use; returns the run.';

CREATE FUNCTION temporal.start_workflow(
	workflow_type text,
	input jsonb DEFAULT NULL,
	workflow_id text DEFAULT NULL,
	task_queue text DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	request_id text DEFAULT NULL,
	id_reuse_policy text DEFAULT NULL,
	id_conflict_policy text DEFAULT NULL,
	execution_timeout interval DEFAULT NULL,
	run_timeout interval DEFAULT NULL,
	task_timeout interval DEFAULT NULL,
	start_delay interval DEFAULT NULL,
	memo jsonb DEFAULT NULL,
	search_attributes jsonb DEFAULT NULL,
	priority integer DEFAULT NULL,
	summary text DEFAULT NULL,
	identity text DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_start_workflow';
COMMENT ON FUNCTION temporal.start_workflow IS
'Starts a workflow in this transaction and returns its id. Nothing happens unless the transaction commits.';

CREATE FUNCTION temporal.signal_workflow(
	workflow_id text,
	signal_name text,
	input jsonb DEFAULT NULL,
	request_id text DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	identity text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_signal_workflow';
COMMENT ON FUNCTION temporal.signal_workflow IS
'Sends a signal to an open workflow; one request_id is delivered once.';

CREATE FUNCTION temporal.signal_with_start_workflow(
	signal_name text,
	workflow_type text,
	signal_input jsonb DEFAULT NULL,
	input jsonb DEFAULT NULL,
	INOUT workflow_id text DEFAULT NULL,
	task_queue text DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	request_id text DEFAULT NULL,
	id_reuse_policy text DEFAULT NULL,
	id_conflict_policy text DEFAULT NULL,
	execution_timeout interval DEFAULT NULL,
	run_timeout interval DEFAULT NULL,
	task_timeout interval DEFAULT NULL,
	start_delay interval DEFAULT NULL,
	memo jsonb DEFAULT NULL,
	search_attributes jsonb DEFAULT NULL,
	priority integer DEFAULT NULL,
	summary text DEFAULT NULL,
	identity text DEFAULT NULL,
	OUT run_id uuid,
	OUT started boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	request jsonb := temporal.start_request(
		workflow_type, input, workflow_id, task_queue, namespace, inputs, request_id,
		id_reuse_policy, id_conflict_policy, execution_timeout, run_timeout, task_timeout,
		start_delay, memo, search_attributes, priority, summary, identity);
	answer jsonb := temporal.rpc('SignalWithStartWorkflowExecution',
		request || jsonb_build_object('signalName', signal_name,
			'signalInput', temporal.encode_payloads(signal_input, NULL)));
BEGIN
	workflow_id := request ->> 'workflowId';
	run_id := answer ->> 'runId';
	started := coalesce((answer -> 'started')::boolean, false);
END
$$;
COMMENT ON FUNCTION temporal.signal_with_start_workflow IS
'Signals the open workflow of that id, or starts one and signals it, in one step.';

CREATE FUNCTION temporal.cancel_workflow(
	workflow_id text,
	reason text DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default',
	identity text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RequestCancelWorkflowExecution', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowExecution',
			pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id),
		'reason', reason,
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.cancel_workflow IS
'Asks an open workflow to end; the workflow decides. No effect on a closed one.';

CREATE FUNCTION temporal.terminate_workflow(
	workflow_id text,
	reason text DEFAULT NULL,
	details jsonb DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default',
	identity text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('TerminateWorkflowExecution', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowExecution',
			pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id),
		'reason', reason,
		'details', temporal.encode_payloads(details, NULL),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.terminate_workflow IS
'Ends an open workflow at once, without asking it.';

CREATE FUNCTION temporal.delete_workflow(
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('DeleteWorkflowExecution', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowExecution',
			pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.delete_workflow IS
'Removes a workflow and its history, soon after the commit; an open one is terminated first.';

CREATE FUNCTION temporal.describe_workflow(
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS jsonb
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('DescribeWorkflowExecution', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'execution',
			pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id)));
END;
COMMENT ON FUNCTION temporal.describe_workflow IS
'What a workflow is and what it waits for, as Temporal describes it.';

CREATE FUNCTION temporal.history(
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS TABLE (event_id bigint, event_time timestamptz, event_type text, attributes jsonb)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_history';
COMMENT ON FUNCTION temporal.history IS
'The history of a workflow, one row an event.';

CREATE FUNCTION temporal.failure_text(failure jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.concat_ws(': ', failure ->> 'message', failure #>> '{cause,message}')
	WHERE failure IS NOT NULL;
END;
COMMENT ON FUNCTION temporal.failure_text IS
'The message of a failure, and that of what was behind it.';

CREATE FUNCTION temporal.timeline(
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS TABLE (
	event_id bigint, kind text, name text, id text, state text, attempts integer,
	start_time timestamptz, duration interval, input jsonb, result jsonb, failure text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH run AS MATERIALIZED (
		SELECT temporal.describe_workflow(workflow_id, run_id, namespace) AS d
	), event AS MATERIALIZED (
		SELECT h.event_id, h.event_time, h.event_type, h.attributes AS a
		FROM run, temporal.history(workflow_id,
			(run.d #>> '{workflowExecutionInfo,execution,runId}')::pg_catalog.uuid, namespace) h
	), pending AS (
		SELECT p.a ->> 'activityId' AS activity_id, p.a
		FROM run, pg_catalog.jsonb_array_elements(run.d -> 'pendingActivities') AS p (a)
	)
	SELECT s.event_id, 'activity', s.a #>> '{activityType,name}', s.a ->> 'activityId',
		CASE WHEN e.event_id IS NOT NULL THEN pg_catalog.substr(e.event_type, 13)
			WHEN p.a IS NULL THEN 'Abandoned'
			ELSE pg_catalog.replace(pg_catalog.initcap(
				pg_catalog.substr(p.a ->> 'state', 24)), '_', '') END,
		coalesce(b.a -> 'attempt', p.a -> 'attempt', '1')::pg_catalog.int4,
		s.event_time, e.event_time - s.event_time,
		temporal.decode_payloads(s.a -> 'input'), temporal.decode_payloads(e.a -> 'result'),
		temporal.failure_text(coalesce(e.a -> 'failure', p.a -> 'lastFailure'))
	FROM event s
	LEFT JOIN event b ON b.event_type = 'ActivityTaskStarted'
		AND b.a ->> 'scheduledEventId' = s.event_id::pg_catalog.text
	LEFT JOIN event e ON e.event_type IN ('ActivityTaskCompleted', 'ActivityTaskFailed',
			'ActivityTaskTimedOut', 'ActivityTaskCanceled')
		AND e.a ->> 'scheduledEventId' = s.event_id::pg_catalog.text
	LEFT JOIN pending p ON e.event_id IS NULL AND p.activity_id = s.a ->> 'activityId'
	WHERE s.event_type = 'ActivityTaskScheduled'
	UNION ALL
	SELECT s.event_id, 'timer', s.a ->> 'timerId', s.a ->> 'timerId',
		CASE WHEN e.event_id IS NOT NULL THEN pg_catalog.substr(e.event_type, 6)
			WHEN run.d #>> '{workflowExecutionInfo,closeTime}' IS NULL THEN 'Started'
			ELSE 'Abandoned' END,
		NULL, s.event_time, e.event_time - s.event_time, NULL, NULL, NULL
	FROM run CROSS JOIN event s
	LEFT JOIN event e ON e.event_type IN ('TimerFired', 'TimerCanceled')
		AND e.a ->> 'startedEventId' = s.event_id::pg_catalog.text
	WHERE s.event_type = 'TimerStarted'
	UNION ALL
	SELECT s.event_id, 'signal', s.a ->> 'signalName', NULL, 'Received', NULL, s.event_time, NULL,
		temporal.decode_payloads(s.a -> 'input'), NULL, NULL
	FROM event s
	WHERE s.event_type = 'WorkflowExecutionSignaled'
	UNION ALL
	SELECT s.event_id, 'step', m.data ->> 'activity_type', m.data ->> 'activity_id',
		CASE WHEN s.a ? 'failure' THEN 'Failed' ELSE 'Completed' END,
		(m.data ->> 'attempt')::pg_catalog.int4, s.event_time, NULL, NULL,
		temporal.decode_payloads(s.a #> '{details,result}'),
		temporal.failure_text(s.a -> 'failure')
	FROM event s
	CROSS JOIN LATERAL (SELECT temporal.decode_payloads(s.a #> '{details,data}') AS data) m
	WHERE s.event_type = 'MarkerRecorded' AND s.a ->> 'markerName' = 'core_local_activity'
	ORDER BY 1;
END;
COMMENT ON FUNCTION temporal.timeline IS
'What a workflow has done, one row an activity, timer, signal or local step, in the order in which they began; the duration is that of all attempts, NULL until it is over.';

CREATE FUNCTION temporal.workflow_result(
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_result';
COMMENT ON FUNCTION temporal.workflow_result IS
'The result of a closed workflow. Raises its failure (class TF), or TW902 while it is running; never waits.';

CREATE PROCEDURE temporal.await_result(
	workflow_id text,
	timeout interval DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default',
	INOUT result jsonb DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'temporal_await_result';
COMMENT ON PROCEDURE temporal.await_result IS
'Waits until a workflow has closed and returns its result or raises its failure. Not inside a transaction block.';

CREATE PROCEDURE temporal.execute_workflow(
	workflow_type text,
	input jsonb DEFAULT NULL,
	workflow_id text DEFAULT NULL,
	task_queue text DEFAULT NULL,
	namespace text DEFAULT 'default',
	inputs jsonb[] DEFAULT NULL,
	request_id text DEFAULT NULL,
	id_reuse_policy text DEFAULT NULL,
	id_conflict_policy text DEFAULT NULL,
	execution_timeout interval DEFAULT NULL,
	run_timeout interval DEFAULT NULL,
	task_timeout interval DEFAULT NULL,
	start_delay interval DEFAULT NULL,
	memo jsonb DEFAULT NULL,
	search_attributes jsonb DEFAULT NULL,
	priority integer DEFAULT NULL,
	summary text DEFAULT NULL,
	identity text DEFAULT NULL,
	timeout interval DEFAULT NULL,
	INOUT result jsonb DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'temporal_execute_workflow';
COMMENT ON PROCEDURE temporal.execute_workflow IS
'Starts a workflow, commits and waits for its result. Not inside a transaction block.';

-- ---- workers ----
--
-- A task token says which namespace it is from; one given must agree with it.

CREATE FUNCTION temporal.poll_workflow_task(
	task_queue text,
	identity text DEFAULT NULL,
	namespace text DEFAULT 'default',
	sticky_queue text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_poll_workflow_task';
COMMENT ON FUNCTION temporal.poll_workflow_task IS
'Takes the next workflow task of a queue, with the history; NULL when there is nothing. Never waits.';

CREATE FUNCTION temporal.complete_workflow_task(
	task_token text,
	commands jsonb DEFAULT '[]',
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_complete_workflow_task';
COMMENT ON FUNCTION temporal.complete_workflow_task IS
'Answers a workflow task with commands. A refused command fails the task: see "error" in the result.';

CREATE FUNCTION temporal.fail_workflow_task(
	task_token text,
	message text,
	cause text DEFAULT 'WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE',
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondWorkflowTaskFailed', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'taskToken', task_token,
		'cause', cause,
		'failure', pg_catalog.jsonb_build_object('message', message,
			'applicationFailureInfo', '{}'::pg_catalog.jsonb),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.fail_workflow_task IS
'Says that a workflow task could not be worked on; it is offered again.';

CREATE FUNCTION temporal.poll_activity_tasks(
	task_queue text,
	identity text DEFAULT NULL,
	max_tasks integer DEFAULT 1,
	namespace text DEFAULT 'default')
RETURNS TABLE (task_token text, activity_id text, activity_type text, workflow_type text,
			   workflow_id text, run_id uuid, attempt integer, input jsonb,
			   heartbeat_details jsonb, scheduled_time timestamptz, started_time timestamptz,
			   deadline timestamptz)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_poll_activity_tasks';
COMMENT ON FUNCTION temporal.poll_activity_tasks IS
'Takes up to max_tasks activity tasks of a queue; no row when there is nothing. Never waits.';

CREATE FUNCTION temporal.complete_activity_task(
	task_token text,
	result jsonb DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_complete_activity_task';
COMMENT ON FUNCTION temporal.complete_activity_task IS
'Completes an activity. In the transaction of the poll and of the work it makes the effects exactly-once.';

CREATE FUNCTION temporal.fail_activity_task(
	task_token text,
	message text,
	type text DEFAULT NULL,
	non_retryable boolean DEFAULT false,
	details jsonb DEFAULT NULL,
	next_retry_delay interval DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondActivityTaskFailed', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'taskToken', task_token,
		'failure', pg_catalog.jsonb_build_object(
			'message', message,
			'applicationFailureInfo', pg_catalog.jsonb_build_object(
				'type', type,
				'nonRetryable', non_retryable,
				'nextRetryDelay', temporal.duration(next_retry_delay),
				'details', temporal.encode_payloads(details, NULL))),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.fail_activity_task IS
'Says that an attempt of an activity has failed; its retry policy decides what follows.';

CREATE FUNCTION temporal.cancel_activity_task(
	task_token text,
	details jsonb DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondActivityTaskCanceled', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'taskToken', task_token,
		'details', temporal.encode_payloads(details, NULL),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.cancel_activity_task IS
'Confirms that an activity was cancelled, after a heartbeat has said that it should be.';

CREATE FUNCTION temporal.heartbeat_activity_task(
	task_token text,
	details jsonb DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT NULL,
	OUT cancel_requested boolean,
	OUT activity_paused boolean,
	OUT activity_reset boolean)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_heartbeat_activity_task';
COMMENT ON FUNCTION temporal.heartbeat_activity_task IS
'Says that an activity is alive, keeps details for its next attempt, and tells whether it should stop.';

CREATE FUNCTION temporal.complete_activity(
	workflow_id text,
	activity_id text,
	result jsonb DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondActivityTaskCompletedById', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowId', workflow_id,
		'runId', run_id,
		'activityId', activity_id,
		'result', temporal.encode_payloads(result, NULL),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.complete_activity IS
'Completes an activity that is named by its workflow and its id.';

CREATE FUNCTION temporal.fail_activity(
	workflow_id text,
	activity_id text,
	message text,
	type text DEFAULT NULL,
	non_retryable boolean DEFAULT false,
	details jsonb DEFAULT NULL,
	next_retry_delay interval DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondActivityTaskFailedById', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowId', workflow_id,
		'runId', run_id,
		'activityId', activity_id,
		'failure', pg_catalog.jsonb_build_object(
			'message', message,
			'applicationFailureInfo', pg_catalog.jsonb_build_object(
				'type', type,
				'nonRetryable', non_retryable,
				'nextRetryDelay', temporal.duration(next_retry_delay),
				'details', temporal.encode_payloads(details, NULL))),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.fail_activity IS
'Fails an attempt of an activity that is named by its workflow and its id.';

CREATE FUNCTION temporal.cancel_activity(
	workflow_id text,
	activity_id text,
	details jsonb DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RespondActivityTaskCanceledById', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'workflowId', workflow_id,
		'runId', run_id,
		'activityId', activity_id,
		'details', temporal.encode_payloads(details, NULL),
		'identity', coalesce(identity, SESSION_USER::pg_catalog.text)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.cancel_activity IS
'Confirms the cancellation of an activity that is named by its workflow and its id.';

CREATE PROCEDURE temporal.wait_for_task(
	task_queue text,
	timeout interval DEFAULT NULL,
	task_type text DEFAULT 'activity',
	namespace text DEFAULT 'default',
	INOUT found boolean DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'temporal_wait_for_task';
COMMENT ON PROCEDURE temporal.wait_for_task IS
'Waits until a queue has a task that nobody has taken; false after the timeout. Not inside a transaction block.';

CREATE FUNCTION temporal.listen(
	task_queue text,
	task_type text DEFAULT 'activity',
	namespace text DEFAULT 'default')
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_listen';
COMMENT ON FUNCTION temporal.listen IS
'The channel on which this session gets a notification when a queue has work, after LISTEN on it.';

CREATE PROCEDURE temporal.work(
	task_queue text,
	handler text,
	task_type text DEFAULT 'activity',
	max_tasks integer DEFAULT NULL,
	idle_timeout interval DEFAULT NULL,
	identity text DEFAULT NULL,
	namespace text DEFAULT 'default')
LANGUAGE c
AS 'MODULE_PATHNAME', 'temporal_work';
COMMENT ON PROCEDURE temporal.work IS
'Works on a queue: calls handler(task jsonb) returns jsonb for each task, in one transaction with its completion. For task_type workflow the result is the list of commands.';
