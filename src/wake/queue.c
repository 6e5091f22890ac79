/*
 * queue.c
 *	  What we remember of a task queue: bound of its claims, SQL listeners,
 *	  rates and their limit.
 *
 * Entries form sets of WAKE_WAYS; a new queue replaces the one of its set
 * that was used longest ago and has no listeners.  Losing an entry costs one
 * slow claim.  TemporalQueue guards them, one lock for each partition of sets.
 *
 * The bound.  Rows created before it were, when it was raised, gone, locked or
 * not yet committed; whoever makes such a row visible lowers it again.  A
 * claim that began before that must not raise it beyond: so each claim has a
 * small record in which the lowest creation time since its begin is kept, and
 * a claim that found no free record raises nothing.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "base/compat.h"
#include "wake/shmem.h"

#define RATE_PERIOD (5 * USECS_PER_SEC)
/* In seconds; the limit may be lifted meanwhile. */
#define LONGEST_PAUSE 1.0

static uint64 *listened; /* queues that this session listens to */
static int nlistened;

static Queue *
set_of(Oid database, uint64 queue_id)
{
	int nsets = wake_shared.capacity / WAKE_WAYS;

	return &wake_shared.queues[(wake_hash(queue_id, database) & (nsets - 1)) * WAKE_WAYS];
}

static LWLock *
lock_of(const Queue *set)
{
	return &wake_shared.queue_locks[(set - wake_shared.queues) / WAKE_WAYS % WAKE_PARTITIONS].lock;
}

/* The entry of a queue in its locked set, or NULL; becomes the newest. */
static Queue *
find(Queue *set, Oid database, uint64 queue_id)
{
	uint64 newest = 0;
	Queue *queue = NULL;

	for (int i = 0; i < WAKE_WAYS; i++)
	{
		newest = Max(newest, set[i].used);
		if (set[i].database == database && set[i].queue_id == queue_id)
			queue = &set[i];
	}
	if (queue)
		queue->used = newest + 1;
	return queue;
}

/* As find(), but replaces an entry; NULL if all of them have listeners. */
static Queue *
find_or_create(Queue *set, Oid database, uint64 queue_id)
{
	Queue *queue = find(set, database, queue_id);
	Queue *oldest = NULL;

	if (queue)
		return queue;
	for (int i = 0; i < WAKE_WAYS; i++)
	{
		if (set[i].listeners == 0 && (oldest == NULL || set[i].used < oldest->used))
			oldest = &set[i];
	}
	if (oldest == NULL)
		return NULL;

	oldest->database = database;
	oldest->queue_id = queue_id;
	oldest->has_work = false;
	oldest->bound = NO_BOUND;
	oldest->last_poll = DT_NOBEGIN;
	MemSet(&oldest->rates, 0, sizeof(QueueRates));
	MemSet(&oldest->limit, 0, sizeof(QueueLimit));
	for (int i = 0; i < WAKE_CLAIMERS; i++)
		oldest->claimers[i].proc = -1;
	return find(set, database, queue_id);
}

/* Our record in a queue, or with -1 a free one; NULL if there is none. */
static QueueClaimer *
claimer_of(Queue *queue, int proc)
{
	for (int i = 0; i < WAKE_CLAIMERS; i++)
	{
		if (queue->claimers[i].proc == proc)
			return &queue->claimers[i];
	}
	return NULL;
}

/* wake_lower_bound -- begins a claim: where to look for tasks of a queue. */
int64
wake_lower_bound(uint64 queue_id)
{
	Queue *set;
	Queue *queue;
	int64 bound = NO_BOUND;

	if (!wake_available())
		return NO_BOUND;

	set = set_of(MyDatabaseId, queue_id);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find_or_create(set, MyDatabaseId, queue_id);
	if (queue)
	{
		QueueClaimer *claimer = claimer_of(queue, compat_my_proc_number());

		if (claimer == NULL)
			claimer = claimer_of(queue, -1);
		if (claimer)
		{
			claimer->proc = compat_my_proc_number();
			claimer->lowest = PG_INT64_MAX;
		}
		bound = queue->bound;
	}
	LWLockRelease(lock_of(set));

	bound = Min(bound, xact_own_bound(queue_id));
	xact_note_bound(queue_id, bound);
	return bound;
}

