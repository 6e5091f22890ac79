/*
 * cancel.c
 *	  Asking a run to end, ending it, removing it.
 */
#include "postgres.h"

#include "service/service.h"

ProtobufCMessage *
service_request_cancel_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__RequestCancelWorkflowExecutionRequest *request = message;
	ExecutionState *state = service_lock_open(call, request->workflow_execution,
											  request->first_execution_run_id);
	Transition *transition = transition_new(state, call->now);

	if (state_is_open(state) && !state->run->cancel_requested)
	{
		core_request_cancel(transition, request->reason, request->identity, NULL, 0);
		service_commit(call, transition);
	}
	return proto_new(&pb__request_cancel_workflow_execution_response__descriptor);
}

ProtobufCMessage *
service_terminate_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__TerminateWorkflowExecutionRequest *request = message;
	ExecutionState *state = service_lock_open(call, request->workflow_execution,
											  request->first_execution_run_id);
	Transition *transition = transition_new(state, call->now);

	if (!state_is_open(state))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_EXECUTION_CLOSED),
				 errmsg("workflow execution already completed")));
	if (request->details != NULL &&
		protobuf_c_message_get_packed_size(&request->details->base) > BLOB_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_LIMIT_EXCEEDED),
				 errmsg("Blob data size exceeds limit.")));
	core_terminate(transition, request->reason, request->details, request->identity);
	service_commit(call, transition);
	return proto_new(&pb__terminate_workflow_execution_response__descriptor);
}

/*
 * An open run is terminated first.  Its rows go when its retention timer fires,
 * which is due at once.
 */
ProtobufCMessage *
service_delete_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__DeleteWorkflowExecutionRequest *request = message;
	ExecutionState *state = service_load_execution(call, request->workflow_execution, LOCK_WAIT);
	Transition *transition = transition_new(state, call->now);

	if (state_is_open(state))
	{
		core_terminate(transition, "Delete workflow execution", NULL, HISTORY_SERVICE);
		transition_close(transition, 0);
		store_commit(transition, 0);
	}
	else
	{
		transition_add_timer(transition, TIMER_RETENTION, call->now, 0);
		store_commit_timers(transition);
	}
	return proto_new(&pb__delete_workflow_execution_response__descriptor);
}
