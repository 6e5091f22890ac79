/*
 * pending.c
 *	  Loading pending activities, timers and external requests: only those a
 *	  request names, so that its cost does not grow with how many there are.
 *
 * A worker may hold an activity's row for as long as it works, and needs the
 * run after that.  So a row is waited for only before its run is locked (the
 * store_lock functions), and is skipped otherwise.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/decide.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#define KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND namespace_id OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3"
#define ACTIVITY_SQL \
	"SELECT scheduled_event_id, activity_id, scheduled, state FROM temporal.pending_activity" \
	KEY_SQL

/* store_scheduled_event -- as the activity's row has it, or else its history. */
Pb__HistoryEvent *
store_scheduled_event(const RunKey *key, int64 scheduled_event_id, const bytea *stored)
{
	return stored == NULL ? store_read_event(key, scheduled_event_id) :
		store_unpack(&pb__history_event__descriptor, stored);
}

static PendingActivity *
activity_row(const RunKey *key, uint64 row)
{
	PendingActivity *activity = palloc0(sizeof(PendingActivity));

	activity->scheduled_event_id = store_int32(row, 1);
	activity->activity_id = store_text(row, 2);
	activity->scheduled = store_scheduled_event(key, activity->scheduled_event_id,
												store_bytea(row, 3));
	activity->state = store_message(row, 4, &pbi__activity_state__descriptor);
	core_expand_activity(activity->scheduled, activity->state);
	return activity;
}

#define ACTIVITY_KEYS 3

/* Columns of "pending_activity". */
enum
{
	ACTIVITY_SCHEDULED_EVENT_ID = 1,
	ACTIVITY_RUN_ID,
	ACTIVITY_NAMESPACE_ID,
	ACTIVITY_SHARD,
	ACTIVITY_ID,
	ACTIVITY_SCHEDULED,
	ACTIVITY_STATE
};

static void
activity_keys(ScanKey keys, const RunKey *key, int64 scheduled_event_id)
{
	store_key_equal(&keys[0], 1, F_UUID_EQ, uuid_datum(&key->run_id));
	store_key_event(&keys[1], 2, BTEqualStrategyNumber, F_INT48EQ, scheduled_event_id);
	store_key_equal(&keys[2], 3, F_INT2EQ, Int16GetDatum(key->shard));
}

static bool
is_row_of(const RunKey *key, RowScan *scan)
{
	return memcmp(DatumGetUUIDP(store_scan_value(scan, ACTIVITY_NAMESPACE_ID)),
				  &key->namespace_id, UUID_LEN) == 0;
}

/* The activity that a scan is at, unless it is of another namespace. */
static PendingActivity *
activity_at(const RunKey *key, RowScan *scan)
{
	PendingActivity *activity;

	if (!is_row_of(key, scan))
		return NULL;
	activity = palloc0(sizeof(PendingActivity));
	activity->scheduled_event_id =
		DatumGetInt32(store_scan_value(scan, ACTIVITY_SCHEDULED_EVENT_ID));
	activity->activity_id = TextDatumGetCString(store_scan_value(scan, ACTIVITY_ID));
	activity->scheduled =
		store_scheduled_event(key, activity->scheduled_event_id,
							  store_scan_null(scan, ACTIVITY_SCHEDULED) ? NULL :
							  DatumGetByteaPP(store_scan_value(scan, ACTIVITY_SCHEDULED)));
	activity->state = store_unpack(&pbi__activity_state__descriptor,
								   DatumGetByteaPP(store_scan_value(scan, ACTIVITY_STATE)));
	core_expand_activity(activity->scheduled, activity->state);
	return activity;
}

/* As activity_at(), at the end of the scan. */
static PendingActivity *
found_activity(const RunKey *key, RowScan *scan)
{
	PendingActivity *activity = activity_at(key, scan);

	store_scan_end(scan);
	return activity;
}

