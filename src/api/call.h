/*
 * call.h
 *	  What the SQL functions share.
 */
#ifndef TEMPORAL_API_CALL_H
#define TEMPORAL_API_CALL_H

#include "nodes/execnodes.h"
#include "service/service.h"
#include "utils/jsonb.h"

/* client.c: false while the workflow is running. */
extern bool api_fetch_result(ServiceCall *call, const Pb__WorkflowExecution *execution,
							 const char *namespace_name, Jsonb **result);

/* client.c: the result that the closing event carries; raises what is not one. */
extern Jsonb *api_closing_result(const Pb__HistoryEvent *event, const char *workflow_id);

/*
 * client.c: starts a workflow; its run id, zero if that is not known, and
 * whether this transaction has made it.
 */
extern pg_uuid_t api_start_workflow(FunctionCallInfo fcinfo, Pb__WorkflowExecution *execution,
									bool *created);

/* rpc.c: runs a method; its answer, or a refusal, as JSON. */
extern Jsonb *api_answer(const char *method, const void *request);

/* client.c: a row of event_id, event_time, event_type, attributes. */
extern void api_put_event(ReturnSetInfo *result, const Pb__HistoryEvent *event);

#endif							/* TEMPORAL_API_CALL_H */
