/*
 * retention.h
 *	  The end of closed runs.
 */
#ifndef TEMPORAL_SERVICE_RETENTION_H
#define TEMPORAL_SERVICE_RETENTION_H

#include "service/guard.h"

/* A run that is to be deleted whatever its age: its timer has come. */
extern Outcome retention_fire(const TimerRow *timer);

/*
 * Deletes up to "limit" runs whose retention has passed at "now"; how many it
 * looked at.  *next is when it has to be called again.  Never waits for locks.
 */
extern int	retention_sweep(TimestampTz now, int limit, TimestampTz *next);

#endif							/* TEMPORAL_SERVICE_RETENTION_H */
