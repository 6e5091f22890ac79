/*
 * shmem.h
 *	  Layout of our shared memory; only src/wake/ includes this.
 *
 * Locks, all of them leaves (nothing is allocated, raised or waited for under
 * one, and at most one is held): TemporalWaiter guards the waiters and their
 * chains, TemporalQueue (partitioned) the queues, TemporalPoller
 * (partitioned) the pollers, TemporalClaim the lost claims, TemporalBeat the
 * activities that run here, TemporalProcess workers, holds, pokes and who owns
 * a DatabaseSlot.  What may be read by anyone at any time is atomic.
 */
#ifndef TEMPORAL_WAKE_SHMEM_H
#define TEMPORAL_WAKE_SHMEM_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"

#include "wake/beat.h"
#include "wake/process.h"
#include "wake/wake.h"

#define WAKE_PARTITIONS 16
#define WAKE_WAYS 8     /* entries of a set; the oldest is replaced */
#define WAKE_CLAIMERS 4 /* claims of a queue that may raise its bound */
#define WAKE_DATABASES 128
#define WAKE_PROCESSES 256
#define WAKE_HOLDS 32
#define WAKE_SERVERS 64 /* processes that subscribe */
#define WAKE_BEATS 64   /* processes that run activities which can be heard */

#define NO_BOUND PG_INT64_MIN

/* One process waiting for one channel. */
typedef struct Waiter
{
	Oid database;
	WakeKind kind;
	uint64 channel;
	int proc;
	int next;       /* of the same bucket, or of the free list; -1 ends */
	int next_own;   /* of the same process */
	int server;     /* of a subscription: whose; else -1 */
	int next_signalled; /* of the same server */
	bool signalled; /* woken, and has not looked yet */
	bool delivered; /* looking now because it was woken */
	WakeNote note;  /* that came with the signal */
} Waiter;

/* A process that subscribes. */
typedef struct WaiterServer
{
	int proc;            /* -1: free */
	int first_signalled; /* -1: none */
	WakeServerStat stat;
} WaiterServer;

/* "count" is read without the lock: nobody waits, nothing to do. */
typedef struct WaiterBucket
{
	int first;
	pg_atomic_uint32 count;
} WaiterBucket;

typedef struct WaiterTable
{
	int free;
	WaiterServer servers[WAKE_SERVERS];
	WaiterBucket buckets[FLEXIBLE_ARRAY_MEMBER];
} WaiterTable;

/* Lowest creation time that became visible since the claim has begun. */
typedef struct QueueClaimer
{
	int proc; /* -1: free */
	int64 lowest;
} QueueClaimer;

/* Tasks that came and left in each of the latest periods; see queue.c. */
#define WAKE_RATE_PERIODS 7

typedef struct QueueRates
{
	int64 since;  /* when counting has begun; 0: nothing is counted */
	int64 period; /* the latest */
	uint32 added[WAKE_RATE_PERIODS];
	uint32 taken[WAKE_RATE_PERIODS];
} QueueRates;

typedef struct QueueLimit
{
	bool set;
	double per_second;
	double tokens; /* tasks that may be started at "filled_at" */
	TimestampTz filled_at;
} QueueLimit;

typedef struct Queue
{
	Oid database;  /* InvalidOid: free */
	int listeners; /* sessions; such an entry is not replaced */
	bool has_work; /* to be announced to them */
	uint64 queue_id;
	uint64 used;
	int64 bound;
	TimestampTz last_poll;
	QueueClaimer claimers[WAKE_CLAIMERS];
	QueueRates rates;
	QueueLimit limit;
} Queue;

typedef struct Poller
{
	Oid database; /* InvalidOid: free */
	uint32 hash;  /* of the identity */
	WakePoller poller;
} Poller;

typedef struct LostClaim
{
	Oid database;
	WakeClaim claim;
	TimestampTz lost_at;
} LostClaim;

typedef struct LostClaims
{
	int count;
	LostClaim claims[WAKE_LOST_CLAIMS];
} LostClaims;

/* A process that runs activities, and the latest of them. */
typedef struct BeatSlot
{
	int proc;     /* -1: free */
	Oid database; /* InvalidOid: it tells of nothing */
	bool running;
	pg_atomic_uint32 stop; /* a BeatStop */
	Beat beat;
} BeatSlot;

typedef struct BeatTable
{
	pg_atomic_uint32 running; /* how many slots do; read without the lock */
	BeatSlot slots[WAKE_BEATS];
} BeatTable;

