/*
 * signal.c
 *	  SignalWorkflowExecution, and what every delivery of a signal checks.
 */
#include "postgres.h"

#include "service/service.h"

#define MAX_SIGNALS 10000

/*
 * service_apply_signal -- delivers a signal to a locked run.
 *
 * False if its request id was delivered before, also to a run that has closed
 * since.  Commits the transition otherwise.
 */
bool
service_apply_signal(ServiceCall *call, ExecutionState *state, const SignalParameters *signal,
					 Transition *transition)
{
	if (signal->request_id[0] != '\0' && store_signal_seen(&state->key, signal->request_id))
		return false;
	if (!state_is_open(state))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_EXECUTION_CLOSED),
				 errmsg("workflow execution already completed")));
	if (state->run->signal_count >= MAX_SIGNALS)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_LIMIT_EXCEEDED),
				 errmsg("exceeded workflow execution limit for signal events")));
	if (state->run->close_attempted && state_task_started(state))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BUSY_WORKFLOW),
				 errmsg("workflow operation can not be applied because workflow is closing")));
	core_signal(transition, signal);
	service_commit(call, transition);
	return true;
}

ProtobufCMessage *
service_signal_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__SignalWorkflowExecutionRequest *request = message;
	SignalParameters signal = {
		.name = request->signal_name, .input = request->input, .header = request->header,
		.identity = request->identity, .request_id = request->request_id,
		.n_links = request->n_links, .links = request->links
	};
	ExecutionState *state;

	service_require_id(request->signal_name, "SignalName");
	service_limit_input(request->input, request->header);
	state = service_load_execution(call, request->workflow_execution, LOCK_WAIT);
	service_apply_signal(call, state, &signal, transition_new(state, call->now));
	return proto_new(&pb__signal_workflow_execution_response__descriptor);
}
