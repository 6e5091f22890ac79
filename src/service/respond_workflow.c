/*
 * respond_workflow.c
 *	  Workers answer workflow tasks.
 *
 * A completion is tried on the loaded state.  If a command is refused, that
 * state is thrown away, the run is read again (its lock is still held), and
 * the failure of the task is what gets written.
 */
#include "postgres.h"

#include "service/completion.h"

/* Local activities have kept the task too long: it is taken away. */
static void
expire_heartbeat(ServiceCall *call, ExecutionState *state)
{
	Transition *transition = transition_new(state, call->now);

	core_time_out_workflow_task(transition, TIMEOUT_TYPE(START_TO_CLOSE));
	core_schedule_workflow_task(transition);
	service_commit(call, transition);
	service_refuse(call, ERRCODE_TEMPORAL_TASK_NOT_FOUND, "workflow task heartbeat timeout");
}

/* Eager activities start for the completing worker, if they still exist. */
static List *
start_eager(Transition *transition, const char *identity)
{
	List	   *started = NIL;
	ListCell   *cell;

	if (!state_is_open(transition->state))
		return NIL;
	foreach(cell, transition->eager)
	{
		PendingActivity *activity = lfirst(cell);

		if (activity->change != ROW_INSERTED)
			continue;
		core_start_activity_within(transition, activity, ident_random_id(), identity);
		started = lappend(started, activity);
	}
	return started;
}

static ProtobufCMessage *
completion_answer(const ServiceCall *call, const ExecutionState *state, List *eager,
				  bool inline_task)
{
	Pb__RespondWorkflowTaskCompletedResponse *response =
		proto_new(&pb__respond_workflow_task_completed_response__descriptor);
	ListCell   *cell;

	if (inline_task)
		response->workflow_task = answer_workflow_task(state, HISTORY_NEW);
	response->activity_tasks = palloc((list_length(eager) + 1) * sizeof(void *));
	foreach(cell, eager)
		response->activity_tasks[response->n_activity_tasks++] =
			answer_activity_task(call, state, lfirst(cell));
	return &response->base;
}

ProtobufCMessage *
service_respond_workflow_task_completed(ServiceCall *call, const void *message)
{
	const Pb__RespondWorkflowTaskCompletedRequest *request = message;
	ExecutionState *state = completion_lock(call, &request->task_token, request->n_commands,
											request->commands);
	RunKey		key = state->key;
	TimestampTz original = state->run->workflow_task->original_scheduled_time;
	CommandError error = {0};
	Transition *transition;
	List	   *eager;
	bool		inline_task;

	completion_check(request);
	if (core_heartbeat_expired(state, call->now, request, &call->limits))
	{
		expire_heartbeat(call, state);
		return NULL;
	}
	transition = transition_new(state, call->now);
	if (!completion_execute(call, transition, request, &error))
	{
		transition = transition_new(store_load_run(&key, LOCK_NONE), call->now);
		completion_refuse(call, transition, request, &error);
		return NULL;
	}
	completion_next_task(call, transition, request, original);
	eager = start_eager(transition, request->identity);
	service_commit(call, transition);
	if (call->refusal_sqlstate != 0)
		return NULL;
	inline_task = request->return_new_workflow_task && state_task_started(state);
	return completion_answer(call, state, eager, inline_task);
}

ProtobufCMessage *
service_respond_workflow_task_failed(ServiceCall *call, const void *message)
{
	const Pb__RespondWorkflowTaskFailedRequest *request = message;
	ExecutionState *state = completion_lock(call, &request->task_token, 0, NULL);
	Transition *transition = transition_new(state, call->now);
	TaskFailure failed = {
		request->cause, request->failure, request->identity, request->binary_checksum,
		request->worker_version
	};

	if (request->failure != NULL &&
		protobuf_c_message_get_packed_size(&request->failure->base) > BLOB_LIMIT)
	{
		Pb__Failure *oversized = core_server_failure("Failure exceeds size limit.", true);

		oversized->cause = core_shorten_failure(request->failure, OVERSIZED_CAUSE_LIMIT);
		failed.failure = oversized;
	}
	core_fail_workflow_task(transition, &failed);
	if (request->cause == CAUSE(GRPC_MESSAGE_TOO_LARGE))
		core_terminate(transition,
					   enum_short_name(&pb__workflow_task_failed_cause__descriptor, request->cause),
					   NULL, HISTORY_SERVICE, 0, NULL);
	else
		core_schedule_workflow_task(transition);
	service_commit(call, transition);
	return proto_new(&pb__respond_workflow_task_failed_response__descriptor);
}
