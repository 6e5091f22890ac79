/*
 * alloc.h
 *	  Memory contexts under protobuf-c.
 */
#ifndef TEMPORAL_PROTO_ALLOC_H
#define TEMPORAL_PROTO_ALLOC_H

#include <protobuf-c/protobuf-c.h>

extern ProtobufCAllocator *proto_allocator(MemoryContext cxt);

#endif /* TEMPORAL_PROTO_ALLOC_H */
