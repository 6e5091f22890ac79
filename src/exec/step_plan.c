/*
 * step_plan.c
 *	  Plans of the queries of steps, kept for the next time.
 *
 * A workflow type asks for the same few queries again and again.  Queries that
 * are made up on the way could be any number, so all are forgotten when there
 * are too many.  So they are when something was made or renamed: a plan follows
 * what it has found, and not what a name would find now.
 */
#include "postgres.h"

#include "base/ident.h"
#include "exec/function.h"
#include "exec/pass.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MAX_PLANS 256

typedef struct KeptPlan
{
	uint64		hash;			/* of what follows: the key */
	char	   *query;
	int			nargs;
	Oid		   *types;
	SPIPlanPtr	plan;			/* NULL: being made */
} KeptPlan;

static HTAB *plans = NULL;

static bool
is_for(const KeptPlan *kept, const Step *step)
{
	return kept->plan != NULL && kept->nargs == step->nargs &&
		strcmp(kept->query, step->query) == 0 &&
		(step->nargs == 0 ||
		 memcmp(kept->types, step->types, step->nargs * sizeof(Oid)) == 0);
}

static void
forget(KeptPlan *kept)
{
	if (kept->plan == NULL)
		return;
	SPI_freeplan(kept->plan);
	pfree(kept->query);
	pfree(kept->types);
	kept->plan = NULL;
}

static void
forget_all(void)
{
	HASH_SEQ_STATUS scan;
	KeptPlan   *kept;

	hash_seq_init(&scan, plans);
	while ((kept = hash_seq_search(&scan)) != NULL)
	{
		forget(kept);
		hash_search(plans, &kept->hash, HASH_REMOVE, NULL);
	}
}

/* The entry of a query, which may be that of another one with the same hash. */
static KeptPlan *
find_entry(const Step *step)
{
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(KeptPlan)};
	uint64		hash = ident_hash(0, step->query, strlen(step->query));
	KeptPlan   *kept;
	bool		found;

	if (plans == NULL)
		plans = hash_create("temporal plans of steps", 32, &control, HASH_ELEM | HASH_BLOBS);
	if (step->nargs > 0)
		hash = ident_hash(hash, step->types, step->nargs * sizeof(Oid));
	kept = hash_search(plans, &hash, HASH_ENTER, &found);
	if (!found)
		kept->plan = NULL;
	return kept;
}

static SPIPlanPtr
prepare(const Step *step)
{
	SPIPlanPtr	plan = SPI_prepare(step->query, step->nargs, step->types);

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("query of step \"%s\" cannot be run: %s", step->name,
						SPI_result_code_string(SPI_result))));
	return plan;
}

/* step_plan -- to be executed at once; steps do not run steps. */
SPIPlanPtr
step_plan(const Step *step)
{
	static uint64 kept_version = 0;
	uint64		version = function_catalog_version();
	KeptPlan   *kept;
	SPIPlanPtr	plan;

	if (plans != NULL &&
		(version != kept_version || hash_get_num_entries(plans) >= MAX_PLANS))
		forget_all();
	kept_version = version;
	kept = find_entry(step);
	if (is_for(kept, step))
		return kept->plan;
	plan = prepare(step);
	forget(kept);
	SPI_keepplan(plan);
	kept->query = MemoryContextStrdup(TopMemoryContext, step->query);
	kept->types = MemoryContextAlloc(TopMemoryContext, (step->nargs + 1) * sizeof(Oid));
	if (step->nargs > 0)
		memcpy(kept->types, step->types, step->nargs * sizeof(Oid));
	kept->nargs = step->nargs;
	kept->plan = plan;
	return plan;
}
