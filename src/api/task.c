/*
 * task.c
 *	  Polling, completing and heartbeats, as SQL workers call them.
 *
 * What a worker calls for every task makes its request here; the other answers
 * to a task are made of temporal.rpc() in SQL.
 */
#include "postgres.h"

#include "api/call.h"
#include "base/argument.h"
#include "base/compat.h"
#include "funcapi.h"
#include "proto/json.h"
#include "proto/lexical.h"
#include "proto/payload.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define TASK_COLUMNS 12

PG_FUNCTION_INFO_V1(temporal_poll_workflow_task);
PG_FUNCTION_INFO_V1(temporal_complete_workflow_task);
PG_FUNCTION_INFO_V1(temporal_poll_activity_tasks);
PG_FUNCTION_INFO_V1(temporal_complete_activity_task);
PG_FUNCTION_INFO_V1(temporal_heartbeat_activity_task);

static MemoryContext
begin_request(void)
{
	return MemoryContextSwitchTo(AllocSetContextCreate(CurrentMemoryContext, "temporal request",
													   ALLOCSET_DEFAULT_SIZES));
}

/* Back to the caller's context with a copy of the result, which may be NULL. */
static Jsonb *
end_request(MemoryContext caller, Jsonb *result)
{
	MemoryContext own = MemoryContextSwitchTo(caller);

	if (result != NULL)
		result = DatumGetJsonbPCopy(JsonbPGetDatum(result));
	MemoryContextDelete(own);
	return result;
}

static ProtobufCBinaryData
token_argument(FunctionCallInfo fcinfo)
{
	char	   *text = argument_text(fcinfo, 0, NULL);
	ProtobufCBinaryData token;

	if (!base64_decode(text, strlen(text), &token.data, &token.len))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_JSON),
				 errmsg("invalid value for \"taskToken\": \"%s\"", text),
				 errdetail("Expected %s.", "a string of base64")));
	return token;
}

static Pb__Payloads *
payloads_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return NULL;
	return core_payloads(payload_from_jsonb(PG_GETARG_JSONB_P(argument)));
}

/*
 * temporal.poll_workflow_task(task_queue, identity, namespace, sticky_queue)
 * returns jsonb
 */
