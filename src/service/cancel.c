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
	CancelParameters cancel = {
		.cause = request->reason, .identity = request->identity,
		.n_links = request->n_links, .links = request->links
	};
	ExecutionState *state = service_lock_open(call, request->workflow_execution,
											  request->first_execution_run_id);
	Transition *transition = transition_new(state, call->now);

	if (state_is_open(state) && !state->run->cancel_requested)
	{
		core_request_cancel(transition, &cancel);
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
	service_limit_input(request->details, NULL);
	core_terminate(transition, request->reason, request->details, request->identity,
				   request->n_links, request->links);
	service_commit(call, transition);
	return proto_new(&pb__terminate_workflow_execution_response__descriptor);
}

/*
 * An open run is terminated first.  Its rows go when a timer fires that is due
 * at once.
 */
ProtobufCMessage *
service_delete_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__DeleteWorkflowExecutionRequest *request = message;
	ExecutionState *state = service_load_execution(call, request->workflow_execution, LOCK_WAIT);
	Transition *transition = transition_new(state, call->now);

	if (state_is_open(state))
	{
		core_terminate(transition, "Delete workflow execution", NULL, HISTORY_SERVICE, 0, NULL);
		service_commit(call, transition);
	}
	store_insert_timer(&(TimerRow) {.key = state->key, .kind = TIMER_RETENTION, .fire_at = call->now});
	return proto_new(&pb__delete_workflow_execution_response__descriptor);
}
