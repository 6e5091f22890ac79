/*
 * execution.c
 *	  Runs: who is current, their state, what lists show.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "core/decide.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "store/place.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "utils/timestamp.h"

/* Advisory locks of users are of class 1 or 2. */
#define RUN_LOCK_CLASS 3
#define ID_LOCK_CLASS 4
/* So many runs a transaction locks without marking their rows. */
#define RUN_LOCKS 32

#define CURRENT_KEYS 3
#define STATE_KEYS 2

RunKey
store_key(const pg_uuid_t *namespace_id, const char *workflow_id)
{
	RunKey		key;

	memset(&key, 0, sizeof(key));
	key.namespace_id = *namespace_id;
	key.shard = ident_shard(namespace_id, workflow_id, store_shard_count());
	return key;
}

static void
current_keys(ScanKey keys, const RunKey *key, const char *workflow_id)
{
	store_key_equal(&keys[0], 1, F_INT2EQ, Int16GetDatum(key->shard));
	store_key_equal(&keys[1], 2, F_UUID_EQ, uuid_datum(&key->namespace_id));
	store_key_equal(&keys[2], 3, F_TEXTEQ, text_datum(workflow_id));
}

/*
 * store_current_run -- the latest run of a workflow id; false if none.
 *
 * Only who has locked that run makes another one current, or removes it.
 */
bool
store_current_run(const RunKey *key, const char *workflow_id, pg_uuid_t *run_id)
{
	ScanKeyData keys[CURRENT_KEYS];
	RowScan		scan;

	current_keys(keys, key, workflow_id);
	if (!store_find_row(&scan, "current_execution", keys, CURRENT_KEYS, LOCK_NONE))
	{
		store_require_absent("current_execution", keys, CURRENT_KEYS);
		return false;
	}
	*run_id = *DatumGetUUIDP(store_scan_value(&scan, 4));
	store_scan_end(&scan);
	return true;
}

/*
 * store_insert_current -- false if there is a current run already.
 *
 * Waits for another session that is inserting one.  Between looking and
 * inserting nobody else does the same, so that there is never a duplicate to
 * be taken back; after it the row tells.  An id that nobody else can know
 * ("new_id") needs none of that.
 */
bool
store_insert_current(const RunKey *key, const char *workflow_id, bool new_id)
{
	Datum		values[] = {
		Int16GetDatum(key->shard), uuid_datum(&key->namespace_id), text_datum(workflow_id),
		uuid_datum(&key->run_id)
	};
	uint64		hash = ident_workflow_hash(&key->namespace_id, workflow_id);
	ScanKeyData keys[CURRENT_KEYS];
	LOCKTAG		tag;

	if (new_id)
	{
		store_insert("current_execution", lengthof(values), values, NULL);
		return true;
	}
	current_keys(keys, key, workflow_id);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, ID_LOCK_CLASS);
	for (;;)
	{
		TransactionId other;
		bool		found;

		LockAcquire(&tag, ExclusiveLock, false, false);
		found = store_may_exist("current_execution", keys, CURRENT_KEYS, &other);
		if (!found)
			store_insert("current_execution", lengthof(values), values, NULL);
		LockRelease(&tag, ExclusiveLock, false);
		if (!found || !TransactionIdIsValid(other))
			return !found;
		XactLockTableWait(other, NULL, NULL, XLTW_None);
	}
}

/* store_update_current -- the run of "key" takes over; the row is locked. */
void
store_update_current(const RunKey *key, const char *workflow_id)
{
	static Statement update = {
		"UPDATE temporal.current_execution SET run_id = $4"
		" WHERE shard OPERATOR(pg_catalog.=) $1 AND namespace_id OPERATOR(pg_catalog.=) $2"
		" AND workflow_id OPERATOR(pg_catalog.=) $3",
		4, {INT2OID, UUIDOID, TEXTOID, UUIDOID}
	};
	Datum		values[] = {
		Int16GetDatum(key->shard), uuid_datum(&key->namespace_id), text_datum(workflow_id),
		uuid_datum(&key->run_id)
	};

	store_run(&update, values, NULL);
}

#define KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND namespace_id OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3"

