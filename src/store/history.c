/*
 * history.c
 *	  Reading history: whole batches, forward or backward.
 *
 * A batch is stored as a History message, so several of them are read as one
 * by concatenation.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/plan.h"
#include "utils/timestamp.h"

#define KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND namespace_id OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3"
#define BATCH_SQL "SELECT first_event_id, event_count, events FROM temporal.history" KEY_SQL
#define BATCHES_A_READ 16

static List *
read_batches(Statement *statement, const RunKey *key, int64 bound, int64 other_bound)
{
	Datum		values[] = {
		key_datums(key), Int64GetDatum(bound), Int64GetDatum(other_bound),
		Int64GetDatum(BATCHES_A_READ)
	};
	uint64		n = store_run(statement, values, NULL);
	List	   *batches = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		HistoryBatch *batch = palloc(sizeof(HistoryBatch));

		batch->first_event_id = store_int64(i, 1);
		batch->event_count = store_int32(i, 2);
		batch->events = store_bytea(i, 3);
		batches = lappend(batches, batch);
	}
	return batches;
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
	static Statement forward = {
		BATCH_SQL " AND first_event_id OPERATOR(pg_catalog.>=) coalesce((SELECT pg_catalog.max(h.first_event_id)"
		" FROM temporal.history h WHERE h.shard OPERATOR(pg_catalog.=) $1"
		" AND h.namespace_id OPERATOR(pg_catalog.=) $2 AND h.run_id OPERATOR(pg_catalog.=) $3"
		" AND h.first_event_id OPERATOR(pg_catalog.<=) $4), 0)"
		" AND first_event_id OPERATOR(pg_catalog.<) $5 ORDER BY first_event_id LIMIT $6",
		6, {INT2OID, UUIDOID, UUIDOID, INT8OID, INT8OID, INT8OID}
	};
	static Statement backward = {
		BATCH_SQL " AND first_event_id OPERATOR(pg_catalog.>=) $4"
		" AND first_event_id OPERATOR(pg_catalog.<) $5 ORDER BY first_event_id DESC LIMIT $6",
		6, {INT2OID, UUIDOID, UUIDOID, INT8OID, INT8OID, INT8OID}
	};
	List	   *result = NIL;
	int			events = 0;

	for (;;)
	{
		List	   *batches = read_batches(reverse ? &backward : &forward, key, from, before);
		ListCell   *cell;

		foreach(cell, batches)
		{
			HistoryBatch *batch = lfirst(cell);

			/* With nothing from "from" on, the batch before it comes again. */
			if (!reverse && result != NIL && batch->first_event_id < from)
				return result;
			if (events > 0 && events + batch->event_count > max_events)
				return result;
			result = lappend(result, batch);
			events += batch->event_count;
			if (reverse)
				before = batch->first_event_id;
			else
				from = batch->first_event_id + batch->event_count;
		}
		if (list_length(batches) < BATCHES_A_READ || from >= before)
			return result;
	}
}

/* store_unpack_batch -- the events of a batch of that run. */
Pb__History *
store_unpack_batch(const ExecutionState *state, const HistoryBatch *batch)
{
	Pb__History *history = store_unpack(&pb__history__descriptor, batch->events);

	if (batch->first_event_id == 1 && history->n_events > 0)
		event_restore_ids(history->events[0], state->workflow_id,
						  ident_uuid_text(&state->key.run_id));
	return history;
}
