/*
 * wire.h
 *	  Messages as bytes: checking, unpacking, packing.
 */
#ifndef TEMPORAL_PROTO_WIRE_H
#define TEMPORAL_PROTO_WIRE_H

#include <protobuf-c/protobuf-c.h>

/* How many messages may enclose another; protobuf's own parsers agree. */
#define PROTO_MAX_DEPTH 100

/* wire.c: needs nothing of a backend but palloc() */
extern const char *wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8 *data,
							  size_t len);
extern const char *wire_mend(const ProtobufCMessageDescriptor *descriptor, const uint8 **data,
							 size_t len);

/* message.c */
extern void *proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8 *data,
						  size_t len);
extern ProtobufCBinaryData proto_pack(const ProtobufCMessage *message);
extern bytea *proto_pack_bytea(const ProtobufCMessage *message);
extern void *proto_copy(const ProtobufCMessage *message);

#endif /* TEMPORAL_PROTO_WIRE_H */
