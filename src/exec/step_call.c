/*
 * step_call.c
 *	  Local steps, as workflow functions ask for them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/argument.h"
#include "base/clock.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "exec/function.h"
#include "exec/marker.h"
#include "exec/options.h"
#include "exec/pass.h"
#include "funcapi.h"
#include "proto/payload.h"
#include "proto/wire.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(temporal_step);
PG_FUNCTION_INFO_V1(temporal_execute_local_activity);
PG_FUNCTION_INFO_V1(temporal_retry_steps);

/* How many steps are taken in one workflow task: in a pass, one by one. */
#define MAX_STEPS 10000
#define MAX_STEPWISE 200

/* ---- the outcome ---- */

static pg_noreturn void
raise_failure(const char *name, const Pb__Failure *cause)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = psprintf("step \"%s\" failed", name);
	failure->source = "PostgreSQL";
	failure->cause = unconstify(Pb__Failure *, cause);
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO;
	failure->activity_failure_info = proto_new(&pb__activity_failure_info__descriptor);
	failure->activity_failure_info->activity_type = proto_new(&pb__activity_type__descriptor);
	failure->activity_failure_info->activity_type->name = name;
	failure_raise(ERRCODE_TEMPORAL_ACTIVITY_FAILED, failure->message, failure);
}

typedef struct Outcome
{
	Value		result;
	const Pb__Failure *failure; /* NULL: it has succeeded */
	int64		backoff;
} Outcome;

/* What the history says of it. */
static Outcome
replayed(const Pb__HistoryEvent *event)
{
	const Pb__MarkerRecordedEventAttributes *marker = event->marker_recorded_event_attributes;

	return (Outcome) {value_of_jsonb(payloads_to_jsonb(marker_result(marker))), marker->failure,
		marker_backoff(marker)};
}

/* Records the attempt, or finds it recorded. */
static Outcome
recorded(Pass *pass, Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Outcome		outcome = {step->result, step->failure, step->backoff};
	const Pb__HistoryEvent *event = pass_replayed_step(pass, step->name);

	if (event != NULL)
		outcome = replayed(event);
	else
	{
		/* If this is not new, the history has something else in its place. */
		if (step->command == NULL)
			step->command = marker_step(pass->locals, step, clock_now());
		pass_command(pass, step->command);
	}
	MemoryContextSwitchTo(caller);
	return outcome;
}

/* ---- taking it ---- */

/*
 * Right here, in the pass.  Until it is done, and for good if it raises an
 * error, the pass counts as spoilt.
 */
static void
take_here(Pass *pass, Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);

	pass->active = true;
	pass->stop = STOP_SPOILT;
	pass->reason = "a step has failed";
	step_take(step);
	pass->stop = STOP_NONE;
	pass->step_subid = GetCurrentSubTransactionId();
	pass->steps = lappend(pass->steps, step);
	pass->step++;
	MemoryContextSwitchTo(caller);
}

static const Pb__RetryPolicy only_once = {
	PROTOBUF_C_MESSAGE_INIT(&pb__retry_policy__descriptor), .maximum_attempts = 1
};

/* Finds the function of a local activity; its policy is that of the call, then its own. */
static void
find_function(Pass *pass, Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	const Pb__RetryPolicy *own;

	step->registration = pass_registration(pass, step->name);
	if (step->registration == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("activity \"%s\" is not registered", step->name)));
	own = step->registration->options->retry_policy;
	if (step->asked != NULL && own != NULL)
		options_default_policy(step->asked, own);
	if (step->asked != NULL)
		own = step->asked;
	step->policy = own != NULL ? core_fill_retry_policy(own) : &only_once;
	MemoryContextSwitchTo(caller);
}

/* The arguments from "first" on; they outlive the pass. */
static void
copy_arguments(FunctionCallInfo fcinfo, int first, Step *step)
{
	Datum	   *values = NULL;
	bool	   *nulls = NULL;
	Oid		   *types = NULL;
	/* There must be some to be extracted. */
	int			n = PG_NARGS() <= first ? 0 :
		extract_variadic_args(fcinfo, first, false, &values, &types, &nulls);

	step->nargs = Max(n, 0);
	step->types = types;
	step->values = values;
	step->nulls = palloc(step->nargs + 1);
	for (int i = 0; i < step->nargs; i++)
	{
		int16		length;
		bool		by_value;

		step->nulls[i] = nulls[i] ? 'n' : ' ';
		get_typlenbyval(types[i], &length, &by_value);
		if (!nulls[i])
			values[i] = datumCopy(values[i], by_value, length);
	}
	step->nulls[step->nargs] = '\0';
}

