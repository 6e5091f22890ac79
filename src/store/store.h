/*
 * store.h
 *	  The whole persistence interface: nothing else touches our tables.
 *
 * Everything runs between store_enter() and store_leave(), as the owner of the
 * extension, with plans that are prepared once in a backend.  Results live in
 * the memory context that is current at the call.
 *
 * Lock order: activities that the request names, in the order of their events;
 * the run, by store_load_run(); other pending rows, current_execution,
 * execution, task, timer, outbox; of two runs of one workflow id the older
 * first.  Offers, deadlines and activities that a transition merely withdraws
 * are skipped if they are locked: whoever looks at one that was left finds it
 * obsolete.
 */
#ifndef TEMPORAL_STORE_STORE_H
#define TEMPORAL_STORE_STORE_H

#include "core/transition.h"
#include "proto/activity.pb-c.h"
#include "storage/itemptr.h"
#include "wake/beat.h"

/* ---- plan.c: entering, leaving ---- */

typedef struct StoreScope
{
	Oid			user_id;
	int			security_context;
	bool		seqscan;
	bool		bitmapscan;
	bool		jit;
} StoreScope;

extern void store_enter(StoreScope *scope);
extern void store_leave(const StoreScope *scope);
extern void store_restore(const StoreScope *scope);
extern Oid	store_owner(void);

/* ---- namespace.c ---- */

typedef struct Namespace
{
	pg_uuid_t	id;
	const char *name;
	int			state;
	int64		retention;		/* microseconds */
	TimestampTz created_at;
	bytea	   *info;			/* UpdateNamespaceInfo message, or NULL */
	bool		stored;			/* has a row of its own */
} Namespace;

extern const pg_uuid_t default_namespace_id;
extern bool store_is_default(const pg_uuid_t *namespace_id);

extern Namespace *store_find_namespace(const char *name);
extern Namespace *store_lock_namespace(const char *name);
extern Namespace *store_find_namespace_id(const pg_uuid_t *id);
extern bool store_insert_namespace(const Namespace *namespace);
extern void store_update_namespace(const Namespace *namespace);
extern List *store_list_namespaces(const char *after, int limit);
extern List *store_every_namespace(void);
extern List *store_attribute_types(const pg_uuid_t *namespace_id);
extern void store_add_attribute_type(const pg_uuid_t *namespace_id, const char *name, int type);
extern bool store_remove_attribute_type(const pg_uuid_t *namespace_id, const char *name);
extern bool store_adopted(void);
extern void store_adopt(void);
extern int	store_shard_count(void);

/* ---- access.c ---- */

/* What a role may do: for one task queue or, if that is "", for all. */
typedef struct AccessRow
{
	const char *role_name;
	const char *right;
	const char *task_queue;
	pg_uuid_t	namespace_id;
} AccessRow;

/* Stands for every namespace in a right. */
extern const pg_uuid_t store_all_namespaces;

extern List *store_access(const pg_uuid_t *namespace_id);
extern void store_insert_access(const pg_uuid_t *namespace_id, const char *role_name,
								const char *right, const char *task_queue);
extern void store_delete_access(const pg_uuid_t *namespace_id, const char *role_name,
								const char *right, const char *task_queue);
extern bool store_role_is_granted(Oid role);
extern char *store_find_key(const char *key);
extern void store_forget_role(const char *role_name);
extern bool store_role_has_access(const char *role_name, bool reads);
extern void store_grant_privileges(const char *role_name, bool reads);
extern void store_revoke_privileges(const char *role_name, bool reads);


/* ---- execution.c ---- */

typedef enum LockMode
{
	LOCK_NONE,
	LOCK_WAIT,
	LOCK_SKIP
} LockMode;

extern RunKey store_key(const pg_uuid_t *namespace_id, const char *workflow_id);
extern bool store_current_run(const RunKey *key, const char *workflow_id, pg_uuid_t *run_id);
extern bool store_insert_current(const RunKey *key, const char *workflow_id, bool new_id);
extern void store_update_current(const RunKey *key, const char *workflow_id);
extern void store_load_attributes(const ExecutionState *state, Pb__Memo **memo,
								  Pb__SearchAttributes **search_attributes);
extern ExecutionState *store_load_run(const RunKey *key, LockMode mode);
extern bool store_signal_seen(const RunKey *key, const char *request_id);
extern bool store_delete_run(const ExecutionState *state);

/* A run that has closed, and when. */
typedef struct ClosedRun
{
	RunKey		key;
	TimestampTz close_time;
} ClosedRun;

extern List *store_closed_runs(const pg_uuid_t *namespace_id, TimestampTz from, int limit);

/* ---- pending.c ---- */

extern Pb__HistoryEvent *store_scheduled_event(const RunKey *key, int64 scheduled_event_id,
											   const bytea *stored);
extern PendingActivity *store_load_activity(ExecutionState *state, int64 scheduled_event_id,
											LockMode mode);
