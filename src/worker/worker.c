/*
 * worker.c
 *	  The frame around the main loop of each of our background workers.
 *
 * A worker takes its slot, connects, looks for the extension, and takes over
 * the identity of its owner.  Then it turns its loop until somebody ends it.
 * One turn works in transactions between worker_begin() and worker_end();
 * outside of them it holds no snapshot, no lock and no cached row.
 *
 * While a transaction of ours is open it holds the extension with a share
 * lock, so that DROP EXTENSION waits until the end of it.  The lock is only
 * tried: somebody may have dropped the extension and not committed yet.  An
 * error ends the transaction, not the process; the loop goes on after a pause
 * that grows with each failure in a row.
 */
#include "postgres.h"

#include <setjmp.h>
#include <signal.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/ident.h"
#include "wake/process.h"
#include "worker/worker.h"

#define FIRST_PAUSE_MS 100
#define LONGEST_PAUSE_MS 10000

/* Longer sleeps are idle time: statistics are sent before them. */
#define IDLE_MS 1000

/* How soon to look again at an extension that was locked. */
#define CHECK_RETRY_MS 100

/* The extension as one sees it in pg_extension. */
typedef struct Extension
{
	Oid oid;
	Oid owner;
} Extension;

/*
 * ALTER DATABASE and ALTER ROLE settings apply to us too; these must not.
 * Plans are made once, maybe on empty tables, and have to be right for full
 * ones.  Some settings are newer than some servers.
 */
typedef struct PinnedSetting
{
	const char *name;
	const char *value;
} PinnedSetting;

static const PinnedSetting pinned_settings[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"session_replication_role", "origin"},
	{"statement_timeout", "0"},
	{"transaction_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"row_security", "on"},
	{"enable_indexscan", "on"},
	{"enable_seqscan", "off"},
	{"enable_bitmapscan", "off"},
	{"jit", "off"},
	{"plan_cache_mode", "auto"},
};

/* The same where functions of users run: theirs are the plans and the path. */
static const PinnedSetting executor_settings[] = {
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"session_replication_role", "origin"},
	{"transaction_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"row_security", "on"},
};

static bool runs_functions = false;
static Extension extension;        /* the one that we work for */
static int reloads = 0;
static bool error_shown = false;   /* others see what went wrong last */
static uint64 settings = 0;        /* a hash of those of the database */
static bool check_owed = false;    /* it may have changed, and is locked */
static MemoryContext turn_context; /* reset after each transaction */

/* The extension in this database; its OID is invalid if there is none. */
static Extension
find_extension(void)
{
	Extension found = {InvalidOid, InvalidOid};
	Relation catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("temporal"));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		found.oid = form->oid;
		found.owner = form->extowner;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* A hash of our settings in an array of "name=value". */
static uint64
settings_hash(ArrayType *array)
{
	uint64 hash = 1;
	Datum *elements;
	int n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char *setting = TextDatumGetCString(elements[i]);

		if (strncmp(setting, "temporal.", strlen("temporal.")) == 0)
			hash = ident_hash(hash, setting, strlen(setting));
	}
	return hash;
}

/* The same of what ALTER DATABASE SET says of ours; 0: nothing. */
static uint64
database_settings(void)
{
	Relation catalog = table_open(DbRoleSettingRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;
	uint64 hash = 0;

	ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(MyDatabaseId));
	ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(InvalidOid));
	scan = systable_beginscan(catalog, DbRoleSettingDatidRolidIndexId, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool is_null;
		Datum array = heap_getattr(tuple, Anum_pg_db_role_setting_setconfig,
								   RelationGetDescr(catalog), &is_null);

		if (!is_null)
			hash = settings_hash(DatumGetArrayTypeP(array));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return hash;
}

static void
pin(const PinnedSetting *setting)
{
	if (GetConfigOption(setting->name, true, false) != NULL)
		SetConfigOption(setting->name, setting->value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* worker_pin_settings -- sets what the surroundings must not change. */
void
worker_pin_settings(void)
{
	char lock_timeout[16];

	for (int i = 0; runs_functions && i < lengthof(executor_settings); i++)
		pin(&executor_settings[i]);
	if (runs_functions)
		return;
	for (int i = 0; i < lengthof(pinned_settings); i++)
		pin(&pinned_settings[i]);
	pg_ltoa(guc_lock_timeout, lock_timeout);
	SetConfigOption("lock_timeout", lock_timeout, PGC_SUSET, PGC_S_OVERRIDE);
}

int
worker_reloads(void)
{
	return reloads;
}

/* worker_leave -- exits for good; the launcher hears why. */
void
worker_leave(ProcessExit why)
{
	process_exiting(why);
	proc_exit(0);
}

/* Finds the extension; works as its owner from now on, or as the role we are. */
static void
adopt_extension(void)
{
	StartTransactionCommand();
	extension = find_extension();
	settings = database_settings();
	if (OidIsValid(extension.oid) && !runs_functions)
		SetSessionAuthorization(extension.owner, superuser_arg(extension.owner));
	CommitTransactionCommand();

	if (!OidIsValid(extension.oid))
		worker_leave(PROCESS_NO_EXTENSION);
}

static void
start(Datum arg, const char *name)
{
	uint32 generation;
	Oid database;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	/* A reload since the fork may have signalled before there was a handler. */
	ConfigReloadPending = true;
	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	if (!process_attach(DatumGetInt32(arg), generation, &database))
		proc_exit(0);
	BackgroundWorkerUnblockSignals();

	BackgroundWorkerInitializeConnectionByOid(database, process_role(),
											  runs_functions ? COMPAT_BYPASS_LOGIN : 0);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_OVERRIDE);
	worker_pin_settings();
	adopt_extension();
	process_running();
}

/*
 * worker_start -- makes this process the worker that the launcher asked for.
 *
 * Comes back only if that worker is still wanted and the database has the
 * extension.
 */
void
worker_start(Datum arg, const char *name)
{
	start(arg, name);
}

/*
 * worker_start_executor -- the same for one that runs functions.
 *
 * It is connected as their owner, never as somebody else with the identity
 * switched: what functions leave for the end of a transaction runs as whoever
 * the session belongs to.
 */
void
worker_start_executor(Datum arg, const char *name)
{
	runs_functions = true;
	start(arg, name);
}

/*
 * Leaves if the extension is not ours any more; false while that cannot be
 * told because it is locked.
 */
static bool
check_extension(void)
{
	if (!worker_begin("looking for the extension"))
		return false;
	worker_end();
	return true;
}

/* What ALTER DATABASE has set since we began counts for our successor. */
static void
check_settings(void)
{
	uint64 now;

	StartTransactionCommand();
	now = database_settings();
	CommitTransactionCommand();
	if (now != settings)
		worker_leave(PROCESS_CHANGED);
}

/* Obeys signals and requests of others between two turns. */
static void
obey(void)
{
	CHECK_FOR_INTERRUPTS();
	if (process_should_leave())
		worker_leave(PROCESS_ASKED);
	if (OidIsValid(extension.oid) && (check_owed || process_should_check()))
		check_owed = !check_extension();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		reloads++;
		worker_pin_settings();
		if (OidIsValid(extension.oid))
			check_settings();
	}
}

