/*
 * wait_event.c
 *	  Names of what we wait for.
 *
 * PostgreSQL 17 and later show them; before that every extension waits for
 * "Extension".
 */
#include "postgres.h"

#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/wait_event.h"

static const char *const names[] = {
	[WAIT_EVENT_EXECUTOR_MAIN] = "TemporalExecutorMain",
	[WAIT_EVENT_FLUSHER_MAIN] = "TemporalFlusherMain",
	[WAIT_EVENT_FRONTEND_MAIN] = "TemporalFrontendMain",
	[WAIT_EVENT_KEEPER_MAIN] = "TemporalKeeperMain",
	[WAIT_EVENT_LAUNCHER_MAIN] = "TemporalLauncherMain",
	[WAIT_EVENT_QUEUE] = "TemporalQueue",
	[WAIT_EVENT_RUN_CLOSED] = "TemporalRunClosed",
	[WAIT_EVENT_WORKER_BACKOFF] = "TemporalWorkerBackoff",
	[WAIT_EVENT_WORKERS_GONE] = "TemporalWorkersGone",
};

static uint32 numbers[lengthof(names)];

/* wait_event -- the number to give to WaitLatch() and its kin. */
uint32
wait_event(WaitEventName name)
{
	if (numbers[name] == 0)
		numbers[name] = compat_wait_event(names[name]);
	return numbers[name];
}
