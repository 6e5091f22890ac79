/*
 * argument.c
 *	  Arguments of SQL functions that may be NULL.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/clock.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Longer than this is for ever. */
#define LONGEST_WAIT (INT64CONST(100) * 365 * USECS_PER_DAY)

char *
argument_text(FunctionCallInfo fcinfo, int argument, const char *otherwise)
{
	if (PG_ARGISNULL(argument))
		return pstrdup(otherwise == NULL ? "" : otherwise);
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

char *
argument_identity(FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		return text_to_cstring(PG_GETARG_TEXT_PP(argument));
	return GetUserNameFromId(GetSessionUserId(), false);
}

int64
argument_interval(FunctionCallInfo fcinfo, int argument)
{
	Interval   *interval;

	if (PG_ARGISNULL(argument))
		return 0;
	interval = PG_GETARG_INTERVAL_P(argument);
	return ((int64) interval->month * DAYS_PER_MONTH + interval->day) * USECS_PER_DAY +
		interval->time;
}

TimestampTz
argument_deadline(FunctionCallInfo fcinfo, int argument)
{
	int64		timeout;

	if (PG_ARGISNULL(argument))
		return DT_NOEND;
	timeout = argument_interval(fcinfo, argument);
	return timeout >= LONGEST_WAIT ? DT_NOEND : clock_now() + Max(timeout, 0);
}
