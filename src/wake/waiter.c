/*
 * waiter.c
 *	  Processes that wait for a task of a queue or for the end of a run.
 *
 * An entry lives from wake_register() to wake_unregister() and hangs in a
 * bucket by what it waits for.  Waking sets "signalled" and the process's
 * latch; the next mark of the same queue then goes to the next waiter.  The
 * waiter turns "signalled" into "delivered" when it goes to look, and forgets
 * that when it comes back to wait.  If instead it dies or fails, the wake-up
 * is passed on, so that a task is never left lying while somebody waits.
 *
 * TemporalWaiter guards entries and chains; only whether it has been signalled a
 * waiter sees without it.  Whoever wakes looks at the bucket's count first,
 * without the lock.  That is safe: the waiter raises it before it looks at the
 * tables, we read it after the commit, and between the two steps each side has a
 * full memory barrier.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/compat.h"
#include "wake/shmem.h"

/* As in libpq/libpq.h, which wants headers of GSSAPI that few have. */
#define FeBeWaitSetSocketPos 0
extern PGDLLIMPORT WaitEventSet *FeBeWaitSet;
extern bool pq_check_connection(void);

/* How often who cannot be woken looks, and longest sleep otherwise. */
#define HELD_PAUSE (USECS_PER_SEC / 10)
#define HELD_DOUBLINGS 4
#define POLL_MS 200
#define SLEEP_MS (60 * 60 * 1000)
#define WOKEN_LATER 16

static int first_own = -1;     /* our entries, chained by next_own */
static bool must_poll = false; /* some registration found no room */
static WakeNote taken_note;    /* came with the signals that we took last */

/* Whose latches are set when the lock is released; any more at once. */
static Latch *woken[WOKEN_LATER];
static int n_woken = 0;

static WaiterBucket *
bucket_of(WakeKind kind, Oid database, uint64 channel)
{
	uint64 hash = wake_hash(channel, ((uint64) database << 1) | kind);

	return &wake_shared.waiter_table->buckets[hash & (wake_shared.capacity - 1)];
}

static bool
waits_for(const Waiter *waiter, WakeKind kind, Oid database, uint64 channel)
{
	return waiter->channel == channel && waiter->database == database && waiter->kind == kind;
}

static void
lock_waiters(void)
{
	LWLockAcquire(wake_shared.waiter_lock, LW_EXCLUSIVE);
}

/*
 * Sets the latches of those that were signalled only now: they may run at once,
 * and take the lock.
 */
static void
unlock_waiters(void)
{
	int count = n_woken;

	n_woken = 0;
	LWLockRelease(wake_shared.waiter_lock);
	for (int i = 0; i < count; i++)
		SetLatch(woken[i]);
}

/* Caller locks. */
static void
wake_process(int proc)
{
	Latch *latch = &GetPGProcByNumber(proc)->procLatch;

	if (n_woken < lengthof(woken))
		woken[n_woken++] = latch;
	else
		SetLatch(latch);
}

/* Tells a waiter that is idle; caller locks. */
static void
signal_waiter(Waiter *waiter)
{
	if (waiter->server >= 0 && !waiter->signalled)
	{
		WaiterServer *server = &wake_shared.waiter_table->servers[waiter->server];

		waiter->next_signalled = server->first_signalled;
		server->first_signalled = waiter - wake_shared.waiters;
	}
	waiter->signalled = true;
	wake_process(waiter->proc);
}

/* Wakes up to "count" idle waiters of a bucket, oldest first; caller locks. */
static void
signal_bucket(WaiterBucket *bucket, WakeKind kind, Oid database, uint64 channel, int count,
			  const WakeNote *note)
{
	for (int i = bucket->first; i >= 0 && count > 0; i = wake_shared.waiters[i].next)
	{
		Waiter *waiter = &wake_shared.waiters[i];

		if (!waiter->signalled && waits_for(waiter, kind, database, channel))
		{
			if (note)
				memcpy(&waiter->note, note, offsetof(WakeNote, event) + note->size);
			signal_waiter(waiter);
			count--;
		}
	}
}

