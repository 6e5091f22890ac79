/*
 * options.c
 *	  Timeouts and retry policy of an activity, as arguments.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "core/decide.h"
#include "exec/options.h"
#include "proto/time.h"
#include "utils/array.h"
#include "utils/builtins.h"

static Pb__Duration *
duration(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : proto_duration(argument_interval(fcinfo, argument));
}

static void
read_types(FunctionCallInfo fcinfo, int argument, Pb__RetryPolicy *policy)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	policy->non_retryable_error_types = palloc((n + 1) * sizeof(char *));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			policy->non_retryable_error_types[policy->n_non_retryable_error_types++] =
				TextDatumGetCString(elements[i]);
}

Pb__RetryPolicy *
options_retry_policy(FunctionCallInfo fcinfo, int first)
{
	Pb__RetryPolicy *policy = proto_new(&pb__retry_policy__descriptor);
	bool		set = false;

	for (int i = first; i < first + 5; i++)
		set |= !PG_ARGISNULL(i);
	if (!set)
		return NULL;
	policy->initial_interval = duration(fcinfo, first);
	if (!PG_ARGISNULL(first + 1))
		policy->backoff_coefficient = PG_GETARG_FLOAT8(first + 1);
	policy->maximum_interval = duration(fcinfo, first + 2);
	if (!PG_ARGISNULL(first + 3))
		policy->maximum_attempts = PG_GETARG_INT32(first + 3);
	if (!PG_ARGISNULL(first + 4))
		read_types(fcinfo, first + 4, policy);
	return policy;
}

Pb__ActivityOptions *
options_arguments(FunctionCallInfo fcinfo, int first)
{
	Pb__ActivityOptions *options = proto_new(&pb__activity_options__descriptor);

	options->start_to_close_timeout = duration(fcinfo, first);
	options->schedule_to_close_timeout = duration(fcinfo, first + 1);
	options->schedule_to_start_timeout = duration(fcinfo, first + 2);
	options->heartbeat_timeout = duration(fcinfo, first + 3);
	options->retry_policy = options_retry_policy(fcinfo, first + 4);
	return options;
}

void
options_check_policy(const Pb__RetryPolicy *policy)
{
	const char *problem = core_check_retry_policy(policy);

	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
}

void
options_check(const Pb__ActivityOptions *options)
{
	if (options->retry_policy != NULL)
		options_check_policy(options->retry_policy);
	if (!proto_duration_valid(options->start_to_close_timeout) ||
		!proto_duration_valid(options->schedule_to_close_timeout) ||
		!proto_duration_valid(options->schedule_to_start_timeout) ||
		!proto_duration_valid(options->heartbeat_timeout))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("A valid timeout may not be negative.")));
}

void
options_default_policy(Pb__RetryPolicy *policy, const Pb__RetryPolicy *otherwise)
{
	if (policy->initial_interval == NULL)
		policy->initial_interval = otherwise->initial_interval;
	if (policy->backoff_coefficient == 0)
		policy->backoff_coefficient = otherwise->backoff_coefficient;
	if (policy->maximum_interval == NULL)
		policy->maximum_interval = otherwise->maximum_interval;
	if (policy->maximum_attempts == 0)
		policy->maximum_attempts = otherwise->maximum_attempts;
	if (policy->n_non_retryable_error_types == 0)
	{
		policy->n_non_retryable_error_types = otherwise->n_non_retryable_error_types;
		policy->non_retryable_error_types = otherwise->non_retryable_error_types;
	}
}

void
options_default(Pb__ActivityOptions *options, const Pb__ActivityOptions *otherwise)
{
	if (options->start_to_close_timeout == NULL)
		options->start_to_close_timeout = otherwise->start_to_close_timeout;
	if (options->schedule_to_close_timeout == NULL)
		options->schedule_to_close_timeout = otherwise->schedule_to_close_timeout;
	if (options->schedule_to_start_timeout == NULL)
		options->schedule_to_start_timeout = otherwise->schedule_to_start_timeout;
	if (options->heartbeat_timeout == NULL)
		options->heartbeat_timeout = otherwise->heartbeat_timeout;
	if (options->retry_policy == NULL)
		options->retry_policy = otherwise->retry_policy;
	else if (otherwise->retry_policy != NULL)
		options_default_policy(options->retry_policy, otherwise->retry_policy);
}