/* A database that has, or is believed to have, the extension. */
typedef struct DatabaseSlot
{
	pg_atomic_uint32 database; /* InvalidOid: free */
	pg_atomic_uint32 keeper;   /* its process number plus 1, 0: none */
	pg_atomic_uint32 prepared; /* a transaction was prepared */
	pg_atomic_uint32 notify;   /* some queue's has_work is set */
	pg_atomic_uint32 wanted;   /* a bit for each worker, see database_want() */
	pg_atomic_uint32 flusher;  /* as keeper */
	pg_atomic_uint64 flush;    /* WAL that somebody waits for */
	pg_atomic_uint64 deferred; /* when a flush was put off last, a TimestampTz */
	pg_atomic_uint64 due;      /* earliest due time, likewise */
} DatabaseSlot;

typedef struct ProcessSlot
{
	ProcessInfo info;
	uint32 generation; /* a worker of an older one must not attach */
	int proc;          /* -1: not attached */
	int port;          /* on which it listens; 0: none */
	bool leave;
	bool check; /* the extension may be gone */
} ProcessSlot;

typedef struct Hold
{
	Oid database; /* InvalidOid: free */
	int proc;
} Hold;

typedef struct ProcessTable
{
	ConditionVariable gone; /* a worker has left */
	int launcher;           /* process number, -1: none */
	bool poke_all;          /* "pokes" has overflowed */
	int npokes;
	Oid pokes[PROCESS_MAX_POKES];
	Hold holds[WAKE_HOLDS];
	ProcessSlot slots[WAKE_PROCESSES];
} ProcessTable;

/* Where things are; all NULL without shared memory. */
typedef struct WakeShared
{
	int capacity; /* of each of the first three, a power of two */
	WaiterTable *waiter_table;
	Waiter *waiters;
	Queue *queues;
	Poller *pollers;
	LostClaims *lost_claims;
	BeatTable *beats;
	DatabaseSlot *databases;
	ProcessTable *processes;
	LWLock *waiter_lock;
	LWLockPadded *queue_locks;
	LWLockPadded *poller_locks;
	LWLock *claim_lock;
	LWLock *beat_lock;
	LWLock *process_lock;
} WakeShared;

extern WakeShared wake_shared;

extern uint64 wake_hash(uint64 a, uint64 b);

/* waiter.c */
extern void waiter_wake(WakeKind kind, Oid database, uint64 channel, int count,
						const WakeNote *note);
extern void waiter_wake_database(Oid database);
extern bool waiter_exists(WakeKind kind, Oid database, uint64 channel);
extern void waiter_cancel(void);
extern void waiter_wake_servers(Oid database);

/* queue.c */
extern void queue_lower_bound(uint64 queue_id, int64 created_at);
extern void queue_end_claim(uint64 queue_id);
extern void queue_note_poll(uint64 queue_id, TimestampTz now);
extern void queue_announce(uint64 queue_id, int64 created_at);
extern void queue_count(uint64 queue_id, int added, int taken);
extern void queue_sweep(Oid database);

/* xact.c */
extern void xact_register(void);
extern void xact_note_bound(uint64 queue_id, int64 bound);
extern int64 xact_own_bound(uint64 queue_id);
extern void xact_raise_own_bound(uint64 queue_id, int64 created_at);

/* flush.c */
extern void flush_attach(Oid database, bool attached);

/* claim.c */
extern void claim_lost(const WakeClaim *claim);

/* beat.c */
extern void beat_tell(const pg_uuid_t *run_id, int64 event_id, TimestampTz before, BeatStop stop);

/* process.c */
extern bool process_any_slot(Oid database, bool live);
extern void process_ask_slots(Oid database, bool terminate);
extern void process_check_slots(Oid database);

/* hold.c */
extern bool hold_exists(Oid database);

/* database.c */
extern DatabaseSlot *database_find(Oid database);
extern bool database_create(Oid database);
extern void database_remove(Oid database);
extern void database_attach_keeper(Oid database);
extern void database_detach_keeper(Oid database);
extern void database_wake_keeper(DatabaseSlot *slot);
extern void database_note_prepare(void);
extern void database_note_work(void);
extern void database_note_busy(void);
extern bool database_want(Oid database, ProcessKind kind, int number, bool wanted);
extern bool database_wants(Oid database, ProcessKind kind, int number);

#endif /* TEMPORAL_WAKE_SHMEM_H */
