/*
 * retention.c
 *	  The end of closed runs.
 *
 * A run goes when its namespace's retention has passed since it closed.  No row
 * waits for that moment: a pass over the index of closing times finds whose
 * retention is over.  A run that cannot be deleted is left to the next pass.
 */
#include "postgres.h"

#include "service/retention.h"
#include "utils/timestamp.h"

/* No later than this is looked again, whatever was found last time. */
#define LOOK_AGAIN (USECS_PER_SEC * SECS_PER_MINUTE * MINS_PER_HOUR)

/*
 * Where this process is in its pass: what it left behind is gone, but maybe
 * not vacuumed yet.  Only a hint, so it may survive a rollback.
 */
static struct
{
	char		namespace_name[256];	/* "" between two passes */
	TimestampTz from;			/* closing time in that namespace */
	TimestampTz next;			/* when the next pass begins */
}			pass;

static Outcome
delete_run(const RunKey *key)
{
	bool		busy;
	ExecutionState *state = guard_lock_run(key, &busy);

	if (busy || (state != NULL && !state_is_open(state) && !store_delete_run(state)))
		return ITEM_BUSY;
	return ITEM_DONE;
}

Outcome
retention_fire(const TimerRow *timer)
{
	if (delete_run(&timer->key) == ITEM_BUSY)
		return ITEM_BUSY;
	store_drop_timer(timer);
	return ITEM_DONE;
}

static Outcome
delete_one(ServiceCall *call, const void *item)
{
	return delete_run(&((const ClosedRun *) item)->key);
}

static Outcome
delete_all(ServiceCall *call, const void *item)
{
	ListCell   *cell;

	/* Who is busy now is met again by the next pass. */
	foreach(cell, (const List *) item)
		delete_run(&((ClosedRun *) lfirst(cell))->key);
	return ITEM_DONE;
}

/* In one subtransaction, because readers pay for every further one. */
static void
delete_runs(List *runs)
{
	ListCell   *cell;

	if (runs == NIL)
		return;
	if (guard_run(delete_all, runs).error == NULL)
		return;
	foreach(cell, runs)
	{
		const ClosedRun *run = lfirst(cell);
		Guarded		result = guard_run(delete_one, run);

		if (result.error != NULL)
			ereport(WARNING,
					(errmsg("could not delete run %s after its retention: %s",
							ident_uuid_text(&run->key.run_id), result.error)));
	}
}

/*
 * Goes on in one namespace; how many runs were looked at.  *earliest is when
 * the first is due that was not, DT_NOEND if there is none.
 */
static int
sweep_namespace(const Namespace *namespace, TimestampTz now, int limit, TimestampTz *earliest)
{
	List	   *expired = NIL;
	ListCell   *cell;

	*earliest = DT_NOEND;
	foreach(cell, store_closed_runs(&namespace->id, pass.from, limit))
	{
		ClosedRun  *run = lfirst(cell);

		pass.from = run->close_time;
		if (run->close_time + namespace->retention > now)
		{
			*earliest = run->close_time + namespace->retention;
			break;
		}
		expired = lappend(expired, run);
	}
	delete_runs(expired);
	return list_length(expired);
}

int
retention_sweep(TimestampTz now, int limit, TimestampTz *next)
{
	int			done = 0;
	ListCell   *cell;

	*next = pass.next;
	/* A clock that was set back must not stop the passes. */
	if (pass.namespace_name[0] == '\0' && now < pass.next && pass.next <= now + LOOK_AGAIN)
		return 0;
	if (pass.namespace_name[0] == '\0')
		pass.next = now + LOOK_AGAIN;
	foreach(cell, store_every_namespace())
	{
		const Namespace *namespace = lfirst(cell);
		int			order = strcmp(namespace->name, pass.namespace_name);
		TimestampTz earliest;

		if (order < 0)
			continue;
		if (order > 0)
			pass.from = DT_NOBEGIN;
		strlcpy(pass.namespace_name, namespace->name, sizeof(pass.namespace_name));
		done += sweep_namespace(namespace, now, limit - done, &earliest);
		if (done >= limit)
		{
			*next = now;
			return done;
		}
		pass.next = Min(pass.next, earliest);
	}
	pass.namespace_name[0] = '\0';
	pass.from = DT_NOBEGIN;
	*next = pass.next;
	return done;
}