/* wake_raise_bound -- ends a claim: rows created before this are taken. */
void
wake_raise_bound(uint64 queue_id, int64 created_at)
{
	Queue *set;
	Queue *queue;

	if (!wake_available())
		return;

	xact_raise_own_bound(queue_id, created_at);
	set = set_of(MyDatabaseId, queue_id);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find(set, MyDatabaseId, queue_id);
	if (queue)
	{
		QueueClaimer *claimer = claimer_of(queue, compat_my_proc_number());

		if (claimer)
		{
			queue->bound = Max(queue->bound, Min(created_at, claimer->lowest));
			claimer->proc = -1;
		}
	}
	LWLockRelease(lock_of(set));
}

/* queue_end_claim -- the transaction of a claim is over. */
void
queue_end_claim(uint64 queue_id)
{
	Queue *set = set_of(MyDatabaseId, queue_id);
	Queue *queue;

	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find(set, MyDatabaseId, queue_id);
	if (queue)
	{
		QueueClaimer *claimer = claimer_of(queue, compat_my_proc_number());

		if (claimer)
			claimer->proc = -1;
	}
	LWLockRelease(lock_of(set));
}

static void
lower(Queue *queue, int64 created_at)
{
	queue->bound = Min(queue->bound, created_at);
	for (int i = 0; i < WAKE_CLAIMERS; i++)
		queue->claimers[i].lowest = Min(queue->claimers[i].lowest, created_at);
}

/* queue_lower_bound -- a row created at this time has become visible. */
void
queue_lower_bound(uint64 queue_id, int64 created_at)
{
	Queue *set = set_of(MyDatabaseId, queue_id);
	Queue *queue;

	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find(set, MyDatabaseId, queue_id);
	if (queue)
		lower(queue, created_at);
	LWLockRelease(lock_of(set));
}

/*
 * queue_announce -- a queue has work: claims must look at a task created then.
 *
 * Tells the keeper when somebody listens.
 */
void
queue_announce(uint64 queue_id, int64 created_at)
{
	Queue *set = set_of(MyDatabaseId, queue_id);
	Queue *queue;
	bool is_new = false;

	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find(set, MyDatabaseId, queue_id);
	if (queue)
	{
		lower(queue, created_at);
		is_new = queue->listeners > 0 && !queue->has_work;
		queue->has_work |= is_new;
	}
	LWLockRelease(lock_of(set));

	if (is_new)
		database_note_work();
}

/* A queue of ours, or NULL; "lock" is held for the caller to release. */
static Queue *
find_locked(uint64 queue_id, LWLock **lock)
{
	Queue *set = set_of(MyDatabaseId, queue_id);

	*lock = lock_of(set);
	LWLockAcquire(*lock, LW_EXCLUSIVE);
	return find(set, MyDatabaseId, queue_id);
}

/* ---- rates ---- */

/* Empties the periods that have begun since anything was counted. */
static void
turn_to(QueueRates *rates, int64 period)
{
	for (int64 next = Max(rates->period + 1, period - WAKE_RATE_PERIODS + 1); next <= period; next++)
		rates->added[next % WAKE_RATE_PERIODS] = rates->taken[next % WAKE_RATE_PERIODS] = 0;
	rates->period = Max(rates->period, period);
}

/* queue_count -- tasks have come to a queue, and left it. */
void
queue_count(uint64 queue_id, int added, int taken)
{
	TimestampTz now = clock_wall_now();
	Queue *set = set_of(MyDatabaseId, queue_id);
	Queue *queue;

	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find_or_create(set, MyDatabaseId, queue_id);
	if (queue)
	{
		QueueRates *rates = &queue->rates;

		if (rates->since == 0)
			rates->since = now;
		turn_to(rates, now / RATE_PERIOD);
		rates->added[rates->period % WAKE_RATE_PERIODS] += added;
		rates->taken[rates->period % WAKE_RATE_PERIODS] += taken;
	}
	LWLockRelease(lock_of(set));
}

