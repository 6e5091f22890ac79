/*
 * process.c
 *	  Slots of our background workers.
 *
 * A slot belongs to a database and a kind of worker, of executors there may be
 * several, which the keeper of the database looks after.  The launcher makes it
 * (waiting or starting), the worker attaches to it (running) and leaves it
 * behind when it exits (gone), the launcher frees it or starts again.  Slot 0
 * is the launcher's.  A worker that was asked for by a launcher that has died
 * since carries an older generation and must not attach.
 *
 * TemporalProcess guards all of it.  The exit callback that frees a slot is
 * registered before the worker connects, so it runs when the worker no longer
 * counts as a session of the database.
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
#include "wake/shmem.h"

#define LAUNCHER_SLOT 0

static int my_slot = -1;
static ProcessExit my_exit = PROCESS_FAILED;

static void
lock_exclusive(void)
{
	LWLockAcquire(wake_shared.process_lock, LW_EXCLUSIVE);
}

static void
lock_shared(void)
{
	LWLockAcquire(wake_shared.process_lock, LW_SHARED);
}

static void
unlock(void)
{
	LWLockRelease(wake_shared.process_lock);
}

static ProcessSlot *
slot_at(int slot)
{
	return &wake_shared.processes->slots[slot];
}

const char *
process_kind_name(ProcessKind kind)
{
	static const char *const names[] = {
		[PROCESS_LAUNCHER] = "launcher",
		[PROCESS_KEEPER] = "keeper",
		[PROCESS_FRONTEND] = "frontend",
		[PROCESS_FLUSHER] = "flusher",
		[PROCESS_EXECUTOR] = "executor",
	};

	return names[kind];
}

const char *
process_state_name(ProcessState state)
{
	static const char *const names[] = {
		[PROCESS_FREE] = "free",         [PROCESS_WAITING] = "waiting",
		[PROCESS_STARTING] = "starting", [PROCESS_RUNNING] = "running",
		[PROCESS_GONE] = "stopped",
	};

	return names[state];
}

/*
 * process_any_slot -- has a database a worker, or with "live" one that runs or
 * is about to?  Caller locks.
 */
bool
process_any_slot(Oid database, bool live)
{
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessInfo *info = &slot_at(i)->info;

		if (info->state == PROCESS_FREE || info->database != database)
			continue;
		if (!live || info->state == PROCESS_STARTING || info->state == PROCESS_RUNNING)
			return true;
	}
	return false;
}

/*
 * process_ask_slots -- asks the workers of a database to leave, or ends them.
 *
 * The caller locks, so no other process can have got their process ids.
 */
void
process_ask_slots(Oid database, bool terminate)
{
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessSlot *slot = slot_at(i);

		if (slot->proc < 0 || slot->info.database != database)
			continue;
		slot->leave = true;
		SetLatch(&GetPGProcByNumber(slot->proc)->procLatch);
		if (terminate)
			kill(slot->info.pid, SIGTERM);
	}
}

/* process_next -- copies the next slot in use, from *cursor = 0 on. */
bool
process_next(int *cursor, ProcessInfo *info)
{
	bool found = false;

	if (!wake_available())
		return false;
	lock_shared();
	while (!found && *cursor < WAKE_PROCESSES)
	{
		*info = slot_at((*cursor)++)->info;
		found = info->state != PROCESS_FREE;
	}
	unlock();
	return found;
}

static void
set_launcher_latch(void)
{
	int launcher = wake_shared.processes->launcher;

	if (launcher >= 0)
		SetLatch(&GetPGProcByNumber(launcher)->procLatch);
}

static void
leave_slot(int code, Datum arg)
{
	ProcessSlot *slot = slot_at(my_slot);

	lock_exclusive();
	if (my_slot == LAUNCHER_SLOT)
		wake_shared.processes->launcher = -1;
	else if (slot->info.kind == PROCESS_KEEPER)
		database_detach_keeper(slot->info.database);
	else if (slot->info.kind == PROCESS_FLUSHER)
		flush_attach(slot->info.database, false);
	slot->proc = -1;
	slot->info.pid = 0;
	slot->info.state = PROCESS_GONE;
	slot->info.exit = my_exit;
	/* Nobody starts it again, and what failed is shown until it works. */
	if (slot->info.kind == PROCESS_EXECUTOR && my_exit != PROCESS_FAILED)
		slot->info.state = PROCESS_FREE;
	unlock();

	ConditionVariableBroadcast(&wake_shared.processes->gone);
	set_launcher_latch();
}

