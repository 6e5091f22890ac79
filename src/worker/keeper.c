/*
 * keeper.c
 *	  The process that does what is due: timers, retries, effects, NOTIFY.
 *	  It looks after the executors, too (pool.c).
 *
 * It sleeps until the earliest due time that it knows of: what its last tick
 * found, lowered by every commit since (database.c).  A sweep at the start and
 * every temporal.sweep_interval finds what a lost hint left behind, and wakes
 * everyone who waits.  While transactions of ours are prepared, of whose
 * commit nobody will tell, it sweeps every second.  Nothing else makes an idle
 * keeper start a transaction.
 *
 * NOTIFY is sent from here, in transactions of its own, because it would make
 * the commits of others wait for each other.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "service/tick.h"
#include "wake/process.h"
#include "worker/pool.h"
#include "worker/worker.h"

#define PREPARED_SWEEP_MS 1000
#define MAX_NOTIFICATIONS 1024
#define FOREVER_MS (60 * 60 * 1000)
#define LOCKED_DELAY_US (100 * 1000)

PGDLLEXPORT void temporal_keeper_main(Datum arg);

static bool tick_owed = true;       /* a tick has begun and not ended */
static TimestampTz next_due;        /* of what the last tick left */
static bool prepared_left = false;  /* at the last sweep */
static TimestampTz sweep_at = 0;    /* time of day, as is the next */
static TimestampTz announce_at = 0; /* not before this */
static double swept_offset;         /* of the clock at the last sweep */

/* Is this a lock of a prepared transaction on one of our tables? */
static bool
is_prepared_on_ours(const LockInstanceData *lock, Oid schema)
{
	const LOCKTAG *tag = &lock->locktag;

	return lock->pid == 0 && lock->holdMask != 0 && tag->locktag_type == LOCKTAG_RELATION &&
		tag->locktag_field1 == MyDatabaseId && get_rel_namespace(tag->locktag_field2) == schema;
}

/* Is a transaction prepared that has touched our tables? */
static bool
any_prepared(void)
{
	LockData *data = GetLockStatusData();
	Oid schema = get_namespace_oid("temporal", true);

	for (int i = 0; i < data->nelements; i++)
	{
		if (is_prepared_on_ours(&data->locks[i], schema))
			return true;
	}
	return false;
}

/*
 * Makes everybody look at the tables, and decides when to do it again.
 *
 * Prepared transactions are looked for first: if none is left, then what they
 * committed is visible to everybody who looks after this.
 */
static void
sweep(void)
{
	long interval = guc_sweep_interval;

	if (database_saw_prepare() || prepared_left)
	{
		database_forget_prepare();
		prepared_left = any_prepared();
	}
	database_sweep();

	if (prepared_left)
		interval = Min(interval, PREPARED_SWEEP_MS);
	sweep_at = clock_wall_now() + interval * INT64CONST(1000);
	swept_offset = guc_clock_offset;
}

/*
 * Does what is due, in one transaction; false when the extension is locked.
 *
 * What the last tick left and what was committed since is all that there is to
 * look at, except when a hint may have been lost.
 */
static bool
tick(bool sweeping)
{
	TimestampTz from = database_take_due();
	int done = 0;

	from = sweeping || tick_owed ? DT_NOBEGIN : Min(from, next_due);
	tick_owed = true;
	if (!worker_begin("doing what is due"))
		return false;
	if (sweeping)
		sweep();
	next_due = service_tick(from, guc_keeper_batch_size, &done);
	worker_end();

	tick_owed = false;
	/* What is due and was not done is locked by somebody. */
	database_return_due(done > 0 ? next_due : Max(next_due, clock_now() + LOCKED_DELAY_US));
	process_count(1, 0, done);
	return true;
}

/* Tells SQL listeners which queues have work; false as for tick(). */
static bool
announce(void)
{
	uint64 *queues;
	int count;

	if (!worker_begin("announcing work"))
		return false;
	queues = palloc(MAX_NOTIFICATIONS * sizeof(uint64));
	count = database_take_work(queues, MAX_NOTIFICATIONS);
	for (int i = 0; i < count; i++)
		Async_Notify(psprintf("temporal_%016llx", (unsigned long long) queues[i]), NULL);
	worker_end();
	announce_at = clock_wall_now() + guc_notify_interval * INT64CONST(1000);
	return true;
}

/* Looks after the executors; false as for tick(). */
static bool
attend_pool(void)
{
	if (!worker_begin("looking after executors"))
		return false;
	pool_attend();
	worker_end();
	return true;
}

/* How long there is nothing to do, unless somebody sets our latch. */
static long
sleep_ms(void)
{
	long ms = clock_wall_ms_until(sweep_at, FOREVER_MS);

	ms = clock_ms_until(database_due(), ms);
	ms = pool_sleep_ms(ms);
	if (database_has_work())
		ms = clock_wall_ms_until(announce_at, ms);
	return ms;
}

static long
keeper_turn(void)
{
	TimestampTz now = clock_wall_now();
	bool sweeping;

	for (int i = 0; i < MAX_FRONTENDS; i++)
		process_want(PROCESS_FRONTEND, i, guc_grpc_port != 0 && i < guc_frontends);
	process_want(PROCESS_FLUSHER, 0, guc_grpc_port != 0 && guc_grpc_pipeline);

	if (database_saw_prepare())
		sweep_at = Min(sweep_at, now + PREPARED_SWEEP_MS * INT64CONST(1000));
	sweeping = sweep_at <= now || swept_offset != guc_clock_offset;

	if (sweeping || tick_owed || database_due() <= clock_now())
	{
		if (!tick(sweeping))
			return WORKER_RETRY_MS;
	}
	/* What is registered may have changed, or an executor have ended. */
	pool_look_soon();
	if (pool_is_due() && !attend_pool())
		return WORKER_RETRY_MS;
	if (database_has_work() && announce_at <= now)
	{
		if (!announce())
			return WORKER_RETRY_MS;
	}
	return sleep_ms();
}

void
temporal_keeper_main(Datum arg)
{
	worker_start(arg, "temporal keeper");
	worker_loop(keeper_turn, WAIT_EVENT_KEEPER_MAIN);
}
