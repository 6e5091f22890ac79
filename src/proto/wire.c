/*
 * wire.c
 *	  Is a message on the wire sound?
 *
 * protobuf-c copies strings without looking at them: invalid UTF-8 would reach
 * the database, and a NUL byte would cut a string short.  It recurses as deep
 * as the bytes say, and takes hundreds of times their size in memory if they
 * are made for it.  So one pass over the bytes, led by the descriptors, comes
 * first.  Bytes that it passes can be unpacked; only memory may still run out,
 * and the pass bounds that as well.
 *
 * A singular message given twice would have to be merged.  No client writes
 * that, and protobuf-c does not merge well: 1.4.1 gives up when a oneof is
 * unset in both, older ones read beyond their tables.  It is refused.
 *
 * A NUL byte is refused, but not in the texts of a failure: whatever an
 * exception says, a worker has to be able to report it.  '?' takes its place.
 *
 * Fields that we do not know are skipped, and kept by protobuf-c.  Groups are
 * refused: proto3 has none and protobuf-c cannot skip them.
 *
 * Nothing here raises, and palloc() is all it needs of a backend, so that it
 * can be fuzzed.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "proto/failure.pb-c.h"
#include "proto/wire.h"

/* Bounds that protobuf-c sets too. */
#define MAX_TAG_BYTES 5
#define MAX_LENGTH_BYTES 5
#define MAX_VARINT_BYTES 10
#define MAX_FIELD_NUMBER ((UINT64CONST(1) << 29) - 1)

/* An empty message is two bytes on the wire and hundreds when unpacked. */
#define MAX_UNPACKED_SIZE ((size_t) 256 * 1024 * 1024)
#define UNPACKED_FIELD_SIZE 48

/* How much of a long path a message shows. */
#define SHOWN_LEVELS 10

/* Our largest message has 70 fields. */
#define MAX_FIELDS 256

/* What all levels share. */
typedef struct WireCheck
{
	size_t unpacked_size; /* the bytes that unpacking would take so far */
	const uint8 *data;	  /* of the outermost message */
	size_t len;
	bool may_mend;
	uint8 *mended; /* the same with NUL bytes replaced, once one was met */
} WireCheck;

/* One message being checked, and where it is. */
typedef struct WireMessage
{
	const struct WireMessage *parent;
	const ProtobufCMessageDescriptor *descriptor;
	const ProtobufCFieldDescriptor *field; /* the one being read, if known */
	const uint8 *at;
	const uint8 *end;
	int depth;
	uint32 seen[MAX_FIELDS / 32]; /* singular messages met */
} WireMessage;

static const char *check_message(WireCheck *check, WireMessage *message);

/*
 * field_path -- the names of the fields that lead to the one being read, the
 * innermost "levels" of them.
 */
static const char *
field_path(const WireMessage *message, int levels)
{
	if (levels == 0)
		return "...";
	if (message->parent == NULL)
		return message->field->name;
	return psprintf("%s.%s", field_path(message->parent, levels - 1), message->field->name);
}

/*
 * reject -- say what is wrong with the field being read, or with the message
 * that we are in when its field is not known.
 */
static const char *
reject(const WireMessage *message, const char *problem)
{
	if (message->field == NULL && message->parent == NULL)
		return psprintf("%s", problem);
	return psprintf("field \"%s\": %s",
					field_path(message->field ? message : message->parent, SHOWN_LEVELS), problem);
}

/*
 * read_varint -- take a varint of at most "max_bytes"; false if there is none.
 */
static bool
read_varint(WireMessage *message, int max_bytes, uint64 *value)
{
	*value = 0;
	for (int i = 0; i < max_bytes && message->at < message->end; i++)
	{
		uint8 byte = *message->at++;

		*value |= (uint64) (byte & 0x7f) << (7 * i);
		if ((byte & 0x80) == 0)
			return true;
	}
	return false;
}

/*
 * expected_wire_type -- how a single value of this type is written.
 */
