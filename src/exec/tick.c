/*
 * tick.c
 *	  temporal.tick(): due work inside the caller's transaction; and
 *	  temporal.run(): in transactions of its own.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/clock.h"
#include "base/wait_event.h"
#include "exec/runner.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "service/access.h"
#include "service/tick.h"
#include "store/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_tick);
PG_FUNCTION_INFO_V1(temporal_run);

/* How often run() looks for what has become due. */
#define LOOK_INTERVAL USECS_PER_SEC

/* Takes turns, so that no queue waits for another to become empty. */
static int
do_tasks(List *queues, int max_items)
{
	int			done = 0;
	bool		progress;

	do
	{
		ListCell   *cell;

		progress = false;
		foreach(cell, queues)
		{
			RunOutcome	outcome = done < max_items ? runner_do_task(lfirst(cell)) : RUN_NOTHING;

			if (outcome == RUN_DONE)
			{
				progress = true;
				done++;
			}
			if (outcome == RUN_LATER)
				queues = foreach_delete_current(queues, cell);
		}
	} while (progress);
	return done;
}

/*
 * Does up to "max_items" of what is due; how many it did.
 *
 * Functions run only if they are the session's own: what they leave for the
 * end of the transaction is run as whoever the session belongs to.
 */
static int
tick(int32 max_items)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "temporal tick", ALLOCSET_DEFAULT_SIZES);
	int			done;

	if (max_items <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_items must be positive")));
	if (runner_is_busy())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.tick() cannot be called by a workflow or an activity")));
	argument_prevent_read_only("temporal.tick()");
	service_require_superadmin();
	MemoryContextSwitchTo(own);
	service_tick(DT_NOBEGIN, max_items, &done);
	if (GetUserId() == GetSessionUserId())
		done += do_tasks(service_served_queues(), max_items - done);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	return done;
}

/* temporal.tick(max_items integer) returns integer */
Datum
temporal_tick(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(tick(PG_GETARG_INT32(0)));
}

/* temporal.run(max_time interval, batch_size integer, wait boolean) */
Datum
temporal_run(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = argument_deadline(fcinfo, 0);
	int32		max_items = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	bool		wait = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	int			done;

	argument_prevent_read_only("temporal.run()");
	xact_begin_procedure(fcinfo, "temporal.run()");
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		xact_begin_user_step();
		done = tick(max_items);
		xact_end_step();
		if ((done == 0 && !wait) || clock_now() >= deadline)
			break;
		if (done == 0)
			wake_wait(Min(deadline, clock_now() + LOOK_INTERVAL),
					  wait_event(WAIT_EVENT_KEEPER_MAIN));
	}
	xact_end_procedure();
	PG_RETURN_VOID();
}
