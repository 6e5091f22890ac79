/*
 * retry.c
 *	  Retry policies: checking them, filling them, and what they say.
 */
#include "postgres.h"

#include <math.h>

#include "core/decide.h"
#include "proto/time.h"

#define DEFAULT_INITIAL_INTERVAL USECS_PER_SEC
#define DEFAULT_COEFFICIENT 2.0
#define DEFAULT_MAXIMUM_FACTOR 100
#define TIMEOUT_TYPE_PREFIX "TemporalTimeout:"

static bool
timeout_name_valid(const char *name)
{
	return strcmp(name, "StartToClose") == 0 || strcmp(name, "ScheduleToStart") == 0 ||
		strcmp(name, "ScheduleToClose") == 0 || strcmp(name, "Heartbeat") == 0;
}

/* core_check_retry_policy -- what is wrong with it, or NULL. */
const char *
core_check_retry_policy(const Pb__RetryPolicy *policy)
{
	int64		initial;
	int64		maximum;

	if (policy == NULL || policy->maximum_attempts == 1)
		return NULL;
	if (!proto_duration_valid(policy->initial_interval))
		return "InitialInterval cannot be negative on retry policy.";
	if (policy->backoff_coefficient != 0 && !(policy->backoff_coefficient >= 1))
		return "BackoffCoefficient cannot be less than 1 on retry policy.";
	if (!proto_duration_valid(policy->maximum_interval))
		return "MaximumInterval cannot be negative on retry policy.";
	initial = proto_duration_us(policy->initial_interval);
	maximum = proto_duration_us(policy->maximum_interval);
	if (maximum > 0 && maximum < (initial > 0 ? initial : DEFAULT_INITIAL_INTERVAL))
		return "MaximumInterval cannot be less than InitialInterval on retry policy.";
	if (policy->maximum_attempts < 0)
		return "MaximumAttempts cannot be negative on retry policy.";
	for (size_t i = 0; i < policy->n_non_retryable_error_types; i++)
	{
		const char *type = policy->non_retryable_error_types[i];

		if (strncmp(type, TIMEOUT_TYPE_PREFIX, strlen(TIMEOUT_TYPE_PREFIX)) == 0 &&
			!timeout_name_valid(type + strlen(TIMEOUT_TYPE_PREFIX)))
			return psprintf("Invalid timeout type value: %s.", type + strlen(TIMEOUT_TYPE_PREFIX));
	}
	return NULL;
}

/* core_fill_retry_policy -- a copy with every unset field at its default. */
Pb__RetryPolicy *
core_fill_retry_policy(const Pb__RetryPolicy *policy)
{
	Pb__RetryPolicy *filled = proto_new(&pb__retry_policy__descriptor);
	int64		initial;
	int64		maximum;

	if (policy != NULL)
		*filled = *policy;
	initial = proto_duration_us(filled->initial_interval);
	if (initial == 0)
		initial = DEFAULT_INITIAL_INTERVAL;
	filled->initial_interval = proto_duration(initial);
	if (filled->backoff_coefficient == 0)
		filled->backoff_coefficient = DEFAULT_COEFFICIENT;
	maximum = proto_duration_us(filled->maximum_interval);
	if (maximum == 0)
		maximum = Min(initial * DEFAULT_MAXIMUM_FACTOR, DURATION_MAX);
	filled->maximum_interval = proto_duration(maximum);
	return filled;
}

static bool
type_listed(const Pb__RetryPolicy *policy, const char *type)
{
	for (size_t i = 0; i < policy->n_non_retryable_error_types; i++)
		if (strcmp(policy->non_retryable_error_types[i], type) == 0)
			return true;
	return false;
}

/* Only the outermost failure counts, never its causes. */
static bool
failure_retryable(const Pb__RetryPolicy *policy, const Pb__Failure *failure)
{
	switch (failure->failure_info_case)
	{
		case PB__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO:
		case PB__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO:
			return false;
		case PB__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO:
			return !failure->server_failure_info->non_retryable;
		case PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO:
			return !failure->application_failure_info->non_retryable &&
				!type_listed(policy, failure->application_failure_info->type);
		case PB__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO:
			if (failure->timeout_failure_info->timeout_type == TIMEOUT_TYPE(HEARTBEAT))
				return !type_listed(policy, TIMEOUT_TYPE_PREFIX "Heartbeat");
			return !type_listed(policy, TIMEOUT_TYPE_PREFIX "StartToClose");
		default:
			return true;
	}
}

/* The delay the failure itself asks for; false if it does not. */
static bool
delay_asked(const Pb__Failure *failure, int64 *delay)
{
	if (failure->failure_info_case != PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO ||
		failure->application_failure_info->next_retry_delay == NULL ||
		!proto_duration_valid(failure->application_failure_info->next_retry_delay))
		return false;
	*delay = proto_duration_us(failure->application_failure_info->next_retry_delay);
	return true;
}

/* core_retry_interval -- the pause after "attempt", as a filled policy says. */
int64
core_retry_interval(const Pb__RetryPolicy *policy, int attempt)
{
	int64		maximum = proto_duration_us(policy->maximum_interval);
	double		interval = (double) proto_duration_us(policy->initial_interval) *
		pow(policy->backoff_coefficient, attempt - 1);

	if (!(interval < (double) DURATION_MAX))
		return maximum > 0 ? maximum : DURATION_MAX;
	if (maximum > 0 && interval > (double) maximum)
		return maximum;
	return (int64) interval;
}

/*
 * core_decide_retry -- is there another attempt after "attempt" has failed?
 *
 * "policy" is filled; "expiration" is 0 for never.
 */
RetryDecision
core_decide_retry(const Pb__RetryPolicy *policy, int attempt, const Pb__Failure *failure,
				  TimestampTz now, TimestampTz expiration)
{
	RetryDecision decision = {RETRY_STATE(IN_PROGRESS), 0};

	if (!failure_retryable(policy, failure))
		decision.state = RETRY_STATE(NON_RETRYABLE_FAILURE);
	else if (policy->maximum_attempts > 0 && attempt >= policy->maximum_attempts)
		decision.state = RETRY_STATE(MAXIMUM_ATTEMPTS_REACHED);
	else
	{
		if (!delay_asked(failure, &decision.interval))
			decision.interval = core_retry_interval(policy, attempt);
		if (decision.interval == 0 ||
			(expiration != 0 && now + decision.interval > expiration))
			decision.state = RETRY_STATE(TIMEOUT);
	}
	return decision;
}
