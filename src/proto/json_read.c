/*
 * json_read.c
 *	  Messages from jsonb, led by their descriptors.
 *
 * Strict: a field that does not exist, a value of the wrong type and two
 * members of one oneof are refused, and the error names the place in the
 * caller's own terms.  What is accepted here passes wire_check() once packed.
 *
 * null means unset wherever a field of a message stands; in a list or a map it
 * is a value, which only payloads have.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"

#include "base/errors.h"
#include "proto/json.h"
#include "proto/json_codec.h"
#include "proto/time.h"
#include "proto/wire.h"

/* How much of a refused value, and of a long path, an error message shows. */
#define SHOWN_VALUE_BYTES 100
#define SHOWN_LEVELS 10

/*
 * Places
 */

JsonPlace
json_place_field(const JsonPlace *parent, const char *name)
{
	JsonPlace place = {.parent = parent, .field = name, .depth = parent->depth + 1};

	return place;
}

JsonPlace
json_place_index(const JsonPlace *parent, int index)
{
	JsonPlace place = {.parent = parent, .index = index, .depth = parent->depth};

	return place;
}

/* A member of a map is a message of its own on the wire. */
static JsonPlace
json_place_key(const JsonPlace *parent, const char *key)
{
	JsonPlace place = {.parent = parent, .key = key, .depth = parent->depth + 1};

	return place;
}

/*
 * append_place -- such as commands[0].startTimerCommandAttributes.timerId, the
 * innermost "levels" of it.
 */
static void
append_place(StringInfo out, const JsonPlace *place, int levels)
{
	if (place->parent == NULL)
		return;
	if (levels == 0)
	{
		appendStringInfoString(out, "...");
		return;
	}
	append_place(out, place->parent, levels - 1);
	if (place->field != NULL)
		appendStringInfo(out, "%s%s", out->len > 0 ? "." : "", place->field);
	else if (place->key != NULL)
		appendStringInfo(out, "[%s]", place->key);
	else
		appendStringInfo(out, "[%d]", place->index);
}

static char *
place_text(const JsonPlace *place)
{
	StringInfoData out;

	initStringInfo(&out);
	append_place(&out, place, SHOWN_LEVELS);
	return out.data;
}

/*
 * value_text -- the beginning of a value as JSON.
 */
static char *
value_text(const JsonbValue *value)
{
	Jsonb *json = JsonbValueToJsonb(unconstify(JsonbValue *, value));
	char *text = JsonbToCString(NULL, &json->root, VARSIZE(json));
	int len = strlen(text);

	if (len <= SHOWN_VALUE_BYTES)
		return text;
	return psprintf("%.*s...", pg_mbcliplen(text, len, SHOWN_VALUE_BYTES), text);
}

/*
 * json_reject -- refuse a value and say what should stand there.
 */
void
json_reject(const JsonPlace *place, const JsonbValue *value, const char *expected)
{
	if (place->parent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_JSON), errmsg("invalid value: %s", value_text(value)),
				 errdetail("Expected %s.", expected)));
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_BAD_JSON),
			 errmsg("invalid value for \"%s\": %s", place_text(place), value_text(value)),
			 errdetail("Expected %s.", expected)));
}

/*
 * Values
 */

/*
 * json_is_container -- is it an object (JB_FOBJECT) or a list (JB_FARRAY)?
 */
bool
json_is_container(const JsonbValue *value, uint32 kind)
{
	return value->type == jbvBinary && (value->val.binary.data->header & kind) != 0;
}

/*
 * json_read_value -- the value of a field, or one element of it, into "out".
 */
void
json_read_value(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
				const JsonbValue *value, void *out)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		*(void **) out = json_read_message(place, field->descriptor, value);
	else
		json_read_scalar(place, field, value, out);
}

static void
read_list(const JsonPlace *place, const ProtobufCFieldDescriptor *field, const JsonbValue *value,
		  ProtobufCMessage *message)
{
	size_t *n = FIELD_AT(size_t, message, field->quantifier_offset);
	size_t size = json_element_size(field->type);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue element;
	char *elements;

	if (!json_is_container(value, JB_FARRAY))
		json_reject(place, value, "an array");
	elements = palloc(size * JsonContainerSize(value->val.binary.data));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		JsonPlace inner = json_place_index(place, *n);

		if (token == WJB_ELEM)
			json_read_value(&inner, field, &element, elements + size * (*n)++);
	}
	*FIELD_AT(char *, message, field->offset) = elements;
}

/*
 * read_map_key -- keys are strings in JSON, whatever their type.
 */
static void
read_map_key(const JsonPlace *place, const ProtobufCFieldDescriptor *field, const JsonbValue *key,
			 void *out)
{
	JsonbValue boolean = {.type = jbvBool};

	if (field->type != PROTOBUF_C_TYPE_BOOL)
	{
		json_read_scalar(place, field, key, out);
		return;
	}
	boolean.val.boolean = strcmp(place->key, "true") == 0;
	if (!boolean.val.boolean && strcmp(place->key, "false") != 0)
		json_reject(place, key, "true or false");
	json_read_scalar(place, field, &boolean, out);
}

