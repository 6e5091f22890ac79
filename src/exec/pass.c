/*
 * pass.c
 *	  One call of a workflow function against the history of its run.
 *
 * Time in a workflow goes by in workflow tasks: what happened before a task
 * was started is known in it, what happens later is not.  So a pass begins
 * with the first task, and when the function must wait for something that this
 * task does not know of, the pass goes on to the next.  The commands that the
 * function gives in between must be those in the history behind the completion
 * of that task, in the same order.  The last task is the one in hand: its
 * commands are new, and waiting in it stops the pass.
 *
 * Attempts that failed or timed out have seen nothing and are passed over.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "exec/function.h"
#include "exec/local_run.h"
#include "exec/marker.h"
#include "proto/wire.h"
#include "utils/memutils.h"

Pass	   *pass_current = NULL;

/* ---- the history as tasks ---- */

/* Is it what a command leaves? */
static bool
is_command_event(const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_SCHEDULED):
		case EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
		case EVENT(TIMER_STARTED):
		case EVENT(TIMER_CANCELED):
		case EVENT(MARKER_RECORDED):
		case EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
		case EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
		case EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED):
		case EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
		case EVENT(WORKFLOW_PROPERTIES_MODIFIED):
		case EVENT(WORKFLOW_EXECUTION_COMPLETED):
		case EVENT(WORKFLOW_EXECUTION_FAILED):
		case EVENT(WORKFLOW_EXECUTION_CANCELED):
		case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
			return true;
		default:
			return false;
	}
}

static void
add_task(Pass *pass, int started, int first_command)
{
	PassTask   *task = &pass->tasks[pass->n_tasks++];

	task->visible = started + 1;
	task->first_command = first_command;
	task->time = proto_timestamp_us(pass->events[started]->event_time);
}

/* Finds the tasks that were completed, and the one in hand. */
static void
find_tasks(Pass *pass)
{
	int			started = -1;

	for (int i = 0; i < pass->n_events; i++)
	{
		if (pass->events[i]->event_type == EVENT(WORKFLOW_TASK_STARTED))
			started = i;
		else if (pass->events[i]->event_type == EVENT(WORKFLOW_TASK_COMPLETED) && started >= 0)
		{
			add_task(pass, started, i + 1);
			started = -1;
		}
	}
	if (pass->in_hand && started >= 0)
		add_task(pass, started, pass->n_events);
}

/* Lets an event happen. */
static void
apply_event(Pass *pass, const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_COMPLETED):
			handle_resolve(pass, HANDLE_ACTIVITY,
						   event->activity_task_completed_event_attributes->scheduled_event_id, event);
			break;
		case EVENT(ACTIVITY_TASK_FAILED):
			handle_resolve(pass, HANDLE_ACTIVITY,
						   event->activity_task_failed_event_attributes->scheduled_event_id, event);
			break;
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
			handle_resolve(pass, HANDLE_ACTIVITY,
						   event->activity_task_timed_out_event_attributes->scheduled_event_id, event);
			break;
		case EVENT(ACTIVITY_TASK_CANCELED):
			handle_resolve(pass, HANDLE_ACTIVITY,
						   event->activity_task_canceled_event_attributes->scheduled_event_id, event);
			break;
		case EVENT(TIMER_FIRED):
			handle_resolve(pass, HANDLE_TIMER,
						   event->timer_fired_event_attributes->started_event_id, event);
			break;
		case EVENT(WORKFLOW_EXECUTION_SIGNALED):
			{
				Signal	   *signal = palloc0(sizeof(Signal));

				signal->name = event->workflow_execution_signaled_event_attributes->signal_name;
				signal->event = event;
				signal->input = event->workflow_execution_signaled_event_attributes->input;
				pass->signals = lappend(pass->signals, signal);
				break;
			}
		case EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
			pass->cancel_requested = true;
			break;
		default:
			break;
	}
}

/* Begins a task: what it has seen has happened. */
static void
enter_task(Pass *pass, int task)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);

	pass->task = task;
	pass->command = pass->tasks[task].first_command;
	for (; pass->applied < pass->tasks[task].visible; pass->applied++)
		apply_event(pass, pass->events[pass->applied]);
	MemoryContextSwitchTo(caller);
}

/*
 * pass_new -- at the beginning of the history.
 *
 * "only_replay": there is no workflow task in hand, nothing new may be done.
 */
