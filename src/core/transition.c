/*
 * transition.c
 *	  What one decision does: the events it appends and the rows it changes.
 */
#include "postgres.h"

#include "core/decide.h"
#include "core/transition.h"
#include "proto/time.h"

#define BUFFER_COUNT_LIMIT 100
#define BUFFER_SIZE_LIMIT (2 * 1024 * 1024)
/* How long SDKs let a sticky task wait, as a rule. */
#define STICKY_TIMEOUT (5 * USECS_PER_SEC)

Transition *
transition_new(ExecutionState *state, TimestampTz now)
{
	Transition *transition = palloc0(sizeof(Transition));

	transition->state = state;
	transition->now = now;
	transition->kept = core_kept_events(state);
	return transition;
}

/* Gives the event its id and its place, behind those that were kept back. */
static void
place_event(Transition *transition, Pb__HistoryEvent *event)
{
	Pbi__RunState *run = transition->state->run;

	if (transition->events == NIL)
		transition->events = transition->kept;
	event->event_id = run->next_event_id++;
	event->task_id = event->event_id;
	transition->events = lappend(transition->events, event);
	run->history_size += event_size(event);
}

/*
 * transition_append -- the event happens: into history, or into the buffer if
 * it is of a kind that waits there while a workflow task is started.
 *
 * All buffered kinds enter the buffer and are flushed when the transition is
 * closed, unless a workflow task is started then.
 */
Pb__HistoryEvent *
transition_append(Transition *transition, Pb__HistoryEvent *event)
{
	ExecutionState *state = transition->state;

	Assert(state_is_open(state));
	if (event_is_buffered(event->event_type))
	{
		state->buffer = lappend(state->buffer, event);
		core_apply(state, event);
		return event;
	}
	place_event(transition, event);
	core_apply(state, event);
	return event;
}

/* Points a finish event at the id its start event has just got. */
static void
fix_started_event_id(Pb__HistoryEvent *finish, const List *flushed)
{
	ListCell   *cell;
	int64	   *started_event_id;
	int64		scheduled_event_id;

	switch (finish->event_type)
	{
		case EVENT(ACTIVITY_TASK_COMPLETED):
			scheduled_event_id = finish->activity_task_completed_event_attributes->scheduled_event_id;
			started_event_id = &finish->activity_task_completed_event_attributes->started_event_id;
			break;
		case EVENT(ACTIVITY_TASK_FAILED):
			scheduled_event_id = finish->activity_task_failed_event_attributes->scheduled_event_id;
			started_event_id = &finish->activity_task_failed_event_attributes->started_event_id;
			break;
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
			scheduled_event_id = finish->activity_task_timed_out_event_attributes->scheduled_event_id;
			started_event_id = &finish->activity_task_timed_out_event_attributes->started_event_id;
			break;
		case EVENT(ACTIVITY_TASK_CANCELED):
			scheduled_event_id = finish->activity_task_canceled_event_attributes->scheduled_event_id;
			started_event_id = &finish->activity_task_canceled_event_attributes->started_event_id;
			break;
		default:
			return;
	}
	foreach(cell, flushed)
	{
		Pb__HistoryEvent *event = lfirst(cell);

		if (event->event_type == EVENT(ACTIVITY_TASK_STARTED) &&
			event->activity_task_started_event_attributes->scheduled_event_id == scheduled_event_id)
			*started_event_id = event->event_id;
	}
}

/* Remembers where an attached request id ended up. */
static void
fix_request_id(ExecutionState *state, const Pb__HistoryEvent *event)
{
	const char *request_id;

	if (event->event_type != EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED))
		return;
	request_id = event->workflow_execution_options_updated_event_attributes->attached_request_id;
	for (size_t i = 0; i < state->run->n_request_ids; i++)
		if (strcmp(state->run->request_ids[i]->request_id, request_id) == 0)
			state->run->request_ids[i]->event_id = event->event_id;
}

/*
 * transition_flush_buffer -- the buffered events get their ids.
 *
 * Finish events move behind all others, each group keeping its order.  A run
 * that is closed already loses its buffer instead.
 */
