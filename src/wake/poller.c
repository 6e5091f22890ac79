/*
 * poller.c
 *	  Who polls which queue, for sticky queues and for people who look.
 *
 * Entries form sets of WAKE_WAYS by queue and identity; a new poller replaces
 * the one of its set that polled longest ago.  TemporalPoller guards them, one
 * lock for each partition of sets.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "wake/shmem.h"

static Poller *
set_of(uint64 queue_id, uint32 identity_hash)
{
	int nsets = wake_shared.capacity / WAKE_WAYS;
	uint64 hash = wake_hash(queue_id ^ identity_hash, MyDatabaseId);

	return &wake_shared.pollers[(hash & (nsets - 1)) * WAKE_WAYS];
}

static LWLock *
lock_of(const Poller *set)
{
	return &wake_shared.poller_locks[(set - wake_shared.pollers) / WAKE_WAYS % WAKE_PARTITIONS]
				.lock;
}

static bool
is_poller(const Poller *entry, uint64 queue_id, uint32 hash)
{
	return entry->database == MyDatabaseId && entry->hash == hash &&
		entry->poller.queue_id == queue_id;
}

/* The entry of this poller, else the one to be replaced by it. */
static Poller *
choose(Poller *set, uint64 queue_id, uint32 hash)
{
	Poller *oldest = &set[0];

	for (int i = 0; i < WAKE_WAYS; i++)
	{
		if (is_poller(&set[i], queue_id, hash))
			return &set[i];
		if (set[i].poller.last_access < oldest->poller.last_access)
			oldest = &set[i];
	}
	return oldest;
}

/* wake_note_poller -- somebody polls a queue now. */
void
wake_note_poller(uint64 queue_id, const pg_uuid_t *namespace_id, const char *identity)
{
	int length = pg_mbcliplen(identity, strlen(identity), WAKE_IDENTITY_SIZE - 1);
	TimestampTz now = clock_now();
	uint32 hash;
	Poller *set;
	Poller *entry;

	if (!wake_available())
		return;

	hash = hash_bytes((const unsigned char *) identity, length);
	set = set_of(queue_id, hash);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	entry = choose(set, queue_id, hash);
	entry->database = MyDatabaseId;
	entry->hash = hash;
	entry->poller.queue_id = queue_id;
	entry->poller.namespace_id = *namespace_id;
	entry->poller.last_access = now;
	memcpy(entry->poller.identity, identity, length);
	entry->poller.identity[length] = '\0';
	LWLockRelease(lock_of(set));

	queue_note_poll(queue_id, now);
}

/* wake_next_poller -- the next poller of this database, from *cursor = 0 on. */
bool
wake_next_poller(int *cursor, WakePoller *poller)
{
	if (!wake_available())
		return false;
	while (*cursor < wake_shared.capacity)
	{
		Poller *entry = &wake_shared.pollers[(*cursor)++];
		LWLock *lock = lock_of(entry);
		bool found;

		LWLockAcquire(lock, LW_SHARED);
		found = entry->database == MyDatabaseId;
		if (found)
			*poller = entry->poller;
		LWLockRelease(lock);
		if (found)
			return true;
	}
	return false;
}
