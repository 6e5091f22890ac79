/*
 * marker.c
 *	  Markers: what workflow functions record that is no event of its own.
 */
#include "postgres.h"

#include "exec/marker.h"
#include "lib/stringinfo.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "utils/builtins.h"
#include "utils/json.h"

#define LOCAL_ACTIVITY "core_local_activity"
#define PATCH "core_patch"
#define SIDE_EFFECT "SideEffect"

/* The details of a command and of an event have entries of the same fields. */
typedef struct Entry
{
	ProtobufCMessage base;
	const char *key;
	Pb__Payloads *value;
} Entry;

StaticAssertDecl(sizeof(Entry) == sizeof(Pb__RecordMarkerCommandAttributes__DetailsEntry) &&
				 sizeof(Entry) == sizeof(Pb__MarkerRecordedEventAttributes__DetailsEntry),
				 "entries of details differ");

/* ---- reading ---- */

static const Pb__Payloads *
find_detail(size_t n, const Entry *const *entries, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(entries[i]->key, key) == 0)
			return entries[i]->value;
	return NULL;
}

/* The same, of any JSON. */
static const char *
parse_text(const Pb__Payloads *detail, const char *key)
{
	Jsonb	   *json = payloads_to_jsonb(detail);
	JsonbValue	value;

	if (json == NULL || !JB_ROOT_IS_OBJECT(json) ||
		getKeyJsonValueFromContainer(&json->root, key, strlen(key), &value) == NULL ||
		value.type != jbvString)
		return "";
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * A text in the JSON object that a detail holds; "" if there is none.
 *
 * Each replayed step asks for one, so the object is not parsed: markers are
 * flat, and inside of a string the quotes around the key would be escaped.
 */
static const char *
find_quoted(const Pb__Payloads *detail, const char *key, const char *quoted)
{
	const char *at;
	const char *end;

	if (detail == NULL || detail->n_payloads != 1)
		return parse_text(detail, key);
	at = memmem(detail->payloads[0]->data.data, detail->payloads[0]->data.len, quoted,
				strlen(quoted));
	if (at == NULL)
		return "";
	at += strlen(quoted);
	end = (const char *) detail->payloads[0]->data.data + detail->payloads[0]->data.len;
	while (at < end && *at == ' ')
		at++;
	if (at == end || *at++ != '"')
		return parse_text(detail, key);
	for (const char *close = at; close < end && *close != '\\'; close++)
		if (*close == '"')
			return pnstrdup(at, close - at);
	return parse_text(detail, key);
}

#define find_text(detail, key) find_quoted(detail, key, "\"" key "\":")

static const char *
about(const char *name, size_t n, const Entry *const *entries)
{
	if (strcmp(name, PATCH) == 0)
		return find_text(find_detail(n, entries, "patch-data"), "id");
	if (strcmp(name, LOCAL_ACTIVITY) == 0)
		return find_text(find_detail(n, entries, "data"), "activity_type");
	return "";
}

const char *
marker_command_about(const Pb__RecordMarkerCommandAttributes *attributes)
{
	return about(attributes->marker_name, attributes->n_details,
				 (const Entry *const *) attributes->details);
}

const char *
marker_event_about(const Pb__MarkerRecordedEventAttributes *attributes)
{
	return about(attributes->marker_name, attributes->n_details,
				 (const Entry *const *) attributes->details);
}

bool
marker_is_patch(const Pb__HistoryEvent *event)
{
	return event->event_type == EVENT(MARKER_RECORDED) &&
		strcmp(event->marker_recorded_event_attributes->marker_name, PATCH) == 0;
}

bool
marker_is_step(const Pb__HistoryEvent *event, const char *name)
{
	return event->event_type == EVENT(MARKER_RECORDED) &&
		strcmp(event->marker_recorded_event_attributes->marker_name, LOCAL_ACTIVITY) == 0 &&
		strcmp(marker_event_about(event->marker_recorded_event_attributes), name) == 0;
}

const Pb__Payloads *
marker_result(const Pb__MarkerRecordedEventAttributes *attributes)
{
	return find_detail(attributes->n_details, (const Entry *const *) attributes->details, "result");
}

const Pb__Payloads *
marker_value(const Pb__MarkerRecordedEventAttributes *attributes)
{
	return find_detail(attributes->n_details, (const Entry *const *) attributes->details, "data");
}

/* A number in an object of the object that a detail holds; 0 if there is none. */
static int64
find_number(const Jsonb *json, const char *object, const char *key)
{
	JsonbValue	inner;
	JsonbValue	value;

	if (json == NULL || !JB_ROOT_IS_OBJECT(json) ||
		getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &json->root), object,
									 strlen(object), &inner) == NULL ||
		inner.type != jbvBinary || !JsonContainerIsObject(inner.val.binary.data) ||
		getKeyJsonValueFromContainer(inner.val.binary.data, key, strlen(key), &value) == NULL ||
		value.type != jbvNumeric)
		return 0;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric)));
}

