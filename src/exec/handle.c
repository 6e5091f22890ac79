/*
 * handle.c
 *	  Activities and timers that a workflow function has started.
 *
 * To the function a handle is a number that counts from 1, the same in every
 * pass.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "exec/pass.h"
#include "miscadmin.h"
#include "proto/payload.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* handle_add -- "event" started it, or is NULL if its command is new. */
int
handle_add(Pass *pass, HandleKind kind, const char *id, const char *name,
		   const Pb__HistoryEvent *event)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Handle	   *handle = palloc0(sizeof(Handle));

	handle->kind = kind;
	handle->id = pstrdup(id);
	handle->name = pstrdup(name);
	handle->task = pass->task;
	handle->event_id = event != NULL ? event->event_id : 0;
	pass->handles = lappend(pass->handles, handle);
	MemoryContextSwitchTo(caller);
	return list_length(pass->handles);
}

Handle *
handle_get(Pass *pass, int64 number)
{
	if (number < 1 || number > list_length(pass->handles))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("there is no handle " INT64_FORMAT, number),
				 errhint("Handles come from temporal.start_activity() and temporal.start_timer().")));
	return list_nth(pass->handles, (int) number - 1);
}

int
handle_number(const Pass *pass, const Handle *handle)
{
	ListCell   *cell;

	foreach(cell, pass->handles)
		if (lfirst(cell) == handle)
			return foreach_current_index(cell) + 1;
	return 0;
}

/*
 * handle_bind -- the command of a handle has left this event.
 *
 * The commands of a task are those of the latest handles, so the search ends
 * where they do.
 */
void
handle_bind(Pass *pass, const Pb__HistoryEvent *event)
{
	bool		activity = event->event_type == EVENT(ACTIVITY_TASK_SCHEDULED);
	const char *id;

	if (activity)
		id = event->activity_task_scheduled_event_attributes->activity_id;
	else if (event->event_type == EVENT(TIMER_STARTED))
		id = event->timer_started_event_attributes->timer_id;
	else
		return;
	for (int i = list_length(pass->handles) - 1; i >= 0; i--)
	{
		Handle	   *handle = list_nth(pass->handles, i);

		if (handle->task != pass->task)
			return;
		if (handle->kind == (activity ? HANDLE_ACTIVITY : HANDLE_TIMER) &&
			strcmp(handle->id, id) == 0)
			handle->event_id = event->event_id;
	}
}

/* handle_resolve -- what event "event_id" has started is over; often the latest. */
void
handle_resolve(Pass *pass, HandleKind kind, int64 event_id, const Pb__HistoryEvent *outcome)
{
	for (int i = list_length(pass->handles) - 1; i >= 0; i--)
	{
		Handle	   *handle = list_nth(pass->handles, i);

		if (handle->kind == kind && handle->event_id == event_id)
		{
			handle->outcome = outcome;
			return;
		}
	}
}

/* handle_is_over -- a signal belongs to the first handle that looks for it. */
bool
handle_is_over(Pass *pass, Handle *handle)
{
	ListCell   *cell;

	if (handle->kind != HANDLE_SIGNAL || handle->outcome != NULL)
		return handle->outcome != NULL;
	foreach(cell, pass->signals)
	{
		Signal	   *signal = lfirst(cell);

		if (signal->taken || strcmp(signal->name, handle->name) != 0)
			continue;
		signal->taken = true;
		handle->outcome = signal->event;
		return true;
	}
	return false;
}

/* ---- for people ---- */

char *
handle_until(const Handle *handle)
{
	int			zone = 0;
	char		when[MAXDATELEN + 1];

	JsonEncodeDateTime(when, TimestampTzGetDatum(handle->due - handle->due % USECS_PER_SEC),
					   TIMESTAMPTZOID, &zone);
	return psprintf("until %s", when);
}

char *
handle_describe(const Handle *handle)
{
	switch (handle->kind)
	{
		case HANDLE_TIMER:
			return psprintf("timer %s %s", handle->id, handle_until(handle));
		case HANDLE_SIGNAL:
			return psprintf("signal %s", handle->name);
		default:
			return psprintf("activity %s", handle->name);
	}
}

/* ---- cancelling ---- */

static void
cancel_timer(Pass *pass, Handle *handle)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_CANCEL_TIMER);

	command->attributes_case = PB__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES;
	command->cancel_timer_command_attributes =
		proto_new(&pb__cancel_timer_command_attributes__descriptor);
	command->cancel_timer_command_attributes->timer_id = handle->id;
	pass_command(pass, command);
}

