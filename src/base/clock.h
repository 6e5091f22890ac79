/*
 * clock.h
 *	  The engine's clock: the time of day plus temporal.clock_offset.
 */
#ifndef TEMPORAL_BASE_CLOCK_H
#define TEMPORAL_BASE_CLOCK_H

#include "datatype/timestamp.h"

extern TimestampTz clock_now(void);
extern long clock_ms_until(TimestampTz when, long limit);

#endif /* TEMPORAL_BASE_CLOCK_H */
