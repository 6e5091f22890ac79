/*
 * decide_activity.c
 *	  The life of an activity: scheduled, started, retried, finished.
 *
 * An attempt leaves no event.  The ACTIVITY_TASK_STARTED event is written just
 * before the event that finishes the activity, so that a retried activity
 * shows its last attempt only.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define MAX_PENDING_ACTIVITIES 2000
/* A failure kept for the next attempt must not grow the row without bound. */
#define LAST_FAILURE_LIMIT 4096
#define NOT_STARTED_DETAILS "ACTIVITY_ID_NOT_STARTED"
#define NO_TIME_LEFT "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"

static bool
refuse_schedule(CommandError *error, const char *message)
{
	return command_refuse(error, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES), message);
}

static bool
check_schedule(const Pb__ScheduleActivityTaskCommandAttributes *attributes, CommandError *error)
{
	const char *problem = NULL;

	if (attributes->activity_id[0] == '\0')
		return refuse_schedule(error, "ActivityId is not set on ScheduleActivityTaskCommand.");
	if (attributes->activity_type == NULL || attributes->activity_type->name[0] == '\0')
		return refuse_schedule(error, "ActivityType is not set on ScheduleActivityTaskCommand.");
	if (strlen(attributes->activity_id) > ID_LIMIT)
		return refuse_schedule(error, "ActivityID exceeds length limit.");
	if (strlen(attributes->activity_type->name) > ID_LIMIT)
		return refuse_schedule(error, "ActivityType exceeds length limit.");
	if (attributes->task_queue != NULL && attributes->task_queue->name[0] != '\0')
		problem = core_check_task_queue(attributes->task_queue->name);
	if (problem == NULL)
		problem = core_check_retry_policy(attributes->retry_policy);
	if (problem == NULL)
		problem = core_check_priority(attributes->priority);
	if (problem != NULL)
		return refuse_schedule(error, problem);
	if (!proto_duration_valid(attributes->schedule_to_close_timeout) ||
		!proto_duration_valid(attributes->schedule_to_start_timeout) ||
		!proto_duration_valid(attributes->start_to_close_timeout) ||
		!proto_duration_valid(attributes->heartbeat_timeout))
		return refuse_schedule(error, "A valid timeout may not be negative.");
	if (proto_duration_us(attributes->schedule_to_close_timeout) == 0 &&
		proto_duration_us(attributes->start_to_close_timeout) == 0)
		return refuse_schedule(error, "A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand.");
	return true;
}

static int64
cap(int64 timeout, int64 limit)
{
	return limit > 0 && (timeout == 0 || timeout > limit) ? limit : timeout;
}

/*
 * activity_normalise -- fills in the timeouts that others imply, and caps them.
 *
 * Schedule-to-close or start-to-close is set.
 */
void
activity_normalise(ActivityTimeouts *timeouts, int64 run_timeout)
{
	if (timeouts->schedule_to_close > 0)
	{
		timeouts->schedule_to_start = cap(timeouts->schedule_to_start, timeouts->schedule_to_close);
		timeouts->start_to_close = cap(timeouts->start_to_close, timeouts->schedule_to_close);
	}
	timeouts->schedule_to_close = cap(timeouts->schedule_to_close, run_timeout);
	timeouts->schedule_to_start = cap(timeouts->schedule_to_start, run_timeout);
	timeouts->start_to_close = cap(timeouts->start_to_close, run_timeout);
	timeouts->heartbeat = Min(timeouts->heartbeat, timeouts->start_to_close);
}

/* The four timeouts as the event shows them. */
static void
set_timeouts(const Pb__ScheduleActivityTaskCommandAttributes *from, int64 run_timeout,
			 Pb__ActivityTaskScheduledEventAttributes *to)
{
	ActivityTimeouts timeouts = {
		proto_duration_us(from->schedule_to_close_timeout),
		proto_duration_us(from->schedule_to_start_timeout),
		proto_duration_us(from->start_to_close_timeout),
		proto_duration_us(from->heartbeat_timeout)
	};

	activity_normalise(&timeouts, run_timeout);
	to->schedule_to_close_timeout = proto_duration(timeouts.schedule_to_close);
	to->schedule_to_start_timeout = proto_duration(timeouts.schedule_to_start);
	to->start_to_close_timeout = proto_duration(timeouts.start_to_close);
	to->heartbeat_timeout = proto_duration(timeouts.heartbeat);
}

