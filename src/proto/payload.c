/*
 * payload.c
 *	  Payloads in JSON: in full, or as the value that they hold.
 *
 * In full a payload is {"metadata": {...}, "data": "..."} with base64 inside.
 * In shorthand it is its value: json/plain is the JSON itself, binary/null is
 * null, json/protobuf the object plus "_protoMessageType".  Shorthand is
 * written only where reading it gives the same value back: a value that looks
 * like a payload in full is itself written in full, and so is a null where it
 * would read as an unset field.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/errors.h"
#include "proto/json.h"
#include "proto/json_codec.h"
#include "proto/lexical.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "proto/wire.h"

#define MESSAGE_TYPE_KEY "_protoMessageType"

/*
 * Metadata
 */

/*
 * find_metadata -- the value of a metadata key, NULL if it is not there.
 */
static const ProtobufCBinaryData *
find_metadata(const Pb__Payload *payload, const char *key)
{
	for (size_t i = 0; i < payload->n_metadata; i++)
	{
		if (strcmp(payload->metadata[i]->key, key) == 0)
			return &payload->metadata[i]->value;
	}
	return NULL;
}

static bool
bytes_equal(const ProtobufCBinaryData *bytes, const char *text)
{
	return bytes != NULL && bytes->len == strlen(text) &&
		memcmp(bytes->data, text, bytes->len) == 0;
}

/*
 * names_encoding -- encodings look like json/plain.
 */
static bool
names_encoding(const uint8 *data, size_t len)
{
	return len > 0 && memchr(data, '/', len) != NULL;
}

/*
 * add_metadata -- key and value are not copied.
 */
static void
add_metadata(Pb__Payload *payload, const char *key, const char *value)
{
	Pb__Payload__MetadataEntry *entry = proto_new(&pb__payload__metadata_entry__descriptor);

	entry->key = key;
	entry->value.data = (uint8 *) unconstify(char *, value);
	entry->value.len = strlen(value);
	if (payload->metadata == NULL)
		payload->metadata = palloc(2 * sizeof(void *));
	Assert(payload->n_metadata < 2);
	payload->metadata[payload->n_metadata++] = entry;
}

/*
 * Reading
 */

/*
 * is_base64 -- a string that decodes; its bytes, if asked for.
 */
static bool
is_base64(const JsonbValue *value, uint8 **data, size_t *len)
{
	return value->type == jbvString &&
		base64_decode(value->val.string.val, value->val.string.len, data, len);
}

/*
 * is_full_metadata -- an object of base64 strings; does it name an encoding?
 */
static bool
is_full_metadata(const JsonbValue *value, bool *has_encoding)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue member;

	*has_encoding = false;
	if (!json_is_container(value, JB_FOBJECT))
		return false;
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		uint8 *data;
		size_t len;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &member, true);
		if (!is_base64(&member, &data, &len))
			return false;
		if (key.val.string.len == strlen("encoding") &&
			memcmp(key.val.string.val, "encoding", key.val.string.len) == 0)
			*has_encoding = names_encoding(data, len);
	}
	return true;
}

/*
 * is_full -- is this a payload in full, not a value that happens to be an
 * object?
 *
 * It has metadata and data in base64 and nothing else that a payload has not.
 * Data may be missing, as it is when empty, if the metadata name an encoding.
 */
static bool
is_full(const JsonbValue *value)
{
	JsonbValue member;
	JsonbContainer *object;
	bool has_encoding;
	bool has_data;
	int n_known = 1;
	uint8 *data;
	size_t len;

	if (!json_is_container(value, JB_FOBJECT))
		return false;
	object = value->val.binary.data;
	if (getKeyJsonValueFromContainer(object, "metadata", strlen("metadata"), &member) == NULL ||
		!is_full_metadata(&member, &has_encoding))
		return false;
	has_data = getKeyJsonValueFromContainer(object, "data", strlen("data"), &member) != NULL;
	if (has_data)
	{
		if (!is_base64(&member, &data, &len))
			return false;
		n_known++;
	}
	if (getKeyJsonValueFromContainer(object, "externalPayloads", strlen("externalPayloads"),
									 &member) != NULL)
		n_known++;
	return JsonContainerSize(object) == n_known && (has_data || has_encoding);
}

/*
 * jsonb_payload -- a payload that holds a value as JSON text.
 */
