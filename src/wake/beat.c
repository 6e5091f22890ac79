/*
 * beat.c
 *	  Slots of activities that run in this server.
 *
 * A process has a slot while it runs an activity that needs one.  What a slot
 * tells of stays when it is given back, until another activity takes it.
 * TemporalBeat guards all slots; the word to stop is atomic, because a signal
 * handler reads it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "wake/shmem.h"

static BeatSlot *my_slot = NULL;

static void
lock_exclusive(void)
{
	LWLockAcquire(wake_shared.beat_lock, LW_EXCLUSIVE);
}

static void
unlock(void)
{
	LWLockRelease(wake_shared.beat_lock);
}

/* ---- the process that runs an activity ---- */

static void
set_running(BeatSlot *slot, bool running)
{
	if (slot->running == running)
		return;
	slot->running = running;
	pg_atomic_fetch_add_u32(&wake_shared.beats->running, running ? 1 : -1);
}

static void
leave_slot(void)
{
	if (my_slot == NULL)
		return;
	lock_exclusive();
	set_running(my_slot, false);
	my_slot->proc = -1;
	unlock();
	my_slot = NULL;
}

static void
at_exit(int code, Datum arg)
{
	leave_slot();
}

/* A free slot, if possible one that tells of nothing. */
static BeatSlot *
free_slot(void)
{
	BeatSlot *found = NULL;

	for (int i = 0; i < WAKE_BEATS; i++)
	{
		BeatSlot *slot = &wake_shared.beats->slots[i];

		if (slot->proc >= 0)
			continue;
		if (!OidIsValid(slot->database))
			return slot;
		if (found == NULL || slot->beat.time < found->beat.time)
			found = slot;
	}
	return found;
}

bool
beat_begin(const BeatAttempt *attempt)
{
	static bool registered = false;

	if (!wake_available())
		return false;
	if (!registered)
		on_shmem_exit(at_exit, (Datum) 0);
	registered = true;
	lock_exclusive();
	if (my_slot == NULL)
		my_slot = free_slot();
	if (my_slot != NULL)
	{
		my_slot->proc = compat_my_proc_number();
		my_slot->database = MyDatabaseId;
		my_slot->beat.attempt = *attempt;
		my_slot->beat.time = 0;
		my_slot->beat.size = 0;
		pg_atomic_write_u32(&my_slot->stop, BEAT_GOES_ON);
		set_running(my_slot, true);
	}
	unlock();
	return my_slot != NULL;
}

void
beat_write(TimestampTz time, const void *details, int size)
{
	Assert(my_slot != NULL && size <= BEAT_DETAILS_SIZE);
	lock_exclusive();
	my_slot->beat.time = time;
	my_slot->beat.size = size;
	if (size > 0)
		memcpy(my_slot->beat.details, details, size);
	unlock();
}

BeatStop
beat_stop(void)
{
	return my_slot == NULL ? BEAT_GOES_ON : (BeatStop) pg_atomic_read_u32(&my_slot->stop);
}

/* beat_end -- nothing more is heard; what was said can be read until the next. */
void
beat_end(void)
{
	leave_slot();
}

/* ---- others ---- */

static bool
is_same(const BeatAttempt *a, const BeatAttempt *b)
{
	return a->event_id == b->event_id && a->attempt == b->attempt &&
		(a->started == b->started || a->started == 0) &&
		memcmp(&a->key.namespace_id, &b->key.namespace_id, sizeof(pg_uuid_t)) == 0 &&
		memcmp(&a->key.run_id, &b->key.run_id, sizeof(pg_uuid_t)) == 0;
}

Beat *
beat_find(const BeatAttempt *attempt)
{
	Beat *copy;
	bool found = false;

	if (!wake_available())
		return NULL;
	copy = palloc(sizeof(Beat));
	LWLockAcquire(wake_shared.beat_lock, LW_SHARED);
	for (int i = 0; i < WAKE_BEATS && !found; i++)
	{
		const BeatSlot *slot = &wake_shared.beats->slots[i];

		found = slot->database == MyDatabaseId && slot->beat.time != 0 &&
			is_same(attempt, &slot->beat.attempt);
		if (found)
			memcpy(copy, &slot->beat, offsetof(Beat, details) + slot->beat.size);
	}
	unlock();
	return found ? copy : NULL;
}

/* beat_tell -- after the commit: it takes a lock and writes, nothing else. */
void
beat_tell(const pg_uuid_t *run_id, int64 event_id, TimestampTz before, BeatStop stop)
{
	if (pg_atomic_read_u32(&wake_shared.beats->running) == 0)
		return;
	lock_exclusive();
	for (int i = 0; i < WAKE_BEATS; i++)
	{
		BeatSlot *slot = &wake_shared.beats->slots[i];
		BeatStop now = (BeatStop) pg_atomic_read_u32(&slot->stop);

		if (slot->running && slot->database == MyDatabaseId &&
			(event_id == 0 || slot->beat.attempt.event_id == event_id) &&
			slot->beat.attempt.started < before && (now == BEAT_GOES_ON || stop < now) &&
			memcmp(&slot->beat.attempt.key.run_id, run_id, sizeof(pg_uuid_t)) == 0)
			pg_atomic_write_u32(&slot->stop, stop);
	}
	unlock();
}
