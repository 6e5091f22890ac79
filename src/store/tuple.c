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
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Those that this process has looked up, until any relation or schema changes. */
static struct
{
	const char *name;			/* compared as a pointer: they are literals */
	Oid			oid;
}			known[32];

static void
forget_relations(Datum arg, int cache, uint32 hash)
{
	memset(known, 0, sizeof(known));
}

static void
watch_relations(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(RELOID, forget_relations, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_relations, (Datum) 0);
	watching = true;
}

/* Our tables are never renamed; a schema that is not there has no extension. */
static Oid
look_up(const char *name)
{
	Oid			oid = get_relname_relid(name, get_namespace_oid("temporal", false));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"temporal.%s\" does not exist", name)));
	return oid;
}

Oid
store_relation(const char *name)
{
	size_t		slot = ((uintptr_t) name >> 2) % lengthof(known);
	Oid			oid = known[slot].oid;

	if (known[slot].name == name)
		return oid;
	watch_relations();
	oid = look_up(name);
	known[slot].name = name;
	known[slot].oid = oid;
	return oid;
}

/* A library and SQL objects of two versions must not meet here. */
static Relation
open_table(const char *name, int natts)
{
	Relation	rel = table_open(store_relation(name), RowExclusiveLock);

	if (RelationGetNumberOfAttributes(rel) != natts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"temporal.%s\" is of another version of the extension", name),
				 errhint("ALTER EXTENSION temporal UPDATE")));
	return rel;
}

static void
insert_index_entries(Relation rel, TupleTableSlot *slot, EState *estate, bool update,
					 bool only_summarizing)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	compat_insert_index_tuples(result, slot, estate, update, only_summarizing);
	ExecCloseIndices(result);
}

ItemPointerData
store_insert(const char *table, int natts, const Datum *values, const bool *nulls)
{
	Relation	rel = open_table(table, natts);
	EState	   *estate = CreateExecutorState();
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	ItemPointerData tid;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);

	for (int i = 0; i < natts; i++)
	{
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = nulls != NULL && nulls[i];
	}
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, NULL);
	insert_index_entries(rel, slot, estate, false, false);
	tid = slot->tts_tid;
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(caller);
	FreeExecutorState(estate);
	table_close(rel, NoLock);
	/* The next statement sees it. */
	CommandCounterIncrement();
	return tid;
}

/* By an index, or by the primary key (NULL). */
static void
scan_begin(RowScan *scan, const char *table, const char *index, LOCKMODE lock, int nkeys,
		   Snapshot snapshot)
{
	scan->table = table_open(store_relation(table), lock);
	scan->index = index_open(index ? store_relation(index) : compat_primary_key(scan->table),
							 AccessShareLock);
	scan->slot = table_slot_create(scan->table, NULL);
	scan->scan = compat_index_beginscan(scan->table, scan->index, snapshot, nkeys);
}

static void
scan_end(RowScan *scan)
{
	if (scan->index != NULL)
	{
		index_endscan(scan->scan);
		index_close(scan->index, NoLock);
	}
	ExecDropSingleTupleTableSlot(scan->slot);
	table_close(scan->table, NoLock);
}

void
store_scan_begin(RowScan *scan, const char *table, LOCKMODE lock, ScanKey keys, int nkeys)
{
	store_scan_begin_by(scan, table, NULL, lock, keys, nkeys);
}

void
store_scan_begin_by(RowScan *scan, const char *table, const char *index, LOCKMODE lock,
					ScanKey keys, int nkeys)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	scan_begin(scan, table, index, lock, nkeys, GetActiveSnapshot());
	store_scan_again(scan, keys, nkeys);
}

void
store_scan_again(RowScan *scan, ScanKey keys, int nkeys)
{
	index_rescan(scan->scan, keys, nkeys, NULL, 0);
}

