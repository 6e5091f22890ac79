/*
 * wait.c
 *	  Procedures that wait: for the end of a workflow, for a task.
 *
 * They commit before they wait and hold neither a snapshot nor a lock while
 * they do, so they cannot run inside a transaction block.  Each look at the
 * tables is a transaction of its own.
 */
#include "postgres.h"

#include "api/call.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wait_event.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_await_result);
PG_FUNCTION_INFO_V1(temporal_wait_for_task);
PG_FUNCTION_INFO_V1(temporal_listen);

/* api_begin_waiting -- an error unless the procedure may commit. */
void
api_begin_waiting(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errhint("It would wait for what this transaction has not committed: commit first.")));
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
api_end_waiting(void)
{
	SPI_finish();
	/* The caller reads our result with the portal's snapshot. */
	EnsurePortalSnapshotExists();
}

/* api_begin_step -- what follows sees the database as it is now. */
void
api_begin_step(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
api_end_step(void)
{
	PopActiveSnapshot();
	SPI_commit();
}

/* api_deadline -- from a timeout argument; DT_NOEND if it is NULL. */
TimestampTz
api_deadline(FunctionCallInfo fcinfo, int argument)
{
	int64		timeout;

	if (PG_ARGISNULL(argument))
		return DT_NOEND;
	timeout = api_interval_argument(fcinfo, argument);
	return timeout >= DURATION_MAX ? DT_NOEND : clock_now() + Max(timeout, 0);
}

/* The one row of INOUT parameters that CALL expects. */
static Datum
call_result(FunctionCallInfo fcinfo, Datum value, bool isnull)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "procedure is declared without an INOUT parameter");
	tupdesc = BlessTupleDesc(tupdesc);
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, &value, &isnull));
}

/*
 * temporal.await_result(workflow_id, timeout, run_id, namespace, INOUT result)
 */
Datum
temporal_await_result(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Pb__WorkflowExecution *execution = proto_new(&pb__workflow_execution__descriptor);
	char	   *namespace_name = api_text_argument(fcinfo, 3, "default");
	TimestampTz deadline = api_deadline(fcinfo, 1);
	Jsonb	   *result = NULL;
	bool		registered = false;

	execution->workflow_id = api_text_argument(fcinfo, 0, NULL);
	if (!PG_ARGISNULL(2))
		execution->run_id = ident_uuid_text(PG_GETARG_UUID_P(2));
	api_begin_waiting(fcinfo, "temporal.await_result()");
	for (;;)
	{
		char	   *run_id;
		bool		closed;
		pg_uuid_t	uuid;

		MemoryContextSwitchTo(caller);
		api_begin_step();
		closed = api_fetch_result(execution, namespace_name, &result, &run_id);
		if (closed)
			PopActiveSnapshot();
		else
			api_end_step();
		if (closed)
			break;
		/* Look once more after registering: it may have closed in between. */
		if (!registered && ident_parse_uuid(run_id, &uuid))
			wake_register(WAKE_CLOSED, ident_run_hash(&uuid));
		else if (!wake_wait(deadline, wait_event(WAIT_EVENT_RUN_CLOSED)))
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_STILL_RUNNING),
					 errmsg("workflow \"%s\" is still running", execution->workflow_id)));
		registered = true;
	}
	if (registered)
		wake_unregister();
	api_end_waiting();
	return call_result(fcinfo, JsonbPGetDatum(result), result == NULL);
}

static int
task_type_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = api_text_argument(fcinfo, argument, "activity");

	if (strcmp(name, "activity") == 0)
		return QUEUE_TYPE(ACTIVITY);
	if (strcmp(name, "workflow") == 0)
		return QUEUE_TYPE(WORKFLOW);
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
			 errmsg("invalid task type: \"%s\"", name),
			 errhint("It is \"activity\" or \"workflow\".")));
}

/*
 * temporal.wait_for_task(task_queue, timeout, task_type, namespace, INOUT found)
 */
Datum
temporal_wait_for_task(PG_FUNCTION_ARGS)
{
	char	   *queue = api_text_argument(fcinfo, 0, NULL);
	TimestampTz deadline = api_deadline(fcinfo, 1);
	int			kind = task_type_argument(fcinfo, 2);
	char	   *namespace_name = api_text_argument(fcinfo, 3, "default");
	bool		registered = false;
	bool		found;

	service_require_id(queue, "TaskQueue");
	api_begin_waiting(fcinfo, "temporal.wait_for_task()");
	for (;;)
	{
		uint64		queue_id;

		api_begin_step();
		found = service_queue_has_task(namespace_name, kind, queue, &queue_id);
		api_end_step();
		if (found)
			break;
		if (!registered)
			wake_register(WAKE_QUEUE, queue_id);
		else if (!wake_wait(deadline, wait_event(WAIT_EVENT_QUEUE)))
			break;
		registered = true;
	}
	if (registered)
		wake_unregister();
	api_end_waiting();
	return call_result(fcinfo, BoolGetDatum(found), false);
}

/* temporal.listen(task_queue, task_type, namespace) returns text */
Datum
temporal_listen(PG_FUNCTION_ARGS)
{
	char	   *queue = api_text_argument(fcinfo, 0, NULL);
	int			kind = task_type_argument(fcinfo, 1);
	char	   *namespace_name = api_text_argument(fcinfo, 2, "default");
	uint64		queue_id;

	service_require_id(queue, "TaskQueue");
	service_queue_has_task(namespace_name, kind, queue, &queue_id);
	if (!wake_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nobody sends notifications"),
				 errhint("Add temporal to shared_preload_libraries.")));
	if (!wake_listen(queue_id))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many task queues are listened to"),
				 errhint("Increase temporal.shared_queues.")));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("temporal_%016" INT64_MODIFIER "x", queue_id)));
}