Pass *
pass_new(MemoryContext memory, Pb__HistoryEvent **events, size_t n_events, bool only_replay)
{
	MemoryContext caller = MemoryContextSwitchTo(memory);
	Pass	   *pass = palloc0(sizeof(Pass));

	pass->memory = memory;
	pass->events = events;
	pass->n_events = n_events;
	pass->in_hand = !only_replay;
	pass->search_path = pstrdup(namespace_search_path);
	pass->tasks = palloc((n_events + 1) * sizeof(PassTask));
	find_tasks(pass);
	pass->polled_events = pass->n_events;
	pass->polled_tasks = pass->n_tasks;
	if (pass->n_tasks > 0)
		enter_task(pass, 0);
	MemoryContextSwitchTo(caller);
	return pass;
}

void
pass_rewind(Pass *pass)
{
	pass->applied = 0;
	pass->handles = pass->signals = pass->commands = NIL;
	pass->patches = pass->unpatched = pass->compensations = NIL;
	pass->activities = pass->timers = pass->locals = pass->step = pass->side_effects = 0;
	pass->random = 0;
	pass->step_policy = NULL;
	pass->cancel_requested = pass->cancel_raised = pass->again = pass->active = false;
	pass->stop = STOP_NONE;
	pass->reason = NULL;
	pass->wanted = NULL;
	enter_task(pass, 0);
}

void
pass_undo(Pass *pass)
{
	pass->n_events = pass->polled_events;
	pass->n_tasks = pass->polled_tasks;
	pass->in_hand = true;
	pass->runs = 0;
	pass->steps = NIL;
	pass->step_subid = InvalidSubTransactionId;
}

void
pass_extend(Pass *pass, const List *events)
{
	int			n = pass->n_events + list_length(events);
	const ListCell *cell;

	pass->events = repalloc(pass->events, n * sizeof(Pb__HistoryEvent *));
	pass->tasks = repalloc(pass->tasks, (n + 1) * sizeof(PassTask));
	foreach(cell, events)
	{
		handle_bind(pass, lfirst(cell));
		pass->events[pass->n_events++] = lfirst(cell);
	}
	/* The commands and steps of what was in hand are in the history now. */
	pass->commands = pass->steps = NIL;
	pass->step = 0;
	pass->in_hand = pass->events[pass->n_events - 1]->event_type == EVENT(WORKFLOW_TASK_STARTED);
	if (pass->in_hand)
		add_task(pass, pass->n_events - 1, pass->n_events);
}

void
pass_go_on(Pass *pass)
{
	enter_task(pass, pass->n_tasks - 1);
	handle_cancel_late(pass);
}

bool
pass_is_live(const Pass *pass)
{
	return pass->in_hand && pass->task == pass->n_tasks - 1;
}

/* ---- stopping ---- */

/*
 * Says that the function must end.  PL/pgSQL's WHEN OTHERS does not catch this
 * SQLSTATE; whoever catches it all the same is told again at the next call.
 */
static pg_noreturn void
raise_stop(const Pass *pass)
{
	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("workflow function ends here for now: %s", pass->reason),
			 errhint("Do not catch query_canceled in a workflow function.")));
}

void
pass_stop(Pass *pass, PassStop stop, const char *reason)
{
	pass->stop = stop;
	pass->reason = MemoryContextStrdup(pass->memory, reason);
	raise_stop(pass);
}

/* pass_check_stop -- for a function that has caught it. */
void
pass_check_stop(const Pass *pass)
{
	if (pass->stop != STOP_NONE)
		raise_stop(pass);
}

/* pass_check_settings -- if not, everything is done between passes. */
void
pass_check_settings(Pass *pass)
{
	if (settings_changed(pass->settings))
		pass_stop(pass, STOP_SPOILT, "settings were changed");
}

/* What should end the process, or the statement, is not caught by accident. */
static void
note_broken(Pass *pass)
{
	ErrorData  *error;

	MemoryContextSwitchTo(pass->memory);
	error = CopyErrorData();
	if (failure_class(error) == ERROR_ENDS)
		return;
	pass->error = error;
	pass->stop = STOP_BROKEN;
	pass->reason = "what it has asked for cannot be found out";
}

void
pass_do(Pass *pass, void (*body) (void *arg), void *arg)
{
	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		note_broken(pass);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

typedef struct Search
{
	const Pass *pass;
	const char *name;
	const Registration *found;
} Search;

static void
search_body(void *arg)
{
	Search	   *search = arg;

	search->found = service_find_registration(search->pass->namespace_name, QUEUE_TYPE(ACTIVITY),
											  search->name);
}

const Registration *
pass_registration(Pass *pass, const char *name)
{
	MemoryContext caller;
	Search		search = {pass, name, NULL};
	ListCell   *cell;

	foreach(cell, pass->registrations)
		if (strcmp(((const Registration *) lfirst(cell))->name, name) == 0)
			return lfirst(cell);
	caller = MemoryContextSwitchTo(pass->memory);
	pass_do(pass, search_body, &search);
	if (search.found != NULL)
		pass->registrations = lappend(pass->registrations,
										unconstify(Registration *, search.found));
	MemoryContextSwitchTo(caller);
	return search.found;
}

Pass *
pass_require(const char *function)
{
	if (pass_current == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.%s() can only be called by a workflow function", function),
				 errhint("Register the function by temporal.register_workflow() and start it by temporal.start_workflow().")));
	pass_check_stop(pass_current);
	return pass_current;
}

