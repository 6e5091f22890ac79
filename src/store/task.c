/*
 * task.c
 *	  Offers of tasks: finding and dropping them.
 *
 * Offers are read under SKIP LOCKED, so two pollers never see the same one,
 * and a poller whose transaction is rolled back gives it back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/plan.h"
#include "utils/timestamp.h"

/*
 * Locks up to "limit" offers of one shard, best first.
 *
 * Each priority is a scan of its own, so that it begins at "not_before" and
 * does not wade through what is gone but cannot be vacuumed yet.
 */
static List *
peek_shard(const RunKey *key, uint64 queue_id, int limit, TimestampTz not_before)
{
	static Statement peek = {
		"SELECT t.run_id, t.event_id, t.stamp, t.priority, t.pass, t.created_at, t.queue"
		" FROM pg_catalog.unnest('{1,2,3,4,5}'::pg_catalog.int2[]) p (priority),"
		" LATERAL (SELECT * FROM temporal.task"
		"  WHERE shard OPERATOR(pg_catalog.=) $1 AND queue_id OPERATOR(pg_catalog.=) $2"
		"  AND priority OPERATOR(pg_catalog.=) p.priority AND pass OPERATOR(pg_catalog.=) 0"
		"  AND created_at OPERATOR(pg_catalog.>=) $4"
		"  ORDER BY created_at, run_id, event_id LIMIT $3 FOR UPDATE SKIP LOCKED) t"
		" LIMIT $3",
		4, {INT2OID, INT8OID, INT8OID, TIMESTAMPTZOID}
	};
	Datum		values[] = {
		Int16GetDatum(key->shard), Int64GetDatum((int64) queue_id), Int64GetDatum(limit),
		TimestampTzGetDatum(not_before)
	};
	uint64		n = store_run(&peek, values, NULL);
	List	   *tasks = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		TaskRow    *task = palloc0(sizeof(TaskRow));

		task->key = *key;
		task->key.run_id = store_uuid(i, 1);
		task->event_id = store_int64(i, 2);
		task->stamp = store_int32(i, 3);
		task->priority = store_int16(i, 4);
		task->pass = store_int64(i, 5);
		task->created_at = store_time(i, 6);
		task->queue = store_text(i, 7);
		task->queue_id = queue_id;
		tasks = lappend(tasks, task);
	}
	return tasks;
}

/*
 * store_peek_tasks -- locks up to "limit" offers of a queue, best first.
 *
 * Whoever takes one deletes it; one that is left stays locked until the end of
 * the transaction, so the limit should be what can be taken now.
 */
List *
store_peek_tasks(const pg_uuid_t *namespace_id, int kind, const char *queue, int limit,
				 TimestampTz not_before)
{
	List	   *tasks = NIL;
	RunKey		key;

	memset(&key, 0, sizeof(key));
	key.namespace_id = *namespace_id;
	for (key.shard = 0; key.shard < store_shard_count() && list_length(tasks) < limit; key.shard++)
		tasks = list_concat(tasks, peek_shard(&key, ident_queue(namespace_id, kind, queue),
											  limit - list_length(tasks), not_before));
	return tasks;
}

#define TASK_KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND queue_id OPERATOR(pg_catalog.=) $2" \
	" AND priority OPERATOR(pg_catalog.=) $3 AND pass OPERATOR(pg_catalog.=) $4" \
	" AND created_at OPERATOR(pg_catalog.=) $5 AND run_id OPERATOR(pg_catalog.=) $6" \
	" AND event_id OPERATOR(pg_catalog.=) $7"
#define TASK_KEY_TYPES \
	{INT2OID, INT8OID, INT2OID, INT8OID, TIMESTAMPTZOID, UUIDOID, INT8OID}
#define task_datums(task) \
	Int16GetDatum((task)->key.shard), Int64GetDatum((int64) (task)->queue_id), \
	Int16GetDatum((task)->priority), Int64GetDatum((task)->pass), \
	TimestampTzGetDatum((task)->created_at), uuid_datum(&(task)->key.run_id), \
	Int64GetDatum((task)->event_id)

/* store_drop_task -- the caller has locked the offer. */
void
store_drop_task(const TaskRow *task)
{
	static Statement drop = {"DELETE FROM temporal.task" TASK_KEY_SQL, 7, TASK_KEY_TYPES};
	Datum		values[] = {task_datums(task)};

	store_run(&drop, values, NULL);
}

/* store_withdraw_task -- drops an offer unless a poller has it in hand. */
void
store_withdraw_task(const TaskRow *task)
{
	static Statement withdraw = {
		"DELETE FROM temporal.task" TASK_KEY_SQL
		" AND EXISTS (SELECT FROM temporal.task" TASK_KEY_SQL " FOR UPDATE SKIP LOCKED)",
		7, TASK_KEY_TYPES
	};
	Datum		values[] = {task_datums(task)};

	store_run(&withdraw, values, NULL);
}

/*
 * store_oldest_task -- when the oldest offer since "not_before" was made; 0 if
 * there is none.
 */
TimestampTz
store_oldest_task(const pg_uuid_t *namespace_id, int kind, const char *queue,
				  TimestampTz not_before)
{
	static Statement oldest = {
		"SELECT pg_catalog.min(t.created_at)"
		" FROM pg_catalog.unnest('{1,2,3,4,5}'::pg_catalog.int2[]) p (priority),"
		" LATERAL (SELECT created_at FROM temporal.task"
		"  WHERE shard OPERATOR(pg_catalog.=) $1 AND queue_id OPERATOR(pg_catalog.=) $2"
		"  AND priority OPERATOR(pg_catalog.=) p.priority AND pass OPERATOR(pg_catalog.=) 0"
		"  AND created_at OPERATOR(pg_catalog.>=) $3 ORDER BY created_at LIMIT 1) t",
		3, {INT2OID, INT8OID, TIMESTAMPTZOID}
	};
	TimestampTz result = 0;

	for (int shard = 0; shard < store_shard_count(); shard++)
	{
		Datum		values[] = {
			Int16GetDatum(shard), Int64GetDatum((int64) ident_queue(namespace_id, kind, queue)),
			TimestampTzGetDatum(not_before)
		};
		TimestampTz found;

		store_run(&oldest, values, NULL);
		found = store_time(0, 1);
		if (found != 0 && (result == 0 || found < result))
			result = found;
	}
	return result;
}

/* store_backlog -- how many offers a queue has, and when the oldest was made. */
void
store_backlog(const pg_uuid_t *namespace_id, int kind, const char *queue, int64 *count,
			  TimestampTz *oldest)
{
	static Statement backlog = {
		"SELECT pg_catalog.count(*), pg_catalog.min(created_at) FROM temporal.task"
		" WHERE shard OPERATOR(pg_catalog.<) $1 AND queue_id OPERATOR(pg_catalog.=) $2",
		2, {INT2OID, INT8OID}
	};
	Datum		values[] = {
		Int16GetDatum(store_shard_count()),
		Int64GetDatum((int64) ident_queue(namespace_id, kind, queue))
	};

	store_run(&backlog, values, NULL);
	*count = store_int64(0, 1);
	*oldest = store_time(0, 2);
}
