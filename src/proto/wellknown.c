/*
 * wellknown.c
 *	  Messages with a JSON form of their own.
 *
 * Timestamp, Duration, FieldMask and the wrappers are bare values; an Any is
 * the message in it plus its type.  Payloads have their own file.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "proto/common.pb-c.h"
#include "proto/google_protobuf.pb-c.h"
#include "proto/json_codec.h"
#include "proto/lexical.h"
#include "proto/registry.h"
#include "proto/time.h"
#include "proto/wire.h"

/*
 * string_value -- a JSON string, NULL if it is something else.
 */
static char *
string_value(const JsonbValue *value)
{
	if (value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/*
 * Timestamp and Duration
 */

static void *
read_timestamp(const JsonPlace *place, const JsonbValue *value)
{
	Pb__Timestamp *timestamp = proto_new(&pb__timestamp__descriptor);
	char *text = string_value(value);

	if (text == NULL || !timestamp_parse(text, &timestamp->seconds, &timestamp->nanos))
		json_reject(place, value, "a timestamp such as \"2026-08-01T10:00:00Z\"");
	return timestamp;
}

static void
write_timestamp(JsonWriter *writer, const ProtobufCMessage *message)
{
	const Pb__Timestamp *timestamp = (const Pb__Timestamp *) message;
	char *text = timestamp_format(timestamp->seconds, timestamp->nanos);

	if (text != NULL)
		json_write_string(writer, text);
	else
		json_write_object(writer, message);
}

static void *
read_duration(const JsonPlace *place, const JsonbValue *value)
{
	Pb__Duration *duration = proto_new(&pb__duration__descriptor);
	char *text = string_value(value);

	if (text == NULL || !duration_parse(text, &duration->seconds, &duration->nanos))
		json_reject(place, value, "a duration in seconds such as \"1.5s\"");
	return duration;
}

static void
write_duration(JsonWriter *writer, const ProtobufCMessage *message)
{
	const Pb__Duration *duration = (const Pb__Duration *) message;
	char *text = duration_format(duration->seconds, duration->nanos);

	if (text != NULL)
		json_write_string(writer, text);
	else
		json_write_object(writer, message);
}

/*
 * Wrappers and FieldMask
 */

static void *
read_double_value(const JsonPlace *place, const JsonbValue *value)
{
	Pb__DoubleValue *wrapper = proto_new(&pb__double_value__descriptor);

	json_read_value(place, &pb__double_value__descriptor.fields[0], value, &wrapper->value);
	return wrapper;
}

static void
write_double_value(JsonWriter *writer, const ProtobufCMessage *message)
{
	json_write_element(writer, &pb__double_value__descriptor.fields[0],
					   &((const Pb__DoubleValue *) message)->value);
}

/*
 * snake_case -- a path of a mask as protobuf spells it, NULL if it is none.
 */
static char *
snake_case(const char *path)
{
	StringInfoData out;

	initStringInfo(&out);
	if (*path == '\0')
		return NULL;
	for (; *path != '\0'; path++)
	{
		if (*path >= 'A' && *path <= 'Z')
			appendStringInfo(&out, "_%c", *path - 'A' + 'a');
		else if ((*path >= 'a' && *path <= 'z') || (*path >= '0' && *path <= '9') || *path == '_' ||
				 *path == '.')
			appendStringInfoChar(&out, *path);
		else
			return NULL;
	}
	return out.data;
}

static void *
read_field_mask(const JsonPlace *place, const JsonbValue *value)
{
	Pb__FieldMask *mask = proto_new(&pb__field_mask__descriptor);
	char *text = string_value(value);
	int n = 1;

	if (text == NULL)
		json_reject(place, value, "field names separated by commas");
	if (*text == '\0')
		return mask;
	for (char *c = text; *c != '\0'; c++)
		n += *c == ',';
	mask->paths = palloc(n * sizeof(char *));
	while (text != NULL)
	{
		char *comma = strchr(text, ',');
		char *path;

		if (comma != NULL)
			*comma++ = '\0';
		path = snake_case(text);
		if (path == NULL)
			json_reject(place, value, "field names separated by commas");
		mask->paths[mask->n_paths++] = path;
		text = comma;
	}
	return mask;
}

static void
write_field_mask(JsonWriter *writer, const ProtobufCMessage *message)
{
	const Pb__FieldMask *mask = (const Pb__FieldMask *) message;
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < mask->n_paths; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? "," : "", json_name(mask->paths[i]));
	json_write_string(writer, out.data);
}

/*
 * Any
 */

/*
 * find_any_message -- the message that a type URL names: what is behind its
 * last slash.
 */
static const ProtobufCMessageDescriptor *
find_any_message(const char *type_url)
{
	const char *slash = strrchr(type_url, '/');

	return slash == NULL ? NULL : proto_find_message(slash + 1);
}

/*
 * is_well_known -- in an Any these stand under "value".
 */
static bool
is_well_known(const ProtobufCMessageDescriptor *descriptor)
{
	return strcmp(descriptor->package_name, "google.protobuf") == 0;
}

/*
 * read_well_known -- the message under "value" beside "@type".
 */
static void *
read_well_known(const JsonPlace *place, const ProtobufCMessageDescriptor *descriptor,
				const JsonbValue *value)
{
	JsonPlace inner = json_place_field(place, "value");
	JsonbContainer *object = value->val.binary.data;
	JsonbValue member;

	if (JsonContainerSize(object) != 2 ||
		getKeyJsonValueFromContainer(object, "value", strlen("value"), &member) == NULL)
		json_reject(place, value, "\"@type\" and \"value\"");
	return json_read_message(&inner, descriptor, &member);
}

static void *
read_any(const JsonPlace *place, const JsonbValue *value)
{
	const ProtobufCMessageDescriptor *descriptor;
	JsonPlace type_place = json_place_field(place, "@type");
	JsonbValue type;
	Pb__Any *any;
	void *message;

	/* Without a type it is spelled as the plain message that it is. */
	if (!json_is_container(value, JB_FOBJECT) ||
		getKeyJsonValueFromContainer(value->val.binary.data, "@type", strlen("@type"), &type) ==
			NULL)
		return json_read_object(place, &pb__any__descriptor, value, NULL);

	any = proto_new(&pb__any__descriptor);
	any->type_url = string_value(&type);
	if (any->type_url == NULL || (descriptor = find_any_message(any->type_url)) == NULL)
		json_reject(&type_place, &type,
					"the URL of a message type such as "
					"\"type.googleapis.com/temporal.api.update.v1.Request\"");
	if (is_well_known(descriptor))
		message = read_well_known(place, descriptor, value);
	else
		message = json_read_object(place, descriptor, value, "@type");
	any->value = proto_pack(message);
	return any;
}

/*
 * unpack_any -- the message in an Any; NULL if we cannot look inside.
 */
static ProtobufCMessage *
unpack_any(const JsonWriter *writer, const Pb__Any *any)
{
	const ProtobufCMessageDescriptor *descriptor = find_any_message(any->type_url);

	/* The wire bounds the depth of each Any, not of one in another. */
	if (descriptor == NULL || writer->depth > PROTO_MAX_DEPTH ||
		wire_check(descriptor, any->value.data, any->value.len) != NULL)
		return NULL;
	return proto_unpack(descriptor, any->value.data, any->value.len);
}

static void
write_any(JsonWriter *writer, const ProtobufCMessage *any_message)
{
	const Pb__Any *any = (const Pb__Any *) any_message;
	ProtobufCMessage *message = unpack_any(writer, any);

	if (message == NULL)
	{
		json_write_object(writer, any_message);
		return;
	}
	json_write_token(writer, WJB_BEGIN_OBJECT);
	json_write_key(writer, "@type");
	json_write_string(writer, any->type_url);
	if (is_well_known(message->descriptor))
	{
		json_write_key(writer, "value");
		json_write_message(writer, message);
	}
	else
		json_write_fields(writer, message);
	json_write_token(writer, WJB_END_OBJECT);
}

static const JsonForm forms[] = {
	{&pb__payload__descriptor, payload_read, payload_write},
	{&pb__payloads__descriptor, payloads_read, payloads_write},
	{&pb__timestamp__descriptor, read_timestamp, write_timestamp},
	{&pb__duration__descriptor, read_duration, write_duration},
	{&pb__double_value__descriptor, read_double_value, write_double_value},
	{&pb__field_mask__descriptor, read_field_mask, write_field_mask},
	{&pb__any__descriptor, read_any, write_any},
};

/*
 * json_find_form -- the own form of a message; NULL for an ordinary object.
 */
const JsonForm *
json_find_form(const ProtobufCMessageDescriptor *descriptor)
{
	for (int i = 0; i < lengthof(forms); i++)
	{
		if (forms[i].descriptor == descriptor)
			return &forms[i];
	}
	return NULL;
}
