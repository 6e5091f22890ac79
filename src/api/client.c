/*
 * client.c
 *	  Starting and signalling a workflow, its history, its result.
 */
#include "postgres.h"

#include "api/call.h"
#include "base/argument.h"
#include "base/clock.h"
#include "base/compat.h"
#include "funcapi.h"
#include "proto/json.h"
#include "proto/payload.h"
#include "service/registration.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(temporal_start_workflow);
PG_FUNCTION_INFO_V1(temporal_signal_workflow);
PG_FUNCTION_INFO_V1(temporal_history);
PG_FUNCTION_INFO_V1(temporal_workflow_result);

static Pb__Duration *
duration_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : proto_duration(argument_interval(fcinfo, argument));
}

/* The value of "input", or the values of "inputs". */
static Pb__Payloads *
input_arguments(FunctionCallInfo fcinfo, int input, int inputs)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
	Pb__Payloads *payloads = proto_new(&pb__payloads__descriptor);

	if (PG_ARGISNULL(inputs))
		return PG_ARGISNULL(input) ? NULL :
			core_payloads(payload_from_jsonb(PG_GETARG_JSONB_P(input)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(inputs), JSONBOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &n);
	payloads->payloads = palloc((n + 1) * sizeof(Pb__Payload *));
	for (int i = 0; i < n; i++)
		payloads->payloads[payloads->n_payloads++] = nulls[i] ? core_json_payload("null") :
			payload_from_jsonb(DatumGetJsonbP(values[i]));
	return payloads;
}

/* An object as a map of payloads, with entries of the given type. */
static void **
map_argument(FunctionCallInfo fcinfo, int argument, const ProtobufCMessageDescriptor *entry_type,
			 size_t *n)
{
	Jsonb	   *json;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	void	  **entries;
	Pb__Memo__FieldsEntry *entry = NULL;

	*n = 0;
	if (PG_ARGISNULL(argument))
		return NULL;
	json = PG_GETARG_JSONB_P(argument);
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("memo and search_attributes must be JSON objects")));
	entries = palloc((JB_ROOT_COUNT(json) + 1) * sizeof(void *));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		/* The entries of both maps have the same two fields. */
		if (token == WJB_KEY)
		{
			entry = proto_new(entry_type);
			entry->key = pnstrdup(value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			entry->value = payload_from_jsonb(JsonbValueToJsonb(&value));
			entries[(*n)++] = entry;
		}
	}
	return entries;
}

static int
policy_argument(FunctionCallInfo fcinfo, int argument, const ProtobufCEnumDescriptor *type)
{
	char	   *name;

	if (PG_ARGISNULL(argument))
		return 0;
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	for (unsigned i = 0; i < type->n_values; i++)
		if (strcmp(type->values[i].name, name) == 0 ||
			strcmp(enum_short_name(type, type->values[i].value), name) == 0)
			return type->values[i].value;
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
			 errmsg("invalid policy: \"%s\"", name),
			 errhint("Write it as %s, for example.", enum_short_name(type, 1))));
}

/* Those that are made together lie together in the indexes. */
static char *
new_workflow_id(void)
{
	pg_uuid_t	id = ident_new_run_id(clock_now());

	return ident_uuid_text(&id);
}

static Pb__StartWorkflowExecutionRequest *
start_request(FunctionCallInfo fcinfo)
{
	Pb__StartWorkflowExecutionRequest *request =
		proto_new(&pb__start_workflow_execution_request__descriptor);

	request->workflow_type = proto_new(&pb__workflow_type__descriptor);
	request->workflow_type->name = argument_text(fcinfo, 0, NULL);
	request->input = input_arguments(fcinfo, 1, 5);
	request->workflow_id = PG_ARGISNULL(2) ? new_workflow_id() : argument_text(fcinfo, 2, NULL);
	request->task_queue = proto_new(&pb__task_queue__descriptor);
	request->task_queue->name = PG_ARGISNULL(3) ?
		service_workflow_queue(argument_text(fcinfo, 4, NULL), request->workflow_type->name) :
		argument_text(fcinfo, 3, NULL);
	request->namespace_ = argument_text(fcinfo, 4, "default");
	request->request_id = argument_text(fcinfo, 6, NULL);
	request->workflow_id_reuse_policy =
		policy_argument(fcinfo, 7, &pb__workflow_id_reuse_policy__descriptor);
	request->workflow_id_conflict_policy =
		policy_argument(fcinfo, 8, &pb__workflow_id_conflict_policy__descriptor);
	request->workflow_execution_timeout = duration_argument(fcinfo, 9);
	request->workflow_run_timeout = duration_argument(fcinfo, 10);
	request->workflow_task_timeout = duration_argument(fcinfo, 11);
	request->workflow_start_delay = duration_argument(fcinfo, 12);
	if (!PG_ARGISNULL(13))
	{
		request->memo = proto_new(&pb__memo__descriptor);
		request->memo->fields = (Pb__Memo__FieldsEntry **)
			map_argument(fcinfo, 13, &pb__memo__fields_entry__descriptor, &request->memo->n_fields);
	}
	if (!PG_ARGISNULL(14))
	{
		request->search_attributes = proto_new(&pb__search_attributes__descriptor);
		request->search_attributes->indexed_fields = (Pb__SearchAttributes__IndexedFieldsEntry **)
			map_argument(fcinfo, 14, &pb__search_attributes__indexed_fields_entry__descriptor,
						 &request->search_attributes->n_indexed_fields);
	}
	if (!PG_ARGISNULL(15))
	{
		request->priority = proto_new(&pb__priority__descriptor);
		request->priority->priority_key = PG_GETARG_INT32(15);
	}
	if (!PG_ARGISNULL(16))
	{
		request->user_metadata = proto_new(&pb__user_metadata__descriptor);
		request->user_metadata->summary = core_text_payload(argument_text(fcinfo, 16, NULL));
	}
	request->identity = argument_identity(fcinfo, 17);
	return request;
}

