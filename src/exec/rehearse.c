/*
 * rehearse.c
 *	  Testing workflow functions: time that passes at will, activities that
 *	  others stand in for, and histories that are played again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/argument.h"
#include "base/guc.h"
#include "exec/function.h"
#include "exec/rehearse.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "proto/payload.h"
#include "service/access.h"
#include "service/service.h"
#include "store/xact.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(temporal_skip_time);
PG_FUNCTION_INFO_V1(temporal_mock_activity);
PG_FUNCTION_INFO_V1(temporal_replay);

/* ---- time ---- */

/* temporal.skip_time(duration interval): until the end of the transaction */
Datum
temporal_skip_time(PG_FUNCTION_ARGS)
{
	double		offset = guc_clock_offset + argument_interval(fcinfo, 0) / 1000.0;

	service_require_superadmin();
	if (!IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
				 errmsg("temporal.skip_time() lasts until the end of the transaction"),
				 errhint("BEGIN one, and roll it back when the test is over.")));
	(void) set_config_option("temporal.clock_offset", psprintf("%.3f", offset), PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	PG_RETURN_VOID();
}

/* ---- activities ---- */

static List *mocks = NIL;		/* of Mock, in TopTransactionContext */

static void
forget_mocks(XactEvent event, void *arg)
{
	mocks = NIL;
}

const Mock *
mock_find(const char *activity)
{
	ListCell   *cell;

	foreach(cell, mocks)
		if (strcmp(((const Mock *) lfirst(cell))->activity, activity) == 0)
			return lfirst(cell);
	return NULL;
}

Value
mock_result(const Mock *mock)
{
	Pb__Failure *failure;

	if (mock->error == NULL)
		return mock->result;
	failure = task_failure("Mock", mock->error);
	failure->application_failure_info->non_retryable = mock->non_retryable;
	failure_raise(ERRCODE_TEMPORAL_APPLICATION_FAILURE, mock->error, failure);
}

/* temporal.mock_activity(name, result, error, non_retryable) */
Datum
temporal_mock_activity(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	MemoryContext caller = CurrentMemoryContext;
	Mock	   *mock;

	if (call_is_busy())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.mock_activity() cannot be called by a workflow or an activity")));
	MemoryContextSwitchTo(TopTransactionContext);
	mock = palloc0(sizeof(Mock));

	if (!registered)
		RegisterXactCallback(forget_mocks, NULL);
	registered = true;
	mock->activity = argument_text(fcinfo, 0, NULL);
	if (!PG_ARGISNULL(1))
		mock->result = value_of_jsonb(PG_GETARG_JSONB_P_COPY(1));
	if (!PG_ARGISNULL(2))
		mock->error = argument_text(fcinfo, 2, NULL);
	mock->non_retryable = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	mocks = lcons(mock, mocks);
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* ---- histories ---- */

/* A history to be played again. */
typedef struct Replay
{
	Registration registration;
	Pass	   *pass;
	const char *problem;		/* NULL: the function does what the history says */
} Replay;

static Pb__History *
read_history(const char *namespace_name, Pb__WorkflowExecution *execution)
{
	Pb__GetWorkflowExecutionHistoryRequest request = PB__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Pb__History *history = proto_new(&pb__history__descriptor);

	request.namespace_ = namespace_name;
	request.execution = execution;
	do
	{
		Pb__GetWorkflowExecutionHistoryResponse *response =
			(Pb__GetWorkflowExecutionHistoryResponse *)
			service_invoke("GetWorkflowExecutionHistory", &request);
		size_t		n = response->history->n_events;
		Pb__HistoryEvent **events = palloc((history->n_events + n + 1) * sizeof(void *));

		if (history->n_events > 0)
			memcpy(events, history->events, history->n_events * sizeof(void *));
		memcpy(events + history->n_events, response->history->events, n * sizeof(void *));
		history->events = events;
		history->n_events += n;
		request.next_page_token = response->next_page_token;
	} while (request.next_page_token.len > 0);
	return history;
}

/* A pass over the whole history; it does nothing new. */
static Pass *
replay_pass(const char *namespace_name, const Pb__WorkflowExecution *execution,
			const Pb__History *history)
{
	const Pb__WorkflowExecutionStartedEventAttributes *started =
		history->events[0]->workflow_execution_started_event_attributes;
	Pass	   *pass = pass_new(CurrentMemoryContext, history->events, history->n_events, true);

	pass->namespace_name = namespace_name;
	pass->task_queue = started->task_queue->name;
	pass->workflow_id = execution->workflow_id;
	pass->run_id = started->original_execution_run_id;
	pass->workflow_type = started->workflow_type->name;
	return pass;
}

static const char *
stop_problem(const Pass *pass)
{
	const Pb__HistoryEvent *last = pass->events[pass->n_events - 1];

	if (pass->stop == STOP_NONDETERMINISTIC)
		return pass->reason;
	if (event_closes(last->event_type) &&
		last->event_type != EVENT(WORKFLOW_EXECUTION_TERMINATED) &&
		last->event_type != EVENT(WORKFLOW_EXECUTION_TIMED_OUT))
		return psprintf("it waits for %s, and the history ends with %s", pass->reason,
						event_type_name(last->event_type));
	return NULL;
}

static void
play(void *arg)
{
	Replay	   *replay = arg;
	Pass	   *pass = replay->pass;
	Call		call = {.registration = &replay->registration, .pass = pass};
	ErrorData  *error;

	call.input = pass->events[0]->workflow_execution_started_event_attributes->input;
	error = call_guarded(&call);
	if (pass->stop == STOP_NONE && error != NULL && failure_class(error) == ERROR_BUG)
		replay->problem = error->message;
	else
	{
		if (pass->stop == STOP_NONE)
			pass_close(pass, workflow_end_command(pass, error, call.result));
		replay->problem = pass->stop == STOP_NONE ? NULL : stop_problem(pass);
	}
	/* Nothing of what the function may have done stays. */
	ereport(ERROR, (errcode(ERRCODE_SUCCESSFUL_COMPLETION), errmsg("end of the replay")));
}

/*
 * temporal.replay(function, workflow_id, run_id, namespace) returns text
 *
 * Calls a workflow function against a history, changing nothing.  NULL if it
 * does what the history says, else the first difference.
 */
Datum
temporal_replay(PG_FUNCTION_ARGS)
{
	Replay		replay = {.registration = {.kind = QUEUE_TYPE(WORKFLOW), .direct_sql = true}};
	Pb__WorkflowExecution execution = PB__WORKFLOW_EXECUTION__INIT;
	const char *namespace_name = argument_text(fcinfo, 3, "default");
	ErrorData  *error;

	function_resolve(&replay.registration, argument_text(fcinfo, 0, NULL));
	replay.registration.role_name = GetUserNameFromId(GetUserId(), false);
	execution.workflow_id = argument_text(fcinfo, 1, NULL);
	if (!PG_ARGISNULL(2))
		execution.run_id = ident_uuid_text(PG_GETARG_UUID_P(2));
	if (call_is_busy())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.replay() cannot be called by a workflow or an activity")));
	replay.pass = replay_pass(namespace_name, &execution, read_history(namespace_name, &execution));
	if (replay.pass->n_tasks == 0)
		PG_RETURN_NULL();
	error = xact_guard(play, &replay);
	if (error->sqlerrcode != ERRCODE_SUCCESSFUL_COMPLETION)
		ReThrowError(error);
	if (replay.problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(replay.problem));
}
