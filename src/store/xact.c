/*
 * xact.c
 *	  Procedures that commit on the way, and subtransactions as guards.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "replication/syncrep.h"
#include "store/xact.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "wake/process.h"

void
xact_require_procedure(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errhint("It commits on the way: end this transaction first.")));
}

void
xact_begin_procedure(FunctionCallInfo fcinfo, const char *name)
{
	MemoryContext caller = CurrentMemoryContext;

	xact_require_procedure(fcinfo, name);
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	SPI_commit();
	MemoryContextSwitchTo(caller);
}

void
xact_end_procedure(void)
{
	SPI_finish();
	/* The caller reads our result with the portal's snapshot. */
	EnsurePortalSnapshotExists();
}

void
xact_begin_step(void)
{
	XactIsoLevel = XACT_READ_COMMITTED;
	xact_begin_user_step();
}

void
xact_begin_user_step(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
xact_end_step(void)
{
	MemoryContext caller = CurrentMemoryContext;

	PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(caller);
}

/* Does the commit of this transaction not wait for the disk? */
static bool asynchronous = false;

/*
 * The variable is changed behind the back of its setting: one that has been
 * changed makes the commit look at all of them.  So it is only while nobody
 * else can change it, or put it back.
 */
static void
on_xact(XactEvent event, void *arg)
{
	static bool changed = false;
	static int	usual;

	if (event == XACT_EVENT_PRE_COMMIT && asynchronous)
	{
		usual = synchronous_commit;
		synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
		changed = true;
	}
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
	{
		if (changed)
			synchronous_commit = usual;
		changed = asynchronous = false;
	}
}

static void
commit_asynchronously(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(on_xact, NULL);
	registered = asynchronous = true;
}

void
xact_end_look(void)
{
	commit_asynchronously();
	xact_end_step();
}

bool
xact_defer_flush(void)
{
	/* Nobody but the commit itself waits for standbys. */
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF ||
		(SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0') || !flush_defer())
		return false;
	commit_asynchronously();
	return true;
}

ErrorData *
xact_try_end_step(void)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		xact_end_step();
	}
	PG_CATCH();
	{
		/* SPI has rolled back and begun a new transaction. */
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return error;
}

ErrorData *
xact_guard(void (*body) (void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}

Jsonb *
xact_call_function(const char *statement, Jsonb *argument)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {JSONBOID};
	Datum		values[] = {JsonbPGetDatum(argument)};
	Datum		value;
	bool		isnull;
	Jsonb	   *result;

	SPI_connect();
	if (SPI_execute_with_args(statement, 1, types, values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("handler did not return a row")));
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	MemoryContextSwitchTo(caller);
	result = isnull ? NULL : DatumGetJsonbPCopy(value);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return result;
}
