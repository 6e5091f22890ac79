/*
 * apply.c
 *	  From an event to the state after it.
 *
 * core_apply() is called once for each event: when the event gets its id, or
 * for a buffered event when it enters the buffer, so that an activity whose
 * completion waits in the buffer is no longer pending.  Applying a whole
 * history in order therefore gives the stored state, except for what no event
 * records.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"
#include "utils/timestamp.h"

ExecutionState *
state_new(const RunKey *key, const char *workflow_id)
{
	ExecutionState *state = palloc0(sizeof(ExecutionState));

	state->key = *key;
	state->workflow_id = workflow_id;
	state->info = proto_new(&pbi__run_info__descriptor);
	state->run = proto_new(&pbi__run_state__descriptor);
	state->run->next_event_id = 1;
	state->run->task_attempt = 1;
	state->run->status = STATUS(RUNNING);
	state->buffer_loaded = true;
	state->is_new = true;
	return state;
}

bool
state_is_open(const ExecutionState *state)
{
	return state->run->status == STATUS(RUNNING) || state->run->status == STATUS(PAUSED);
}

bool
state_task_pending(const ExecutionState *state)
{
	return state->run->workflow_task != NULL;
}

bool
state_task_started(const ExecutionState *state)
{
	return state->run->workflow_task != NULL && state->run->workflow_task->started_event_id != 0;
}

bool
state_is_sticky(const ExecutionState *state)
{
	return state->run->sticky_queue[0] != '\0';
}

static bool
row_present(RowChange change)
{
	return change != ROW_DELETED && change != ROW_ABSENT;
}

/* state_add_activity -- one that was loaded apart from the rest. */
void
state_add_activity(ExecutionState *state, PendingActivity *activity)
{
	state->activities = lappend(state->activities, activity);
}

PendingActivity *
state_find_activity(const ExecutionState *state, int64 scheduled_event_id)
{
	ListCell   *cell;

	foreach(cell, state->activities)
	{
		PendingActivity *activity = lfirst(cell);

		if (activity->scheduled_event_id == scheduled_event_id && row_present(activity->change))
			return activity;
	}
	return NULL;
}

PendingActivity *
state_find_activity_id(const ExecutionState *state, const char *activity_id)
{
	ListCell   *cell;

	foreach(cell, state->activities)
	{
		PendingActivity *activity = lfirst(cell);

		if (strcmp(activity->activity_id, activity_id) == 0 && row_present(activity->change))
			return activity;
	}
	return NULL;
}

PendingTimer *
state_find_timer(const ExecutionState *state, const char *timer_id)
{
	ListCell   *cell;

	foreach(cell, state->timers)
	{
		PendingTimer *timer = lfirst(cell);

		if (strcmp(timer->timer_id, timer_id) == 0 && row_present(timer->change))
			return timer;
	}
	return NULL;
}

PendingExternal *
state_find_external(const ExecutionState *state, int64 initiated_event_id)
{
	ListCell   *cell;

	foreach(cell, state->externals)
	{
		PendingExternal *external = lfirst(cell);

		if (external->initiated_event_id == initiated_event_id && row_present(external->change))
			return external;
	}
	return NULL;
}

/* row_touch -- the row has to be written. */
void
row_touch(RowChange *change)
{
	if (*change == ROW_UNCHANGED)
		*change = ROW_UPDATED;
}

/* row_delete -- the row has to go; nothing to do if it never was there. */
void
row_delete(RowChange *change)
{
	*change = (*change == ROW_INSERTED || *change == ROW_ABSENT) ? ROW_ABSENT : ROW_DELETED;
}

static void
apply_task_scheduled(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__WorkflowTaskScheduledEventAttributes *attributes = event_attributes(event);
	Pbi__WorkflowTask *task = proto_new(&pbi__workflow_task__descriptor);

	task->scheduled_event_id = event->event_id;
	task->attempt = attributes->attempt;
	task->timeout = proto_duration_us(attributes->start_to_close_timeout);
	task->scheduled_time = proto_timestamp_us(event->event_time);
	task->original_scheduled_time = task->scheduled_time;
	task->queue = attributes->task_queue->name;
	if (attributes->task_queue->kind == QUEUE_KIND(STICKY))
		task->sticky_queue = attributes->task_queue->name;
	state->run->workflow_task = task;
	state->run->first_task_scheduled = true;
}

