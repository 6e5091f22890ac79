/*
 * bytes.c
 *	  A growing array of bytes.
 *
 * It is filled from nghttp2's callbacks, so it says that memory is out where
 * others raise.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "frontend/frontend.h"

#define SMALLEST_SIZE 256

static bool
grow(MemoryContext memory, Bytes *bytes, size_t needed)
{
	size_t size = Max(bytes->size * 2, SMALLEST_SIZE);
	uint8 *data;

	while (size < needed)
		size *= 2;
	if (!AllocSizeIsValid(size))
		return false;
	data = MemoryContextAllocExtended(memory, size, MCXT_ALLOC_NO_OOM);
	if (data == NULL)
		return false;
	if (bytes->len > 0)
		memcpy(data, bytes->data, bytes->len);
	if (bytes->data)
		pfree(bytes->data);
	bytes->data = data;
	bytes->size = size;
	return true;
}

/* bytes_append -- false when there is no memory; the buffer is as it was. */
bool
bytes_append(MemoryContext memory, Bytes *bytes, const void *data, size_t len)
{
	if (bytes->len + len > bytes->size && !grow(memory, bytes, bytes->len + len))
		return false;
	if (len > 0)
		memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return true;
}

void
bytes_free(Bytes *bytes)
{
	if (bytes->data)
		pfree(bytes->data);
	MemSet(bytes, 0, sizeof(*bytes));
}