static ProtobufCWireType
expected_wire_type(ProtobufCType type)
{
	switch (type)
	{
		case PROTOBUF_C_TYPE_SFIXED32:
		case PROTOBUF_C_TYPE_FIXED32:
		case PROTOBUF_C_TYPE_FLOAT:
			return PROTOBUF_C_WIRE_TYPE_32BIT;
		case PROTOBUF_C_TYPE_SFIXED64:
		case PROTOBUF_C_TYPE_FIXED64:
		case PROTOBUF_C_TYPE_DOUBLE:
			return PROTOBUF_C_WIRE_TYPE_64BIT;
		case PROTOBUF_C_TYPE_STRING:
		case PROTOBUF_C_TYPE_BYTES:
		case PROTOBUF_C_TYPE_MESSAGE:
			return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
		default:
			return PROTOBUF_C_WIRE_TYPE_VARINT;
	}
}

/*
 * find_field -- the descriptor of a field number, NULL if we do not know it.
 */
static const ProtobufCFieldDescriptor *
find_field(const WireMessage *message, const ProtobufCFieldDescriptor *last, uint32 number)
{
	/* The elements of a list follow each other. */
	if (last != NULL && last->id == number)
		return last;
	return protobuf_c_message_descriptor_get_field(message->descriptor, number);
}

/*
 * check_packed -- a list of numbers in one length-prefixed field.
 */
static const char *
check_packed(WireCheck *check, const WireMessage *message, const uint8 *data, size_t len)
{
	WireMessage values = *message;
	ProtobufCType type = message->field->type;

	check->unpacked_size += len * sizeof(uint64);
	switch (expected_wire_type(type))
	{
		case PROTOBUF_C_WIRE_TYPE_32BIT:
			return len % 4 == 0 ? NULL : reject(message, "invalid length of a packed list");
		case PROTOBUF_C_WIRE_TYPE_64BIT:
			return len % 8 == 0 ? NULL : reject(message, "invalid length of a packed list");
		default:
			break;
	}

	values.at = data;
	values.end = data + len;
	while (values.at < values.end)
	{
		uint64 value;

		if (!read_varint(&values, type == PROTOBUF_C_TYPE_BOOL ? 1 : MAX_VARINT_BYTES, &value))
			return reject(message, "invalid varint");
		if (type == PROTOBUF_C_TYPE_BOOL && value > 1)
			return reject(message, "invalid boolean");
	}
	return NULL;
}

/*
 * check_submessage -- a message inside this one.
 */
