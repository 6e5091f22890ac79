/*
 * alloc.c
 *	  Memory contexts under protobuf-c.
 *
 * An error must not jump through the frames of the library, so the allocator
 * answers NULL where palloc() would raise: out of memory, and a size that
 * palloc() refuses.  Freeing does nothing: what was unpacked lives and dies
 * with its context.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "proto/alloc.h"

static void *
context_alloc(void *context, size_t size)
{
	if (!AllocSizeIsValid(size))
		return NULL;
	return MemoryContextAllocExtended((MemoryContext) context, size, MCXT_ALLOC_NO_OOM);
}

static void
context_free(void *context, void *pointer)
{
}

/*
 * proto_allocator -- an allocator that takes from "cxt" and lives in it.
 */
ProtobufCAllocator *
proto_allocator(MemoryContext cxt)
{
	ProtobufCAllocator *allocator = MemoryContextAlloc(cxt, sizeof(ProtobufCAllocator));

	allocator->alloc = context_alloc;
	allocator->free = context_free;
	allocator->allocator_data = cxt;
	return allocator;
}
