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
	char		namespace_name[ID_LIMIT + 1];	/* "" between two passes */
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

/* What a tick may do yet. */
typedef struct Allowance
{
	int			runs;
	int			guards;
} Allowance;

/*
 * In one subtransaction, because readers pay for every further one; if that
 * fails, some in one each.  How many of them have had their turn.
 */
static int
delete_runs(List *runs, Allowance *left)
{
	int			done = 0;
	ListCell   *cell;

	left->guards--;
	if (guard_run(delete_all, runs).error == NULL)
		return list_length(runs);
	left->guards = Max(left->guards, 1);
	foreach(cell, runs)
	{
		const ClosedRun *run = lfirst(cell);
		Guarded		result;

		if (left->guards == 0)
			break;
		result = guard_run(delete_one, run);
		left->guards--;
		done++;
		if (result.error != NULL)
			ereport(WARNING,
					(errmsg("could not delete run %s after its retention: %s",
							ident_uuid_text(&run->key.run_id), result.error)));
	}
	return done;
}

/* The pass goes on behind a run; at the latest with the next microsecond. */
static void
go_on_behind(const ClosedRun *run)
{
	pass.from = run->close_time > pass.from ? run->close_time : pass.from + 1;
}

/*
 * Goes on in one namespace; true if nothing is left to do there.  *earliest is
 * when the first is due that was not, DT_NOEND if there is none.
 */
static bool
sweep_namespace(const Namespace *namespace, TimestampTz now, Allowance *left,
				TimestampTz *earliest)
{
	List	   *closed = store_closed_runs(&namespace->id, pass.from, left->runs);
	List	   *expired = NIL;
	ListCell   *cell;
	int			done;

	*earliest = DT_NOEND;
	foreach(cell, closed)
	{
		ClosedRun  *run = lfirst(cell);

		if (run->close_time + namespace->retention > now)
		{
			*earliest = run->close_time + namespace->retention;
			break;
		}
		expired = lappend(expired, run);
	}
	if (expired == NIL)
		return true;
	done = delete_runs(expired, left);
	go_on_behind(list_nth(expired, done - 1));
	left->runs -= done;
	return done == list_length(expired) && left->runs > 0;
}

int
retention_sweep(TimestampTz now, int limit, TimestampTz *next)
{
	Allowance	left = {limit, GUARD_MAX};
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
		if (!sweep_namespace(namespace, now, &left, &earliest) || left.guards == 0)
		{
			*next = now;
			return limit - left.runs;
		}
		pass.next = Min(pass.next, earliest);
	}
	pass.namespace_name[0] = '\0';
	pass.from = DT_NOBEGIN;
	*next = pass.next;
	return limit - left.runs;
}
