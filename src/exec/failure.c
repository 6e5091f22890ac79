/*
 * failure.c
 *	  Failures as SQL exceptions, and back.
 *
 * The detail of an exception of ours is the whole failure as JSON, so that
 * nothing of it is lost on the way through user code that does not catch it.
 */
#include "postgres.h"

#include "exec/pass.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "proto/json.h"
#include "proto/time.h"
#include "store/xact.h"
#include "utils/fmgrprotos.h"

/* ---- from failures to exceptions ---- */

/* ": card declined: no money" */
static char *
causes_message(const Pb__Failure *failure)
{
	StringInfoData message;

	initStringInfo(&message);
	for (failure = failure->cause; failure != NULL; failure = failure->cause)
		if (failure->message[0] != '\0')
			appendStringInfo(&message, ": %s", failure->message);
	return message.data;
}

void
failure_raise(int sqlstate, const char *what, const Pb__Failure *failure)
{
	Jsonb	   *json = message_to_json(&failure->base, true);

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s%s", what, causes_message(failure)),
			 errdetail_internal("%s", JsonbToCString(NULL, &json->root, VARSIZE(json)))));
}

/* ---- where they came from ---- */

#define PLACE_LIMIT 500

/*
 * What follows "function " in a line of an error's context that has a line
 * number in it, but not what the function does there.
 */
static void
append_place(StringInfo place, const char *line, int length)
{
	char	   *text = pnstrdup(line, length);
	char	   *name = strstr(text, "function ");
	char	   *end;

	if (name == NULL || (strstr(name, " line ") == NULL && strstr(name, " statement ") == NULL))
		return;
	name += strlen("function ");
	if (strncmp(name, "temporal.", strlen("temporal.")) == 0)
		return;
	if ((end = strstr(name, " at ")) != NULL || (end = strstr(name, ", in ")) != NULL)
		*end = '\0';
	appendStringInfo(place, "%s%s", place->len > 0 ? ", " : "", name);
}

bool
failure_of_gone(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_TEMPORAL_TASK_NOT_FOUND ||
		error->sqlerrcode == ERRCODE_TEMPORAL_NOT_FOUND;
}

/* Where servers speak another language all of the context stays. */
char *
failure_place(const ErrorData *error)
{
	const char *line = error->context;
	StringInfoData place;

	if (line == NULL)
		return NULL;
	initStringInfo(&place);
	while (*line != '\0')
	{
		int			length = (int) strcspn(line, "\n");

		append_place(&place, line, length);
		line += length + (line[length] == '\n');
	}
	if (place.len == 0)
		appendStringInfoString(&place, error->context);
	place.data[pg_mbcliplen(place.data, place.len, PLACE_LIMIT)] = '\0';
	return place.data;
}

/* ---- from exceptions to failures ---- */

typedef struct Reading
{
	const char *detail;
	Pb__Failure *failure;
} Reading;

static void
read_detail(void *arg)
{
	Reading    *reading = arg;
	Datum		json = DirectFunctionCall1(jsonb_in, CStringGetDatum(reading->detail));

	reading->failure = json_to_message(&pb__failure__descriptor, DatumGetJsonbP(json));
}

/* Does an exception with this SQLSTATE carry a failure? */
static bool
carries_failure(int sqlstate)
{
	return sqlstate == ERRCODE_TEMPORAL_APPLICATION_FAILURE ||
		sqlstate == ERRCODE_TEMPORAL_ACTIVITY_FAILED ||
		sqlstate == ERRCODE_TEMPORAL_ACTIVITY_CANCELED ||
		sqlstate == ERRCODE_TEMPORAL_ACTIVITY_TIMED_OUT;
}

/* What our exception carries; NULL if it is not one, or user code has made it. */
static Pb__Failure *
carried_failure(const ErrorData *error)
{
	Reading		reading = {error->detail, NULL};

	if (!carries_failure(error->sqlerrcode) || error->detail == NULL)
		return NULL;
	return xact_guard(read_detail, &reading) == NULL ? reading.failure : NULL;
}

static Pb__Failure *
application_failure(const ErrorData *error)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = error->message != NULL ? error->message : "";
	failure->source = "PostgreSQL";
	failure->stack_trace = error->context != NULL ? error->context : "";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = proto_new(&pb__application_failure_info__descriptor);
	failure->application_failure_info->type = pstrdup(unpack_sql_state(error->sqlerrcode));
	return failure;
}

Pb__Failure *
failure_of_error(const ErrorData *error)
{
	Pb__Failure *failure = carried_failure(error);

	if (failure != NULL)
		return failure;
	failure = application_failure(error);
	if (error->detail != NULL)
		failure->application_failure_info->details =
			core_payloads(core_text_payload(error->detail));
	return failure;
}

Pb__Failure *
failure_of_attempt(const ErrorData *error)
{
	Pb__Failure *failure = failure_of_error(error);
	Pb__Failure *outer;

	if (failure->failure_info_case == PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
	{
		if (!proto_duration_valid(failure->application_failure_info->next_retry_delay))
			failure->application_failure_info->next_retry_delay = NULL;
		return failure;
	}
	outer = application_failure(error);
	outer->cause = failure;
	return outer;
}

ErrorClass
failure_class(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_ADMIN_SHUTDOWN:
			return ERROR_ENDS;
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
			return ERROR_AGAIN;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return ERROR_BUG;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
			return ERROR_AGAIN;
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			return ERROR_BUG;
		default:
			return ERROR_FAILS;
	}
}
