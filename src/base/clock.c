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

/* clock_now -- the time at which the engine believes to be. */
TimestampTz
clock_now(void)
{
	return GetCurrentTimestamp() + (TimestampTz) (guc_clock_offset * 1000.0);
}

/*
 * clock_ms_until -- milliseconds from now until "when", rounded up.
 *
 * Never less than 0 nor more than "limit": what a latch wait wants to hear.
 */
long
clock_ms_until(TimestampTz when, long limit)
{
	TimestampTz now = clock_now();

	if (when <= now)
		return 0;
	if (when - now >= (TimestampTz) limit * 1000)
		return limit;
	return (long) ((when - now + 999) / 1000);
}
