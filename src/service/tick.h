/*
 * tick.h
 *	  Due work: timers, retries, timeouts, effects, retention.
 */
#ifndef TEMPORAL_SERVICE_TICK_H
#define TEMPORAL_SERVICE_TICK_H

#include "datatype/timestamp.h"

/*
 * Does up to "max_items" of what is due, each in a subtransaction of its own,
 * inside the current transaction.  Adds what was done to *done, and sets *more
 * if there may be more at once.  Returns when the next item is due, DT_NOEND
 * if there is none.  Never waits for a lock on a run.
 */
extern TimestampTz service_tick(int max_items, int *done, bool *more);

#endif							/* TEMPORAL_SERVICE_TICK_H */
