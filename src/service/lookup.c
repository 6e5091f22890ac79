/*
 * lookup.c
 *	  From the names in a request to a loaded run, and writing what was decided.
 */
#include "postgres.h"

#include "base/clock.h"
#include "service/service.h"
#include "wake/wake.h"

#define STICKY_POLLER_MS 10000

/* service_require_adopted -- a copy hands out nothing until somebody says so. */
void
service_require_adopted(void)
{
	if (!store_adopted())
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NOT_ADOPTED),
				 errmsg("this database is a copy that has not been adopted"),
				 errdetail("Its workflows came from another server or database."),
				 errhint("Call temporal.adopt() if the original no longer runs.")));
}

static void
not_found(const char *workflow_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_NOT_FOUND),
			 errmsg("workflow not found for ID: %s", workflow_id)));
}

static void
bad_run_id(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("Invalid %s.", what)));
}

OwnRun	   *service_own_run = NULL;

/* service_want_run -- says so before a run is changed; an error if it must not be. */
void
service_want_run(const RunKey *key)
{
	OwnRun	   *own = service_own_run;

	if (own == NULL || memcmp(&own->run_id, &key->run_id, UUID_LEN) != 0)
		return;
	own->wanted = true;
	if (own->sqlstate != 0)
		ereport(ERROR,
				(errcode(own->sqlstate),
				 errmsg(OWN_RUN_MESSAGE),
				 errhint("An activity may change the workflow that waits for it.")));
}

/*
 * service_lock_run -- NULL if there is no such run.
 *
 * Activities that the request is about are locked already.  The time of the
 * call becomes that of the lock, lest its events be older than those before.
 */
ExecutionState *
service_lock_run(ServiceCall *call, const RunKey *key)
{
	ExecutionState *state;

	service_want_run(key);
	state = store_load_run(key, LOCK_WAIT);
	call->now = clock_now();
	return state;
}

static ExecutionState *
load_run(ServiceCall *call, const RunKey *key, LockMode mode)
{
	return mode == LOCK_WAIT ? service_lock_run(call, key) : store_load_run(key, mode);
}

/* The current run, locked; another may become current while we wait. */
static ExecutionState *
load_current(ServiceCall *call, RunKey *key, const char *workflow_id, LockMode mode)
{
	for (;;)
	{
		pg_uuid_t	current;
		pg_uuid_t	after;
		ExecutionState *state;

		if (!store_current_run(key, workflow_id, &current))
			not_found(workflow_id);
		key->run_id = current;
		state = load_run(call, key, mode);
		if (mode == LOCK_NONE && state != NULL)
			return state;
		if (state != NULL && state_is_open(state))
			return state;
		if (!store_current_run(key, workflow_id, &after))
			not_found(workflow_id);
		if (memcmp(&after, &current, sizeof(pg_uuid_t)) == 0)
		{
			if (state == NULL)
				not_found(workflow_id);
			return state;
		}
	}
}

/*
 * service_load_execution -- the run that a request names, the current one if
 * it names none.  Raises "not found".
 */
ExecutionState *
service_load_execution(ServiceCall *call, const Pb__WorkflowExecution *execution,
					   LockMode mode)
{
	ExecutionState *state;
	RunKey		key;

	if (execution == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Execution is not set on request.")));
	service_require_id(execution->workflow_id, "WorkflowId");
	key = store_key(&call->namespace->id, execution->workflow_id);
	if (execution->run_id[0] == '\0')
		return load_current(call, &key, execution->workflow_id, mode);
	if (!ident_parse_uuid(execution->run_id, &key.run_id))
		bad_run_id("RunId");
	state = load_run(call, &key, mode);
	if (state == NULL || strcmp(state->workflow_id, execution->workflow_id) != 0)
		not_found(execution->workflow_id);
	return state;
}

/*
 * service_lock_open -- the run locked, by its chain if that is given.
 *
 * Open or not is for the caller to see.
 */
ExecutionState *
service_lock_open(ServiceCall *call, const Pb__WorkflowExecution *execution,
				  const char *first_run_id)
{
	Pb__WorkflowExecution current = PB__WORKFLOW_EXECUTION__INIT;
	ExecutionState *state;
	pg_uuid_t	uuid;

	if (execution == NULL || first_run_id[0] == '\0')
		return service_load_execution(call, execution, LOCK_WAIT);
	if (execution->run_id[0] != '\0' && !ident_parse_uuid(execution->run_id, &uuid))
		bad_run_id("RunId");
	if (!ident_parse_uuid(first_run_id, &uuid))
		bad_run_id("FirstExecutionRunId");
	current.workflow_id = execution->workflow_id;
	state = service_load_execution(call, &current, LOCK_WAIT);
	if (strcmp(state->info->first_run_id, ident_uuid_text(&uuid)) != 0)
		not_found(execution->workflow_id);
	return state;
}

/* Has the worker that keeps this run in memory stopped polling? */
static bool
sticky_gone(const ExecutionState *state)
{
	return state_is_sticky(state) && wake_available() &&
		!wake_queue_has_recent_poller(ident_queue(&state->key.namespace_id, QUEUE_TYPE(WORKFLOW),
												  state->run->sticky_queue),
									  STICKY_POLLER_MS);
}

void
service_commit(ServiceCall *call, Transition *transition)
{
	service_commit_fired(call, transition, 0);
}

/*
 * service_commit_fired -- closes and writes a transition; "next_user_timer" as
 * for transition_close().  Tasks that it makes go to polls that wait for them.
 *
 * A transition that takes the run past a limit is not written: the run is
 * terminated instead, and the request refused.
 */
void
service_commit_fired(ServiceCall *call, Transition *transition, TimestampTz next_user_timer)
{
	const char *limit = NULL;
	RunKey		key = transition->state->key;
	List	   *handed;

	if (!transition->state->is_new && state_is_open(transition->state))
		limit = transition_over_limit(transition, &call->limits);
	if (limit != NULL)
	{
		transition = transition_new(store_load_run(&key, LOCK_NONE), call->now);
		core_terminate(transition, limit, NULL, HISTORY_SERVICE, 0, NULL);
		service_refuse(call, ERRCODE_TEMPORAL_LIMIT_EXCEEDED, limit);
	}
	transition->sticky_gone = sticky_gone(transition->state);
	handed = hand_off_take(call, transition);
	transition_close(transition, next_user_timer);
	store_commit(transition);
	hand_off_answer(call, transition->state, handed);
}
