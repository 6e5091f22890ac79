/*
 * rpc.c
 *	  temporal.rpc(): the service layer in JSON.
 */
#include "postgres.h"

#include "api/call.h"
#include "fmgr.h"
#include "proto/json.h"
#include "service/service.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(temporal_rpc);

/*
 * A refusal in JSON.  It must not be raised: what the refused call recorded
 * would be rolled back with it.
 */
static Jsonb *
refusal_json(const ServiceCall *call)
{
	StringInfoData json;
	const char *sqlstate = unpack_sql_state(call->refusal_sqlstate);
	char		digit = sqlstate[2];

	initStringInfo(&json);
	appendStringInfo(&json, "{\"error\":{\"code\":%d,\"sqlstate\":\"%s\",\"message\":",
					 digit >= 'A' ? digit - 'A' + 10 : digit - '0', sqlstate);
	escape_json(&json, call->refusal_message);
	appendStringInfoString(&json, "}}");
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static Jsonb *
answer(const ServiceMethod *method, const void *request)
{
	ServiceCall call;
	ProtobufCMessage *response;

	service_begin(&call);
	response = service_call(&call, method, request);
	if (call.refusal_sqlstate == 0)
		return message_to_json(response, true);
	service_warn_refused(&call);
	return refusal_json(&call);
}

Jsonb *
api_answer(const char *method, const void *request)
{
	return answer(service_find_method(method), request);
}

/*
 * temporal.rpc(method text, request jsonb) returns jsonb
 */
Datum
temporal_rpc(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const ServiceMethod *method = service_find_method(name);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "temporal request", ALLOCSET_DEFAULT_SIZES);
	Jsonb	   *result;

	if (method == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_UNIMPLEMENTED),
				 errmsg("unknown method %s for service temporal.api.workflowservice.v1.WorkflowService",
						name)));
	MemoryContextSwitchTo(own);
	result = answer(method, json_to_message(method->request, PG_GETARG_JSONB_P(1)));
	MemoryContextSwitchTo(caller);
	result = DatumGetJsonbPCopy(PointerGetDatum(result));
	MemoryContextDelete(own);
	PG_RETURN_JSONB_P(result);
}