void
transition_flush_buffer(Transition *transition)
{
	ExecutionState *state = transition->state;
	List	   *buffer = state->buffer;
	ListCell   *cell;

	Assert(state->buffer_loaded || state->stored_buffer == 0);
	state->buffer = NIL;
	state->run->buffered_count = 0;
	state->run->buffered_size = 0;
	if (!state_is_open(state))
		return;
	for (int finish = 0; finish <= 1; finish++)
	{
		foreach(cell, buffer)
		{
			Pb__HistoryEvent *event = lfirst(cell);

			if (event_is_finish(event->event_type) != (finish == 1))
				continue;
			fix_started_event_id(event, buffer);
			place_event(transition, event);
			fix_request_id(state, event);
		}
	}
}

static void
add_timer_op(Transition *transition, OpKind op, TimerKind kind, TimestampTz fire_at, int64 event_id)
{
	TimerOp    *timer = palloc(sizeof(TimerOp));

	timer->op = op;
	timer->kind = kind;
	timer->fire_at = fire_at;
	timer->event_id = event_id;
	transition->timers = lappend(transition->timers, timer);
}

void
transition_add_timer(Transition *transition, TimerKind kind, TimestampTz fire_at, int64 event_id)
{
	add_timer_op(transition, OP_ADD, kind, fire_at, event_id);
}

/* One that this transition has added is not worth a row. */
void
transition_remove_timer(Transition *transition, TimerKind kind, TimestampTz fire_at, int64 event_id)
{
	ListCell   *cell;

	foreach(cell, transition->timers)
	{
		const TimerOp *timer = lfirst(cell);

		if (timer->op == OP_ADD && timer->kind == kind && timer->fire_at == fire_at &&
			timer->event_id == event_id)
		{
			transition->timers = foreach_delete_current(transition->timers, cell);
			return;
		}
	}
	add_timer_op(transition, OP_REMOVE, kind, fire_at, event_id);
}

static void
add_task_op(Transition *transition, const TaskOp *task)
{
	TaskOp	   *copy = palloc(sizeof(TaskOp));

	*copy = *task;
	transition->tasks = lappend(transition->tasks, copy);
}

void
transition_add_task(Transition *transition, int kind, const char *queue, int priority,
					TimestampTz created_at, int64 event_id, int32 stamp)
{
	add_task_op(transition, &(TaskOp) {OP_ADD, kind, queue, priority, created_at, event_id, stamp});
}

/* As transition_remove_timer(). */
void
transition_remove_task(Transition *transition, int kind, const char *queue, int priority,
					   TimestampTz created_at, int64 event_id)
{
	ListCell   *cell;

	foreach(cell, transition->tasks)
	{
		const TaskOp *task = lfirst(cell);

		if (task->op == OP_ADD && task->kind == kind && task->created_at == created_at &&
			task->event_id == event_id && strcmp(task->queue, queue) == 0)
		{
			transition->tasks = foreach_delete_current(transition->tasks, cell);
			return;
		}
	}
	add_task_op(transition, &(TaskOp) {OP_REMOVE, kind, queue, priority, created_at, event_id, 0});
}

void
transition_set_search_attribute(Transition *transition, const char *name, Pb__Payload *payload)
{
	FieldChange *change = palloc(sizeof(FieldChange));

	change->name = name;
	change->payload = core_attribute_removed(payload) ? NULL : payload;
	transition->search_attributes = lappend(transition->search_attributes, change);
}

bool
transition_changes(const Transition *transition)
{
	return transition->events != NIL || transition->tasks != NIL ||
		transition->timers != NIL || transition->state->buffer != NIL;
}

static bool
buffer_over_limit(const ExecutionState *state)
{
	int64		size = 0;
	ListCell   *cell;

	if (list_length(state->buffer) > BUFFER_COUNT_LIMIT)
		return true;
	foreach(cell, state->buffer)
		size += event_size(lfirst(cell));
	return size > BUFFER_SIZE_LIMIT;
}

static void
earliest(TimestampTz *deadline, TimestampTz candidate)
{
	if (candidate != 0 && (*deadline == 0 || candidate < *deadline))
		*deadline = candidate;
}

