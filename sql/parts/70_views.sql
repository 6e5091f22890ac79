-- What people read.  The views run with the rights of whoever asks, so row
-- security decides what they show.

CREATE FUNCTION temporal.decode(message_type text, message bytea)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_decode';
COMMENT ON FUNCTION temporal.decode IS
'A stored protobuf message as JSON.';

CREATE FUNCTION temporal.decode_values(fields bytea)
RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(pg_catalog.jsonb_object_agg(f.key,
		temporal.decode_payloads(pg_catalog.jsonb_build_array(f.value))), '{}')
	FROM pg_catalog.jsonb_each(temporal.decode('temporal.api.common.v1.Memo', fields)
		OPERATOR(pg_catalog.->) 'fields') f;
END;
COMMENT ON FUNCTION temporal.decode_values IS
'A stored memo, or stored search attributes, as an object of values.';

CREATE FUNCTION temporal.enum_name(enum text, value integer)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_enum_name';
COMMENT ON FUNCTION temporal.enum_name IS
'How people write a number of WorkflowExecutionStatus, EventType or TaskQueueType.';

CREATE FUNCTION temporal.decode_events(workflow_id text, run_id uuid, task_queue text, events bytea)
RETURNS TABLE (event_id bigint, event_time timestamptz, event_type text, attributes jsonb)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_decode_events';
COMMENT ON FUNCTION temporal.decode_events IS
'A stored batch of a run''s history as rows.';

CREATE FUNCTION temporal.decode_kept_events(info bytea, state bytea)
RETURNS TABLE (event_id bigint, event_time timestamptz, event_type text, attributes jsonb)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_decode_kept_events';
COMMENT ON FUNCTION temporal.decode_kept_events IS
'The last events of a run that are not stored in temporal.history yet, as rows.';

CREATE FUNCTION temporal.stored_event(events bytea, event_id bigint)
RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_stored_event';
COMMENT ON FUNCTION temporal.stored_event IS
'One event of a stored batch of history; NULL if it is not in there.';

CREATE FUNCTION temporal.decode_activity(
	namespace_id uuid, run_id uuid, scheduled_event_id bigint, scheduled bytea, state bytea)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_decode_activity';
COMMENT ON FUNCTION temporal.decode_activity IS
'The stored state of a pending activity as JSON, with the heartbeat of the function that runs at the moment.';

CREATE FUNCTION temporal.decode_time(microseconds bigint)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN microseconds OPERATOR(pg_catalog.<>) 0 THEN
		'2000-01-01 00:00:00+00'::pg_catalog.timestamptz
			OPERATOR(pg_catalog.+) (microseconds OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval)
		END;
END;
COMMENT ON FUNCTION temporal.decode_time IS
'A time in a stored message; NULL for 0.';

CREATE VIEW temporal.namespaces WITH (security_invoker = true) AS
	SELECT n.name, n.id, n.state, n.retention * '1 microsecond'::interval AS retention,
		temporal.decode('temporal.api.namespace.v1.UpdateNamespaceInfo', n.info) ->> 'description' AS description
	FROM temporal.namespace n
	UNION ALL
	SELECT 'default', '64656661-756c-8474-8000-000000000001', 1, '3 days', NULL
	WHERE NOT EXISTS (SELECT FROM temporal.namespace d WHERE d.name = 'default')
		AND '64656661-756c-8474-8000-000000000001'::uuid = ANY ((SELECT temporal.readable_namespaces())::uuid[]);
COMMENT ON VIEW temporal.namespaces IS 'Namespaces that the current role may read.';