extern PendingActivity *store_lock_activity(const RunKey *key, int64 scheduled_event_id);
extern PendingActivity *store_take_activity(const RunKey *key, int64 scheduled_event_id);
extern PendingActivity *store_lock_activity_id(const RunKey *key, const char *activity_id);
extern List *store_lock_activities(const RunKey *key, List *scheduled_event_ids);
extern void store_load_activities(ExecutionState *state);
extern void store_load_named(ExecutionState *state, List *activity_ids, List *timer_ids);
extern void store_load_due_timers(ExecutionState *state, TimestampTz now);
extern TimestampTz store_next_timer(const ExecutionState *state, TimestampTz after);
extern PendingExternal *store_load_external(ExecutionState *state, int64 initiated_event_id);
extern void store_update_activity(const RunKey *key, const PendingActivity *activity);
extern void store_delete_activity(const RunKey *key, int64 scheduled_event_id);
extern bool store_delete_orphan_activity(const RunKey *key, int64 scheduled_event_id);

/* ---- history.c ---- */

typedef struct HistoryBatch
{
	int64		first_event_id;
	int			event_count;
	bytea	   *events;			/* a History message */
} HistoryBatch;

extern List *store_read_history(const RunKey *key, int64 from, int64 before, int max_events,
								bool reverse);
extern Pb__HistoryEvent *store_read_event(const RunKey *key, int64 event_id);
extern Pb__History *store_unpack_batch(const ExecutionState *state, const HistoryBatch *batch);

/* ---- task.c ---- */

typedef struct TaskRow
{
	RunKey		key;
	int64		event_id;
	int32		stamp;
	int			priority;
	TimestampTz created_at;
	uint64		queue_id;
	ItemPointerData tid;		/* where it was seen; invalid: unknown */
} TaskRow;

/* "after": only what comes behind it; NULL: from "not_before" on. */
extern List *store_peek_tasks(const pg_uuid_t *namespace_id, uint64 queue_id, int limit,
							  TimestampTz not_before, const TaskRow *after);
extern void store_drop_task(const TaskRow *task);
extern void store_insert_task(const TaskRow *task, int kind, const char *queue);
extern TimestampTz store_oldest_task(uint64 queue_id, TimestampTz not_before);
extern void store_backlog(const pg_uuid_t *namespace_id, int kind, const char *queue,
						  int64 *count, TimestampTz *oldest);

/* ---- claim.c ---- */

extern const TaskRow *store_last_claim(uint64 queue_id);
extern void store_note_claim(const TaskRow *task);
extern void store_note_offer(const TaskRow *task);

/* ---- timer.c ---- */

typedef struct TimerRow
{
	RunKey		key;
	TimerKind	kind;
	TimestampTz fire_at;
	int64		event_id;
	int			failures;
} TimerRow;

extern List *store_due_timers(TimestampTz from, TimestampTz now, int limit,
							  const List *namespace_ids);
extern List *store_due_siblings(const TimerRow *timer, TimestampTz now);
extern TimestampTz store_earliest_timer(TimestampTz from);
extern void store_insert_timer(const TimerRow *timer);
extern void store_drop_timer(const TimerRow *timer);
extern void store_withdraw_timer(const TimerRow *timer);
extern void store_delay_timer(const TimerRow *timer, TimestampTz fire_at);
extern void store_push_back_timer(const TimerRow *timer, TimestampTz fire_at, const char *error);

/* ---- outbox.c ---- */

typedef struct OutboxRow
{
	RunKey		key;
	TimestampTz due_at;
	int64		event_id;
	int			failures;
	Pb__HistoryEvent *event;
} OutboxRow;

extern List *store_due_outbox(TimestampTz from, TimestampTz now, int limit,
							  const List *namespace_ids);
extern TimestampTz store_earliest_outbox(TimestampTz from);
extern void store_drop_outbox(const OutboxRow *row);
extern void store_delay_outbox(const OutboxRow *row, TimestampTz due_at);
extern void store_push_back_outbox(const OutboxRow *row, TimestampTz due_at, const char *error);

/* ---- registration.c ---- */

/* A function of the database that is a workflow or an activity. */
typedef struct Registration
{
	pg_uuid_t	namespace_id;
	int			kind;			/* TaskQueueType of its tasks */
	const char *name;			/* workflow or activity type */
	const char *task_queue;
	const char *role_name;		/* registered it, owns it, runs it */
	const char *schema;
	const char *function;
	List	   *argument_types; /* of char *, qualified */
	bool		transactional;
	bool		direct_sql;
	Pb__ActivityOptions *options;	/* what a call does not say */
	/* What exec/function.c has found for it, and in which state of the catalogs. */
	Oid			function_oid;
	uint64		catalog_version;
} Registration;

typedef struct ServedQueue
{
	pg_uuid_t	namespace_id;
	int			kind;
	const char *task_queue;
	const char *role_name;
} ServedQueue;

extern uint64 store_registrations_version(void);
extern void store_tell_registrations(void);
extern const Registration *store_find_registration(const pg_uuid_t *namespace_id, int kind,
												   const char *name);
extern const char *store_queue_owner(const pg_uuid_t *namespace_id, int kind,
									 const char *task_queue);
extern List *store_served_queues(const char *role_name);
extern List *store_all_served_queues(void);
extern void store_put_registration(const Registration *registration);
extern void store_delete_registration(const Registration *registration);

/* ---- commit.c ---- */

/*
 * Writes a closed transition.  The run must be locked, or new; for a change of
 * one activity only (no events) its row.
 */
extern void store_commit(Transition *transition);
extern void store_commit_activity(Transition *transition, PendingActivity *activity);
extern BeatStop store_attempt_stop(const PendingActivity *activity);

/* ---- replay.c ---- */

extern void store_check_run(const RunKey *key);

#endif							/* TEMPORAL_STORE_STORE_H */
