/*
 * function.c
 *	  Functions of users: finding them.
 *
 * Whoever owns a function decides what it does, so only its owner may have it
 * run: that is checked when it is registered and at every call, because it
 * may have been replaced or given away since.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "exec/function.h"
#include "proto/payload.h"

/* ---- finding ---- */

static Form_pg_proc
proc_form(HeapTuple tuple)
{
	return (Form_pg_proc) GETSTRUCT(tuple);
}

HeapTuple
function_tuple(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	return tuple;
}

/* "a(integer), b.a(text)" */
static char *
list_candidates(FuncCandidateList candidates)
{
	StringInfoData text;

	initStringInfo(&text);
	for (; candidates != NULL; candidates = candidates->next)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "",
						 format_procedure(candidates->oid));
	return text.data;
}

/* Those of users: what PostgreSQL comes with is not meant. */
static FuncCandidateList
find_candidates(List *names)
{
	FuncCandidateList found = FuncnameGetCandidates(names, -1, NIL, false, false, false, false);
	FuncCandidateList candidates = NULL;

	while (found != NULL)
	{
		FuncCandidateList next = found->next;

		if (get_func_namespace(found->oid) != PG_CATALOG_NAMESPACE)
		{
			found->next = candidates;
			candidates = found;
		}
		found = next;
	}
	return candidates;
}

/* The only function of that name. */
static Oid
find_by_name(const char *name)
{
	FuncCandidateList candidates = find_candidates(compat_qualified_name(name));

	if (candidates == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s does not exist", name)));
	if (candidates->next != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("function name \"%s\" is not unique", name),
				 errhint("Name one of %s.", list_candidates(candidates))));
	return candidates->oid;
}

static void
check_owner(Oid function, Oid role)
{
	HeapTuple	tuple = function_tuple(function);
	Oid			owner = proc_form(tuple)->proowner;

	ReleaseSysCache(tuple);
	if (owner != role)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s is not owned by role \"%s\"", format_procedure(function),
						GetUserNameFromId(role, false)),
				 errdetail("Its owner \"%s\" could make that role do anything.",
						   GetUserNameFromId(owner, true)),
				 errhint("Register it as its owner, or have the role own it.")));
}

/* Can it be called with JSON and return JSON? */
static void
check_kind(Form_pg_proc proc, Oid function)
{
	bool		callable = proc->prokind == PROKIND_FUNCTION && !proc->proretset &&
		!OidIsValid(proc->provariadic) &&
		(proc->prorettype == VOIDOID || proc->prorettype == RECORDOID ||
		 get_typtype(proc->prorettype) != TYPTYPE_PSEUDO);

	for (int i = 0; i < proc->pronargs; i++)
		if (get_typtype(proc->proargtypes.values[i]) == TYPTYPE_PSEUDO)
			callable = false;
	if (!callable)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s cannot be registered", format_procedure(function)),
				 errhint("It must be a function that returns one value, without polymorphic or variadic arguments.")));
}

void
function_resolve(Registration *registration, const char *name)
{
	Oid			function = strchr(name, '(') == NULL ? find_by_name(name) :
		DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(name)));
	HeapTuple	tuple = function_tuple(function);
	Form_pg_proc proc = proc_form(tuple);

	check_kind(proc, function);
	check_owner(function, GetUserId());
	registration->schema = get_namespace_name(proc->pronamespace);
	registration->function = pstrdup(NameStr(proc->proname));
	registration->argument_types = NIL;
	for (int i = 0; i < proc->pronargs; i++)
		registration->argument_types = lappend(registration->argument_types,
											   format_type_be_qualified(proc->proargtypes.values[i]));
	if (registration->name == NULL)
		registration->name = registration->function;
	ReleaseSysCache(tuple);
}

static char *
signature(const Registration *registration)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	appendStringInfo(&text, "%s(", quote_qualified_identifier(registration->schema,
															  registration->function));
	foreach(cell, registration->argument_types)
		appendStringInfo(&text, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
						 (char *) lfirst(cell));
	appendStringInfoChar(&text, ')');
	return text.data;
}

/*
 * A task may ask for any function by its name, on any queue: the role that
 * serves the queue must not be made to run what another has registered.
 */
static void
check_role(const Registration *registration)
{
	const char *role = GetUserNameFromId(GetUserId(), false);

	if (strcmp(registration->role_name, role) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("\"%s\" is registered by role \"%s\", not \"%s\"", registration->name,
						registration->role_name, role),
				 errhint("Use the task queue that it was registered for.")));
}

static Oid
look_up(const Registration *registration)
{
	Oid			types[FUNC_MAX_ARGS];
	int			n = 0;
	Oid			function;
	ListCell   *cell;

	foreach(cell, registration->argument_types)
	{
		int32		typmod;

		parseTypeString(lfirst(cell), &types[n++], &typmod, false);
	}
	function = LookupFuncName(list_make2(makeString(unconstify(char *, registration->schema)),
										 makeString(unconstify(char *, registration->function))),
							  n, types, true);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s does not exist", signature(registration)),
				 errdetail("It is registered as \"%s\".", registration->name),
				 errhint("Create it again, or register another.")));
	check_owner(function, get_role_oid(registration->role_name, false));
	return function;
}

/* How often something has changed that decides what a name means. */
static uint64 catalog_version = 1;

static void
on_catalog_change(Datum arg, int cache, uint32 hash)
{
	catalog_version++;
}

static void
watch_catalogs(void)
{
	static const int caches[] = {
		PROCOID, LANGOID, NAMESPACEOID, TYPEOID, AUTHOID, AUTHMEMMEMROLE, RELOID, OPEROID
	};
	static bool watching = false;

	for (size_t i = 0; i < lengthof(caches) && !watching; i++)
		CacheRegisterSyscacheCallback(caches[i], on_catalog_change, (Datum) 0);
	watching = true;
}

uint64
function_catalog_version(void)
{
	watch_catalogs();
	return catalog_version;
}

Oid
function_find(const Registration *registration)
{
	Registration *found = unconstify(Registration *, registration);
	uint64		version = function_catalog_version();

	check_role(registration);
	if (registration->catalog_version == version)
		return registration->function_oid;
	/* What changes meanwhile is for the next time. */
	found->function_oid = look_up(registration);
	found->catalog_version = version;
	return found->function_oid;
}

/* ---- names ---- */

/*
 * function_use_search_path -- names are looked for there, until the caller ends
 * the level of settings that it has begun.
 */
void
function_use_search_path(const char *path)
{
	if (strcmp(path, namespace_search_path) != 0)
		(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}
