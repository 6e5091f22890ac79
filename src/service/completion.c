/*
 * completion.c
 *	  What the answer to a workflow task does to its run.
 *
 * Activities that the commands cancel are locked before the run: a worker may
 * be holding one until it has locked the run.  Where the run is locked from the
 * poll on, nobody waits for them.
 */
#include "postgres.h"

#include "service/completion.h"

/* Who asked for a workflow task that the answer to the one before it starts. */
#define INLINE_REQUEST_ID "request-from-RespondWorkflowTaskCompleted"

static void
task_not_found(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_TASK_NOT_FOUND), errmsg("Workflow task not found.")));
}

/* The activities that a completion cancels (int64 pointers). */
static List *
cancelled_activities(size_t n_commands, Pb__Command **commands)
{
	List	   *events = NIL;

	for (size_t i = 0; i < n_commands; i++)
		if (commands[i]->attributes_case ==
			PB__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES)
			events = lappend(events,
							 &commands[i]->request_cancel_activity_task_command_attributes->scheduled_event_id);
	return events;
}

/*
 * completion_lock -- the run, locked, if the token is that of its started
 * workflow task; with the activities that the commands cancel.
 */
ExecutionState *
completion_lock(ServiceCall *call, const ProtobufCBinaryData *bytes, size_t n_commands,
				Pb__Command **commands)
{
	RunKey		key;
	Pbi__TaskToken *token = token_unpack(call, bytes, false, &key);
	List	   *activities;
	ExecutionState *state;
	const Pbi__WorkflowTask *task;

	activities = store_lock_activities(&key, cancelled_activities(n_commands, commands));
	state = service_lock_run(call, &key);
	if (state == NULL)
		task_not_found();
	service_authorize(call, RIGHT_WORKER, state->info->task_queue);
	task = state->run->workflow_task;
	if (!state_is_open(state) || !state_task_started(state) ||
		strcmp(state->workflow_id, token->workflow_id) != 0 ||
		task->scheduled_event_id != token->scheduled_event_id ||
		task->started_event_id != token->started_event_id ||
		task->attempt != token->attempt || task->started_time != token->started_time)
		task_not_found();
	state->activities = activities;
	return state;
}

/*
 * completion_lock_cancelled -- the activities that commands cancel, of a run
 * that is locked already.
 *
 * Whoever holds one may be about to lock the run, so nobody waits here.
 */
void
completion_lock_cancelled(ExecutionState *state,
						  const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	ListCell   *cell;

	foreach(cell, cancelled_activities(request->n_commands, request->commands))
	{
		int64		event_id = *(const int64 *) lfirst(cell);

		if (state_find_activity(state, event_id) == NULL &&
			store_load_activity(state, event_id, LOCK_SKIP) == NULL &&
			store_load_activity(state, event_id, LOCK_NONE) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("an activity that the workflow cancels is held by a worker")));
	}
}

/* Loads the other pending entities that the commands name. */
static void
load_named(ExecutionState *state, const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	List	   *activities = NIL;
	List	   *timers = NIL;

	for (size_t i = 0; i < request->n_commands; i++)
	{
		const Pb__Command *command = request->commands[i];

		switch (command->attributes_case)
		{
			case PB__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES:
				activities = lappend(activities, unconstify(char *,
									 command->schedule_activity_task_command_attributes->activity_id));
				break;
			case PB__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES:
				timers = lappend(timers, unconstify(char *,
													command->start_timer_command_attributes->timer_id));
				break;
			case PB__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES:
				timers = lappend(timers, unconstify(char *,
													command->cancel_timer_command_attributes->timer_id));
				break;
			default:
				break;
		}
	}
	store_load_named(state, activities, timers);
}

/* Loads what only commands that change search attributes or the memo need. */
static void
load_attributes(const ServiceCall *call, const ExecutionState *state,
				const Pb__RespondWorkflowTaskCompletedRequest *request, CommandContext *context)
{
	Pb__Memo   *memo;
	Pb__SearchAttributes *search_attributes;

	for (size_t i = 0; i < request->n_commands; i++)
	{
		switch (request->commands[i]->attributes_case)
		{
			case PB__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES:
			case PB__COMMAND__ATTRIBUTES_MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES:
				context->attribute_types = store_attribute_types(&call->namespace->id);
				store_load_attributes(state, &memo, &search_attributes);
				context->memo = memo;
				context->search_attributes = search_attributes;
				return;
			default:
				break;
		}
	}
}

