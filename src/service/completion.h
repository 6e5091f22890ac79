/*
 * completion.h
 *	  The answer to a workflow task, in its parts.
 */
#ifndef TEMPORAL_SERVICE_COMPLETION_H
#define TEMPORAL_SERVICE_COMPLETION_H

#include "service/service.h"

extern ExecutionState *completion_lock(ServiceCall *call, const ProtobufCBinaryData *bytes,
									   size_t n_commands, Pb__Command **commands);
extern void completion_lock_cancelled(ExecutionState *state,
									  const Pb__RespondWorkflowTaskCompletedRequest *request);
extern void completion_check(const Pb__RespondWorkflowTaskCompletedRequest *request);
extern bool completion_execute(ServiceCall *call, Transition *transition,
							   const Pb__RespondWorkflowTaskCompletedRequest *request,
							   CommandError *error);
extern void completion_next_task(ServiceCall *call, Transition *transition,
								 const Pb__RespondWorkflowTaskCompletedRequest *request,
								 TimestampTz original_scheduled_time);
extern void completion_refuse(ServiceCall *call, Transition *transition,
							  const Pb__RespondWorkflowTaskCompletedRequest *request,
							  const CommandError *error);

#endif							/* TEMPORAL_SERVICE_COMPLETION_H */