static void
read_map(const JsonPlace *place, const ProtobufCFieldDescriptor *field, const JsonbValue *value,
		 ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t *n = FIELD_AT(size_t, message, field->quantifier_offset);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue member;
	void **entries;

	if (!json_is_container(value, JB_FOBJECT))
		json_reject(place, value, "an object");
	if (place->depth > PROTO_MAX_DEPTH)
		json_reject(place, value, "less deeply nested messages");
	entries = palloc(sizeof(void *) * JsonContainerSize(value->val.binary.data));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		JsonPlace inner;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &member, true);
		inner = json_place_key(place, pnstrdup(key.val.string.val, key.val.string.len));
		entries[*n] = proto_new(entry);
		read_map_key(&inner, &entry->fields[0], &key,
					 FIELD_AT(char, entries[*n], entry->fields[0].offset));
		json_read_value(&inner, &entry->fields[1], &member,
						FIELD_AT(char, entries[*n], entry->fields[1].offset));
		(*n)++;
	}
	*FIELD_AT(void **, message, field->offset) = entries;
}

/*
 * Messages
 */

static const ProtobufCFieldDescriptor *
find_field(const ProtobufCMessageDescriptor *descriptor, const JsonbValue *key)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++)
	{
		if (json_name_matches(descriptor->fields[i].name, key->val.string.val, key->val.string.len))
			return &descriptor->fields[i];
	}
	return NULL;
}

/*
 * require_one_spelling -- refuse an object that has a field under both names.
 */
static void
require_one_spelling(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
					 const JsonbValue *key, JsonbContainer *object)
{
	JsonbValue other;

	if (strcmp(place->field, field->name) == 0 ||
		strncmp(field->name, key->val.string.val, key->val.string.len) != 0)
		return;
	if (getKeyJsonValueFromContainer(object, place->field, strlen(place->field), &other))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_JSON),
				 errmsg("field \"%s\" is given twice", place_text(place)),
				 errdetail("It is also spelled \"%s\".", field->name)));
}

/*
 * claim_oneof -- make "field" the member that its oneof holds.
 */
static void
claim_oneof(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
			ProtobufCMessage *message)
{
	uint32 *oneof_case = FIELD_AT(uint32, message, field->quantifier_offset);

	if (*oneof_case != 0)
	{
		const ProtobufCFieldDescriptor *other =
			protobuf_c_message_descriptor_get_field(message->descriptor, *oneof_case);

		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_JSON),
				 errmsg("field \"%s\" cannot be set together with \"%s\"", place_text(place),
						json_name(other->name))));
	}
	*oneof_case = field->id;
}

static void
read_field(const JsonPlace *place, const ProtobufCFieldDescriptor *field, const JsonbValue *value,
		   ProtobufCMessage *message)
{
	if (json_is_map(field))
		read_map(place, field, value, message);
	else if (field->label == PROTOBUF_C_LABEL_REPEATED)
		read_list(place, field, value, message);
	else
	{
		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
			claim_oneof(place, field, message);
		else if (field->quantifier_offset != 0)
			*FIELD_AT(protobuf_c_boolean, message, field->quantifier_offset) = true;
		json_read_value(place, field, value, FIELD_AT(char, message, field->offset));
	}
}

/*
 * json_read_object -- a message from an object of its fields.
 *
 * "ignored_key" is a key of the object that is not a field, or NULL.
 */
void *
json_read_object(const JsonPlace *place, const ProtobufCMessageDescriptor *descriptor,
				 const JsonbValue *value, const char *ignored_key)
{
	ProtobufCMessage *message;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue member;

	if (!json_is_container(value, JB_FOBJECT))
		json_reject(place, value, "an object");
	message = proto_new(descriptor);
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		const ProtobufCFieldDescriptor *field;
		JsonPlace inner;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &member, true);
		if (ignored_key != NULL && strlen(ignored_key) == key.val.string.len &&
			memcmp(ignored_key, key.val.string.val, key.val.string.len) == 0)
			continue;

		field = find_field(descriptor, &key);
		if (field == NULL)
		{
			inner = json_place_field(place, pnstrdup(key.val.string.val, key.val.string.len));
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_BAD_JSON),
					 errmsg("field \"%s\" does not exist", place_text(&inner)),
					 errdetail("There is no such field in %s.", descriptor->name)));
		}
		inner = json_place_field(place, json_name(field->name));
		require_one_spelling(&inner, field, &key, value->val.binary.data);
		if (member.type != jbvNull)
			read_field(&inner, field, &member, message);
	}
	return message;
}

/*
 * json_read_message -- a message from whatever JSON its type is written as.
 */
void *
json_read_message(const JsonPlace *place, const ProtobufCMessageDescriptor *descriptor,
				  const JsonbValue *value)
{
	const JsonForm *form = json_find_form(descriptor);

	if (place->depth > PROTO_MAX_DEPTH)
		json_reject(place, value, "less deeply nested messages");
	if (form != NULL)
		return form->read(place, value);
	return json_read_object(place, descriptor, value, NULL);
}

/*
 * json_to_message -- the message that a jsonb value spells, in the current
 * memory context.
 */
void *
json_to_message(const ProtobufCMessageDescriptor *descriptor, Jsonb *json)
{
	JsonPlace root = {0};
	JsonbValue value;

	json_require_utf8();
	json_value_init(&value, json);
	return json_read_message(&root, descriptor, &value);
}
