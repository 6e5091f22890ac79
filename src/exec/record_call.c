/*
 * record_call.c
 *	  What workflow functions record: versions, attributes, failures, undo.
 */
#include "postgres.h"

#include "base/argument.h"
#include "exec/function.h"
#include "exec/marker.h"
#include "exec/pass.h"
#include "funcapi.h"
#include "proto/payload.h"
#include "proto/wire.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(temporal_patched);
PG_FUNCTION_INFO_V1(temporal_side_effect);
PG_FUNCTION_INFO_V1(temporal_upsert_search_attributes);
PG_FUNCTION_INFO_V1(temporal_upsert_memo);
PG_FUNCTION_INFO_V1(temporal_fail);
PG_FUNCTION_INFO_V1(temporal_compensate);
PG_FUNCTION_INFO_V1(temporal_next_compensation);

/* ---- versions ---- */

static bool
list_has(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* Has a run that knew the patch recorded it? */
static bool
is_in_history(const Pass *pass, const char *id)
{
	for (int i = 0; i < pass->n_events; i++)
		if (marker_is_patch(pass->events[i]) &&
			strcmp(marker_event_about(pass->events[i]->marker_recorded_event_attributes), id) == 0)
			return true;
	return false;
}

/*
 * temporal.patched(id text) returns boolean
 *
 * A run that came by here before the change goes on without it to its end.
 * The marker is not compared: it stands where new code first asked for it.
 */
Datum
temporal_patched(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("patched");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	const char *id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		patched = list_has(pass->patches, id) || is_in_history(pass, id);

	pass_skip_task(pass);
	if (!patched && !pass_is_live(pass))
		pass->unpatched = lappend(pass->unpatched, unconstify(char *, id));
	else if (!patched && !list_has(pass->unpatched, id))
	{
		pass_command(pass, marker_patch(id));
		pass->patches = lappend(pass->patches, unconstify(char *, id));
		patched = true;
	}
	MemoryContextSwitchTo(caller);
	PG_RETURN_BOOL(patched);
}

/* ---- side effects ---- */

/* temporal.side_effect(value "any", result anyelement) returns anyelement */
Datum
temporal_side_effect(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("side_effect");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Pb__Payloads *value = value_argument(fcinfo, 0);
	const Pb__HistoryEvent *event;
	Jsonb	   *json;

	pass_skip_task(pass);
	event = pass_command(pass, marker_side_effect(++pass->side_effects, value));
	json = payloads_to_jsonb(event == NULL ? value :
							 marker_value(event->marker_recorded_event_attributes));
	MemoryContextSwitchTo(caller);
	return value_result(fcinfo, value_of_jsonb(json));
}

/* ---- attributes ---- */

/* The members of a JSON object, each made an entry; how many. */
typedef void (*AddField) (void *attributes, const char *name, Pb__Payload *value);

static void
add_fields(Jsonb *json, AddField add, void *attributes)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("values must be a JSON object")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			add(attributes, name, payload_from_jsonb(JsonbValueToJsonb(&value)));
	}
}

static void
add_search_attribute(void *attributes, const char *name, Pb__Payload *value)
{
	Pb__SearchAttributes *all = attributes;
	Pb__SearchAttributes__IndexedFieldsEntry *entry =
		proto_new(&pb__search_attributes__indexed_fields_entry__descriptor);

	entry->key = name;
	entry->value = value;
	all->indexed_fields[all->n_indexed_fields++] = entry;
}

static void
add_memo(void *attributes, const char *name, Pb__Payload *value)
{
	Pb__Memo   *all = attributes;
	Pb__Memo__FieldsEntry *entry = proto_new(&pb__memo__fields_entry__descriptor);

	entry->key = name;
	entry->value = value;
	all->fields[all->n_fields++] = entry;
}