static void
apply_task_started(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__WorkflowTaskStartedEventAttributes *attributes = event_attributes(event);
	Pbi__WorkflowTask *task = state->run->workflow_task;

	task->started_event_id = event->event_id;
	task->started_time = proto_timestamp_us(event->event_time);
	task->request_id = attributes->request_id;
	task->identity = attributes->identity;
	task->suggest_continue_as_new = attributes->suggest_continue_as_new;
	task->n_suggest_reasons = attributes->n_suggest_continue_as_new_reasons;
	task->suggest_reasons = attributes->suggest_continue_as_new_reasons;
	task->history_size = attributes->history_size_bytes;
}

static void
apply_activity_scheduled(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__ActivityTaskScheduledEventAttributes *attributes = event_attributes(event);
	PendingActivity *activity = palloc0(sizeof(PendingActivity));
	Pbi__ActivityState *detail = proto_new(&pbi__activity_state__descriptor);

	activity->scheduled_event_id = event->event_id;
	activity->activity_id = attributes->activity_id;
	activity->scheduled = unconstify(Pb__HistoryEvent *, event);
	activity->state = detail;
	activity->change = ROW_INSERTED;
	detail->attempt = 1;
	detail->first_scheduled_time = detail->scheduled_time = proto_timestamp_us(event->event_time);
	core_scheduled_options(event, detail);
	state->activities = lappend(state->activities, activity);
	state->run->activity_count++;
}

static void
apply_activity_closed(ExecutionState *state, int64 scheduled_event_id)
{
	PendingActivity *activity = state_find_activity(state, scheduled_event_id);

	if (activity == NULL)
		return;
	row_delete(&activity->change);
	state->run->activity_count--;
}

static void
apply_activity_cancel_requested(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__ActivityTaskCancelRequestedEventAttributes *attributes = event_attributes(event);
	PendingActivity *activity = state_find_activity(state, attributes->scheduled_event_id);

	if (activity == NULL)
		return;
	activity->state->cancel_requested_event_id = event->event_id;
	row_touch(&activity->change);
}

static void
apply_timer_started(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__TimerStartedEventAttributes *attributes = event_attributes(event);
	PendingTimer *timer = palloc0(sizeof(PendingTimer));

	timer->timer_id = attributes->timer_id;
	timer->started_event_id = event->event_id;
	timer->fire_at = proto_timestamp_us(event->event_time) +
		proto_duration_us(attributes->start_to_fire_timeout);
	timer->change = ROW_INSERTED;
	state->timers = lappend(state->timers, timer);
	state->run->timer_count++;
}

static void
apply_timer_gone(ExecutionState *state, const char *timer_id)
{
	PendingTimer *timer = state_find_timer(state, timer_id);

	if (timer == NULL)
		return;
	row_delete(&timer->change);
	state->run->timer_count--;
}

static void
apply_external_initiated(ExecutionState *state, const Pb__HistoryEvent *event, ExternalKind kind)
{
	PendingExternal *external = palloc0(sizeof(PendingExternal));

	external->initiated_event_id = event->event_id;
	external->kind = kind;
	external->change = ROW_INSERTED;
	state->externals = lappend(state->externals, external);
	if (kind == EXTERNAL_SIGNAL)
		state->run->external_signal_count++;
	else
		state->run->external_cancel_count++;
}

static void
apply_external_resolved(ExecutionState *state, int64 initiated_event_id)
{
	PendingExternal *external = state_find_external(state, initiated_event_id);

	if (external == NULL)
		return;
	row_delete(&external->change);
	if (external->kind == EXTERNAL_SIGNAL)
		state->run->external_signal_count--;
	else
		state->run->external_cancel_count--;
}

