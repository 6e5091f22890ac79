/*
 * tuple.c
 *	  Single rows without a query.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "store/tuple.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Our tables are never renamed; a schema that is not there has no extension. */
static Oid
relation_oid(const char *name)
{
	Oid			oid = get_relname_relid(name, get_namespace_oid("temporal", false));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"temporal.%s\" does not exist", name)));
	return oid;
}

/* A library and SQL objects of two versions must not meet here. */
static Relation
open_table(const char *name, int natts)
{
	Relation	rel = table_open(relation_oid(name), RowExclusiveLock);

	if (RelationGetNumberOfAttributes(rel) != natts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"temporal.%s\" is of another version of the extension", name),
				 errhint("ALTER EXTENSION temporal UPDATE")));
	return rel;
}

ItemPointerData
store_insert(const char *table, int natts, const Datum *values, const bool *nulls)
{
	Relation	rel = open_table(table, natts);
	EState	   *estate = CreateExecutorState();
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	ResultRelInfo *result = makeNode(ResultRelInfo);
	ItemPointerData tid;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	for (int i = 0; i < natts; i++)
	{
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = nulls != NULL && nulls[i];
	}
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, NULL);
	compat_insert_index_tuples(result, slot, estate);
	tid = slot->tts_tid;
	ExecCloseIndices(result);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(caller);
	FreeExecutorState(estate);
	table_close(rel, NoLock);
	/* The next statement sees it. */
	CommandCounterIncrement();
	return tid;
}

static void
scan_begin(RowScan *scan, const char *table, ScanKey keys, int nkeys, Snapshot snapshot)
{
	char		index[NAMEDATALEN];

	snprintf(index, sizeof(index), "%s_pkey", table);
	scan->table = table_open(relation_oid(table), RowExclusiveLock);
	scan->index = index_open(relation_oid(index), AccessShareLock);
	scan->slot = table_slot_create(scan->table, NULL);
	scan->scan = compat_index_beginscan(scan->table, scan->index, snapshot, nkeys);
	index_rescan(scan->scan, keys, nkeys, NULL, 0);
}

static void
scan_end(RowScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->table, NoLock);
}

void
store_scan_begin(RowScan *scan, const char *table, ScanKey keys, int nkeys)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	scan_begin(scan, table, keys, nkeys, GetActiveSnapshot());
}

void
store_scan_end(RowScan *scan)
{
	scan_end(scan);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* Others may be changing it, so it is copied under the lock of its buffer. */
static void
header_now(const RowScan *scan, HeapTupleHeader header)
{
	const BufferHeapTupleTableSlot *slot = (const BufferHeapTupleTableSlot *) scan->slot;

	Assert(TTS_IS_BUFFERTUPLE(scan->slot));
	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	memcpy(header, slot->base.tuple->t_data, SizeofHeapTupleHeader);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
}

RowState
store_scan_state(RowScan *scan, TransactionId *holder)
{
	HeapTupleHeaderData header;
	bool		locked_only;

	header_now(scan, &header);
	locked_only = HEAP_XMAX_IS_LOCKED_ONLY(header.t_infomask);
	if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(&header)))
		return ROW_OURS;
	if ((header.t_infomask & HEAP_XMAX_INVALID) != 0)
		return ROW_FREE;
	if ((header.t_infomask & HEAP_XMAX_IS_MULTI) != 0)
	{
		if (MultiXactIdIsRunning(HeapTupleHeaderGetRawXmax(&header), locked_only))
			return ROW_SHARED;
		if (locked_only)
			return ROW_FREE;
	}
	*holder = HeapTupleHeaderGetUpdateXid(&header);
	if (TransactionIdIsCurrentTransactionId(*holder))
		return ROW_OURS;
	if (TransactionIdIsInProgress(*holder))
		return ROW_HELD;
	return !locked_only && TransactionIdDidCommit(*holder) ? ROW_CHANGED : ROW_FREE;
}

bool
store_scan_next_any(RowScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	return index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
}

bool
store_scan_next(RowScan *scan)
{
	while (store_scan_next_any(scan))
	{
		TransactionId holder;
		RowState	state = store_scan_state(scan, &holder);

		if (state == ROW_FREE || state == ROW_OURS)
			return true;
	}
	return false;
}

Datum
store_scan_value(RowScan *scan, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(scan->slot, column, &isnull);

	if (isnull)
		elog(ERROR, "column %d is null", column);
	return value;
}

static void
scan_delete(RowScan *scan)
{
	TM_FailureData failure;

	/* If it fails somebody else holds it or it is gone: either will do. */
	(void) table_tuple_delete(scan->table, &scan->slot->tts_tid, GetCurrentCommandId(true),
							  GetActiveSnapshot(), InvalidSnapshot, false, &failure, false);
}

void
store_delete(const char *table, ScanKey keys, int nkeys)
{
	RowScan		scan;

	store_scan_begin(&scan, table, keys, nkeys);
	if (store_scan_next(&scan))
		scan_delete(&scan);
	store_scan_end(&scan);
}

bool
store_may_exist(const char *table, ScanKey keys, int nkeys, TransactionId *other)
{
	SnapshotData dirty;
	RowScan		scan;
	bool		found;

	InitDirtySnapshot(dirty);
	/* Are set when a row is looked at. */
	dirty.xmin = dirty.xmax = InvalidTransactionId;
	scan_begin(&scan, table, keys, nkeys, &dirty);
	found = index_getnext_slot(scan.scan, ForwardScanDirection, scan.slot);
	scan_end(&scan);
	*other = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
	return found;
}
