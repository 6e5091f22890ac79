/*
 * decide_workflow_task.c
 *	  The life of a workflow task: scheduled, started, completed, failed,
 *	  timed out.
 *
 * At most one is pending.  The first attempt is real: its events are in
 * history.  Later attempts are transient: their events have ids that are only
 * reserved (next_event_id and the one after), and are written when the task
 * completes.  When another event takes such an id, the task becomes a real
 * first attempt again.
 */
#include "postgres.h"

#include "core/decide.h"
#include "mb/pg_wchar.h"
#include "proto/time.h"

#define PROBLEM_THRESHOLD 5
#define BACKOFF_FROM_ATTEMPT 4
#define BACKOFF_BASE (5 * USECS_PER_SEC)
#define BACKOFF_MAX (10 * SECS_PER_MINUTE * USECS_PER_SEC)
#define VERSIONED PB__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED
#define SHOWN_MESSAGE_BYTES 200
#define PROBLEM_ATTRIBUTE "TemporalReportedProblems"

void
core_clear_sticky(ExecutionState *state)
{
	state->run->sticky_queue = "";
	state->run->sticky_timeout = 0;
}

/* core_want_workflow_task -- schedules one unless one is pending. */
void
core_want_workflow_task(Transition *transition)
{
	if (state_is_open(transition->state) && !state_task_pending(transition->state))
		core_schedule_workflow_task(transition);
}

/*
 * The growing start-to-close timeout is the only backoff of a failing task:
 * failures which are not reported then come at a slower pace.
 */
static int64
task_timeout(const ExecutionState *state, int attempt)
{
	int64		timeout = state->info->task_timeout;
	int			doublings = attempt - BACKOFF_FROM_ATTEMPT;

	if (doublings < 0)
		return timeout;
	return timeout + (doublings > 10 ? BACKOFF_MAX : Min(BACKOFF_BASE << doublings, BACKOFF_MAX));
}

static Pb__TaskQueue *
task_queue(const ExecutionState *state, const char *sticky_queue)
{
	Pb__TaskQueue *queue = proto_new(&pb__task_queue__descriptor);

	if (sticky_queue[0] != '\0')
	{
		queue->name = sticky_queue;
		queue->kind = QUEUE_KIND(STICKY);
		queue->normal_name = state->info->task_queue;
	}
	else
	{
		queue->name = state->info->task_queue;
		queue->kind = QUEUE_KIND(NORMAL);
	}
	return queue;
}

static Pb__HistoryEvent *
scheduled_event(const ExecutionState *state, const char *sticky_queue, TimestampTz time,
				int attempt, int64 timeout)
{
	Pb__WorkflowTaskScheduledEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_TASK_SCHEDULED), time, &attributes);

	attributes->task_queue = task_queue(state, sticky_queue);
	attributes->start_to_close_timeout = proto_duration(timeout);
	attributes->attempt = attempt;
	return event;
}

static Pb__HistoryEvent *
started_event(const Pbi__WorkflowTask *task)
{
	Pb__WorkflowTaskStartedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_TASK_STARTED), task->started_time,
										&attributes);

	attributes->scheduled_event_id = task->scheduled_event_id;
	attributes->identity = task->identity;
	attributes->request_id = task->request_id;
	attributes->suggest_continue_as_new = task->suggest_continue_as_new;
	attributes->n_suggest_continue_as_new_reasons = task->n_suggest_reasons;
	attributes->suggest_continue_as_new_reasons = task->suggest_reasons;
	attributes->history_size_bytes = task->history_size;
	return event;
}

/* A later attempt: no event, only ids that are reserved. */
static void
schedule_transient(Transition *transition, int attempt)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = proto_new(&pbi__workflow_task__descriptor);

	task->scheduled_event_id = state->run->next_event_id;
	task->attempt = attempt;
	task->timeout = task_timeout(state, attempt);
	task->scheduled_time = task->original_scheduled_time = transition->now;
	task->transient = true;
	task->queue = state->info->task_queue;
	state->run->workflow_task = task;
}

/*
 * core_schedule_workflow_task -- none may be pending.
 *
 * Buffered events are flushed first; then the task is a first attempt, since
 * there is something new to see.
 */
