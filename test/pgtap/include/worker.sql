-- A raw worker and client for scenarios, in schema t.
--
--     BEGIN;
--     \ir include/worker.sql
--     SELECT * FROM no_plan();
--     SELECT t.start('w');
--     SELECT t.poll('w') AS task \gset
--     SELECT t.complete(:'task', t.start_timer('a', '1s') || t.complete_workflow('1'));
--     SELECT t.history_is('w', 'P, 5 TIMER_START, 6 WF_COMPLETED', 'S-nn what is so');
--     SELECT t.check('w');
--     SELECT * FROM finish();
--     ROLLBACK;
--
-- A workflow has a task queue of its own name, so scenarios of one file do not
-- get in each other's way.  All happens in one transaction that is rolled back:
-- no background worker sees any of it, and time passes by t.skip() only.
--
-- Requests take "options": fields that are merged into the request, over the
-- defaults; null takes a default away.  Commands are JSON arrays of one, to be
-- concatenated with ||.  Calls that are refused raise an error, also those
-- whose refusal is recorded; a refusal that is expected goes through
-- t.error_of().

\set QUIET on
SET LOCAL client_min_messages = error;

CREATE SCHEMA t;

-- ------------------------------------------------------------------- calls

-- Null takes away a field, but means something deeper inside.
CREATE FUNCTION t.without_nulls(fields jsonb) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(fields) WHERE value <> 'null'
$$;

CREATE FUNCTION t.request(defaults jsonb, options jsonb) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.without_nulls('{"namespace": "default"}' || defaults || options) $$;