/* Makes a slot ours; caller locks. */
static void
take_slot(int index, ProcessState state)
{
	ProcessSlot *slot = slot_at(index);

	my_slot = index;
	slot->proc = compat_my_proc_number();
	slot->port = 0;
	slot->leave = false;
	slot->check = false;
	slot->info.pid = MyProcPid;
	slot->info.state = state;
	slot->info.started = clock_wall_now();
	slot->info.busy_since = 0;
	slot->info.begun_long = false;
	slot->info.note[0] = '\0';
}

/* process_attach_launcher -- false when there is another launcher. */
bool
process_attach_launcher(void)
{
	bool alone;

	lock_exclusive();
	alone = wake_shared.processes->launcher < 0;
	if (alone)
	{
		wake_shared.processes->launcher = compat_my_proc_number();
		take_slot(LAUNCHER_SLOT, PROCESS_RUNNING);
		slot_at(LAUNCHER_SLOT)->info.kind = PROCESS_LAUNCHER;
	}
	unlock();
	if (alone)
		on_shmem_exit(leave_slot, (Datum) 0);
	return alone;
}

/*
 * process_attach -- a worker takes the slot that the launcher made for it.
 *
 * False when it is not wanted any more.
 */
bool
process_attach(int index, uint32 generation, Oid *database)
{
	ProcessSlot *slot = slot_at(index);
	bool wanted;

	lock_exclusive();
	wanted =
		slot->info.state == PROCESS_STARTING && slot->generation == generation && slot->proc < 0;
	if (wanted && hold_exists(slot->info.database))
	{
		slot->info.state = PROCESS_GONE;
		slot->info.exit = PROCESS_ASKED;
		set_launcher_latch();
		wanted = false;
	}
	if (wanted)
	{
		*database = slot->info.database;
		take_slot(index, PROCESS_STARTING);
	}
	unlock();
	if (wanted)
		on_shmem_exit(leave_slot, (Datum) 0);
	else
		ConditionVariableBroadcast(&wake_shared.processes->gone);
	return wanted;
}

/* process_running -- our database has the extension; work begins. */
void
process_running(void)
{
	ProcessSlot *slot = slot_at(my_slot);

	lock_exclusive();
	slot->info.state = PROCESS_RUNNING;
	if (slot->info.kind == PROCESS_KEEPER)
		database_attach_keeper(slot->info.database);
	else if (slot->info.kind == PROCESS_FLUSHER)
		flush_attach(slot->info.database, true);
	unlock();
	set_launcher_latch();
}

/* process_exiting -- says why we are about to exit. */
void
process_exiting(ProcessExit exit)
{
	my_exit = exit;
}

/* process_should_leave -- does somebody want our database for itself? */
bool
process_should_leave(void)
{
	bool leave;

	lock_shared();
	leave = slot_at(my_slot)->leave;
	unlock();
	return leave;
}

/* process_should_check -- may our extension be another, or none?  Asks once. */
bool
process_should_check(void)
{
	ProcessSlot *slot = slot_at(my_slot);
	bool check;

	if (!slot->check)
		return false;
	lock_exclusive();
	check = slot->check;
	slot->check = false;
	unlock();
	return check;
}

/*
 * process_check_slots -- has the workers of a database look at the extension.
 * The caller locks.
 */
void
process_check_slots(Oid database)
{
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessSlot *slot = slot_at(i);

		if (slot->proc < 0 || slot->info.database != database)
			continue;
		slot->check = true;
		SetLatch(&GetPGProcByNumber(slot->proc)->procLatch);
	}
}

/* process_count -- adds to our counters; does nothing outside our workers. */
void
process_count(int ticks, int transactions, int items)
{
	ProcessSlot *slot = slot_at(my_slot);

	if (my_slot < 0)
		return;
	lock_exclusive();
	slot->info.ticks += ticks;
	slot->info.transactions += transactions;
	slot->info.items += items;
	unlock();
}

/* process_error -- remembers what went wrong last. */
void
process_error(const char *message)
{
	lock_exclusive();
	strlcpy(slot_at(my_slot)->info.last_error, message, PROCESS_MESSAGE_SIZE);
	unlock();
}

/* process_number -- which one of its kind this process is. */
int
process_number(void)
{
	return slot_at(my_slot)->info.number;
}

/* process_find_port -- does any other process listen there? */
ProcessPort
process_find_port(int port)
{
	ProcessPort found = PORT_UNUSED;

	lock_shared();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		const ProcessSlot *slot = slot_at(i);

		if (i == my_slot || slot->proc < 0 || slot->port != port)
			continue;
		if (slot->info.database == MyDatabaseId)
			found = Max(found, PORT_OURS);
		else
			found = PORT_THEIRS;
	}
	unlock();
	return found;
}