static void
load_buffer(ExecutionState *state)
{
	static Statement load = {
		"SELECT event FROM temporal.buffered_event" KEY_SQL " ORDER BY position",
		3, {INT2OID, UUIDOID, UUIDOID}
	};
	Datum		values[] = {key_datums(&state->key)};
	uint64		n = store_run(&load, values, NULL);

	for (uint64 i = 0; i < n; i++)
		state->buffer = lappend(state->buffer,
								store_message(i, 1, &pb__history_event__descriptor));
	state->stored_buffer = (int) n;
}

static ExecutionState *
run_state(const RunKey *key, RowScan *scan)
{
	ExecutionState *state = palloc0(sizeof(ExecutionState));

	state->key = *key;
	state->workflow_id = TextDatumGetCString(store_scan_value(scan, STATE_WORKFLOW_ID));
	state->info = store_unpack(&pbi__run_info__descriptor,
							   DatumGetByteaPP(store_scan_value(scan, STATE_INFO)));
	state->run = store_unpack(&pbi__run_state__descriptor,
							  DatumGetByteaPP(store_scan_value(scan, STATE_STATE)));
	core_expand_info(state);
	core_expand_task(state->info, state->run);
	state->buffer_loaded = true;
	return state;
}

static bool
is_row_of(const RunKey *key, RowScan *scan)
{
	return memcmp(DatumGetUUIDP(store_scan_value(scan, STATE_RUN_ID)), &key->run_id,
				  UUID_LEN) == 0 &&
		memcmp(DatumGetUUIDP(store_scan_value(scan, STATE_NAMESPACE_ID)), &key->namespace_id,
			   UUID_LEN) == 0;
}

/* A run that was found; if "locked" it stays where it is until we change it. */
static ExecutionState *
found_state(const RunKey *key, RowScan *scan, bool locked)
{
	ExecutionState *state = NULL;

	if (is_row_of(key, scan))
	{
		state = run_state(key, scan);
		if (locked)
			place_note(key, &scan->slot->tts_tid);
	}
	store_scan_end(scan);
	return state;
}

static void
state_keys(ScanKey keys, const RunKey *key)
{
	store_key_equal(&keys[0], 1, F_UUID_EQ, uuid_datum(&key->run_id));
	store_key_equal(&keys[1], 2, F_INT2EQ, Int16GetDatum(key->shard));
}

/* store_find_state -- the row of a run that is locked; false if there is none. */
bool
store_find_state(const RunKey *key, RowScan *scan)
{
	ScanKeyData keys[STATE_KEYS];
	ItemPointerData tid;

	if (place_find(key, &tid) && store_scan_at(scan, "execution_state", &tid))
	{
		if (is_row_of(key, scan))
			return true;
		store_scan_end(scan);
	}
	state_keys(keys, key);
	store_scan_begin(scan, "execution_state", RowExclusiveLock, keys, STATE_KEYS);
	if (store_scan_next_any(scan))
		return true;
	store_scan_end(scan);
	return false;
}

/* Where this transaction holds it, so nobody else does; NULL: ask the index. */
static ExecutionState *
load_placed(const RunKey *key)
{
	RowScan		scan;
	ItemPointerData tid;

	if (!place_find(key, &tid) || !store_scan_at(&scan, "execution_state", &tid))
		return NULL;
	return found_state(key, &scan, false);
}

/* By a lock of the row, or without any. */
static ExecutionState *
load_row(const RunKey *key, LockMode mode)
{
	ScanKeyData keys[STATE_KEYS];
	RowScan		scan;

	state_keys(keys, key);
	if (store_find_row(&scan, "execution_state", keys, STATE_KEYS, mode))
		return found_state(key, &scan, mode != LOCK_NONE);
	if (mode != LOCK_SKIP)
		store_require_absent("execution_state", keys, STATE_KEYS);
	return NULL;
}

/*
 * The state of a run, and what somebody else does to its row although we have
 * its lock ("locked") or might have its row.  NULL if the snapshot shows none.
 */
static ExecutionState *
load_under_lock(const RunKey *key, bool locked, RowState *row_state, TransactionId *holder)
{
	ScanKeyData keys[STATE_KEYS];
	RowScan		scan;

	*row_state = ROW_FREE;
	state_keys(keys, key);
	store_scan_begin(&scan, "execution_state", RowExclusiveLock, keys, STATE_KEYS);
	if (!store_scan_next_any(&scan))
	{
		store_scan_end(&scan);
		return NULL;
	}
	*row_state = store_scan_state(&scan, holder);
	return found_state(key, &scan, *row_state == ROW_OURS || (locked && *row_state == ROW_FREE));
}

