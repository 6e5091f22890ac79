/*
 * json_field.c
 *	  Fields and enum values as proto-JSON sees them: kinds and names.
 */
#include "postgres.h"

#include "proto/json_codec.h"

/*
 * json_is_map -- a map is a list of messages that protoc made up for it.
 */
bool
json_is_map(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t len;

	if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE ||
		entry->n_fields != 2 || strcmp(entry->fields[0].name, "key") != 0 ||
		strcmp(entry->fields[1].name, "value") != 0)
		return false;
	len = strlen(entry->short_name);
	return len > 5 && strcmp(entry->short_name + len - 5, "Entry") == 0;
}

/*
 * json_element_size -- how much room an element of a list takes.
 */
size_t
json_element_size(ProtobufCType type)
{
	switch (type)
	{
		case PROTOBUF_C_TYPE_INT64:
		case PROTOBUF_C_TYPE_SINT64:
		case PROTOBUF_C_TYPE_SFIXED64:
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_FIXED64:
		case PROTOBUF_C_TYPE_DOUBLE:
			return sizeof(uint64);
		case PROTOBUF_C_TYPE_BOOL:
			return sizeof(protobuf_c_boolean);
		case PROTOBUF_C_TYPE_STRING:
		case PROTOBUF_C_TYPE_MESSAGE:
			return sizeof(void *);
		case PROTOBUF_C_TYPE_BYTES:
			return sizeof(ProtobufCBinaryData);
		default:
			return sizeof(uint32);
	}
}

/*
 * json_name -- the lowerCamelCase name of a field.
 */
char *
json_name(const char *proto_name)
{
	char *result = palloc(strlen(proto_name) + 1);
	char *out = result;

	for (const char *in = proto_name; *in != '\0'; in++)
	{
		if (in[0] == '_' && in[1] >= 'a' && in[1] <= 'z')
			*out++ = *++in - 'a' + 'A';
		else if (in[0] != '_')
			*out++ = in[0];
	}
	*out = '\0';
	return result;
}

/*
 * json_name_matches -- is this the field's name, in either spelling?
 */
bool
json_name_matches(const char *proto_name, const char *name, size_t len)
{
	const char *in = proto_name;
	size_t i;

	for (i = 0; i < len && *in != '\0'; i++, in++)
	{
		char expected = *in;

		if (expected == '_' && name[i] != '_')
		{
			expected = *++in;
			if (expected >= 'a' && expected <= 'z')
				expected += 'A' - 'a';
		}
		if (expected == '\0' || name[i] != expected)
			return false;
	}
	return i == len && *in == '\0';
}

/*
 * strip_type_prefix -- EVENT_TYPE_TIMER_STARTED of EventType: TIMER_STARTED.
 *
 * Answers NULL for a value that does not begin with the name of its type.
 */
static const char *
strip_type_prefix(const char *type_name, const char *value_name)
{
	for (const char *in = type_name; *in != '\0'; in++)
	{
		bool upper = *in >= 'A' && *in <= 'Z';

		if (upper && in > type_name && *value_name++ != '_')
			return NULL;
		if (*value_name++ != (upper ? *in : *in - 'a' + 'A'))
			return NULL;
	}
	return *value_name == '_' ? value_name + 1 : NULL;
}

/*
 * is_pascal_case -- is "text" TimerStarted where "name" is TIMER_STARTED?
 */
static bool
is_pascal_case(const char *name, const char *text)
{
	bool word_start = true;

	for (; *name != '\0'; name++)
	{
		char expected = *name;

		if (expected == '_')
		{
			word_start = true;
			continue;
		}
		if (!word_start && expected >= 'A' && expected <= 'Z')
			expected += 'a' - 'A';
		if (*text++ != expected)
			return false;
		word_start = false;
	}
	return *text == '\0';
}

/*
 * json_find_enum -- the value of this full or short name, NULL if none.
 */
const ProtobufCEnumValue *
json_find_enum(const ProtobufCEnumDescriptor *descriptor, const char *text)
{
	const ProtobufCEnumValue *value;

	value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, text);
	if (value != NULL)
		return value;
	for (unsigned i = 0; i < descriptor->n_values; i++)
	{
		const char *name = strip_type_prefix(descriptor->short_name, descriptor->values[i].name);

		if (name != NULL && is_pascal_case(name, text))
			return &descriptor->values[i];
	}
	return NULL;
}
