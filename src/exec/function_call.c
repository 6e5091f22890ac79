/*
 * function_call.c
 *	  Calling functions of users.
 *
 * The same few functions are called all the time, so what is made of a call is
 * kept for the next one: an expression that takes the input as parameters.  It
 * is made anew when something has changed that decides what a name means, and
 * after an error, which may have left it in any state.  A function that comes
 * to call itself has one for each call.
 *
 * What a language notes of a call is kept with it.  PL/pgSQL looks each time
 * whether that still holds; others may take for granted that a call does not
 * outlive its transaction (SQL functions do, before PostgreSQL 18), so theirs
 * are made each time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "exec/function.h"
#include "proto/payload.h"

#define MAX_KEPT 256

typedef struct PreparedCall
{
	MemoryContext memory;		/* of all of it */
	ExprState  *expression;
	ExprContext *context;
	ParamListInfo input;
	Oid			type;			/* of its result: void, or a plain one */
	uint64		version;		/* of the catalogs */
	bool		lasting;		/* may be kept */
	bool		in_use;
} PreparedCall;

typedef struct CallKey
{
	Oid			function;
	int			nargs;			/* that are given */
	int			tracked;		/* which calls statistics are kept of */
} CallKey;

typedef struct KeptCall
{
	CallKey		key;
	PreparedCall *call;			/* NULL: none */
} KeptCall;

static HTAB *kept_calls = NULL;

/* ---- preparing ---- */

/*
 * Defaults may call functions that have defaults themselves.  The planner puts
 * them in, but it would also put the body of a SQL function in place of a call,
 * as names are understood now.
 */
static Node *
complete_calls(Node *node, void *context)
{
	FuncExpr   *call;
	HeapTuple	tuple;

	if (node == NULL)
		return NULL;
	node = expression_tree_mutator(node, complete_calls, context);
	if (!IsA(node, FuncExpr))
		return node;
	call = (FuncExpr *) node;
	tuple = function_tuple(call->funcid);
	call->args = expand_function_arguments(call->args, false, call->funcresulttype, tuple);
	ReleaseSysCache(tuple);
	return node;
}

/* Parameters, and defaults for what is not given. */
static List *
call_arguments(HeapTuple tuple, int nargs)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
	List	   *arguments = NIL;

	/* No input is NULL to whoever takes one. */
	if (nargs > proc->pronargs ||
		(nargs + proc->pronargdefaults < proc->pronargs && !(nargs == 0 && proc->pronargs == 1)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s takes %d arguments, and the input has %d",
						format_procedure(proc->oid), proc->pronargs, nargs)));
	if (nargs == 0 && proc->pronargs == 1 && proc->pronargdefaults == 0)
		return list_make1(makeNullConst(proc->proargtypes.values[0], -1, InvalidOid));
	for (int i = 0; i < nargs; i++)
	{
		Param	   *param = makeNode(Param);

		param->paramkind = PARAM_EXTERN;
		param->paramid = i + 1;
		param->paramtype = proc->proargtypes.values[i];
		param->paramtypmod = -1;
		param->paramcollid = get_typcollation(param->paramtype);
		param->location = -1;
		arguments = lappend(arguments, param);
	}
	arguments = expand_function_arguments(arguments, false, proc->prorettype, tuple);
	return (List *) complete_calls((Node *) arguments, NULL);
}

static Expr *
call_expression(HeapTuple tuple, int nargs)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
	Oid			type = proc->prorettype;
	Expr	   *call = (Expr *) makeFuncExpr(proc->oid, type, call_arguments(tuple, nargs),
											 get_typcollation(type), DEFAULT_COLLATION_OID,
											 COERCE_EXPLICIT_CALL);

	if (type != VOIDOID && !value_is_plain(type))
		call = (Expr *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(call), InvalidOid,
									 DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
	fix_opfuncids((Node *) call);
	return call;
}

static ParamListInfo
call_input(HeapTuple tuple, int nargs)
{
	ParamListInfo input = makeParamList(nargs);

	for (int i = 0; i < nargs; i++)
	{
		input->params[i].pflags = 0;
		input->params[i].ptype = ((Form_pg_proc) GETSTRUCT(tuple))->proargtypes.values[i];
	}
	return input;
}