static Pb__TaskQueue *
activity_queue(const ExecutionState *state, const Pb__TaskQueue *asked)
{
	Pb__TaskQueue *queue = proto_new(&pb__task_queue__descriptor);

	queue->name = asked != NULL && asked->name[0] != '\0' ? asked->name : state->info->task_queue;
	queue->kind = QUEUE_KIND(NORMAL);
	return queue;
}

bool
core_schedule_activity(Transition *transition, const Pb__Command *command,
					   CommandContext *context, CommandError *error)
{
	const Pb__ScheduleActivityTaskCommandAttributes *from =
		command->schedule_activity_task_command_attributes;
	ExecutionState *state = transition->state;
	Pb__ActivityTaskScheduledEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(ACTIVITY_TASK_SCHEDULED),
											&attributes);
	PendingActivity *activity;

	if (!check_schedule(from, error))
		return false;
	if (from->input != NULL && protobuf_c_message_get_packed_size(&from->input->base) > BLOB_LIMIT)
	{
		error->terminate = true;
		return refuse_schedule(error, "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.");
	}
	if (state->run->activity_count >= MAX_PENDING_ACTIVITIES)
		return command_refuse(error, CAUSE(PENDING_ACTIVITIES_LIMIT_EXCEEDED),
							  psprintf("the number of pending activities, %d, has reached the per-workflow limit of %d",
									   state->run->activity_count, MAX_PENDING_ACTIVITIES));
	if (state_find_activity_id(state, from->activity_id) != NULL)
		return command_refuse(error, CAUSE(SCHEDULE_ACTIVITY_DUPLICATE_ID),
							  psprintf("ActivityID %s is already in use.", from->activity_id));
	attributes->activity_id = from->activity_id;
	attributes->activity_type = from->activity_type;
	attributes->task_queue = activity_queue(state, from->task_queue);
	attributes->header = from->header;
	attributes->input = from->input;
	set_timeouts(from, state->info->run_timeout, attributes);
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	attributes->retry_policy = core_fill_retry_policy(from->retry_policy);
	attributes->priority = core_merge_priority(state->info->priority, from->priority);
	transition_append(transition, event);
	activity = llast(state->activities);
	/* The worker that completes has polled the workflow's queue, no other. */
	if (from->request_eager_execution &&
		strcmp(attributes->task_queue->name, state->info->task_queue) == 0)
		transition->eager = lappend(transition->eager, activity);
	else
		activity_redispatch(transition, activity, transition->now);
	return true;
}

/* Appends the start that no event has recorded yet. */
static void
append_started(Transition *transition, const PendingActivity *activity)
{
	Pb__ActivityTaskStartedEventAttributes *attributes;
	Pb__HistoryEvent *event;

	if (!activity->state->started)
		return;
	event = event_new(EVENT(ACTIVITY_TASK_STARTED), activity->state->started_time, &attributes);
	attributes->scheduled_event_id = activity->scheduled_event_id;
	attributes->identity = activity->state->identity;
	attributes->request_id = activity->state->request_id;
	attributes->attempt = activity->state->attempt;
	attributes->last_failure = activity->state->last_failure;
	transition_append(transition, event);
}

/* Appends the finish; the activity is no longer pending after it. */
static void
append_finish(Transition *transition, PendingActivity *activity, Pb__HistoryEvent *event)
{
	activity_withdraw(transition, activity);
	activity_clear_pause(transition, activity);
	append_started(transition, activity);
	transition_append(transition, event);
	if (activity->state->timer_armed != 0)
		transition_remove_timer(transition, TIMER_ACTIVITY, activity->state->timer_armed,
								activity->scheduled_event_id);
	activity->state->timer_armed = 0;
}

static void
append_canceled(Transition *transition, PendingActivity *activity, const Pb__Payloads *details,
				const char *identity)
{
	Pb__ActivityTaskCanceledEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(ACTIVITY_TASK_CANCELED), transition->now,
										&attributes);

	attributes->scheduled_event_id = activity->scheduled_event_id;
	attributes->latest_cancel_requested_event_id = activity->state->cancel_requested_event_id;
	attributes->details = unconstify(Pb__Payloads *, details);
	attributes->identity = identity;
	append_finish(transition, activity, event);
}