/*
 * api_start_workflow -- as start_workflow(); the run's id, or zero, and its workflow id.
 *
 * "created" says that the run is of this transaction.  A request that has an id
 * may be the repetition of one before, which is answered as that one was.
 */
pg_uuid_t
api_start_workflow(FunctionCallInfo fcinfo, Pb__WorkflowExecution *execution, bool *created)
{
	Pb__StartWorkflowExecutionRequest *request = start_request(fcinfo);
	bool		first = request->request_id[0] == '\0';
	const Pb__StartWorkflowExecutionResponse *response;
	pg_uuid_t	run_id = {{0}};
	ServiceCall call;

	service_begin(&call);
	call.new_id = PG_ARGISNULL(2);
	response = (const Pb__StartWorkflowExecutionResponse *)
		service_invoke_call(&call, "StartWorkflowExecution", request);
	execution->workflow_id = request->workflow_id;
	if (response != NULL)
		(void) ident_parse_uuid(response->run_id, &run_id);
	*created = response != NULL && response->started && first;
	return run_id;
}

/*
 * temporal.start_workflow(...) returns text
 *
 * As start_workflow_run(), without JSON in between: it is called by triggers,
 * and for many rows by one statement.
 */
Datum
temporal_start_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "temporal start", ALLOCSET_DEFAULT_SIZES);
	Pb__WorkflowExecution execution = PB__WORKFLOW_EXECUTION__INIT;
	text	   *workflow_id;
	bool		created;

	MemoryContextSwitchTo(own);
	(void) api_start_workflow(fcinfo, &execution, &created);
	MemoryContextSwitchTo(caller);
	workflow_id = cstring_to_text(execution.workflow_id);
	MemoryContextDelete(own);
	PG_RETURN_TEXT_P(workflow_id);
}

static Pb__WorkflowExecution *
execution_arguments(FunctionCallInfo fcinfo, int run_id)
{
	Pb__WorkflowExecution *execution = proto_new(&pb__workflow_execution__descriptor);

	execution->workflow_id = argument_text(fcinfo, 0, NULL);
	if (!PG_ARGISNULL(run_id))
		execution->run_id = ident_uuid_text(PG_GETARG_UUID_P(run_id));
	return execution;
}

/*
 * temporal.signal_workflow(workflow_id, signal_name, input, request_id, run_id,
 *							namespace, inputs, identity)
 */
Datum
temporal_signal_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "temporal signal", ALLOCSET_DEFAULT_SIZES);
	Pb__SignalWorkflowExecutionRequest request = PB__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;

	MemoryContextSwitchTo(own);
	request.workflow_execution = execution_arguments(fcinfo, 4);
	request.signal_name = argument_text(fcinfo, 1, NULL);
	request.input = input_arguments(fcinfo, 2, 6);
	request.request_id = argument_text(fcinfo, 3, NULL);
	request.namespace_ = argument_text(fcinfo, 5, NULL);
	request.identity = argument_identity(fcinfo, 7);
	service_invoke("SignalWorkflowExecution", &request);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	PG_RETURN_VOID();
}

