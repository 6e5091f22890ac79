/*
 * tick.c
 *	  temporal.tick(): due work inside the caller's transaction.
 */
#include "postgres.h"

#include "exec/runner.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "service/access.h"
#include "service/tick.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(temporal_tick);

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
 * temporal.tick(max_items integer) returns integer
 *
 * Functions run only if they are the session's own: what they leave for the
 * end of the transaction is run as whoever the session belongs to.
 */
Datum
temporal_tick(PG_FUNCTION_ARGS)
{
	int32		max_items = PG_GETARG_INT32(0);
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
	service_require_superadmin();
	MemoryContextSwitchTo(own);
	service_tick(DT_NOBEGIN, max_items, &done);
	if (GetUserId() == GetSessionUserId())
		done += do_tasks(service_served_queues(), max_items - done);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	PG_RETURN_INT32(done);
}