static const char *
check_submessage(WireCheck *check, WireMessage *message, const uint8 *data, size_t len)
{
	const ProtobufCFieldDescriptor *field = message->field;
	WireMessage inner = {.parent = message, .descriptor = field->descriptor};

	if (message->depth >= PROTO_MAX_DEPTH)
		return reject(message, "messages are nested too deeply");

	/* A oneof member replaces the one before it, a list grows; the rest would merge. */
	if (field->label != PROTOBUF_C_LABEL_REPEATED &&
		(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
	{
		size_t index = field - message->descriptor->fields;

		if (index >= MAX_FIELDS || (message->seen[index / 32] & (1U << index % 32)) != 0)
			return reject(message, "given twice");
		message->seen[index / 32] |= 1U << index % 32;
	}

	inner.depth = message->depth + 1;
	inner.at = data;
	inner.end = data + len;
	return check_message(check, &inner);
}

/*
 * is_valid_text -- UTF-8 without a NUL byte?
 */
static bool
is_valid_text(const uint8 *text, size_t len)
{
	return pg_encoding_verifymbstr(PG_UTF8, (const char *) text, len) == len;
}

/*
 * replace_nul_bytes -- the text in the mended bytes, without NUL bytes.
 */
static const uint8 *
replace_nul_bytes(WireCheck *check, const uint8 *text, size_t len)
{
	uint8 *mended;

	if (check->mended == NULL)
	{
		check->mended = palloc(check->len);
		memcpy(check->mended, check->data, check->len);
	}
	mended = check->mended + (text - check->data);
	for (size_t i = 0; i < len; i++)
	{
		if (mended[i] == 0)
			mended[i] = '?';
	}
	return mended;
}

/*
 * check_text -- a field that is text.
 */
static const char *
check_text(WireCheck *check, const WireMessage *message, const uint8 *text, size_t len)
{
	check->unpacked_size += len;
	if (is_valid_text(text, len))
		return NULL;
	if (memchr(text, 0, len) != NULL)
	{
		if (!check->may_mend || message->descriptor != &pb__failure__descriptor)
			return reject(message, "string contains a NUL byte");
		if (is_valid_text(replace_nul_bytes(check, text, len), len))
			return NULL;
	}
	return reject(message, "string is not valid UTF-8");
}

/*
 * check_bytes -- a length-prefixed field.
 */
static const char *
check_bytes(WireCheck *check, WireMessage *message)
{
	const ProtobufCFieldDescriptor *field = message->field;
	const uint8 *data;
	uint64 len;

	if (!read_varint(message, MAX_LENGTH_BYTES, &len))
		return reject(message, "invalid length");
	if (len > (uint64) (message->end - message->at))
		return reject(message, "length beyond the end");
	data = message->at;
	message->at += len;
	if (field == NULL)
	{
		check->unpacked_size += len;
		return NULL;
	}

	switch (field->type)
	{
		case PROTOBUF_C_TYPE_STRING:
			return check_text(check, message, data, len);
		case PROTOBUF_C_TYPE_BYTES:
			check->unpacked_size += len;
			return NULL;
		case PROTOBUF_C_TYPE_MESSAGE:
			return check_submessage(check, message, data, len);
		default:
			return check_packed(check, message, data, len);
	}
}

/*
 * check_field -- one field, behind its tag.
 */
static const char *
check_field(WireCheck *check, WireMessage *message, ProtobufCWireType wire_type)
{
	const ProtobufCFieldDescriptor *field = message->field;
	uint64 value;
	size_t width;

	if (field != NULL && wire_type != expected_wire_type(field->type) &&
		!(wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
		  field->label == PROTOBUF_C_LABEL_REPEATED))
		return reject(message, "wire type does not match");

	check->unpacked_size += UNPACKED_FIELD_SIZE;
	switch (wire_type)
	{
		case PROTOBUF_C_WIRE_TYPE_VARINT:
			return read_varint(message, MAX_VARINT_BYTES, &value)
				? NULL
				: reject(message, "invalid varint");
		case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
			return check_bytes(check, message);
		case PROTOBUF_C_WIRE_TYPE_64BIT:
		case PROTOBUF_C_WIRE_TYPE_32BIT:
			width = wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
			if (width > (size_t) (message->end - message->at))
				return reject(message, "number beyond the end");
			message->at += width;
			return NULL;
		default:
			return reject(message, "wire type is not supported");
	}
}

/*
 * check_message -- all fields of one message.
 */
static const char *
check_message(WireCheck *check, WireMessage *message)
{
	check->unpacked_size += message->descriptor->sizeof_message;
	while (message->at < message->end)
	{
		const ProtobufCFieldDescriptor *last = message->field;
		const char *problem;
		uint64 tag;
		uint64 number;

		message->field = NULL;
		if (!read_varint(message, MAX_TAG_BYTES, &tag))
			return reject(message, "invalid tag");
		number = tag >> 3;
		if (number == 0 || number > MAX_FIELD_NUMBER)
			return reject(message, "invalid field number");

		message->field = find_field(message, last, number);
		problem = check_field(check, message, tag & 7);
		if (problem != NULL)
			return problem;
		if (check->unpacked_size > MAX_UNPACKED_SIZE)
			return reject(message, "message is too large when unpacked");
	}
	return NULL;
}

/*
 * wire_check -- what is wrong with the bytes of a message; NULL if nothing.
 *
 * The answer names the field by its path and holds nothing of the data.
 */
const char *
wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8 *data, size_t len)
{
	WireCheck check = {.data = data, .len = len};
	WireMessage message = {.descriptor = descriptor, .at = data, .end = data + len};

	return check_message(&check, &message);
}

/*
 * wire_mend -- the same, of bytes that a failure may have NUL bytes in; what
 * is to be unpacked instead of them is left in "*data".
 */
const char *
wire_mend(const ProtobufCMessageDescriptor *descriptor, const uint8 **data, size_t len)
{
	WireCheck check = {.data = *data, .len = len, .may_mend = true};
	WireMessage message = {.descriptor = descriptor, .at = *data, .end = *data + len};
	const char *problem = check_message(&check, &message);

	if (problem == NULL && check.mended != NULL)
		*data = check.mended;
	return problem;
}