/* What has been taken before is known by its name: few look at their arguments. */
static void
read_arguments(Pass *pass, Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);

	if (step->call != NULL && step->query != NULL)
		copy_arguments(step->call, 2, step);
	else if (step->call != NULL)
		step->input = value_argument(step->call, 1);
	step->call = NULL;
	MemoryContextSwitchTo(caller);
}

/* The step that the function asks for, as it was taken; does not come back else. */
static Step *
take(Pass *pass, Step *step)
{
	Step	   *taken;

	pass_skip_task(pass);
	if (!pass_is_live(pass))
		return step;
	if (pass->step < list_length(pass->steps))
	{
		taken = list_nth(pass->steps, pass->step++);
		if (strcmp(taken->name, step->name) != 0)
			pass_stop(pass, STOP_NONDETERMINISTIC,
					  psprintf("it asks for step \"%s\", and has asked for \"%s\" before",
							   step->name, taken->name));
		return taken;
	}
	if (list_length(pass->steps) >= (pass->stepwise ? MAX_STEPWISE : MAX_STEPS) ||
		(pass->stepwise && pass->hurry && pass->steps != NIL))
	{
		pass->again = true;
		pass_stop(pass, STOP_WAITING, "the next workflow task");
	}
	read_arguments(pass, step);
	if (step->query == NULL)
		find_function(pass, step);
	if (pass->stepwise)
	{
		pass->wanted = step;
		pass_stop(pass, STOP_STEP, psprintf("step %s", step->name));
	}
	if (step->query == NULL)
		pass_check_settings(pass);
	take_here(pass, step);
	return step;
}

/* The same step, for another attempt. */
static Step *
next_attempt(Pass *pass, const Step *step, int attempt)
{
	Step	   *next = MemoryContextAlloc(pass->memory, sizeof(Step));

	*next = *step;
	next->attempt = attempt;
	return next;
}

/* As often as its policy says; "step" itself is not taken. */
static Value
do_step(Pass *pass, const Step *step)
{
	for (int attempt = 1;; attempt++)
	{
		Outcome		outcome;

		pass->locals++;
		outcome = recorded(pass, take(pass, next_attempt(pass, step, attempt)));
		if (outcome.failure == NULL)
			return outcome.result;
		if (outcome.backoff == 0)
			raise_failure(step->name, outcome.failure);
		wait_timer(pass, outcome.backoff,
				   psprintf("attempt %d of step %s", attempt + 1, step->name));
	}
}

/* ---- SQL ---- */

static Step *
new_step(FunctionCallInfo fcinfo)
{
	Step	   *step = palloc0(sizeof(Step));

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("name of the step is not set")));
	step->name = argument_text(fcinfo, 0, NULL);
	step->call = fcinfo;
	step->policy = &only_once;
	return step;
}

/* temporal.step(name, query, VARIADIC args "any") returns jsonb */
Datum
temporal_step(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("step");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Step	   *step = new_step(fcinfo);
	Jsonb	   *result;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("query of step \"%s\" is not set", step->name)));
	step->query = argument_text(fcinfo, 1, NULL);
	/* What it says is said here, wherever it is run. */
	step->search_path = pstrdup(namespace_search_path);
	if (pass->step_policy != NULL)
		step->policy = pass->step_policy;
	MemoryContextSwitchTo(caller);
	result = value_to_jsonb(do_step(pass, step));
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/*
 * temporal.retry_steps(initial_interval, backoff_coefficient, maximum_interval,
 *						maximum_attempts, non_retryable_error_types)
 */
Datum
temporal_retry_steps(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("retry_steps");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Pb__RetryPolicy *policy = options_retry_policy(fcinfo, 0);

	if (policy != NULL)
		options_check_policy(policy);
	pass->step_policy = policy != NULL ? core_fill_retry_policy(policy) : NULL;
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* temporal.execute_local_activity(name, input, result, retry policy) returns anyelement */
Datum
temporal_execute_local_activity(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("execute_local_activity");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Step	   *step = new_step(fcinfo);

	step->search_path = pass->search_path;
	step->asked = options_retry_policy(fcinfo, 3);
	if (step->asked != NULL)
		options_check_policy(step->asked);
	MemoryContextSwitchTo(caller);
	return value_result(fcinfo, do_step(pass, step));
}
