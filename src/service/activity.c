/*
 * activity.c
 *	  What operators do to pending activities.
 *
 * Each operation has two methods: one that names activities of a workflow by
 * id, type or all together, and the newer one that names one activity.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "service/service.h"

/* Which activities of a run a request means: by id, by type, or all. */
typedef struct Selection
{
	const char *id;
	const char *type;
	bool		all;
} Selection;

/* The activities that a request means, locked together with their run. */
typedef struct Chosen
{
	ExecutionState *state;
	List	   *activities;		/* of PendingActivity */
} Chosen;

static bool
has_type(const PendingActivity *activity, const char *type)
{
	return strcmp(activity->scheduled->activity_task_scheduled_event_attributes->activity_type->name,
				  type) == 0;
}

/* Locks what is selected; the run is not locked yet. */
static List *
lock_selected(ExecutionState *state, const Selection *selection)
{
	List	   *selected = NIL;
	ListCell   *cell;

	if (selection->id != NULL)
	{
		PendingActivity *activity = store_lock_activity_id(&state->key, selection->id);

		return activity == NULL ? NIL : list_make1(activity);
	}
	store_load_activities(state);
	foreach(cell, state->activities)
	{
		PendingActivity *activity = lfirst(cell);

		if (selection->type == NULL || has_type(activity, selection->type))
			selected = lappend(selected, &activity->scheduled_event_id);
	}
	return store_lock_activities(&state->key, selected);
}

static Chosen
choose(ServiceCall *call, const Pb__WorkflowExecution *execution, Selection selection)
{
	Chosen		chosen;
	RunKey		key;

	if ((selection.id == NULL || selection.id[0] == '\0') &&
		(selection.type == NULL || selection.type[0] == '\0') && !selection.all)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Either activity id or activity type must be provided.")));
	chosen.state = service_load_execution(call, execution, LOCK_NONE);
	key = chosen.state->key;
	chosen.activities = lock_selected(chosen.state, &selection);
	chosen.state = service_lock_run(call, &key);
	if (chosen.state == NULL || !state_is_open(chosen.state))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_EXECUTION_CLOSED),
				 errmsg("workflow execution already completed")));
	chosen.state->activities = chosen.activities;
	if (chosen.activities == NIL && !selection.all)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_TASK_NOT_FOUND),
				 errmsg("invalid activityID or activity already timed out or invoking workflow is completed")));
	return chosen;
}

/* The one activity that a newer request names. */
static Chosen
choose_one(ServiceCall *call, const char *workflow_id, const char *run_id,
		   const char *activity_id)
{
	Pb__WorkflowExecution execution = PB__WORKFLOW_EXECUTION__INIT;

	service_require_id(activity_id, "ActivityId");
	if (workflow_id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_UNIMPLEMENTED),
				 errmsg("activities without a workflow are not supported")));
	execution.workflow_id = workflow_id;
	execution.run_id = run_id;
	return choose(call, &execution, (Selection) {.id = activity_id});
}

static int64
random_jitter(const Pb__Duration *jitter)
{
	int64		limit;

	if (!proto_duration_valid(jitter))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("jitter is not a valid duration")));
	limit = proto_duration_us(jitter);
	return limit == 0 ? 0 : (int64) (pg_prng_double(&pg_global_prng_state) * (double) limit);
}

/* ---- pause ---- */

static void
pause_chosen(ServiceCall *call, Chosen chosen, const char *identity, const char *reason,
			 const char *request_id)
{
	Transition *transition = transition_new(chosen.state, call->now);
	ListCell   *cell;

	foreach(cell, chosen.activities)
	{
		PendingActivity *activity = lfirst(cell);
		const Pbi__Pause *pause = activity->state->pause;

		if (pause == NULL)
			core_pause_activity(transition, activity, identity, reason, request_id);
		else if (request_id[0] == '\0' || strcmp(pause->request_id, request_id) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_FAILED_PRECONDITION),
					 errmsg("activity is already paused")));
	}
	service_commit(call, transition);
}

