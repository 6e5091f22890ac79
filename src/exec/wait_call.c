/*
 * wait_call.c
 *	  Timers and signals, as workflow functions call them.
 */
#include "postgres.h"

#include "base/argument.h"
#include "catalog/pg_type.h"
#include "exec/function.h"
#include "exec/pass.h"
#include "funcapi.h"
#include "proto/payload.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(temporal_sleep);
PG_FUNCTION_INFO_V1(temporal_start_timer);
PG_FUNCTION_INFO_V1(temporal_await_signal);
PG_FUNCTION_INFO_V1(temporal_await_signals);
PG_FUNCTION_INFO_V1(temporal_expect_signal);
PG_FUNCTION_INFO_V1(temporal_poll_signal);

/* ---- timers ---- */

int
wait_start_timer(Pass *pass, int64 microseconds)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_START_TIMER);
	const Pb__HistoryEvent *event;
	const char *id = psprintf("%d", ++pass->timers);
	int			number;

	command->attributes_case = PB__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
	command->start_timer_command_attributes =
		proto_new(&pb__start_timer_command_attributes__descriptor);
	command->start_timer_command_attributes->timer_id = id;
	command->start_timer_command_attributes->start_to_fire_timeout =
		proto_duration(Max(microseconds, 1));
	event = pass_command(pass, command);
	MemoryContextSwitchTo(caller);
	number = handle_add(pass, HANDLE_TIMER, id, "", event);
	handle_get(pass, number)->due = microseconds +
		(event != NULL ? proto_timestamp_us(event->event_time) : pass->tasks[pass->task].time);
	return number;
}

static bool
has_fired(Pass *pass, void *arg)
{
	return ((const Handle *) arg)->outcome != NULL;
}

static void
cancel(Pass *pass, void *arg)
{
	handle_cancel(pass, arg);
}

void
wait_timer(Pass *pass, int64 microseconds, const char *what)
{
	Handle	   *timer;

	pass_check_cancel(pass);
	timer = handle_get(pass, wait_start_timer(pass, microseconds));
	pass_wait(pass, has_fired, cancel, timer,
			  what == NULL ? handle_describe(timer) :
			  psprintf("%s, %s", what, handle_until(timer)));
}

static int64
duration_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("duration is not set")));
	return argument_interval(fcinfo, 0);
}

/* temporal.sleep(duration interval) */
Datum
temporal_sleep(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("sleep");

	wait_timer(pass, duration_argument(fcinfo), NULL);
	PG_RETURN_VOID();
}

/* temporal.start_timer(duration interval) returns bigint */
Datum
temporal_start_timer(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("start_timer");

	pass_check_cancel(pass);
	PG_RETURN_INT64(wait_start_timer(pass, duration_argument(fcinfo)));
}

/* ---- signals ---- */

/* A wait for a signal of one of these names, or for the timer. */
typedef struct Awaited
{
	List	   *names;			/* of char * */
	Handle	   *timer;			/* NULL: no timeout */
	Signal	   *signal;			/* the one that has come */
} Awaited;

/* The oldest signal of one of these names that nobody has taken. */
static Signal *
find_signal(Pass *pass, const List *names)
{
	ListCell   *cell;
	ListCell   *name;

	foreach(cell, pass->signals)
	{
		Signal	   *signal = lfirst(cell);

		foreach(name, names)
			if (!signal->taken && strcmp(signal->name, lfirst(name)) == 0)
				return signal;
	}
	return NULL;
}

static bool
signal_came(Pass *pass, void *arg)
{
	Awaited    *awaited = arg;

	awaited->signal = find_signal(pass, awaited->names);
	return awaited->signal != NULL ||
		(awaited->timer != NULL && awaited->timer->outcome != NULL);
}

static void
cancel_timeout(Pass *pass, void *arg)
{
	const Awaited *awaited = arg;

	if (awaited->timer != NULL)
		handle_cancel(pass, awaited->timer);
}

/* "signal approved or denied, until 2026-01-01T00:00:00+00:00" */
static char *
describe(const List *names, const Handle *timer)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s%s", text.len == 0 ? "signal " : " or ",
						 (char *) lfirst(cell));
	if (timer != NULL)
		appendStringInfo(&text, ", %s", handle_until(timer));
	return text.data;
}

/* The signal, taken; NULL if the timeout in argument "timeout" has passed. */
static Signal *
await_signal(Pass *pass, List *names, FunctionCallInfo fcinfo, int timeout)
{
	Awaited		awaited = {names, NULL, NULL};

	if (!signal_came(pass, &awaited))
	{
		pass_check_cancel(pass);
		if (!PG_ARGISNULL(timeout))
			awaited.timer = handle_get(pass, wait_start_timer(pass, argument_interval(fcinfo, timeout)));
		pass_wait(pass, signal_came, cancel_timeout, &awaited, describe(names, awaited.timer));
	}
	if (awaited.signal == NULL)
		return NULL;
	awaited.signal->taken = true;
	cancel_timeout(pass, &awaited);
	return awaited.signal;
}

Jsonb *
wait_signal_input(const Pb__Payloads *input)
{
	Jsonb	   *json = payloads_to_jsonb(input);
	JsonbValue	null = {.type = jbvNull};

	return json != NULL ? json : JsonbValueToJsonb(&null);
}

/* As value_result(), but a jsonb that is null is not NULL. */
static Datum
signal_result(FunctionCallInfo fcinfo, const Signal *signal)
{
	Jsonb	   *input = signal != NULL ? wait_signal_input(signal->input) : NULL;

	if (input != NULL && get_fn_expr_rettype(fcinfo->flinfo) == JSONBOID)
		PG_RETURN_JSONB_P(input);
	return value_result(fcinfo, value_of_jsonb(input));
}

/* temporal.await_signal(name, timeout, result) returns anyelement */
Datum
temporal_await_signal(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("await_signal");

	return signal_result(fcinfo, await_signal(pass, list_make1(argument_text(fcinfo, 0, NULL)),
											  fcinfo, 1));
}

/* temporal.await_signals(names, timeout, OUT name, OUT input) */
Datum
temporal_await_signals(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("await_signals");
	List	   *names = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	Signal	   *signal;
	TupleDesc	descriptor;
	Datum		values[2] = {0};
	bool		missing[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("names of signals are not set")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			names = lappend(names, TextDatumGetCString(elements[i]));
	signal = await_signal(pass, names, fcinfo, 1);
	if (signal != NULL)
	{
		values[0] = CStringGetTextDatum(signal->name);
		values[1] = JsonbPGetDatum(wait_signal_input(signal->input));
		missing[0] = missing[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, missing)));
}

/* temporal.expect_signal(name) returns bigint: a handle of the next one */
Datum
temporal_expect_signal(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("expect_signal");

	PG_RETURN_INT64(handle_add(pass, HANDLE_SIGNAL, "", argument_text(fcinfo, 0, NULL), NULL));
}

/* temporal.poll_signal(name, result) returns anyelement */
Datum
temporal_poll_signal(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("poll_signal");
	Signal	   *signal = find_signal(pass, list_make1(argument_text(fcinfo, 0, NULL)));

	if (signal != NULL)
		signal->taken = true;
	return signal_result(fcinfo, signal);
}