/* store_load_activity -- into a state; never waits, so LOCK_WAIT is no mode. */
PendingActivity *
store_load_activity(ExecutionState *state, int64 scheduled_event_id, LockMode mode)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;
	PendingActivity *activity;

	Assert(mode != LOCK_WAIT);
	activity_keys(keys, &state->key, scheduled_event_id);
	if (!store_find_row(&scan, "pending_activity", keys, ACTIVITY_KEYS, mode))
		return NULL;
	activity = found_activity(&state->key, &scan);
	if (activity != NULL)
		state_add_activity(state, activity);
	return activity;
}

/* store_lock_activity -- NULL if there is none; its run is not locked yet. */
PendingActivity *
store_lock_activity(const RunKey *key, int64 scheduled_event_id)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;

	activity_keys(keys, key, scheduled_event_id);
	if (store_find_row(&scan, "pending_activity", keys, ACTIVITY_KEYS, LOCK_WAIT))
		return found_activity(key, &scan);
	store_require_absent("pending_activity", keys, ACTIVITY_KEYS);
	return NULL;
}

/*
 * store_take_activity -- as store_lock_activity(), for one that ends now.
 *
 * Deletes its row at once: that locks it as well, and a lock is one more record
 * in the log.  Whoever holds the row is waited for as usual.
 */
PendingActivity *
store_take_activity(const RunKey *key, int64 scheduled_event_id)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;
	PendingActivity *activity;

	activity_keys(keys, key, scheduled_event_id);
	store_scan_begin(&scan, "pending_activity", RowExclusiveLock, keys, ACTIVITY_KEYS);
	if (store_scan_next(&scan) && is_row_of(key, &scan) && store_scan_take(&scan))
	{
		activity = found_activity(key, &scan);
		activity->taken = true;
		return activity;
	}
	store_scan_end(&scan);
	return store_lock_activity(key, scheduled_event_id);
}

/*
 * An activity's id is often the text of its event's: then the primary key finds
 * it, and only if it is not, the index of ids has it.
 */
#define ID_INDEX(is_event) ((is_event) ? NULL : "pending_activity_id")

/* The event whose text an id is; 0 if it is no such text. */
static int64
event_of_text(const char *activity_id)
{
	int64		event_id = strtoi64(activity_id, NULL, 10);

	return event_id > 0 && strcmp(psprintf(INT64_FORMAT, event_id), activity_id) == 0 ?
		event_id : 0;
}

static void
id_keys(ScanKey keys, const RunKey *key, const char *activity_id, bool is_event)
{
	if (is_event)
	{
		activity_keys(keys, key, event_of_text(activity_id));
		return;
	}
	store_key_equal(&keys[0], 1, F_TEXTEQ, text_datum(activity_id));
	store_key_equal(&keys[1], 2, F_UUID_EQ, uuid_datum(&key->run_id));
	store_key_equal(&keys[2], 3, F_INT2EQ, Int16GetDatum(key->shard));
}

static bool
has_id(const RunKey *key, RowScan *scan, const char *activity_id)
{
	return is_row_of(key, scan) &&
		strcmp(TextDatumGetCString(store_scan_value(scan, ACTIVITY_ID)), activity_id) == 0;
}

/* The event of the activity of that id; 0 if there is none. */
static int64
find_id(const RunKey *key, const char *activity_id, bool is_event)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;
	int64		event_id = 0;
	bool		found;

	id_keys(keys, key, activity_id, is_event);
	store_scan_begin_by(&scan, "pending_activity", ID_INDEX(is_event), AccessShareLock, keys,
						ACTIVITY_KEYS);
	found = store_scan_next_any(&scan);
	if (found && has_id(key, &scan, activity_id))
		event_id = DatumGetInt32(store_scan_value(&scan, ACTIVITY_SCHEDULED_EVENT_ID));
	store_scan_end(&scan);
	if (!found)
		store_require_absent_by("pending_activity", ID_INDEX(is_event), keys, ACTIVITY_KEYS);
	return event_id;
}

