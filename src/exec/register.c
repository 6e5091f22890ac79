/*
 * register.c
 *	  Making functions workflows and activities.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/argument.h"
#include "base/compat.h"
#include "catalog/pg_authid.h"
#include "exec/function.h"
#include "exec/options.h"
#include "exec/source.h"
#include "miscadmin.h"
#include "proto/time.h"
#include "service/service.h"
#include "utils/builtins.h"
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
	source_check(&registration);
	PG_RETURN_VOID();
}

/* temporal.register_activity(function, name, task_queue, namespace, transactional, options) */
Datum
temporal_register_activity(PG_FUNCTION_ARGS)
{
	Registration registration = {.kind = QUEUE_TYPE(ACTIVITY)};

	registration.transactional = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	registration.options = options_arguments(fcinfo, 5);
	options_check(registration.options);
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