CREATE FUNCTION t.rpc(method text, request jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	answer jsonb := temporal.rpc(method, '{"namespace": "default"}' || request);
BEGIN
	IF answer ? 'error' THEN
		RAISE EXCEPTION USING errcode = answer #>> '{error,sqlstate}',
			message = answer #>> '{error,message}', detail = 'The refusal of ' || method || ' was recorded.';
	END IF;
	RETURN answer;
END
$$;

-- 'SQLSTATE message' of a call that is refused, NULL if it is not.
CREATE FUNCTION t.error_of(method text, request jsonb) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	answer jsonb;
BEGIN
	answer := temporal.rpc(method, '{"namespace": "default"}' || request);
	RETURN (answer #>> '{error,sqlstate}') || ' ' || (answer #>> '{error,message}');
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END
$$;

-- The same of any statement.  A recorded refusal counts, but is undone if it
-- comes from another function of this file than t.error_of().
CREATE FUNCTION t.error_of(statement text) RETURNS text
LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END
$$;

-- -------------------------------------------------------------------- time

CREATE FUNCTION t.tick() RETURNS integer
LANGUAGE plpgsql AS
$$
DECLARE
	done integer;
	total integer := 0;
	failed text;
BEGIN
	LOOP
		done := temporal.tick();
		total := total + done;
		SELECT error INTO failed FROM temporal.timer WHERE error IS NOT NULL
			UNION ALL SELECT error FROM temporal.outbox WHERE error IS NOT NULL;
		IF FOUND THEN
			RAISE EXCEPTION 'due work failed: %', failed;
		END IF;
		EXIT WHEN done = 0;
		IF total > 100000 THEN
			RAISE EXCEPTION 'due work does not end';
		END IF;
	END LOOP;
	RETURN total;
END
$$;

-- Moves the clock of the engine; does nothing that has become due.
CREATE FUNCTION t.move_clock(by interval) RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
	milliseconds numeric := coalesce(nullif(current_setting('t.clock_offset', true), ''), '0')::numeric
		+ round(extract(epoch FROM by) * 1000);
BEGIN
	PERFORM set_config('t.clock_offset', milliseconds::text, true);
	PERFORM set_config('temporal.clock_offset', milliseconds::text, true);
END
$$;

-- Lets time pass, and does what has become due.
CREATE FUNCTION t.skip(by interval) RETURNS integer
LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.move_clock(by);
	RETURN t.tick();
END
$$;

-- What the engine takes for the time of day.
CREATE FUNCTION t.now() RETURNS timestamptz
LANGUAGE sql VOLATILE AS
$$
	SELECT clock_timestamp() +
		coalesce(nullif(current_setting('t.clock_offset', true), ''), '0')::numeric * interval '1 millisecond'
$$;

-- ------------------------------------------------------------------ client

CREATE FUNCTION t.execution(workflow_id text, run_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT jsonb_strip_nulls(jsonb_build_object('workflow_id', workflow_id, 'run_id', run_id)) $$;

CREATE FUNCTION t.starting(workflow_id text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('workflow_id', workflow_id,
		'workflow_type', '{"name": "wf"}'::jsonb,
		'task_queue', jsonb_build_object('name', workflow_id), 'identity', 'client'), options)
$$;

CREATE FUNCTION t.start(workflow_id text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.rpc('StartWorkflowExecution', t.starting(workflow_id, options)) $$;

CREATE FUNCTION t.signal_with_start(workflow_id text, name text DEFAULT 'sig', options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('SignalWithStartWorkflowExecution',
		t.starting(workflow_id, jsonb_build_object('signal_name', name) || options))
$$;

CREATE FUNCTION t.signaling(workflow_id text, name text DEFAULT 'sig', options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('workflow_execution', t.execution(workflow_id),
		'signal_name', name, 'identity', 'client'), options)
$$;

CREATE FUNCTION t.signal(workflow_id text, name text DEFAULT 'sig', options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.rpc('SignalWorkflowExecution', t.signaling(workflow_id, name, options)) $$;

CREATE FUNCTION t.cancel(workflow_id text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RequestCancelWorkflowExecution', t.request(jsonb_build_object(
		'workflow_execution', t.execution(workflow_id), 'identity', 'client'), options))
$$;

CREATE FUNCTION t.terminate(workflow_id text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('TerminateWorkflowExecution', t.request(jsonb_build_object(
		'workflow_execution', t.execution(workflow_id), 'identity', 'client'), options))
$$;

CREATE FUNCTION t.describe(workflow_id text, run_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('DescribeWorkflowExecution',
		jsonb_build_object('execution', t.execution(workflow_id, run_id)))
$$;

-- The value of a payload, in full or in shorthand.
CREATE FUNCTION t.value(payload jsonb) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT CASE WHEN payload #> '{metadata,encoding}' IS NOT NULL
		THEN convert_from(decode(payload ->> 'data', 'base64'), 'UTF8')::jsonb ELSE payload END
$$;

CREATE FUNCTION t.search_attributes(workflow_id text, run_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT coalesce(jsonb_object_agg(key, t.value(value)), '{}') FROM jsonb_each(
		t.describe(workflow_id, run_id) #> '{workflowExecutionInfo,searchAttributes,indexedFields}')
$$;

-- A pending activity as it is described, NULL if it is not pending.
CREATE FUNCTION t.pending_activity(workflow_id text, activity_id text DEFAULT 'a') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT a FROM jsonb_array_elements(t.describe(workflow_id) -> 'pendingActivities') AS a
		WHERE a ->> 'activityId' = activity_id
$$;

-- --------------------------------------------------------- workflow worker

-- '{}' if there is nothing to do.
CREATE FUNCTION t.poll(queue text, identity text DEFAULT 'worker', options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('PollWorkflowTaskQueue', t.request(jsonb_build_object(
		'task_queue', jsonb_build_object('name', queue), 'identity', identity), options))
$$;

CREATE FUNCTION t.poll_sticky(queue text, normal_queue text, identity text DEFAULT 'worker') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.poll(queue, identity, jsonb_build_object('task_queue', jsonb_build_object(
		'name', queue, 'kind', 'TASK_QUEUE_KIND_STICKY', 'normal_name', normal_queue)))
$$;

-- An option for t.complete(): the worker keeps the workflow in its cache.
CREATE FUNCTION t.sticky(queue text, normal_queue text, schedule_to_start text DEFAULT '1s') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT jsonb_build_object('sticky_attributes', jsonb_build_object(
		'worker_task_queue', jsonb_build_object('name', queue, 'kind', 'TASK_QUEUE_KIND_STICKY',
			'normal_name', normal_queue),
		'schedule_to_start_timeout', schedule_to_start))
$$;

CREATE FUNCTION t.completion(poll jsonb, commands jsonb DEFAULT '[]', options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('task_token', poll -> 'taskToken', 'commands', commands,
		'identity', 'worker'), options)
$$;

CREATE FUNCTION t.complete(poll jsonb, commands jsonb DEFAULT '[]', options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.rpc('RespondWorkflowTaskCompleted', t.completion(poll, commands, options)) $$;

-- A completion that is expected to be refused: 'SQLSTATE message' or NULL.
CREATE FUNCTION t.error_of_complete(poll jsonb, commands jsonb DEFAULT '[]', options jsonb DEFAULT '{}')
RETURNS text
LANGUAGE sql AS
$$ SELECT t.error_of('RespondWorkflowTaskCompleted', t.completion(poll, commands, options)) $$;

CREATE FUNCTION t.fail(poll jsonb,
	cause text DEFAULT 'WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE',
	options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RespondWorkflowTaskFailed', t.request(jsonb_build_object(
		'task_token', poll -> 'taskToken', 'cause', cause,
		'failure', '{"message": "task failed"}'::jsonb, 'identity', 'worker'), options))
$$;

-- Start, poll and complete the first workflow task: the "P" of the scenarios.
CREATE FUNCTION t.run(workflow_id text, commands jsonb DEFAULT '[]', start_options jsonb DEFAULT '{}',
	complete_options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.start(workflow_id, start_options);
	RETURN t.complete(t.poll(workflow_id), commands, complete_options);
END
$$;

-- --------------------------------------------------------- activity worker

CREATE FUNCTION t.poll_activity(queue text, identity text DEFAULT 'activity worker',
	options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('PollActivityTaskQueue', t.request(jsonb_build_object(
		'task_queue', jsonb_build_object('name', queue), 'identity', identity), options))
$$;

-- The request of any Respond*/Record* method that takes an activity's token.
CREATE FUNCTION t.activity_request(poll jsonb, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('task_token', poll -> 'taskToken',
		'identity', 'activity worker'), options)
$$;

-- The request of any method that names an activity by its id.
CREATE FUNCTION t.activity_by_id(workflow_id text, activity_id text DEFAULT 'a', options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('workflow_id', workflow_id, 'activity_id', activity_id,
		'identity', 'client'), options)
$$;

-- The request of an operator's method for activities of a workflow.
CREATE FUNCTION t.activity_control(workflow_id text, options jsonb DEFAULT '{"id": "a"}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.request(jsonb_build_object('execution', t.execution(workflow_id),
		'identity', 'operator'), options)
$$;

CREATE FUNCTION t.complete_activity(poll jsonb, result jsonb DEFAULT '["done"]', options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RespondActivityTaskCompleted',
		t.activity_request(poll, jsonb_build_object('result', result) || options))
$$;

-- A failure as an application raises it; "more" goes into the Failure message.
CREATE FUNCTION t.failure(message text, type text DEFAULT '', non_retryable boolean DEFAULT false,
	more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT jsonb_build_object('message', message, 'source', 'test', 'application_failure_info',
		jsonb_build_object('type', type, 'non_retryable', non_retryable)) || more
$$;

CREATE FUNCTION t.fail_activity(poll jsonb, failure jsonb DEFAULT t.failure('activity failed'),
	options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RespondActivityTaskFailed',
		t.activity_request(poll, jsonb_build_object('failure', failure) || options))
$$;

CREATE FUNCTION t.cancel_activity(poll jsonb, details jsonb DEFAULT '["canceled"]',
	options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RespondActivityTaskCanceled',
		t.activity_request(poll, jsonb_build_object('details', details) || options))
$$;

CREATE FUNCTION t.heartbeat(poll jsonb, details jsonb DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.rpc('RecordActivityTaskHeartbeat',
		t.activity_request(poll, jsonb_build_object('details', details) || options))
$$;

-- ---------------------------------------------------------------- commands

CREATE FUNCTION t.command(type text, attributes jsonb, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT jsonb_build_array(jsonb_build_object('command_type', 'COMMAND_TYPE_' || type,
		lower(type) || '_command_attributes', t.without_nulls(attributes)) || more)
$$;

-- The queue is the workflow's, the only timeout start_to_close of a minute.
CREATE FUNCTION t.schedule_activity(activity_id text, attributes jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('SCHEDULE_ACTIVITY_TASK', jsonb_build_object('activity_id', activity_id,
		'activity_type', '{"name": "act"}'::jsonb, 'start_to_close_timeout', '60s') || attributes)
$$;

CREATE FUNCTION t.request_cancel_activity(scheduled_event_id bigint) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('REQUEST_CANCEL_ACTIVITY_TASK',
		jsonb_build_object('scheduled_event_id', scheduled_event_id))
$$;

CREATE FUNCTION t.start_timer(timer_id text, duration text DEFAULT '1s') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('START_TIMER',
		jsonb_build_object('timer_id', timer_id, 'start_to_fire_timeout', duration))
$$;

CREATE FUNCTION t.cancel_timer(timer_id text) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.command('CANCEL_TIMER', jsonb_build_object('timer_id', timer_id)) $$;

CREATE FUNCTION t.complete_workflow(result jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('COMPLETE_WORKFLOW_EXECUTION',
		jsonb_build_object('result', CASE WHEN result IS NOT NULL THEN jsonb_build_array(result) END))
$$;

CREATE FUNCTION t.fail_workflow(failure jsonb DEFAULT t.failure('workflow failed')) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.command('FAIL_WORKFLOW_EXECUTION', jsonb_build_object('failure', failure)) $$;

CREATE FUNCTION t.cancel_workflow(details jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.command('CANCEL_WORKFLOW_EXECUTION', jsonb_build_object('details', details)) $$;

CREATE FUNCTION t.continue_as_new(attributes jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.command('CONTINUE_AS_NEW_WORKFLOW_EXECUTION', attributes) $$;

CREATE FUNCTION t.record_marker(name text, details jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('RECORD_MARKER', jsonb_build_object('marker_name', name, 'details', details))
$$;

-- A null value removes.
CREATE FUNCTION t.upsert_search_attributes(fields jsonb) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES',
		jsonb_build_object('search_attributes', jsonb_build_object('indexed_fields', fields)))
$$;

CREATE FUNCTION t.modify_properties(memo jsonb) RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('MODIFY_WORKFLOW_PROPERTIES',
		jsonb_build_object('upserted_memo', jsonb_build_object('fields', memo)))
$$;

CREATE FUNCTION t.start_child(workflow_id text, attributes jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('START_CHILD_WORKFLOW_EXECUTION', jsonb_build_object('workflow_id', workflow_id,
		'workflow_type', '{"name": "child"}'::jsonb,
		'task_queue', jsonb_build_object('name', workflow_id)) || attributes)
$$;

CREATE FUNCTION t.signal_external(workflow_id text, name text DEFAULT 'sig', attributes jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('SIGNAL_EXTERNAL_WORKFLOW_EXECUTION', jsonb_build_object(
		'execution', t.execution(workflow_id), 'signal_name', name) || attributes)
$$;

CREATE FUNCTION t.cancel_external(workflow_id text, attributes jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS
$$
	SELECT t.command('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION',
		jsonb_build_object('workflow_id', workflow_id) || attributes)
$$;

CREATE FUNCTION t.protocol_message(message_id text) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT t.command('PROTOCOL_MESSAGE', jsonb_build_object('message_id', message_id)) $$;

-- ----------------------------------------------------------------- history

-- The abbreviations of the scenarios; other types keep their name.
CREATE FUNCTION t.event_name(event_type text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS
$$
DECLARE
	name text := replace(event_type, 'EVENT_TYPE_', '');
	abbreviations jsonb := '{
		"WORKFLOW_EXECUTION_STARTED": "WF_STARTED",
		"WORKFLOW_EXECUTION_COMPLETED": "WF_COMPLETED",
		"WORKFLOW_EXECUTION_FAILED": "WF_FAILED",
		"WORKFLOW_EXECUTION_TIMED_OUT": "WF_TIMED_OUT",
		"WORKFLOW_EXECUTION_CANCELED": "WF_CANCELED",
		"WORKFLOW_EXECUTION_TERMINATED": "WF_TERMINATED",
		"WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "WF_CAN",
		"WORKFLOW_EXECUTION_CANCEL_REQUESTED": "WF_CANCEL_REQ",
		"WORKFLOW_EXECUTION_SIGNALED": "WF_SIGNALED",
		"WORKFLOW_EXECUTION_OPTIONS_UPDATED": "WF_OPTIONS",
		"WORKFLOW_TASK_SCHEDULED": "WFT_SCHED",
		"WORKFLOW_TASK_STARTED": "WFT_START",
		"WORKFLOW_TASK_COMPLETED": "WFT_DONE",
		"WORKFLOW_TASK_FAILED": "WFT_FAILED",
		"WORKFLOW_TASK_TIMED_OUT": "WFT_TIMEOUT",
		"ACTIVITY_TASK_SCHEDULED": "ACT_SCHED",
		"ACTIVITY_TASK_STARTED": "ACT_START",
		"ACTIVITY_TASK_COMPLETED": "ACT_DONE",
		"ACTIVITY_TASK_FAILED": "ACT_FAILED",
		"ACTIVITY_TASK_TIMED_OUT": "ACT_TIMEOUT",
		"ACTIVITY_TASK_CANCEL_REQUESTED": "ACT_CANCEL_REQ",
		"ACTIVITY_TASK_CANCELED": "ACT_CANCELED",
		"TIMER_STARTED": "TIMER_START",
		"MARKER_RECORDED": "MARKER",
		"UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "UPSERT_SA",
		"WORKFLOW_PROPERTIES_MODIFIED": "PROPS_MOD",
		"WORKFLOW_EXECUTION_UPDATE_ADMITTED": "UPD_ADMITTED",
		"WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "UPD_ACCEPTED",
		"WORKFLOW_EXECUTION_UPDATE_COMPLETED": "UPD_COMPLETED",
		"START_CHILD_WORKFLOW_EXECUTION_INITIATED": "CHILD_INIT",
		"START_CHILD_WORKFLOW_EXECUTION_FAILED": "CHILD_INIT_FAILED",
		"CHILD_WORKFLOW_EXECUTION_STARTED": "CHILD_START",
		"CHILD_WORKFLOW_EXECUTION_COMPLETED": "CHILD_DONE",
		"CHILD_WORKFLOW_EXECUTION_FAILED": "CHILD_FAILED",
		"CHILD_WORKFLOW_EXECUTION_CANCELED": "CHILD_CANCELED",
		"CHILD_WORKFLOW_EXECUTION_TIMED_OUT": "CHILD_TIMED_OUT",
		"CHILD_WORKFLOW_EXECUTION_TERMINATED": "CHILD_TERMINATED",
		"SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": "XSIG_INIT",
		"SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": "XSIG_FAILED",
		"EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": "XSIG_DONE",
		"REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": "XCAN_INIT",
		"REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": "XCAN_FAILED",
		"EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": "XCAN_DONE"
	}';
BEGIN
	RETURN coalesce(abbreviations ->> name, name);
END
$$;

-- All stored events, as GetWorkflowExecutionHistory returns them.
CREATE FUNCTION t.stored(workflow_id text, run_id text DEFAULT NULL)
RETURNS TABLE (id bigint, name text, "time" timestamptz, attributes jsonb, event jsonb)
LANGUAGE plpgsql AS
$$
DECLARE
	request jsonb := t.request(jsonb_build_object('execution', t.execution(workflow_id, run_id)), '{}');
	answer jsonb;
BEGIN
	LOOP
		answer := t.rpc('GetWorkflowExecutionHistory', request);
		RETURN QUERY SELECT (e ->> 'eventId')::bigint, t.event_name(e ->> 'eventType'),
			(e ->> 'eventTime')::timestamptz,
			(SELECT value FROM jsonb_each(e) WHERE key LIKE '%EventAttributes'), e
			FROM jsonb_array_elements(answer #> '{history,events}') AS e;
		EXIT WHEN NOT answer ? 'nextPageToken';
		IF request -> 'next_page_token' = answer -> 'nextPageToken' THEN
			RAISE EXCEPTION 'history of workflow "%" has no end', workflow_id;
		END IF;
		request := request || jsonb_build_object('next_page_token', answer -> 'nextPageToken');
	END LOOP;
END
$$;

CREATE FUNCTION t.events(workflow_id text, run_id text DEFAULT NULL) RETURNS text[]
LANGUAGE sql AS
$$ SELECT array_agg(id || ' ' || name) FROM t.stored(workflow_id, run_id) $$;

-- The whole event in JSON.
CREATE FUNCTION t.raw_event(workflow_id text, id bigint, run_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT s.event FROM t.stored(workflow_id, run_id) AS s WHERE s.id = raw_event.id $$;

-- The attributes of an event.  64-bit integers are JSON strings.
CREATE FUNCTION t.event(workflow_id text, id bigint, run_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS
$$ SELECT s.attributes FROM t.stored(workflow_id, run_id) AS s WHERE s.id = event.id $$;

CREATE FUNCTION t.event_time(workflow_id text, id bigint, run_id text DEFAULT NULL) RETURNS timestamptz
LANGUAGE sql AS
$$ SELECT s."time" FROM t.stored(workflow_id, run_id) AS s WHERE s.id = event_time.id $$;

-- The events in the answer of a poll.
CREATE FUNCTION t.history(poll jsonb) RETURNS text[]
LANGUAGE sql AS
$$
	SELECT array_agg((e ->> 'eventId') || ' ' || t.event_name(e ->> 'eventType'))
	FROM jsonb_array_elements(poll #> '{history,events}') AS e
$$;

-- ------------------------------------------------------------------ points

-- The expected events as in the scenarios: 'P, 5 WF_COMPLETED'.
CREATE FUNCTION t.expand(expected text) RETURNS text
LANGUAGE sql AS
$$
	SELECT regexp_replace(btrim(regexp_replace(expected, '\s+', ' ', 'g')), '^P\M',
		'1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE')
$$;

CREATE FUNCTION t.history_is(workflow_id text, expected text, description text, run_id text DEFAULT NULL)
RETURNS text
LANGUAGE sql AS
$$
	SELECT is(array_to_string(t.events(workflow_id, run_id), ', '), t.expand(expected), description)
$$;

CREATE FUNCTION t.poll_is(poll jsonb, expected text, description text) RETURNS text
LANGUAGE sql AS
$$ SELECT is(array_to_string(t.history(poll), ', '), t.expand(expected), description) $$;

-- Those parts of a value that a pattern has too; null where there is nothing.
CREATE FUNCTION t.part(value jsonb, pattern jsonb) RETURNS jsonb
LANGUAGE plpgsql AS
$$
BEGIN
	IF jsonb_typeof(pattern) = 'object' AND jsonb_typeof(value) = 'object' THEN
		RETURN coalesce((SELECT jsonb_object_agg(key, t.part(value -> key, pattern -> key))
			FROM jsonb_object_keys(pattern) AS key), '{}');
	END IF;
	RETURN coalesce(value, 'null');
END
$$;

-- The value has what the pattern says; null in the pattern: it has no such key.
CREATE FUNCTION t.has(value jsonb, pattern jsonb, description text) RETURNS text
LANGUAGE sql AS
$$ SELECT is(t.part(value, pattern), pattern, description) $$;

CREATE FUNCTION t.event_has(workflow_id text, id bigint, pattern jsonb, description text,
	run_id text DEFAULT NULL) RETURNS text
LANGUAGE sql AS
$$ SELECT t.has(t.event(workflow_id, id, run_id), pattern, description) $$;

-- -------------------------------------------------------------- invariants

-- Events whose time may lie before that of an event with a lower id: tasks that
-- are written late, and what waits in the buffer while a task is started.
CREATE FUNCTION t.may_be_older(name text) RETURNS boolean
LANGUAGE sql AS
$$
	SELECT name IN ('WFT_SCHED', 'WFT_START', 'TIMER_FIRED', 'WF_SIGNALED', 'WF_CANCEL_REQ', 'WF_OPTIONS',
		'CHILD_INIT_FAILED', 'XSIG_FAILED', 'XSIG_DONE', 'XCAN_FAILED', 'XCAN_DONE', 'UPD_ADMITTED')
		OR name ~ '^(ACT|CHILD)_(START|DONE|FAILED|TIMEOUT|TIMED_OUT|CANCELED|TERMINATED)$'
$$;

-- What is wrong with the ids, times and batches of a history.  The events of a
-- workflow task that is pending may not be stored yet.
CREATE FUNCTION t.history_problems(workflow_id text, run_id text)
RETURNS SETOF text
LANGUAGE sql AS
$$
	WITH event AS MATERIALIZED (
		SELECT * FROM t.stored(workflow_id, run_id)
	), batch AS (
		SELECT h.first_event_id, h.event_count FROM temporal.history AS h
		WHERE h.run_id = history_problems.run_id::uuid
	), placed AS (
		SELECT e.*, b.first_event_id,
			lag(e.name) OVER (ORDER BY e.id) AS previous_name,
			max(e."time") OVER (PARTITION BY b.first_event_id ORDER BY e.id) AS latest
		FROM event AS e
		LEFT JOIN batch AS b ON e.id BETWEEN b.first_event_id AND b.first_event_id + b.event_count - 1
	)
	SELECT 'ids have gaps: ' || string_agg(id::text, ' ') FROM event
		HAVING array_agg(id) IS DISTINCT FROM array(SELECT generate_series(1, max(id)))
	UNION ALL
	SELECT format('event %s is in no batch', id) FROM placed AS p WHERE first_event_id IS NULL
		AND EXISTS (SELECT FROM event AS e WHERE e.id >= p.id AND e.name NOT IN ('WFT_SCHED', 'WFT_START'))
	UNION ALL
	SELECT format('event %s is older than one before it in its batch', id) FROM placed
		WHERE "time" < latest AND NOT t.may_be_older(name)
	UNION ALL
	SELECT format('event %s follows the closing event', id) FROM placed
		WHERE previous_name ~ '^WF_(COMPLETED|FAILED|TIMED_OUT|CANCELED|TERMINATED|CAN)$'
$$;

-- What must be pending, by the history alone; the buffer may have ended more.
CREATE FUNCTION t.expected_pending(workflow_id text, run_id text) RETURNS TABLE (kind text, id text)
LANGUAGE sql AS
$$
	WITH event AS MATERIALIZED (
		SELECT * FROM t.stored(workflow_id, run_id)
	)
	SELECT 'activity', s.attributes ->> 'activityId' FROM event AS s
		WHERE s.name = 'ACT_SCHED' AND NOT EXISTS (SELECT FROM event AS f
			WHERE f.name IN ('ACT_DONE', 'ACT_FAILED', 'ACT_TIMEOUT', 'ACT_CANCELED')
			AND (f.attributes ->> 'scheduledEventId')::bigint = s.id)
	UNION ALL
	SELECT 'timer', s.attributes ->> 'timerId' FROM event AS s
		WHERE s.name = 'TIMER_START' AND NOT EXISTS (SELECT FROM event AS f
			WHERE f.name IN ('TIMER_FIRED', 'TIMER_CANCELED')
			AND (f.attributes ->> 'startedEventId')::bigint = s.id)
	UNION ALL
	SELECT 'external', s.id::text FROM event AS s
		WHERE s.name IN ('XSIG_INIT', 'XCAN_INIT') AND NOT EXISTS (SELECT FROM event AS f
			WHERE f.name IN ('XSIG_DONE', 'XSIG_FAILED', 'XCAN_DONE', 'XCAN_FAILED')
			AND (f.attributes ->> 'initiatedEventId')::bigint = s.id)
	UNION ALL
	SELECT 'child', s.id::text FROM event AS s
		WHERE s.name = 'CHILD_INIT' AND NOT EXISTS (SELECT FROM event AS f
			WHERE f.name IN ('CHILD_INIT_FAILED', 'CHILD_DONE', 'CHILD_FAILED', 'CHILD_CANCELED',
				'CHILD_TIMED_OUT', 'CHILD_TERMINATED')
			AND (f.attributes ->> 'initiatedEventId')::bigint = s.id)
$$;

CREATE FUNCTION t.actual_pending(description jsonb) RETURNS TABLE (kind text, id text)
LANGUAGE sql AS
$$
	SELECT 'activity', a ->> 'activityId' FROM jsonb_array_elements(description -> 'pendingActivities') AS a
	UNION ALL
	SELECT 'child', c ->> 'initiatedId' FROM jsonb_array_elements(description -> 'pendingChildren') AS c
	UNION ALL
	SELECT 'timer', p.timer_id FROM temporal.pending_timer AS p
		WHERE p.run_id = (description #>> '{workflowExecutionInfo,execution,runId}')::uuid
	UNION ALL
	SELECT 'external', p.initiated_event_id::text FROM temporal.pending_external AS p
		WHERE p.run_id = (description #>> '{workflowExecutionInfo,execution,runId}')::uuid
$$;

CREATE FUNCTION t.pending_problems(workflow_id text, run_id text, description jsonb) RETURNS SETOF text
LANGUAGE sql AS
$$
	WITH buffered AS (
		SELECT count(*) AS n FROM temporal.buffered_event AS b WHERE b.run_id = pending_problems.run_id::uuid
	), expected AS MATERIALIZED (
		SELECT kind, id FROM t.expected_pending(workflow_id, run_id)
	), actual AS MATERIALIZED (
		SELECT kind, id FROM t.actual_pending(description)
	)
	SELECT format('%s %s is pending, but not by the history', kind, id)
		FROM (SELECT * FROM actual EXCEPT ALL SELECT * FROM expected) AS a
	UNION ALL
	SELECT format('%s %s is not pending, but by the history it is', kind, id)
		FROM (SELECT * FROM expected EXCEPT ALL SELECT * FROM actual) AS e, buffered WHERE n = 0
$$;

-- The pending workflow task as the history has it, against the real one.
CREATE FUNCTION t.task_problems(workflow_id text, run_id text, description jsonb) RETURNS SETOF text
LANGUAGE sql AS
$$
	WITH last AS (
		SELECT name FROM t.stored(workflow_id, run_id) WHERE name LIKE 'WFT\_%' ORDER BY id DESC LIMIT 1
	), task AS (
		SELECT replace(description #>> '{pendingWorkflowTask,state}', 'PENDING_WORKFLOW_TASK_STATE_', '') AS state,
			(description #>> '{pendingWorkflowTask,attempt}')::int AS attempt,
			(SELECT name FROM last) AS last_name,
			(SELECT count(*) FROM temporal.task AS o
				WHERE o.run_id = task_problems.run_id::uuid AND o.kind = 1) AS offers
	)
	SELECT format('workflow task is %s, its attempt %s, the last event %s', state, attempt, last_name)
		FROM task
		WHERE CASE WHEN attempt > 1 THEN last_name IN ('WFT_SCHED', 'WFT_START')
			WHEN state = 'SCHEDULED' THEN last_name IS DISTINCT FROM 'WFT_SCHED'
			WHEN state = 'STARTED' THEN last_name IS DISTINCT FROM 'WFT_START'
			ELSE last_name IN ('WFT_SCHED', 'WFT_START') END
	UNION ALL
	SELECT format('workflow task is %s and offered %s times', coalesce(state, 'not pending'), offers)
		FROM task WHERE offers <> (CASE WHEN state = 'SCHEDULED' THEN 1 ELSE 0 END)
$$;

CREATE FUNCTION t.status_problems(workflow_id text, run_id text, description jsonb) RETURNS SETOF text
LANGUAGE sql AS
$$
	WITH last AS (
		SELECT * FROM t.stored(workflow_id, run_id) ORDER BY id DESC LIMIT 1
	), expected AS (
		SELECT id, CASE name WHEN 'WF_COMPLETED' THEN 2 WHEN 'WF_FAILED' THEN 3 WHEN 'WF_CANCELED' THEN 4
			WHEN 'WF_TERMINATED' THEN 5 WHEN 'WF_CAN' THEN 6 WHEN 'WF_TIMED_OUT' THEN 7
			WHEN 'WF_PAUSED' THEN 8 ELSE 1 END AS status, "time"
		FROM last
	), wanted AS (
		SELECT status, (ARRAY['RUNNING', 'COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED',
			'CONTINUED_AS_NEW', 'TIMED_OUT', 'PAUSED'])[status] AS name, id AS length,
			CASE WHEN status NOT IN (1, 8) THEN "time" END AS close_time
		FROM expected
	), described AS (
		SELECT replace(info ->> 'status', 'WORKFLOW_EXECUTION_STATUS_', '') AS name,
			(info ->> 'historyLength')::bigint AS length, (info ->> 'closeTime')::timestamptz AS close_time
		FROM (SELECT description -> 'workflowExecutionInfo') AS d (info)
	)
	SELECT format('described are %s', row_to_json(d)) FROM described AS d, wanted AS w
		WHERE (d.name, d.length, d.close_time) IS DISTINCT FROM (w.name, w.length, w.close_time)
	UNION ALL
	SELECT format('listed are status %s, close time %s, length %s', e.status, e.close_time, e.history_length)
		FROM wanted AS w LEFT JOIN temporal.execution AS e ON e.run_id = status_problems.run_id::uuid
		WHERE (e.status, e.close_time, e.history_length) IS DISTINCT FROM (w.status, w.close_time,
			CASE WHEN w.close_time IS NOT NULL THEN w.length END)
$$;

-- What a closed run must not leave behind.
CREATE FUNCTION t.rest_problems(run_id uuid) RETURNS SETOF text
LANGUAGE sql AS
$$
	SELECT format('%s rows of %s are left', n, name) FROM (
		SELECT count(*), 'task' FROM temporal.task AS r
			WHERE r.run_id = rest_problems.run_id
		UNION ALL SELECT count(*), 'run timer' FROM temporal.timer AS r
			WHERE r.run_id = rest_problems.run_id AND r.kind = 1
		UNION ALL SELECT count(*), 'pending_timer' FROM temporal.pending_timer AS r
			WHERE r.run_id = rest_problems.run_id
		UNION ALL SELECT count(*), 'buffered_event' FROM temporal.buffered_event AS r
			WHERE r.run_id = rest_problems.run_id
	) AS r (n, name) WHERE n > 0
$$;

-- What does not hold of what holds for every run at any time.
CREATE FUNCTION t.problems(workflow_id text, run_id text DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql AS
$$
DECLARE
	description jsonb := t.describe(workflow_id, run_id);
	run text := description #>> '{workflowExecutionInfo,execution,runId}';
	problems text[];
BEGIN
	problems := array(SELECT t.history_problems(workflow_id, run))
		|| array(SELECT t.status_problems(workflow_id, run, description));
	IF description #>> '{workflowExecutionInfo,closeTime}' IS NULL THEN
		RETURN problems || array(SELECT t.pending_problems(workflow_id, run, description))
			|| array(SELECT t.task_problems(workflow_id, run, description));
	END IF;
	RETURN problems || array(SELECT t.rest_problems(run::uuid))
		|| array(SELECT format('%s is described as pending', key) FROM jsonb_object_keys(description) AS key
			WHERE key LIKE 'pending%');
END
$$;

-- One point: nothing is wrong with the run.
CREATE FUNCTION t.check(workflow_id text, run_id text DEFAULT NULL) RETURNS text
LANGUAGE sql AS
$$ SELECT is(array_to_string(t.problems(workflow_id, run_id), '; '), '', 'invariants of ' || workflow_id) $$;

-- A string of that many bytes, too large for a limit.
CREATE FUNCTION t.large(bytes integer DEFAULT 2 * 1024 * 1024 + 1) RETURNS text
LANGUAGE sql AS
$$ SELECT repeat('x', bytes) $$;