/*
 * waiter_wake -- wakes up to "count" processes that wait for this.
 *
 * They are told "note", unless it is NULL.  Called after the commit: takes one
 * lock, sets latches, raises nothing.
 */
void
waiter_wake(WakeKind kind, Oid database, uint64 channel, int count, const WakeNote *note)
{
	WaiterBucket *bucket = bucket_of(kind, database, channel);

	pg_memory_barrier();
	if (pg_atomic_read_u32(&bucket->count) == 0)
		return;

	lock_waiters();
	signal_bucket(bucket, kind, database, channel, count, note);
	unlock_waiters();
}

/* wake_is_awaited -- may somebody be waiting for the end of a run? */
bool
wake_is_awaited(uint64 run_hash)
{
	return wake_available() &&
		pg_atomic_read_u32(&bucket_of(WAKE_CLOSED, MyDatabaseId, run_hash)->count) > 0;
}

/* waiter_wake_database -- wakes everyone who waits in a database. */
void
waiter_wake_database(Oid database)
{
	lock_waiters();
	for (int b = 0; b < wake_shared.capacity; b++)
	{
		int i = wake_shared.waiter_table->buckets[b].first;

		for (; i >= 0; i = wake_shared.waiters[i].next)
		{
			if (wake_shared.waiters[i].database == database)
				signal_waiter(&wake_shared.waiters[i]);
		}
	}
	unlock_waiters();
}

/* waiter_exists -- does anybody wait for this at this moment? */
bool
waiter_exists(WakeKind kind, Oid database, uint64 channel)
{
	WaiterBucket *bucket = bucket_of(kind, database, channel);
	bool found = false;

	LWLockAcquire(wake_shared.waiter_lock, LW_SHARED);
	for (int i = bucket->first; i >= 0 && !found; i = wake_shared.waiters[i].next)
		found = waits_for(&wake_shared.waiters[i], kind, database, channel);
	LWLockRelease(wake_shared.waiter_lock);
	return found;
}

static void
append_to_bucket(WaiterBucket *bucket, int entry)
{
	int *link = &bucket->first;

	while (*link >= 0)
		link = &wake_shared.waiters[*link].next;
	*link = entry;
	wake_shared.waiters[entry].next = -1;
	pg_atomic_fetch_add_u32(&bucket->count, 1);
}

static void
remove_from_bucket(WaiterBucket *bucket, int entry)
{
	int *link = &bucket->first;

	while (*link != entry)
		link = &wake_shared.waiters[*link].next;
	*link = wake_shared.waiters[entry].next;
	pg_atomic_fetch_sub_u32(&bucket->count, 1);
}

static void
free_waiter(int entry)
{
	wake_shared.waiters[entry].next = wake_shared.waiter_table->free;
	wake_shared.waiters[entry].server = -1;
	wake_shared.waiter_table->free = entry;
}

/*
 * Frees our entries.  A queue's wake-up that we did not use goes to the next
 * process; "failed" says that we did not use what was delivered either.
 */
static void
remove_own(bool failed)
{
	must_poll = false;
	if (first_own < 0)
		return;

	lock_waiters();
	while (first_own >= 0)
	{
		int entry = first_own;
		Waiter *waiter = &wake_shared.waiters[entry];
		WaiterBucket *bucket = bucket_of(waiter->kind, waiter->database, waiter->channel);

		first_own = waiter->next_own;
		remove_from_bucket(bucket, entry);
		if (waiter->kind == WAKE_QUEUE && (waiter->signalled || (failed && waiter->delivered)))
			signal_bucket(bucket, waiter->kind, waiter->database, waiter->channel, 1, NULL);
		free_waiter(entry);
	}
	unlock_waiters();
}