static Pb__Payload *
jsonb_payload(Jsonb *json, const char *encoding)
{
	Pb__Payload *payload = proto_new(&pb__payload__descriptor);
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &json->root, VARSIZE(json));
	add_metadata(payload, "encoding", encoding);
	payload->data.data = (uint8 *) text.data;
	payload->data.len = text.len;
	return payload;
}

static Pb__Payload *
value_payload(const JsonbValue *value, const char *encoding)
{
	return jsonb_payload(JsonbValueToJsonb(unconstify(JsonbValue *, value)), encoding);
}

static Pb__Payload *
null_payload(void)
{
	Pb__Payload *payload = proto_new(&pb__payload__descriptor);

	add_metadata(payload, "encoding", "binary/null");
	return payload;
}

/*
 * find_message_type -- "_protoMessageType" of an object, NULL if it has none.
 */
static char *
find_message_type(const JsonbValue *value)
{
	JsonbValue type;

	if (!json_is_container(value, JB_FOBJECT) ||
		getKeyJsonValueFromContainer(value->val.binary.data, MESSAGE_TYPE_KEY,
									 strlen(MESSAGE_TYPE_KEY), &type) == NULL ||
		type.type != jbvString || type.val.string.len == 0)
		return NULL;
	return pnstrdup(type.val.string.val, type.val.string.len);
}

/*
 * protobuf_payload -- a payload that holds a protobuf message as JSON.
 */
static Pb__Payload *
protobuf_payload(const JsonbValue *value, const char *message_type)
{
	Jsonb *json = JsonbValueToJsonb(unconstify(JsonbValue *, value));
	Pb__Payload *payload;
	JsonbValue rest;

	json = DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(json),
											  CStringGetTextDatum(MESSAGE_TYPE_KEY)));
	json_value_init(&rest, json);
	payload = value_payload(&rest, "json/protobuf");
	add_metadata(payload, "messageType", message_type);
	return payload;
}

/*
 * payload_read -- a payload from its full form or its shorthand.
 */
void *
payload_read(const JsonPlace *place, const JsonbValue *value)
{
	char *message_type;

	/* Its metadata are messages on the wire. */
	if (place->depth >= PROTO_MAX_DEPTH)
		json_reject(place, value, "less deeply nested messages");
	if (value->type == jbvNull)
		return null_payload();
	if (is_full(value))
		return json_read_object(place, &pb__payload__descriptor, value, NULL);
	message_type = find_message_type(value);
	if (message_type != NULL)
		return protobuf_payload(value, message_type);
	return value_payload(value, "json/plain");
}

/*
 * payloads_read -- several payloads from an array, or from their full form.
 */
void *
payloads_read(const JsonPlace *place, const JsonbValue *value)
{
	Pb__Payloads *payloads;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue element;

	if (!json_is_container(value, JB_FARRAY))
		return json_read_object(place, &pb__payloads__descriptor, value, NULL);
	payloads = proto_new(&pb__payloads__descriptor);
	payloads->payloads = palloc(JsonContainerSize(value->val.binary.data) * sizeof(void *));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		JsonPlace inner = json_place_index(place, payloads->n_payloads);

		inner.depth++;
		if (token == WJB_ELEM)
			payloads->payloads[payloads->n_payloads++] = payload_read(&inner, &element);
	}
	return payloads;
}

/*
 * Writing
 */

/* Of an integer that is sure to fit an int64. */
#define MAX_DIGITS 18

/*
 * text_is_integer -- is it nothing but digits, with no zero before others, after
 * a minus perhaps?
 */
static bool
text_is_integer(const ProtobufCBinaryData *text, int64 *value)
{
	bool negative = text->len > 0 && text->data[0] == '-';
	size_t digits = text->len - negative;
	int64 result = 0;

	if (digits == 0 || digits > MAX_DIGITS || (text->data[negative] == '0' && text->len > 1))
		return false;
	for (size_t i = negative; i < text->len; i++)
	{
		if (text->data[i] < '0' || text->data[i] > '9')
			return false;
		result = result * 10 + (text->data[i] - '0');
	}
	*value = negative ? -result : result;
	return true;
}

/*
 * text_to_jsonb -- JSON text as jsonb; NULL if jsonb cannot hold it.
 */
