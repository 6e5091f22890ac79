/*
 * process.h
 *	  Our background workers, as they know each other through shared memory.
 *
 * The launcher keeps a slot for each worker that should run, and an entry for
 * each database that has one.  A worker writes its own slot.  Without
 * shared_preload_libraries there are no workers, and nothing is found.
 */
#ifndef TEMPORAL_WAKE_PROCESS_H
#define TEMPORAL_WAKE_PROCESS_H

#include "datatype/timestamp.h"

#define PROCESS_MESSAGE_SIZE 256
#define PROCESS_MAX_POKES 64
#define PROCESS_AWAY_US INT64CONST(1000000)

typedef enum ProcessKind
{
	PROCESS_LAUNCHER,
	PROCESS_KEEPER,
	PROCESS_FRONTEND,
	PROCESS_FLUSHER,
	PROCESS_EXECUTOR,
} ProcessKind;

/* Life of a slot: waiting, then starting, then running, then gone. */
typedef enum ProcessState
{
	PROCESS_FREE,     /* slot not in use */
	PROCESS_WAITING,  /* should run and does not; the note says why */
	PROCESS_STARTING, /* asked for, or looking for the extension */
	PROCESS_RUNNING,  /* at work */
	PROCESS_GONE,     /* ended; the launcher has not seen it yet */
} ProcessState;

/* Why a worker is gone. */
typedef enum ProcessExit
{
	PROCESS_FAILED,       /* an error, or somebody ended it */
	PROCESS_NO_EXTENSION, /* the database does not have the extension */
	PROCESS_CHANGED,      /* the extension is a new one, or its owner is */
	PROCESS_ASKED,        /* asked to leave the database */
	PROCESS_NOT_WANTED,   /* settings do not ask for it */
} ProcessExit;

/* A copy of one slot. */
typedef struct ProcessInfo
{
	Oid database;
	ProcessKind kind;
	int number; /* of those of its kind in the database; but executors have none */
	Oid role;   /* of an executor, else InvalidOid */
	ProcessState state;
	ProcessExit exit;
	int pid;
	TimestampTz started;
	TimestampTz busy_since; /* an executor, with what it does now; 0: idle */
	bool begun_long;        /* that may take long */
	int64 ticks;
	int64 transactions;
	int64 items;
	char last_error[PROCESS_MESSAGE_SIZE];
	char note[PROCESS_MESSAGE_SIZE];
} ProcessInfo;

extern const char *process_kind_name(ProcessKind kind);
extern const char *process_state_name(ProcessState state);

/* Anyone. */
extern bool process_next(int *cursor, ProcessInfo *info);

/* The worker itself. */
extern bool process_attach_launcher(void);
extern bool process_attach(int slot, uint32 generation, Oid *database);
extern void process_running(void);
extern void process_exiting(ProcessExit exit);
extern bool process_should_leave(void);
extern bool process_should_check(void);
extern void process_count(int ticks, int transactions, int items);
extern void process_error(const char *message);
extern int process_number(void);

/* A port on which processes of one database listen. */
typedef enum ProcessPort
{
	PORT_UNUSED,
	PORT_OURS,   /* some process of our database listens on it */
	PORT_THEIRS, /* one of another database */
} ProcessPort;

extern ProcessPort process_find_port(int port);
extern void process_listens(int port);

/* The keeper, which knows the settings of its database, asks for others. */
extern void process_want(ProcessKind kind, int number, bool wanted);
/* The keeper, for the executors of its database. */
extern int process_prepare_executor(Oid role, uint32 *generation);
extern void process_free_executors(Oid role);
extern void process_ask_executor(int pid);
extern void process_wake_executors(void);
extern Oid process_role(void);

/*
 * An executor says when it begins something, and when it has nothing to do.
 * Before it begins what may take long it asks: false if there are already
 * "limit" executors in the database, and all others of its role are away.  The
 * last one stays for what must not wait.
 */
extern void process_busy(void);
extern void process_idle(void);
extern bool process_begin_long(int limit);

/* Has it been with one thing for long? */
extern bool process_is_away(const ProcessInfo *info, TimestampTz now);

/* The launcher. */
extern void process_forget_unattached(void);
extern int process_find(Oid database, ProcessKind kind, int number, ProcessInfo *info);
extern int process_prepare(Oid database, ProcessKind kind, int number, uint32 *generation);
extern void process_wait(int slot, const char *note);
extern void process_free(int slot);
extern void process_ask_to_leave(Oid database);
extern void process_forget_database(Oid database);
extern int process_take_pokes(Oid *databases);
extern bool process_is_held(Oid database);
extern bool process_is_wanted(Oid database, ProcessKind kind, int number);

/* Whoever creates, drops or moves a database or the extension in it. */
extern void process_poke(Oid database);
extern void process_hold(Oid database);
extern void process_wait_until_gone(Oid database);
extern void process_release_holds(void);

/*
 * The keeper's side of wake.h.  Take the due time before the snapshot that
 * looks for due work is taken, and give back what remains.
 */
extern TimestampTz database_due(void);
extern TimestampTz database_take_due(void);
extern void database_return_due(TimestampTz due);
extern void database_lower_due(Oid database, TimestampTz due);
extern bool database_has_work(void);
extern int database_take_work(uint64 *queue_ids, int max_queues);
extern void database_sweep(void);
extern bool database_saw_prepare(void);
extern void database_forget_prepare(void);

/*
 * Flushing WAL for others.  Who has committed asynchronously asks for it, and
 * is woken when it is done: false if nobody does it.  All positions are in WAL
 * that is written already.
 */
extern bool flush_request(uint64 lsn);
extern uint64 flush_requested(void);
extern bool flush_available(void);
extern void flush_done(void);

/*
 * Flushing one's own WAL later.  flush_defer() announces that this process is
 * about to commit asynchronously and will flush that soon; false if nobody would
 * know.  flush_was_deferred() says whether anybody may not have done so yet.
 */
extern bool flush_defer(void);
extern bool flush_was_deferred(void);

#endif /* TEMPORAL_WAKE_PROCESS_H */