/* waiter_cancel -- our transaction has failed, or we are about to exit. */
void
waiter_cancel(void)
{
	remove_own(true);
}

static void
waiter_on_exit(int code, Datum arg)
{
	waiter_cancel();
}

/* Makes an entry of ours, -1 if there is no room; caller locks. */
static int
add_waiter(WakeKind kind, uint64 channel, int server)
{
	int entry = wake_shared.waiter_table->free;
	Waiter *waiter = &wake_shared.waiters[entry];

	if (entry < 0)
		return -1;
	wake_shared.waiter_table->free = waiter->next;
	waiter->database = MyDatabaseId;
	waiter->kind = kind;
	waiter->channel = channel;
	waiter->proc = compat_my_proc_number();
	waiter->server = server;
	waiter->signalled = false;
	waiter->delivered = false;
	waiter->note.size = 0;
	append_to_bucket(bucket_of(kind, MyDatabaseId, channel), entry);
	return entry;
}

/*
 * wake_register -- from now on we are woken for this.
 *
 * When there is no room, and on a standby, wake_wait() looks once in a while.
 */
void
wake_register(WakeKind kind, uint64 channel)
{
	static bool exit_registered = false;
	int entry;

	/* What commits on the primary wakes nobody here. */
	if (!wake_available() || RecoveryInProgress())
	{
		must_poll = true;
		return;
	}
	if (!exit_registered)
	{
		before_shmem_exit(waiter_on_exit, (Datum) 0);
		exit_registered = true;
	}

	lock_waiters();
	entry = add_waiter(kind, channel, -1);
	if (entry < 0)
		must_poll = true;
	else
	{
		wake_shared.waiters[entry].next_own = first_own;
		first_own = entry;
	}
	unlock_waiters();
	pg_memory_barrier();
}

/* wake_unregister -- we have what we wanted, or want it no more. */
void
wake_unregister(void)
{
	remove_own(false);
}

/*
 * wake_leave -- the same, for a process that was woken for several queues and
 * has taken a task of this one: the next process looks at the others.
 */
void
wake_leave(uint64 queue_id)
{
	for (int i = first_own; i >= 0; i = wake_shared.waiters[i].next_own)
	{
		if (wake_shared.waiters[i].channel == queue_id)
			wake_shared.waiters[i].delivered = false;
	}
	remove_own(true);
}

/*
 * Is there anything to be taken or to be forgotten?  Needs no lock: others set
 * "signalled" before they set our latch.
 */
static bool
is_touched(void)
{
	for (int i = first_own; i >= 0; i = wake_shared.waiters[i].next_own)
	{
		if (wake_shared.waiters[i].signalled || wake_shared.waiters[i].delivered)
			return true;
	}
	return false;
}

/* Takes the signals that we got: true when there was one. */
static bool
take_signals(void)
{
	bool signalled = false;

	taken_note.size = 0;
	if (!is_touched())
		return false;
	lock_waiters();
	for (int i = first_own; i >= 0; i = wake_shared.waiters[i].next_own)
	{
		Waiter *waiter = &wake_shared.waiters[i];

		waiter->delivered = waiter->signalled;
		waiter->signalled = false;
		signalled |= waiter->delivered;
		if (waiter->note.size > 0)
			memcpy(&taken_note, &waiter->note, offsetof(WakeNote, event) + waiter->note.size);
		waiter->note.size = 0;
	}
	unlock_waiters();
	return signalled;
}

/* Can we be told that our client has gone?  Not every platform can tell. */
static bool
watches_client(void)
{
	return FeBeWaitSet != NULL && WaitEventSetCanReportClosed();
}

/*
 * wake_check_client -- ends the session if its client has gone without a word.
 *
 * While a statement runs PostgreSQL does not look, and a worker's statement
 * may run for ever.
 */