CREATE VIEW temporal.workflows WITH (security_invoker = true) AS
	SELECT e.workflow_id, e.run_id,
		coalesce(n.name, 'default') AS namespace,
		e.workflow_type, e.task_queue,
		temporal.enum_name('WorkflowExecutionStatus', e.status) AS status,
		e.start_time, e.execution_time, e.close_time,
		CASE WHEN e.close_time IS NULL THEN coalesce(
			CASE WHEN NOT s.state ? 'workflowTask' THEN s.state ->> 'waitingFor' END,
			nullif(pg_catalog.concat_ws(', ',
			CASE WHEN s.state ? 'workflowTask' THEN 'workflow task' || CASE WHEN s.state ? 'taskProblem'
				THEN pg_catalog.format(', attempt %s: %s', coalesce(s.state #>> '{workflowTask,attempt}', '1'),
					s.state ->> 'taskProblem') ELSE '' END END,
			CASE WHEN s.state ? 'activityCount' THEN (s.state ->> 'activityCount') || ' activities' END,
			CASE WHEN s.state ? 'timerCount' THEN (s.state ->> 'timerCount') || ' timers' END), ''))
			END AS waiting_for,
		CASE WHEN e.close_time IS NULL THEN s.state ->> 'waitingAt' END AS waiting_at,
		coalesce(e.history_length, (s.state ->> 'nextEventId')::bigint - 1) AS history_length,
		temporal.decode_values(e.memo) AS memo,
		temporal.decode_values(e.search_attributes) AS search_attributes,
		coalesce(e.first_run_id, e.run_id) AS first_run_id, e.parent_workflow_id, e.parent_run_id
	FROM temporal.execution e
	JOIN temporal.execution_state x ON x.shard = e.shard AND x.run_id = e.run_id
		AND x.namespace_id = e.namespace_id AND x.workflow_id = e.workflow_id
	LEFT JOIN temporal.namespace n ON n.id = e.namespace_id
	CROSS JOIN LATERAL (
		SELECT CASE WHEN e.close_time IS NULL THEN temporal.decode('temporal.internal.RunState', x.state) END
			AS state) s;
COMMENT ON VIEW temporal.workflows IS 'Workflow executions, one row a run.';

CREATE VIEW temporal.events WITH (security_invoker = true) AS
	SELECT x.workflow_id, x.run_id, coalesce(n.name, 'default') AS namespace,
		v.event_id, v.event_time, v.event_type, v.attributes
	FROM temporal.execution x
	JOIN temporal.execution_state s ON s.shard = x.shard AND s.run_id = x.run_id
		AND s.namespace_id = x.namespace_id AND s.workflow_id = x.workflow_id
	LEFT JOIN temporal.namespace n ON n.id = x.namespace_id
	CROSS JOIN LATERAL (
		SELECT d.* FROM temporal.history h, temporal.decode_events(x.workflow_id, x.run_id, x.task_queue, h.events) d
		WHERE h.shard = x.shard AND h.run_id = x.run_id
		UNION ALL
		SELECT d.* FROM temporal.decode_kept_events(s.info, s.state) d
		WHERE x.close_time IS NULL) v;
COMMENT ON VIEW temporal.events IS 'History events of all runs, one row an event.';

CREATE VIEW temporal.pending_activities WITH (security_invoker = true) AS
	SELECT x.workflow_id, p.run_id, coalesce(n.name, 'default') AS namespace, p.activity_id,
		temporal.decode('temporal.api.history.v1.HistoryEvent', e.scheduled)
			#>> '{activityTaskScheduledEventAttributes,activityType,name}' AS activity_type,
		a.s ->> 'taskQueue' AS task_queue,
		CASE WHEN a.s ? 'pause' THEN 'Paused' WHEN a.s ? 'cancelRequestedEventId' THEN 'CancelRequested'
			WHEN a.s ? 'started' THEN 'Started' ELSE 'Scheduled' END AS state,
		(a.s ->> 'attempt')::integer AS attempt,
		coalesce((a.s #>> '{retryPolicy,maximumAttempts}')::integer, 0) AS maximum_attempts,
		temporal.decode_time((a.s ->> 'scheduledTime')::bigint) AS scheduled_time,
		temporal.decode_time((a.s ->> 'startedTime')::bigint) AS started_time,
		temporal.decode_time((a.s ->> 'heartbeatTime')::bigint) AS last_heartbeat_time,
		temporal.decode_payloads(a.s -> 'heartbeatDetails') AS heartbeat_details,
		a.s ->> 'identity' AS worker_identity,
		a.s #>> '{lastFailure,message}' AS last_failure
	FROM temporal.pending_activity p
	JOIN temporal.execution_state s USING (shard, namespace_id, run_id)
	JOIN temporal.execution x USING (workflow_id, run_id, shard, namespace_id)
	LEFT JOIN temporal.namespace n ON n.id = p.namespace_id
	CROSS JOIN LATERAL (SELECT coalesce(p.scheduled, (
		SELECT temporal.stored_event(h.events, p.scheduled_event_id)
		FROM temporal.history h
		WHERE h.run_id = p.run_id AND h.first_event_id <= p.scheduled_event_id AND h.shard = p.shard
		ORDER BY h.first_event_id DESC LIMIT 1)) AS scheduled) e
	CROSS JOIN LATERAL (SELECT temporal.decode_activity(p.namespace_id, p.run_id, p.scheduled_event_id, e.scheduled, p.state) AS s) a
	WHERE x.close_time IS NULL;
COMMENT ON VIEW temporal.pending_activities IS 'Activities that have not finished.';

CREATE VIEW temporal.registrations WITH (security_invoker = true) AS
	SELECT coalesce(n.name, 'default') AS namespace, lower(temporal.enum_name('TaskQueueType', r.kind)) AS kind,
		r.name, r.task_queue, r.role_name,
		pg_catalog.format('%I.%I(%s)', r.function_schema, r.function_name,
			pg_catalog.array_to_string(r.argument_types, ', ')) AS function,
		r.transactional, r.direct_sql,
		temporal.decode('temporal.api.activity.v1.ActivityOptions', r.options) AS options
	FROM temporal.registration r
	LEFT JOIN temporal.namespace n ON n.id = r.namespace_id;
COMMENT ON VIEW temporal.registrations IS 'Functions that are workflows and activities.';

CREATE VIEW temporal.pending_timers WITH (security_invoker = true) AS
	SELECT x.workflow_id, p.run_id, coalesce(n.name, 'default') AS namespace, p.timer_id, p.fire_at
	FROM temporal.pending_timer p
	JOIN temporal.execution_state s USING (shard, namespace_id, run_id)
	JOIN temporal.execution x USING (workflow_id, run_id, shard, namespace_id)
	LEFT JOIN temporal.namespace n ON n.id = p.namespace_id;
COMMENT ON VIEW temporal.pending_timers IS 'User timers that have not fired.';

CREATE FUNCTION temporal.queue_id(namespace_id uuid, task_type integer, task_queue text)
RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'temporal_queue_id';
COMMENT ON FUNCTION temporal.queue_id IS
'The id under which a task queue is stored.';

CREATE VIEW temporal.task_queues WITH (security_invoker = true) AS
	SELECT coalesce(n.name, 'default') AS namespace,
		coalesce(q.name, (
			SELECT c.name
			FROM temporal.task k
			JOIN temporal.execution_state s USING (shard, run_id)
			JOIN temporal.execution x USING (workflow_id, run_id, shard)
			CROSS JOIN LATERAL (VALUES (x.task_queue),
				(temporal.decode('temporal.internal.RunState', s.state) ->> 'stickyQueue')) c (name)
			WHERE k.queue_id = q.queue_id AND temporal.queue_id(x.namespace_id, k.kind, c.name) = k.queue_id
			LIMIT 1)) AS task_queue,
		temporal.enum_name('TaskQueueType', q.kind) AS task_type, q.backlog, q.oldest
	FROM (SELECT coalesce(t.namespace_id, '64656661-756c-8474-8000-000000000001') AS namespace_id, t.queue_id, t.kind,
			max(t.queue) AS name, count(*) AS backlog, min(t.created_at) AS oldest
		FROM temporal.task t
		GROUP BY 1, 2, 3) q
	LEFT JOIN temporal.namespace n ON n.id = q.namespace_id;
COMMENT ON VIEW temporal.task_queues IS 'Task queues with tasks that nobody has taken.';

CREATE FUNCTION temporal.stat_workers(
	OUT database text, OUT kind text, OUT pid integer, OUT state text, OUT started timestamptz,
	OUT ticks bigint, OUT transactions bigint, OUT items bigint, OUT last_error text, OUT note text,
	OUT role text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_stat_workers';
COMMENT ON FUNCTION temporal.stat_workers IS
'Our background workers and what they have done.';

CREATE FUNCTION temporal.stat_frontend(
	OUT pid integer, OUT since timestamptz, OUT connections bigint, OUT parked_calls bigint,
	OUT batches bigint, OUT calls bigint, OUT largest_batch bigint,
	OUT execute_time double precision, OUT commit_time double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_stat_frontend';
COMMENT ON FUNCTION temporal.stat_frontend IS
'The processes of this database that serve gRPC: what they hold and have done since they began; times in milliseconds.';

CREATE FUNCTION temporal.stat_rpc(
	OUT pid integer, OUT method text, OUT calls bigint, OUT errors bigint,
	OUT total_time double precision, OUT max_time double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_stat_rpc';
COMMENT ON FUNCTION temporal.stat_rpc IS
'gRPC methods and how often they were executed; a poll that waits is, each time it looks. Times in milliseconds, without the commit.';

CREATE FUNCTION temporal.stat_pollers(
	OUT namespace_id uuid, OUT queue_id bigint, OUT identity text, OUT last_access timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_pollers';
COMMENT ON FUNCTION temporal.stat_pollers IS
'Who has polled task queues lately, in the namespaces that the current role may read.';

CREATE FUNCTION temporal.status()
RETURNS TABLE (problem text, detail text, fix text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT 'not adopted', 'this database is a copy: nothing fires and nothing is handed out',
		'SELECT temporal.adopt(), if the original no longer runs'
	WHERE NOT temporal.adopted()
	UNION ALL
	SELECT 'not preloaded', 'nothing runs by itself: no timers, retries or timeouts',
		'add temporal to shared_preload_libraries and restart, or CALL temporal.run() regularly'
	WHERE NOT temporal.preloaded()
	UNION ALL
	SELECT 'versions differ', pg_catalog.format('library %s, SQL objects %s',
		temporal.library_version(), x.extversion), 'ALTER EXTENSION temporal UPDATE'
	FROM pg_catalog.pg_extension x
	WHERE x.extname OPERATOR(pg_catalog.=) 'temporal'
		AND x.extversion OPERATOR(pg_catalog.<>) temporal.library_version()
	UNION ALL
	SELECT 'worker: ' OPERATOR(pg_catalog.||) w.kind,
		pg_catalog.concat('database "' OPERATOR(pg_catalog.||) w.database OPERATOR(pg_catalog.||) '", ',
			'role "' OPERATOR(pg_catalog.||) w.role OPERATOR(pg_catalog.||) '", ',
			coalesce(w.note, w.last_error)),
		CASE WHEN pg_catalog.strpos(w.note, 'max_worker_processes') OPERATOR(pg_catalog.>) 0
			THEN 'increase max_worker_processes and restart' ELSE 'see the server log' END
	FROM temporal.stat_workers() w
	WHERE coalesce(w.note, w.last_error) IS NOT NULL
		AND coalesce(w.database, pg_catalog.current_database()::pg_catalog.text)
			OPERATOR(pg_catalog.=) pg_catalog.current_database()::pg_catalog.text
	UNION ALL
	-- Such a run has a deadline that is near, or a task that waits.
	SELECT 'failing workflow tasks', pg_catalog.format('open runs: %s, one of them workflow "%s", attempt %s: %s',
			f.runs, f.worst[1][1], f.worst[1][2], f.worst[1][3]),
		'SELECT * FROM temporal.workflows WHERE waiting_for LIKE ''workflow task, attempt%'''
	FROM (
		SELECT pg_catalog.count(*) AS runs, pg_catalog.array_agg(ARRAY[x.workflow_id,
				coalesce(s.state OPERATOR(pg_catalog.#>>) '{workflowTask,attempt}', '1'),
				s.state OPERATOR(pg_catalog.->>) 'taskProblem'] ORDER BY s.failed DESC, x.workflow_id) AS worst
		FROM (
			(SELECT t.run_id, t.shard FROM temporal.timer t
				ORDER BY t.shard, t.fire_at LIMIT 5000)
			UNION
			(SELECT k.run_id, k.shard FROM temporal.task k
				WHERE k.kind OPERATOR(pg_catalog.=) 1 LIMIT 5000)) c
		JOIN temporal.execution_state x ON x.run_id OPERATOR(pg_catalog.=) c.run_id
			AND x.shard OPERATOR(pg_catalog.=) c.shard
			-- Saves decoding nearly all others.
			AND pg_catalog.position(x.state, 'WorkflowTask'::pg_catalog.bytea) OPERATOR(pg_catalog.>) 0
		CROSS JOIN LATERAL (SELECT d.state,
				(d.state OPERATOR(pg_catalog.->>) 'failedTasks')::pg_catalog.int4 AS failed
			FROM (SELECT temporal.decode('temporal.internal.RunState', x.state) AS state) d) s
		WHERE s.failed OPERATOR(pg_catalog.>) 1) f
	WHERE f.runs OPERATOR(pg_catalog.>) 0
	UNION ALL
	SELECT 'failing timer', pg_catalog.format('run %s: %s', t.run_id, t.error),
		'it is tried again at ' OPERATOR(pg_catalog.||) t.fire_at::pg_catalog.text
	FROM temporal.timer t WHERE t.failures OPERATOR(pg_catalog.>) 0
	UNION ALL
	SELECT 'failing effect', pg_catalog.format('run %s: %s', o.run_id, o.error),
		'it is tried again at ' OPERATOR(pg_catalog.||) o.due_at::pg_catalog.text
	FROM temporal.outbox o WHERE o.failures OPERATOR(pg_catalog.>) 0
	UNION ALL
	SELECT 'nobody polls', pg_catalog.format('%s tasks wait in %s queue "%s" since %s',
		q.backlog, pg_catalog.lower(q.task_type), q.task_queue, q.oldest),
		'start a worker for that queue'
	FROM temporal.task_queues q
	WHERE q.oldest OPERATOR(pg_catalog.<)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval)
		AND NOT EXISTS (SELECT FROM temporal.stat_pollers() p
			JOIN temporal.namespaces n ON n.id OPERATOR(pg_catalog.=) p.namespace_id
			WHERE n.name OPERATOR(pg_catalog.=) q.namespace
				AND p.queue_id OPERATOR(pg_catalog.=) temporal.queue_id(p.namespace_id,
					CASE q.task_type WHEN 'Workflow' THEN 1 ELSE 2 END, q.task_queue)
				AND p.last_access OPERATOR(pg_catalog.>)
					(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval));
END;
COMMENT ON FUNCTION temporal.status IS
'One row per problem, with what to do about it; no row if all is well.';
