/*
 * launcher.c
 *	  Starts the workers of each database that has the extension.
 *
 * There is one launcher a cluster.  It is connected to no database, so it sees
 * pg_database but not pg_extension: whether a database has the extension only
 * a worker inside can tell.  A keeper that does not find it says so and ends,
 * which makes it the probe as well.  Databases are probed when the launcher
 * starts, when CREATE EXTENSION or CREATE DATABASE has committed (hook.c), and
 * once in a while; templates and databases that do not allow connections are
 * left alone.
 *
 * The launcher decides by what it finds in the slots of process.c and by one
 * time per database and kind of worker: do not start it before then.  All
 * workers are registered to be started once; after an exit, whatever its
 * reason, it is for the launcher to start them again.  So nothing depends on
 * exit codes, except its own: 0 would mean that it is never started again.
 * After a crash of the server and at promotion of a standby it begins anew.
 * When it alone has died, the next launcher finds the workers at work.
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "wake/process.h"
#include "worker/launcher.h"
#include "worker/worker.h"

#define RESTART_SECONDS 1      /* of the launcher itself */
#define MAX_STARTING 3         /* workers that may be looking at a time */
#define FIRST_DELAY_MS 1000    /* before a failed worker is started again */
#define LONGEST_DELAY_MS 30000 /* the delay doubles until then */
#define FOREVER_MS (60 * 60 * 1000)

/*
 * Every worker that a database may have; its keeper asks for the others.  The
 * last kind is the one of which there may be several.
 */
static const struct
{
	ProcessKind kind;
	const char *function;
} worker_kinds[] = {
	{PROCESS_KEEPER, "temporal_keeper_main"},
	{PROCESS_FLUSHER, "temporal_flusher_main"},
	{PROCESS_FRONTEND, "temporal_frontend_main"},
};

#define LAST_KIND ((int) lengthof(worker_kinds) - 1)
#define MAX_WORKERS (LAST_KIND + MAX_FRONTENDS)

/* What the launcher remembers of one worker of a database. */
typedef struct WorkerPlan
{
	TimestampTz start_at;           /* not before this time */
	bool poked;                     /* look again when it has ended */
	bool lacks_slot;                /* the postmaster had no room for it */
	int failures;                   /* in a row */
	BackgroundWorkerHandle *handle; /* while it is starting */
} WorkerPlan;

typedef struct Database
{
	Oid oid; /* hash key, so it comes first */
	bool listed;
	WorkerPlan plans[MAX_WORKERS];
} Database;

PGDLLEXPORT void temporal_launcher_main(Datum arg);

static HTAB *databases;
static TimestampTz list_at = DT_NOBEGIN; /* when to read pg_database */
static int starting;                     /* workers found starting in this turn */
static bool full_logged = false;         /* we said that there are too few slots */

/* The kind of a database's worker k, and which one of its kind it is. */
static ProcessKind
kind_of(int k)
{
	return worker_kinds[Min(k, LAST_KIND)].kind;
}

static int
number_of(int k)
{
	return k - Min(k, LAST_KIND);
}

/* launcher_register -- has the postmaster start it. */
void
launcher_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_name, "temporal launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "temporal launcher", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "temporal", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "temporal_launcher_main", sizeof(worker.bgw_function_name));
	RegisterBackgroundWorker(&worker);
}

/* Registers a worker with the postmaster; false when it has no room for it. */
static bool
register_worker(Oid database, int k, int slot, uint32 generation, WorkerPlan *plan)
{
	BackgroundWorker worker = {0};
	const char *name = process_kind_name(kind_of(k));
	MemoryContext old_context;
	bool registered;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "temporal %s for database %u", name,
			 database);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "temporal %s", name);
	strlcpy(worker.bgw_library_name, "temporal", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, worker_kinds[Min(k, LAST_KIND)].function,
			sizeof(worker.bgw_function_name));

	/* The handle outlives the turn; it is freed when the worker has started. */
	old_context = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &plan->handle);
	MemoryContextSwitchTo(old_context);
	return registered;
}

static void
forget_handle(WorkerPlan *plan)
{
	if (plan->handle)
		pfree(plan->handle);
	plan->handle = NULL;
}

