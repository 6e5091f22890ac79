/*
 * activity_call.c
 *	  Activities, as workflow functions call them.
 */
#include "postgres.h"

#include "base/argument.h"
#include "catalog/pg_type.h"
#include "exec/function.h"
#include "exec/local_run.h"
#include "exec/options.h"
#include "exec/pass.h"
#include "proto/wire.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(temporal_execute_activity);
PG_FUNCTION_INFO_V1(temporal_start_activity);
PG_FUNCTION_INFO_V1(temporal_await);
PG_FUNCTION_INFO_V1(temporal_await_all);
PG_FUNCTION_INFO_V1(temporal_await_any);
PG_FUNCTION_INFO_V1(temporal_cancel_handle);

/* How long an attempt may take if nobody says. */
#define DEFAULT_START_TO_CLOSE USECS_PER_MINUTE

/* ---- scheduling ---- */

static Pb__TaskQueue *
task_queue(const char *name)
{
	Pb__TaskQueue *queue = proto_new(&pb__task_queue__descriptor);

	queue->name = name;
	return queue;
}

/*
 * What the call says, then what the registration says, then ours; the
 * registration, or NULL.
 */
static const Registration *
apply_options(Pass *pass, Pb__ScheduleActivityTaskCommandAttributes *attributes,
			  Pb__ActivityOptions *options, const char *queue)
{
	const Registration *registration;

	registration = pass_registration(pass, attributes->activity_type->name);
	if (registration != NULL)
		options_default(options, registration->options);
	if (queue == NULL)
		queue = registration != NULL ? registration->task_queue : pass->task_queue;
	if (options->start_to_close_timeout == NULL && options->schedule_to_close_timeout == NULL)
		options->start_to_close_timeout = proto_duration(DEFAULT_START_TO_CLOSE);
	attributes->task_queue = task_queue(queue);
	attributes->schedule_to_close_timeout = options->schedule_to_close_timeout;
	attributes->schedule_to_start_timeout = options->schedule_to_start_timeout;
	attributes->start_to_close_timeout = options->start_to_close_timeout;
	attributes->heartbeat_timeout = options->heartbeat_timeout;
	attributes->retry_policy = options->retry_policy;
	return registration;
}

/*
 * What the arguments say besides the name and the id: input, and from "first"
 * on task_queue, activity_id, options, summary.
 */
static const Registration *
fill_command(Pass *pass, FunctionCallInfo fcinfo, int first, Pb__Command *command)
{
	Pb__ScheduleActivityTaskCommandAttributes *attributes =
		command->schedule_activity_task_command_attributes;
	int			summary = first + 2 + OPTIONS_COUNT;

	attributes->input = value_argument(fcinfo, 1);
	if (!PG_ARGISNULL(summary))
	{
		command->user_metadata = proto_new(&pb__user_metadata__descriptor);
		command->user_metadata->summary = core_text_payload(argument_text(fcinfo, summary, NULL));
	}
	return apply_options(pass, attributes, options_arguments(fcinfo, first + 2),
						 PG_ARGISNULL(first) ? NULL : argument_text(fcinfo, first, NULL));
}

/*
 * The command that the arguments ask for.  What is in the history already is
 * compared by name and id only.
 */
static Pb__Command *
schedule_command(Pass *pass, FunctionCallInfo fcinfo, int first, const Registration **registration)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
	Pb__ScheduleActivityTaskCommandAttributes *attributes =
		proto_new(&pb__schedule_activity_task_command_attributes__descriptor);

	command->attributes_case = PB__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command->schedule_activity_task_command_attributes = attributes;
	attributes->activity_type = proto_new(&pb__activity_type__descriptor);
	attributes->activity_type->name = argument_text(fcinfo, 0, NULL);
	attributes->activity_id = PG_ARGISNULL(first + 1) ?
		psprintf("%d", ++pass->activities) : argument_text(fcinfo, first + 1, NULL);
	*registration = pass_is_live(pass) ? fill_command(pass, fcinfo, first, command) : NULL;
	return command;
}

/* Starts an activity; its handle. */
static int
start_activity(Pass *pass, FunctionCallInfo fcinfo, int first)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Pb__Command *command;
	const Pb__ScheduleActivityTaskCommandAttributes *attributes;
	const Pb__HistoryEvent *event;
	const Registration *registration;
	int			number;

	pass_check_cancel(pass);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("name of the activity is not set")));
	command = schedule_command(pass, fcinfo, first, &registration);
	attributes = command->schedule_activity_task_command_attributes;
	event = pass_command(pass, command);
	number = handle_add(pass, HANDLE_ACTIVITY, attributes->activity_id,
						attributes->activity_type->name, event);
	if (event == NULL)
		local_run_consider(pass, handle_get(pass, number), registration, attributes);
	MemoryContextSwitchTo(caller);
	return number;
}

/* ---- waiting ---- */

/* What is waited for: all of the handles, or any of them. */
typedef struct Awaited
{
	int			count;
	Handle	  **handles;
	bool		any;
	Handle	   *timer;			/* NULL: no timeout */
} Awaited;

static bool
is_over(Pass *pass, void *arg)
{
	const Awaited *awaited = arg;

	for (int i = 0; i < awaited->count; i++)
		if (handle_is_over(pass, awaited->handles[i]) == awaited->any)
			return awaited->any;
	return !awaited->any;
}

