/*
 * plan.c
 *	  How the store runs its statements.
 *
 * Between store_enter() and store_leave() the process acts as the owner of the
 * extension: callers hold no privilege on our tables.  The planner settings
 * that could turn an index access into a scan of a table that was empty when
 * the plan was made are pinned for the same time.  An error in between leaves
 * through store_restore(), which the boundary of the request calls.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "jit/jit.h"
#include "base/compat.h"
#include "proto/alloc.h"
#include "store/plan.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

static Oid	owner = InvalidOid;

static void
forget_owner(Datum arg, int cache, uint32 hash)
{
	owner = InvalidOid;
}

/* store_owner -- the owner of the extension; cached until roles change. */
Oid
store_owner(void)
{
	static bool registered = false;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(AUTHOID, forget_owner, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_owner, (Datum) 0);
		registered = true;
	}
	if (OidIsValid(owner))
		return owner;
	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("temporal"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"temporal\" is not created in this database")));
	return owner;
}

void
store_enter(StoreScope *scope)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			act_as = store_owner();

	GetUserIdAndSecContext(&scope->user_id, &scope->security_context);
	scope->seqscan = enable_seqscan;
	scope->bitmapscan = enable_bitmapscan;
	scope->jit = jit_enabled;
	SetUserIdAndSecContext(act_as, scope->security_context | SECURITY_LOCAL_USERID_CHANGE);
	enable_seqscan = enable_bitmapscan = jit_enabled = false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	/* Results outlive the connection. */
	MemoryContextSwitchTo(caller);
}

/* store_restore -- what an error must undo; harmless if repeated. */
void
store_restore(const StoreScope *scope)
{
	SetUserIdAndSecContext(scope->user_id, scope->security_context);
	enable_seqscan = scope->seqscan;
	enable_bitmapscan = scope->bitmapscan;
	jit_enabled = scope->jit;
}

void
store_leave(const StoreScope *scope)
{
	SPI_finish();
	store_restore(scope);
}

/* SPI hands its rows out in memory of its own; the caller's context stays. */
static uint64
execute(Statement *statement, const Datum *values, const char *nulls, bool read_only)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(statement->sql, statement->nargs,
											  statement->types, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare: %s", statement->sql);
		statement->plan = plan;
	}
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	result = SPI_execute_plan(statement->plan, unconstify(Datum *, values), nulls, read_only, 0);
	MemoryContextSwitchTo(caller);
	if (result < 0)
		elog(ERROR, "could not execute: %s", statement->sql);
	return SPI_processed;
}

/* store_run -- how many rows it returned or changed. */
uint64
store_run(Statement *statement, const Datum *values, const char *nulls)
{
	return execute(statement, values, nulls, false);
}

/* Is there a row now, whatever the transaction's snapshot shows? */
static bool
exists_now(Statement *statement, const Datum *values)
{
	uint64		n;

	PushActiveSnapshot(GetLatestSnapshot());
	n = execute(statement, values, NULL, true);
	PopActiveSnapshot();
	return n > 0;
}

bool
store_find(Statement *lock, Statement *find, const Datum *values)
{
	if (store_run(lock, values, NULL) > 0)
		return true;
	if (IsolationUsesXactSnapshot() && exists_now(find, values))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	return false;
}

Datum
store_value(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static Datum
not_null(uint64 row, int column)
{
	bool		isnull;
	Datum		value = store_value(row, column, &isnull);

	if (isnull)
		elog(ERROR, "column %d is null", column);
	return value;
}

int64
store_int64(uint64 row, int column)
{
	return DatumGetInt64(not_null(row, column));
}

int32
store_int32(uint64 row, int column)
{
	return DatumGetInt32(not_null(row, column));
}

int16
store_int16(uint64 row, int column)
{
	return DatumGetInt16(not_null(row, column));
}

/* store_time -- 0 for NULL. */
TimestampTz
store_time(uint64 row, int column)
{
	bool		isnull;
	Datum		value = store_value(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

char *
store_text(uint64 row, int column)
{
	return TextDatumGetCString(not_null(row, column));
}

/* store_bytea -- a copy that is not toasted; NULL for NULL. */
bytea *
store_bytea(uint64 row, int column)
{
	bool		isnull;
	Datum		value = store_value(row, column, &isnull);

	return isnull ? NULL : DatumGetByteaPCopy(value);
}

pg_uuid_t
store_uuid(uint64 row, int column)
{
	return *DatumGetUUIDP(not_null(row, column));
}

void *
store_unpack(const ProtobufCMessageDescriptor *descriptor, const bytea *bytes)
{
	void	   *message = protobuf_c_message_unpack(descriptor,
													proto_allocator(CurrentMemoryContext),
													VARSIZE_ANY_EXHDR(bytes),
													(const uint8_t *) VARDATA_ANY(bytes));

	if (message == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored message of type \"%s\" could not be read", descriptor->name)));
	return message;
}

void *
store_message(uint64 row, int column, const ProtobufCMessageDescriptor *descriptor)
{
	bytea	   *bytes = store_bytea(row, column);

	return bytes == NULL ? NULL : store_unpack(descriptor, bytes);
}

/* store_uuid_array -- of a list of pg_uuid_t. */
Datum
store_uuid_array(const List *uuids)
{
	Datum	   *elements = palloc((list_length(uuids) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, uuids)
		elements[n++] = UUIDPGetDatum(lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}
