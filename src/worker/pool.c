/*
 * pool.c
 *	  The executors of a database, as its keeper looks after them.
 *
 * An executor works for one role.  As long as there are no more roles with
 * functions than temporal.executors, every role has at least one and keeps it.
 * With more roles they take turns: a role that has tasks and no executor gets
 * the place of one that is idle or has been at work longest.
 *
 * An executor that has been with one task for over a second is away: when all
 * of a role are, another one is started, temporal.extra_executors at most, and
 * leaves when they have been back for a while.
 *
 * An executor that has failed is started again after a pause, and does its
 * first tasks one by one: that which has ended it may come again.  The pause is
 * that of its role, so that it keeps nobody else from work.  The launcher
 * does not know executors; when the keeper has died, its successor finds them
 * at work.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "service/registration.h"
#include "wake/process.h"
#include "worker/pool.h"

#define LOOK_MS 1000   /* not more often, and so often while roles wait */
#define RETRY_MS 5000  /* after an executor could not be started or has failed often */
#define FIRST_RETRY_MS 500
#define CAUTIOUS_MS 60000 /* after that the failure is forgotten */
#define TURN_MS 1000   /* how long a role may keep an executor that others want */
#define EXTRA_MS 10000 /* how long one stays that is not needed any more */
#define FOREVER_MS (60 * 60 * 1000)
#define CAUTIOUS_BYTE sizeof(uint32) /* of bgw_extra, behind the generation */

typedef struct Executors
{
	ProcessInfo infos[MAX_EXECUTORS]; /* those that run or start */
	int count;
	Oid failed[MAX_EXECUTORS]; /* roles whose executors have failed */
	int n_failed;
} Executors;

/* A role whose executor has failed: none is started before then. */
typedef struct Rest
{
	Oid role;
	bool resting;
	TimestampTz failed_at;
	TimestampTz start_at;
	int failures; /* in a row */
} Rest;

static TimestampTz look_at = DT_NOBEGIN; /* a time of day, as are all here */
static TimestampTz looked_at = 0;
static TimestampTz away_at = 0; /* when executors were away last */
static TimestampTz start_at = DT_NOBEGIN; /* one could not be started: none is before then */
static Rest rests[MAX_EXECUTORS];
static int n_rests = 0;
static uint64 seen; /* what was registered at the last look */

bool
pool_is_due(void)
{
	return look_at <= clock_wall_now();
}

void
pool_look_soon(void)
{
	look_at = Min(look_at, looked_at + LOOK_MS * INT64CONST(1000));
}

long
pool_sleep_ms(long limit)
{
	return clock_wall_ms_until(look_at, limit);
}

/* Those of our database. */
static void
find_executors(Executors *executors)
{
	ProcessInfo info;
	int cursor = 0;

	executors->count = executors->n_failed = 0;
	while (process_next(&cursor, &info) && executors->count < MAX_EXECUTORS)
	{
		if (info.kind != PROCESS_EXECUTOR || info.database != MyDatabaseId)
			continue;
		if (info.state == PROCESS_RUNNING || info.state == PROCESS_STARTING)
			executors->infos[executors->count++] = info;
		else if (executors->n_failed < MAX_EXECUTORS)
			executors->failed[executors->n_failed++] = info.role;
	}
}

/* One that starts will be there soon. */
static bool
is_there(const ProcessInfo *info)
{
	return !process_is_away(info, clock_wall_now());
}

/* Those of a role that are there. */
static int
count_of(const Executors *executors, Oid role)
{
	int count = 0;

	for (int i = 0; i < executors->count; i++)
		count += executors->infos[i].role == role && is_there(&executors->infos[i]);
	return count;
}

static int
count_there(const Executors *executors)
{
	int count = 0;

	for (int i = 0; i < executors->count; i++)
		count += is_there(&executors->infos[i]);
	return count;
}

static bool
any_busy(const Executors *executors)
{
	for (int i = 0; i < executors->count; i++)
		if (executors->infos[i].busy_since != 0)
			return true;
	return false;
}

/* ---- pauses ---- */

static Rest *
find_rest(Oid role)
{
	for (int i = 0; i < n_rests; i++)
		if (rests[i].role == role)
			return &rests[i];
	return NULL;
}