/* Puts off the next start; longer with each failure in a row. */
static void
delay(WorkerPlan *plan)
{
	long ms = plan->failures < 5 ? FIRST_DELAY_MS << plan->failures : LONGEST_DELAY_MS;

	plan->failures++;
	plan->start_at = clock_wall_now() + ms * 1000;
}

/*
 * The postmaster has no room for a worker.
 *
 * While a worker of ours is looking for the extension it may have the last
 * slot and soon be gone: its end sets our latch.  Else we try again later,
 * and say so once until no worker lacks a slot any more.
 */
static void
no_room(WorkerPlan *plan, int slot)
{
	process_wait(slot, "no background worker slot is free, increase max_worker_processes");
	if (starting > 0)
	{
		starting = MAX_STARTING;
		return;
	}
	plan->lacks_slot = true;
	delay(plan);
	if (!full_logged)
		ereport(LOG,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a temporal worker: no background worker slot is free"),
				 errhint("Increase \"max_worker_processes\"; until then some databases are not "
						 "served.")));
	full_logged = true;
}

static void
start(Oid database, int k, WorkerPlan *plan)
{
	uint32 generation;
	int slot = process_prepare(database, kind_of(k), number_of(k), &generation);

	if (slot < 0)
		delay(plan);
	else if (!register_worker(database, k, slot, generation, plan))
		no_room(plan, slot);
	else
	{
		plan->poked = false;
		plan->lacks_slot = false;
		starting++;
	}
}

/* A worker has ended: decides when it is started again. */
static void
worker_gone(WorkerPlan *plan, int slot, ProcessExit exit)
{
	forget_handle(plan);
	switch (exit)
	{
		case PROCESS_NO_EXTENSION:
			process_free(slot);
			plan->failures = 0;
			if (!plan->poked)
				plan->start_at = clock_wall_now() + guc_probe_interval * USECS_PER_SEC;
			break;
		case PROCESS_CHANGED:
		case PROCESS_ASKED:
			process_wait(slot, "asked to leave the database");
			plan->failures = 0;
			plan->start_at = DT_NOBEGIN;
			break;
		case PROCESS_NOT_WANTED:
			process_free(slot);
			delay(plan);
			break;
		case PROCESS_FAILED:
			process_wait(slot, "ended, see the server log");
			delay(plan);
			break;
	}
}

/* Is a worker that does not run to be started now? */
static bool
is_due(const Database *database, int k)
{
	return starting < MAX_STARTING && database->plans[k].start_at <= clock_wall_now() &&
		!process_is_held(database->oid) &&
		process_is_wanted(database->oid, kind_of(k), number_of(k));
}

/* Did a worker end before it could take its slot? */
static bool
has_died_early(WorkerPlan *plan)
{
	pid_t pid;

	return plan->handle && GetBackgroundWorkerPid(plan->handle, &pid) == BGWH_STOPPED;
}

/* Looks after one worker of a database. */
static void
attend(Database *database, int k)
{
	WorkerPlan *plan = &database->plans[k];
	bool died_early = has_died_early(plan);
	ProcessInfo info;
	int slot = process_find(database->oid, kind_of(k), number_of(k), &info);

	if (slot >= 0 && info.state == PROCESS_GONE)
	{
		worker_gone(plan, slot, info.exit);
		slot = process_find(database->oid, kind_of(k), number_of(k), &info);
	}
	if (slot >= 0 && info.state == PROCESS_RUNNING)
	{
		forget_handle(plan);
		plan->failures = 0;
	}
	else if (slot >= 0 && info.state == PROCESS_STARTING && !died_early)
		starting++;
	else if (slot >= 0 && info.state == PROCESS_STARTING)
		worker_gone(plan, slot, PROCESS_FAILED);
	else if (is_due(database, k))
		start(database->oid, k, plan);
}

