/*
 * decide_signal.c
 *	  A signal arrives at an execution.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

/*
 * core_signal -- records it and sees to it that a worker looks.
 *
 * While the first workflow task waits for its time a plain signal waits with
 * it; signal-with-start does not.
 */
void
core_signal(Transition *transition, const SignalParameters *signal)
{
	ExecutionState *state = transition->state;
	Pb__WorkflowExecutionSignaledEventAttributes *attributes;
	Pb__HistoryEvent *event = event_new(EVENT(WORKFLOW_EXECUTION_SIGNALED), transition->now,
										&attributes);

	attributes->signal_name = signal->name;
	attributes->input = unconstify(Pb__Payloads *, signal->input);
	attributes->header = unconstify(Pb__Header *, signal->header);
	attributes->identity = signal->identity;
	attributes->request_id = signal->request_id;
	attributes->external_workflow_execution =
		unconstify(Pb__WorkflowExecution *, signal->external);
	event->n_links = signal->n_links;
	event->links = signal->links;
	transition_append(transition, event);
	if (signal->request_id[0] != '\0')
		transition->signal_request_id = signal->request_id;
	if (state->run->first_task_scheduled || signal->skips_backoff)
		core_want_workflow_task(transition);
}
