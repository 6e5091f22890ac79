/*
 * info_call.c
 *	  What functions may know of time, chance and themselves.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "exec/function.h"
#include "exec/task.h"
#include "fmgr.h"
#include "proto/lexical.h"
#include "proto/payload.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(temporal_workflow_now);
PG_FUNCTION_INFO_V1(temporal_workflow_random);
PG_FUNCTION_INFO_V1(temporal_workflow_uuid);
PG_FUNCTION_INFO_V1(temporal_is_cancelled);
PG_FUNCTION_INFO_V1(temporal_workflow_info);
PG_FUNCTION_INFO_V1(temporal_activity_info);
PG_FUNCTION_INFO_V1(temporal_complete_later);

/* temporal.workflow_now() returns timestamptz: when the workflow task was started */
Datum
temporal_workflow_now(PG_FUNCTION_ARGS)
{
	const Pass *pass = pass_require("workflow_now");

	PG_RETURN_TIMESTAMPTZ(pass->tasks[pass->task].time);
}

/* temporal.workflow_random() returns double precision: from 0 to below 1 */
Datum
temporal_workflow_random(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("workflow_random");

	/* As many bits as the fraction of a double has. */
	PG_RETURN_FLOAT8((double) (pass_random(pass) >> 11) / (double) (UINT64CONST(1) << 53));
}

/* temporal.workflow_uuid() returns uuid: of version 4 */
Datum
temporal_workflow_uuid(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("workflow_uuid");
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));
	uint64		halves[2] = {pass_random(pass), pass_random(pass)};

	memcpy(uuid->data, halves, UUID_LEN);
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x40;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
	PG_RETURN_UUID_P(uuid);
}

/* temporal.is_cancelled() returns boolean */
Datum
temporal_is_cancelled(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(pass_require("is_cancelled")->cancel_requested);
}

/* ---- as objects ---- */

static void
push_value(JsonbParseState **state, const char *key, JsonbValue value)
{
	JsonbValue	name = {.type = jbvString};

	name.val.string.val = unconstify(char *, key);
	name.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &name);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	push_value(state, key, value);
}

static void
push_number(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value = {.type = jbvNumeric};

	value.val.numeric = int64_to_numeric(number);
	push_value(state, key, value);
}

static void
push_jsonb(JsonbParseState **state, const char *key, Jsonb *json)
{
	JsonbValue	value = {.type = jbvNull};

	if (json != NULL && JB_ROOT_IS_SCALAR(json))
		JsonbExtractScalar(&json->root, &value);
	else if (json != NULL)
	{
		value.type = jbvBinary;
		value.val.binary.data = &json->root;
		value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	push_value(state, key, value);
}

/* temporal.workflow_info() returns jsonb: the same in every replay */
Datum
temporal_workflow_info(PG_FUNCTION_ARGS)
{
	const Pass *pass = pass_require("workflow_info");
	const Pb__WorkflowExecutionStartedEventAttributes *started =
		pass->events[0]->workflow_execution_started_event_attributes;
	TimestampTz start = proto_timestamp_us(pass->events[0]->event_time);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "namespace", pass->namespace_name);
	push_text(&state, "workflow_id", pass->workflow_id);
	push_text(&state, "run_id", pass->run_id);
	push_text(&state, "workflow_type", pass->workflow_type);
	push_text(&state, "task_queue", pass->task_queue);
	push_number(&state, "attempt", started->attempt);
	push_number(&state, "history_length", pass->tasks[pass->task].visible);
	push_jsonb(&state, "start_time",
			   value_to_jsonb(value_of_datum(TimestampTzGetDatum(start), false, TIMESTAMPTZOID)));
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* temporal.complete_later() returns text: the token to complete it with */
Datum
temporal_complete_later(PG_FUNCTION_ARGS)
{
	const Pb__PollActivityTaskQueueResponse *task = call_require_activity("complete_later");

	call_leave_activity();
	PG_RETURN_TEXT_P(cstring_to_text(base64_encode(task->task_token.data, task->task_token.len)));
}

/*
 * temporal.activity_info() returns jsonb
 *
 * The idempotency key is the same for all attempts, and for no other activity.
 */
Datum
temporal_activity_info(PG_FUNCTION_ARGS)
{
	const Pb__PollActivityTaskQueueResponse *task = call_require_activity("activity_info");
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "namespace", task->workflow_namespace);
	push_text(&state, "workflow_id", task->workflow_execution->workflow_id);
	push_text(&state, "run_id", task->workflow_execution->run_id);
	push_text(&state, "workflow_type", task->workflow_type->name);
	push_text(&state, "activity_id", task->activity_id);
	push_text(&state, "activity_type", task->activity_type->name);
	push_number(&state, "attempt", task->attempt);
	push_jsonb(&state, "heartbeat_details", payloads_to_jsonb(task->heartbeat_details));
	push_text(&state, "idempotency_key", psprintf("%s/%s", task->workflow_execution->run_id,
												  task->activity_id));
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