/* One for that role, in the place of the oldest if there are too many. */
static Rest *
make_rest(Oid role)
{
	Rest *rest = &rests[0];

	if (n_rests < MAX_EXECUTORS)
		rest = &rests[n_rests++];
	else
		for (int i = 1; i < n_rests; i++)
			if (rests[i].failed_at < rest->failed_at)
				rest = &rests[i];
	MemSet(rest, 0, sizeof(Rest));
	rest->role = role;
	return rest;
}

static bool
is_resting(Oid role)
{
	const Rest *rest = find_rest(role);

	return rest != NULL && rest->resting;
}

static bool
anybody_rests(void)
{
	for (int i = 0; i < n_rests; i++)
		if (rests[i].resting)
			return true;
	return false;
}

/* Has one failed a short time ago? */
static bool
is_cautious(const Rest *rest, TimestampTz now)
{
	return rest != NULL && now - rest->failed_at < CAUTIOUS_MS * INT64CONST(1000);
}

/* How long to wait after a failure: longer each time. */
static long
retry_ms(int failures)
{
	return failures > 4 ? RETRY_MS : Min(FIRST_RETRY_MS << (failures - 1), RETRY_MS);
}

static void
begin_rest(Oid role, TimestampTz now)
{
	Rest *rest = find_rest(role);

	if (rest == NULL)
		rest = make_rest(role);
	if (rest->resting)
		return;
	rest->failures = is_cautious(rest, now) ? rest->failures + 1 : 1;
	rest->failed_at = now;
	rest->start_at = now + retry_ms(rest->failures) * INT64CONST(1000);
	rest->resting = true;
}

/* Until a pause is over one can see why there is one. */
static void
end_rests(TimestampTz now)
{
	for (int i = 0; i < n_rests; i++)
	{
		if (!rests[i].resting || rests[i].start_at > now)
			continue;
		process_free_executors(rests[i].role);
		rests[i].resting = false;
	}
}

/* ---- starting and leaving ---- */

static bool
start_executor(Oid role)
{
	BackgroundWorker worker = {0};
	uint32 generation;
	int slot = process_prepare_executor(role, &generation);

	if (slot < 0)
		return false;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	worker.bgw_extra[CAUTIOUS_BYTE] = is_cautious(find_rest(role), clock_wall_now());
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "temporal executor for database %u",
			 MyDatabaseId);
	strlcpy(worker.bgw_type, "temporal executor", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "temporal", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "temporal_executor_main", sizeof(worker.bgw_function_name));
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return true;
	process_wait(slot, "no background worker slot is free, increase max_worker_processes");
	return false;
}

/* The role that gets the next executor; InvalidOid if none needs one. */
static Oid
neediest(const Executors *executors, List *roles)
{
	Oid best = InvalidOid;
	int fewest = 0;
	ListCell *cell;

	foreach(cell, roles)
	{
		const FunctionRole *role = lfirst(cell);
		int count = count_of(executors, role->role);

		if (is_resting(role->role))
			continue;
		/* With too many roles only those that have work. */
		if (list_length(roles) > guc_executors && (count > 0 || !role->has_work))
			continue;
		if (!OidIsValid(best) || count < fewest)
		{
			best = role->role;
			fewest = count;
		}
	}
	return best;
}

static bool
has_work(List *roles, Oid role)
{
	ListCell *cell;

	foreach(cell, roles)
		if (((const FunctionRole *) lfirst(cell))->role == role)
			return ((const FunctionRole *) lfirst(cell))->has_work;
	return false;
}

/* May its place be given to another role? */
static bool
is_free(const Executors *executors, const ProcessInfo *info, bool crowded)
{
	if (info->state != PROCESS_RUNNING || !is_there(info))
		return false;
	if (count_of(executors, info->role) > 1)
		return true;
	return crowded && clock_wall_now() - info->started >= TURN_MS * INT64CONST(1000);
}

/* Is "a" to go rather than "b"?  Who is idle, then who has been here longer. */
static bool
goes_first(List *roles, const ProcessInfo *a, const ProcessInfo *b)
{
	if (has_work(roles, a->role) != has_work(roles, b->role))
		return has_work(roles, b->role);
	return a->started < b->started;
}

