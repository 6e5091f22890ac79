/*
 * wait.c
 *	  Procedures that wait: for the end of a workflow, for a task.
 *
 * They commit before they wait and hold neither a snapshot nor a lock while
 * they do, so they cannot run inside a transaction block.  Each look at the
 * tables is a transaction of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "api/call.h"
#include "base/argument.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wait_event.h"
#include "funcapi.h"
#include "proto/wire.h"
#include "store/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

#define FLUSH_DELAY (USECS_PER_SEC / 10)

PG_FUNCTION_INFO_V1(temporal_await_result);
PG_FUNCTION_INFO_V1(temporal_execute_workflow);
PG_FUNCTION_INFO_V1(temporal_wait_for_task);
PG_FUNCTION_INFO_V1(temporal_listen);

/* A run that a procedure waits for, and until when. */
typedef struct Awaited
{
	Pb__WorkflowExecution execution;
	const char *namespace_name;
	pg_uuid_t	run_id;			/* zero: the current one */
	bool		registered;		/* we are woken when it ends */
	XLogRecPtr	start;			/* of its commit, if that is to be flushed */
	TimestampTz deadline;
} Awaited;

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

static void
watch_run(ServiceCall *call)
{
	wake_register(call->wait.kind, call->wait.channel);
}

/* Looks for the end of the run, the current one at first; a transaction. */
static bool
look(Awaited *awaited, Jsonb **result)
{
	ServiceCall call;
	bool		closed;

	xact_begin_step();
	service_begin(&call);
	call.watch = awaited->registered ? NULL : watch_run;
	call.wait.run_id = awaited->run_id;
	closed = api_fetch_result(&call, &awaited->execution, awaited->namespace_name, result);
	xact_end_step();
	/* From now on this run is meant, whichever becomes current. */
	awaited->run_id = call.wait.run_id;
	awaited->registered |= !closed;
	return closed;
}

/* Were we told how the run has ended?  Then there is no need to look. */
static bool
told(const Awaited *awaited, Jsonb **result)
{
	const WakeNote *note = wake_note();

	if (note == NULL || memcmp(&note->run_id, &awaited->run_id, UUID_LEN) != 0)
		return false;
	/* A frontend may have left that to its flusher. */
	if (synchronous_commit != SYNCHRONOUS_COMMIT_OFF)
		XLogFlush(note->lsn);
	*result = api_closing_result(proto_unpack(&pb__history_event__descriptor, note->event,
											  note->size), awaited->execution.workflow_id);
	return true;
}

/*
 * Sleeps for a moment, after which the start is on disk.
 *
 * Whoever ends the run, unless it is a frontend, has flushed the WAL of that,
 * and so of the start as well: most often there is nothing left to do.
 */
static bool
sleep_for_a_moment(Awaited *awaited)
{
	TimestampTz until = Min(clock_now() + FLUSH_DELAY, awaited->deadline);
	volatile bool woken = false;

	PG_TRY();
	{
		woken = wake_wait(until, wait_event(WAIT_EVENT_RUN_CLOSED));
	}
	PG_FINALLY();
	{
		XLogFlush(awaited->start);
	}
	PG_END_TRY();
	awaited->start = InvalidXLogRecPtr;
	return woken;
}

static void
wait_for_end(Awaited *awaited)
{
	if (!XLogRecPtrIsInvalid(awaited->start) && sleep_for_a_moment(awaited))
		return;
	if (!wake_wait(awaited->deadline, wait_event(WAIT_EVENT_RUN_CLOSED)))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_STILL_RUNNING),
				 errmsg("workflow \"%s\" is still running", awaited->execution.workflow_id)));
}

/* Waits for the end of a run; "wait" says that there is nothing to see yet. */
static Jsonb *
await_run(Awaited *awaited, bool wait)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext one_look = AllocSetContextCreate(caller, "temporal look", ALLOCSET_DEFAULT_SIZES);
	Jsonb	   *result = NULL;
	bool		closed = false;

	while (!closed)
	{
		MemoryContextReset(one_look);
		MemoryContextSwitchTo(one_look);
		if (wait)
			wait_for_end(awaited);
		closed = (wait && told(awaited, &result)) || look(awaited, &result);
		MemoryContextSwitchTo(caller);
		wait = true;
	}
	if (awaited->registered)
		wake_unregister();
	return result;
}