/* The activity that a finish event ends; 0 for any other event. */
static int64
finished_activity(const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_COMPLETED):
			return event->activity_task_completed_event_attributes->scheduled_event_id;
		case EVENT(ACTIVITY_TASK_FAILED):
			return event->activity_task_failed_event_attributes->scheduled_event_id;
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
			return event->activity_task_timed_out_event_attributes->scheduled_event_id;
		case EVENT(ACTIVITY_TASK_CANCELED):
			return event->activity_task_canceled_event_attributes->scheduled_event_id;
		default:
			return 0;
	}
}

/* Is the activity's end in the buffer already? */
static bool
finish_is_buffered(const ExecutionState *state, int64 scheduled_event_id)
{
	ListCell   *cell;

	foreach(cell, state->buffer)
		if (finished_activity(lfirst(cell)) == scheduled_event_id)
			return true;
	return false;
}

bool
core_request_cancel_activity(Transition *transition, const Pb__Command *command,
							 CommandContext *context, CommandError *error)
{
	int64		scheduled_event_id =
		command->request_cancel_activity_task_command_attributes->scheduled_event_id;
	ExecutionState *state = transition->state;
	PendingActivity *activity = state_find_activity(state, scheduled_event_id);
	Pb__ActivityTaskCancelRequestedEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(ACTIVITY_TASK_CANCEL_REQUESTED),
					  &attributes);

	if (scheduled_event_id <= 0)
		return command_refuse(error, CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
							  "ScheduledEventId is not set on RequestCancelActivityTaskCommand.");
	if (activity == NULL && !finish_is_buffered(state, scheduled_event_id))
		return command_refuse(error, CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
							  psprintf("ActivityTask with ScheduledEventId " INT64_FORMAT " is not pending.",
									   scheduled_event_id));
	if (activity != NULL && activity->state->cancel_requested_event_id != 0)
		return command_refuse(error, CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
							  psprintf("cancellation of activity with ScheduledEventId " INT64_FORMAT " was already requested",
									   scheduled_event_id));
	attributes->scheduled_event_id = scheduled_event_id;
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	if (activity == NULL || activity->state->started)
		return true;
	append_canceled(transition, activity, core_payloads(core_text_payload(NOT_STARTED_DETAILS)),
					context->identity);
	transition->force_task = true;
	return true;
}

/* core_start_activity -- a worker takes this attempt; locks no run. */
void
core_start_activity(Transition *transition, PendingActivity *activity, const char *request_id,
					const char *identity)
{
	activity_withdraw(transition, activity);
	activity->state->started = true;
	activity->state->started_time = transition->now;
	activity->state->request_id = request_id;
	activity->state->identity = identity;
	activity->state->retry_interval = 0;
	activity->state->reset_requested = false;
	row_touch(&activity->change);
	activity_arm(transition, activity);
}

/* core_start_activity_within -- the same, in a transition of its run, which is locked. */
void
core_start_activity_within(Transition *transition, PendingActivity *activity,
						   const char *request_id, const char *identity)
{
	transition->starts_within = true;
	core_start_activity(transition, activity, request_id, identity);
	transition->starts_within = false;
}

/* core_bind_activity -- the attempt ends when the session does. */
void
core_bind_activity(Transition *transition, PendingActivity *activity, const SessionId *id)
{
	activity->state->session = core_session(id, transition->now);
	activity_arm(transition, activity);
}

/* core_unbind_activity -- the attempt outlives the session: others will answer. */
void
core_unbind_activity(Transition *transition, PendingActivity *activity)
{
	activity->state->session = NULL;
	row_touch(&activity->change);
	activity_arm(transition, activity);
}

void
core_complete_activity(Transition *transition, PendingActivity *activity,
					   const Pb__Payloads *result, const char *identity)
{
	Pb__ActivityTaskCompletedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(ACTIVITY_TASK_COMPLETED), transition->now,
										&attributes);

	attributes->scheduled_event_id = activity->scheduled_event_id;
	attributes->result = unconstify(Pb__Payloads *, result);
	attributes->identity = identity;
	append_finish(transition, activity, event);
	core_want_workflow_task(transition);
}

void
core_cancel_activity(Transition *transition, PendingActivity *activity,
					 const Pb__Payloads *details, const char *identity)
{
	append_canceled(transition, activity, details, identity);
	core_want_workflow_task(transition);
}

