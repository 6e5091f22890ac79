/*
 * shmem.c
 *	  Reserves and initialises our shared memory.
 *
 * All of it has a fixed size.  It is made once, by the postmaster, and made
 * anew after a crash: every hint is lost then, which the keepers' first sweep
 * makes good.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/guc.h"
#include "wake/shmem.h"

WakeShared wake_shared;

static int
capacity(void)
{
	return pg_nextpower2_32(guc_shared_queues);
}

static Size
waiter_table_size(void)
{
	return add_size(offsetof(WaiterTable, buckets), mul_size(capacity(), sizeof(WaiterBucket)));
}

/* wake_shmem_request -- asks for memory and locks; called once. */
void
wake_shmem_request(void)
{
	RequestAddinShmemSpace(waiter_table_size());
	RequestAddinShmemSpace(mul_size(capacity(), sizeof(Waiter)));
	RequestAddinShmemSpace(mul_size(capacity(), sizeof(Queue)));
	RequestAddinShmemSpace(mul_size(capacity(), sizeof(Poller)));
	RequestAddinShmemSpace(sizeof(LostClaims));
	RequestAddinShmemSpace(sizeof(BeatTable));
	RequestAddinShmemSpace(WAKE_DATABASES * sizeof(DatabaseSlot));
	RequestAddinShmemSpace(sizeof(ProcessTable));

	RequestNamedLWLockTranche("TemporalWaiter", 1);
	RequestNamedLWLockTranche("TemporalQueue", WAKE_PARTITIONS);
	RequestNamedLWLockTranche("TemporalPoller", WAKE_PARTITIONS);
	RequestNamedLWLockTranche("TemporalClaim", 1);
	RequestNamedLWLockTranche("TemporalBeat", 1);
	RequestNamedLWLockTranche("TemporalProcess", 1);

	xact_register();
}

static void
initialise_waiters(void)
{
	WaiterTable *table = wake_shared.waiter_table;

	table->free = 0;
	for (int i = 0; i < WAKE_SERVERS; i++)
	{
		table->servers[i].proc = -1;
		table->servers[i].first_signalled = -1;
	}
	for (int i = 0; i < wake_shared.capacity; i++)
	{
		wake_shared.waiters[i].next = i + 1 < wake_shared.capacity ? i + 1 : -1;
		wake_shared.waiters[i].server = -1;
		table->buckets[i].first = -1;
		pg_atomic_init_u32(&table->buckets[i].count, 0);
	}
}

static void
initialise_queues(void)
{
	MemSet(wake_shared.queues, 0, wake_shared.capacity * sizeof(Queue));
	MemSet(wake_shared.pollers, 0, wake_shared.capacity * sizeof(Poller));
	wake_shared.lost_claims->count = 0;
}

static void
initialise_beats(void)
{
	BeatTable *table = wake_shared.beats;

	MemSet(table, 0, sizeof(BeatTable));
	pg_atomic_init_u32(&table->running, 0);
	for (int i = 0; i < WAKE_BEATS; i++)
	{
		table->slots[i].proc = -1;
		pg_atomic_init_u32(&table->slots[i].stop, BEAT_GOES_ON);
	}
}

static void
initialise_databases(void)
{
	for (int i = 0; i < WAKE_DATABASES; i++)
	{
		DatabaseSlot *slot = &wake_shared.databases[i];

		pg_atomic_init_u32(&slot->database, InvalidOid);
		pg_atomic_init_u32(&slot->keeper, 0);
		pg_atomic_init_u32(&slot->prepared, 0);
		pg_atomic_init_u32(&slot->notify, 0);
		pg_atomic_init_u32(&slot->wanted, 0);
		pg_atomic_init_u32(&slot->flusher, 0);
		pg_atomic_init_u64(&slot->flush, 0);
		pg_atomic_init_u64(&slot->deferred, 0);
		pg_atomic_init_u64(&slot->due, 0);
	}
}

static void
initialise_processes(void)
{
	ProcessTable *table = wake_shared.processes;

	MemSet(table, 0, sizeof(ProcessTable));
	ConditionVariableInit(&table->gone);
	table->launcher = -1;
	for (int i = 0; i < WAKE_PROCESSES; i++)
		table->slots[i].proc = -1;
}

/* wake_shmem_startup -- finds the memory, and initialises it when it is new. */
void
wake_shmem_startup(void)
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);

	wake_shared.capacity = capacity();
	wake_shared.waiter_table =
		ShmemInitStruct("temporal waiter buckets", waiter_table_size(), &found);
	wake_shared.waiters =
		ShmemInitStruct("temporal waiters", wake_shared.capacity * sizeof(Waiter), &found);
	wake_shared.queues =
		ShmemInitStruct("temporal queues", wake_shared.capacity * sizeof(Queue), &found);
	wake_shared.pollers =
		ShmemInitStruct("temporal pollers", wake_shared.capacity * sizeof(Poller), &found);
	wake_shared.lost_claims = ShmemInitStruct("temporal lost claims", sizeof(LostClaims), &found);
	wake_shared.beats = ShmemInitStruct("temporal beats", sizeof(BeatTable), &found);
	wake_shared.databases =
		ShmemInitStruct("temporal databases", WAKE_DATABASES * sizeof(DatabaseSlot), &found);
	wake_shared.processes = ShmemInitStruct("temporal processes", sizeof(ProcessTable), &found);

	wake_shared.waiter_lock = &GetNamedLWLockTranche("TemporalWaiter")->lock;
	wake_shared.queue_locks = GetNamedLWLockTranche("TemporalQueue");
	wake_shared.poller_locks = GetNamedLWLockTranche("TemporalPoller");
	wake_shared.claim_lock = &GetNamedLWLockTranche("TemporalClaim")->lock;
	wake_shared.beat_lock = &GetNamedLWLockTranche("TemporalBeat")->lock;
	wake_shared.process_lock = &GetNamedLWLockTranche("TemporalProcess")->lock;

	/* They are made together, so the last answer holds for all of them. */
	if (!found)
	{
		initialise_waiters();
		initialise_queues();
		initialise_beats();
		initialise_databases();
		initialise_processes();
	}

	LWLockRelease(AddinShmemInitLock);
}

/* wake_available -- is there shared memory, that is, are we preloaded? */
bool
wake_available(void)
{
	return wake_shared.processes != NULL;
}

/* wake_hash -- spreads two numbers over all bits (the finisher of splitmix64). */
uint64
wake_hash(uint64 a, uint64 b)
{
	uint64 h = a * UINT64CONST(0x9e3779b97f4a7c15) ^ b;

	h = (h ^ (h >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return h ^ (h >> 31);
}
