/*
 * worker.h
 *	  What all our background workers share.
 */
#ifndef TEMPORAL_WORKER_WORKER_H
#define TEMPORAL_WORKER_WORKER_H

#include "base/compat.h"
#include "base/wait_event.h"
#include "wake/process.h"

/* How long a worker rests before it tries again what somebody locks. */
#define WORKER_RETRY_MS 1000

/* One turn of a main loop; returns how many milliseconds to sleep after it. */
typedef long (*WorkerTurn)(void);

/* Sleeps until the latch is set, "timeout" milliseconds are over, or more. */
typedef void (*WorkerWait)(long timeout, uint32 wait_event_info);

extern void worker_start(Datum arg, const char *name);
extern void worker_start_executor(Datum arg, const char *name);
extern void worker_pin_settings(void);

/* How often the configuration was read again. */
extern int worker_reloads(void);
extern pg_noreturn void worker_loop(WorkerTurn turn, WaitEventName idle);
extern pg_noreturn void worker_loop_with(WorkerTurn turn, WorkerWait wait, WaitEventName idle);
extern pg_noreturn void worker_leave(ProcessExit why);

extern bool worker_begin(const char *activity);
extern void worker_end(void);

/*
 * Runs "body", which may begin and end transactions.  NULL, or its error in the
 * memory context of the call; the transaction is gone then, and the error is
 * in the server log.
 */
extern ErrorData *worker_try(void (*body)(void *arg), void *arg);

#endif /* TEMPORAL_WORKER_WORKER_H */
