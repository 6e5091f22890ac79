/*
 * step.c
 *	  Local steps: what a workflow does in the database between two waits.
 *
 * A step happens in the transaction that records it, as a marker, so it
 * happens once.  First it is tried the quick way: right where the function
 * asks for it, many in one pass.  If the function then waits, or an error takes
 * a step with it, all of them are gone with the pass, and the function is
 * called again stepwise: it stops at each step that is not taken yet, the
 * runner takes it in a subtransaction outside of user code, and begins again.
 * Types of workflow that once needed that begin so the next time.
 *
 * Types of which a task has failed at the commit begin so, too, and each of
 * their steps has to stand by itself then.
 *
 * A step that fails and is to be tried again leaves a marker that says so, and
 * a timer: nothing waits inside of a transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "exec/function.h"
#include "exec/task.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "store/xact.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* Less than a workflow task may take. */
#define STEP_LIMIT_MS 5000

static NameSet waiting_types = {"temporal types that wait"};
static NameSet failing_types = {"temporal types that fail at the commit"};

bool
step_type_waits(const char *workflow_type)
{
	return name_set_has(&waiting_types, workflow_type);
}

void
step_note_type(const char *workflow_type)
{
	name_set_add(&waiting_types, workflow_type);
}

bool
step_type_fails(const char *workflow_type)
{
	return name_set_has(&failing_types, workflow_type);
}

void
step_note_failing_type(const char *workflow_type)
{
	name_set_add(&failing_types, workflow_type);
}

/* ---- taking a step ---- */

/* The only row: its column, or an object of several. */
static Value
row_result(void)
{
	bool		isnull;

	if (SPI_tuptable == NULL)
		return value_of_datum(Int64GetDatum((int64) SPI_processed), false, INT8OID);
	if (SPI_processed == 0)
		return (Value) {InvalidOid};
	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("query of a step returned more than one row"),
				 errhint("Make one value of them, by jsonb_agg() for example.")));
	if (SPI_tuptable->tupdesc->natts == 1)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		return value_of_datum(value, isnull, SPI_gettypeid(SPI_tuptable->tupdesc, 1));
	}
	return value_of_datum(heap_copy_tuple_as_datum(SPI_tuptable->vals[0],
												   BlessTupleDesc(SPI_tuptable->tupdesc)),
						  false, RECORDOID);
}

static void
run_query(Step *step)
{
	MemoryContext caller = CurrentMemoryContext;
	int			code;

	SPI_connect();
	code = SPI_execute_plan(step_plan(step), step->values, step->nulls, false, 2);
	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 code == SPI_ERROR_TRANSACTION ?
				 errmsg("query of step \"%s\" begins or ends a transaction", step->name) :
				 errmsg("query of step \"%s\" cannot be run: %s", step->name,
						SPI_result_code_string(code))));
	MemoryContextSwitchTo(caller);
	step->result = row_result();
	SPI_finish();
	MemoryContextSwitchTo(caller);
}

void
step_take(Step *step)
{
	Pass	   *outer = pass_current;
	bool		read_only = XactReadOnly;
	int			settings = NewGUCNestLevel();

	function_use_search_path(step->search_path);
	pass_current = NULL;
	XactReadOnly = false;
	PG_TRY();
	{
		if (step->query != NULL)
			run_query(step);
		else
			step->result = call_registered(step->registration, step->input);
		AtEOXact_GUC(false, settings);
	}
	PG_FINALLY();
	{
		XactReadOnly = read_only;
		pass_current = outer;
	}
	PG_END_TRY();
}

/* ---- what fails at the commit ---- */

static void
fire_deferred(void *arg)
{
	ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

	*(bool *) arg = false;
	AfterTriggerSetState(all);
	*(bool *) arg = true;
	ereport(ERROR, (errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION), errmsg("all is well")));
}

/*
 * Constraints that wait for the commit are looked at now, lest what fails
 * there fails all of the task.  That they were is undone, so that they wait
 * as before: what comes until then may break or mend them.
 */
static void
check_deferred(void)
{
	bool		well;
	ErrorData  *error = xact_guard(fire_deferred, &well);

	if (!well)
		ReThrowError(error);
}

/* ---- between two calls ---- */

typedef struct Taking
{
	Step	   *step;
	OwnRun		own;
	bool		checked;		/* as if the transaction ended here */
} Taking;

static void
take_body(void *arg)
{
	Taking	   *taking = arg;

	service_own_run = &taking->own;
	PG_TRY();
	{
		step_take(taking->step);
	}
	PG_FINALLY();
	{
		service_own_run = NULL;
	}
	PG_END_TRY();
	if (taking->checked)
		check_deferred();
}

/* It has failed: when is it tried again? */
static void
note_failure(Step *step, const ErrorData *error)
{
	RetryDecision decision;

	step->failure = failure_of_attempt(error);
	decision = core_decide_retry(step->policy, step->attempt, step->failure, clock_now(), 0);
	if (decision.state == RETRY_STATE(IN_PROGRESS))
		step->backoff = decision.interval;
}

ErrorData *
step_take_guarded(Pass *pass, Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	Taking		taking = {
		step, call_own_run(pass->run_id, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		step_type_fails(pass->workflow_type)
	};
	ErrorData  *error;
	bool		timed_out;

	error = call_limited(take_body, &taking, STEP_LIMIT_MS, pass->shared, &timed_out);
	if (error != NULL && failure_class(error) >= ERROR_AGAIN && !timed_out)
	{
		MemoryContextSwitchTo(caller);
		return error;
	}
	if (error != NULL)
		note_failure(step, error);
	pass->steps = lappend(pass->steps, step);
	MemoryContextSwitchTo(caller);
	return NULL;
}
