/*
 * decide_lifecycle.c
 *	  How a run begins and how it ends.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define MAX_REQUEST_IDS 25

/* What the start says for good, from the normalised request. */
static void
fill_info(ExecutionState *state, const Pb__StartWorkflowExecutionRequest *request,
		  TimestampTz now)
{
	Pbi__RunInfo *info = state->info;
	int64		backoff = proto_duration_us(request->workflow_start_delay);
	const char *run_id = ident_uuid_text(&state->key.run_id);

	info->workflow_type = request->workflow_type->name;
	info->task_queue = request->task_queue->name;
	info->execution_timeout = proto_duration_us(request->workflow_execution_timeout);
	info->run_timeout = proto_duration_us(request->workflow_run_timeout);
	info->task_timeout = proto_duration_us(request->workflow_task_timeout);
	info->start_time = now;
	info->execution_time = now + backoff;
	if (info->execution_timeout > 0)
		info->execution_expiration = now + backoff + info->execution_timeout;
	if (info->run_timeout > 0)
		info->run_expiration = now + backoff + info->run_timeout;
	info->first_run_id = info->original_run_id = run_id;
	info->attempt = 1;
	info->priority = request->priority;
	info->root_workflow_id = state->workflow_id;
	info->root_run_id = run_id;
	info->user_metadata = request->user_metadata;
	info->create_request_id = request->request_id;
}

static Pb__HistoryEvent *
started_event(const ExecutionState *state, const StartParameters *parameters, TimestampTz now)
{
	const Pb__StartWorkflowExecutionRequest *request = parameters->request;
	const Pbi__RunInfo *info = state->info;
	Pb__WorkflowExecutionStartedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_STARTED), now, &attributes);

	attributes->workflow_type = request->workflow_type;
	attributes->workflow_id = state->workflow_id;
	attributes->task_queue = proto_new(&pb__task_queue__descriptor);
	attributes->task_queue->name = info->task_queue;
	attributes->task_queue->kind = QUEUE_KIND(NORMAL);
	attributes->input = request->input;
	attributes->header = request->header;
	attributes->workflow_execution_timeout = proto_duration(info->execution_timeout);
	attributes->workflow_run_timeout = proto_duration(info->run_timeout);
	attributes->workflow_task_timeout = proto_duration(info->task_timeout);
	attributes->identity = request->identity;
	attributes->original_execution_run_id = info->original_run_id;
	attributes->first_execution_run_id = info->first_run_id;
	attributes->attempt = info->attempt;
	attributes->workflow_execution_expiration_time = proto_timestamp(info->execution_expiration);
	attributes->first_workflow_task_backoff =
		proto_duration(info->execution_time - info->start_time);
	attributes->continued_failure = core_clamp_failure(request->continued_failure);
	attributes->last_completion_result = request->last_completion_result;
	attributes->memo = request->memo;
	attributes->search_attributes = request->search_attributes;
	attributes->completion_callbacks = request->completion_callbacks;
	attributes->n_completion_callbacks = request->n_completion_callbacks;
	attributes->versioning_override = request->versioning_override;
	attributes->priority = request->priority;
	attributes->eager_execution_accepted = parameters->eager;
	attributes->root_workflow_execution = proto_new(&pb__workflow_execution__descriptor);
	attributes->root_workflow_execution->workflow_id = info->root_workflow_id;
	attributes->root_workflow_execution->run_id = info->root_run_id;
	event->user_metadata = request->user_metadata;
	event->links = request->links;
	event->n_links = request->n_links;
	return event;
}

/* That of the start itself is in the info already. */
static void
remember_request(ExecutionState *state, const char *request_id)
{
	Pbi__RunState *run = state->run;
	Pbi__RequestId *entry = proto_new(&pbi__request_id__descriptor);

	entry->request_id = request_id;
	entry->event_type = EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED);
	run->request_ids = run->request_ids == NULL ? palloc(sizeof(entry)) :
		repalloc(run->request_ids, (run->n_request_ids + 1) * sizeof(entry));
	run->request_ids[run->n_request_ids++] = entry;
}