ProtobufCMessage *
service_pause_activity(ServiceCall *call, const void *message)
{
	const Pb__PauseActivityRequest *request = message;
	Selection	selection = {0};

	if (request->activity_case == PB__PAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__PAUSE_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	pause_chosen(call, choose(call, request->execution, selection), request->identity,
				 request->reason, request->request_id);
	return proto_new(&pb__pause_activity_response__descriptor);
}

ProtobufCMessage *
service_pause_activity_execution(ServiceCall *call, const void *message)
{
	const Pb__PauseActivityExecutionRequest *request = message;

	pause_chosen(call,
				 choose_one(call, request->workflow_id, request->run_id, request->activity_id),
				 request->identity, request->reason, request->request_id);
	return proto_new(&pb__pause_activity_execution_response__descriptor);
}

/* ---- unpause ---- */

static void
unpause_chosen(ServiceCall *call, Chosen chosen, bool reset_attempts, bool reset_heartbeat,
			   const Pb__Duration *jitter)
{
	Transition *transition = transition_new(chosen.state, call->now);
	ListCell   *cell;

	foreach(cell, chosen.activities)
	{
		PendingActivity *activity = lfirst(cell);

		if (activity->state->pause != NULL)
			core_unpause_activity(transition, activity, reset_attempts, reset_heartbeat,
								  random_jitter(jitter));
	}
	service_commit(call, transition);
}

ProtobufCMessage *
service_unpause_activity(ServiceCall *call, const void *message)
{
	const Pb__UnpauseActivityRequest *request = message;
	Selection	selection = {0};

	if (request->activity_case == PB__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->unpause_all;
	unpause_chosen(call, choose(call, request->execution, selection), request->reset_attempts,
				   request->reset_heartbeat, request->jitter);
	return proto_new(&pb__unpause_activity_response__descriptor);
}

ProtobufCMessage *
service_unpause_activity_execution(ServiceCall *call, const void *message)
{
	const Pb__UnpauseActivityExecutionRequest *request = message;

	unpause_chosen(call,
				   choose_one(call, request->workflow_id, request->run_id, request->activity_id),
				   false, false, request->jitter);
	return proto_new(&pb__unpause_activity_execution_response__descriptor);
}

/* ---- reset ---- */

typedef struct ResetOptions
{
	bool		heartbeat;
	bool		keep_paused;
	bool		restore_options;
	const Pb__Duration *jitter;
} ResetOptions;

static void
reset_chosen(ServiceCall *call, Chosen chosen, ResetOptions options)
{
	Transition *transition = transition_new(chosen.state, call->now);
	ListCell   *cell;

	foreach(cell, chosen.activities)
		core_reset_activity(transition, lfirst(cell), options.heartbeat, options.keep_paused,
							options.restore_options, random_jitter(options.jitter));
	service_commit(call, transition);
}

ProtobufCMessage *
service_reset_activity(ServiceCall *call, const void *message)
{
	const Pb__ResetActivityRequest *request = message;
	Selection	selection = {0};

	if (request->activity_case == PB__RESET_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__RESET_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->match_all;
	reset_chosen(call, choose(call, request->execution, selection),
				 (ResetOptions) {request->reset_heartbeat, request->keep_paused,
					request->restore_original_options, request->jitter});
	return proto_new(&pb__reset_activity_response__descriptor);
}

ProtobufCMessage *
service_reset_activity_execution(ServiceCall *call, const void *message)
{
	const Pb__ResetActivityExecutionRequest *request = message;

	reset_chosen(call,
				 choose_one(call, request->workflow_id, request->run_id, request->activity_id),
				 (ResetOptions) {request->reset_heartbeat, request->keep_paused,
					request->restore_original_options, request->jitter});
	return proto_new(&pb__reset_activity_execution_response__descriptor);
}

/* ---- options ---- */

/* The options that the last of the chosen activities has now. */
static Pb__ActivityOptions *
update_chosen(ServiceCall *call, Chosen chosen, const Pb__ActivityOptions *options,
			  const Pb__FieldMask *mask, bool restore)
{
	Transition *transition = transition_new(chosen.state, call->now);
	Pb__ActivityOptions *updated = NULL;
	ListCell   *cell;

	foreach(cell, chosen.activities)
	{
		const char *problem = core_update_activity_options(transition, lfirst(cell), options,
														   mask, restore);

		if (problem != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
		updated = core_activity_options(lfirst(cell));
	}
	service_commit(call, transition);
	return updated;
}

ProtobufCMessage *
service_update_activity_options(ServiceCall *call, const void *message)
{
	const Pb__UpdateActivityOptionsRequest *request = message;
	Pb__UpdateActivityOptionsResponse *response =
		proto_new(&pb__update_activity_options_response__descriptor);
	Selection	selection = {0};

	if (request->activity_case == PB__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->match_all;
	response->activity_options =
		update_chosen(call, choose(call, request->execution, selection),
					  request->activity_options, request->update_mask, request->restore_original);
	return &response->base;
}

ProtobufCMessage *
service_update_activity_execution_options(ServiceCall *call, const void *message)
{
	const Pb__UpdateActivityExecutionOptionsRequest *request = message;
	Pb__UpdateActivityExecutionOptionsResponse *response =
		proto_new(&pb__update_activity_execution_options_response__descriptor);

	response->activity_options =
		update_chosen(call,
					  choose_one(call, request->workflow_id, request->run_id,
								 request->activity_id),
					  request->activity_options, request->update_mask, request->restore_original);
	return &response->base;
}
