/*
 * call.h
 *	  What the SQL functions share.
 */
#ifndef TEMPORAL_API_CALL_H
#define TEMPORAL_API_CALL_H

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "service/service.h"
#include "utils/jsonb.h"

/* rpc.c: calls a method by name; warns of a refusal and returns NULL for it. */
extern ProtobufCMessage *api_call(const char *method, const void *request);
extern void api_warn_refused(const ServiceCall *call);

/* payload.c */
extern Jsonb *api_payloads_value(const Pb__Payloads *payloads);

/* client.c */
extern char *api_text_argument(FunctionCallInfo fcinfo, int argument, const char *otherwise);
extern char *api_identity(FunctionCallInfo fcinfo, int argument);
extern int64 api_interval_argument(FunctionCallInfo fcinfo, int argument);
extern bool api_fetch_result(const Pb__WorkflowExecution *execution, const char *namespace_name,
							 Jsonb **result, char **run_id);

extern void api_put_event(ReturnSetInfo *result, const Pb__HistoryEvent *event);

/* wait.c: procedures that commit and wait. */
extern void api_begin_waiting(FunctionCallInfo fcinfo, const char *name);
extern void api_end_waiting(void);
extern void api_begin_step(void);
extern void api_end_step(void);
extern TimestampTz api_deadline(FunctionCallInfo fcinfo, int argument);

#endif							/* TEMPORAL_API_CALL_H */