/*
 * core_start_execution -- a new run on an empty state.
 *
 * The first workflow task is the caller's to schedule, after what else belongs
 * to the start (a signal), unless the start is delayed.
 */
void
core_start_execution(Transition *transition, const StartParameters *parameters)
{
	ExecutionState *state = transition->state;
	const Pb__StartWorkflowExecutionRequest *request = parameters->request;

	fill_info(state, request, transition->now);
	transition_append(transition, started_event(state, parameters, transition->now));
	for (size_t i = 0; request->memo != NULL && i < request->memo->n_fields; i++)
	{
		FieldChange *change = palloc(sizeof(FieldChange));

		change->name = request->memo->fields[i]->key;
		change->payload = request->memo->fields[i]->value;
		transition->memo = lappend(transition->memo, change);
	}
	for (size_t i = 0; request->search_attributes != NULL &&
		 i < request->search_attributes->n_indexed_fields; i++)
		transition_set_search_attribute(transition,
										request->search_attributes->indexed_fields[i]->key,
										request->search_attributes->indexed_fields[i]->value);
}

/* core_attach_request -- another start asked for the run that is open. */
void
core_attach_request(Transition *transition, const char *request_id, const char *identity,
					size_t n_links, Pb__Link **links, bool record_event)
{
	ExecutionState *state = transition->state;
	Pb__WorkflowExecutionOptionsUpdatedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED), transition->now,
										&attributes);

	if (!record_event)
		return;
	if (request_id != NULL && state->run->n_request_ids + 1 < MAX_REQUEST_IDS)
	{
		attributes->attached_request_id = request_id;
		remember_request(state, request_id);
	}
	attributes->identity = identity;
	event->n_links = n_links;
	event->links = links;
	transition_append(transition, event);
}

static bool
too_large(const ProtobufCMessage *message)
{
	return message != NULL && protobuf_c_message_get_packed_size(message) > BLOB_LIMIT;
}

static bool
refuse_large(CommandError *error, Pb__WorkflowTaskFailedCause cause, const char *what)
{
	error->terminate = true;
	return command_refuse(error, cause, psprintf("%s exceeds size limit.", what));
}

static bool
close_completed(Transition *transition, const Pb__Command *command, CommandContext *context,
				CommandError *error)
{
	Pb__Payloads *result = command->complete_workflow_execution_command_attributes->result;
	Pb__WorkflowExecutionCompletedEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(WORKFLOW_EXECUTION_COMPLETED),
					  &attributes);

	if (result != NULL && too_large(&result->base))
		return refuse_large(error, CAUSE(BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES),
							"CompleteWorkflowExecutionCommandAttributes.Result");
	attributes->result = result;
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	return true;
}

static bool
close_failed(Transition *transition, const Pb__Command *command, CommandContext *context,
			 CommandError *error)
{
	Pb__Failure *failure = command->fail_workflow_execution_command_attributes->failure;
	Pb__WorkflowExecutionFailedEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(WORKFLOW_EXECUTION_FAILED),
											&attributes);

	if (failure == NULL)
		return command_refuse(error, CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
							  "Failure is not set on FailWorkflowExecutionCommand.");
	if (too_large(&failure->base))
		return refuse_large(error, CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
							"FailWorkflowExecutionCommandAttributes.Failure");
	attributes->failure = core_clamp_failure(failure);
	attributes->retry_state = RETRY_STATE(RETRY_POLICY_NOT_SET);
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	return true;
}

static bool
close_canceled(Transition *transition, const Pb__Command *command, CommandContext *context)
{
	Pb__WorkflowExecutionCanceledEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(WORKFLOW_EXECUTION_CANCELED),
											&attributes);

	attributes->details = command->cancel_workflow_execution_command_attributes->details;
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	return true;
}

