/*
 * timer.c
 *	  Deadlines: which are due, and what becomes of a row that was looked at.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

#define SIBLINGS_AMONG 1000
#define TIMER_COLUMNS 8
#define TIMER_KEYS 5
#define TIMER_KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND fire_at OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3 AND kind OPERATOR(pg_catalog.=) $4" \
	" AND event_id OPERATOR(pg_catalog.=) $5"
#define TIMER_KEY_TYPES {INT2OID, TIMESTAMPTZOID, UUIDOID, INT2OID, INT8OID}
#define timer_datums(timer) \
	Int16GetDatum((timer)->key.shard), TimestampTzGetDatum((timer)->fire_at), \
	uuid_datum(&(timer)->key.run_id), Int16GetDatum((timer)->kind), \
	Int64GetDatum((timer)->event_id)

/*
 * store_due_timers -- locks up to "limit" rows that have become due since
 * "from", the oldest first.
 *
 * The bound saves wading through what is gone but cannot be vacuumed yet.
 * "namespace_ids" (pg_uuid_t): only theirs; NIL: all.
 */
List *
store_due_timers(TimestampTz from, TimestampTz now, int limit, const List *namespace_ids)
{
#define DUE_SQL \
	"SELECT fire_at, run_id, kind, event_id, namespace_id, failures, shard FROM temporal.timer" \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND fire_at OPERATOR(pg_catalog.>=) $4" \
	" AND fire_at OPERATOR(pg_catalog.<=) $2"
#define DUE_ORDER_SQL \
	" ORDER BY fire_at, run_id, kind, event_id LIMIT $3 FOR UPDATE SKIP LOCKED"
	static Statement due = {
		DUE_SQL DUE_ORDER_SQL, 4, {INT2OID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID}
	};
	static Statement due_of = {
		DUE_SQL " AND namespace_id OPERATOR(pg_catalog.=) ANY ($5)" DUE_ORDER_SQL,
		5, {INT2OID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, UUIDARRAYOID}
	};
	List	   *timers = NIL;

	for (int shard = 0; shard < store_shard_count(); shard++)
	{
		Datum		values[] = {
			Int16GetDatum(shard), TimestampTzGetDatum(now), Int64GetDatum(limit),
			TimestampTzGetDatum(from), store_uuid_array(namespace_ids)
		};
		uint64		n = store_run(namespace_ids == NIL ? &due : &due_of, values, NULL);

		for (uint64 i = 0; i < n; i++)
		{
			TimerRow   *timer = palloc0(sizeof(TimerRow));

			timer->fire_at = store_time(i, 1);
			timer->key.run_id = store_uuid(i, 2);
			timer->kind = store_int16(i, 3);
			timer->event_id = store_int32(i, 4);
			timer->key.namespace_id = store_uuid(i, 5);
			timer->failures = store_int32(i, 6);
			timer->key.shard = store_int16(i, 7);
			timers = lappend(timers, timer);
		}
	}
	return timers;
}

/*
 * store_due_siblings -- locks due rows of other activities of the same run,
 * the oldest first.
 *
 * Not those that failed before, and only among the first that are due at all
 * since the given one: this must cost little when there are many.
 */
List *
store_due_siblings(const TimerRow *timer, TimestampTz now)
{
	static Statement due = {
		"SELECT t.fire_at, t.event_id FROM temporal.timer t"
		" WHERE t.shard OPERATOR(pg_catalog.=) $1 AND t.fire_at OPERATOR(pg_catalog.>=) $7"
		" AND t.fire_at OPERATOR(pg_catalog.<=) $4"
		" AND t.fire_at OPERATOR(pg_catalog.<=) coalesce((SELECT pg_catalog.max(f.fire_at)"
		" FROM (SELECT d.fire_at FROM temporal.timer d WHERE d.shard OPERATOR(pg_catalog.=) $1"
		" AND d.fire_at OPERATOR(pg_catalog.>=) $7 AND d.fire_at OPERATOR(pg_catalog.<=) $4"
		" ORDER BY d.fire_at LIMIT $6) f), $4)"
		" AND t.run_id OPERATOR(pg_catalog.=) $2 AND t.kind OPERATOR(pg_catalog.=) $3"
		" AND t.event_id OPERATOR(pg_catalog.<>) $5 AND t.failures OPERATOR(pg_catalog.=) 0"
		" ORDER BY t.fire_at, t.event_id FOR UPDATE SKIP LOCKED",
		7, {INT2OID, UUIDOID, INT2OID, TIMESTAMPTZOID, INT8OID, INT8OID, TIMESTAMPTZOID}
	};
	Datum		values[] = {
		Int16GetDatum(timer->key.shard), uuid_datum(&timer->key.run_id),
		Int16GetDatum(TIMER_ACTIVITY), TimestampTzGetDatum(now), Int64GetDatum(timer->event_id),
		Int64GetDatum(SIBLINGS_AMONG), TimestampTzGetDatum(timer->fire_at)
	};
	uint64		n = store_run(&due, values, NULL);
	List	   *timers = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		TimerRow   *sibling = palloc0(sizeof(TimerRow));

		*sibling = *timer;
		sibling->fire_at = store_time(i, 1);
		sibling->event_id = store_int32(i, 2);
		timers = lappend(timers, sibling);
	}
	return timers;
}