/*
 * A lock of a run, kept until the transaction ends, that leaves the row alone.
 *
 * Marking the row as locked would cost a WAL record and a dirty page.  The lock
 * table is small, so a transaction has few of these; for any further run it
 * holds the row itself, having made sure that nobody has the lock.
 */
static LOCKTAG
run_lock_tag(const RunKey *key)
{
	uint64		hash = ident_run_hash(&key->run_id);
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, RUN_LOCK_CLASS);
	return tag;
}

/* How often this transaction has locked a run. */
static int *
runs_locked(void)
{
	static LocalTransactionId counted_for = InvalidLocalTransactionId;
	static int	count;

	if (counted_for != compat_local_xid())
	{
		counted_for = compat_local_xid();
		count = 0;
	}
	return &count;
}

/*
 * A run whose row this transaction holds already; else NULL.
 *
 * Whoever has the lock waits for that row, or is about to: the lock must not
 * be waited for.
 */
static ExecutionState *
load_held(const RunKey *key)
{
	RowState	row_state;
	TransactionId holder;
	ExecutionState *state;

	if (*runs_locked() <= RUN_LOCKS)
		return NULL;
	state = load_under_lock(key, false, &row_state, &holder);
	return row_state == ROW_OURS ? state : NULL;
}

/* The state of a run whose lock we have and keep; NULL if it is to be let go. */
static ExecutionState *
load_locked(const RunKey *key, LockMode mode)
{
	for (;;)
	{
		RowState	row_state;
		TransactionId holder;
		ExecutionState *state = load_under_lock(key, true, &row_state, &holder);

		if (state != NULL && (row_state == ROW_FREE || row_state == ROW_OURS))
			return state;
		/* It takes a look at the row itself to tell what is right now. */
		if (state == NULL || row_state == ROW_SHARED || IsolationUsesXactSnapshot())
			return load_row(key, mode);
		if (row_state == ROW_HELD && mode == LOCK_SKIP)
			return NULL;
		if (row_state == ROW_HELD)
			XactLockTableWait(holder, NULL, NULL, XLTW_None);
	}
}

static ExecutionState *
lock_run(const RunKey *key, LockMode mode)
{
	LOCKTAG		tag = run_lock_tag(key);
	LockAcquireResult result = LockAcquire(&tag, ExclusiveLock, false, true);
	ExecutionState *state;
	bool		keep;

	if (result == LOCKACQUIRE_NOT_AVAIL)
	{
		state = load_held(key);
		if (state != NULL || mode == LOCK_SKIP)
			return state;
		result = LockAcquire(&tag, ExclusiveLock, false, false);
	}
	keep = result == LOCKACQUIRE_ALREADY_HELD || (*runs_locked())++ < RUN_LOCKS;
	state = keep ? load_locked(key, mode) : load_row(key, mode);
	if (!keep || state == NULL)
		LockRelease(&tag, ExclusiveLock, false);
	return state;
}

/*
 * store_load_run -- the state of a run, its buffered events included.
 *
 * With a lock it is the state that a transition may be built on.  NULL if
 * there is no such run, or if it is locked and the mode is to skip.
 */
ExecutionState *
store_load_run(const RunKey *key, LockMode mode)
{
	ExecutionState *state = load_placed(key);

	if (state == NULL)
		state = mode == LOCK_NONE ? load_row(key, mode) : lock_run(key, mode);
	if (state != NULL && state->run->buffered_count > 0)
		load_buffer(state);
	return state;
}

void
store_load_attributes(const ExecutionState *state, Pb__Memo **memo,
					  Pb__SearchAttributes **search_attributes)
{
	static Statement load = {
		"SELECT memo, search_attributes FROM temporal.execution" EXECUTION_KEY_SQL,
		3, {EXECUTION_KEY_TYPES}
	};
	Datum		values[] = {execution_key_datums(state)};

	*memo = NULL;
	*search_attributes = NULL;
	if (store_run(&load, values, NULL) == 0)
		return;
	*memo = store_message(0, 1, &pb__memo__descriptor);
	*search_attributes = store_message(0, 2, &pb__search_attributes__descriptor);
}

