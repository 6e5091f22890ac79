/*
 * clock.h
 *	  The time of day, and the engine's clock, which tests can move.
 */
#ifndef TEMPORAL_BASE_CLOCK_H
#define TEMPORAL_BASE_CLOCK_H

#include "datatype/timestamp.h"

/* What workflows live by: tests can move it. */
extern TimestampTz clock_now(void);
extern long clock_ms_until(TimestampTz when, long limit);

/* What processes live by: their pauses must not move with it. */
extern TimestampTz clock_wall_now(void);
extern long clock_wall_ms_until(TimestampTz when, long limit);

#endif /* TEMPORAL_BASE_CLOCK_H */
