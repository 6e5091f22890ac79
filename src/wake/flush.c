/*
 * flush.c
 *	  Who wants WAL to be on disk, and who puts it there.
 *
 * A frontend commits asynchronously and lets its answers go when the flusher
 * of the database has flushed that far.  The position only grows; the flusher
 * is told by its latch, the frontends by theirs.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"

#include "base/clock.h"
#include "base/compat.h"
#include "wake/shmem.h"

/* Longer than anybody puts a flush off. */
#define DEFERRED_FOR (10 * USECS_PER_SEC)

/* flush_attach -- this process is the flusher of a database, or was. */
void
flush_attach(Oid database, bool attached)
{
	DatabaseSlot *slot = database_find(database);

	if (slot)
		pg_atomic_write_u32(&slot->flusher, attached ? compat_my_proc_number() + 1 : 0);
}

/* flush_available -- is there a flusher? */
bool
flush_available(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	return slot && pg_atomic_read_u32(&slot->flusher) != 0;
}

bool
flush_request(uint64 lsn)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);
	uint64 current;
	uint32 flusher;

	if (slot == NULL)
		return false;
	current = pg_atomic_read_u64(&slot->flush);
	while (current < lsn && !pg_atomic_compare_exchange_u64(&slot->flush, &current, lsn))
		;
	pg_memory_barrier();
	flusher = pg_atomic_read_u32(&slot->flusher);
	if (flusher != 0)
		SetLatch(&GetPGProcByNumber(flusher - 1)->procLatch);
	return flusher != 0;
}

/* flush_requested -- how far, at least, for those who asked so far. */
uint64
flush_requested(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	return slot ? pg_atomic_read_u64(&slot->flush) : 0;
}

/* flush_done -- wakes all who may wait for it. */
void
flush_done(void)
{
	waiter_wake_servers(MyDatabaseId);
}

bool
flush_defer(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot == NULL)
		return false;
	pg_atomic_write_u64(&slot->deferred, clock_wall_now());
	pg_memory_barrier();
	return true;
}

bool
flush_was_deferred(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	pg_memory_barrier();
	return slot && (int64) pg_atomic_read_u64(&slot->deferred) > clock_wall_now() - DEFERRED_FOR;
}
