/*
 * json_codec.h
 *	  What the files of the proto-JSON codec share; others include json.h.
 */
#ifndef TEMPORAL_PROTO_JSON_CODEC_H
#define TEMPORAL_PROTO_JSON_CODEC_H

#include <protobuf-c/protobuf-c.h>

#include "utils/jsonb.h"

#include "base/compat.h"

/*
 * Where a value stands: a field of a message, an element of a list or a member
 * of a map.  The place of the whole has no parent.
 */
typedef struct JsonPlace
{
	const struct JsonPlace *parent;
	const char *field; /* JSON name of a field, or NULL */
	const char *key;   /* key of a map, or NULL */
	int index;         /* of a list, unless field or key is set */
	int depth;         /* enclosing messages, as on the wire */
} JsonPlace;

typedef struct JsonWriter
{
	JsonbParseState *state;
	JsonbValue *result; /* the whole, once all is written */
	bool shorthand;     /* of payloads */
	int depth;          /* enclosing messages, those in an Any too */
} JsonWriter;

/* A message that is something else than an object of its fields. */
typedef struct JsonForm
{
	const ProtobufCMessageDescriptor *descriptor;
	void *(*read)(const JsonPlace *place, const JsonbValue *value);
	void (*write)(JsonWriter *writer, const ProtobufCMessage *message);
} JsonForm;

#define FIELD_AT(type, message, offset) ((type *) ((char *) (message) + (offset)))

/* json_read.c */
extern void *json_read_message(const JsonPlace *place, const ProtobufCMessageDescriptor *descriptor,
							   const JsonbValue *value);
extern void *json_read_object(const JsonPlace *place, const ProtobufCMessageDescriptor *descriptor,
							  const JsonbValue *value, const char *ignored_key);
extern void json_read_value(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
							const JsonbValue *value, void *out);
extern JsonPlace json_place_field(const JsonPlace *parent, const char *name);
extern JsonPlace json_place_index(const JsonPlace *parent, int index);
pg_noreturn extern void json_reject(const JsonPlace *place, const JsonbValue *value,
									const char *expected);
extern bool json_is_container(const JsonbValue *value, uint32 kind);

/* json_scalar.c */
extern void json_read_scalar(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
							 const JsonbValue *value, void *out);
extern void json_write_scalar(JsonWriter *writer, const ProtobufCFieldDescriptor *field,
							  const void *at);

/* json_field.c */
extern bool json_is_map(const ProtobufCFieldDescriptor *field);
extern size_t json_element_size(ProtobufCType type);
extern char *json_name(const char *proto_name);
extern bool json_name_matches(const char *proto_name, const char *name, size_t len);
extern const ProtobufCEnumValue *json_find_enum(const ProtobufCEnumDescriptor *descriptor,
												const char *text);

/* json_write.c */
extern void json_require_utf8(void);
extern void json_write_message(JsonWriter *writer, const ProtobufCMessage *message);
extern void json_write_fields(JsonWriter *writer, const ProtobufCMessage *message);
extern void json_write_object(JsonWriter *writer, const ProtobufCMessage *message);
extern void json_write_element(JsonWriter *writer, const ProtobufCFieldDescriptor *field,
							   const void *at);
extern void json_write_token(JsonWriter *writer, JsonbIteratorToken token);
extern void json_write_key(JsonWriter *writer, const char *key);
extern void json_write_string(JsonWriter *writer, const char *text);
extern void json_write_value(JsonWriter *writer, JsonbValue *value);
extern void json_write_jsonb(JsonWriter *writer, Jsonb *json);
extern void json_value_init(JsonbValue *value, Jsonb *json);

/* wellknown.c */
extern const JsonForm *json_find_form(const ProtobufCMessageDescriptor *descriptor);

/* payload.c */
extern void *payload_read(const JsonPlace *place, const JsonbValue *value);
extern void payload_write(JsonWriter *writer, const ProtobufCMessage *message);
extern void *payloads_read(const JsonPlace *place, const JsonbValue *value);
extern void payloads_write(JsonWriter *writer, const ProtobufCMessage *message);
extern void payload_write_field(JsonWriter *writer, const ProtobufCMessage *message);

#endif /* TEMPORAL_PROTO_JSON_CODEC_H */