/* temporal.upsert_search_attributes("values" jsonb) */
Datum
temporal_upsert_search_attributes(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("upsert_search_attributes");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Jsonb	   *json = PG_GETARG_JSONB_P_COPY(0);
	Pb__Command *command =
		pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
	Pb__SearchAttributes *attributes = proto_new(&pb__search_attributes__descriptor);

	attributes->indexed_fields = palloc((JB_ROOT_COUNT(json) + 1) * sizeof(void *));
	add_fields(json, add_search_attribute, attributes);
	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES;
	command->upsert_workflow_search_attributes_command_attributes =
		proto_new(&pb__upsert_workflow_search_attributes_command_attributes__descriptor);
	command->upsert_workflow_search_attributes_command_attributes->search_attributes = attributes;
	pass_skip_task(pass);
	pass_command(pass, command);
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* temporal.upsert_memo("values" jsonb) */
Datum
temporal_upsert_memo(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("upsert_memo");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Jsonb	   *json = PG_GETARG_JSONB_P_COPY(0);
	Pb__Command *command =
		pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES);
	Pb__Memo   *memo = proto_new(&pb__memo__descriptor);

	memo->fields = palloc((JB_ROOT_COUNT(json) + 1) * sizeof(void *));
	add_fields(json, add_memo, memo);
	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES;
	command->modify_workflow_properties_command_attributes =
		proto_new(&pb__modify_workflow_properties_command_attributes__descriptor);
	command->modify_workflow_properties_command_attributes->upserted_memo = memo;
	pass_skip_task(pass);
	pass_command(pass, command);
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* ---- failures ---- */

/* temporal.fail(message, type, non_retryable, details, next_retry_delay) */
Datum
temporal_fail(PG_FUNCTION_ARGS)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);
	Pb__ApplicationFailureInfo *info = proto_new(&pb__application_failure_info__descriptor);

	failure->message = argument_text(fcinfo, 0, NULL);
	failure->source = "PostgreSQL";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	info->type = argument_text(fcinfo, 1, NULL);
	info->non_retryable = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	if (!PG_ARGISNULL(3))
		info->details = core_payloads(payload_from_jsonb(PG_GETARG_JSONB_P(3)));
	if (!PG_ARGISNULL(4))
		info->next_retry_delay = proto_duration(argument_interval(fcinfo, 4));
	failure_raise(ERRCODE_TEMPORAL_APPLICATION_FAILURE, failure->message, failure);
}

/* ---- undo ---- */

typedef struct Compensation
{
	const char *activity;
	Jsonb	   *input;			/* an array of the arguments */
} Compensation;

static Jsonb *
payloads_array(const Pb__Payloads *payloads)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (size_t i = 0; payloads != NULL && i < payloads->n_payloads; i++)
	{
		Jsonb	   *json = payload_to_jsonb(payloads->payloads[i]);
		JsonbValue	value = {.type = jbvBinary};

		value.val.binary.data = &json->root;
		value.val.binary.len = VARSIZE(json) - VARHDRSZ;
		if (JB_ROOT_IS_SCALAR(json))
			JsonbExtractScalar(&json->root, &value);
		pushJsonbValue(&state, WJB_ELEM, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* temporal.compensate(activity text, input "any") */
Datum
temporal_compensate(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("compensate");
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Compensation *compensation = palloc(sizeof(Compensation));

	compensation->activity = argument_text(fcinfo, 0, NULL);
	compensation->input = payloads_array(value_argument(fcinfo, 1));
	pass->compensations = lcons(compensation, pass->compensations);
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* temporal.next_compensation(OUT activity text, OUT input jsonb): takes the latest */
Datum
temporal_next_compensation(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("run_compensations");
	TupleDesc	descriptor;
	Datum		values[2] = {0};
	bool		missing[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (pass->compensations != NIL)
	{
		const Compensation *compensation = linitial(pass->compensations);

		values[0] = CStringGetTextDatum(compensation->activity);
		values[1] = JsonbPGetDatum(compensation->input);
		missing[0] = missing[1] = false;
		pass->compensations = list_delete_first(pass->compensations);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, missing)));
}
