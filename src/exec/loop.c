/*
 * loop.c
 *	  Turns of a process that runs functions: many tasks in one transaction.
 *
 * A commit may fail for what one of the tasks has done, and takes the others
 * with it.  All are put back then, and so many tasks are done apart: taking
 * one is committed, then the function and its completion, and if that fails
 * the failure is reported.  Tasks with effects elsewhere are always done so.
 *
 * A task that only collides with others is put back and is the next one again,
 * which must not go on for ever: in the end it is done apart, too.  So is one
 * whose answer cannot be written: its attempt is recorded then, and the next
 * one waits.
 *
 * A workflow task whose function takes long is put off until nothing else waits,
 * but not for long, and then done apart.
 *
 * Queues take turns, so that none waits for another to become empty, and a
 * transaction is kept short, so that who waits for its commit need not wait
 * for what follows.
 */
#include "postgres.h"

#include "base/clock.h"
#include "exec/runner.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "wake/wake.h"

#define BATCH_US (20 * 1000)
/* How often a task that collides is the next one again. */
#define MAX_COLLISIONS 3
/* So many turns pass a queue by that was empty. */
#define QUEUE_RESTS 7
/* How long a task is put off while there is something else to do. */
#define LATER_US USECS_PER_SEC
/* Readers pay for each subtransaction beyond 64. */
#define BATCH_SUBTRANSACTIONS 56

void
loop_init(Loop *loop, const LoopTransaction *transaction)
{
	memset(loop, 0, sizeof(*loop));
	loop->transaction = transaction;
	loop->memory = AllocSetContextCreate(CurrentMemoryContext, "temporal loop",
										 ALLOCSET_DEFAULT_SIZES);
	loop->served = AllocSetContextCreate(CurrentMemoryContext, "temporal served queues",
										 ALLOCSET_SMALL_SIZES);
}

/* ---- a task in its own transactions ---- */

static void
do_body(void *arg)
{
	task_do(arg);
}

typedef struct Apart
{
	Task	   *task;
	bool		done;			/* what fails after it is the commit */
} Apart;

static void
do_apart(void *arg)
{
	Apart	   *apart = arg;

	task_unless_gone(do_body, apart->task);
	apart->done = true;
}

typedef struct Report
{
	const Task *task;
	const ErrorData *error;
} Report;

static void
report_body(void *arg)
{
	const Report *to = arg;

	task_fail(to->task, to->error);
}

static void
report(void *arg)
{
	task_unless_gone(report_body, arg);
}

/* Does a task whose taking is committed.  What cancels a session still does then. */
static void
finish_apart(Loop *loop, Task *task)
{
	ErrorData  *error;
	ErrorData  *cancel = NULL;
	Apart		apart = {task, false};
	Report		to = {task};

	task_wait_for(task);
	error = loop->transaction->attempt(do_apart, &apart);
	to.error = error;
	if (error != NULL && failure_class(error) == ERROR_ENDS && MyBackendType != B_BG_WORKER)
		cancel = error;
	if (error != NULL && apart.done && task->workflow != NULL)
		step_note_failing_type(task->workflow->workflow_type->name);
	if (error != NULL)
		error = loop->transaction->attempt(report, &to);
	task_wait_for(NULL);
	if (error != NULL)
		ereport(LOG,
				(errmsg("could not report the failure of a task of queue \"%s\": %s",
						task->queue->name, error->message)));
	if (cancel != NULL)
		ReThrowError(cancel);
}

/* ---- batches ---- */

static bool
is_full(const Batch *batch, int max_tasks, TimestampTz begun)
{
	return batch->apart != NULL || batch->slow != NULL || batch->contended ||
		batch->done >= max_tasks ||
		MyProc->subxidStatus.count >= BATCH_SUBTRANSACTIONS ||
		clock_wall_now() - begun >= BATCH_US;
}

/*
 * Goes round the queues until those that do not rest are empty, or the batch is
 * full.
 */
static void
fill(Loop *loop, Batch *batch, int max_tasks)
{
	TimestampTz begun = clock_wall_now();
	int			n = list_length(loop->queues);
	int		   *rests = palloc0((n + 1) * sizeof(int));
	int			idle = 0;

	while (idle < n && !batch->collided && !is_full(batch, max_tasks, begun))
	{
		int			turn = loop->next++ % n;

		idle++;
		if (rests[turn] > 0)
			rests[turn]--;
		else if (runner_do_task(list_nth(loop->queues, turn), batch) == RUN_DONE)
			idle = 0;
		else
			rests[turn] = QUEUE_RESTS;
	}
}