/*
 * Cleans up after an error, as the main loop of a backend does; returns the
 * error in "context".
 */
static ErrorData *
recover(MemoryContext context)
{
	ErrorData *error;

	error_context_stack = NULL;
	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;

	EmitErrorReport();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	AbortOutOfAnyTransaction();
	LWLockReleaseAll();
	ConditionVariableCancelSleep();
	pgstat_report_wait_end();

	process_error(error->message);
	error_shown = true;
	MemoryContextSwitchTo(context);
	FlushErrorState();
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();
	return error;
}

ErrorData *
worker_try(void (*body)(void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		error = recover(caller);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return error;
}

/* How long to rest after so many failures in a row. */
static long
pause_after(int failures)
{
	return failures < 8 ? FIRST_PAUSE_MS << (failures - 1) : LONGEST_PAUSE_MS;
}

static void
wait_for_latch(long timeout, uint32 wait_event_info)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
					 wait_event_info);
}

/* worker_loop -- turns until the process is ended. */
void
worker_loop(WorkerTurn turn, WaitEventName idle)
{
	worker_loop_with(turn, wait_for_latch, idle);
}

/* worker_loop_with -- the same for who waits for more than its latch. */
void
worker_loop_with(WorkerTurn turn, WorkerWait wait, WaitEventName idle)
{
	sigjmp_buf handler;
	volatile int failures = 0;
	volatile TimestampTz resume = 0;

	turn_context = AllocSetContextCreate(TopMemoryContext, "temporal turn", ALLOCSET_DEFAULT_SIZES);

	if (sigsetjmp(handler, 1) != 0)
	{
		recover(turn_context);
		MemoryContextReset(turn_context);
		failures++;
		resume = clock_wall_now() + pause_after(failures) * 1000;
	}
	PG_exception_stack = &handler;

	for (;;)
	{
		WaitEventName waiting_for = WAIT_EVENT_WORKER_BACKOFF;
		long timeout;

		ResetLatch(MyLatch);
		obey();
		MemoryContextSwitchTo(turn_context);
		timeout = failures > 0 ? clock_wall_ms_until(resume, LONGEST_PAUSE_MS) : 0;
		if (timeout == 0)
		{
			timeout = turn();
			failures = 0;
			waiting_for = idle;
		}
		if (check_owed)
			timeout = Min(timeout, CHECK_RETRY_MS);
		if (timeout >= IDLE_MS)
			pgstat_report_stat(true);
		wait(timeout, wait_event(waiting_for));
	}
}

/*
 * Takes the share lock on our extension: true if it is still the same.
 *
 * The catalog is read under the lock, so the answer holds until the end of
 * the transaction.
 */
static bool
hold_extension(void)
{
	Extension found;

	if (!ConditionalLockDatabaseObject(ExtensionRelationId, extension.oid, 0, AccessShareLock))
		return false;
	found = find_extension();
	if (found.oid == extension.oid && found.owner == extension.owner)
		return true;

	AbortCurrentTransaction();
	worker_leave(OidIsValid(found.oid) ? PROCESS_CHANGED : PROCESS_NO_EXTENSION);
}

/*
 * worker_begin -- starts a transaction with a snapshot.
 *
 * False when the extension is locked: try again later.
 */
bool
worker_begin(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, activity);
	StartTransactionCommand();
	if (!hold_extension())
	{
		AbortCurrentTransaction();
		pgstat_report_activity(STATE_IDLE, NULL);
		return false;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(turn_context);
	return true;
}

/* worker_end -- commits it. */
void
worker_end(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	process_count(0, 1, 0);
	/* It works again. */
	if (error_shown)
		process_error("");
	error_shown = false;
	MemoryContextSwitchTo(turn_context);
	MemoryContextReset(turn_context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}