static void
cancel_activity(Pass *pass, Handle *handle)
{
	Pb__Command *command =
		pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK);

	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command->request_cancel_activity_task_command_attributes =
		proto_new(&pb__request_cancel_activity_task_command_attributes__descriptor);
	command->request_cancel_activity_task_command_attributes->scheduled_event_id =
		handle->event_id;
	pass_command(pass, command);
}

/*
 * handle_cancel -- no effect on what is over.
 *
 * When this very task has asked for an activity its event is not known yet: it
 * is cancelled at the beginning of the next task, which comes at once.
 */
void
handle_cancel(Pass *pass, Handle *handle)
{
	MemoryContext caller;

	if (handle->kind == HANDLE_SIGNAL)
		return;
	handle->cancel_later = handle->kind == HANDLE_ACTIVITY && handle->task == pass->task;
	if (handle->outcome != NULL || handle->cancelled || handle->cancel_later)
		return;
	handle->cancelled = true;
	caller = MemoryContextSwitchTo(pass->memory);
	if (handle->kind == HANDLE_TIMER)
		cancel_timer(pass, handle);
	else
		cancel_activity(pass, handle);
	MemoryContextSwitchTo(caller);
}

/* handle_cancels_late -- is there something to cancel in the next task? */
bool
handle_cancels_late(const Pass *pass)
{
	ListCell   *cell;

	foreach(cell, pass->handles)
		if (((const Handle *) lfirst(cell))->cancel_later)
			return true;
	return false;
}

/* handle_cancel_late -- a new task has begun. */
void
handle_cancel_late(Pass *pass)
{
	ListCell   *cell;

	foreach(cell, pass->handles)
	{
		Handle	   *handle = lfirst(cell);

		if (handle->cancel_later)
			handle_cancel(pass, handle);
	}
}

/* ---- results ---- */

/* As an SDK wraps it: who failed, and behind it why. */
static Pb__Failure *
activity_failure(const Handle *handle, const char *message, const Pb__Failure *cause,
				 Pb__RetryState retry_state)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = message;
	failure->source = "PostgreSQL";
	failure->cause = unconstify(Pb__Failure *, cause);
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO;
	failure->activity_failure_info = proto_new(&pb__activity_failure_info__descriptor);
	failure->activity_failure_info->scheduled_event_id = handle->event_id;
	failure->activity_failure_info->activity_id = handle->id;
	failure->activity_failure_info->activity_type = proto_new(&pb__activity_type__descriptor);
	failure->activity_failure_info->activity_type->name = handle->name;
	failure->activity_failure_info->retry_state = retry_state;
	return failure;
}

static pg_noreturn void
raise_activity(const Handle *handle, int sqlstate, const char *verb, const Pb__Failure *cause,
			   Pb__RetryState retry_state)
{
	char	   *what = psprintf("activity \"%s\" %s", handle->name, verb);

	failure_raise(sqlstate, what, activity_failure(handle, what, cause, retry_state));
}

static Pb__Failure *
canceled_failure(const Pb__Payloads *details)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	failure->canceled_failure_info = proto_new(&pb__canceled_failure_info__descriptor);
	failure->canceled_failure_info->details = unconstify(Pb__Payloads *, details);
	return failure;
}

Jsonb *
handle_result(const Handle *handle)
{
	const Pb__HistoryEvent *event = handle->outcome;

	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_COMPLETED):
			return payloads_to_jsonb(event->activity_task_completed_event_attributes->result);
		case EVENT(ACTIVITY_TASK_FAILED):
			raise_activity(handle, ERRCODE_TEMPORAL_ACTIVITY_FAILED, "failed",
						   event->activity_task_failed_event_attributes->failure,
						   event->activity_task_failed_event_attributes->retry_state);
			break;
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
			raise_activity(handle, ERRCODE_TEMPORAL_ACTIVITY_TIMED_OUT, "timed out",
						   event->activity_task_timed_out_event_attributes->failure,
						   event->activity_task_timed_out_event_attributes->retry_state);
			break;
		case EVENT(ACTIVITY_TASK_CANCELED):
			raise_activity(handle, ERRCODE_TEMPORAL_ACTIVITY_CANCELED, "was canceled",
						   canceled_failure(event->activity_task_canceled_event_attributes->details),
						   RETRY_STATE(CANCEL_REQUESTED));
			break;
		case EVENT(WORKFLOW_EXECUTION_SIGNALED):
			return wait_signal_input(event->workflow_execution_signaled_event_attributes->input);
		default:
			return NULL;
	}
	return NULL;				/* keep compiler quiet */
}