/* api_put_event -- a row of event_id, event_time, event_type, attributes. */
void
api_put_event(ReturnSetInfo *result, const Pb__HistoryEvent *event)
{
	Datum		values[4];
	bool		nulls[4] = {0};
	ProtobufCMessage *attributes = event_attributes(event);

	values[0] = Int64GetDatum(event->event_id);
	values[1] = TimestampTzGetDatum(proto_timestamp_us(event->event_time));
	values[2] = CStringGetTextDatum(event_type_name(event->event_type));
	values[3] = JsonbPGetDatum(message_to_json(attributes, true));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* temporal.history(workflow_id, run_id, namespace) returns setof record */
Datum
temporal_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Pb__GetWorkflowExecutionHistoryRequest request = PB__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext page = AllocSetContextCreate(caller, "temporal history", ALLOCSET_DEFAULT_SIZES);

	InitMaterializedSRF(fcinfo, 0);
	request.execution = execution_arguments(fcinfo, 1);
	request.namespace_ = argument_text(fcinfo, 2, "default");
	do
	{
		Pb__GetWorkflowExecutionHistoryResponse *response;

		MemoryContextSwitchTo(page);
		response = (Pb__GetWorkflowExecutionHistoryResponse *)
			service_invoke("GetWorkflowExecutionHistory", &request);
		for (size_t i = 0; i < response->history->n_events; i++)
			api_put_event(result, response->history->events[i]);
		MemoryContextSwitchTo(caller);
		request.next_page_token.len = response->next_page_token.len;
		request.next_page_token.data = palloc(response->next_page_token.len + 1);
		if (response->next_page_token.len > 0)
			memcpy(request.next_page_token.data, response->next_page_token.data,
				   response->next_page_token.len);
		MemoryContextReset(page);
	} while (request.next_page_token.len > 0);
	MemoryContextDelete(page);
	return (Datum) 0;
}

/* ---- results ---- */

/* "outer: inner: innermost" */
static char *
failure_message(const Pb__Failure *failure)
{
	StringInfoData message;

	initStringInfo(&message);
	for (; failure != NULL; failure = failure->cause)
	{
		if (message.len > 0)
			appendStringInfoString(&message, ": ");
		appendStringInfoString(&message, failure->message);
	}
	return message.data;
}

static void
raise_failure(int sqlstate, const char *what, const Pb__Failure *failure)
{
	Jsonb	   *json = message_to_json(&failure->base, true);
	char	   *text = JsonbToCString(NULL, &json->root, VARSIZE(json));

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s: %s", what, failure_message(failure)),
			 errdetail_internal("%s", text)));
}

/* api_closing_result -- the result that it carries; raises what is not one. */
Jsonb *
api_closing_result(const Pb__HistoryEvent *event, const char *workflow_id)
{
	switch (event->event_type)
	{
		case EVENT(WORKFLOW_EXECUTION_COMPLETED):
			return payloads_to_jsonb(event->workflow_execution_completed_event_attributes->result);
		case EVENT(WORKFLOW_EXECUTION_FAILED):
			raise_failure(ERRCODE_TEMPORAL_WORKFLOW_FAILED,
						  psprintf("workflow \"%s\" failed", workflow_id),
						  event->workflow_execution_failed_event_attributes->failure);
			break;
		case EVENT(WORKFLOW_EXECUTION_CANCELED):
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_WORKFLOW_CANCELED),
					 errmsg("workflow \"%s\" was canceled", workflow_id)));
			break;
		case EVENT(WORKFLOW_EXECUTION_TERMINATED):
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_WORKFLOW_TERMINATED),
					 errmsg("workflow \"%s\" was terminated: %s", workflow_id,
							event->workflow_execution_terminated_event_attributes->reason)));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_WORKFLOW_TIMED_OUT),
					 errmsg("workflow \"%s\" timed out", workflow_id)));
	}
	return NULL;				/* keep compiler quiet */
}

/*
 * api_fetch_result -- false while the workflow is running: then call->watch
 * has been told of the run, and call->wait.run_id says which one it is.
 */
bool
api_fetch_result(ServiceCall *call, const Pb__WorkflowExecution *execution,
				 const char *namespace_name, Jsonb **result)
{
	Pb__GetWorkflowExecutionHistoryRequest request = PB__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	const Pb__GetWorkflowExecutionHistoryResponse *response;

	request.namespace_ = namespace_name;
	request.execution = unconstify(Pb__WorkflowExecution *, execution);
	request.wait_new_event = true;
	request.history_event_filter_type =
		PB__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
	response = (const Pb__GetWorkflowExecutionHistoryResponse *)
		service_call(call, service_find_method("GetWorkflowExecutionHistory"), &request);
	if (response->history->n_events == 0)
		return false;
	*result = api_closing_result(response->history->events[0], execution->workflow_id);
	return true;
}

/* temporal.workflow_result(workflow_id, run_id, namespace) returns jsonb */
Datum
temporal_workflow_result(PG_FUNCTION_ARGS)
{
	Pb__WorkflowExecution *execution = execution_arguments(fcinfo, 1);
	ServiceCall call;
	Jsonb	   *result;

	service_begin(&call);
	if (!api_fetch_result(&call, execution, argument_text(fcinfo, 2, "default"), &result))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_STILL_RUNNING),
				 errmsg("workflow \"%s\" is still running", execution->workflow_id),
				 errhint("CALL temporal.await_result() waits for it.")));
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}
