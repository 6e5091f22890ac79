/*
 * tick.c
 *	  Due work without background workers: temporal.tick() does it inside the
 *	  caller's transaction, CALL temporal.run() in transactions of its own.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/clock.h"
#include "base/wait_event.h"
#include "exec/runner.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "service/tick.h"
#include "store/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_tick);
PG_FUNCTION_INFO_V1(temporal_run);

/* How often run() looks for what has become due. */
#define LOOK_INTERVAL USECS_PER_SEC
/* What may be taken that soon is waited for. */
#define SHORT_PAUSE (100 * 1000)

static void
check_idle(const char *name)
{
	if (call_is_busy())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.%s() cannot be called by a workflow or an activity", name)));
}

/* ---- tick ---- */

/*
 * Takes turns, so that no queue waits for another to become empty; and a task
 * that cannot be done now is in the way of no other.
 */
static int
do_tasks(List *queues, int max_items)
{
	Batch		batch = {0};
	bool		progress;

	do
	{
		ListCell   *cell;

		progress = false;
		foreach(cell, queues)
		{
			RunOutcome	outcome = RUN_NOTHING;
			int			passed_over = list_length(batch.passed_over);

			if (batch.done + passed_over < max_items)
				outcome = runner_do_task(lfirst(cell), &batch);
			if (outcome == RUN_DONE || list_length(batch.passed_over) > passed_over)
				progress = true;
			else if (outcome == RUN_LATER)
				queues = foreach_delete_current(queues, cell);
		}
	} while (progress);
	return batch.done;
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
	check_idle("tick");
	argument_prevent_read_only("temporal.tick()");
	MemoryContextSwitchTo(own);
	done = service_tick_as_caller(max_items);
	if (GetUserId() == GetSessionUserId())
		done += do_tasks(service_served_queues(), max_items - done);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	PG_RETURN_INT32(done);
}

/* ---- run ---- */

static bool
run_begin(const char *activity)
{
	xact_begin_user_step();
	return true;
}

static ErrorData *
run_commit(void)
{
	return xact_try_end_step();
}

static ErrorData *
run_attempt(void (*body) (void *arg), void *arg)
{
	ErrorData  *error;
	ErrorData  *commit_error;

	xact_begin_user_step();
	error = xact_guard(body, arg);
	commit_error = xact_try_end_step();
	return error != NULL ? error : commit_error;
}

static void
run_absent(uint64 queue_id)
{
}

static const LoopTransaction run_transaction = {run_begin, run_commit, run_attempt, run_absent};

/* One batch of timers, retries and effects; "memory" is for that. */
static int
run_due(MemoryContext memory, int batch_size)
{
	MemoryContext caller = MemoryContextSwitchTo(memory);
	int			done;

	MemoryContextReset(memory);
	xact_begin_step();
	done = service_tick_as_caller(batch_size);
	xact_end_step();
	MemoryContextSwitchTo(caller);
	return done;
}

/* How long to wait before looking again; 0: not at all. */
static int64
rest(const Loop *loop, bool wait)
{
	if (loop->pause > 0 && loop->pause <= SHORT_PAUSE)
		return loop->pause;
	return wait ? LOOK_INTERVAL : 0;
}

/*
 * temporal.run(max_time interval, batch_size integer, wait boolean)
 *
 * Until nothing is due any more or, with "wait", until the time is over.
 */
Datum
temporal_run(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = argument_deadline(fcinfo, 0);
	int32		batch_size = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	bool		wait = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	bool		own = GetUserId() == GetSessionUserId();
	MemoryContext due = AllocSetContextCreate(CurrentMemoryContext, "temporal run",
											  ALLOCSET_DEFAULT_SIZES);
	Loop		loop;

	if (batch_size <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("batch_size must be positive")));
	check_idle("run");
	argument_prevent_read_only("temporal.run()");
	loop_init(&loop, &run_transaction);
	xact_begin_procedure(fcinfo, "temporal.run()");
	for (;;)
	{
		int			done = run_due(due, batch_size);

		CHECK_FOR_INTERRUPTS();
		wake_check_client();
		if (own)
			done += loop_turn(&loop, batch_size);
		if ((done == 0 && rest(&loop, wait) == 0) || clock_now() >= deadline)
			break;
		if (done == 0)
			wake_wait(Min(deadline, clock_now() + rest(&loop, wait)),
					  wait_event(WAIT_EVENT_KEEPER_MAIN));
	}
	xact_end_procedure();
	PG_RETURN_VOID();
}
