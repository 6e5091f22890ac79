/*
 * argument.c
 *	  Arguments of SQL functions that may be NULL.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/argument.h"
#include "base/clock.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* As EXTRACT(epoch) has it. */
#define HOURS_PER_YEAR ((int64) (DAYS_PER_YEAR * HOURS_PER_DAY))

/* Longer than this is for ever. */
#define LONGEST_WAIT (INT64CONST(100) * 365 * USECS_PER_DAY)

void
argument_prevent_read_only(const char *what)
{
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s in a read-only transaction", what),
				 RecoveryInProgress() ?
				 errhint("This server is a standby: only the primary can do that.") : 0));
}

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
	int64		hours;
	int64		result;

	if (PG_ARGISNULL(argument))
		return 0;
	interval = PG_GETARG_INTERVAL_P(argument);
	hours = (int64) (interval->month / MONTHS_PER_YEAR) * HOURS_PER_YEAR +
		(int64) (interval->month % MONTHS_PER_YEAR) * DAYS_PER_MONTH * HOURS_PER_DAY +
		(int64) interval->day * HOURS_PER_DAY;
	if (pg_mul_s64_overflow(hours, USECS_PER_HOUR, &result) ||
		pg_add_s64_overflow(result, interval->time, &result))
		return hours < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return result;
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