bool
store_signal_seen(const RunKey *key, const char *request_id)
{
	static Statement find = {
		"SELECT FROM temporal.signal_request" KEY_SQL " AND request_id OPERATOR(pg_catalog.=) $4",
		4, {INT2OID, UUIDOID, UUIDOID, TEXTOID}
	};
	Datum		values[] = {key_datums(key), text_datum(request_id)};

	return store_run(&find, values, NULL) > 0;
}

/* store_closed_runs -- up to "limit" of those that closed since "from", in that order. */
List *
store_closed_runs(const pg_uuid_t *namespace_id, TimestampTz from, int limit)
{
	static Statement closed = {
		"SELECT shard, run_id, close_time FROM temporal.execution"
		" WHERE namespace_id OPERATOR(pg_catalog.=) $1 AND close_time OPERATOR(pg_catalog.>=) $2"
		" ORDER BY close_time LIMIT $3",
		3, {UUIDOID, TIMESTAMPTZOID, INT8OID}
	};
	Datum		values[] = {
		uuid_datum(namespace_id), TimestampTzGetDatum(from), Int64GetDatum(limit)
	};
	uint64		n = store_run(&closed, values, NULL);
	List	   *runs = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		ClosedRun  *run = palloc0(sizeof(ClosedRun));

		run->key.namespace_id = *namespace_id;
		run->key.shard = store_int16(i, 1);
		run->key.run_id = store_uuid(i, 2);
		run->close_time = store_time(i, 3);
		runs = lappend(runs, run);
	}
	return runs;
}

/*
 * store_delete_run -- a closed run disappears, and its workflow id with it if
 * the run is the current one.  The caller has locked it.
 *
 * False if somebody holds one of its activities: not now.
 */
bool
store_delete_run(const ExecutionState *state)
{
	static Statement held = {
		"SELECT FROM temporal.pending_activity" KEY_SQL " AND scheduled_event_id"
		" OPERATOR(pg_catalog.<>) ALL (ARRAY(SELECT a.scheduled_event_id FROM temporal.pending_activity a"
		" WHERE a.shard OPERATOR(pg_catalog.=) $1 AND a.namespace_id OPERATOR(pg_catalog.=) $2"
		" AND a.run_id OPERATOR(pg_catalog.=) $3 FOR UPDATE SKIP LOCKED))",
		3, {INT2OID, UUIDOID, UUIDOID}
	};
	static Statement statements[] = {
		{"DELETE FROM temporal.pending_activity" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
		{"DELETE FROM temporal.pending_timer" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
		{"DELETE FROM temporal.pending_external" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
		{"DELETE FROM temporal.buffered_event" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
		{"DELETE FROM temporal.signal_request" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
		/* Its rows leave the namespace out, as a rule. */
		{"DELETE FROM temporal.history WHERE shard OPERATOR(pg_catalog.=) $1"
			" AND run_id OPERATOR(pg_catalog.=) $3", 3, {INT2OID, UUIDOID, UUIDOID}},
		{"DELETE FROM temporal.execution_state" KEY_SQL, 3, {INT2OID, UUIDOID, UUIDOID}},
	};
	static Statement by_workflow_id[] = {
		{"DELETE FROM temporal.current_execution WHERE workflow_id OPERATOR(pg_catalog.=) $1"
			" AND run_id OPERATOR(pg_catalog.=) $2 AND shard OPERATOR(pg_catalog.=) $3"
			" AND namespace_id OPERATOR(pg_catalog.=) $4",
		4, {EXECUTION_KEY_TYPES, UUIDOID}},
		{"DELETE FROM temporal.execution" EXECUTION_KEY_SQL, 3, {EXECUTION_KEY_TYPES}},
	};
	Datum		values[] = {key_datums(&state->key)};
	Datum		id_values[] = {
		execution_key_datums(state), uuid_datum(&state->key.namespace_id)
	};

	if (store_run(&held, values, NULL) > 0)
		return false;
	for (size_t i = 0; i < lengthof(statements); i++)
		store_run(&statements[i], values, NULL);
	for (size_t i = 0; i < lengthof(by_workflow_id); i++)
		store_run(&by_workflow_id[i], id_values, NULL);
	return true;
}
