/*
 * guard.c
 *	  One item of due work, so that what goes wrong with it stays with it.
 */
#include "postgres.h"

#include "service/guard.h"
#include "store/xact.h"
#include "utils/memutils.h"

ExecutionState *
guard_lock_run(const RunKey *key, bool *busy)
{
	ExecutionState *state = store_load_run(key, LOCK_SKIP);

	*busy = state == NULL && store_load_run(key, LOCK_NONE) != NULL;
	return state;
}

static void
guarded_body(void *arg)
{
	Guarded    *guarded = arg;
	ServiceCall call;

	service_begin(&call);
	guarded->outcome = guarded->function(&call, guarded->item);
}

/* Errors that are about this process or transaction, not about the item. */
static bool
ends_the_tick(int sqlstate)
{
	return sqlstate == ERRCODE_QUERY_CANCELED || sqlstate == ERRCODE_ADMIN_SHUTDOWN ||
		sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

Guarded
guard_run(ItemFunction function, const void *item)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(outer, "temporal item", ALLOCSET_DEFAULT_SIZES);
	Guarded		result = {function, item, ITEM_DONE, NULL};
	ErrorData  *error;

	MemoryContextSwitchTo(own);
	error = xact_guard(guarded_body, &result);
	MemoryContextSwitchTo(outer);
	if (error != NULL && ends_the_tick(error->sqlerrcode))
		ReThrowError(error);
	if (error != NULL && (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
						  error->sqlerrcode == ERRCODE_TEMPORAL_BUSY_WORKFLOW))
		result.outcome = ITEM_BUSY;
	else if (error != NULL)
		result.error = pstrdup(error->message);
	MemoryContextDelete(own);
	return result;
}
