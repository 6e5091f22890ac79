/*
 * wake.h
 *	  Who waits for what, and waking them when a transaction has committed.
 *
 * Everything here is a hint kept in shared memory.  The tables are the truth:
 * a hint may be lost, duplicated or dropped when the memory is full, and a
 * periodic sweep still finds every task.  Without shared_preload_libraries
 * there is no shared memory; then every function here does nothing, and a
 * wait looks at the tables once in a while.
 *
 * A queue id or run hash means something in one database only; every entry
 * belongs to the database of the process that made it.
 */
#ifndef TEMPORAL_WAKE_WAKE_H
#define TEMPORAL_WAKE_WAKE_H

#include "base/ident.h"
#include "datatype/timestamp.h"

#define WAKE_IDENTITY_SIZE 128
#define WAKE_LOST_CLAIMS 256 /* more are not kept */
#define WAKE_NOTE_SIZE 256

/* What a process waits for: a task of a queue, the end of a run, its events. */
typedef enum WakeKind
{
	WAKE_QUEUE,
	WAKE_CLOSED,
	WAKE_EVENTS,
} WakeKind;

/* An activity or workflow task whose claim was rolled back. */
typedef struct WakeClaim
{
	RunKey key;
	uint64 queue_id;
	int64 event_id;
	int attempt; /* 0 for a workflow task */
} WakeClaim;

/*
 * How a run has ended: its id and its last event, packed.  Whoever tells of it
 * to others makes sure first that WAL is on disk up to there.
 */
typedef struct WakeNote
{
	int size;   /* 0: not told */
	uint64 lsn; /* of the commit, known when it is done */
	pg_uuid_t run_id;
	uint8 event[WAKE_NOTE_SIZE];
} WakeNote;

/* Who polled a queue, and when last. */
typedef struct WakePoller
{
	uint64 queue_id;
	pg_uuid_t namespace_id;
	TimestampTz last_access;
	char identity[WAKE_IDENTITY_SIZE];
} WakePoller;

/* Set up by _PG_init() when the library is preloaded. */
extern void wake_shmem_request(void);
extern void wake_shmem_startup(void);
extern bool wake_available(void);

/*
 * Called inside a transition: remembered until the transaction commits.  Then
 * one process that waits for the queue is woken for each mark, everyone who
 * waits for the run, respectively the keeper's next due time is lowered.  A
 * rolled back subtransaction may cause a spurious wake-up; that is harmless.
 *
 * wake_mark_task() is wake_mark_queue() for a task row with this creation
 * time, which also lowers the queue's bound.  wake_mark_closed() may tell who
 * waits how the run has ended (NULL: let them look), which is of use only if
 * wake_is_awaited().  wake_mark_sweep() is for rows that
 * came from elsewhere, of which nobody told.  Whoever makes a task visible
 * again, by whatever means, calls it too.
 */
extern void wake_mark_queue(uint64 queue_id);
extern void wake_mark_task(uint64 queue_id, int64 created_at);
extern void wake_mark_due(TimestampTz due);
extern void wake_mark_sweep(void);
extern void wake_mark_closed(uint64 run_hash, const WakeNote *note);
extern void wake_mark_events(uint64 run_hash);
extern bool wake_is_awaited(uint64 run_hash);

/*
 * What the current transaction has marked so far: the next mark, from
 * *cursor = 0 on.  Who takes a task of a queue in the transaction that offered
 * it says so: nobody else is woken for it.
 */
extern bool wake_next_mark(int *cursor, WakeKind *kind, uint64 *channel);
extern void wake_mark_served(uint64 queue_id);

/*
 * How many tasks came to a queue and left it, counted at commit and told as
 * so many a second over the last half minute.  wake_mark_task() counts one
 * that came, wake_mark_taken() one that left, wake_mark_handed() one that did
 * both without waiting.
 */
extern void wake_mark_taken(uint64 queue_id);
extern void wake_mark_handed(uint64 queue_id);
extern void wake_queue_rates(uint64 queue_id, double *added, double *taken);

/*
 * How many tasks of a queue may be started a second, at most those of one
 * second at once.  Without shared memory, and once a queue has been forgotten
 * for others, there is no limit until somebody sets it again.  wake_queue_pause()
 * is 0 if one may be started now, else the microseconds until then; who starts
 * it says so by wake_spend(), which nothing takes back.
 */
extern void wake_limit_queue(uint64 queue_id, double per_second);
extern int64 wake_queue_pause(uint64 queue_id);
extern void wake_spend(uint64 queue_id);

