/*
 * memory.c
 *	  palloc() of the fuzzers, with one context, emptied after each input.
 *
 * Each allocation is one of malloc(), so that the sanitizer sees what is read
 * beyond its end or after pfree().  What links them stands before them, and is
 * forbidden to everyone else.
 */
#include "postgres.h"

#include <sanitizer/asan_interface.h>

#include "lib/ilist.h"

#include "memory.h"

typedef struct Allocation
{
	dlist_node node;
} Allocation;

#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

static dlist_head allocations = DLIST_STATIC_INIT(allocations);

UNCHECKED static void *
allocate(Size size)
{
	Allocation *allocation = malloc(sizeof(Allocation) + size);

	if (allocation == NULL)
		abort();
	allocation->node.prev = &allocations.head;
	allocation->node.next = allocations.head.next;
	allocations.head.next->prev = &allocation->node;
	allocations.head.next = &allocation->node;
	__asan_poison_memory_region(allocation, sizeof(Allocation));
	return allocation + 1;
}

UNCHECKED static void
release(Allocation *allocation)
{
	allocation->node.prev->next = allocation->node.next;
	allocation->node.next->prev = allocation->node.prev;
	__asan_unpoison_memory_region(allocation, sizeof(Allocation));
	free(allocation);
}

void *
palloc(Size size)
{
	return allocate(size);
}

void
pfree(void *pointer)
{
	release((Allocation *) pointer - 1);
}

/*
 * memory_reset -- free what is left of everything allocated so far.
 */
UNCHECKED void
memory_reset(void)
{
	while (allocations.head.next != &allocations.head)
		release(dlist_container(Allocation, node, allocations.head.next));
}
