/*
 * activity_options.c
 *	  Offering an activity, its deadline row, and what operators change:
 *	  pause, unpause, reset, options.  None of this leaves an event.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

/* How soon the end of a session that works on an activity is noticed. */
#define SESSION_CHECK_INTERVAL (2 * USECS_PER_SEC)

/* activity_withdraw -- takes back the row that offers it, if there is one. */
void
activity_withdraw(Transition *transition, PendingActivity *activity)
{
	Pbi__ActivityState *detail = activity->state;

	if (detail->offered_at == 0)
		return;
	transition_remove_task(transition, QUEUE_TYPE(ACTIVITY), detail->task_queue,
						   core_priority_key(detail->priority), detail->offered_at,
						   activity->scheduled_event_id);
	detail->offered_at = 0;
	row_touch(&activity->change);
}

/*
 * activity_redispatch -- the attempt is due at "dispatch_at".
 *
 * Due now: offered at once.  Later: the activity's timer row offers it.
 */
void
activity_redispatch(Transition *transition, PendingActivity *activity, TimestampTz dispatch_at)
{
	Pbi__ActivityState *detail = activity->state;

	activity_withdraw(transition, activity);
	detail->scheduled_time = dispatch_at;
	row_touch(&activity->change);
	if (dispatch_at <= transition->now && detail->pause == NULL)
	{
		detail->offered_at = transition->now;
		transition_add_task(transition, QUEUE_TYPE(ACTIVITY), detail->task_queue,
							core_priority_key(detail->priority), detail->offered_at,
							activity->scheduled_event_id, detail->stamp);
	}
	activity_arm(transition, activity);
}

/* activity_arm -- lowers the activity's timer row to its next due time. */
void
activity_arm(Transition *transition, PendingActivity *activity)
{
	Pbi__ActivityState *detail = activity->state;
	TimestampTz due;
	Pb__TimeoutType type;

	if (!core_activity_deadline(activity, &due, &type))
		due = 0;
	if (!detail->started && detail->pause == NULL && detail->offered_at == 0 &&
		(due == 0 || detail->scheduled_time < due))
		due = detail->scheduled_time;
	if (detail->started && detail->session != NULL &&
		(due == 0 || detail->session->seen_at + SESSION_CHECK_INTERVAL < due))
		due = detail->session->seen_at + SESSION_CHECK_INTERVAL;
	if (due == 0 || (detail->timer_armed != 0 && detail->timer_armed <= due))
		return;
	if (detail->timer_armed != 0)
		transition_remove_timer(transition, TIMER_ACTIVITY, detail->timer_armed,
								activity->scheduled_event_id);
	transition_add_timer(transition, TIMER_ACTIVITY, due, activity->scheduled_event_id);
	detail->timer_armed = due;
	row_touch(&activity->change);
}

static const char *
activity_type_name_of(const PendingActivity *activity)
{
	return activity->scheduled->activity_task_scheduled_event_attributes->activity_type->name;
}

static void
show_pause(Transition *transition, const PendingActivity *activity, bool paused)
{
	const char *type = activity_type_name_of(activity);
	Pb__Payload *text = core_text_payload(psprintf("property:activityType=%s", type));
	char	   *json = psprintf("[%.*s]", (int) text->data.len, (const char *) text->data.data);

	transition_set_search_attribute(transition, "TemporalPauseInfo",
									paused ? core_keyword_list(json) : NULL);
}

void
core_pause_activity(Transition *transition, PendingActivity *activity, const char *identity,
					const char *reason, const char *request_id)
{
	Pbi__Pause *pause = proto_new(&pbi__pause__descriptor);

	pause->time = transition->now;
	pause->identity = identity;
	pause->reason = reason;
	pause->request_id = request_id;
	activity->state->pause = pause;
	if (!activity->state->started)
	{
		activity_withdraw(transition, activity);
		activity->state->stamp++;
	}
	row_touch(&activity->change);
	show_pause(transition, activity, true);
}

