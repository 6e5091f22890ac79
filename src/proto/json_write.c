/*
 * json_write.c
 *	  Messages to jsonb, led by their descriptors.
 *
 * Defaults are left out.  Nothing that came through wire_check() makes it
 * raise, except a result that is too large for jsonb: what has no JSON form (a
 * timestamp out of range, say) is written as an object of its plain fields.
 * Fields that we do not know are not written.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "proto/common.pb-c.h"
#include "proto/json.h"
#include "proto/json_codec.h"
#include "proto/time.h"

/*
 * json_require_utf8 -- messages are UTF-8, and we do not convert.
 */
void
json_require_utf8(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("database encoding \"%s\" is not supported by temporal",
						GetDatabaseEncodingName()),
				 errhint("Use a database with encoding UTF8.")));
}

/*
 * json_value_init -- a value that stands for a whole jsonb.
 */
void
json_value_init(JsonbValue *value, Jsonb *json)
{
	if (JB_ROOT_IS_SCALAR(json))
	{
		(void) JsonbExtractScalar(&json->root, value);
		return;
	}
	value->type = jbvBinary;
	value->val.binary.data = &json->root;
	value->val.binary.len = VARSIZE(json) - VARHDRSZ;
}

/*
 * json_write_token -- begin or end an object or array.
 */
void
json_write_token(JsonWriter *writer, JsonbIteratorToken token)
{
	writer->result = pushJsonbValue(&writer->state, token, NULL);
}

void
json_write_key(JsonWriter *writer, const char *key)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	writer->result = pushJsonbValue(&writer->state, WJB_KEY, &value);
}

/*
 * json_write_value -- a value, wherever we are.
 *
 * Strings in it are not copied: they must live until the end.
 */
void
json_write_value(JsonWriter *writer, JsonbValue *value)
{
	if (writer->state == NULL)
	{
		writer->result = palloc(sizeof(JsonbValue));
		*writer->result = *value;
		return;
	}
	writer->result = pushJsonbValue(
		&writer->state, writer->state->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, value);
}

void
json_write_string(JsonWriter *writer, const char *text)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	json_write_value(writer, &value);
}

void
json_write_jsonb(JsonWriter *writer, Jsonb *json)
{
	JsonbValue value;

	json_value_init(&value, json);
	json_write_value(writer, &value);
}

/*
 * json_write_element -- the value "at" of a field, or one element of it.
 */
void
json_write_element(JsonWriter *writer, const ProtobufCFieldDescriptor *field, const void *at)
{
	const ProtobufCMessage *message;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
	{
		json_write_scalar(writer, field, at);
		return;
	}
	/* The value of a map's member may be missing, which means the default. */
	message = *(ProtobufCMessage *const *) at;
	json_write_message(writer, message != NULL ? message : proto_new(field->descriptor));
}

/*
 * write_map_key -- the key of an entry, as a string whatever its type.
 */
static void
write_map_key(JsonWriter *writer, const ProtobufCFieldDescriptor *field, const void *at)
{
	JsonWriter key = {0};
	Datum digits;

	json_write_scalar(&key, field, at);
	switch (key.result->type)
	{
		case jbvNumeric:
			digits = DirectFunctionCall1(numeric_out, NumericGetDatum(key.result->val.numeric));
			json_write_key(writer, DatumGetCString(digits));
			break;
		case jbvBool:
			json_write_key(writer, key.result->val.boolean ? "true" : "false");
			break;
		default:
			json_write_key(writer, key.result->val.string.val);
	}
}

static void
write_map(JsonWriter *writer, const ProtobufCFieldDescriptor *field,
		  const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t n = *FIELD_AT(const size_t, message, field->quantifier_offset);
	void **entries = *FIELD_AT(void **, message, field->offset);

	json_write_token(writer, WJB_BEGIN_OBJECT);
	for (size_t i = 0; i < n; i++)
	{
		write_map_key(writer, &entry->fields[0],
					  FIELD_AT(char, entries[i], entry->fields[0].offset));
		json_write_element(writer, &entry->fields[1],
						   FIELD_AT(char, entries[i], entry->fields[1].offset));
	}
	json_write_token(writer, WJB_END_OBJECT);
}