void
core_schedule_workflow_task(Transition *transition)
{
	ExecutionState *state = transition->state;
	Pbi__RunState *run = state->run;

	Assert(!state_task_pending(state));
	if (state->buffer != NIL)
	{
		transition_flush_buffer(transition);
		run->task_attempt = 1;
	}
	if (run->task_attempt > 1)
		schedule_transient(transition, run->task_attempt);
	else
		transition_append(transition,
						  scheduled_event(state, run->sticky_queue, transition->now, 1,
										  state->info->task_timeout));
	if (state_is_sticky(state))
		run->workflow_task->schedule_to_start_deadline = transition->now + run->sticky_timeout;
	run->task_stamp++;
	transition->offer_task = true;
}

/* Why the worker should think of continuing as new, noted once at the start. */
static void
note_suggestions(const ExecutionState *state, Pbi__WorkflowTask *task, const CoreLimits *limits)
{
	Pb__SuggestContinueAsNewReason *reasons = palloc(2 * sizeof(*reasons));
	size_t		n = 0;

	if (state->run->history_size >= limits->suggest_size)
		reasons[n++] = PB__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE;
	if (state->run->next_event_id >= limits->suggest_count)
		reasons[n++] = PB__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS;
	task->suggest_continue_as_new = n > 0;
	task->n_suggest_reasons = n;
	task->suggest_reasons = reasons;
	task->history_size = state->run->history_size;
}

/*
 * core_start_workflow_task -- a worker takes the scheduled task.
 *
 * A poller on the normal queue ends the stickiness: it needs all of history.
 */
void
core_start_workflow_task(Transition *transition, const char *queue, const char *request_id,
						 const char *identity, const CoreLimits *limits)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = state->run->workflow_task;

	Assert(state_task_pending(state) && !state_task_started(state));
	if (state_is_sticky(state) && strcmp(queue, state->run->sticky_queue) != 0)
		core_clear_sticky(state);
	if (task->transient && task->scheduled_event_id != state->run->next_event_id)
	{
		state->run->task_attempt = 1;
		transition_append(transition,
						  scheduled_event(state, state->run->sticky_queue, transition->now, 1,
										  state->info->task_timeout));
		task = state->run->workflow_task;
	}
	note_suggestions(state, task, limits);
	task->started_time = transition->now;
	task->request_id = request_id;
	task->identity = identity;
	task->schedule_to_start_deadline = 0;
	if (task->transient)
		task->started_event_id = task->scheduled_event_id + 1;
	else
		transition_append(transition, started_event(task));
	transition->offer_task = false;
}

/* The events of the pending workflow task, made from the state, from an id on. */
static List *
task_events(const ExecutionState *state, int64 from)
{
	const Pbi__WorkflowTask *task = state->run->workflow_task;
	List	   *events = NIL;
	Pb__HistoryEvent *event;

	if (task->scheduled_event_id >= from)
	{
		event = scheduled_event(state, task->sticky_queue, task->scheduled_time, task->attempt,
								task->timeout);
		event->event_id = event->task_id = task->scheduled_event_id;
		events = lappend(events, event);
	}
	if (task->started_event_id >= from)
	{
		event = started_event(task);
		event->event_id = event->task_id = task->started_event_id;
		events = lappend(events, event);
	}
	return events;
}

/*
 * core_virtual_events -- the events of a transient task.
 *
 * They belong at the end of what a worker sees, with the ids reserved for
 * them.  NIL if the task's events are in history, or will be since others have
 * taken those ids.
 */
List *
core_virtual_events(const ExecutionState *state)
{
	const Pbi__WorkflowTask *task = state->run->workflow_task;

	if (task == NULL || !task->transient ||
		task->scheduled_event_id != state->run->next_event_id)
		return NIL;
	return task_events(state, task->scheduled_event_id);
}

/*
 * core_kept_event_id -- the first event that has no row in "history" yet, or
 * else the id of the next event.
 *
 * The last events of a history are kept back as long as they are those of the
 * pending workflow task: the state tells what they are, and one row with all
 * that follows is cheaper than a row for each.
 */
int64
core_kept_event_id(const ExecutionState *state)
{
	const Pbi__WorkflowTask *task = state->run->workflow_task;
	int64		id = state->run->next_event_id;

	if (task == NULL || task->transient)
		return id;
	if (task->started_event_id == id - 1)
		id--;
	if (task->scheduled_event_id == id - 1)
		id--;
	return id;
}