int64
marker_backoff(const Pb__MarkerRecordedEventAttributes *attributes)
{
	const Jsonb *data;

	/* Only what has failed can be tried again. */
	if (attributes->failure == NULL)
		return 0;
	data = payloads_to_jsonb(marker_value(attributes));
	return find_number(data, "backoff", "seconds") * USECS_PER_SEC +
		find_number(data, "backoff", "nanos") / 1000;
}

/* ---- writing ---- */

static void
add_detail(Pb__RecordMarkerCommandAttributes *attributes, const char *key, Pb__Payloads *value)
{
	Pb__RecordMarkerCommandAttributes__DetailsEntry *entry =
		proto_new(&pb__record_marker_command_attributes__details_entry__descriptor);

	entry->key = key;
	entry->value = value;
	attributes->details[attributes->n_details++] = entry;
}

static Pb__Command *
new_marker(const char *name)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER);

	command->attributes_case = PB__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
	command->record_marker_command_attributes =
		proto_new(&pb__record_marker_command_attributes__descriptor);
	command->record_marker_command_attributes->marker_name = name;
	command->record_marker_command_attributes->details = palloc(2 * sizeof(void *));
	return command;
}

Pb__Command *
marker_patch(const char *id)
{
	Pb__Command *command = new_marker(PATCH);
	StringInfoData data;

	initStringInfo(&data);
	appendStringInfoString(&data, "{\"id\":");
	escape_json(&data, id);
	appendStringInfoString(&data, ",\"deprecated\":false}");
	add_detail(command->record_marker_command_attributes, "patch-data",
			   core_payloads(core_json_payload(data.data)));
	return command;
}

Pb__Command *
marker_side_effect(int number, Pb__Payloads *value)
{
	Pb__Command *command = new_marker(SIDE_EFFECT);
	Pb__RecordMarkerCommandAttributes *attributes = command->record_marker_command_attributes;

	add_detail(attributes, "side-effect-id",
			   core_payloads(core_json_payload(psprintf("%d", number))));
	if (value != NULL && value->n_payloads > 0)
		add_detail(attributes, "data", value);
	return command;
}

/* Each step writes some of them: no need to read a format for each. */
static void
append_number(StringInfo data, const char *before, int64 number)
{
	char		digits[MAXINT8LEN + 1];

	appendStringInfoString(data, before);
	appendBinaryStringInfo(data, digits, pg_lltoa(number, digits));
}

/* A time or duration, as the SDKs write them in here. */
static void
append_seconds(StringInfo data, const char *key, int64 seconds, int nanos)
{
	appendStringInfoString(data, key);
	append_number(data, ":{\"seconds\":", seconds);
	append_number(data, ",\"nanos\":", nanos);
	appendStringInfoChar(data, '}');
}

static void
append_backoff(StringInfo data, int64 backoff)
{
	const Pb__Duration *duration = proto_duration(backoff);

	if (backoff > 0)
		append_seconds(data, ",\"backoff\"", duration->seconds, duration->nanos);
	else
		appendStringInfoString(data, ",\"backoff\":null");
}

/* The SDKs want to find every field in it, if only as null. */
Pb__Command *
marker_step(int number, const Step *step, TimestampTz time)
{
	Pb__Command *command = new_marker(LOCAL_ACTIVITY);
	Pb__RecordMarkerCommandAttributes *attributes = command->record_marker_command_attributes;
	const Pb__Timestamp *completed = proto_timestamp(time);
	Pb__Payloads *result = value_payloads(step->result);
	StringInfoData data;

	initStringInfo(&data);
	append_number(&data, "{\"seq\":", number);
	append_number(&data, ",\"attempt\":", Max(step->attempt, 1));
	append_number(&data, ",\"activity_id\":\"", number);
	appendStringInfoString(&data, "\",\"activity_type\":");
	escape_json(&data, step->name);
	append_seconds(&data, ",\"complete_time\"", completed->seconds, completed->nanos);
	append_backoff(&data, step->backoff);
	appendStringInfoString(&data, ",\"original_schedule_time\":null}");
	add_detail(attributes, "data", core_payloads(core_json_payload(data.data)));
	if (result != NULL)
		add_detail(attributes, "result", result);
	attributes->failure = step->failure;
	return command;
}
