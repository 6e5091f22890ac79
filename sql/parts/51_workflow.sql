-- Workflows and activities that are functions of this database.

-- ---- registering ----

CREATE FUNCTION temporal.register_workflow(
	function text,
	name text DEFAULT NULL,
	task_queue text DEFAULT 'default',
	namespace text DEFAULT 'default',
	direct_sql boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_register_workflow';
COMMENT ON FUNCTION temporal.register_workflow IS
'Makes a function a workflow type; it runs as its owner, who calls this. direct_sql lets its body write.';

CREATE FUNCTION temporal.register_activity(
	function text,
	name text DEFAULT NULL,
	task_queue text DEFAULT 'default',
	namespace text DEFAULT 'default',
	transactional boolean DEFAULT true,
	start_to_close_timeout interval DEFAULT NULL,
	schedule_to_close_timeout interval DEFAULT NULL,
	schedule_to_start_timeout interval DEFAULT NULL,
	heartbeat_timeout interval DEFAULT NULL,
	initial_interval interval DEFAULT NULL,
	backoff_coefficient double precision DEFAULT NULL,
	maximum_interval interval DEFAULT NULL,
	maximum_attempts integer DEFAULT NULL,
	non_retryable_error_types text[] DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_register_activity';
COMMENT ON FUNCTION temporal.register_activity IS
'Makes a function an activity type; the timeouts and the retry policy are for calls that do not say theirs.';

CREATE FUNCTION temporal.unregister_workflow(name text, namespace text DEFAULT 'default')
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_unregister_workflow';
COMMENT ON FUNCTION temporal.unregister_workflow IS
'Makes a function a workflow type no longer; its open workflows wait.';

CREATE FUNCTION temporal.unregister_activity(name text, namespace text DEFAULT 'default')
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_unregister_activity';
COMMENT ON FUNCTION temporal.unregister_activity IS
'Makes a function an activity type no longer.';

-- ---- in a workflow function ----
--
-- An argument "input" may have any type, as for to_jsonb(); a jsonb[] means
-- several arguments.  The type of "result" is that of what comes back.

CREATE FUNCTION temporal.execute_activity(
	name text,
	input "any" DEFAULT NULL,
	result anyelement DEFAULT NULL::jsonb,
	task_queue text DEFAULT NULL,
	activity_id text DEFAULT NULL,
	start_to_close_timeout interval DEFAULT NULL,
	schedule_to_close_timeout interval DEFAULT NULL,
	schedule_to_start_timeout interval DEFAULT NULL,
	heartbeat_timeout interval DEFAULT NULL,
	initial_interval interval DEFAULT NULL,
	backoff_coefficient double precision DEFAULT NULL,
	maximum_interval interval DEFAULT NULL,
	maximum_attempts integer DEFAULT NULL,
	non_retryable_error_types text[] DEFAULT NULL,
	summary text DEFAULT NULL)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_execute_activity';
COMMENT ON FUNCTION temporal.execute_activity IS
'Runs an activity and waits for its result; raises its failure (TF011), timeout (TF014) or cancellation (TF012).';

CREATE FUNCTION temporal.start_activity(
	name text,
	input "any" DEFAULT NULL,
	task_queue text DEFAULT NULL,
	activity_id text DEFAULT NULL,
	start_to_close_timeout interval DEFAULT NULL,
	schedule_to_close_timeout interval DEFAULT NULL,
	schedule_to_start_timeout interval DEFAULT NULL,
	heartbeat_timeout interval DEFAULT NULL,
	initial_interval interval DEFAULT NULL,
	backoff_coefficient double precision DEFAULT NULL,
	maximum_interval interval DEFAULT NULL,
	maximum_attempts integer DEFAULT NULL,
	non_retryable_error_types text[] DEFAULT NULL,
	summary text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_start_activity';
COMMENT ON FUNCTION temporal.start_activity IS
'Starts an activity and returns a handle to wait for.';

CREATE FUNCTION temporal.step(name text, query text, VARIADIC args "any")
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_step';
COMMENT ON FUNCTION temporal.step(text, text, VARIADIC "any") IS
'Runs a statement once, in the transaction that records it; what it returns, or how many rows it changed.';

CREATE FUNCTION temporal.step(name text, query text)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_step';
COMMENT ON FUNCTION temporal.step(text, text) IS
'Runs a statement once, in the transaction that records it; what it returns, or how many rows it changed.';

CREATE FUNCTION temporal.execute_local_activity(
	name text,
	input "any" DEFAULT NULL,
	result anyelement DEFAULT NULL::jsonb,
	maximum_attempts integer DEFAULT 1)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_execute_local_activity';
COMMENT ON FUNCTION temporal.execute_local_activity IS
'Runs a registered activity function right here, once, in the transaction that records it.';

CREATE FUNCTION temporal.await(handle bigint, result anyelement DEFAULT NULL::jsonb)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await';
COMMENT ON FUNCTION temporal.await IS
'Waits for what a handle stands for; the result of an activity, NULL of a timer.';

CREATE FUNCTION temporal.await_all(handles bigint[])
RETURNS jsonb[]
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_await_all';
COMMENT ON FUNCTION temporal.await_all IS
'Waits for all of the handles; their results in order.';

CREATE FUNCTION temporal.await_any(handles bigint[])
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_await_any';
COMMENT ON FUNCTION temporal.await_any IS
'Waits for one of the handles; the one that was over first.';

CREATE FUNCTION temporal.cancel_handle(handle bigint)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_cancel_handle';
COMMENT ON FUNCTION temporal.cancel_handle IS
'Cancels a timer, or asks an activity to stop; no effect on what is over.';

CREATE FUNCTION temporal.sleep(duration interval)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_sleep';
COMMENT ON FUNCTION temporal.sleep IS
'Waits for that long, be it years.';

CREATE FUNCTION temporal.start_timer(duration interval)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_start_timer';
COMMENT ON FUNCTION temporal.start_timer IS
'Starts a timer and returns a handle to wait for.';

CREATE FUNCTION temporal.await_signal(
	name text,
	timeout interval DEFAULT NULL,
	result anyelement DEFAULT NULL::jsonb)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await_signal';
COMMENT ON FUNCTION temporal.await_signal IS
'Waits for the next signal of that name and returns its input; NULL once the timeout has passed.';

CREATE FUNCTION temporal.await_signals(
	names text[],
	timeout interval DEFAULT NULL,
	OUT name text,
	OUT input jsonb)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await_signals';
COMMENT ON FUNCTION temporal.await_signals IS
'Waits for the next signal of one of these names; NULLs once the timeout has passed.';

CREATE FUNCTION temporal.poll_signal(name text, result anyelement DEFAULT NULL::jsonb)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_poll_signal';
COMMENT ON FUNCTION temporal.poll_signal IS
'The input of the next signal of that name, if there is one already, else NULL.';

CREATE FUNCTION temporal.workflow_now()
RETURNS timestamptz
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_now';
COMMENT ON FUNCTION temporal.workflow_now IS
'The time of the workflow: when its workflow task was started, the same in every replay.';

CREATE FUNCTION temporal.workflow_random()
RETURNS double precision
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_random';
COMMENT ON FUNCTION temporal.workflow_random IS
'A random number from 0 to below 1, the same in every replay.';

CREATE FUNCTION temporal.workflow_uuid()
RETURNS uuid
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_uuid';
COMMENT ON FUNCTION temporal.workflow_uuid IS
'A random UUID, the same in every replay.';

CREATE FUNCTION temporal.is_cancelled()
RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_is_cancelled';
COMMENT ON FUNCTION temporal.is_cancelled IS
'Whether somebody has asked the workflow to end.';
