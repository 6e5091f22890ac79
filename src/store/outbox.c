/*
 * outbox.c
 *	  Effects on other workflows that wait to be carried out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/plan.h"
#include "utils/timestamp.h"

#define OUTBOX_KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND due_at OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3 AND event_id OPERATOR(pg_catalog.=) $4"
#define outbox_datums(row) \
	Int16GetDatum((row)->key.shard), TimestampTzGetDatum((row)->due_at), \
	uuid_datum(&(row)->key.run_id), Int64GetDatum((row)->event_id)

/* store_due_outbox -- locks up to "limit" due rows, the oldest first; "namespace_ids" as for timers. */
List *
store_due_outbox(TimestampTz from, TimestampTz now, int limit, const List *namespace_ids)
{
#define DUE_SQL \
	"SELECT shard, due_at, run_id, event_id, namespace_id, failures, effect" \
	" FROM temporal.outbox WHERE shard OPERATOR(pg_catalog.=) $1" \
	" AND due_at OPERATOR(pg_catalog.>=) $4 AND due_at OPERATOR(pg_catalog.<=) $2"
#define DUE_ORDER_SQL " ORDER BY due_at, run_id, event_id LIMIT $3 FOR UPDATE SKIP LOCKED"
	static Statement due = {
		DUE_SQL DUE_ORDER_SQL, 4, {INT2OID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID}
	};
	static Statement due_of = {
		DUE_SQL " AND namespace_id OPERATOR(pg_catalog.=) ANY ($5)" DUE_ORDER_SQL,
		5, {INT2OID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, UUIDARRAYOID}
	};
	List	   *rows = NIL;

	for (int shard = 0; shard < store_shard_count(); shard++)
	{
		Datum		values[] = {
			Int16GetDatum(shard), TimestampTzGetDatum(now), Int64GetDatum(limit),
			TimestampTzGetDatum(from), store_uuid_array(namespace_ids)
		};
		uint64		n = store_run(namespace_ids == NIL ? &due : &due_of, values, NULL);

		for (uint64 i = 0; i < n; i++)
		{
			OutboxRow  *row = palloc0(sizeof(OutboxRow));

			row->key.shard = store_int16(i, 1);
			row->due_at = store_time(i, 2);
			row->key.run_id = store_uuid(i, 3);
			row->event_id = store_int64(i, 4);
			row->key.namespace_id = store_uuid(i, 5);
			row->failures = store_int32(i, 6);
			row->event = store_message(i, 7, &pb__history_event__descriptor);
			rows = lappend(rows, row);
		}
	}
	return rows;
}

/* store_earliest_outbox -- of those since "from", locked or not; 0: none. */
TimestampTz
store_earliest_outbox(TimestampTz from)
{
	static Statement earliest = {
		"SELECT due_at FROM temporal.outbox WHERE shard OPERATOR(pg_catalog.=) $1"
		" AND due_at OPERATOR(pg_catalog.>=) $2 ORDER BY due_at LIMIT 1",
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

void
store_drop_outbox(const OutboxRow *row)
{
	static Statement drop = {
		"DELETE FROM temporal.outbox" OUTBOX_KEY_SQL,
		4, {INT2OID, TIMESTAMPTZOID, UUIDOID, INT8OID}
	};
	Datum		values[] = {outbox_datums(row)};

	store_run(&drop, values, NULL);
}

void
store_push_back_outbox(const OutboxRow *row, TimestampTz due_at, const char *error)
{
	static Statement push_back = {
		"UPDATE temporal.outbox SET due_at = $5, failures = failures OPERATOR(pg_catalog.+) 1,"
		" error = $6" OUTBOX_KEY_SQL,
		6, {INT2OID, TIMESTAMPTZOID, UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID}
	};
	Datum		values[] = {outbox_datums(row), TimestampTzGetDatum(due_at), text_datum(error)};

	store_run(&push_back, values, NULL);
}

/* store_delay_outbox -- a run was locked; it is tried again at "due_at". */
void
store_delay_outbox(const OutboxRow *row, TimestampTz due_at)
{
	static Statement delay = {
		"UPDATE temporal.outbox SET due_at = $5" OUTBOX_KEY_SQL,
		5, {INT2OID, TIMESTAMPTZOID, UUIDOID, INT8OID, TIMESTAMPTZOID}
	};
	Datum		values[] = {outbox_datums(row), TimestampTzGetDatum(due_at)};

	store_run(&delay, values, NULL);
}