/*
 * core_close_by_command -- the workflow completes, fails or is cancelled.
 *
 * There are no events that the worker has not seen.
 */
bool
core_close_by_command(Transition *transition, const Pb__Command *command,
					  CommandContext *context, CommandError *error)
{
	switch (command->attributes_case)
	{
		case PB__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES:
			return close_completed(transition, command, context, error);
		case PB__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES:
			return close_failed(transition, command, context, error);
		default:
			return close_canceled(transition, command, context);
	}
}

/* A workflow task that is under way ends before the run does. */
static void
force_close_task(Transition *transition)
{
	ExecutionState *state = transition->state;

	if (state_task_started(state))
		core_fail_workflow_task(transition, &(TaskFailure) {
			.cause = CAUSE(FORCE_CLOSE_COMMAND), .identity = HISTORY_SERVICE
		});
	else if (state_task_pending(state))
		transition_remove_task(transition, QUEUE_TYPE(WORKFLOW), state->run->workflow_task->queue,
							   core_priority_key(state->info->priority),
							   state->run->workflow_task->scheduled_time,
							   state->run->workflow_task->scheduled_event_id);
	state->run->workflow_task = NULL;
	transition_flush_buffer(transition);
}

void
core_terminate(Transition *transition, const char *reason, const Pb__Payloads *details,
			   const char *identity, size_t n_links, Pb__Link **links)
{
	Pb__WorkflowExecutionTerminatedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_TERMINATED), transition->now,
										&attributes);

	force_close_task(transition);
	attributes->reason = reason;
	attributes->details = unconstify(Pb__Payloads *, details);
	attributes->identity = identity;
	event->n_links = n_links;
	event->links = links;
	transition_append(transition, event);
}

static void
time_out_run(Transition *transition)
{
	ExecutionState *state = transition->state;
	Pb__WorkflowExecutionTimedOutEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_TIMED_OUT), transition->now,
										&attributes);

	force_close_task(transition);
	attributes->retry_state = RETRY_STATE(RETRY_POLICY_NOT_SET);
	if (state->info->execution_expiration != 0 &&
		state->info->execution_expiration <= transition->now)
		attributes->retry_state = RETRY_STATE(TIMEOUT);
	transition_append(transition, event);
}

/* core_request_cancel -- no effect if it was requested before. */
void
core_request_cancel(Transition *transition, const CancelParameters *cancel)
{
	Pb__WorkflowExecutionCancelRequestedEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED),
										transition->now, &attributes);

	if (transition->state->run->cancel_requested)
		return;
	attributes->cause = cancel->cause;
	attributes->identity = cancel->identity;
	attributes->external_workflow_execution =
		unconstify(Pb__WorkflowExecution *, cancel->external);
	attributes->external_initiated_event_id = cancel->external_event_id;
	event->n_links = cancel->n_links;
	event->links = cancel->links;
	transition_append(transition, event);
	core_want_workflow_task(transition);
}

/*
 * core_fire_run_timer -- the run's timer row was due and is gone.
 *
 * The due user timers are loaded.  Whatever is not due yet is armed again when
 * the transition is closed.  "session_gone": the session that worked on the
 * workflow task has ended without a word.  True if anything happened.
 */
bool
core_fire_run_timer(Transition *transition, bool session_gone)
{
	ExecutionState *state = transition->state;
	TimestampTz now = transition->now;
	bool		fired;
	ListCell   *cell;

	state->run->timer_armed = 0;
	if (state->info->run_expiration != 0 && state->info->run_expiration <= now)
	{
		time_out_run(transition);
		return true;
	}
	fired = core_fire_workflow_task_timer(transition, session_gone);
	foreach(cell, state->timers)
	{
		PendingTimer *timer = lfirst(cell);

		if (timer->fire_at <= now)
		{
			core_fire_timer(transition, timer);
			fired = true;
		}
	}
	if (fired || (!state->run->first_task_scheduled && state->info->execution_time <= now))
		core_want_workflow_task(transition);
	return fired;
}
