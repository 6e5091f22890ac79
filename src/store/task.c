/*
 * task.c
 *	  Offers of tasks: finding and dropping them.
 *
 * Taking an offer deletes it; a poller whose transaction is rolled back so gives
 * it back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

/* Columns of "task". */
enum
{
	TASK_QUEUE_ID = 1,
	TASK_CREATED_AT,
	TASK_EVENT_ID,
	TASK_RUN_ID,
	TASK_NAMESPACE_ID,
	TASK_STAMP,
	TASK_SHARD,
	TASK_PRIORITY,
	TASK_KIND,
	TASK_QUEUE,
	TASK_COLUMNS = TASK_QUEUE
};

/* Of the columns of its key: queue, shard, priority, time, run, event. */
#define TASK_KEYS 6

/* Priorities are numbered from 1. */
#define LAST_PRIORITY 5

/*
 * store_insert_task -- makes an offer; those who wait for it hear at commit.
 *
 * The name of its queue is for people to see: NULL if the run tells it.
 */
void
store_insert_task(const TaskRow *task, int kind, const char *queue)
{
	Datum		values[] = {
		Int64GetDatum((int64) task->queue_id), TimestampTzGetDatum(task->created_at),
		Int32GetDatum((int32) task->event_id), uuid_datum(&task->key.run_id),
		uuid_datum(&task->key.namespace_id),
		Int32GetDatum(task->stamp), Int16GetDatum(task->key.shard),
		Int16GetDatum(task->priority), Int16GetDatum(kind),
		queue == NULL ? (Datum) 0 : text_datum(queue)
	};
	bool		nulls[TASK_COLUMNS] = {
		[TASK_NAMESPACE_ID - 1] = store_is_default(&task->key.namespace_id),
		[TASK_QUEUE - 1] = queue == NULL
	};

	store_insert("task", TASK_COLUMNS, values, nulls);
	store_note_offer(task);
	wake_mark_task(task->queue_id, task->created_at);
}

static TaskRow *
task_row(RowScan *scan, const RunKey *key, uint64 queue_id)
{
	TaskRow    *task = palloc0(sizeof(TaskRow));

	task->key = *key;
	task->key.run_id = *DatumGetUUIDP(store_scan_value(scan, TASK_RUN_ID));
	task->event_id = DatumGetInt32(store_scan_value(scan, TASK_EVENT_ID));
	task->stamp = DatumGetInt32(store_scan_value(scan, TASK_STAMP));
	task->priority = DatumGetInt16(store_scan_value(scan, TASK_PRIORITY));
	task->created_at = DatumGetTimestampTz(store_scan_value(scan, TASK_CREATED_AT));
	task->queue_id = queue_id;
	task->tid = scan->slot->tts_tid;
	return task;
}

#define PEEK_KEYS 4

/* Offers of a queue of one shard and priority, since "not_before". */
static void
peek_keys(ScanKey keys, int shard, uint64 queue_id, int priority, TimestampTz not_before)
{
	store_key_equal(&keys[0], 1, F_INT8EQ, Int64GetDatum((int64) queue_id));
	store_key_equal(&keys[1], 2, F_INT2EQ, Int16GetDatum(shard));
	store_key_equal(&keys[2], 3, F_INT2EQ, Int16GetDatum(priority));
	ScanKeyInit(&keys[3], 4, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(not_before));
}

/* Is the offer that the scan is at, of the same time, behind that one? */
static bool
is_behind(RowScan *scan, const TaskRow *after)
{
	int			order = memcmp(DatumGetUUIDP(store_scan_value(scan, TASK_RUN_ID)),
							   &after->key.run_id, UUID_LEN);

	return order > 0 ||
		(order == 0 && DatumGetInt32(store_scan_value(scan, TASK_EVENT_ID)) > after->event_id);
}

/* The next offer of one priority; NULL if there is none. */
static TaskRow *
next_task(RowScan *scan, const RunKey *key, uint64 queue_id, const TaskRow *after)
{
	while (store_scan_next(scan))
	{
		TaskRow    *task = task_row(scan, key, queue_id);

		if (after == NULL || task->created_at > after->created_at || is_behind(scan, after))
			return task;
	}
	return NULL;
}

/*
 * Adds offers of one shard until there are "limit".
 *
 * Each priority is looked for by itself, so that it begins at "not_before" and
 * does not wade through what is gone but cannot be vacuumed yet.
 */
