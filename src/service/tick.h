/*
 * tick.h
 *	  Due work: timers, retries, timeouts, effects, retention.
 */
#ifndef TEMPORAL_SERVICE_TICK_H
#define TEMPORAL_SERVICE_TICK_H

#include "datatype/timestamp.h"

/*
 * Does up to "max_items" of what is due inside the current transaction, in
 * subtransactions.  Nothing due before "from" is looked for: what was there is
 * gone, but maybe not vacuumed yet.  Returns when the next item is due, now or
 * earlier if some are left or locked by others, DT_NOEND if there is none: the
 * next call may begin there.  Never waits for a lock on a run.
 */
extern TimestampTz service_tick(TimestampTz from, int max_items, int *done);

/*
 * The same for the namespaces in which the caller may be the worker of every
 * queue: nothing for one of single queues, an error for one of none.
 */
extern int	service_tick_as_caller(int max_items);

#endif							/* TEMPORAL_SERVICE_TICK_H */
