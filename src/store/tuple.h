/*
 * tuple.h
 *	  Single rows without a query; private to the store.
 *
 * For what every request does: an insert costs a third of the statement, and a
 * row can be deleted, or passed over because somebody else has deleted it,
 * without being locked first, which would be one more WAL record.  Triggers
 * and rules on our tables do not fire.
 */
#ifndef TEMPORAL_STORE_TUPLE_H
#define TEMPORAL_STORE_TUPLE_H

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"

/* Inserts a row: all columns in the order of the table; "nulls" may be NULL. */
extern ItemPointerData store_insert(const char *table, int natts, const Datum *values, const bool *nulls);

/* A scan of the primary key. */
typedef struct RowScan
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} RowScan;

/*
 * store_scan_begin -- by the index "table"_pkey, in its order; "keys" are
 * conditions on its columns, as store_key_equal() makes them.
 *
 * store_scan_next() shows rows of the snapshot of now (or of the transaction,
 * if that has one), except those that another transaction holds or has
 * changed.  Never waits.
 */
extern void store_scan_begin(RowScan *scan, const char *table, ScanKey keys, int nkeys);
extern bool store_scan_next(RowScan *scan);
extern void store_scan_end(RowScan *scan);

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
 * changed it.  store_scan_next_any() passes over nothing.
 */
extern RowState store_scan_state(RowScan *scan, TransactionId *holder);
extern bool store_scan_next_any(RowScan *scan);

/* A column of the row that the scan is at; not null, numbered from 1. */
extern Datum store_scan_value(RowScan *scan, int column);

/* Deletes the row with this primary key, unless somebody else holds it. */
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

#endif							/* TEMPORAL_STORE_TUPLE_H */
