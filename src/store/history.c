/*
 * history.c
 *	  Reading history: whole batches, forward or backward.
 *
 * A batch is stored as a History message, so several of them are read as one
 * by concatenation.
 */
#include "postgres.h"

#include "store/plan.h"
#include "store/tuple.h"
#include "utils/timestamp.h"

/* Columns of "history". */
enum
{
	HISTORY_RUN_ID = 1,
	HISTORY_NAMESPACE_ID,
	HISTORY_FIRST_EVENT_ID,
	HISTORY_EVENT_COUNT,
	HISTORY_SHARD,
	HISTORY_EVENTS
};

#define HISTORY_KEYS 4

/* Batches of a run whose first event is between "from" and "to". */
static void
history_keys(ScanKey keys, const RunKey *key, int64 from, int64 to)
{
	store_key_equal(&keys[0], 1, F_UUID_EQ, uuid_datum(&key->run_id));
	store_key_event(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT48GE, from);
	store_key_event(&keys[2], 2, BTLessEqualStrategyNumber, F_INT48LE, to);
	store_key_equal(&keys[3], 3, F_INT2EQ, Int16GetDatum(key->shard));
}

/* Is the batch that the scan is at one of that namespace? */
static bool
is_of_namespace(RowScan *scan, const pg_uuid_t *namespace_id)
{
	if (store_scan_null(scan, HISTORY_NAMESPACE_ID))
		return store_is_default(namespace_id);
	return memcmp(DatumGetUUIDP(store_scan_value(scan, HISTORY_NAMESPACE_ID)), namespace_id,
				  UUID_LEN) == 0;
}

/* The next batch of the scan; NULL if there is none. */
static HistoryBatch *
next_batch(RowScan *scan, const RunKey *key, bool reverse)
{
	HistoryBatch *batch;

	if (!(reverse ? store_scan_previous_any(scan) : store_scan_next_any(scan)) ||
		!is_of_namespace(scan, &key->namespace_id))
		return NULL;
	batch = palloc(sizeof(HistoryBatch));
	batch->first_event_id = DatumGetInt32(store_scan_value(scan, HISTORY_FIRST_EVENT_ID));
	batch->event_count = DatumGetInt32(store_scan_value(scan, HISTORY_EVENT_COUNT));
	batch->events = DatumGetByteaPCopy(store_scan_value(scan, HISTORY_EVENTS));
	return batch;
}

/* Where the batch begins that holds "from"; the last one if none does. */
static int64
batch_of_event(RowScan *scan, const RunKey *key, int64 from)
{
	ScanKeyData keys[HISTORY_KEYS];

	history_keys(keys, key, 0, from);
	store_scan_again(scan, keys, HISTORY_KEYS);
	return store_scan_previous_any(scan) ?
		DatumGetInt32(store_scan_value(scan, HISTORY_FIRST_EVENT_ID)) : 0;
}

/*
 * store_read_history -- batches with events from "from" on and before
 * "before", until there are "max_events"; never part of a batch.
 *
 * Forward the batch that holds "from" comes first, backward the one that holds
 * the event before "before".
 */
List *
store_read_history(const RunKey *key, int64 from, int64 before, int max_events, bool reverse)
{
	ScanKeyData keys[HISTORY_KEYS];
	RowScan		scan;
	HistoryBatch *batch;
	List	   *result = NIL;
	int			events = 0;

	history_keys(keys, key, from, before - 1);
	store_scan_begin(&scan, "history", AccessShareLock, keys, HISTORY_KEYS);
	/* The first batch begins with the first event. */
	if (!reverse && from > 1)
	{
		history_keys(keys, key, batch_of_event(&scan, key, from), before - 1);
		store_scan_again(&scan, keys, HISTORY_KEYS);
	}
	while ((batch = next_batch(&scan, key, reverse)) != NULL)
	{
		if (events > 0 && events + batch->event_count > max_events)
			break;
		result = lappend(result, batch);
		events += batch->event_count;
	}
	store_scan_end(&scan);
	return result;
}

/* store_unpack_batch -- the events of a batch of that run. */
Pb__History *
store_unpack_batch(const ExecutionState *state, const HistoryBatch *batch)
{
	Pb__History *history = store_unpack(&pb__history__descriptor, batch->events);
	EventRun	run = {
		state->workflow_id, ident_uuid_text(&state->key.run_id), state->info->task_queue
	};

	for (size_t i = 0; i < history->n_events; i++)
		event_restore(history->events[i], &run);
	return history;
}

/* store_read_event -- one event that has a row here, as it is stored. */
Pb__HistoryEvent *
store_read_event(const RunKey *key, int64 event_id)
{
	List	   *batches = store_read_history(key, event_id, event_id + 1, 1, false);
	const HistoryBatch *batch = batches == NIL ? NULL : linitial(batches);
	Pb__History *history;

	if (batch == NULL || event_id >= batch->first_event_id + batch->event_count)
		elog(ERROR, "event " INT64_FORMAT " is not in history", event_id);
	history = store_unpack(&pb__history__descriptor, batch->events);
	return history->events[event_id - batch->first_event_id];
}