static void
check_sticky(const Pb__StickyExecutionAttributes *sticky)
{
	if (sticky == NULL)
		return;
	if (sticky->worker_task_queue != NULL)
		service_limit_id(sticky->worker_task_queue->name, "StickyAttributes.WorkerTaskQueue");
	if (!proto_duration_valid(sticky->schedule_to_start_timeout))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("An invalid StickyAttributes.ScheduleToStartTimeout is set on request.")));
}

/* completion_check -- raises what is wrong with the request as a whole. */
void
completion_check(const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	const char *problem;

	check_sticky(request->sticky_attributes);
	if (request->intermediate_page || request->page_number != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_FAILED_PRECONDITION),
				 errmsg("paginated workflow task completion is not enabled")));
	if (request->versioning_behavior != 0 && request->deployment_options == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("versioning_behavior is set but deployment_options is not")));
	if (!core_check_command_order(request, &problem))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
}

/*
 * completion_execute -- completes the task and executes the commands; false
 * with the reason if one is refused.
 */
bool
completion_execute(ServiceCall *call, Transition *transition,
				   const Pb__RespondWorkflowTaskCompletedRequest *request, CommandError *error)
{
	CommandContext context = {0};

	load_named(transition->state, request);
	context.completed_event_id = core_complete_workflow_task(transition, request);
	transition->state->run->waiting_for = call->waiting_for != NULL ? call->waiting_for : "";
	transition->state->run->waiting_at = call->waiting_at != NULL ? call->waiting_at : "";
	context.unseen = list_length(transition->state->buffer);
	context.identity = request->identity;
	context.namespace_name = call->namespace->name;
	load_attributes(call, transition->state, request, &context);
	for (size_t i = 0; i < request->n_commands; i++)
		if (!core_execute_command(transition, request->commands[i], &context, error))
			return false;
	return true;
}

/*
 * completion_next_task -- creates the next workflow task if there is reason for
 * one, and starts it for the caller if it asked for that.
 */
void
completion_next_task(ServiceCall *call, Transition *transition,
					 const Pb__RespondWorkflowTaskCompletedRequest *request,
					 TimestampTz original_scheduled_time)
{
	ExecutionState *state = transition->state;
	bool		heartbeat = request->force_create_new_workflow_task &&
		request->n_commands == 0 && request->n_messages == 0;

	if (!state_is_open(state) ||
		!(request->force_create_new_workflow_task || transition->force_task ||
		  state->buffer != NIL))
		return;
	core_schedule_workflow_task(transition);
	if (request->return_new_workflow_task)
		core_start_workflow_task(transition, state->run->workflow_task->queue, INLINE_REQUEST_ID,
								 request->identity, &call->limits);
	if (heartbeat)
		state->run->workflow_task->original_scheduled_time = original_scheduled_time;
}

/*
 * completion_refuse -- writes the failure that a refused command leaves, and
 * refuses the call.  "transition" is at the started task.
 *
 * A later attempt leaves nothing, not even a termination: the call fails and
 * the task runs into its timeout, which slows the worker down.
 */
void
completion_refuse(ServiceCall *call, Transition *transition,
				  const Pb__RespondWorkflowTaskCompletedRequest *request,
				  const CommandError *error)
{
	Pbi__RunState *run = transition->state->run;
	bool		unhandled = error->cause == CAUSE(UNHANDLED_COMMAND);

	if (run->workflow_task->attempt > 1 && !unhandled)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_COMMAND), errmsg("%s", error->message)));
	core_fail_workflow_task(transition, &(TaskFailure) {
		.cause = error->cause, .failure = core_server_failure(error->message, true),
		.identity = request->identity, .binary_checksum = request->binary_checksum,
		.worker_version = request->worker_version_stamp
	});
	run->close_attempted = unhandled;
	if (error->terminate)
		core_terminate(transition, error->message, NULL, HISTORY_SERVICE, 0, NULL);
	else
		core_schedule_workflow_task(transition);
	service_commit(call, transition);
	service_refuse(call, ERRCODE_TEMPORAL_BAD_COMMAND, error->message);
}