/*
 * Waiting.  The caller registers, looks at the tables once more, and then
 * waits, again and again until it found what it wants; no snapshot may be
 * held while waiting.  wake_wait() returns false when the deadline has passed,
 * true when it is time to look.  An error gives a wake-up that was received
 * but not used to the next process.  Who does long work between two waits
 * asks whether the client is still there; wake_wait() does by itself.  Who was
 * woken for the end of a run may have been told how it ended: wake_note().
 *
 * Nobody tells when a task that others hold is free again.  Whoever has found
 * nothing else in its last "looks" looks waits by wake_wait_held(): that
 * returns after a while, longer each time.
 */
extern void wake_register(WakeKind kind, uint64 channel);
extern bool wake_wait(TimestampTz deadline, uint32 wait_event_info);
extern bool wake_wait_held(int looks, TimestampTz deadline, uint32 wait_event_info);
extern const WakeNote *wake_note(void);
extern void wake_unregister(void);
extern void wake_leave(uint64 queue_id);
extern void wake_check_client(void);

/*
 * A process that waits for many things at once, on behalf of others.  Such a
 * subscription outlives transactions and errors; it counts as one waiter, so
 * whoever is woken for a queue takes all that it can.  wake_subscribe() is -1
 * when there is no room: look once in a while then.  When the latch is set,
 * wake_take_signal() says what has happened, one after the other.
 */
extern int wake_subscribe(WakeKind kind, uint64 channel);
extern void wake_unsubscribe(int subscription);
extern bool wake_take_signal(WakeKind *kind, uint64 *channel);

/* Hands a signal that nobody here can use to another process that waits. */
extern void wake_pass_on(WakeKind kind, uint64 channel);

/*
 * Claims.  Ask for the bound before the snapshot of the claim is taken, and
 * skip task rows created before it.  A claimer that has seen all rows may
 * raise it to the creation time of the oldest row that it left behind (rows
 * locked by others do not count).  A rollback lowers it to where it was.
 */
extern int64 wake_lower_bound(uint64 queue_id);
extern void wake_raise_bound(uint64 queue_id, int64 created_at);

/*
 * A claim that vanishes with its transaction is told to the keeper, is in its
 * list until forgotten, and counts as an attempt that has failed.  Who takes
 * many tasks in one transaction says whose fault a rollback is: that of each
 * task, of a task that was alone in it and is not undone by itself, or of none.
 */
typedef enum WakeBlame
{
	WAKE_BLAME_EACH,
	WAKE_BLAME_ALONE,
	WAKE_BLAME_NONE,
} WakeBlame;

extern WakeBlame wake_set_blame(WakeBlame blame);
extern void wake_note_claim(const WakeClaim *claim);
extern int wake_lost_claims(WakeClaim *claims, int max_claims, bool *later);
extern bool wake_claim_is_lost(const WakeClaim *claim);
extern void wake_forget_lost_claim(const WakeClaim *claim);

/*
 * What a process that subscribes counts, since it has begun.  It alone writes;
 * whoever reads may see a call that is half counted.  The index of a method is
 * the caller's affair.
 */
#define WAKE_SERVER_METHODS 64 /* more are not counted one by one */

typedef struct WakeMethodStat
{
	int64 calls;
	int64 errors;
	int64 total_us;
	int64 max_us;
} WakeMethodStat;

typedef struct WakeServerStat
{
	Oid database;
	int pid;
	TimestampTz since;
	int64 connections;
	int64 parked;
	int64 batches;
	int64 calls;
	int64 largest_batch;
	int64 execute_us;
	int64 commit_us;
	WakeMethodStat methods[WAKE_SERVER_METHODS];
} WakeServerStat;

extern WakeServerStat *wake_server_stat(void);
extern bool wake_next_server(int *cursor, WakeServerStat *stat);

/* Pollers of a queue. */
extern void wake_note_poller(uint64 queue_id, const pg_uuid_t *namespace_id,
							 const char *identity);
extern void wake_forget_pollers(uint64 queue_id);
extern bool wake_queue_has_recent_poller(uint64 queue_id, int within_ms);
extern bool wake_next_poller(int *cursor, WakePoller *poller);

/*
 * Sessions that want NOTIFY.  wake_listen() lasts until the session ends and
 * is false when there is no room.
 */
extern bool wake_listen(uint64 queue_id);

#endif /* TEMPORAL_WAKE_WAKE_H */