/* Asks one to leave whose place is wanted. */
static void
make_room(const Executors *executors, List *roles, bool crowded)
{
	const ProcessInfo *chosen = NULL;

	for (int i = 0; i < executors->count; i++)
	{
		const ProcessInfo *info = &executors->infos[i];

		if (is_free(executors, info, crowded) &&
			(chosen == NULL || goes_first(roles, info, chosen)))
			chosen = info;
	}
	if (chosen != NULL)
		process_ask_executor(chosen->pid);
}

/* Has a role that needs an executor none at all? */
static bool
lacks_executor(const Executors *executors, List *roles)
{
	Oid role = neediest(executors, roles);

	return guc_executors > 0 && executors->count >= guc_executors && OidIsValid(role) &&
		count_of(executors, role) == 0;
}

static bool
is_listed(List *roles, Oid role)
{
	ListCell *cell;

	foreach(cell, roles)
		if (((const FunctionRole *) lfirst(cell))->role == role)
			return true;
	return false;
}

/*
 * Those above the limit have to go, and those whose role has no functions.  As
 * long as some are away the others stay, and for a while after that.
 */
static void
dismiss(const Executors *executors, List *roles, TimestampTz now)
{
	bool lately = now - away_at < EXTRA_MS * INT64CONST(1000);
	int limit = lately ? guc_executor_limit() : guc_executors;

	for (int i = 0; i < executors->count; i++)
	{
		const ProcessInfo *info = &executors->infos[i];

		if (info->state == PROCESS_RUNNING && (i >= limit || !is_listed(roles, info->role)))
			process_ask_executor(info->pid);
	}
}

/* Is there a place for one more of that role? */
static bool
has_place(const Executors *executors, Oid role)
{
	if (executors->count < guc_executors)
		return true;
	return executors->count < guc_executor_limit() && count_of(executors, role) == 0 &&
		count_there(executors) < guc_executors;
}

static void
start_missing(Executors *executors, List *roles)
{
	while (executors->count < MAX_EXECUTORS)
	{
		Oid role = neediest(executors, roles);

		if (!OidIsValid(role) || !has_place(executors, role))
			return;
		if (!start_executor(role))
		{
			start_at = clock_wall_now() + RETRY_MS * INT64CONST(1000);
			return;
		}
		MemSet(&executors->infos[executors->count], 0, sizeof(ProcessInfo));
		executors->infos[executors->count].role = role;
		executors->infos[executors->count++].state = PROCESS_STARTING;
	}
}

/* Is what is registered not what it was? */
static bool
has_changed(List *roles)
{
	uint64 hash = 1;
	ListCell *cell;

	foreach(cell, roles)
		hash = ident_hash(hash, &((const FunctionRole *) lfirst(cell))->queues, sizeof(uint64));
	if (hash == seen)
		return false;
	seen = hash;
	return true;
}

bool
pool_is_cautious(void)
{
	return MyBgworkerEntry->bgw_extra[CAUTIOUS_BYTE] != 0;
}

void
pool_attend(void)
{
	TimestampTz now = clock_wall_now();
	List *roles = service_function_roles(false);
	bool crowded = list_length(roles) > guc_executors && guc_executors > 0;
	bool lacking;
	Executors executors;

	if (crowded)
		roles = service_function_roles(true);
	if (has_changed(roles))
		process_wake_executors();
	end_rests(now);
	find_executors(&executors);
	for (int i = 0; i < executors.n_failed; i++)
		begin_rest(executors.failed[i], now);
	if (count_there(&executors) < executors.count)
		away_at = now;
	dismiss(&executors, roles, now);
	if (start_at <= now)
		start_missing(&executors, roles);
	lacking = lacks_executor(&executors, roles);
	if (lacking)
		make_room(&executors, roles, crowded);
	looked_at = now;
	look_at = now + INT64CONST(1000) *
		(crowded || lacking || start_at > now || anybody_rests() ||
		 executors.count > guc_executors || any_busy(&executors) ? LOOK_MS : FOREVER_MS);
}