/* store_earliest_timer -- of those since "from", locked or not; 0: none. */
TimestampTz
store_earliest_timer(TimestampTz from)
{
	static Statement earliest = {
		"SELECT fire_at FROM temporal.timer WHERE shard OPERATOR(pg_catalog.=) $1"
		" AND fire_at OPERATOR(pg_catalog.>=) $2 ORDER BY fire_at LIMIT 1",
		2, {INT2OID, TIMESTAMPTZOID}
	};
	TimestampTz result = 0;

	for (int shard = 0; shard < store_shard_count(); shard++)
	{
		Datum		values[] = {Int16GetDatum(shard), TimestampTzGetDatum(from)};

		if (store_run(&earliest, values, NULL) > 0 &&
			(result == 0 || store_time(0, 1) < result))
			result = store_time(0, 1);
	}
	return result;
}

/* store_drop_timer -- the caller has locked the row. */
void
store_drop_timer(const TimerRow *timer)
{
	static Statement drop = {"DELETE FROM temporal.timer" TIMER_KEY_SQL, 5, TIMER_KEY_TYPES};
	Datum		values[] = {timer_datums(timer)};

	store_run(&drop, values, NULL);
}

static void
timer_keys(ScanKey keys, const TimerRow *timer)
{
	store_key_equal(&keys[0], 1, F_INT2EQ, Int16GetDatum(timer->key.shard));
	store_key_equal(&keys[1], 2, F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(timer->fire_at));
	store_key_equal(&keys[2], 3, F_UUID_EQ, uuid_datum(&timer->key.run_id));
	store_key_equal(&keys[3], 4, F_INT2EQ, Int16GetDatum(timer->kind));
	store_key_event(&keys[4], 5, BTEqualStrategyNumber, F_INT48EQ, timer->event_id);
}

/* store_withdraw_timer -- drops a row unless it is about to fire. */
void
store_withdraw_timer(const TimerRow *timer)
{
	ScanKeyData keys[TIMER_KEYS];

	timer_keys(keys, timer);
	store_withdraw("timer", keys, TIMER_KEYS);
}

/*
 * store_insert_timer -- the keeper looks at it then.
 *
 * What it stands for (a run or an activity) is locked, so nobody else inserts
 * the same row.  A row for that very microsecond may be left from an earlier
 * deadline, and may just be going: the next microsecond will do as well.
 */
void
store_insert_timer(const TimerRow *timer)
{
	TimerRow	row = *timer;
	ScanKeyData keys[TIMER_KEYS];
	bool		nulls[TIMER_COLUMNS] = {[TIMER_COLUMNS - 1] = true};
	TransactionId other;

	for (timer_keys(keys, &row); store_may_exist("timer", keys, TIMER_KEYS, &other);
		 timer_keys(keys, &row))
		row.fire_at++;
	{
		Datum		values[TIMER_COLUMNS] = {
			TimestampTzGetDatum(row.fire_at), Int32GetDatum((int32) row.event_id),
			uuid_datum(&row.key.run_id), uuid_datum(&row.key.namespace_id), Int32GetDatum(0),
			Int16GetDatum(row.key.shard), Int16GetDatum(row.kind)
		};

		store_insert("timer", TIMER_COLUMNS, values, nulls);
	}
	wake_mark_due(row.fire_at);
}

/* Moves a row; two rows of one kind and run become one when they meet. */
#define MOVE_SQL(failures, error) \
	"WITH old AS (DELETE FROM temporal.timer" TIMER_KEY_SQL " RETURNING *)" \
	" INSERT INTO temporal.timer (shard, fire_at, run_id, kind, event_id, namespace_id, failures, error)" \
	" SELECT shard, $6, run_id, kind, event_id, namespace_id, " failures ", " error " FROM old" \
	" ON CONFLICT DO NOTHING"

/* store_push_back_timer -- firing it failed; it is tried again at "fire_at". */
void
store_push_back_timer(const TimerRow *timer, TimestampTz fire_at, const char *error)
{
	static Statement push_back = {
		MOVE_SQL("failures OPERATOR(pg_catalog.+) 1", "$7"),
		7, {INT2OID, TIMESTAMPTZOID, UUIDOID, INT2OID, INT8OID, TIMESTAMPTZOID, TEXTOID}
	};
	Datum		values[] = {timer_datums(timer), TimestampTzGetDatum(fire_at), text_datum(error)};

	store_run(&push_back, values, NULL);
}

/* store_delay_timer -- its run was locked; it is looked at again at "fire_at". */
void
store_delay_timer(const TimerRow *timer, TimestampTz fire_at)
{
	static Statement delay = {
		MOVE_SQL("failures", "error"),
		6, {INT2OID, TIMESTAMPTZOID, UUIDOID, INT2OID, INT8OID, TIMESTAMPTZOID}
	};
	Datum		values[] = {timer_datums(timer), TimestampTzGetDatum(fire_at)};

	store_run(&delay, values, NULL);
}
