/*
 * message.c
 *	  Messages to bytes and back, in the current memory context.
 *
 * Bytes are unpacked only after wire_mend() has passed them: protobuf-c
 * itself checks neither UTF-8 nor depth nor size.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "proto/alloc.h"
#include "proto/wire.h"

/*
 * unpack -- the message in bytes that are known to be sound.
 */
static void *
unpack(const ProtobufCMessageDescriptor *descriptor, const uint8 *data, size_t len)
{
	void *message;

	message =
		protobuf_c_message_unpack(descriptor, proto_allocator(CurrentMemoryContext), len, data);
	if (message == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
				 errdetail("Could not unpack a message of %zu bytes.", len)));
	return message;
}

/*
 * packed_size -- the size of a message, refused when it fits no allocation.
 */
static size_t
packed_size(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);

	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message of %zu bytes is too large", size),
				 errdetail("The limit is %zu bytes.", (size_t) MaxAllocSize - VARHDRSZ)));
	return size;
}

/*
 * proto_unpack -- the message in bytes that a client sent or a table holds.
 */
void *
proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8 *data, size_t len)
{
	const char *problem = wire_mend(descriptor, &data, len);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_WIRE),
				 errmsg("invalid %s: %s", descriptor->short_name, problem)));
	return unpack(descriptor, data, len);
}

/*
 * proto_pack -- the bytes of a message; no data for an empty one.
 */
ProtobufCBinaryData
proto_pack(const ProtobufCMessage *message)
{
	ProtobufCBinaryData result = {0, NULL};

	result.len = packed_size(message);
	if (result.len > 0)
	{
		result.data = palloc(result.len);
		protobuf_c_message_pack(message, result.data);
	}
	return result;
}

/*
 * proto_pack_bytea -- the bytes of a message as a datum.
 */
bytea *
proto_pack_bytea(const ProtobufCMessage *message)
{
	size_t size = packed_size(message);
	bytea *result = palloc(VARHDRSZ + size);

	SET_VARSIZE(result, VARHDRSZ + size);
	protobuf_c_message_pack(message, (uint8 *) VARDATA(result));
	return result;
}

/*
 * proto_copy -- a deep copy, unknown fields included.
 */
void *
proto_copy(const ProtobufCMessage *message)
{
	ProtobufCBinaryData packed = proto_pack(message);

	return unpack(message->descriptor, packed.data, packed.len);
}