static void
write_list(JsonWriter *writer, const ProtobufCFieldDescriptor *field,
		   const ProtobufCMessage *message)
{
	size_t n = *FIELD_AT(const size_t, message, field->quantifier_offset);
	const char *elements = *FIELD_AT(const char *, message, field->offset);

	json_write_token(writer, WJB_BEGIN_ARRAY);
	for (size_t i = 0; i < n; i++)
		json_write_element(writer, field, elements + i * json_element_size(field->type));
	json_write_token(writer, WJB_END_ARRAY);
}

/*
 * field_is_set -- present, and not the default where that means the same.
 */
static bool
field_is_set(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
	const char *at = FIELD_AT(const char, message, field->offset);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *FIELD_AT(const size_t, message, field->quantifier_offset) > 0;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		return *FIELD_AT(const uint32, message, field->quantifier_offset) == field->id;
	if (field->quantifier_offset != 0)
		return *FIELD_AT(const protobuf_c_boolean, message, field->quantifier_offset);

	switch (field->type)
	{
		case PROTOBUF_C_TYPE_MESSAGE:
			return *(void *const *) at != NULL;
		case PROTOBUF_C_TYPE_STRING:
			return *(char *const *) at != NULL && **(char *const *) at != '\0';
		case PROTOBUF_C_TYPE_BYTES:
			return ((const ProtobufCBinaryData *) at)->len > 0;
		case PROTOBUF_C_TYPE_FLOAT:
			return *(const float *) at != 0;
		case PROTOBUF_C_TYPE_DOUBLE:
			return *(const double *) at != 0;
		default:
			return json_element_size(field->type) == sizeof(uint64) ? *(const uint64 *) at != 0
																	: *(const uint32 *) at != 0;
	}
}

static void
write_singular(JsonWriter *writer, const ProtobufCFieldDescriptor *field,
			   const ProtobufCMessage *message)
{
	const void *at = FIELD_AT(const void, message, field->offset);

	if (field->descriptor == &pb__payload__descriptor)
		payload_write_field(writer, *(ProtobufCMessage *const *) at);
	else
		json_write_element(writer, field, at);
}

/*
 * json_write_fields -- the members of an object that has been begun.
 */
void
json_write_fields(JsonWriter *writer, const ProtobufCMessage *message)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++)
	{
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

		if (!field_is_set(field, message))
			continue;
		json_write_key(writer, json_name(field->name));
		if (json_is_map(field))
			write_map(writer, field, message);
		else if (field->label == PROTOBUF_C_LABEL_REPEATED)
			write_list(writer, field, message);
		else
			write_singular(writer, field, message);
	}
}

/*
 * json_write_object -- a message as an object of its fields.
 */
void
json_write_object(JsonWriter *writer, const ProtobufCMessage *message)
{
	json_write_token(writer, WJB_BEGIN_OBJECT);
	json_write_fields(writer, message);
	json_write_token(writer, WJB_END_OBJECT);
}

/*
 * json_write_message -- a message as whatever JSON its type is written as.
 */
void
json_write_message(JsonWriter *writer, const ProtobufCMessage *message)
{
	const JsonForm *form = json_find_form(message->descriptor);

	/* What the engine built may be deeper than what a client may send. */
	check_stack_depth();
	writer->depth++;
	if (form != NULL)
		form->write(writer, message);
	else
		json_write_object(writer, message);
	writer->depth--;
}

/*
 * message_to_json -- a message as jsonb, payloads in shorthand if asked for.
 */
Jsonb *
message_to_json(const ProtobufCMessage *message, bool shorthand)
{
	JsonWriter writer = {.shorthand = shorthand};

	json_require_utf8();
	json_write_message(&writer, message);
	return JsonbValueToJsonb(writer.result);
}