/* core_kept_events -- those from core_kept_event_id() on, in order. */
List *
core_kept_events(const ExecutionState *state)
{
	int64		from = core_kept_event_id(state);

	return from == state->run->next_event_id ? NIL : task_events(state, from);
}

/* A transient task that completes gets its place in history now. */
static void
write_transient(Transition *transition)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = state->run->workflow_task;
	Pb__HistoryEvent *started = started_event(task);

	transition_append(transition,
					  scheduled_event(state, "", task->scheduled_time, task->attempt, task->timeout));
	transition_append(transition, started);
}

static void
clear_problem(Transition *transition)
{
	Pbi__RunState *run = transition->state->run;

	run->failed_tasks = 0;
	run->task_problem = "";
	if (run->problem[0] == '\0')
		return;
	run->problem = "";
	transition_set_search_attribute(transition, PROBLEM_ATTRIBUTE, NULL);
}

/* core_complete_workflow_task -- the worker's answer is accepted; its event id. */
int64
core_complete_workflow_task(Transition *transition,
							const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	ExecutionState *state = transition->state;
	Pbi__RunState *run = state->run;
	Pb__WorkflowTaskCompletedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_TASK_COMPLETED), transition->now,
										&attributes);

	if (run->workflow_task->transient)
		write_transient(transition);
	attributes->scheduled_event_id = run->workflow_task->scheduled_event_id;
	attributes->started_event_id = run->workflow_task->started_event_id;
	attributes->identity = request->identity;
	attributes->binary_checksum = request->binary_checksum;
	attributes->worker_version = request->worker_version_stamp;
	attributes->sdk_metadata = request->sdk_metadata;
	attributes->metering_metadata = request->metering_metadata;
	attributes->versioning_behavior = request->versioning_behavior;
	if (request->deployment_options != NULL &&
		request->deployment_options->worker_versioning_mode == VERSIONED)
	{
		attributes->worker_deployment_name = request->deployment_options->deployment_name;
		attributes->deployment_version = proto_new(&pb__worker_deployment_version__descriptor);
		attributes->deployment_version->deployment_name =
			request->deployment_options->deployment_name;
		attributes->deployment_version->build_id = request->deployment_options->build_id;
	}
	transition_append(transition, event);
	run->close_attempted = false;
	clear_problem(transition);
	core_clear_sticky(state);
	if (request->sticky_attributes != NULL && request->sticky_attributes->worker_task_queue != NULL)
	{
		run->sticky_queue = request->sticky_attributes->worker_task_queue->name;
		run->sticky_timeout =
			proto_duration_us(request->sticky_attributes->schedule_to_start_timeout);
	}
	return event->event_id;
}

/* From the fifth failure in a row on, lists show what is wrong. */
static void
note_problem(Transition *transition, const char *category, const char *cause)
{
	Pbi__RunState *run = transition->state->run;
	const char *problem;

	if (++run->failed_tasks < PROBLEM_THRESHOLD)
		return;
	problem = psprintf("[\"category=%s\",\"cause=%s\"]", category, cause);
	if (strcmp(run->problem, problem) == 0)
		return;
	run->problem = problem;
	transition_set_search_attribute(transition, PROBLEM_ATTRIBUTE, core_keyword_list(problem));
}

/*
 * A sticky run tries again as a first attempt on its normal queue, and so does
 * one whose task nobody took.
 */
static void
next_attempt(ExecutionState *state, bool started)
{
	state->run->close_attempted = false;
	if (started && !state_is_sticky(state))
		state->run->task_attempt++;
	core_clear_sticky(state);
}

static const char *
describe_failure(const char *cause, const Pb__Failure *failure)
{
	const char *message = failure == NULL ? "" : failure->message;
	int			length = pg_mbcliplen(message, strlen(message), SHOWN_MESSAGE_BYTES);

	return psprintf("WorkflowTaskFailed %s%s%.*s", cause, length > 0 ? ": " : "", length, message);
}

