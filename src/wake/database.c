/*
 * database.c
 *	  What a commit tells the keeper of its database.
 *
 * There is an entry for each database whose keeper the launcher wants to run.
 * The launcher makes and frees entries, under TemporalProcess; everyone else
 * reads and writes them without a lock.  When an entry goes to another
 * database at that moment, the wrong keeper looks once in vain.
 *
 * "due" is the earliest time at which the keeper has something to do.  The
 * keeper takes it (leaving "never") before its snapshot and afterwards gives
 * back what its tick found; in between and later it is only lowered.  Who
 * lowers it sets the keeper's latch.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "wake/shmem.h"

/* database_find -- the entry of a database, or NULL. */
DatabaseSlot *
database_find(Oid database)
{
	static int last = 0;

	if (!wake_available())
		return NULL;
	for (int i = 0; i < WAKE_DATABASES; i++)
	{
		DatabaseSlot *slot = &wake_shared.databases[(last + i) % WAKE_DATABASES];

		if (pg_atomic_read_u32(&slot->database) == database)
		{
			last = slot - wake_shared.databases;
			return slot;
		}
	}
	return NULL;
}

/* database_create -- makes an entry; false: no room.  Caller locks. */
bool
database_create(Oid database)
{
	DatabaseSlot *slot = database_find(database);

	if (slot)
		return true;
	slot = database_find(InvalidOid);
	if (slot == NULL)
		return false;
	pg_atomic_write_u32(&slot->keeper, 0);
	pg_atomic_write_u32(&slot->prepared, 0);
	pg_atomic_write_u32(&slot->notify, 0);
	pg_atomic_write_u32(&slot->wanted, 0);
	pg_atomic_write_u32(&slot->flusher, 0);
	pg_atomic_write_u64(&slot->flush, 0);
	pg_atomic_write_u64(&slot->deferred, 0);
	pg_atomic_write_u64(&slot->due, (uint64) DT_NOEND);
	pg_atomic_write_u32(&slot->database, database);
	return true;
}

/* database_remove -- frees an entry.  Caller locks. */
void
database_remove(Oid database)
{
	DatabaseSlot *slot = database_find(database);

	if (slot)
		pg_atomic_write_u32(&slot->database, InvalidOid);
}

/*
 * database_attach_keeper -- this process is the keeper of a database.
 *
 * Whatever happened before is not known: everything is due, and transactions
 * may be prepared.
 */
void
database_attach_keeper(Oid database)
{
	DatabaseSlot *slot = database_find(database);

	if (slot == NULL)
		return;
	pg_atomic_write_u32(&slot->keeper, compat_my_proc_number() + 1);
	pg_atomic_write_u32(&slot->prepared, 1);
	pg_atomic_exchange_u64(&slot->due, (uint64) DT_NOBEGIN);
}

/* database_detach_keeper -- there is no keeper any more. */
void
database_detach_keeper(Oid database)
{
	DatabaseSlot *slot = database_find(database);

	if (slot)
		pg_atomic_write_u32(&slot->keeper, 0);
}

/* database_wake_keeper -- sets its latch, if there is a keeper. */
void
database_wake_keeper(DatabaseSlot *slot)
{
	uint32 keeper;

	pg_memory_barrier();
	keeper = pg_atomic_read_u32(&slot->keeper);
	if (keeper != 0)
		SetLatch(&GetPGProcByNumber(keeper - 1)->procLatch);
}

/* database_due -- when the keeper of this database is to look. */
TimestampTz
database_due(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	return slot ? (TimestampTz) pg_atomic_read_u64(&slot->due) : DT_NOEND;
}

/*
 * database_take_due -- the keeper looks now, with a snapshot yet to be taken.
 *
 * Nothing that was committed since the last look is due before this.
 */
TimestampTz
database_take_due(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot == NULL)
		return DT_NOBEGIN;
	return (TimestampTz) pg_atomic_exchange_u64(&slot->due, (uint64) DT_NOEND);
}

/* Lowers it; false if it was that low already. */
static bool
lower_due(DatabaseSlot *slot, TimestampTz due)
{
	uint64 current = pg_atomic_read_u64(&slot->due);

	while (due < (TimestampTz) current)
	{
		if (pg_atomic_compare_exchange_u64(&slot->due, &current, (uint64) due))
			return true;
	}
	return false;
}

/* database_lower_due -- the keeper of a database must look at this time. */
void
database_lower_due(Oid database, TimestampTz due)
{
	DatabaseSlot *slot = database_find(database);

	if (slot && lower_due(slot, due))
		database_wake_keeper(slot);
}

/* database_return_due -- the keeper has looked, and must again at this time. */
void
database_return_due(TimestampTz due)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot)
		lower_due(slot, due);
}

/* database_note_prepare -- a transaction with marks was prepared: sweep. */
void
database_note_prepare(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot && pg_atomic_exchange_u32(&slot->prepared, 1) == 0)
		database_wake_keeper(slot);
}

/* database_saw_prepare -- may transactions of ours be prepared? */
bool
database_saw_prepare(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	return slot && pg_atomic_read_u32(&slot->prepared) != 0;
}

/* database_forget_prepare -- the keeper is about to look whether any is. */
void
database_forget_prepare(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot)
		pg_atomic_exchange_u32(&slot->prepared, 0);
}

/* database_note_work -- some queue with listeners has work. */
void
database_note_work(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot && pg_atomic_exchange_u32(&slot->notify, 1) == 0)
		database_wake_keeper(slot);
}

/* database_note_busy -- no executor of some role is idle: the keeper watches. */
void
database_note_busy(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	if (slot)
		database_wake_keeper(slot);
}

/* database_has_work -- is there something to announce by NOTIFY? */
bool
database_has_work(void)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);

	return slot && pg_atomic_read_u32(&slot->notify) != 0;
}

/*
 * database_sweep -- makes everybody look at the tables.
 *
 * Bounds are forgotten first, else they would look in the wrong place.
 */
void
database_sweep(void)
{
	if (!wake_available())
		return;
	queue_sweep(MyDatabaseId);
	waiter_wake_database(MyDatabaseId);
}

/* Kinds of which there is one come first, then the frontends. */
#define FIRST_FRONTEND_BIT 8

static uint32
wanted_bit(ProcessKind kind, int number)
{
	return kind == PROCESS_FRONTEND ? 1U << (FIRST_FRONTEND_BIT + number) : 1U << kind;
}

/* database_want -- sets whether a worker is wanted; true if that is new. */
bool
database_want(Oid database, ProcessKind kind, int number, bool wanted)
{
	DatabaseSlot *slot = database_find(database);
	uint32 bit = wanted_bit(kind, number);
	uint32 before;

	if (slot == NULL)
		return false;
	before = wanted ? pg_atomic_fetch_or_u32(&slot->wanted, bit)
					: pg_atomic_fetch_and_u32(&slot->wanted, ~bit);
	return ((before & bit) != 0) != wanted;
}

/* database_wants -- has the keeper asked for such a worker? */
bool
database_wants(Oid database, ProcessKind kind, int number)
{
	DatabaseSlot *slot = database_find(database);

	return slot && (pg_atomic_read_u32(&slot->wanted) & wanted_bit(kind, number)) != 0;
}
