/*
 * command.c
 *	  Commands of a workflow task's completion: order, and who decides on each.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define COMMAND(name) PB__COMMAND_TYPE__COMMAND_TYPE_##name

/* command_refuse -- notes why; always false, so that it can be returned. */
bool
command_refuse(CommandError *error, Pb__WorkflowTaskFailedCause cause, const char *message)
{
	error->cause = cause;
	error->message = psprintf("%s: %s",
							  enum_short_name(&pb__workflow_task_failed_cause__descriptor, cause),
							  message);
	return false;
}

/*
 * command_event -- what a command leaves, with what it says to people.
 *
 * "attributes" as for event_new().
 */
Pb__HistoryEvent *
command_event(const Transition *transition, const Pb__Command *command, Pb__EventType type,
			  void *attributes)
{
	Pb__HistoryEvent *event = event_new(type, transition->now, attributes);

	event->user_metadata = command->user_metadata;
	event->n_event_group_markers = command->n_event_group_markers;
	event->event_group_markers = command->event_group_markers;
	return event;
}

static bool
closes(Pb__CommandType type)
{
	return type == COMMAND(COMPLETE_WORKFLOW_EXECUTION) ||
		type == COMMAND(FAIL_WORKFLOW_EXECUTION) ||
		type == COMMAND(CANCEL_WORKFLOW_EXECUTION) ||
		type == COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
}

/* The field of Command that holds the attributes of "type"; 0 if not known. */
static int
attributes_case(Pb__CommandType type)
{
	switch (type)
	{
		case COMMAND(SCHEDULE_ACTIVITY_TASK):
			return PB__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
		case COMMAND(REQUEST_CANCEL_ACTIVITY_TASK):
			return PB__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
		case COMMAND(START_TIMER):
			return PB__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
		case COMMAND(CANCEL_TIMER):
			return PB__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES;
		case COMMAND(COMPLETE_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(FAIL_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(CANCEL_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(RECORD_MARKER):
			return PB__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
		case COMMAND(START_CHILD_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION):
			return PB__COMMAND__ATTRIBUTES_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
		case COMMAND(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
			return PB__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES;
		case COMMAND(MODIFY_WORKFLOW_PROPERTIES):
			return PB__COMMAND__ATTRIBUTES_MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES;
		case COMMAND(PROTOCOL_MESSAGE):
			return PB__COMMAND__ATTRIBUTES_PROTOCOL_MESSAGE_COMMAND_ATTRIBUTES;
		case COMMAND(SCHEDULE_NEXUS_OPERATION):
			return PB__COMMAND__ATTRIBUTES_SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
		case COMMAND(REQUEST_CANCEL_NEXUS_OPERATION):
			return PB__COMMAND__ATTRIBUTES_REQUEST_CANCEL_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
		default:
			return 0;
	}
}

/* core_check_command_order -- false, with the reason, if the call is refused whole. */
bool
core_check_command_order(const Pb__RespondWorkflowTaskCompletedRequest *request,
						 const char **message)
{
	for (size_t i = 0; i < request->n_commands; i++)
	{
		Pb__CommandType type = request->commands[i]->command_type;

		if (attributes_case(type) == 0)
		{
			*message = psprintf("Unknown command type: %d", (int) type);
			return false;
		}
		if (i > 0 && closes(request->commands[i - 1]->command_type))
		{
			*message = "invalid command sequence: a command follows the one that closes the workflow";
			return false;
		}
	}
	return true;
}

/* What the cause is when a command comes without its attributes. */
static Pb__WorkflowTaskFailedCause
missing_attributes_cause(Pb__CommandType type)
{
	switch (type)
	{
		case COMMAND(SCHEDULE_ACTIVITY_TASK):
			return CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES);
		case COMMAND(REQUEST_CANCEL_ACTIVITY_TASK):
			return CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES);
		case COMMAND(START_TIMER):
			return CAUSE(BAD_START_TIMER_ATTRIBUTES);
		case COMMAND(CANCEL_TIMER):
			return CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES);
		case COMMAND(COMPLETE_WORKFLOW_EXECUTION):
			return CAUSE(BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES);
		case COMMAND(FAIL_WORKFLOW_EXECUTION):
			return CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES);
		case COMMAND(CANCEL_WORKFLOW_EXECUTION):
			return CAUSE(BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES);
		case COMMAND(RECORD_MARKER):
			return CAUSE(BAD_RECORD_MARKER_ATTRIBUTES);
		case COMMAND(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
			return CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES);
		case COMMAND(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION):
			return CAUSE(BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES);
		case COMMAND(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
			return CAUSE(BAD_SEARCH_ATTRIBUTES);
		case COMMAND(MODIFY_WORKFLOW_PROPERTIES):
			return CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES);
		default:
			return CAUSE(FEATURE_DISABLED);
	}
}

/*
 * core_execute_command -- one command of a completion.
 *
 * False with the reason in "error" if it is refused; the transition must be
 * thrown away then.  A command that closes the workflow is refused whatever it
 * says while there are events that the worker has not seen; the mark that this
 * leaves keeps new signals away until the next attempt has ended.
 */
bool
core_execute_command(Transition *transition, const Pb__Command *command,
					 CommandContext *context, CommandError *error)
{
	if (closes(command->command_type) && context->unseen > 0)
	{
		error->cause = CAUSE(UNHANDLED_COMMAND);
		error->message = "UnhandledCommand";
		return false;
	}
	if (command->attributes_case != attributes_case(command->command_type))
		return command_refuse(error, missing_attributes_cause(command->command_type),
							  "command attributes are not set");
	switch (command->command_type)
	{
		case COMMAND(SCHEDULE_ACTIVITY_TASK):
			return core_schedule_activity(transition, command, context, error);
		case COMMAND(REQUEST_CANCEL_ACTIVITY_TASK):
			return core_request_cancel_activity(transition, command, context, error);
		case COMMAND(START_TIMER):
			return core_start_timer(transition, command, context, error);
		case COMMAND(CANCEL_TIMER):
			return core_cancel_timer(transition, command, context, error);
		case COMMAND(RECORD_MARKER):
			return core_record_marker(transition, command, context, error);
		case COMMAND(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
			return core_signal_external(transition, command, context, error);
		case COMMAND(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION):
			return core_cancel_external(transition, command, context, error);
		case COMMAND(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
			return core_upsert_search_attributes(transition, command, context, error);
		case COMMAND(MODIFY_WORKFLOW_PROPERTIES):
			return core_modify_properties(transition, command, context, error);
		case COMMAND(COMPLETE_WORKFLOW_EXECUTION):
		case COMMAND(FAIL_WORKFLOW_EXECUTION):
		case COMMAND(CANCEL_WORKFLOW_EXECUTION):
			return core_close_by_command(transition, command, context, error);
		default:
			return command_refuse(error, CAUSE(FEATURE_DISABLED),
								  psprintf("%s is not available",
										   enum_short_name(&pb__command_type__descriptor,
														   command->command_type)));
	}
}