static PreparedCall *
prepare(Oid function, int nargs)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "temporal call",
												 ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	PreparedCall *call = palloc0(sizeof(PreparedCall));
	HeapTuple	tuple;
	Expr	   *expression;

	call->memory = memory;
	call->version = function_catalog_version();
	tuple = function_tuple(function);
	call->lasting = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == get_language_oid("plpgsql", true);
	expression = call_expression(tuple, nargs);
	call->type = exprType((Node *) expression);
	call->input = call_input(tuple, nargs);
	ReleaseSysCache(tuple);
	call->expression = ExecInitExpr(expression, NULL);
	call->context = CreateStandaloneExprContext();
	call->context->ecxt_param_list_info = call->input;
	MemoryContextSwitchTo(caller);
	return call;
}

/* ---- keeping ---- */

static void
forget(KeptCall *kept)
{
	if (kept->call != NULL)
		MemoryContextDelete(kept->call->memory);
	kept->call = NULL;
}

static void
forget_all(void)
{
	HASH_SEQ_STATUS scan;
	KeptCall   *kept;

	hash_seq_init(&scan, kept_calls);
	while ((kept = hash_seq_search(&scan)) != NULL)
	{
		if (kept->call != NULL && kept->call->in_use)
			continue;
		forget(kept);
		hash_search(kept_calls, &kept->key, HASH_REMOVE, NULL);
	}
}

static KeptCall *
find_kept(Oid function, int nargs)
{
	HASHCTL		control = {.keysize = sizeof(CallKey), .entrysize = sizeof(KeptCall)};
	CallKey		key = {function, nargs, pgstat_track_functions};
	KeptCall   *kept;
	bool		found;

	if (kept_calls == NULL)
		kept_calls = hash_create("temporal calls", 32, &control, HASH_ELEM | HASH_BLOBS);
	if (hash_get_num_entries(kept_calls) >= MAX_KEPT)
		forget_all();
	kept = hash_search(kept_calls, &key, HASH_ENTER, &found);
	if (!found)
		kept->call = NULL;
	return kept;
}

/* One that nobody uses; "kept" is where it is kept, if it is. */
static PreparedCall *
begin_call(Oid function, int nargs, KeptCall **where)
{
	KeptCall   *kept = find_kept(function, nargs);
	PreparedCall *call;

	*where = NULL;
	if (kept->call != NULL && kept->call->in_use)
		return prepare(function, nargs);
	if (kept->call != NULL && kept->call->version != function_catalog_version())
		forget(kept);
	if (kept->call == NULL)
	{
		call = prepare(function, nargs);
		if (!call->lasting)
			return call;
		MemoryContextSetParent(call->memory, TopMemoryContext);
		kept->call = call;
	}
	kept->call->in_use = true;
	*where = kept;
	return kept->call;
}

static void
end_call(PreparedCall *call, KeptCall *kept)
{
	if (kept == NULL)
	{
		MemoryContextDelete(call->memory);
		return;
	}
	ReScanExprContext(call->context);
	call->in_use = false;
}

/* What a transaction that fails has to tidy up must still be there then. */
static void
abandon_call(PreparedCall *call, KeptCall *kept)
{
	if (kept == NULL)
		return;
	MemoryContextSetParent(call->memory, CurTransactionContext);
	kept->call = NULL;
}

/* ---- calling ---- */

static Value
evaluate(PreparedCall *call, const Pb__Payloads *input)
{
	MemoryContext caller = MemoryContextSwitchTo(call->context->ecxt_per_tuple_memory);
	Datum		value;
	bool		isnull;

	for (int i = 0; i < call->input->numParams; i++)
	{
		ParamExternData *param = &call->input->params[i];

		param->value = value_from_payload(input->payloads[i], param->ptype, &param->isnull);
	}
	value = ExecEvalExpr(call->expression, call->context, &isnull);
	MemoryContextSwitchTo(caller);
	return value_of_datum(value, isnull || call->type == VOIDOID, call->type);
}

static Value
evaluate_or_abandon(PreparedCall *call, KeptCall *kept, const Pb__Payloads *input)
{
	Value		result;

	PG_TRY();
	{
		result = evaluate(call, input);
	}
	PG_CATCH();
	{
		abandon_call(call, kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return result;
}

/*
 * function_call -- what it leaves set is set back; what it leaves locked, or
 * made for the session, is not.
 */
Value
function_call(Oid function, const Pb__Payloads *input)
{
	int			settings = NewGUCNestLevel();
	PreparedCall *call;
	KeptCall   *kept;
	Value		result;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	call = begin_call(function, input != NULL ? (int) input->n_payloads : 0, &kept);
	result = evaluate_or_abandon(call, kept, input);
	end_call(call, kept);
	PopActiveSnapshot();
	AtEOXact_GUC(false, settings);
	return result;
}