/* process_listens -- on this port from now on; 0: on none. */
void
process_listens(int port)
{
	lock_exclusive();
	slot_at(my_slot)->port = port;
	unlock();
}

/*
 * process_want -- asks the launcher for a worker of our database, or says that
 * it need not be started again.
 */
void
process_want(ProcessKind kind, int number, bool wanted)
{
	if (database_want(MyDatabaseId, kind, number, wanted))
	{
		lock_shared();
		set_launcher_latch();
		unlock();
	}
}

/* process_is_wanted -- the keeper of a database always is. */
bool
process_is_wanted(Oid database, ProcessKind kind, int number)
{
	return kind == PROCESS_KEEPER || database_wants(database, kind, number);
}

/* process_forget_unattached -- a new launcher knows nothing of the old one's. */
void
process_forget_unattached(void)
{
	lock_exclusive();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessSlot *slot = slot_at(i);

		if (slot->info.state == PROCESS_STARTING && slot->proc < 0)
		{
			slot->generation++;
			slot->info.state = PROCESS_GONE;
			slot->info.exit = PROCESS_ASKED;
		}
	}
	unlock();
}

/* The slot of a worker, or -1; caller locks. */
static int
find(Oid database, ProcessKind kind, int number)
{
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessInfo *info = &slot_at(i)->info;

		if (info->state != PROCESS_FREE && info->database == database && info->kind == kind &&
			info->number == number)
			return i;
	}
	return -1;
}

/* The slot of a worker, made if need be, or -1; caller locks. */
static int
find_or_create(Oid database, ProcessKind kind, int number)
{
	int index = find(database, kind, number);

	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES && index < 0; i++)
	{
		ProcessInfo *info = &slot_at(i)->info;

		if (info->state == PROCESS_FREE)
		{
			MemSet(info, 0, sizeof(ProcessInfo));
			info->database = database;
			info->kind = kind;
			info->number = number;
			index = i;
		}
	}
	return index;
}

/* process_find -- copies the slot of a worker; its number, or -1. */
int
process_find(Oid database, ProcessKind kind, int number, ProcessInfo *info)
{
	int slot;

	lock_shared();
	slot = find(database, kind, number);
	if (slot >= 0)
		*info = slot_at(slot)->info;
	unlock();
	return slot;
}

/*
 * process_prepare -- makes the slot of a worker that is about to be started.
 *
 * -1 when the database is held, or when there is no room.
 */
int
process_prepare(Oid database, ProcessKind kind, int number, uint32 *generation)
{
	int index = -1;

	lock_exclusive();
	if (!hold_exists(database) && database_create(database))
		index = find_or_create(database, kind, number);
	if (index >= 0)
	{
		slot_at(index)->info.state = PROCESS_STARTING;
		*generation = ++slot_at(index)->generation;
	}
	unlock();
	return index;
}

/* The slot of an executor of our database that does not run; caller locks. */
static bool
is_spent(const ProcessSlot *slot, Oid database)
{
	const ProcessInfo *info = &slot->info;

	return info->kind == PROCESS_EXECUTOR && info->database == database && slot->proc < 0 &&
		(info->state == PROCESS_GONE || info->state == PROCESS_WAITING);
}

/*
 * process_prepare_executor -- as process_prepare(), for one more executor.
 */
int
process_prepare_executor(Oid role, uint32 *generation)
{
	int index = -1;

	lock_exclusive();
	for (int i = LAUNCHER_SLOT + 1;
		 i < WAKE_PROCESSES && index < 0 && !hold_exists(MyDatabaseId); i++)
	{
		ProcessInfo *info = &slot_at(i)->info;

		if (info->state != PROCESS_FREE)
			continue;
		MemSet(info, 0, sizeof(ProcessInfo));
		info->database = MyDatabaseId;
		info->kind = PROCESS_EXECUTOR;
		info->role = role;
		info->state = PROCESS_STARTING;
		*generation = ++slot_at(i)->generation;
		index = i;
	}
	unlock();
	return index;
}

/* process_free_executors -- forgets those of a role in our database that have ended. */
void
process_free_executors(Oid role)
{
	lock_exclusive();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
		if (is_spent(slot_at(i), MyDatabaseId) && slot_at(i)->info.role == role)
			slot_at(i)->info.state = PROCESS_FREE;
	unlock();
}

/* process_ask_executor -- one of our database exits soon. */
void
process_ask_executor(int pid)
{
	lock_exclusive();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessSlot *slot = slot_at(i);

		if (slot->proc < 0 || slot->info.pid != pid || slot->info.database != MyDatabaseId)
			continue;
		slot->leave = true;
		SetLatch(&GetPGProcByNumber(slot->proc)->procLatch);
	}
	unlock();
}