/* core_note_heartbeat -- it has said so at that time. */
void
core_note_heartbeat(PendingActivity *activity, const Pb__Payloads *details, TimestampTz time)
{
	activity->state->heartbeat_details = unconstify(Pb__Payloads *, details);
	activity->state->heartbeat_time = time;
	row_touch(&activity->change);
}

void
core_heartbeat_activity(Transition *transition, PendingActivity *activity,
						const Pb__Payloads *details)
{
	core_note_heartbeat(activity, details, transition->now);
}

/* The attempt is over; the next one begins after "interval". */
static void
retry_activity(Transition *transition, PendingActivity *activity, const Pb__Failure *failure,
			   int64 interval)
{
	Pbi__ActivityState *detail = activity->state;

	detail->attempt++;
	detail->stamp++;
	detail->last_identity = detail->identity;
	detail->started = false;
	detail->started_time = 0;
	detail->request_id = "";
	detail->identity = "";
	detail->session = NULL;
	detail->last_failure = core_shorten_failure(failure, LAST_FAILURE_LIMIT);
	detail->last_attempt_complete_time = transition->now;
	detail->retry_interval = interval;
	detail->reset_requested = false;
	if (detail->reset_heartbeats)
		activity_forget_heartbeat(activity);
	row_touch(&activity->change);
	activity_redispatch(transition, activity, transition->now + interval);
}

static TimestampTz
retry_expiration(const PendingActivity *activity)
{
	if (activity->state->schedule_to_close == 0)
		return 0;
	return activity->state->first_scheduled_time + activity->state->schedule_to_close;
}

/* Decides on another attempt, and makes it wait if there is one. */
static Pb__RetryState
try_again(Transition *transition, PendingActivity *activity, const Pb__Failure *failure)
{
	RetryDecision decision;

	if (activity->state->cancel_requested_event_id != 0)
		return RETRY_STATE(CANCEL_REQUESTED);
	decision = core_decide_retry(activity->state->retry_policy, activity->state->attempt,
								 failure, transition->now, retry_expiration(activity));
	if (activity->state->pause != NULL && decision.state != RETRY_STATE(NON_RETRYABLE_FAILURE))
		decision = (RetryDecision) {RETRY_STATE(IN_PROGRESS), 0};
	if (decision.state == RETRY_STATE(IN_PROGRESS))
		retry_activity(transition, activity, failure, decision.interval);
	return decision.state;
}

/* Another attempt, or the end by the failure; no workflow task yet. */
static Pb__RetryState
fail_attempt(Transition *transition, PendingActivity *activity, const Pb__Failure *failure,
			 const char *identity)
{
	Pb__ActivityTaskFailedEventAttributes *attributes;
	Pb__HistoryEvent *event;
	Pb__RetryState state = try_again(transition, activity, failure);

	if (state == RETRY_STATE(IN_PROGRESS))
		return state;
	event = event_new(EVENT(ACTIVITY_TASK_FAILED), transition->now, &attributes);
	attributes->scheduled_event_id = activity->scheduled_event_id;
	attributes->failure = unconstify(Pb__Failure *, failure);
	attributes->identity = identity;
	attributes->retry_state = state;
	append_finish(transition, activity, event);
	return state;
}

/* core_fail_activity -- the worker reports a failure of this attempt. */
Pb__RetryState
core_fail_activity(Transition *transition, PendingActivity *activity,
				   const Pb__Failure *failure, const char *identity)
{
	Pb__RetryState state = fail_attempt(transition, activity, core_clamp_failure(failure), identity);

	if (state != RETRY_STATE(IN_PROGRESS))
		core_want_workflow_task(transition);
	return state;
}

static void
consider(TimestampTz candidate, Pb__TimeoutType candidate_type, TimestampTz *deadline,
		 Pb__TimeoutType *type)
{
	static const int order[] = {
		[TIMEOUT_TYPE(START_TO_CLOSE)] = 1,
		[TIMEOUT_TYPE(SCHEDULE_TO_START)] = 2,
		[TIMEOUT_TYPE(SCHEDULE_TO_CLOSE)] = 3,
		[TIMEOUT_TYPE(HEARTBEAT)] = 4,
	};

	if (*deadline != 0 &&
		(candidate > *deadline ||
		 (candidate == *deadline && order[candidate_type] > order[*type])))
		return;
	*deadline = candidate;
	*type = candidate_type;
}