static Jsonb *
text_to_jsonb(const ProtobufCBinaryData *text)
{
	JsonbValue number = {.type = jbvNumeric};
	int64 integer;
	char *copy;

	if (text_is_integer(text, &integer))
	{
		number.val.numeric = int64_to_numeric(integer);
		return JsonbValueToJsonb(&number);
	}
	if (text->len == 0 || !json_text_fits_jsonb((const char *) text->data, text->len))
		return NULL;
	copy = pnstrdup((const char *) text->data, text->len);
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(copy)));
}

/*
 * plain_shorthand -- the value of a json/plain payload, unless it would be
 * read as something else.
 */
static Jsonb *
plain_shorthand(const Pb__Payload *payload)
{
	Jsonb *json = text_to_jsonb(&payload->data);
	JsonbValue value;

	if (json == NULL)
		return NULL;
	json_value_init(&value, json);
	if (is_full(&value) || find_message_type(&value) != NULL)
		return NULL;
	return json;
}

/*
 * protobuf_shorthand -- the object of a json/protobuf payload and its type.
 */
static Jsonb *
protobuf_shorthand(const Pb__Payload *payload)
{
	const ProtobufCBinaryData *message_type = find_metadata(payload, "messageType");
	JsonWriter extra = {0};
	Jsonb *json;
	JsonbValue unused;

	if (message_type == NULL || message_type->len == 0 ||
		pg_encoding_verifymbstr(PG_UTF8, (const char *) message_type->data, message_type->len) !=
			message_type->len)
		return NULL;
	json = text_to_jsonb(&payload->data);
	if (json == NULL || !JB_ROOT_IS_OBJECT(json) ||
		getKeyJsonValueFromContainer(&json->root, MESSAGE_TYPE_KEY, strlen(MESSAGE_TYPE_KEY),
									 &unused) != NULL)
		return NULL;

	json_write_token(&extra, WJB_BEGIN_OBJECT);
	json_write_key(&extra, MESSAGE_TYPE_KEY);
	json_write_string(&extra, pnstrdup((const char *) message_type->data, message_type->len));
	json_write_token(&extra, WJB_END_OBJECT);
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(json),
											  JsonbPGetDatum(JsonbValueToJsonb(extra.result))));
}

/*
 * shorthand -- the shorthand of a payload; NULL if it has none.
 */
static Jsonb *
shorthand(const Pb__Payload *payload)
{
	const ProtobufCBinaryData *encoding = find_metadata(payload, "encoding");
	JsonbValue null = {.type = jbvNull};

	if (payload->n_external_payloads > 0)
		return NULL;
	if (payload->n_metadata == 1 && payload->data.len == 0 && bytes_equal(encoding, "binary/null"))
		return JsonbValueToJsonb(&null);
	if (payload->n_metadata == 1 && bytes_equal(encoding, "json/plain"))
		return plain_shorthand(payload);
	if (payload->n_metadata == 2 && bytes_equal(encoding, "json/protobuf"))
		return protobuf_shorthand(payload);
	return NULL;
}

/*
 * write_full -- a payload as metadata and data.
 *
 * Empty ones are written as well where is_full() would not know it else.
 */
static void
write_full(JsonWriter *writer, const ProtobufCMessage *message)
{
	const Pb__Payload *payload = (const Pb__Payload *) message;
	const ProtobufCBinaryData *encoding = find_metadata(payload, "encoding");

	json_write_token(writer, WJB_BEGIN_OBJECT);
	json_write_fields(writer, message);
	if (payload->n_metadata == 0)
	{
		json_write_key(writer, "metadata");
		json_write_token(writer, WJB_BEGIN_OBJECT);
		json_write_token(writer, WJB_END_OBJECT);
	}
	if (payload->data.len == 0 &&
		(encoding == NULL || !names_encoding(encoding->data, encoding->len)))
	{
		json_write_key(writer, "data");
		json_write_string(writer, "");
	}
	json_write_token(writer, WJB_END_OBJECT);
}

/*
 * payload_write -- a payload by itself, or in a list or map.
 */
void
payload_write(JsonWriter *writer, const ProtobufCMessage *message)
{
	Jsonb *json = NULL;

	if (writer->shorthand)
		json = shorthand((const Pb__Payload *) message);
	if (json != NULL)
		json_write_jsonb(writer, json);
	else
		write_full(writer, message);
}