bool
store_scan_at(RowScan *scan, const char *table, ItemPointerData *tid)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	scan->table = table_open(store_relation(table), RowExclusiveLock);
	scan->index = NULL;
	scan->slot = table_slot_create(scan->table, NULL);
	if (table_tuple_fetch_row_version(scan->table, tid, GetActiveSnapshot(), scan->slot))
		return true;
	store_scan_end(scan);
	return false;
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
store_scan_previous_any(RowScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	return index_getnext_slot(scan->scan, BackwardScanDirection, scan->slot);
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

static void
concurrent_update(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/* As SELECT ... FOR UPDATE [SKIP LOCKED]; the slot then has the latest version. */
static bool
scan_lock(RowScan *scan, LockMode mode)
{
	ItemPointerData tid = scan->slot->tts_tid;
	uint8		flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	TM_FailureData failure;

	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	switch (table_tuple_lock(scan->table, &tid, GetActiveSnapshot(), scan->slot,
							 GetCurrentCommandId(false), LockTupleExclusive,
							 mode == LOCK_SKIP ? LockWaitSkip : LockWaitBlock, flags, &failure))
	{
		case TM_Ok:
			return true;
		case TM_Updated:
			concurrent_update();
			break;
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				concurrent_update();
			break;
		case TM_WouldBlock:
		case TM_SelfModified:
			break;
		default:
			elog(ERROR, "unexpected state of a row to be locked");
	}
	return false;
}

bool
store_find_row(RowScan *scan, const char *table, ScanKey keys, int nkeys, LockMode mode)
{
	store_scan_begin(scan, table, mode == LOCK_NONE ? AccessShareLock : RowExclusiveLock,
					 keys, nkeys);
	if (store_scan_next_any(scan) && (mode == LOCK_NONE || scan_lock(scan, mode)))
		return true;
	store_scan_end(scan);
	return false;
}

void
store_require_absent(const char *table, ScanKey keys, int nkeys)
{
	store_require_absent_by(table, NULL, keys, nkeys);
}

void
store_require_absent_by(const char *table, const char *index, ScanKey keys, int nkeys)
{
	RowScan		scan;
	bool		found;

	if (!IsolationUsesXactSnapshot())
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	scan_begin(&scan, table, index, AccessShareLock, nkeys, GetActiveSnapshot());
	store_scan_again(&scan, keys, nkeys);
	found = store_scan_next_any(&scan);
	scan_end(&scan);
	PopActiveSnapshot();
	if (found)
		concurrent_update();
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

bool
store_scan_null(RowScan *scan, int column)
{
	return slot_attisnull(scan->slot, column);
}

/* The version that is at hand, with other values in some columns. */
static TupleTableSlot *
changed_row(const RowScan *scan, int n, const int *columns, const Datum *values)
{
	TupleTableSlot *old = scan->slot;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(scan->table), &TTSOpsVirtual);
	int			natts = slot->tts_tupleDescriptor->natts;

	slot_getallattrs(old);
	memcpy(slot->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	for (int i = 0; i < n; i++)
	{
		slot->tts_values[columns[i] - 1] = values[i];
		slot->tts_isnull[columns[i] - 1] = false;
	}
	return ExecStoreVirtualTuple(slot);
}

ItemPointerData
store_scan_update(RowScan *scan, int n, const int *columns, const Datum *values)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	TupleTableSlot *slot = changed_row(scan, n, columns, values);
	ItemPointerData tid;
	TM_FailureData failure;
	LockTupleMode mode;
	CompatUpdateIndexes indexes;

	if (table_tuple_update(scan->table, &scan->slot->tts_tid, slot, GetCurrentCommandId(true),
						   GetActiveSnapshot(), InvalidSnapshot, true, &failure, &mode,
						   &indexes) != TM_Ok)
		concurrent_update();
	if (compat_any_index(indexes))
		insert_index_entries(scan->table, slot, estate, true, compat_only_summarizing(indexes));
	tid = slot->tts_tid;
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(caller);
	FreeExecutorState(estate);
	return tid;
}

static TM_Result
scan_delete(RowScan *scan, bool wait)
{
	TM_FailureData failure;

	return table_tuple_delete(scan->table, &scan->slot->tts_tid, GetCurrentCommandId(true),
							  GetActiveSnapshot(), InvalidSnapshot, wait, &failure, false);
}

bool
store_scan_take(RowScan *scan)
{
	return scan_delete(scan, false) == TM_Ok;
}

void
store_withdraw(const char *table, ScanKey keys, int nkeys)
{
	RowScan		scan;

	store_scan_begin(&scan, table, RowExclusiveLock, keys, nkeys);
	/* If it fails somebody else holds it or it is gone: either will do. */
	if (store_scan_next(&scan))
		(void) scan_delete(&scan, false);
	store_scan_end(&scan);
}

void
store_delete(const char *table, ScanKey keys, int nkeys)
{
	RowScan		scan;

	store_scan_begin(&scan, table, RowExclusiveLock, keys, nkeys);
	if (store_scan_next_any(&scan) && scan_delete(&scan, true) != TM_Ok)
		concurrent_update();
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
	scan_begin(&scan, table, NULL, RowExclusiveLock, nkeys, &dirty);
	store_scan_again(&scan, keys, nkeys);
	found = index_getnext_slot(scan.scan, ForwardScanDirection, scan.slot);
	scan_end(&scan);
	*other = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
	return found;
}
