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
	initial_interval interval DEFAULT NULL,
	backoff_coefficient double precision DEFAULT NULL,
	maximum_interval interval DEFAULT NULL,
	maximum_attempts integer DEFAULT NULL,
	non_retryable_error_types text[] DEFAULT NULL)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_execute_local_activity';
COMMENT ON FUNCTION temporal.execute_local_activity IS
'Runs a registered activity function right here, in the transaction that records it; once, unless the call or the registration has a retry policy.';

CREATE FUNCTION temporal.retry_steps(
	initial_interval interval DEFAULT NULL,
	backoff_coefficient double precision DEFAULT NULL,
	maximum_interval interval DEFAULT NULL,
	maximum_attempts integer DEFAULT NULL,
	non_retryable_error_types text[] DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_retry_steps';
COMMENT ON FUNCTION temporal.retry_steps IS
'From here on a step() that fails is tried again as this policy says; without arguments it is not.';

CREATE FUNCTION temporal.await(
	handle bigint,
	result anyelement DEFAULT NULL::jsonb,
	timeout interval DEFAULT NULL)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await';
COMMENT ON FUNCTION temporal.await IS
'Waits for what a handle stands for; the result of an activity, the input of a signal, NULL of a timer and once the timeout has passed.';

CREATE FUNCTION temporal.await_all(handles bigint[], timeout interval DEFAULT NULL)
RETURNS jsonb[]
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await_all';
COMMENT ON FUNCTION temporal.await_all IS
'Waits for all of the handles; their results in order, NULL once the timeout has passed.';

CREATE FUNCTION temporal.await_any(handles bigint[], timeout interval DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_await_any';
COMMENT ON FUNCTION temporal.await_any IS
'Waits for one of the handles; the one that was over first, NULL once the timeout has passed.';

CREATE FUNCTION temporal.cancel_handle(handle bigint)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_cancel_handle';
COMMENT ON FUNCTION temporal.cancel_handle IS
'Cancels a timer, or asks an activity to stop; no effect on what is over.';

CREATE FUNCTION temporal.sleep(duration interval)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_sleep';
COMMENT ON FUNCTION temporal.sleep IS
'Waits for that long, be it years.';

CREATE FUNCTION temporal.start_timer(duration interval)
RETURNS bigint
LANGUAGE c VOLATILE
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

CREATE FUNCTION temporal.expect_signal(name text)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_expect_signal';
COMMENT ON FUNCTION temporal.expect_signal IS
'A handle for the next signal of that name, to wait for it together with others.';

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

CREATE FUNCTION temporal.side_effect(value "any", result anyelement DEFAULT NULL::jsonb)
RETURNS anyelement
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_side_effect';
COMMENT ON FUNCTION temporal.side_effect IS
'Records the value, and returns what it was the first time in each replay.';

CREATE FUNCTION temporal.is_cancelled()
RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_is_cancelled';
COMMENT ON FUNCTION temporal.is_cancelled IS
'Whether somebody has asked the workflow to end.';

CREATE FUNCTION temporal.workflow_info()
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_workflow_info';
COMMENT ON FUNCTION temporal.workflow_info IS
'Ids, type, queue, start time and length of the history of the workflow.';

CREATE FUNCTION temporal.patched(id text)
RETURNS boolean
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_patched';
COMMENT ON FUNCTION temporal.patched IS
'Whether to run new code: false for a run that came by here before the change.';

CREATE FUNCTION temporal.upsert_search_attributes("values" jsonb)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_upsert_search_attributes';
COMMENT ON FUNCTION temporal.upsert_search_attributes IS
'Sets search attributes of the workflow; null takes one away.';

CREATE FUNCTION temporal.upsert_memo("values" jsonb)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_upsert_memo';
COMMENT ON FUNCTION temporal.upsert_memo IS
'Sets fields of the memo of the workflow; null takes one away.';

CREATE FUNCTION temporal.compensate(activity text, input "any" DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_compensate';
COMMENT ON FUNCTION temporal.compensate IS
'Notes an activity that undoes what the workflow has done, for run_compensations().';

CREATE FUNCTION temporal.next_compensation(OUT activity text, OUT input jsonb)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_next_compensation';
COMMENT ON FUNCTION temporal.next_compensation IS
'Takes the latest of what compensate() has noted; NULLs if nothing is left.';

CREATE FUNCTION temporal.run_compensations()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	undo record;
BEGIN
	LOOP
		undo := temporal.next_compensation();
		EXIT WHEN undo.activity IS NULL;
		PERFORM temporal.execute_activity(undo.activity, array(SELECT jsonb_array_elements(undo.input)));
	END LOOP;
END
$$;
COMMENT ON FUNCTION temporal.run_compensations IS
'Runs the activities that compensate() has noted, the latest first.';

-- ---- in an activity function ----

CREATE FUNCTION temporal.activity_info()
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_activity_info';
COMMENT ON FUNCTION temporal.activity_info IS
'Ids, attempt, heartbeat details of the last attempt, and a key that is the same in all attempts of this activity.';

CREATE FUNCTION temporal.heartbeat(details "any" DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_heartbeat';
COMMENT ON FUNCTION temporal.heartbeat IS
'Says that the activity is alive and how far it is, at most 8 kB; others see it at once, the next attempt finds it in activity_info(). An error (query_canceled) if the activity is to end.';

CREATE FUNCTION temporal.complete_later()
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_complete_later';
COMMENT ON FUNCTION temporal.complete_later IS
'Says that the activity is not over when its function returns: somebody will call complete_activity_task() with this token, or complete_activity() with its ids.';

CREATE FUNCTION temporal.fail(
	message text,
	type text DEFAULT NULL,
	non_retryable boolean DEFAULT false,
	details jsonb DEFAULT NULL,
	next_retry_delay interval DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_fail';
COMMENT ON FUNCTION temporal.fail IS
'Raises a failure (TF010) with a type, details, and a word on whether and when to try again.';

-- ---- testing ----

CREATE FUNCTION temporal.skip_time(duration interval)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'temporal_skip_time';
COMMENT ON FUNCTION temporal.skip_time IS
'Moves the clock of the engine until the end of the transaction: what is due then is done by tick().';

CREATE FUNCTION temporal.mock_activity(
	name text,
	result jsonb DEFAULT NULL,
	error text DEFAULT NULL,
	non_retryable boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_mock_activity';
COMMENT ON FUNCTION temporal.mock_activity IS
'Until the end of the transaction, tick() takes this result (or error) for that of the activity function, which is not called.';

CREATE FUNCTION temporal.replay(
	function text,
	workflow_id text,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_replay';
COMMENT ON FUNCTION temporal.replay IS
'Plays the history of a workflow again with a function, changing nothing: NULL if they agree, else the first difference.';