Datum
temporal_poll_workflow_task(PG_FUNCTION_ARGS)
{
	MemoryContext caller = begin_request();
	Pb__PollWorkflowTaskQueueRequest request = PB__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	Pb__PollWorkflowTaskQueueResponse *response;
	Jsonb	   *task = NULL;

	queue.name = argument_text(fcinfo, 0, NULL);
	if (!PG_ARGISNULL(3))
	{
		queue.normal_name = queue.name;
		queue.name = argument_text(fcinfo, 3, NULL);
		queue.kind = QUEUE_KIND(STICKY);
	}
	request.task_queue = &queue;
	request.identity = argument_identity(fcinfo, 1);
	request.namespace_ = argument_text(fcinfo, 2, NULL);
	response = (Pb__PollWorkflowTaskQueueResponse *)
		service_invoke("PollWorkflowTaskQueue", &request);
	if (response != NULL && response->task_token.len > 0)
		task = message_to_json(&response->base, true);
	task = end_request(caller, task);
	if (task == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(task);
}

/* The commands are read as part of a request: errors then name their place. */
static Pb__RespondWorkflowTaskCompletedRequest *
completion_request(FunctionCallInfo fcinfo)
{
	JsonbParseState *state = NULL;
	JsonbValue	value = {.type = jbvString};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (!PG_ARGISNULL(1))
	{
		Jsonb	   *commands = PG_GETARG_JSONB_P(1);

		value.val.string.val = "commands";
		value.val.string.len = strlen(value.val.string.val);
		pushJsonbValue(&state, WJB_KEY, &value);
		value.type = jbvBinary;
		value.val.binary.data = &commands->root;
		value.val.binary.len = VARSIZE(commands) - VARHDRSZ;
		if (JB_ROOT_IS_SCALAR(commands))
			JsonbExtractScalar(&commands->root, &value);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return json_to_message(&pb__respond_workflow_task_completed_request__descriptor,
						   JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * temporal.complete_workflow_task(task_token, commands, identity, namespace)
 * returns jsonb
 */
Datum
temporal_complete_workflow_task(PG_FUNCTION_ARGS)
{
	MemoryContext caller = begin_request();
	Pb__RespondWorkflowTaskCompletedRequest *request = completion_request(fcinfo);

	request->task_token = token_argument(fcinfo);
	request->identity = argument_identity(fcinfo, 2);
	request->namespace_ = argument_text(fcinfo, 3, NULL);
	PG_RETURN_JSONB_P(end_request(caller, api_answer("RespondWorkflowTaskCompleted", request)));
}

/* A row of poll_activity_tasks(). */
static void
put_activity_task(ReturnSetInfo *result, const Pb__PollActivityTaskQueueResponse *task)
{
	Datum		values[TASK_COLUMNS] = {0};
	bool		nulls[TASK_COLUMNS] = {0};
	Jsonb	   *input = payloads_to_jsonb(task->input);
	Jsonb	   *details = payloads_to_jsonb(task->heartbeat_details);
	TimestampTz started = proto_timestamp_us(task->started_time);
	int64		timeout = task->start_to_close_timeout == NULL ? 0 :
		proto_duration_us(task->start_to_close_timeout);
	pg_uuid_t	run_id;

	if (!ident_parse_uuid(task->workflow_execution->run_id, &run_id))
		elog(ERROR, "invalid run id: \"%s\"", task->workflow_execution->run_id);
	values[0] = CStringGetTextDatum(base64_encode(task->task_token.data, task->task_token.len));
	values[1] = CStringGetTextDatum(task->activity_id);
	values[2] = CStringGetTextDatum(task->activity_type->name);
	values[3] = CStringGetTextDatum(task->workflow_type->name);
	values[4] = CStringGetTextDatum(task->workflow_execution->workflow_id);
	values[5] = UUIDPGetDatum(&run_id);
	values[6] = Int32GetDatum(task->attempt);
	nulls[7] = input == NULL;
	if (input != NULL)
		values[7] = JsonbPGetDatum(input);
	nulls[8] = details == NULL;
	if (details != NULL)
		values[8] = JsonbPGetDatum(details);
	values[9] = TimestampTzGetDatum(proto_timestamp_us(task->scheduled_time));
	values[10] = TimestampTzGetDatum(started);
	values[11] = TimestampTzGetDatum(started + timeout);
	nulls[11] = timeout <= 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * temporal.poll_activity_tasks(task_queue, identity, max_tasks, namespace)
 * returns setof record
 */
Datum
temporal_poll_activity_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int32		max_tasks = PG_ARGISNULL(2) ? 1 : PG_GETARG_INT32(2);
	MemoryContext caller;

	InitMaterializedSRF(fcinfo, 0);
	caller = begin_request();
	for (int32 i = 0; i < max_tasks; i++)
	{
		Pb__PollActivityTaskQueueRequest request = PB__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
		Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
		Pb__PollActivityTaskQueueResponse *task;

		queue.name = argument_text(fcinfo, 0, NULL);
		request.task_queue = &queue;
		request.identity = argument_identity(fcinfo, 1);
		request.namespace_ = argument_text(fcinfo, 3, NULL);
		task = (Pb__PollActivityTaskQueueResponse *)
			service_invoke("PollActivityTaskQueue", &request);
		if (task == NULL || task->task_token.len == 0)
			break;
		put_activity_task(result, task);
		MemoryContextReset(CurrentMemoryContext);
	}
	end_request(caller, NULL);
	return (Datum) 0;
}

/* temporal.complete_activity_task(task_token, result, identity, namespace) */
Datum
temporal_complete_activity_task(PG_FUNCTION_ARGS)
{
	MemoryContext caller = begin_request();
	Pb__RespondActivityTaskCompletedRequest request =
		PB__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

	request.task_token = token_argument(fcinfo);
	request.result = payloads_argument(fcinfo, 1);
	request.identity = argument_identity(fcinfo, 2);
	request.namespace_ = argument_text(fcinfo, 3, NULL);
	service_invoke("RespondActivityTaskCompleted", &request);
	end_request(caller, NULL);
	PG_RETURN_VOID();
}

/*
 * temporal.heartbeat_activity_task(task_token, details, identity, namespace)
 * returns (cancel_requested, activity_paused, activity_reset)
 */
Datum
temporal_heartbeat_activity_task(PG_FUNCTION_ARGS)
{
	MemoryContext caller = begin_request();
	Pb__RecordActivityTaskHeartbeatRequest request = PB__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;
	Pb__RecordActivityTaskHeartbeatResponse *response;
	TupleDesc	row_type;
	Datum		values[3] = {0};
	bool		nulls[3] = {0};

	request.task_token = token_argument(fcinfo);
	request.details = payloads_argument(fcinfo, 1);
	request.identity = argument_identity(fcinfo, 2);
	request.namespace_ = argument_text(fcinfo, 3, NULL);
	response = (Pb__RecordActivityTaskHeartbeatResponse *)
		service_invoke("RecordActivityTaskHeartbeat", &request);
	if (response != NULL)
	{
		values[0] = BoolGetDatum(response->cancel_requested);
		values[1] = BoolGetDatum(response->activity_paused);
		values[2] = BoolGetDatum(response->activity_reset);
	}
	end_request(caller, NULL);
	if (get_call_result_type(fcinfo, NULL, &row_type) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row_type), values, nulls)));
}