static void
apply_closed(ExecutionState *state, const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(WORKFLOW_EXECUTION_COMPLETED):
			state->run->status = STATUS(COMPLETED);
			break;
		case EVENT(WORKFLOW_EXECUTION_FAILED):
			state->run->status = STATUS(FAILED);
			break;
		case EVENT(WORKFLOW_EXECUTION_CANCELED):
			state->run->status = STATUS(CANCELED);
			break;
		case EVENT(WORKFLOW_EXECUTION_TERMINATED):
			state->run->status = STATUS(TERMINATED);
			break;
		case EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
			state->run->status = STATUS(TIMED_OUT);
			break;
		default:
			state->run->status = STATUS(CONTINUED_AS_NEW);
			break;
	}
	state->run->close_time = proto_timestamp_us(event->event_time);
	state->run->workflow_task = NULL;
}

static void
apply_task_completed(ExecutionState *state, const Pb__HistoryEvent *event)
{
	Pb__WorkflowTaskCompletedEventAttributes *attributes = event_attributes(event);

	state->run->last_completed_started_event_id = attributes->started_event_id;
	state->run->workflow_task = NULL;
	state->run->task_attempt = 1;
}

/* The part of core_apply() that deals with external requests and their ends. */
static void
apply_external(ExecutionState *state, const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
			apply_external_initiated(state, event, EXTERNAL_SIGNAL);
			break;
		case EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
			apply_external_initiated(state, event, EXTERNAL_CANCEL);
			break;
		case EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
			apply_external_resolved(state,
									event->signal_external_workflow_execution_failed_event_attributes->initiated_event_id);
			break;
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED):
			apply_external_resolved(state,
									event->external_workflow_execution_signaled_event_attributes->initiated_event_id);
			break;
		case EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
			apply_external_resolved(state,
									event->request_cancel_external_workflow_execution_failed_event_attributes->initiated_event_id);
			break;
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED):
			apply_external_resolved(state,
									event->external_workflow_execution_cancel_requested_event_attributes->initiated_event_id);
			break;
		default:
			break;
	}
}

/* core_apply -- changes "state" as "event" says; see the top of this file. */
void
core_apply(ExecutionState *state, const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(WORKFLOW_TASK_SCHEDULED):
			apply_task_scheduled(state, event);
			break;
		case EVENT(WORKFLOW_TASK_STARTED):
			apply_task_started(state, event);
			break;
		case EVENT(WORKFLOW_TASK_COMPLETED):
			apply_task_completed(state, event);
			break;
		case EVENT(WORKFLOW_TASK_FAILED):
		case EVENT(WORKFLOW_TASK_TIMED_OUT):
			state->run->workflow_task = NULL;
			break;
		case EVENT(ACTIVITY_TASK_SCHEDULED):
			apply_activity_scheduled(state, event);
			break;
		case EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
			apply_activity_cancel_requested(state, event);
			break;
		case EVENT(ACTIVITY_TASK_COMPLETED):
			apply_activity_closed(state,
								  event->activity_task_completed_event_attributes->scheduled_event_id);
			break;
		case EVENT(ACTIVITY_TASK_FAILED):
			apply_activity_closed(state,
								  event->activity_task_failed_event_attributes->scheduled_event_id);
			break;
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
			apply_activity_closed(state,
								  event->activity_task_timed_out_event_attributes->scheduled_event_id);
			break;
		case EVENT(ACTIVITY_TASK_CANCELED):
			apply_activity_closed(state,
								  event->activity_task_canceled_event_attributes->scheduled_event_id);
			break;
		case EVENT(TIMER_STARTED):
			apply_timer_started(state, event);
			break;
		case EVENT(TIMER_FIRED):
			apply_timer_gone(state, event->timer_fired_event_attributes->timer_id);
			break;
		case EVENT(TIMER_CANCELED):
			apply_timer_gone(state, event->timer_canceled_event_attributes->timer_id);
			break;
		case EVENT(WORKFLOW_EXECUTION_SIGNALED):
			state->run->signal_count++;
			break;
		case EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
			state->run->cancel_requested = true;
			break;
		default:
			if (event_closes(event->event_type))
				apply_closed(state, event);
			else
				apply_external(state, event);
			break;
	}
}