void
wake_check_client(void)
{
	if (watches_client() && !pq_check_connection())
	{
		ClientConnectionLost = true;
		InterruptPending = true;
		CHECK_FOR_INTERRUPTS();
	}
}

/* Sleeps until the latch is set, the client has gone or the time is over. */
static int
sleep_on_latch(long timeout, uint32 wait_event_info)
{
	WaitEvent event;

	if (!watches_client())
		return WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
						 wait_event_info);
	ModifyWaitEvent(FeBeWaitSet, FeBeWaitSetSocketPos, WL_SOCKET_CLOSED, NULL);
	if (WaitEventSetWait(FeBeWaitSet, timeout, &event, 1, wait_event_info) == 0)
		return WL_TIMEOUT;
	if (event.events & WL_POSTMASTER_DEATH)
		proc_exit(1);
	return event.events;
}

/*
 * wake_wait -- sleeps until we are woken (true) or the deadline (false).
 *
 * The caller holds no snapshot.  It can be cancelled like any other wait, and
 * ends when the client goes.
 */
bool
wake_wait(TimestampTz deadline, uint32 wait_event_info)
{
	Assert(!ActiveSnapshotSet());
	InvalidateCatalogSnapshot();

	for (;;)
	{
		long timeout;
		int events;

		CHECK_FOR_INTERRUPTS();
		if (take_signals())
			return true;
		timeout = clock_ms_until(deadline, must_poll ? POLL_MS : SLEEP_MS);
		if (timeout == 0)
			return false;
		events = sleep_on_latch(timeout, wait_event_info);
		ResetLatch(MyLatch);
		if (events & WL_SOCKET_CLOSED)
			wake_check_client();
		if (must_poll && (events & WL_TIMEOUT))
			return true;
	}
}

/* wake_note -- what wake_wait() was told when it returned last; NULL if nothing. */
const WakeNote *
wake_note(void)
{
	return taken_note.size > 0 ? &taken_note : NULL;
}

/*
 * wake_wait_held -- as wake_wait(), but true after a pause as well: 100 ms,
 * then twice as long each time, up to 1.6 s.  Without looks there is none.
 */
bool
wake_wait_held(int looks, TimestampTz deadline, uint32 wait_event_info)
{
	TimestampTz retry = DT_NOEND;

	if (looks > 0)
		retry = clock_now() + (HELD_PAUSE << Min(looks - 1, HELD_DOUBLINGS));
	return wake_wait(Min(deadline, retry), wait_event_info) || retry < deadline;
}

/* ---- subscriptions ---- */

static int my_server = -1;

/* Takes a subscription off its server's list of what was signalled. */
static void
unlink_signalled(int entry)
{
	int *link = &wake_shared.waiter_table->servers[my_server].first_signalled;

	while (*link != entry)
		link = &wake_shared.waiters[*link].next_signalled;
	*link = wake_shared.waiters[entry].next_signalled;
}

/* Frees a subscription; a wake-up that was not taken goes on.  Caller locks. */
static void
remove_subscription(int entry)
{
	Waiter *waiter = &wake_shared.waiters[entry];
	WaiterBucket *bucket = bucket_of(waiter->kind, waiter->database, waiter->channel);

	remove_from_bucket(bucket, entry);
	if (waiter->signalled)
		unlink_signalled(entry);
	if (waiter->signalled && waiter->kind == WAKE_QUEUE)
		signal_bucket(bucket, waiter->kind, waiter->database, waiter->channel, 1, NULL);
	free_waiter(entry);
}

static void
server_on_exit(int code, Datum arg)
{
	lock_waiters();
	for (int i = 0; i < wake_shared.capacity; i++)
	{
		if (wake_shared.waiters[i].server == my_server)
			remove_subscription(i);
	}
	wake_shared.waiter_table->servers[my_server].proc = -1;
	unlock_waiters();
	my_server = -1;
}