PendingActivity *
store_lock_activity_id(const RunKey *key, const char *activity_id)
{
	int64		event_id = find_id(key, activity_id, true);

	if (event_id == 0)
		event_id = find_id(key, activity_id, false);
	return event_id != 0 ? store_lock_activity(key, event_id) : NULL;
}

/* store_load_activities -- all of them, in the order they were scheduled. */
void
store_load_activities(ExecutionState *state)
{
	static Statement load = {
		ACTIVITY_SQL " ORDER BY scheduled_event_id", 3, {INT2OID, UUIDOID, UUIDOID}
	};
	Datum		values[] = {key_datums(&state->key)};
	uint64		n = store_run(&load, values, NULL);

	for (uint64 i = 0; i < n; i++)
		state_add_activity(state, activity_row(&state->key, i));
}

static Datum
text_array(List *strings)
{
	Datum	   *elements = palloc((list_length(strings) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, strings)
		elements[n++] = text_datum((const char *) lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
int64_array(List *numbers)
{
	Datum	   *elements = palloc((list_length(numbers) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, numbers)
		elements[n++] = Int64GetDatum(*(int64 *) lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8, FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

static void
load_timers(ExecutionState *state, Statement *statement, Datum argument)
{
	Datum		values[] = {key_datums(&state->key), argument};
	uint64		n = store_run(statement, values, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		PendingTimer *timer = palloc0(sizeof(PendingTimer));

		timer->timer_id = store_text(i, 1);
		timer->started_event_id = store_int64(i, 2);
		timer->fire_at = store_time(i, 3);
		state->timers = lappend(state->timers, timer);
	}
}

/*
 * store_lock_activities -- those of the given events (int64 pointers) that are
 * pending, locked in the order of their events; their run is not locked yet.
 */
List *
store_lock_activities(const RunKey *key, List *scheduled_event_ids)
{
	static Statement lock = {
		ACTIVITY_SQL " AND scheduled_event_id OPERATOR(pg_catalog.=) ANY ($4)"
		" ORDER BY scheduled_event_id FOR UPDATE",
		4, {INT2OID, UUIDOID, UUIDOID, INT8ARRAYOID}
	};
	List	   *activities = NIL;

	if (scheduled_event_ids != NIL)
	{
		Datum		values[] = {key_datums(key), int64_array(scheduled_event_ids)};
		uint64		n = store_run(&lock, values, NULL);

		for (uint64 i = 0; i < n; i++)
			activities = lappend(activities, activity_row(key, i));
	}
	return activities;
}

static void
load_ids(ExecutionState *state, List *activity_ids, bool is_event)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;
	ListCell   *cell;

	id_keys(keys, &state->key, linitial(activity_ids), is_event);
	store_scan_begin_by(&scan, "pending_activity", ID_INDEX(is_event), AccessShareLock, keys,
						ACTIVITY_KEYS);
	foreach(cell, activity_ids)
	{
		PendingActivity *activity;

		id_keys(keys, &state->key, lfirst(cell), is_event);
		store_scan_again(&scan, keys, ACTIVITY_KEYS);
		if (!store_scan_next_any(&scan) || !has_id(&state->key, &scan, lfirst(cell)))
			continue;
		activity = activity_at(&state->key, &scan);
		if (state_find_activity(state, activity->scheduled_event_id) == NULL)
			state_add_activity(state, activity);
	}
	store_scan_end(&scan);
}

/*
 * store_load_named -- the entities that the commands of a completion name.
 *
 * Lists of strings.  Activities are loaded to be seen only, not to be changed.
 */
void
store_load_named(ExecutionState *state, List *activity_ids, List *timer_ids)
{
	static Statement timers = {
		"SELECT timer_id, started_event_id, fire_at FROM temporal.pending_timer" KEY_SQL
		" AND timer_id OPERATOR(pg_catalog.=) ANY ($4)",
		4, {INT2OID, UUIDOID, UUIDOID, TEXTARRAYOID}
	};

	if (activity_ids != NIL && state->run->activity_count > 0)
	{
		load_ids(state, activity_ids, true);
		load_ids(state, activity_ids, false);
	}
	if (timer_ids != NIL && state->run->timer_count > 0)
		load_timers(state, &timers, text_array(timer_ids));
}

/* store_load_due_timers -- in the order in which they fire. */
void
store_load_due_timers(ExecutionState *state, TimestampTz now)
{
	static Statement due = {
		"SELECT timer_id, started_event_id, fire_at FROM temporal.pending_timer" KEY_SQL
		" AND fire_at OPERATOR(pg_catalog.<=) $4 ORDER BY fire_at, started_event_id",
		4, {INT2OID, UUIDOID, UUIDOID, TIMESTAMPTZOID}
	};

	if (state->run->timer_count > 0)
		load_timers(state, &due, TimestampTzGetDatum(now));
}

/* store_next_timer -- when the first user timer after "after" is due; 0: none. */
TimestampTz
store_next_timer(const ExecutionState *state, TimestampTz after)
{
	static Statement next = {
		"SELECT fire_at FROM temporal.pending_timer" KEY_SQL
		" AND fire_at OPERATOR(pg_catalog.>) $4 ORDER BY fire_at LIMIT 1",
		4, {INT2OID, UUIDOID, UUIDOID, TIMESTAMPTZOID}
	};
	Datum		values[] = {key_datums(&state->key), TimestampTzGetDatum(after)};

	if (state->run->timer_count == 0 || store_run(&next, values, NULL) == 0)
		return 0;
	return store_time(0, 1);
}

PendingExternal *
store_load_external(ExecutionState *state, int64 initiated_event_id)
{
	static Statement load = {
		"SELECT kind, request_id FROM temporal.pending_external" KEY_SQL
		" AND initiated_event_id OPERATOR(pg_catalog.=) $4",
		4, {INT2OID, UUIDOID, UUIDOID, INT8OID}
	};
	Datum		values[] = {key_datums(&state->key), Int64GetDatum(initiated_event_id)};
	PendingExternal *external;

	if (store_run(&load, values, NULL) == 0)
		return NULL;
	external = palloc0(sizeof(PendingExternal));
	external->initiated_event_id = initiated_event_id;
	external->kind = store_int16(0, 1);
	external->request_id = store_text(0, 2);
	state->externals = lappend(state->externals, external);
	return external;
}

/* store_update_activity -- its state; the caller has locked it. */
void
store_update_activity(const RunKey *key, const PendingActivity *activity)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;

	activity_keys(keys, key, activity->scheduled_event_id);
	store_scan_begin(&scan, "pending_activity", RowExclusiveLock, keys, ACTIVITY_KEYS);
	if (store_scan_next_any(&scan))
		store_scan_update(&scan, 1, (int[]) {ACTIVITY_STATE},
						  (Datum[]) {message_datum(core_compact_activity(activity))});
	store_scan_end(&scan);
}

/* store_delete_activity -- the caller has locked it. */
void
store_delete_activity(const RunKey *key, int64 scheduled_event_id)
{
	ScanKeyData keys[ACTIVITY_KEYS];

	activity_keys(keys, key, scheduled_event_id);
	store_delete("pending_activity", keys, ACTIVITY_KEYS);
}

/*
 * store_delete_orphan_activity -- its run has closed while it was locked.
 *
 * False if it is locked still.
 */
bool
store_delete_orphan_activity(const RunKey *key, int64 scheduled_event_id)
{
	ScanKeyData keys[ACTIVITY_KEYS];
	RowScan		scan;
	bool		found;

	activity_keys(keys, key, scheduled_event_id);
	if (store_find_row(&scan, "pending_activity", keys, ACTIVITY_KEYS, LOCK_SKIP))
	{
		store_scan_end(&scan);
		store_delete_activity(key, scheduled_event_id);
		return true;
	}
	found = store_find_row(&scan, "pending_activity", keys, ACTIVITY_KEYS, LOCK_NONE);
	if (found)
		store_scan_end(&scan);
	return !found;
}
