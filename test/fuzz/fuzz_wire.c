/*
 * fuzz_wire.c
 *	  Bytes that wire_mend() passes can be unpacked, and survive packing.
 *
 * protobuf-c takes its memory from malloc() here, so that the sanitizer sees
 * what it frees twice or reads beyond the end.
 */
#include "postgres.h"

#include "proto/wire.h"

#include "memory.h"
#include "messages.h"

static ProtobufCMessage *
unpack(const ProtobufCMessageDescriptor *descriptor, const uint8 *data, size_t len)
{
	ProtobufCMessage *message;

	if (wire_mend(descriptor, &data, len) != NULL)
		return NULL;
	message = protobuf_c_message_unpack(descriptor, NULL, len, data);
	if (message == NULL)
		abort();
	return message;
}

static void
try_message(const ProtobufCMessageDescriptor *descriptor, const uint8 *data, size_t len)
{
	ProtobufCMessage *first = unpack(descriptor, data, len);
	ProtobufCMessage *second;
	size_t size;
	uint8 *packed;
	uint8 *repacked;

	if (first == NULL)
		return;
	size = protobuf_c_message_get_packed_size(first);
	packed = palloc(size + 1);
	repacked = palloc(size + 1);
	if (protobuf_c_message_pack(first, packed) != size)
		abort();
	second = unpack(descriptor, packed, size);
	if (second == NULL || protobuf_c_message_get_packed_size(second) != size ||
		protobuf_c_message_pack(second, repacked) != size || memcmp(packed, repacked, size) != 0)
		abort();

	protobuf_c_message_free_unpacked(first, NULL);
	protobuf_c_message_free_unpacked(second, NULL);
}

int LLVMFuzzerTestOneInput(const uint8 *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t len)
{
	if (len > 0)
		try_message(messages[data[0] % lengthof(messages)], data + 1, len - 1);
	memory_reset();
	return 0;
}
