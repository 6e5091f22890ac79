/*
 * tuple.h
 *	  Single rows without a query; private to the store.
 *
 * For what every request does: a statement that finds, inserts or changes one
 * row spends two thirds of its time on setting itself up, and a row can be
 * deleted, or passed over because somebody else has deleted it, without being
 * locked first, which would be one more WAL record.  Triggers and rules on our
 * tables do not fire; row security does not matter, since we are their owner.
 */
#ifndef TEMPORAL_STORE_TUPLE_H
#define TEMPORAL_STORE_TUPLE_H

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "storage/lockdefs.h"
#include "store/store.h"
#include "utils/fmgroids.h"

/* The table or index of that name. */
extern Oid	store_relation(const char *name);

/* Inserts a row: all columns in the order of the table; "nulls" may be NULL. */
extern ItemPointerData store_insert(const char *table, int natts, const Datum *values, const bool *nulls);

/* Rows found by an index, one after the other, or one by its place. */
typedef struct RowScan
{
	Relation	table;
	Relation	index;			/* NULL: by its place */
	IndexScanDesc scan;
	TupleTableSlot *slot;
} RowScan;

/*
 * store_scan_begin -- by the primary key, in its order; "keys" are conditions
 * on its columns, as store_key_equal() makes them.  "lock" is that of the
 * table: AccessShareLock for who only reads, maybe on a standby, else
 * RowExclusiveLock.
 *
 * store_scan_next() shows rows of the snapshot of now (or of the transaction,
 * if that has one), except those that another transaction holds or has
 * changed.  Never waits.
 *
 * store_scan_begin_by() goes by another index; NULL is the primary key's.
 */
extern void store_scan_begin(RowScan *scan, const char *table, LOCKMODE lock, ScanKey keys,
							 int nkeys);
extern void store_scan_begin_by(RowScan *scan, const char *table, const char *index,
								LOCKMODE lock, ScanKey keys, int nkeys);
extern bool store_scan_next(RowScan *scan);
extern void store_scan_end(RowScan *scan);

/* Begins anew, with as many keys as at first. */
extern void store_scan_again(RowScan *scan, ScanKey keys, int nkeys);

/* The row at a place; false, and nothing to end, if none is visible there. */
extern bool store_scan_at(RowScan *scan, const char *table, ItemPointerData *tid);

/*
 * store_find_row -- the row with this primary key; false, and nothing to end,
 * if there is none, or if somebody holds it and the mode is to skip.
 *
 * A lock is that of SELECT ... FOR UPDATE: what is found is the latest version,
 * and under REPEATABLE READ it is an error if the snapshot shows another.
 */
extern bool store_find_row(RowScan *scan, const char *table, ScanKey keys, int nkeys,
						   LockMode mode);

/*
 * For a row that was not found: under REPEATABLE READ there may be one that
 * the snapshot does not show, which is a serialization failure.
 */
extern void store_require_absent(const char *table, ScanKey keys, int nkeys);
extern void store_require_absent_by(const char *table, const char *index, ScanKey keys,
									int nkeys);

/*
 * Changes columns of the row that the scan is at, which the caller has locked,
 * and returns its new place; the scan is only good for being ended then.
 */
extern ItemPointerData store_scan_update(RowScan *scan, int n, const int *columns,
										 const Datum *values);

/* What transactions have to do with a row that the snapshot shows. */
typedef enum RowState
{
	ROW_FREE,
	ROW_OURS,					/* this one has written, locked or changed it */
	ROW_HELD,					/* another has locked or changed it, and is running */
	ROW_SHARED,					/* several have, and one of them is running */
	ROW_CHANGED					/* another has changed it, and is committed */
} RowState;

/*
 * The state of the row that the scan is at; *holder is who holds it or has
 * changed it.  The "any" functions pass over nothing; a scan goes one way only.
 */
extern RowState store_scan_state(RowScan *scan, TransactionId *holder);
extern bool store_scan_next_any(RowScan *scan);
extern bool store_scan_previous_any(RowScan *scan);

/* A column of the row that the scan is at; not null, numbered from 1. */
extern Datum store_scan_value(RowScan *scan, int column);
extern bool store_scan_null(RowScan *scan, int column);

/* Deletes the row with this primary key, unless somebody else holds it. */
extern void store_withdraw(const char *table, ScanKey keys, int nkeys);

/*
 * Deletes the row that the scan is at, which locks it as well; false if somebody
 * else holds or has changed it.
 */
extern bool store_scan_take(RowScan *scan);

/* Deletes the row with this primary key, which the caller has locked. */
extern void store_delete(const char *table, ScanKey keys, int nkeys);

/*
 * Is there a row with this primary key, or may there be one?  *other is the
 * transaction that decides about it, Invalid if that is settled or ours.
 */
extern bool store_may_exist(const char *table, ScanKey keys, int nkeys, TransactionId *other);

/* Column "number" of the index must be "value": by F_INT8EQ or the like. */
static inline void
store_key_equal(ScanKey key, int number, RegProcedure equal, Datum value)
{
	ScanKeyInit(key, (AttrNumber) number, BTEqualStrategyNumber, equal, value);
}

/*
 * Ids of events are stored in four bytes, as no history can be longer; those
 * that are looked for may be anything.  "compare" is of int4 and int8.
 */
static inline void
store_key_event(ScanKey key, int number, StrategyNumber strategy, RegProcedure compare,
				int64 event_id)
{
	ScanKeyEntryInitialize(key, 0, (AttrNumber) number, strategy, INT8OID, InvalidOid, compare,
						   Int64GetDatum(event_id));
}

#endif							/* TEMPORAL_STORE_TUPLE_H */