/*
 * Before the commit after which a task is done apart: what else there is or
 * comes meanwhile is for others, also where we were woken for it.
 */
static void
be_absent(const Loop *loop, const Task *task)
{
	ListCell   *cell;

	loop->transaction->absent(task->queue->queue_id);
	foreach(cell, loop->queues)
		wake_mark_queue(((const ServiceQueue *) lfirst(cell))->queue_id);
}

/* Takes one task and commits that, then does it. */
static int
turn_apart(Loop *loop)
{
	int			n = list_length(loop->queues);
	const char *role = loop->role;
	Task		task = {0};
	bool		taken = false;

	loop->role = NULL;			/* after an error look again which those are */
	for (int i = 0; i < n && !taken; i++)
	{
		memset(&task, 0, sizeof(task));
		task.queue = list_nth(loop->queues, loop->next++ % n);
		task.identity = GetUserNameFromId(GetUserId(), false);
		task.timed = task.apart = true;
		taken = task_take(&task);
		loop->held |= task.held;
	}
	loop->role = role;
	loop->apart = taken ? loop->apart - 1 : 0;
	if (taken)
		be_absent(loop, &task);
	if (loop->transaction->commit() != NULL || !taken)
		return 0;
	finish_apart(loop, &task);
	return 1;
}

/* Sees to it that a task that collides is the next one; 1 if there is one. */
static int
note_collision(Loop *loop, const Batch *batch)
{
	loop->collisions = batch->collided ? loop->collisions + 1 : 0;
	if (!batch->collided)
		return 0;
	loop->next--;
	if (loop->collisions >= MAX_COLLISIONS)
	{
		loop->apart = 1;
		loop->collisions = 0;
	}
	return 1;
}

/*
 * A function was slow: its task stays where it is, and is done apart when
 * nothing else waits, or after a while.  1 if there is such a task.
 */
static int
note_slow(Loop *loop, const Batch *batch)
{
	if (batch->slow != NULL)
	{
		loop->slow = *batch->slow;
		loop->slow_queue = loop->next - 1;
		loop->slow_since = clock_wall_now();
	}
	else if (loop->slow_since == 0)
		return 0;
	else if (batch->done == 0 || clock_wall_now() - loop->slow_since >= LATER_US)
	{
		loop->slow_since = 0;
		loop->next = loop->slow_queue;
		loop->apart = 1;
	}
	return 1;
}

static int
turn_batch(Loop *loop, int max_tasks)
{
	Batch		batch = {.timed = true, .absent = loop->transaction->absent};
	int			more;

	/* One at a time: whoever is slow meanwhile is waited for. */
	batch.patient = loop->patient && loop->slow_since == 0;
	if (loop->slow_since != 0)
		batch.passed_over = list_make1(&loop->slow);
	fill(loop, &batch, max_tasks);
	loop->held = batch.held;
	loop->pause = batch.pause;
	if (batch.denied)
		loop->role = NULL;		/* look again which those are */
	if (batch.apart != NULL)
		be_absent(loop, batch.apart);
	more = note_slow(loop, &batch);
	if (loop->transaction->commit() != NULL)
	{
		loop->apart = batch.done + 1;
		return batch.done;
	}
	if (batch.apart != NULL)
	{
		finish_apart(loop, batch.apart);
		batch.done++;
	}
	return batch.done + more + note_collision(loop, &batch);
}

/* What this role serves; looked up again when a registration has changed. */
static void
look_up_queues(Loop *loop)
{
	const char *role = GetUserNameFromId(GetUserId(), false);
	uint64		version = service_registrations_version();
	MemoryContext caller;

	if (loop->role != NULL && loop->version == version && strcmp(loop->role, role) == 0)
		return;
	loop->role = NULL;
	MemoryContextReset(loop->served);
	caller = MemoryContextSwitchTo(loop->served);
	loop->queues = service_served_queues();
	loop->version = version;
	loop->role = pstrdup(role);
	MemoryContextSwitchTo(caller);
}

int
loop_turn(Loop *loop, int max_tasks)
{
	MemoryContext caller = CurrentMemoryContext;
	int			done;

	MemoryContextReset(loop->memory);
	loop->held = false;
	loop->pause = 0;
	if (!loop->transaction->begin("running functions"))
		return -1;
	MemoryContextSwitchTo(loop->memory);
	look_up_queues(loop);
	done = loop->apart > 0 ? turn_apart(loop) : turn_batch(loop, max_tasks);
	MemoryContextSwitchTo(caller);
	return done;
}
