/*
 * worker.h
 *	  What all our background workers share.
 */
#ifndef TEMPORAL_WORKER_WORKER_H
#define TEMPORAL_WORKER_WORKER_H

#include "base/compat.h"
#include "base/wait_event.h"

/* How long a worker rests before it tries again what somebody locks. */
#define WORKER_RETRY_MS 1000

/* One turn of a main loop; returns how many milliseconds to sleep after it. */
typedef long (*WorkerTurn)(void);

extern void worker_start(Datum arg, const char *name);
extern void worker_pin_settings(void);
extern pg_noreturn void worker_loop(WorkerTurn turn, WaitEventName idle);

extern bool worker_begin(const char *activity);
extern void worker_end(void);

#endif /* TEMPORAL_WORKER_WORKER_H */