/* ---- commands ---- */

/* What people call a command, with what it is about. */
static char *
describe_command(const Pb__Command *command)
{
	char	   *type = enum_short_name(&pb__command_type__descriptor, command->command_type);

	switch (command->attributes_case)
	{
		case PB__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES:
			return psprintf("%s \"%s\" (activity id \"%s\")", type,
							command->schedule_activity_task_command_attributes->activity_type->name,
							command->schedule_activity_task_command_attributes->activity_id);
		case PB__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES:
			return psprintf("%s \"%s\"", type,
							command->start_timer_command_attributes->timer_id);
		case PB__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES:
			return psprintf("%s \"%s\"", type,
							command->cancel_timer_command_attributes->timer_id);
		case PB__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES:
			return psprintf("%s \"%s\" of \"%s\"", type,
							command->record_marker_command_attributes->marker_name,
							marker_command_about(command->record_marker_command_attributes));
		default:
			return type;
	}
}

static char *
describe_event(const Pb__HistoryEvent *event)
{
	char	   *name = psprintf("event %lld, %s", (long long) event->event_id,
								event_type_name(event->event_type));

	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_SCHEDULED):
			return psprintf("%s \"%s\" (activity id \"%s\")", name,
							event->activity_task_scheduled_event_attributes->activity_type->name,
							event->activity_task_scheduled_event_attributes->activity_id);
		case EVENT(TIMER_STARTED):
			return psprintf("%s \"%s\"", name,
							event->timer_started_event_attributes->timer_id);
		case EVENT(TIMER_CANCELED):
			return psprintf("%s \"%s\"", name,
							event->timer_canceled_event_attributes->timer_id);
		case EVENT(MARKER_RECORDED):
			return psprintf("%s \"%s\" of \"%s\"", name,
							event->marker_recorded_event_attributes->marker_name,
							marker_event_about(event->marker_recorded_event_attributes));
		default:
			return name;
	}
}

static bool
same_activity(const Pb__ScheduleActivityTaskCommandAttributes *command,
			  const Pb__ActivityTaskScheduledEventAttributes *event)
{
	return strcmp(command->activity_type->name, event->activity_type->name) == 0 &&
		strcmp(command->activity_id, event->activity_id) == 0;
}

static bool
same_marker(const Pb__RecordMarkerCommandAttributes *command,
			const Pb__MarkerRecordedEventAttributes *event)
{
	return strcmp(command->marker_name, event->marker_name) == 0 &&
		strcmp(marker_command_about(command), marker_event_about(event)) == 0;
}