/* Makes this process one that subscribes; false if there are too many. */
static bool
become_server(void)
{
	WaiterServer *servers = wake_shared.waiter_table->servers;

	lock_waiters();
	for (int i = 0; i < WAKE_SERVERS && my_server < 0; i++)
	{
		if (servers[i].proc < 0)
		{
			servers[i].proc = compat_my_proc_number();
			servers[i].first_signalled = -1;
			MemSet(&servers[i].stat, 0, sizeof(WakeServerStat));
			servers[i].stat.database = MyDatabaseId;
			servers[i].stat.pid = MyProcPid;
			servers[i].stat.since = clock_wall_now();
			my_server = i;
		}
	}
	unlock_waiters();
	if (my_server >= 0)
		before_shmem_exit(server_on_exit, (Datum) 0);
	return my_server >= 0;
}

/* waiter_wake_servers -- sets the latch of all that subscribe in a database. */
void
waiter_wake_servers(Oid database)
{
	WaiterServer *servers = wake_shared.waiter_table->servers;

	LWLockAcquire(wake_shared.waiter_lock, LW_SHARED);
	for (int i = 0; i < WAKE_SERVERS; i++)
	{
		if (servers[i].proc >= 0 && servers[i].stat.database == database)
			wake_process(servers[i].proc);
	}
	unlock_waiters();
}

/* wake_server_stat -- where this process counts. */
WakeServerStat *
wake_server_stat(void)
{
	static WakeServerStat nowhere;

	if (!wake_available() || (my_server < 0 && !become_server()))
		return &nowhere;
	return &wake_shared.waiter_table->servers[my_server].stat;
}

/* wake_next_server -- copies what the next one counts, from *cursor = 0 on. */
bool
wake_next_server(int *cursor, WakeServerStat *stat)
{
	bool found = false;

	if (!wake_available())
		return false;
	LWLockAcquire(wake_shared.waiter_lock, LW_SHARED);
	while (!found && *cursor < WAKE_SERVERS)
	{
		WaiterServer *server = &wake_shared.waiter_table->servers[(*cursor)++];

		found = server->proc >= 0 && server->stat.database == MyDatabaseId;
		if (found)
			*stat = server->stat;
	}
	LWLockRelease(wake_shared.waiter_lock);
	return found;
}

int
wake_subscribe(WakeKind kind, uint64 channel)
{
	int entry;

	if (!wake_available() || (my_server < 0 && !become_server()))
		return -1;
	lock_waiters();
	entry = add_waiter(kind, channel, my_server);
	unlock_waiters();
	pg_memory_barrier();
	return entry;
}

/* wake_unsubscribe -- at the end of the process all are gone by themselves. */
void
wake_unsubscribe(int subscription)
{
	if (subscription < 0 || my_server < 0)
		return;
	lock_waiters();
	remove_subscription(subscription);
	unlock_waiters();
}

bool
wake_take_signal(WakeKind *kind, uint64 *channel)
{
	WaiterServer *server;
	int entry;

	if (my_server < 0)
		return false;
	server = &wake_shared.waiter_table->servers[my_server];
	lock_waiters();
	entry = server->first_signalled;
	if (entry >= 0)
	{
		Waiter *waiter = &wake_shared.waiters[entry];

		server->first_signalled = waiter->next_signalled;
		waiter->signalled = false;
		*kind = waiter->kind;
		*channel = waiter->channel;
	}
	unlock_waiters();
	return entry >= 0;
}

void
wake_pass_on(WakeKind kind, uint64 channel)
{
	WaiterBucket *bucket = bucket_of(kind, MyDatabaseId, channel);

	lock_waiters();
	for (int i = bucket->first; i >= 0; i = wake_shared.waiters[i].next)
	{
		Waiter *waiter = &wake_shared.waiters[i];

		if (waiter->server != my_server && !waiter->signalled &&
			waits_for(waiter, kind, MyDatabaseId, channel))
		{
			signal_waiter(waiter);
			break;
		}
	}
	unlock_waiters();
}