/* The next time at which the run has to be looked at; 0 for never. */
static TimestampTz
run_deadline(const ExecutionState *state)
{
	const Pbi__WorkflowTask *task = state->run->workflow_task;
	TimestampTz deadline = 0;
	ListCell   *cell;

	if (task != NULL && task->started_event_id != 0)
	{
		earliest(&deadline, task->started_time + task->timeout);
		earliest(&deadline, core_session_due(task->session));
	}
	else if (task != NULL)
		earliest(&deadline, task->schedule_to_start_deadline);
	if (!state->run->first_task_scheduled)
		earliest(&deadline, state->info->execution_time);
	earliest(&deadline, state->info->run_expiration);
	foreach(cell, state->timers)
	{
		PendingTimer *timer = lfirst(cell);

		if (timer->change != ROW_DELETED && timer->change != ROW_ABSENT)
			earliest(&deadline, timer->fire_at);
	}
	return deadline;
}

/*
 * Arms the run's timer row.  A row is only ever lowered: one that fires early
 * finds nothing due and arms the next.  When a workflow task begins it is as
 * early as the next, sticky one will want it, so that it serves for both.
 */
static void
arm_run_timer(Transition *transition, TimestampTz next_user_timer)
{
	ExecutionState *state = transition->state;
	const Pbi__WorkflowTask *task = state->run->workflow_task;
	TimestampTz deadline = run_deadline(state);
	TimestampTz armed = state->run->timer_armed;

	earliest(&deadline, next_user_timer);
	if (state_task_started(state) && task->started_time + STICKY_TIMEOUT > transition->now)
		earliest(&deadline, task->started_time + STICKY_TIMEOUT);
	if (deadline == 0 || (armed != 0 && armed <= deadline))
		return;
	if (armed != 0)
		transition_remove_timer(transition, TIMER_RUN, armed, 0);
	transition_add_timer(transition, TIMER_RUN, deadline, 0);
	state->run->timer_armed = deadline;
}

static void
offer_workflow_task(Transition *transition)
{
	ExecutionState *state = transition->state;
	Pbi__WorkflowTask *task = state->run->workflow_task;

	if (!transition->offer_task || task == NULL || task->started_event_id != 0)
		return;
	if (transition->sticky_gone)
		task->queue = state->info->task_queue;
	transition_add_task(transition, QUEUE_TYPE(WORKFLOW), task->queue,
						core_priority_key(state->info->priority), task->scheduled_time,
						task->scheduled_event_id, state->run->task_stamp);
}

/* What a run offers as it closes is not worth a row. */
static void
forget_offers(Transition *transition)
{
	ListCell   *cell;

	foreach(cell, transition->tasks)
		if (((TaskOp *) lfirst(cell))->op == OP_ADD)
			transition->tasks = foreach_delete_current(transition->tasks, cell);
	foreach(cell, transition->timers)
		if (((TimerOp *) lfirst(cell))->op == OP_ADD)
			transition->timers = foreach_delete_current(transition->timers, cell);
}

/* What a closed run leaves behind is withdrawn; the rest goes with its rows. */
static void
close_run(Transition *transition)
{
	ExecutionState *state = transition->state;

	transition->closed = true;
	forget_offers(transition);
	state->buffer = NIL;
	state->run->buffered_count = 0;
	if (state->run->timer_armed != 0)
		transition_remove_timer(transition, TIMER_RUN, state->run->timer_armed, 0);
	state->run->timer_armed = 0;
}

void
transition_close(Transition *transition, TimestampTz next_user_timer)
{
	ExecutionState *state = transition->state;

	if (!state_is_open(state))
	{
		close_run(transition);
		state->run->transition_count++;
		return;
	}
	if (state_task_started(state) && buffer_over_limit(state))
	{
		core_fail_workflow_task(transition, &(TaskFailure) {
			.cause = CAUSE(FORCE_CLOSE_COMMAND), .identity = HISTORY_SERVICE
		});
		core_schedule_workflow_task(transition);
	}
	if (!state_task_started(state))
		transition_flush_buffer(transition);
	offer_workflow_task(transition);
	arm_run_timer(transition, next_user_timer);
	state->run->transition_count++;
}

const char *
transition_over_limit(const Transition *transition, const CoreLimits *limits)
{
	const Pbi__RunState *run = transition->state->run;

	if (run->history_size > limits->history_size)
		return "Workflow history size exceeds limit.";
	if (run->next_event_id - 1 > limits->history_count)
		return "Workflow history count exceeds limit.";
	return NULL;
}
