/*
 * activity_options.c
 *	  The options of a pending activity, and changing them by a field mask.
 *
 * What the scheduling event says stays as it is; deadlines, retries and the
 * queue follow the options in force.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define RETRY_POLICY_PATH "retry_policy."
#define PRIORITY_PATH "priority."

/* activity_restore_options -- those that the scheduling event carries. */
void
activity_restore_options(PendingActivity *activity)
{
	const Pb__ActivityTaskScheduledEventAttributes *original =
		activity->scheduled->activity_task_scheduled_event_attributes;
	Pbi__ActivityState *detail = activity->state;

	detail->task_queue = original->task_queue->name;
	detail->schedule_to_close = proto_duration_us(original->schedule_to_close_timeout);
	detail->schedule_to_start = proto_duration_us(original->schedule_to_start_timeout);
	detail->start_to_close = proto_duration_us(original->start_to_close_timeout);
	detail->heartbeat_timeout = proto_duration_us(original->heartbeat_timeout);
	detail->retry_policy = original->retry_policy;
	detail->priority = original->priority;
}

/* "retry_policy.maximum_attempts" for retryPolicy.maximumAttempts. */
static char *
snake_case(const char *path)
{
	char	   *snake = palloc(2 * strlen(path) + 1);
	char	   *p = snake;

	for (const char *s = path; *s; s++)
	{
		if (*s >= 'A' && *s <= 'Z')
			*p++ = '_';
		*p++ = pg_tolower((unsigned char) *s);
	}
	*p = '\0';
	return snake;
}

static const char *
refuse_path(const char *path)
{
	return psprintf("UpdateMask names a field that cannot be updated: %s", path);
}

static const char *
set_retry_option(Pbi__ActivityState *detail, const Pb__RetryPolicy *from, const char *name)
{
	Pb__RetryPolicy *policy = proto_new(&pb__retry_policy__descriptor);

	if (from == NULL)
		return "RetryPolicy is not provided";
	*policy = *detail->retry_policy;
	detail->retry_policy = policy;
	if (strcmp(name, "initial_interval") == 0)
		policy->initial_interval = from->initial_interval;
	else if (strcmp(name, "backoff_coefficient") == 0)
		policy->backoff_coefficient = from->backoff_coefficient;
	else if (strcmp(name, "maximum_interval") == 0)
		policy->maximum_interval = from->maximum_interval;
	else if (strcmp(name, "maximum_attempts") == 0)
		policy->maximum_attempts = from->maximum_attempts;
	else if (strcmp(name, "non_retryable_error_types") == 0)
	{
		policy->n_non_retryable_error_types = from->n_non_retryable_error_types;
		policy->non_retryable_error_types = from->non_retryable_error_types;
	}
	else
		return refuse_path(psprintf(RETRY_POLICY_PATH "%s", name));
	return NULL;
}

static const char *
set_priority_option(Pbi__ActivityState *detail, const Pb__Priority *from, const char *name)
{
	Pb__Priority *priority = proto_new(&pb__priority__descriptor);

	if (from == NULL)
		return "Priority is not provided";
	if (detail->priority != NULL)
		*priority = *detail->priority;
	detail->priority = priority;
	if (strcmp(name, "priority_key") == 0)
		priority->priority_key = from->priority_key;
	else if (strcmp(name, "fairness_key") == 0)
		priority->fairness_key = from->fairness_key;
	else if (strcmp(name, "fairness_weight") == 0)
		priority->fairness_weight = from->fairness_weight;
	else
		return refuse_path(psprintf(PRIORITY_PATH "%s", name));
	return NULL;
}

/* Sets what "path" names; what is wrong with it, or NULL. */
static const char *
set_option(Pbi__ActivityState *detail, const Pb__ActivityOptions *options, const char *path)
{
	if (strncmp(path, RETRY_POLICY_PATH, strlen(RETRY_POLICY_PATH)) == 0)
		return set_retry_option(detail, options->retry_policy, path + strlen(RETRY_POLICY_PATH));
	if (strncmp(path, PRIORITY_PATH, strlen(PRIORITY_PATH)) == 0)
		return set_priority_option(detail, options->priority, path + strlen(PRIORITY_PATH));
	/* The CLI says "task_queue_name". */
	if (strcmp(path, "task_queue") == 0 || strcmp(path, "task_queue.name") == 0 ||
		strcmp(path, "task_queue_name") == 0)
	{
		if (options->task_queue == NULL)
			return "TaskQueue is not provided";
		detail->task_queue = options->task_queue->name;
	}
	else if (strcmp(path, "schedule_to_close_timeout") == 0)
		detail->schedule_to_close = proto_duration_us(options->schedule_to_close_timeout);
	else if (strcmp(path, "schedule_to_start_timeout") == 0)
		detail->schedule_to_start = proto_duration_us(options->schedule_to_start_timeout);
	else if (strcmp(path, "start_to_close_timeout") == 0)
		detail->start_to_close = proto_duration_us(options->start_to_close_timeout);
	else if (strcmp(path, "heartbeat_timeout") == 0)
		detail->heartbeat_timeout = proto_duration_us(options->heartbeat_timeout);
	else if (strcmp(path, "priority") == 0)
		detail->priority = options->priority;
	else if (strcmp(path, "retry_policy") == 0)
		detail->retry_policy = core_fill_retry_policy(options->retry_policy);
	else
		return refuse_path(path);
	return NULL;
}

