/*
 * function.c
 *	  Functions of users: finding and calling them.
 *
 * Whoever owns a function decides what it does, so only its owner may have it
 * run: that is checked when it is registered and at every call, because it
 * may have been replaced or given away since.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
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

static HeapTuple
proc_tuple(Oid function)
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
	HeapTuple	tuple = proc_tuple(function);
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
	HeapTuple	tuple = proc_tuple(function);
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
	static const int caches[] = {PROCOID, NAMESPACEOID, TYPEOID, AUTHOID, RELOID, OPEROID};
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

/* ---- calling ---- */

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

/* The arguments as constants, with defaults for those that are missing. */
static List *
call_arguments(HeapTuple tuple, const Pb__Payloads *input)
{
	Form_pg_proc proc = proc_form(tuple);
	int			given = input != NULL ? (int) input->n_payloads : 0;
	List	   *arguments = NIL;

	/* No input is NULL to whoever takes one. */
	if (given > proc->pronargs ||
		(given + proc->pronargdefaults < proc->pronargs && !(given == 0 && proc->pronargs == 1)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s takes %d arguments, and the input has %d",
						format_procedure(proc->oid), proc->pronargs, given)));
	if (given == 0 && proc->pronargs == 1 && proc->pronargdefaults == 0)
		return list_make1(makeNullConst(proc->proargtypes.values[0], -1, InvalidOid));
	for (int i = 0; i < given; i++)
	{
		Oid			type = proc->proargtypes.values[i];
		bool		isnull;
		Datum		value = value_from_jsonb(payload_to_jsonb(input->payloads[i]), type, &isnull);
		int16		length;
		bool		by_value;

		get_typlenbyval(type, &length, &by_value);
		arguments = lappend(arguments, makeConst(type, -1, get_typcollation(type), length, value,
												 isnull, by_value));
	}
	return expand_function_arguments(arguments, false, proc->prorettype, tuple);
}

/* The call as an expression of type jsonb, or void. */
static Expr *
call_expression(Oid function, const Pb__Payloads *input)
{
	HeapTuple	tuple = proc_tuple(function);
	Oid			type = proc_form(tuple)->prorettype;
	Expr	   *call = (Expr *) makeFuncExpr(function, type, call_arguments(tuple, input),
											 get_typcollation(type), DEFAULT_COLLATION_OID,
											 COERCE_EXPLICIT_CALL);

	ReleaseSysCache(tuple);
	if (type != VOIDOID && type != JSONBOID)
		call = (Expr *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(call), InvalidOid,
									 DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
	fix_opfuncids((Node *) call);
	return call;
}

/*
 * function_call -- what it leaves set is set back; what it leaves locked, or
 * made for the session, is not.
 */
Jsonb *
function_call(Oid function, const Pb__Payloads *input)
{
	MemoryContext caller = CurrentMemoryContext;
	EState	   *estate = CreateExecutorState();
	ExprContext *context = GetPerTupleExprContext(estate);
	int			settings = NewGUCNestLevel();
	Jsonb	   *result = NULL;
	Expr	   *call;
	Datum		value;
	bool		isnull;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(estate->es_query_cxt);
	call = call_expression(function, input);
	value = ExecEvalExpr(ExecInitExpr(call, NULL), context, &isnull);
	MemoryContextSwitchTo(caller);
	if (!isnull && exprType((Node *) call) == JSONBOID)
		result = DatumGetJsonbPCopy(value);
	PopActiveSnapshot();
	AtEOXact_GUC(false, settings);
	FreeExecutorState(estate);
	return result;
}
