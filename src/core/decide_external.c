/*
 * decide_external.c
 *	  Signals and cancel requests to other workflows.
 *
 * The command only records the wish; the outbox carries it out in a
 * transaction of its own, and the outcome comes back as an event.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define MAX_PENDING_EXTERNAL 2000

/* What is wrong with a target, or NULL. */
static const char *
check_target(const CommandContext *context, const char *namespace_name, const char *workflow_id,
			 const char *run_id)
{
	pg_uuid_t	uuid;

	if (workflow_id[0] == '\0')
		return "WorkflowId is not set on command.";
	if (strlen(workflow_id) > ID_LIMIT)
		return "WorkflowId exceeds length limit.";
	if (run_id[0] != '\0' && !ident_parse_uuid(run_id, &uuid))
		return "RunId is not a valid UUID.";
	if (namespace_name[0] != '\0' && strcmp(namespace_name, context->namespace_name) != 0)
		return "cross namespace calls are not allowed";
	return NULL;
}

static Pb__WorkflowExecution *
execution_of(const char *workflow_id, const char *run_id)
{
	Pb__WorkflowExecution *execution = proto_new(&pb__workflow_execution__descriptor);

	execution->workflow_id = workflow_id;
	execution->run_id = run_id;
	return execution;
}

/* Appends the initiated event and hands it to the outbox. */
static void
initiate(Transition *transition, Pb__HistoryEvent *event)
{
	PendingExternal *external;

	transition_append(transition, event);
	external = llast(transition->state->externals);
	external->request_id = psprintf("%s:" INT64_FORMAT,
									ident_uuid_text(&transition->state->key.run_id),
									event->event_id);
	transition->outbox = lappend(transition->outbox, event);
}

bool
core_signal_external(Transition *transition, const Pb__Command *command, CommandContext *context,
					 CommandError *error)
{
	const Pb__SignalExternalWorkflowExecutionCommandAttributes *from =
		command->signal_external_workflow_execution_command_attributes;
	Pb__SignalExternalWorkflowExecutionInitiatedEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
					  &attributes);
	const char *problem;

	if (from->execution == NULL)
		return command_refuse(error, CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
							  "Execution is not set on SignalExternalWorkflowExecutionCommand.");
	problem = check_target(context, from->namespace_, from->execution->workflow_id,
						   from->execution->run_id);
	if (problem == NULL && from->signal_name[0] == '\0')
		problem = "SignalName is not set on SignalExternalWorkflowExecutionCommand.";
	if (problem == NULL && strlen(from->signal_name) > ID_LIMIT)
		problem = "SignalName exceeds length limit.";
	if (problem != NULL)
		return command_refuse(error, CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES), problem);
	if (from->input != NULL && protobuf_c_message_get_packed_size(&from->input->base) > BLOB_LIMIT)
	{
		error->terminate = true;
		return command_refuse(error, CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
							  "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.");
	}
	if (transition->state->run->external_signal_count >= MAX_PENDING_EXTERNAL)
		return command_refuse(error, CAUSE(PENDING_SIGNALS_LIMIT_EXCEEDED),
							  "the number of pending signals to external workflows has reached the per-workflow limit of 2000");
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	attributes->namespace_ = context->namespace_name;
	attributes->namespace_id = ident_uuid_text(&transition->state->key.namespace_id);
	attributes->workflow_execution = execution_of(from->execution->workflow_id,
												  from->execution->run_id);
	attributes->signal_name = from->signal_name;
	attributes->input = from->input;
	attributes->control = from->control;
	attributes->child_workflow_only = from->child_workflow_only;
	attributes->header = from->header;
	initiate(transition, event);
	return true;
}

bool
core_cancel_external(Transition *transition, const Pb__Command *command, CommandContext *context,
					 CommandError *error)
{
	const Pb__RequestCancelExternalWorkflowExecutionCommandAttributes *from =
		command->request_cancel_external_workflow_execution_command_attributes;
	Pb__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
					  &attributes);
	const char *problem = check_target(context, from->namespace_, from->workflow_id, from->run_id);

	if (problem != NULL)
		return command_refuse(error,
							  CAUSE(BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
							  problem);
	if (transition->state->run->external_cancel_count >= MAX_PENDING_EXTERNAL)
		return command_refuse(error, CAUSE(PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED),
							  "the number of pending cancel requests has reached the per-workflow limit of 2000");
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	attributes->namespace_ = context->namespace_name;
	attributes->namespace_id = ident_uuid_text(&transition->state->key.namespace_id);
	attributes->workflow_execution = execution_of(from->workflow_id, from->run_id);
	attributes->control = from->control;
	attributes->child_workflow_only = from->child_workflow_only;
	attributes->reason = from->reason;
	initiate(transition, event);
	return true;
}

/* core_resolve_external_signal -- cause 0: it was delivered. */
void
core_resolve_external_signal(Transition *transition, const Pb__HistoryEvent *initiated,
							 int failed_cause)
{
	const Pb__SignalExternalWorkflowExecutionInitiatedEventAttributes *from =
		initiated->signal_external_workflow_execution_initiated_event_attributes;
	Pb__ExternalWorkflowExecutionSignaledEventAttributes *done;
	Pb__SignalExternalWorkflowExecutionFailedEventAttributes *failed;
	Pb__HistoryEvent *event;

	if (failed_cause == 0)
	{
		event = event_new(EVENT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED), transition->now, &done);
		done->initiated_event_id = initiated->event_id;
		done->namespace_ = from->namespace_;
		done->namespace_id = from->namespace_id;
		done->workflow_execution = from->workflow_execution;
		done->control = from->control;
	}
	else
	{
		event = event_new(EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED), transition->now,
						  &failed);
		failed->cause = failed_cause;
		failed->initiated_event_id = initiated->event_id;
		failed->workflow_task_completed_event_id = from->workflow_task_completed_event_id;
		failed->namespace_ = from->namespace_;
		failed->namespace_id = from->namespace_id;
		failed->workflow_execution = from->workflow_execution;
		failed->control = from->control;
	}
	transition_append(transition, event);
	core_want_workflow_task(transition);
}

/* core_resolve_external_cancel -- cause 0: it was delivered. */
void
core_resolve_external_cancel(Transition *transition, const Pb__HistoryEvent *initiated,
							 int failed_cause)
{
	const Pb__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes *from =
		initiated->request_cancel_external_workflow_execution_initiated_event_attributes;
	Pb__ExternalWorkflowExecutionCancelRequestedEventAttributes *done;
	Pb__RequestCancelExternalWorkflowExecutionFailedEventAttributes *failed;
	Pb__HistoryEvent *event;

	if (failed_cause == 0)
	{
		event = event_new(EVENT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED), transition->now,
						  &done);
		done->initiated_event_id = initiated->event_id;
		done->namespace_ = from->namespace_;
		done->namespace_id = from->namespace_id;
		done->workflow_execution = from->workflow_execution;
	}
	else
	{
		event = event_new(EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED),
						  transition->now, &failed);
		failed->cause = failed_cause;
		failed->initiated_event_id = initiated->event_id;
		failed->workflow_task_completed_event_id = from->workflow_task_completed_event_id;
		failed->namespace_ = from->namespace_;
		failed->namespace_id = from->namespace_id;
		failed->workflow_execution = from->workflow_execution;
		failed->control = from->control;
	}
	transition_append(transition, event);
	core_want_workflow_task(transition);
}