static const char *
check_durations(const Pb__ActivityOptions *options)
{
	if (!proto_duration_valid(options->schedule_to_close_timeout) ||
		!proto_duration_valid(options->schedule_to_start_timeout) ||
		!proto_duration_valid(options->start_to_close_timeout) ||
		!proto_duration_valid(options->heartbeat_timeout))
		return "A valid timeout may not be negative.";
	return NULL;
}

/* The same rules as for a command that schedules the activity. */
static const char *
check_and_normalise(Pbi__ActivityState *detail, int64 run_timeout)
{
	ActivityTimeouts timeouts = {
		detail->schedule_to_close, detail->schedule_to_start, detail->start_to_close,
		detail->heartbeat_timeout
	};
	const char *problem = core_check_retry_policy(detail->retry_policy);

	if (problem == NULL)
		problem = core_check_priority(detail->priority);
	if (problem == NULL)
		problem = core_check_task_queue(detail->task_queue);
	if (problem != NULL)
		return problem;
	if (timeouts.schedule_to_close == 0 && timeouts.start_to_close == 0)
		return "A valid StartToClose or ScheduleToCloseTimeout is not set on ActivityOptions.";
	activity_normalise(&timeouts, run_timeout);
	detail->schedule_to_close = timeouts.schedule_to_close;
	detail->schedule_to_start = timeouts.schedule_to_start;
	detail->start_to_close = timeouts.start_to_close;
	detail->heartbeat_timeout = timeouts.heartbeat;
	detail->retry_policy = core_fill_retry_policy(detail->retry_policy);
	return NULL;
}

static const char *
update_by_mask(PendingActivity *activity, const Pb__ActivityOptions *options,
			   const Pb__FieldMask *mask, int64 run_timeout)
{
	const char *problem;

	if (options == NULL)
		return "ActivityOptions are not provided";
	if (mask == NULL)
		return "UpdateMask is not provided";
	problem = check_durations(options);
	for (size_t i = 0; problem == NULL && i < mask->n_paths; i++)
		problem = set_option(activity->state, options, snake_case(mask->paths[i]));
	return problem != NULL ? problem : check_and_normalise(activity->state, run_timeout);
}

static bool
same_backoff(const Pb__RetryPolicy *a, const Pb__RetryPolicy *b)
{
	return proto_duration_us(a->initial_interval) == proto_duration_us(b->initial_interval) &&
		proto_duration_us(a->maximum_interval) == proto_duration_us(b->maximum_interval) &&
		a->backoff_coefficient == b->backoff_coefficient;
}

/* The waiting attempt, offered anew; a retry at the time its policy now gives. */
static void
reschedule(Transition *transition, PendingActivity *activity, const Pb__RetryPolicy *old_policy)
{
	Pbi__ActivityState *detail = activity->state;
	TimestampTz dispatch_at = detail->scheduled_time;

	detail->stamp++;
	if (detail->retry_interval > 0 && !same_backoff(detail->retry_policy, old_policy))
	{
		detail->retry_interval = core_retry_interval(detail->retry_policy, detail->attempt - 1);
		dispatch_at = detail->last_attempt_complete_time + detail->retry_interval;
	}
	activity_redispatch(transition, activity, dispatch_at);
}

/*
 * core_update_activity_options -- what is wrong with the request, or NULL.
 *
 * On a problem the transition must be thrown away.
 */
const char *
core_update_activity_options(Transition *transition, PendingActivity *activity,
							 const Pb__ActivityOptions *options, const Pb__FieldMask *mask,
							 bool restore)
{
	const Pb__RetryPolicy *old_policy = activity->state->retry_policy;
	const char *problem;

	if (restore && mask != NULL && mask->n_paths > 0)
		return "Both UpdateMask and RestoreOriginal are provided";
	activity_withdraw(transition, activity);
	if (restore)
		activity_restore_options(activity);
	else
	{
		problem = update_by_mask(activity, options, mask, transition->state->info->run_timeout);
		if (problem != NULL)
			return problem;
	}
	row_touch(&activity->change);
	if (activity->state->started)
		activity_arm(transition, activity);
	else
		reschedule(transition, activity, old_policy);
	return NULL;
}

/* core_activity_options -- the options in force. */
Pb__ActivityOptions *
core_activity_options(const PendingActivity *activity)
{
	const Pbi__ActivityState *detail = activity->state;
	Pb__ActivityOptions *options = proto_new(&pb__activity_options__descriptor);

	options->task_queue = proto_new(&pb__task_queue__descriptor);
	options->task_queue->name = detail->task_queue;
	options->task_queue->kind = QUEUE_KIND(NORMAL);
	options->schedule_to_close_timeout = proto_duration(detail->schedule_to_close);
	options->schedule_to_start_timeout = proto_duration(detail->schedule_to_start);
	options->start_to_close_timeout = proto_duration(detail->start_to_close);
	options->heartbeat_timeout = proto_duration(detail->heartbeat_timeout);
	options->retry_policy = detail->retry_policy;
	options->priority = detail->priority;
	return options;
}