void
core_unpause_activity(Transition *transition, PendingActivity *activity, bool reset_attempts,
					  bool reset_heartbeat, int64 jitter)
{
	activity->state->pause = NULL;
	if (reset_attempts)
		activity->state->attempt = 1;
	if (reset_heartbeat)
		activity->state->heartbeat_details = NULL;
	row_touch(&activity->change);
	show_pause(transition, activity, false);
	if (activity->state->started)
		return;
	activity->state->stamp++;
	activity_redispatch(transition, activity, transition->now + jitter);
}

/* The options that the scheduling event carried. */
static void
restore_options_of(PendingActivity *activity)
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

void
core_reset_activity(Transition *transition, PendingActivity *activity, bool reset_heartbeat,
					bool keep_paused, bool restore_options, int64 jitter)
{
	Pbi__ActivityState *detail = activity->state;

	activity_withdraw(transition, activity);
	detail->attempt = 1;
	detail->stamp += detail->started ? 0 : 1;
	if (restore_options)
		restore_options_of(activity);
	if (!keep_paused && detail->pause != NULL)
	{
		detail->pause = NULL;
		show_pause(transition, activity, false);
	}
	row_touch(&activity->change);
	if (detail->started)
	{
		detail->reset_requested = true;
		detail->reset_heartbeats = reset_heartbeat;
		return;
	}
	if (reset_heartbeat)
		detail->heartbeat_details = NULL;
	activity_redispatch(transition, activity, transition->now + jitter);
}

/* Sets the one field that "path" names; NULL if there is none such. */
static const char *
set_option(Pbi__ActivityState *detail, const Pb__ActivityOptions *options, const char *path)
{
	Pb__RetryPolicy *policy;
	const Pb__RetryPolicy *from = options->retry_policy;

	if (strcmp(path, "task_queue") == 0 || strcmp(path, "task_queue.name") == 0)
	{
		if (options->task_queue == NULL || options->task_queue->name[0] == '\0')
			return "TaskQueue is not set.";
		detail->task_queue = options->task_queue->name;
		return NULL;
	}
	if (strcmp(path, "schedule_to_close_timeout") == 0)
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
		detail->retry_policy = core_fill_retry_policy(from);
	else if (strncmp(path, "retry_policy.", 13) == 0 && from != NULL)
	{
		path += 13;
		policy = proto_new(&pb__retry_policy__descriptor);
		*policy = *detail->retry_policy;
		detail->retry_policy = policy;
		if (strcmp(path, "initial_interval") == 0)
			policy->initial_interval = from->initial_interval;
		else if (strcmp(path, "backoff_coefficient") == 0)
			policy->backoff_coefficient = from->backoff_coefficient;
		else if (strcmp(path, "maximum_interval") == 0)
			policy->maximum_interval = from->maximum_interval;
		else if (strcmp(path, "maximum_attempts") == 0)
			policy->maximum_attempts = from->maximum_attempts;
		else
			return psprintf("UpdateMask names a field that cannot be updated: retry_policy.%s", path);
	}
	else
		return psprintf("UpdateMask names a field that cannot be updated: %s", path);
	return NULL;
}

static const char *
check_options(const Pb__ActivityOptions *options)
{
	if (options == NULL)
		return "ActivityOptions is not set on request.";
	if (!proto_duration_valid(options->schedule_to_close_timeout) ||
		!proto_duration_valid(options->schedule_to_start_timeout) ||
		!proto_duration_valid(options->start_to_close_timeout) ||
		!proto_duration_valid(options->heartbeat_timeout))
		return "A valid timeout may not be negative.";
	return core_check_retry_policy(options->retry_policy);
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
	const char *problem = restore ? NULL : check_options(options);

	if (problem != NULL)
		return problem;
	activity_withdraw(transition, activity);
	if (restore)
		restore_options_of(activity);
	for (size_t i = 0; !restore && mask != NULL && i < mask->n_paths; i++)
	{
		problem = set_option(activity->state, options, mask->paths[i]);
		if (problem != NULL)
			return problem;
	}
	if (activity->state->retry_policy->initial_interval == NULL)
		activity->state->retry_policy = core_fill_retry_policy(activity->state->retry_policy);
	row_touch(&activity->change);
	if (!activity->state->started)
	{
		activity->state->stamp++;
		if (activity->state->pause == NULL)
			activity_redispatch(transition, activity,
								Max(activity->state->scheduled_time, transition->now));
	}
	activity_arm(transition, activity);
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