/*
 * temporal.await_result(workflow_id, timeout, run_id, namespace, INOUT result)
 */
Datum
temporal_await_result(PG_FUNCTION_ARGS)
{
	Awaited		awaited = {
		PB__WORKFLOW_EXECUTION__INIT, argument_text(fcinfo, 3, "default"),
		.deadline = argument_deadline(fcinfo, 1)
	};
	Jsonb	   *result;

	awaited.execution.workflow_id = argument_text(fcinfo, 0, NULL);
	if (!PG_ARGISNULL(2))
	{
		awaited.run_id = *PG_GETARG_UUID_P(2);
		awaited.execution.run_id = ident_uuid_text(&awaited.run_id);
	}
	xact_begin_procedure(fcinfo, "temporal.await_result()");
	result = await_run(&awaited, false);
	xact_end_procedure();
	return call_result(fcinfo, JsonbPGetDatum(result), result == NULL);
}

/*
 * temporal.execute_workflow(..., timeout, INOUT result)
 *
 * The arguments before these two are those of start_workflow().  Nobody can end
 * a run that is new before it is committed, so we wait for that from before the
 * commit on, and need not look.
 */
Datum
temporal_execute_workflow(PG_FUNCTION_ARGS)
{
	Awaited		awaited = {
		PB__WORKFLOW_EXECUTION__INIT, argument_text(fcinfo, 4, "default"),
		.deadline = argument_deadline(fcinfo, 18)
	};
	bool		created;
	bool		deferred;
	Jsonb	   *result;

	xact_require_procedure(fcinfo, "temporal.execute_workflow()");
	awaited.run_id = api_start_workflow(fcinfo, &awaited.execution, &created);
	awaited.registered = created;
	if (created)
		wake_register(WAKE_CLOSED, ident_run_hash(&awaited.run_id));
	deferred = created && xact_defer_flush();
	xact_begin_procedure(fcinfo, "temporal.execute_workflow()");
	if (deferred)
		awaited.start = XactLastCommitEnd;
	result = await_run(&awaited, created);
	xact_end_procedure();
	return call_result(fcinfo, JsonbPGetDatum(result), result == NULL);
}

static int
task_type_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = argument_text(fcinfo, argument, "activity");

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
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext one_look = AllocSetContextCreate(caller, "temporal look", ALLOCSET_DEFAULT_SIZES);
	char	   *queue = argument_text(fcinfo, 0, NULL);
	TimestampTz deadline = argument_deadline(fcinfo, 1);
	int			kind = task_type_argument(fcinfo, 2);
	char	   *namespace_name = argument_text(fcinfo, 3, "default");
	bool		registered = false;
	int			looks = 0;
	QueueContent content;

	service_require_id(queue, "TaskQueue");
	argument_prevent_read_only("temporal.wait_for_task()");
	xact_begin_procedure(fcinfo, "temporal.wait_for_task()");
	for (;;)
	{
		uint64		queue_id;

		MemoryContextReset(one_look);
		MemoryContextSwitchTo(one_look);
		xact_begin_step();
		queue_id = service_queue(namespace_name, kind, queue);
		content = service_look(namespace_name, kind, queue);
		xact_end_look();
		MemoryContextSwitchTo(caller);
		if (content == QUEUE_READY)
			break;
		looks = content == QUEUE_HELD ? looks + 1 : 0;
		if (!registered)
			wake_register(WAKE_QUEUE, queue_id);
		else if (!wake_wait_held(looks, deadline, wait_event(WAIT_EVENT_QUEUE)))
			break;
		registered = true;
	}
	if (registered)
		wake_unregister();
	xact_end_procedure();
	return call_result(fcinfo, BoolGetDatum(content == QUEUE_READY), false);
}

/* temporal.listen(task_queue, task_type, namespace) returns text */
Datum
temporal_listen(PG_FUNCTION_ARGS)
{
	char	   *queue = argument_text(fcinfo, 0, NULL);
	int			kind = task_type_argument(fcinfo, 1);
	char	   *namespace_name = argument_text(fcinfo, 2, "default");
	uint64		queue_id;

	service_require_id(queue, "TaskQueue");
	queue_id = service_queue(namespace_name, kind, queue);
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
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("temporal_%016llx", (unsigned long long) queue_id)));
}