static List *
peek_shard(List *tasks, const RunKey *key, uint64 queue_id, int limit, TimestampTz not_before,
		   const TaskRow *after)
{
	ScanKeyData keys[PEEK_KEYS];
	RowScan		scan;
	int			priority = after != NULL ? after->priority : 1;
	TimestampTz start = after != NULL ? Max(after->created_at, not_before) : not_before;

	peek_keys(keys, key->shard, queue_id, priority, start);
	store_scan_begin(&scan, "task", AccessShareLock, keys, PEEK_KEYS);
	for (;;)
	{
		TaskRow    *task = NULL;

		while (list_length(tasks) < limit &&
			   (task = next_task(&scan, key, queue_id, after)) != NULL)
			tasks = lappend(tasks, task);
		if (list_length(tasks) == limit || priority == LAST_PRIORITY)
			break;
		after = NULL;
		peek_keys(keys, key->shard, queue_id, ++priority, not_before);
		store_scan_again(&scan, keys, PEEK_KEYS);
	}
	store_scan_end(&scan);
	return tasks;
}

/*
 * store_peek_tasks -- up to "limit" offers of a queue, best first; those behind
 * "after", if it is not NULL.
 *
 * None is locked: whoever takes one has locked its run or its activity, and
 * deletes the offer.  One that another transaction is deleting is passed over.
 */
List *
store_peek_tasks(const pg_uuid_t *namespace_id, uint64 queue_id, int limit,
				 TimestampTz not_before, const TaskRow *after)
{
	List	   *tasks = NIL;
	RunKey		key;

	memset(&key, 0, sizeof(key));
	key.namespace_id = *namespace_id;
	key.shard = after != NULL ? after->key.shard : 0;
	for (; key.shard < store_shard_count() && list_length(tasks) < limit; key.shard++)
	{
		tasks = peek_shard(tasks, &key, queue_id, limit, not_before, after);
		after = NULL;
	}
	return tasks;
}

static bool
is_offer(RowScan *scan, const TaskRow *task)
{
	return DatumGetInt64(store_scan_value(scan, TASK_QUEUE_ID)) == (int64) task->queue_id &&
		DatumGetInt32(store_scan_value(scan, TASK_EVENT_ID)) == task->event_id &&
		DatumGetInt32(store_scan_value(scan, TASK_STAMP)) == task->stamp &&
		memcmp(DatumGetUUIDP(store_scan_value(scan, TASK_RUN_ID)), &task->key.run_id,
			   UUID_LEN) == 0;
}

/* Where it was seen; false: it is not there. */
static bool
drop_placed(const TaskRow *task)
{
	ItemPointerData tid = task->tid;
	RowScan		scan;
	bool		found;

	if (!ItemPointerIsValid(&tid) || !store_scan_at(&scan, "task", &tid))
		return false;
	found = is_offer(&scan, task);
	if (found)
		(void) store_scan_take(&scan);
	store_scan_end(&scan);
	return found;
}

/* store_drop_task -- deletes an offer unless somebody else has it in hand. */
void
store_drop_task(const TaskRow *task)
{
	ScanKeyData keys[TASK_KEYS];

	if (drop_placed(task))
		return;
	store_key_equal(&keys[0], 1, F_INT8EQ, Int64GetDatum((int64) task->queue_id));
	store_key_equal(&keys[1], 2, F_INT2EQ, Int16GetDatum(task->key.shard));
	store_key_equal(&keys[2], 3, F_INT2EQ, Int16GetDatum(task->priority));
	store_key_equal(&keys[3], 4, F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(task->created_at));
	store_key_equal(&keys[4], 5, F_UUID_EQ, uuid_datum(&task->key.run_id));
	store_key_event(&keys[5], 6, BTEqualStrategyNumber, F_INT48EQ, task->event_id);
	store_withdraw("task", keys, lengthof(keys));
}

static void
older(TimestampTz *oldest, TimestampTz time)
{
	if (*oldest == 0 || time < *oldest)
		*oldest = time;
}

static TimestampTz
oldest_of_shard(int shard, uint64 queue_id, TimestampTz not_before)
{
	ScanKeyData keys[PEEK_KEYS];
	RowScan		scan;
	TimestampTz oldest = 0;

	peek_keys(keys, shard, queue_id, 1, not_before);
	store_scan_begin(&scan, "task", AccessShareLock, keys, PEEK_KEYS);
	for (int priority = 1;;)
	{
		if (store_scan_next_any(&scan))
			older(&oldest, DatumGetTimestampTz(store_scan_value(&scan, TASK_CREATED_AT)));
		if (priority == LAST_PRIORITY)
			break;
		peek_keys(keys, shard, queue_id, ++priority, not_before);
		store_scan_again(&scan, keys, PEEK_KEYS);
	}
	store_scan_end(&scan);
	return oldest;
}

/*
 * store_oldest_task -- when the oldest offer since "not_before" was made; 0 if
 * there is none.
 */
TimestampTz
store_oldest_task(uint64 queue_id, TimestampTz not_before)
{
	TimestampTz oldest = 0;

	for (int shard = 0; shard < store_shard_count(); shard++)
	{
		TimestampTz found = oldest_of_shard(shard, queue_id, not_before);

		if (found != 0)
			older(&oldest, found);
	}
	return oldest;
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