/* core_fail_workflow_task -- whoever calls it decides what follows. */
void
core_fail_workflow_task(Transition *transition, const TaskFailure *failed)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = state->run->workflow_task;
	const char *cause = enum_short_name(&pb__workflow_task_failed_cause__descriptor,
										failed->cause);
	Pb__WorkflowTaskFailedEventAttributes *attributes;
	Pb__HistoryEvent *event;

	if (!task->transient)
	{
		event = event_new(EVENT(WORKFLOW_TASK_FAILED), transition->now, &attributes);
		attributes->scheduled_event_id = task->scheduled_event_id;
		attributes->started_event_id = task->started_event_id;
		attributes->cause = failed->cause;
		attributes->failure = core_clamp_failure(failed->failure);
		attributes->identity = failed->identity;
		if (failed->binary_checksum != NULL)
			attributes->binary_checksum = failed->binary_checksum;
		attributes->worker_version = failed->worker_version;
		transition_append(transition, event);
	}
	state->run->workflow_task = NULL;
	next_attempt(state, true);
	note_problem(transition, "WorkflowTaskFailed", psprintf("WorkflowTaskFailedCause%s", cause));
	state->run->task_problem = describe_failure(cause, failed->failure);
}

/* core_time_out_workflow_task -- nobody took it, or nobody answered. */
void
core_time_out_workflow_task(Transition *transition, Pb__TimeoutType type)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = state->run->workflow_task;
	Pb__WorkflowTaskTimedOutEventAttributes *attributes;
	Pb__HistoryEvent *event;

	if (!task->transient)
	{
		event = event_new(EVENT(WORKFLOW_TASK_TIMED_OUT), transition->now, &attributes);
		attributes->scheduled_event_id = task->scheduled_event_id;
		attributes->started_event_id = task->started_event_id;
		attributes->timeout_type = type;
		transition_append(transition, event);
	}
	if (task->started_event_id == 0)
		transition_remove_task(transition, QUEUE_TYPE(WORKFLOW), task->queue,
							   core_priority_key(state->info->priority), task->scheduled_time,
							   task->scheduled_event_id);
	state->run->workflow_task = NULL;
	next_attempt(state, task->started_event_id != 0);
	if (type != TIMEOUT_TYPE(START_TO_CLOSE))
		return;
	note_problem(transition, "WorkflowTaskTimedOut", "WorkflowTaskTimedOutCauseStartToClose");
	if (state->run->task_problem[0] == '\0')
		state->run->task_problem = "WorkflowTaskTimedOut StartToClose";
}

/*
 * core_bind_workflow_task -- the attempt ends when the session does.
 *
 * Only a first attempt: whatever ends one session after another must not be
 * tried again without pause, so later ones have their growing timeout alone.
 */
void
core_bind_workflow_task(Transition *transition, const SessionId *id)
{
	Pbi__WorkflowTask *task = transition->state->run->workflow_task;

	if (task->attempt <= 1)
		task->session = core_session(id, transition->now);
}

/*
 * core_fire_workflow_task_timer -- the pending task's deadline, if it is due.
 *
 * "session_gone" is as for core_fire_run_timer().  True if the task is over;
 * then another is scheduled.
 */
bool
core_fire_workflow_task_timer(Transition *transition, bool session_gone)
{
	Pbi__WorkflowTask *task = transition->state->run->workflow_task;
	TimestampTz now = transition->now;

	if (task == NULL)
		return false;
	if (task->started_event_id != 0 && task->started_time + task->timeout <= now)
		core_time_out_workflow_task(transition, TIMEOUT_TYPE(START_TO_CLOSE));
	else if (task->started_event_id == 0 && task->schedule_to_start_deadline != 0 &&
			 task->schedule_to_start_deadline <= now)
		core_time_out_workflow_task(transition, TIMEOUT_TYPE(SCHEDULE_TO_START));
	else if (session_gone && task->attempt == 1)
		core_fail_workflow_task(transition, &(TaskFailure) {
			.cause = CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE),
			.failure = core_server_failure(SESSION_GONE, false), .identity = task->identity
		});
	else
	{
		/* What ends session after session must not be tried without pause. */
		if (session_gone)
			task->session = NULL;
		core_session_seen(task->session, now);
		return false;
	}
	core_schedule_workflow_task(transition);
	return true;
}

/* core_heartbeat_expired -- local activities have kept the task too long. */
bool
core_heartbeat_expired(const ExecutionState *state, TimestampTz now,
					   const Pb__RespondWorkflowTaskCompletedRequest *request,
					   const CoreLimits *limits)
{
	return request->force_create_new_workflow_task && request->n_commands == 0 &&
		request->n_messages == 0 &&
		now - state->run->workflow_task->original_scheduled_time > limits->task_heartbeat;
}
