/*
 * decide_timer.c
 *	  User timers: started, cancelled, fired.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"


bool
core_start_timer(Transition *transition, const Pb__Command *command, CommandContext *context,
				 CommandError *error)
{
	const Pb__StartTimerCommandAttributes *from = command->start_timer_command_attributes;
	Pb__TimerStartedEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(TIMER_STARTED), &attributes);

	if (from->timer_id[0] == '\0')
		return command_refuse(error, CAUSE(BAD_START_TIMER_ATTRIBUTES),
							  "TimerId is not set on StartTimerCommand.");
	if (strlen(from->timer_id) > ID_LIMIT)
		return command_refuse(error, CAUSE(BAD_START_TIMER_ATTRIBUTES),
							  "TimerId on StartTimerCommand exceeds length limit.");
	if (!proto_duration_valid(from->start_to_fire_timeout))
		return command_refuse(error, CAUSE(BAD_START_TIMER_ATTRIBUTES),
							  "An invalid StartToFireTimeout is set on StartTimerCommand.");
	if (state_find_timer(transition->state, from->timer_id) != NULL)
		return command_refuse(error, CAUSE(START_TIMER_DUPLICATE_ID),
							  psprintf("TimerID %s is already in use.", from->timer_id));
	attributes->timer_id = from->timer_id;
	attributes->start_to_fire_timeout =
		proto_duration(proto_duration_us(from->start_to_fire_timeout));
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	return true;
}

/* Takes back a firing that no worker has seen; its started event, or 0. */
static int64
unfire(ExecutionState *state, const char *timer_id)
{
	ListCell   *cell;

	foreach(cell, state->buffer)
	{
		Pb__HistoryEvent *event = lfirst(cell);

		if (event->event_type == EVENT(TIMER_FIRED) &&
			strcmp(event->timer_fired_event_attributes->timer_id, timer_id) == 0)
		{
			int64		started = event->timer_fired_event_attributes->started_event_id;

			state->buffer = foreach_delete_current(state->buffer, cell);
			return started;
		}
	}
	return 0;
}

bool
core_cancel_timer(Transition *transition, const Pb__Command *command, CommandContext *context,
				  CommandError *error)
{
	const char *timer_id = command->cancel_timer_command_attributes->timer_id;
	ExecutionState *state = transition->state;
	PendingTimer *timer = state_find_timer(state, timer_id);
	Pb__TimerCanceledEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(TIMER_CANCELED),
											&attributes);

	if (timer_id[0] == '\0')
		return command_refuse(error, CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES),
							  "TimerId is not set on CancelTimerCommand.");
	attributes->timer_id = timer_id;
	if (timer != NULL)
		attributes->started_event_id = timer->started_event_id;
	else if ((attributes->started_event_id = unfire(state, timer_id)) != 0)
		context->unseen--;
	else
		return command_refuse(error, CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES),
							  psprintf("TimerID %s is not pending.", timer_id));
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	attributes->identity = context->identity;
	transition_append(transition, event);
	return true;
}

/* core_fire_timer -- the caller asks for the workflow task after the last. */
void
core_fire_timer(Transition *transition, PendingTimer *timer)
{
	Pb__TimerFiredEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(TIMER_FIRED), transition->now, &attributes);

	attributes->timer_id = timer->timer_id;
	attributes->started_event_id = timer->started_event_id;
	transition_append(transition, event);
}