/* process_wake_executors -- those of our database look at what is registered. */
void
process_wake_executors(void)
{
	lock_shared();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		ProcessSlot *slot = slot_at(i);

		if (slot->proc >= 0 && slot->info.kind == PROCESS_EXECUTOR &&
			slot->info.database == MyDatabaseId)
			SetLatch(&GetPGProcByNumber(slot->proc)->procLatch);
	}
	unlock();
}

/* process_role -- the role that this executor works for. */
Oid
process_role(void)
{
	return slot_at(my_slot)->info.role;
}

bool
process_is_away(const ProcessInfo *info, TimestampTz now)
{
	return info->busy_since != 0 && now - info->busy_since >= PROCESS_AWAY_US;
}

static bool
is_live_executor(const ProcessInfo *info, Oid database)
{
	return info->kind == PROCESS_EXECUTOR && info->database == database &&
		(info->state == PROCESS_RUNNING || info->state == PROCESS_STARTING);
}

/* The other executors of our role, by what they do. */
typedef struct Colleagues
{
	int count;
	int idle;
	int staying; /* free, or soon will be */
} Colleagues;

/* Caller locks. */
static Colleagues
count_colleagues(TimestampTz now)
{
	const ProcessInfo *own = &slot_at(my_slot)->info;
	Colleagues others = {0};

	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
	{
		const ProcessInfo *info = &slot_at(i)->info;

		if (i == my_slot || !is_live_executor(info, own->database) || info->role != own->role)
			continue;
		others.count++;
		others.idle += info->busy_since == 0;
		others.staying += !info->begun_long && !process_is_away(info, now);
	}
	return others;
}

/* process_busy -- an executor begins something. */
void
process_busy(void)
{
	ProcessInfo *info = &slot_at(my_slot)->info;
	TimestampTz now = clock_wall_now();
	bool none_idle;

	lock_exclusive();
	none_idle = info->busy_since == 0 && count_colleagues(now).idle == 0;
	info->busy_since = now;
	info->begun_long = false;
	unlock();
	/* The keeper then watches whether it takes long. */
	if (none_idle)
		database_note_busy();
}

/* process_idle -- an executor has nothing to do. */
void
process_idle(void)
{
	lock_exclusive();
	slot_at(my_slot)->info.busy_since = 0;
	slot_at(my_slot)->info.begun_long = false;
	unlock();
}

/* Caller locks. */
static int
count_executors(Oid database)
{
	int count = 0;

	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
		count += is_live_executor(&slot_at(i)->info, database);
	return count;
}

/* process_begin_long -- notes that it does, if it may; always true elsewhere. */
bool
process_begin_long(int limit)
{
	TimestampTz now = clock_wall_now();
	Colleagues others;
	bool may;

	if (my_slot < 0)
		return true;
	lock_exclusive();
	others = count_colleagues(now);
	may = others.staying > 0 || others.count == 0 || count_executors(MyDatabaseId) < limit;
	slot_at(my_slot)->info.begun_long |= may;
	unlock();
	return may;
}

/* process_forget_database -- it is gone, and nobody runs in it. */
void
process_forget_database(Oid database)
{
	lock_exclusive();
	for (int i = LAUNCHER_SLOT + 1; i < WAKE_PROCESSES; i++)
		if (is_spent(slot_at(i), database))
			slot_at(i)->info.state = PROCESS_FREE;
	unlock();
}

/* process_wait -- a worker that should run does not: the note says why. */
void
process_wait(int index, const char *note)
{
	ProcessSlot *slot = slot_at(index);

	lock_exclusive();
	slot->info.state = PROCESS_WAITING;
	strlcpy(slot->info.note, note, PROCESS_MESSAGE_SIZE);
	unlock();
	ConditionVariableBroadcast(&wake_shared.processes->gone);
}

/*
 * process_free -- a worker is not wanted any more, and gone.
 *
 * The last one of a database takes the database's entry with it.
 */
void
process_free(int index)
{
	ProcessSlot *slot = slot_at(index);

	lock_exclusive();
	slot->info.state = PROCESS_FREE;
	if (!process_any_slot(slot->info.database, false))
		database_remove(slot->info.database);
	unlock();
	ConditionVariableBroadcast(&wake_shared.processes->gone);
}

/* process_ask_to_leave -- the workers of a database exit soon. */
void
process_ask_to_leave(Oid database)
{
	lock_exclusive();
	process_ask_slots(database, false);
	unlock();
}