/* A database that is gone or must be left alone. */
static void
dismiss(Database *database)
{
	bool any = false;

	for (int k = 0; k < MAX_WORKERS; k++)
	{
		ProcessInfo info;
		int slot = process_find(database->oid, kind_of(k), number_of(k), &info);

		if (slot < 0)
			continue;
		if (info.state == PROCESS_RUNNING || info.state == PROCESS_STARTING)
			any = true;
		else
			process_free(slot);
	}
	if (any)
		process_ask_to_leave(database->oid);
	else
	{
		for (int k = 0; k < MAX_WORKERS; k++)
			forget_handle(&database->plans[k]);
		process_forget_database(database->oid);
		hash_search(databases, &database->oid, HASH_REMOVE, NULL);
	}
}

static Database *
remember(Oid oid)
{
	bool found;
	Database *database = hash_search(databases, &oid, HASH_ENTER, &found);

	if (!found)
	{
		database->listed = false;
		MemSet(database->plans, 0, sizeof(database->plans));
		for (int k = 0; k < MAX_WORKERS; k++)
			database->plans[k].start_at = DT_NOBEGIN;
	}
	return database;
}

/* Somebody has changed something: look at it now. */
static void
poke(Database *database)
{
	for (int k = 0; k < MAX_WORKERS; k++)
	{
		database->plans[k].poked = true;
		database->plans[k].start_at = DT_NOBEGIN;
	}
}

static bool
is_served(Form_pg_database form)
{
	return form->datallowconn && !form->datistemplate && !database_is_invalid_form(form);
}

/* Reads pg_database. */
static void
list_databases(void)
{
	HASH_SEQ_STATUS status;
	Database *database;
	Relation catalog;
	SysScanDesc scan;
	HeapTuple tuple;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
		database->listed = false;

	StartTransactionCommand();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (is_served(form))
			remember(form->oid)->listed = true;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	list_at = clock_wall_now() + guc_probe_interval * USECS_PER_SEC;
}

/* Sees to it that every database with a worker is known, listed or not. */
static void
remember_workers(void)
{
	ProcessInfo info;
	int cursor = 0;

	while (process_next(&cursor, &info))
	{
		if (info.kind != PROCESS_LAUNCHER)
			(void) remember(info.database);
	}
}

static void
take_pokes(void)
{
	Oid poked[PROCESS_MAX_POKES];
	int count = process_take_pokes(poked);
	HASH_SEQ_STATUS status;
	Database *database;

	if (count == 0 && clock_wall_now() < list_at)
		return;
	list_databases();
	remember_workers();
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		bool found = count < 0;

		for (int i = 0; i < count && !found; i++)
			found = poked[i] == database->oid;
		if (found)
			poke(database);
	}
}

/* When something has to be started, unless an event comes first. */
static TimestampTz
next_start(Database *database)
{
	TimestampTz next = DT_NOEND;

	for (int k = 0; k < MAX_WORKERS; k++)
	{
		ProcessInfo info;
		int slot = process_find(database->oid, kind_of(k), number_of(k), &info);

		if ((slot < 0 || info.state == PROCESS_WAITING) &&
			process_is_wanted(database->oid, kind_of(k), number_of(k)))
			next = Min(next, database->plans[k].start_at);
	}
	return next;
}

static long
launcher_turn(void)
{
	bool lacking = false;
	TimestampTz next;
	HASH_SEQ_STATUS status;
	Database *database;

	take_pokes();
	next = list_at;
	starting = 0;
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!database->listed)
		{
			dismiss(database);
			continue;
		}
		for (int k = 0; k < MAX_WORKERS; k++)
		{
			attend(database, k);
			lacking |= database->plans[k].lacks_slot;
		}

		/* The end of a hold or of a start sets our latch. */
		if (starting < MAX_STARTING && !process_is_held(database->oid))
			next = Min(next, next_start(database));
	}
	full_logged &= lacking;
	return clock_wall_ms_until(next, FOREVER_MS);
}

static void
make_hash(void)
{
	HASHCTL control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(Database);
	databases = hash_create("temporal databases", 64, &control, HASH_ELEM | HASH_BLOBS);
}

void
temporal_launcher_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	if (!process_attach_launcher())
		proc_exit(1);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	process_forget_unattached();
	make_hash();
	SetConfigOption("application_name", "temporal launcher", PGC_USERSET, PGC_S_OVERRIDE);
	worker_loop(launcher_turn, WAIT_EVENT_LAUNCHER_MAIN);
}