/* Is the event what this command leaves? */
static bool
command_left(const Pb__Command *command, const Pb__HistoryEvent *event)
{
	switch (event->event_type)
	{
		case EVENT(ACTIVITY_TASK_SCHEDULED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK &&
				same_activity(command->schedule_activity_task_command_attributes,
							  event->activity_task_scheduled_event_attributes);
		case EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
			return command->command_type ==
				PB__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK &&
				command->request_cancel_activity_task_command_attributes->scheduled_event_id ==
				event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
		case EVENT(TIMER_STARTED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_START_TIMER &&
				strcmp(command->start_timer_command_attributes->timer_id,
					   event->timer_started_event_attributes->timer_id) == 0;
		case EVENT(TIMER_CANCELED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_CANCEL_TIMER &&
				strcmp(command->cancel_timer_command_attributes->timer_id,
					   event->timer_canceled_event_attributes->timer_id) == 0;
		case EVENT(MARKER_RECORDED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER &&
				same_marker(command->record_marker_command_attributes,
							event->marker_recorded_event_attributes);
		case EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
			return command->command_type ==
				PB__COMMAND_TYPE__COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES;
		case EVENT(WORKFLOW_PROPERTIES_MODIFIED):
			return command->command_type ==
				PB__COMMAND_TYPE__COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES;
		case EVENT(WORKFLOW_EXECUTION_COMPLETED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
		case EVENT(WORKFLOW_EXECUTION_FAILED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION;
		case EVENT(WORKFLOW_EXECUTION_CANCELED):
			return command->command_type == PB__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION;
		default:
			return false;
	}
}

/* The next event of this task that a command has left; NULL if there is none. */
static const Pb__HistoryEvent *
next_command_event(Pass *pass)
{
	for (; pass->command < pass->n_events; pass->command++)
	{
		const Pb__HistoryEvent *event = pass->events[pass->command];

		if (event->event_type == EVENT(WORKFLOW_TASK_STARTED))
			return NULL;
		if (is_command_event(event) && !marker_is_patch(event))
			return event;
	}
	return NULL;
}

const Pb__HistoryEvent *
pass_command(Pass *pass, Pb__Command *command)
{
	const Pb__HistoryEvent *event;

	if (pass_is_live(pass))
	{
		MemoryContext caller = MemoryContextSwitchTo(pass->memory);

		pass->commands = lappend(pass->commands, command);
		MemoryContextSwitchTo(caller);
		return NULL;
	}
	event = next_command_event(pass);
	if (event == NULL)
		pass_stop(pass, STOP_NONDETERMINISTIC,
				  psprintf("it asks for %s, and the history has nothing in its place",
						   describe_command(command)));
	if (!command_left(command, event))
		pass_stop(pass, STOP_NONDETERMINISTIC,
				  psprintf("it asks for %s, and the history has %s in its place",
						   describe_command(command), describe_event(event)));
	pass->command++;
	return event;
}

const Pb__HistoryEvent *
pass_replayed_step(Pass *pass, const char *name)
{
	const Pb__HistoryEvent *event;

	if (pass_is_live(pass))
		return NULL;
	event = next_command_event(pass);
	if (event == NULL || !marker_is_step(event, name))
		return NULL;
	pass->command++;
	return event;
}

Pb__Command *
pass_new_command(Pb__CommandType type)
{
	Pb__Command *command = proto_new(&pb__command__descriptor);

	command->command_type = type;
	return command;
}

/* ---- waiting ---- */

/* Goes on to the next workflow task; false if this is the last one. */
static bool
next_task(Pass *pass)
{
	const Pb__HistoryEvent *left;

	if (pass_is_live(pass))
		return false;
	left = next_command_event(pass);
	if (left != NULL)
		pass_stop(pass, STOP_NONDETERMINISTIC,
				  psprintf("it waits, and the history has %s in its place", describe_event(left)));
	if (pass->task == pass->n_tasks - 1)
		return false;
	enter_task(pass, pass->task + 1);
	handle_cancel_late(pass);
	return true;
}

void
pass_skip_task(Pass *pass)
{
	while (!pass_is_live(pass) && next_command_event(pass) == NULL && next_task(pass))
		;
}

static pg_noreturn void
raise_cancel(Pass *pass)
{
	pass->cancel_raised = true;
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_CANCEL_REQUESTED),
			 errmsg("cancellation of the workflow was requested")));
}

/* pass_check_cancel -- an error, once, if the workflow is to be cancelled. */
void
pass_check_cancel(Pass *pass)
{
	if (pass->cancel_requested && !pass->cancel_raised)
		raise_cancel(pass);
}

void
pass_wait(Pass *pass, PassCondition done, PassAbandon abandon, void *arg, const char *reason)
{
	while (!done(pass, arg))
	{
		if (pass->cancel_requested && !pass->cancel_raised)
		{
			if (abandon != NULL)
				abandon(pass, arg);
			raise_cancel(pass);
		}
		if (!next_task(pass) && !local_run_all(pass))
		{
			/* Not only when something happens. */
			pass->again = handle_cancels_late(pass);
			pass_stop(pass, STOP_WAITING, reason);
		}
	}
}

/*
 * pass_close -- the function has returned or failed, which is "closing".
 *
 * Does not raise: see pass->stop.
 */
void
pass_close(Pass *pass, Pb__Command *closing)
{
	const Pb__HistoryEvent *event;

	if (pass_is_live(pass))
	{
		pass->commands = lappend(pass->commands, closing);
		return;
	}
	event = next_command_event(pass);
	if (event != NULL && command_left(closing, event))
		return;
	pass->stop = STOP_NONDETERMINISTIC;
	pass->reason = psprintf("it has ended with %s, and the history has %s in its place",
							describe_command(closing),
							event != NULL ? describe_event(event) : "nothing");
}

/* ---- chance ---- */

/* pass_random -- the same sequence in every pass of a run. */
uint64
pass_random(Pass *pass)
{
	return ident_hash(pass->random++, pass->run_id, strlen(pass->run_id));
}