/* core_activity_deadline -- its earliest timeout; false if it has none. */
bool
core_activity_deadline(const PendingActivity *activity, TimestampTz *deadline,
					   Pb__TimeoutType *type)
{
	const Pbi__ActivityState *detail = activity->state;

	*deadline = 0;
	if (detail->pause != NULL)
		return false;
	if (detail->schedule_to_close > 0)
		consider(detail->first_scheduled_time + detail->schedule_to_close,
				 TIMEOUT_TYPE(SCHEDULE_TO_CLOSE), deadline, type);
	if (!detail->started && detail->schedule_to_start > 0)
		consider(detail->scheduled_time + detail->schedule_to_start,
				 TIMEOUT_TYPE(SCHEDULE_TO_START), deadline, type);
	if (detail->started && detail->start_to_close > 0)
		consider(detail->started_time + detail->start_to_close,
				 TIMEOUT_TYPE(START_TO_CLOSE), deadline, type);
	if (detail->started && detail->heartbeat_timeout > 0)
		consider(Max(detail->started_time, detail->heartbeat_time) + detail->heartbeat_timeout,
				 TIMEOUT_TYPE(HEARTBEAT), deadline, type);
	return *deadline != 0;
}

static const char *
timeout_message(Pb__TimeoutType type)
{
	return psprintf("activity %s timeout",
					enum_short_name(&pb__timeout_type__descriptor, type));
}

/* The deadline has passed: another attempt, or the end. */
static void
time_out_activity(Transition *transition, PendingActivity *activity, Pb__TimeoutType type)
{
	Pb__ActivityTaskTimedOutEventAttributes *attributes;
	Pb__HistoryEvent *event;
	const char *message = timeout_message(type);
	Pb__RetryState state = RETRY_STATE(TIMEOUT);

	if (activity->state->cancel_requested_event_id != 0)
		state = RETRY_STATE(CANCEL_REQUESTED);
	else if (type == TIMEOUT_TYPE(START_TO_CLOSE) || type == TIMEOUT_TYPE(HEARTBEAT))
		state = try_again(transition, activity, core_timeout_failure(message, type, NULL, NULL));
	if (state == RETRY_STATE(IN_PROGRESS))
		return;
	if (state == RETRY_STATE(TIMEOUT) && type != TIMEOUT_TYPE(SCHEDULE_TO_START))
	{
		type = TIMEOUT_TYPE(SCHEDULE_TO_CLOSE);
		message = NO_TIME_LEFT;
	}
	event = event_new(EVENT(ACTIVITY_TASK_TIMED_OUT), transition->now, &attributes);
	attributes->scheduled_event_id = activity->scheduled_event_id;
	attributes->failure = core_timeout_failure(message, type, activity->state->heartbeat_details,
											   activity->state->last_failure);
	attributes->retry_state = state;
	append_finish(transition, activity, event);
}

/*
 * core_activity_has_timeouts -- does the due deadline end an attempt?
 *
 * If not, firing the timer only offers the attempt or arms the next deadline,
 * and the run need not be locked.
 */
bool
core_activity_has_timeouts(const PendingActivity *activity, TimestampTz now)
{
	TimestampTz deadline;
	Pb__TimeoutType type;

	return core_activity_deadline(activity, &deadline, &type) && deadline <= now;
}

/*
 * core_fire_activity_timer -- the activity's timer row was due and is gone.
 *
 * "session_gone": the session that worked on it has ended without a word.
 * True if the activity is over: the workflow then wants a task, once for all
 * its activities that are due together.
 */
bool
core_fire_activity_timer(Transition *transition, PendingActivity *activity, bool session_gone)
{
	TimestampTz deadline;
	Pb__TimeoutType type;

	activity->state->timer_armed = 0;
	row_touch(&activity->change);
	if (core_activity_deadline(activity, &deadline, &type) && deadline <= transition->now)
		time_out_activity(transition, activity, type);
	else if (session_gone)
		fail_attempt(transition, activity, core_server_failure(SESSION_GONE, false),
					 activity->state->identity);
	else if (!activity->state->started && activity->state->pause == NULL &&
			 activity->state->offered_at == 0)
		activity_redispatch(transition, activity, activity->state->scheduled_time);
	if (activity->change == ROW_DELETED)
		return true;
	core_session_seen(activity->state->session, transition->now);
	activity_arm(transition, activity);
	return false;
}
