/*
 * executor.c
 *	  The process that runs the functions that one role has registered.
 *
 * It polls the task queues of that role like any worker, and sleeps until one
 * of them has a task.  It ends when the role has no functions any more.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "exec/runner.h"
#include "wake/wake.h"
#include "worker/pool.h"
#include "worker/worker.h"

#define MAX_TASKS 1000
#define FIRST_RETRY_MS 50
#define LAST_RETRY_MS 5000
#define IDLE_SLEEP_MS (60 * 60 * 1000)

PGDLLEXPORT void temporal_executor_main(Datum arg);

static Loop loop;
static uint64 registered = 0; /* a hash of the queues we wait for, 0: none */
static long retry_ms = FIRST_RETRY_MS;

/* ---- transactions ---- */

static void
end_body(void *arg)
{
	worker_end();
}

static ErrorData *
commit(void)
{
	return worker_try(end_body, NULL);
}

typedef struct Attempt
{
	void (*body)(void *arg);
	void *arg;
} Attempt;

static void
attempt_body(void *arg)
{
	Attempt *attempt = arg;
	MemoryContext caller = CurrentMemoryContext;

	if (!worker_begin("running a function"))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("extension \"temporal\" is locked")));
	MemoryContextSwitchTo(caller);
	attempt->body(attempt->arg);
	worker_end();
}

static ErrorData *
attempt(void (*body)(void *arg), void *arg)
{
	Attempt to = {body, arg};

	return worker_try(attempt_body, &to);
}

/* ---- waiting ---- */

static uint64
queues_hash(const List *queues)
{
	uint64 hash = 1;
	ListCell *cell;

	foreach(cell, queues)
	{
		const ServiceQueue *queue = lfirst(cell);

		hash = ident_hash(hash, &queue->queue_id, sizeof(queue->queue_id));
	}
	return hash;
}

static void
stop_waiting(void)
{
	if (registered != 0)
		wake_unregister();
	registered = 0;
}

static void
absent(uint64 queue_id)
{
	if (registered != 0)
		wake_leave(queue_id);
	registered = 0;
}

static const LoopTransaction transaction = {worker_begin, commit, attempt, absent};

/* Waits for all of our queues; false if we did already. */
static bool
start_waiting(void)
{
	uint64 hash = queues_hash(loop.queues);
	ListCell *cell;

	if (registered == hash)
		return false;
	stop_waiting();
	foreach(cell, loop.queues)
		wake_register(WAKE_QUEUE, ((const ServiceQueue *) lfirst(cell))->queue_id);
	registered = hash;
	return true;
}

/* How long to sleep when there was nothing to do. */
static long
idle_ms(void)
{
	if (loop.pause > 0)
		return loop.pause / 1000 + 1;
	if (!loop.held)
	{
		retry_ms = FIRST_RETRY_MS;
		return IDLE_SLEEP_MS;
	}
	retry_ms = Min(retry_ms * 2, LAST_RETRY_MS);
	return retry_ms;
}

/* How long to rest; 0: not at all. */
static long
executor_turn(void)
{
	int done;

	process_busy();
	/* What we were woken for is looked for now. */
	if (registered != 0)
		(void) wake_wait(DT_NOBEGIN, 0);
	done = loop_turn(&loop, MAX_TASKS);
	if (done <= 0)
		process_idle();
	if (done < 0)
		return WORKER_RETRY_MS;
	if (loop.queues == NIL)
		worker_leave(PROCESS_ASKED);
	if (done > 0)
	{
		stop_waiting();
		process_count(1, 0, done);
		retry_ms = FIRST_RETRY_MS;
		return 0;
	}
	/*
	 * Look once more: a task may have come before we were known.  But what was
	 * put back would only be taken and put back again.
	 */
	return start_waiting() && !loop.held ? 0 : idle_ms();
}

void
temporal_executor_main(Datum arg)
{
	MemoryContextSwitchTo(TopMemoryContext);
	worker_start_executor(arg, "temporal executor");
	loop_init(&loop, &transaction);
	loop.patient = true;
	if (pool_is_cautious())
		loop.apart = LOOP_CAUTIOUS;
	worker_loop(executor_turn, WAIT_EVENT_EXECUTOR_MAIN);
}