/* Of the time that is counted, which a new queue has not had yet. */
static double
seconds_counted(const QueueRates *rates, TimestampTz now)
{
	TimestampTz from = (now / RATE_PERIOD - (WAKE_RATE_PERIODS - 1)) * RATE_PERIOD;

	return Max((now - Max(from, rates->since)) / (double) USECS_PER_SEC, 1);
}

void
wake_queue_rates(uint64 queue_id, double *added, double *taken)
{
	TimestampTz now = clock_wall_now();
	LWLock *lock;
	Queue *queue;

	*added = *taken = 0;
	if (!wake_available())
		return;
	queue = find_locked(queue_id, &lock);
	if (queue && queue->rates.since != 0)
	{
		double seconds = seconds_counted(&queue->rates, now);

		turn_to(&queue->rates, now / RATE_PERIOD);
		for (int i = 0; i < WAKE_RATE_PERIODS; i++)
		{
			*added += queue->rates.added[i] / seconds;
			*taken += queue->rates.taken[i] / seconds;
		}
	}
	LWLockRelease(lock);
}

/* ---- the limit of a rate ---- */

/* What a second brings, and never less than one task. */
static void
fill(QueueLimit *limit, TimestampTz now)
{
	double seconds = Max(now - limit->filled_at, 0) / (double) USECS_PER_SEC;

	limit->tokens =
		Min(limit->tokens + seconds * limit->per_second, Max(limit->per_second, 1));
	limit->filled_at = now;
}

void
wake_limit_queue(uint64 queue_id, double per_second)
{
	TimestampTz now = clock_wall_now();
	Queue *set;
	Queue *queue;

	if (!wake_available())
		return;
	set = set_of(MyDatabaseId, queue_id);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find_or_create(set, MyDatabaseId, queue_id);
	if (queue)
	{
		QueueLimit *limit = &queue->limit;

		fill(limit, now);
		if (!limit->set)
			limit->tokens = Max(per_second, 1);
		limit->set = true;
		limit->per_second = per_second;
		limit->tokens = Min(limit->tokens, Max(per_second, 1));
	}
	LWLockRelease(lock_of(set));
}

int64
wake_queue_pause(uint64 queue_id)
{
	TimestampTz now = clock_wall_now();
	LWLock *lock;
	Queue *queue;
	double seconds = 0;

	if (!wake_available())
		return 0;
	queue = find_locked(queue_id, &lock);
	if (queue && queue->limit.set)
	{
		QueueLimit *limit = &queue->limit;

		fill(limit, now);
		if (limit->per_second <= 0)
			seconds = LONGEST_PAUSE;
		else if (limit->tokens < 1)
			seconds = Min((1 - limit->tokens) / limit->per_second, LONGEST_PAUSE);
	}
	LWLockRelease(lock);
	return (int64) ceil(seconds * USECS_PER_SEC);
}

void
wake_spend(uint64 queue_id)
{
	LWLock *lock;
	Queue *queue;

	if (!wake_available())
		return;
	queue = find_locked(queue_id, &lock);
	if (queue && queue->limit.set)
		queue->limit.tokens -= 1;
	LWLockRelease(lock);
}

/* ---- announcing ---- */