/*
 * payload_write_field -- a payload that is a field, where null means unset.
 */
void
payload_write_field(JsonWriter *writer, const ProtobufCMessage *message)
{
	Jsonb *json = NULL;
	JsonbValue value;

	if (writer->shorthand)
		json = shorthand((const Pb__Payload *) message);
	if (json != NULL)
		json_value_init(&value, json);
	if (json != NULL && value.type != jbvNull)
		json_write_value(writer, &value);
	else
		write_full(writer, message);
}

/*
 * payloads_write -- an array if all have a shorthand, else all in full.
 */
void
payloads_write(JsonWriter *writer, const ProtobufCMessage *message)
{
	const Pb__Payloads *payloads = (const Pb__Payloads *) message;
	Jsonb **values = palloc(payloads->n_payloads * sizeof(Jsonb *));
	JsonWriter full = *writer;

	for (size_t i = 0; writer->shorthand && i < payloads->n_payloads; i++)
	{
		values[i] = shorthand(payloads->payloads[i]);
		if (values[i] == NULL)
			full.shorthand = false;
	}
	if (!full.shorthand)
	{
		json_write_object(&full, message);
		full.shorthand = writer->shorthand;
		*writer = full;
		return;
	}
	json_write_token(writer, WJB_BEGIN_ARRAY);
	for (size_t i = 0; i < payloads->n_payloads; i++)
		json_write_jsonb(writer, values[i]);
	json_write_token(writer, WJB_END_ARRAY);
}

/*
 * Between the engine and SQL
 */

/*
 * payload_from_jsonb -- a payload that holds this value, whatever it looks
 * like.
 */
Pb__Payload *
payload_from_jsonb(Jsonb *json)
{
	JsonbValue value;

	json_require_utf8();
	json_value_init(&value, json);
	return value.type == jbvNull ? null_payload() : jsonb_payload(json, "json/plain");
}

/*
 * payloads_from_jsonb -- a payload for each element of an array.
 */
Pb__Payloads *
payloads_from_jsonb(Jsonb *array)
{
	Pb__Payloads *payloads = proto_new(&pb__payloads__descriptor);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue element;

	json_require_utf8();
	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_JSON), errmsg("payloads must be a JSON array")));
	payloads->payloads = palloc(JB_ROOT_COUNT(array) * sizeof(void *));
	it = JsonbIteratorInit(&array->root);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			payloads->payloads[payloads->n_payloads++] =
				element.type == jbvNull ? null_payload() : value_payload(&element, "json/plain");
	}
	return payloads;
}

/*
 * holds_json -- other metadata (the type of a search attribute) do not hide it.
 */
static bool
holds_json(const Pb__Payload *payload)
{
	return payload->n_external_payloads == 0 &&
		bytes_equal(find_metadata(payload, "encoding"), "json/plain");
}

/*
 * payload_is_integer -- does it plainly hold one?
 */
bool
payload_is_integer(const Pb__Payload *payload, int64 *value)
{
	return holds_json(payload) && text_is_integer(&payload->data, value);
}

/*
 * payload_to_jsonb -- the value in a payload, or the payload in full.
 */
Jsonb *
payload_to_jsonb(const Pb__Payload *payload)
{
	Jsonb *json = holds_json(payload) ? text_to_jsonb(&payload->data) : NULL;

	return json != NULL ? json : message_to_json(&payload->base, true);
}

/*
 * payloads_to_jsonb -- the only value, an array of several, NULL for none.
 */
Jsonb *
payloads_to_jsonb(const Pb__Payloads *payloads)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	if (payloads == NULL || payloads->n_payloads == 0)
		return NULL;
	if (payloads->n_payloads == 1)
		return payload_to_jsonb(payloads->payloads[0]);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (size_t i = 0; i < payloads->n_payloads; i++)
	{
		Jsonb	   *value = payload_to_jsonb(payloads->payloads[i]);
		JsonbValue	element;

		element.type = jbvBinary;
		element.val.binary.data = &value->root;
		element.val.binary.len = VARSIZE(value) - VARHDRSZ;
		if (JB_ROOT_IS_SCALAR(value))
			JsonbExtractScalar(&value->root, &element);
		pushJsonbValue(&state, WJB_ELEM, &element);
	}
	result = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(result);
}
