/*
 * clock.c
 *	  The only reader of the time of day.
 *
 * Tests move the clock with temporal.clock_offset.  Times that are stored,
 * compared with stored times or put into shared memory come from here.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"

/* Milliseconds from "now" to "when", rounded up, from 0 to "limit". */
static long
ms_between(TimestampTz now, TimestampTz when, long limit)
{
	if (when <= now)
		return 0;
	if (TIMESTAMP_IS_NOEND(when) || when - now >= (TimestampTz) limit * 1000)
		return limit;
	return (long) ((when - now + 999) / 1000);
}

/* clock_now -- the time at which the engine believes to be. */
TimestampTz
clock_now(void)
{
	return GetCurrentTimestamp() + (TimestampTz) (guc_clock_offset * 1000.0);
}

/* clock_ms_until -- milliseconds until then, at most "limit": for a latch. */
long
clock_ms_until(TimestampTz when, long limit)
{
	return ms_between(clock_now(), when, limit);
}

/* clock_wall_now -- the time of day. */
TimestampTz
clock_wall_now(void)
{
	return GetCurrentTimestamp();
}

/* clock_wall_ms_until -- the same as clock_ms_until(), for times of day. */
long
clock_wall_ms_until(TimestampTz when, long limit)
{
	return ms_between(clock_wall_now(), when, limit);
}