/* database_take_work -- which queues to announce now. */
int
database_take_work(uint64 *queue_ids, int max_queues)
{
	DatabaseSlot *slot = database_find(MyDatabaseId);
	int count = 0;

	if (slot == NULL)
		return 0;

	/* First the flag: who sets has_work behind us sets the flag again. */
	pg_atomic_exchange_u32(&slot->notify, 0);
	for (int s = 0; s < wake_shared.capacity && count + WAKE_WAYS <= max_queues; s += WAKE_WAYS)
	{
		Queue *set = &wake_shared.queues[s];

		LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
		for (int i = 0; i < WAKE_WAYS; i++)
		{
			if (set[i].database == MyDatabaseId && set[i].has_work)
			{
				set[i].has_work = false;
				queue_ids[count++] = set[i].queue_id;
			}
		}
		LWLockRelease(lock_of(set));
	}
	if (count + WAKE_WAYS > max_queues)
		pg_atomic_write_u32(&slot->notify, 1);
	return count;
}

/* queue_sweep -- forgets all bounds of a database; every queue may have work. */
void
queue_sweep(Oid database)
{
	bool has_work = false;

	for (int s = 0; s < wake_shared.capacity; s += WAKE_WAYS)
	{
		Queue *set = &wake_shared.queues[s];

		LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
		for (int i = 0; i < WAKE_WAYS; i++)
		{
			if (set[i].database != database)
				continue;
			lower(&set[i], NO_BOUND);
			set[i].has_work = set[i].listeners > 0;
			has_work |= set[i].has_work;
		}
		LWLockRelease(lock_of(set));
	}
	if (has_work)
		database_note_work();
}

/* queue_note_poll -- somebody polls a queue now. */
void
queue_note_poll(uint64 queue_id, TimestampTz now)
{
	Queue *set = set_of(MyDatabaseId, queue_id);
	Queue *queue;

	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find_or_create(set, MyDatabaseId, queue_id);
	if (queue)
		queue->last_poll = now;
	LWLockRelease(lock_of(set));
}

/* wake_forget_pollers -- whoever polled a queue has said that it is gone. */
void
wake_forget_pollers(uint64 queue_id)
{
	if (wake_available())
		queue_note_poll(queue_id, DT_NOBEGIN);
}

/*
 * wake_queue_has_recent_poller -- did anyone poll a queue not long ago?
 *
 * Who waits for it in wake_wait() counts as polling all the time.
 */
bool
wake_queue_has_recent_poller(uint64 queue_id, int within_ms)
{
	TimestampTz since = clock_now() - (TimestampTz) within_ms * 1000;
	Queue *set;
	Queue *queue;
	bool recent;

	if (!wake_available())
		return false;

	set = set_of(MyDatabaseId, queue_id);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find(set, MyDatabaseId, queue_id);
	recent = queue && queue->last_poll >= since;
	LWLockRelease(lock_of(set));
	return recent || waiter_exists(WAKE_QUEUE, MyDatabaseId, queue_id);
}

static void
forget_listened(int code, Datum arg)
{
	for (int i = 0; i < nlistened; i++)
	{
		Queue *set = set_of(MyDatabaseId, listened[i]);
		Queue *queue;

		LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
		queue = find(set, MyDatabaseId, listened[i]);
		if (queue && queue->listeners > 0)
			queue->listeners--;
		LWLockRelease(lock_of(set));
	}
	nlistened = 0;
}

/* wake_listen -- announce work of a queue by NOTIFY while this session lasts. */
bool
wake_listen(uint64 queue_id)
{
	Queue *set;
	Queue *queue;

	if (!wake_available())
		return false;
	for (int i = 0; i < nlistened; i++)
	{
		if (listened[i] == queue_id)
			return true;
	}

	/* The list lives as long as the session does. */
	if (listened == NULL)
	{
		listened = MemoryContextAlloc(TopMemoryContext, sizeof(uint64));
		before_shmem_exit(forget_listened, (Datum) 0);
	}
	else
		listened = repalloc(listened, (nlistened + 1) * sizeof(uint64));

	set = set_of(MyDatabaseId, queue_id);
	LWLockAcquire(lock_of(set), LW_EXCLUSIVE);
	queue = find_or_create(set, MyDatabaseId, queue_id);
	if (queue)
		queue->listeners++;
	LWLockRelease(lock_of(set));
	if (queue)
		listened[nlistened++] = queue_id;
	return queue != NULL;
}
