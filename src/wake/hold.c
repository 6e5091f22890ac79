/*
 * hold.c
 *	  Keeping workers out of a database, and telling the launcher of changes.
 *
 * A hold is taken by a session that wants to drop, rename, move or copy a
 * database.  Workers in it are asked to leave and none is let in, until the
 * session's transaction ends or the session does.  A poke tells the launcher
 * that a database, or the extension in it, was created, changed or dropped.
 * Both are in the process table, which TemporalProcess guards.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/wait_event.h"
#include "wake/shmem.h"

#define TERMINATE_MS 1000 /* after this we do not ask any more */
#define GIVE_UP_MS 5000   /* PostgreSQL waits that long for sessions to go */
#define LOOK_MS 100

static bool holding = false;

/* hold_exists -- must workers stay away from a database?  Caller locks. */
bool
hold_exists(Oid database)
{
	for (int i = 0; i < WAKE_HOLDS; i++)
	{
		if (wake_shared.processes->holds[i].database == database)
			return true;
	}
	return false;
}

/* process_is_held -- must workers stay away from a database? */
bool
process_is_held(Oid database)
{
	bool held;

	LWLockAcquire(wake_shared.process_lock, LW_SHARED);
	held = hold_exists(database);
	LWLockRelease(wake_shared.process_lock);
	return held;
}

/* Caller locks. */
static void
set_launcher_latch(void)
{
	int launcher = wake_shared.processes->launcher;

	if (launcher >= 0)
		SetLatch(&GetPGProcByNumber(launcher)->procLatch);
}

static void
release_on_exit(int code, Datum arg)
{
	process_release_holds();
}

/*
 * process_hold -- our workers leave a database and stay away.
 *
 * When there are too many holds this one is not kept, and the command may
 * find a worker in the database and fail.
 */
void
process_hold(Oid database)
{
	static bool exit_registered = false;

	if (!exit_registered)
	{
		before_shmem_exit(release_on_exit, (Datum) 0);
		exit_registered = true;
	}

	LWLockAcquire(wake_shared.process_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WAKE_HOLDS; i++)
	{
		Hold *hold = &wake_shared.processes->holds[i];

		if (hold->database == InvalidOid)
		{
			hold->database = database;
			hold->proc = compat_my_proc_number();
			holding = true;
			break;
		}
	}
	process_ask_slots(database, false);
	LWLockRelease(wake_shared.process_lock);
}

/* process_release_holds -- workers may come back; raises nothing. */
void
process_release_holds(void)
{
	if (!holding)
		return;
	holding = false;

	LWLockAcquire(wake_shared.process_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WAKE_HOLDS; i++)
	{
		Hold *hold = &wake_shared.processes->holds[i];

		if (hold->database != InvalidOid && hold->proc == compat_my_proc_number())
			hold->database = InvalidOid;
	}
	set_launcher_latch();
	LWLockRelease(wake_shared.process_lock);
}

/*
 * process_wait_until_gone -- waits until none of our workers is in a database.
 *
 * One that does not hear us is terminated.  If that does not help either, the
 * caller goes on, and PostgreSQL says that the database is in use.
 */
void
process_wait_until_gone(Oid database)
{
	TimestampTz start = clock_wall_now();
	bool terminated = false;

	ConditionVariablePrepareToSleep(&wake_shared.processes->gone);
	for (;;)
	{
		bool any;

		LWLockAcquire(wake_shared.process_lock, LW_SHARED);
		any = process_any_slot(database, true);
		if (any && !terminated && TimestampDifferenceExceeds(start, clock_wall_now(), TERMINATE_MS))
		{
			process_ask_slots(database, true);
			terminated = true;
		}
		LWLockRelease(wake_shared.process_lock);

		if (!any || TimestampDifferenceExceeds(start, clock_wall_now(), GIVE_UP_MS))
			break;
		ConditionVariableTimedSleep(&wake_shared.processes->gone, LOOK_MS,
									wait_event(WAIT_EVENT_WORKERS_GONE));
	}
	ConditionVariableCancelSleep();
}

/*
 * process_poke -- something about a database has changed; raises nothing.
 *
 * Called after the commit.  Its workers look whether they are still wanted,
 * and the launcher whether there should be some.  InvalidOid: the list of databases changed.
 */
void
process_poke(Oid database)
{
	ProcessTable *table = wake_shared.processes;

	LWLockAcquire(wake_shared.process_lock, LW_EXCLUSIVE);
	if (table->npokes < PROCESS_MAX_POKES)
		table->pokes[table->npokes++] = database;
	else
		table->poke_all = true;
	set_launcher_latch();
	if (OidIsValid(database))
		process_check_slots(database);
	LWLockRelease(wake_shared.process_lock);

	if (OidIsValid(database))
		database_lower_due(database, DT_NOBEGIN);
}

/* process_take_pokes -- how many databases were poked, -1: maybe any. */
int
process_take_pokes(Oid *databases)
{
	ProcessTable *table = wake_shared.processes;
	int count;

	LWLockAcquire(wake_shared.process_lock, LW_EXCLUSIVE);
	count = table->poke_all ? -1 : table->npokes;
	memcpy(databases, table->pokes, sizeof(table->pokes));
	table->npokes = 0;
	table->poke_all = false;
	LWLockRelease(wake_shared.process_lock);
	return count;
}