static bool
is_over_or_late(Pass *pass, void *arg)
{
	const Awaited *awaited = arg;

	return is_over(pass, arg) || (awaited->timer != NULL && awaited->timer->outcome != NULL);
}

static void
cancel_awaited(Pass *pass, void *arg)
{
	const Awaited *awaited = arg;

	for (int i = 0; i < awaited->count; i++)
		handle_cancel(pass, awaited->handles[i]);
	if (awaited->timer != NULL)
		handle_cancel(pass, awaited->timer);
}

static char *
describe(const Awaited *awaited)
{
	StringInfoData reason;

	initStringInfo(&reason);
	for (int i = 0; i < awaited->count; i++)
		if (awaited->handles[i]->outcome == NULL)
			appendStringInfo(&reason, "%s%s", reason.len > 0 ? ", " : "",
							 handle_describe(awaited->handles[i]));
	if (awaited->timer != NULL)
		appendStringInfo(&reason, ", %s", handle_until(awaited->timer));
	return reason.data;
}

/* False if the timeout, unless it is negative, has passed before. */
static bool
await_handles(Pass *pass, Awaited *awaited, int64 timeout)
{
	if (is_over(pass, awaited))
		return true;
	if (timeout >= 0)
	{
		pass_check_cancel(pass);
		awaited->timer = handle_get(pass, wait_start_timer(pass, timeout));
	}
	pass_wait(pass, is_over_or_late, cancel_awaited, awaited, describe(awaited));
	if (!is_over(pass, awaited))
		return false;
	if (awaited->timer != NULL)
		handle_cancel(pass, awaited->timer);
	return true;
}

static int64
timeout_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? -1 : argument_interval(fcinfo, argument);
}

static Value
await_one(Pass *pass, int64 number, int64 timeout)
{
	Handle	   *handle = handle_get(pass, number);
	Awaited		awaited = {1, &handle, false};

	return value_of_jsonb(await_handles(pass, &awaited, timeout) ? handle_result(handle) : NULL);
}

/* The handles of an array of numbers. */
static Awaited
array_handles(Pass *pass, FunctionCallInfo fcinfo, bool any)
{
	Awaited		awaited = {0, NULL, any};
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("handles are not set")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	awaited.handles = palloc((n + 1) * sizeof(Handle *));
	for (int i = 0; i < n; i++)
		awaited.handles[awaited.count++] = handle_get(pass, nulls[i] ? 0 : DatumGetInt64(elements[i]));
	return awaited;
}

/* ---- SQL ---- */

/*
 * temporal.execute_activity(name, input, result, task_queue, activity_id,
 *							 options, summary) returns anyelement
 */
Datum
temporal_execute_activity(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("execute_activity");

	return value_result(fcinfo, await_one(pass, start_activity(pass, fcinfo, 3), -1));
}

/* temporal.start_activity(name, input, task_queue, activity_id, options, summary) returns bigint */
Datum
temporal_start_activity(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("start_activity");

	PG_RETURN_INT64(start_activity(pass, fcinfo, 2));
}

/* temporal.await(handle, result, timeout) returns anyelement */
Datum
temporal_await(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("await");

	return value_result(fcinfo, await_one(pass, PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0),
										  timeout_argument(fcinfo, 2)));
}

/* temporal.await_all(handles bigint[], timeout) returns jsonb[] */
Datum
temporal_await_all(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("await_all");
	Awaited		awaited = array_handles(pass, fcinfo, false);
	Datum	   *results = palloc((awaited.count + 1) * sizeof(Datum));
	bool	   *nulls = palloc((awaited.count + 1) * sizeof(bool));
	int			lower = 1;

	if (!await_handles(pass, &awaited, timeout_argument(fcinfo, 1)))
		PG_RETURN_NULL();
	for (int i = 0; i < awaited.count; i++)
	{
		Jsonb	   *result = handle_result(awaited.handles[i]);

		nulls[i] = result == NULL;
		results[i] = JsonbPGetDatum(result);
	}
	if (awaited.count == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(JSONBOID));
	PG_RETURN_ARRAYTYPE_P(construct_md_array(results, nulls, 1, &awaited.count, &lower, JSONBOID,
											 -1, false, TYPALIGN_INT));
}

/* temporal.await_any(handles bigint[], timeout) returns bigint: the first that is over */
Datum
temporal_await_any(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("await_any");
	Awaited		awaited = array_handles(pass, fcinfo, true);
	const Handle *first = NULL;
	int64		number = 0;

	if (awaited.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("there are no handles to wait for")));
	if (!await_handles(pass, &awaited, timeout_argument(fcinfo, 1)))
		PG_RETURN_NULL();
	for (int i = 0; i < awaited.count; i++)
	{
		Handle	   *handle = awaited.handles[i];

		if (handle_is_over(pass, handle) &&
			(first == NULL || handle->outcome->event_id < first->outcome->event_id))
		{
			first = handle;
			number = handle_number(pass, handle);
		}
	}
	PG_RETURN_INT64(number);
}

/* temporal.cancel_handle(handle bigint) */
Datum
temporal_cancel_handle(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("cancel_handle");

	handle_cancel(pass, handle_get(pass, PG_GETARG_INT64(0)));
	PG_RETURN_VOID();
}
