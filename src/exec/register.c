/*
 * register.c
 *	  Making functions workflows and activities.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "base/argument.h"
#include "base/compat.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "exec/function.h"
#include "exec/options.h"
#include "miscadmin.h"
#include "proto/time.h"
#include "service/service.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(temporal_register_workflow);
PG_FUNCTION_INFO_V1(temporal_register_activity);
PG_FUNCTION_INFO_V1(temporal_unregister_workflow);
PG_FUNCTION_INFO_V1(temporal_unregister_activity);
PG_FUNCTION_INFO_V1(temporal_workflow_queue);

/* Can a background worker be this role? */
static void
check_login(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		can_login = HeapTupleIsValid(tuple) &&
		((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (COMPAT_NEEDS_LOGIN && !can_login)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("role \"%s\" cannot log in, so nothing can be run as it",
						GetUserNameFromId(GetUserId(), false)),
				 errhint("ALTER ROLE ... LOGIN; PostgreSQL 17 does not need that.")));
}

/* What differs in each replay, and what to write instead. */
static const struct
{
	const char *word;
	const char *instead;
} volatile_words[] = {
	{"now", "temporal.workflow_now()"},
	{"current_timestamp", "temporal.workflow_now()"},
	{"clock_timestamp", "temporal.workflow_now()"},
	{"statement_timestamp", "temporal.workflow_now()"},
	{"transaction_timestamp", "temporal.workflow_now()"},
	{"localtimestamp", "temporal.workflow_now()"},
	{"current_date", "temporal.workflow_now()"},
	{"random", "temporal.workflow_random()"},
	{"gen_random_uuid", "temporal.workflow_uuid()"},
	{"nextval", "an activity or temporal.step()"},
	{"pg_sleep", "temporal.sleep()"},
};

static bool
is_word_character(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$';
}

/* Does "line" have the word, not as a part of another or of a qualified name? */
static bool
line_has(const char *line, const char *word)
{
	size_t		length = strlen(word);

	for (const char *at = line; *at != '\0'; at++)
	{
		if (pg_strncasecmp(at, word, length) == 0 && !is_word_character(at[length]) &&
			(at == line || (!is_word_character(at[-1]) && at[-1] != '.' && at[-1] != '\'')))
			return true;
		if (at[0] == '-' && at[1] == '-')
			return false;
	}
	return false;
}

static void
check_line(const char *function, int number, const char *line)
{
	for (size_t i = 0; i < lengthof(volatile_words); i++)
		if (line_has(line, volatile_words[i].word))
			ereport(WARNING,
					(errmsg("line %d of %s uses %s, which may differ each time the function is called",
							number, function, volatile_words[i].word),
					 errhint("A workflow function is called many times. Use %s.",
							 volatile_words[i].instead)));
}

/* Looks for what does not belong into a workflow function; it may be wrong. */
static void
check_source(const Registration *registration)
{
	Oid			function = function_find(registration);
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char	   *body = isnull ? pstrdup("") : TextDatumGetCString(source);
	char	   *name = format_procedure(function);
	int			number = 1;

	ReleaseSysCache(tuple);
	for (char *line = body; line != NULL; number++)
	{
		char	   *end = strchr(line, '\n');

		if (end != NULL)
			*end = '\0';
		check_line(name, number, line);
		line = end != NULL ? end + 1 : NULL;
	}
}

/* Registers the function of arguments function, name, task_queue, namespace. */
static void
register_function(FunctionCallInfo fcinfo, Registration *registration)
{
	registration->name = PG_ARGISNULL(1) ? NULL : argument_text(fcinfo, 1, NULL);
	registration->task_queue = argument_text(fcinfo, 2, "default");
	function_resolve(registration, argument_text(fcinfo, 0, NULL));
	check_login();
	service_register(argument_text(fcinfo, 3, "default"), registration);
}

/* temporal.register_workflow(function, name, task_queue, namespace, direct_sql) */
Datum
temporal_register_workflow(PG_FUNCTION_ARGS)
{
	Registration registration = {.kind = QUEUE_TYPE(WORKFLOW)};

	registration.direct_sql = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	registration.options = proto_new(&pb__activity_options__descriptor);
	register_function(fcinfo, &registration);
	check_source(&registration);
	PG_RETURN_VOID();
}

/* temporal.register_activity(function, name, task_queue, namespace, transactional, options) */
Datum
temporal_register_activity(PG_FUNCTION_ARGS)
{
	Registration registration = {.kind = QUEUE_TYPE(ACTIVITY)};

	registration.transactional = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	registration.options = options_arguments(fcinfo, 5);
	register_function(fcinfo, &registration);
	PG_RETURN_VOID();
}

/* temporal.unregister_workflow(name, namespace) */
Datum
temporal_unregister_workflow(PG_FUNCTION_ARGS)
{
	service_unregister(argument_text(fcinfo, 1, "default"), QUEUE_TYPE(WORKFLOW),
					   argument_text(fcinfo, 0, NULL));
	PG_RETURN_VOID();
}

/* temporal.unregister_activity(name, namespace) */
Datum
temporal_unregister_activity(PG_FUNCTION_ARGS)
{
	service_unregister(argument_text(fcinfo, 1, "default"), QUEUE_TYPE(ACTIVITY),
					   argument_text(fcinfo, 0, NULL));
	PG_RETURN_VOID();
}

/* temporal.workflow_queue(workflow_type, namespace) returns text */
Datum
temporal_workflow_queue(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(service_workflow_queue(argument_text(fcinfo, 1, "default"),
															argument_text(fcinfo, 0, NULL))));
}
