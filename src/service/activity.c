/*
 * activity.c
 *	  What operators do to pending activities.
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

static bool
selected(const PendingActivity *activity, const Selection *selection)
{
	if (selection->id != NULL)
		return strcmp(activity->activity_id, selection->id) == 0;
	if (selection->type != NULL)
		return strcmp(activity->scheduled->activity_task_scheduled_event_attributes->activity_type->name,
					  selection->type) == 0;
	return selection->all;
}

/* The selected activities of the locked run; an error if there are none. */
static List *
select_activities(const ServiceCall *call, const Pb__WorkflowExecution *execution,
				  const Selection *selection, ExecutionState **state)
{
	List	   *chosen = NIL;
	ListCell   *cell;

	if (selection->id == NULL && selection->type == NULL && !selection->all)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("either activity id or activity type must be provided")));
	*state = service_load_execution(call, execution, LOCK_WAIT);
	if (state_is_open(*state))
		store_load_activities(*state);
	foreach(cell, (*state)->activities)
	{
		PendingActivity *activity = lfirst(cell);

		if (selected(activity, selection))
			chosen = lappend(chosen, activity);
	}
	if (chosen == NIL && !selection->all)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NOT_FOUND),
				 errmsg("invalid activityID or activity already timed out or invoking workflow is completed")));
	return chosen;
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

ProtobufCMessage *
service_pause_activity(ServiceCall *call, const void *message)
{
	const Pb__PauseActivityRequest *request = message;
	Selection	selection = {0};
	ExecutionState *state;
	Transition *transition;
	List	   *chosen;
	ListCell   *cell;

	if (request->activity_case == PB__PAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__PAUSE_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	chosen = select_activities(call, request->execution, &selection, &state);
	transition = transition_new(state, call->now);
	foreach(cell, chosen)
	{
		PendingActivity *activity = lfirst(cell);
		const Pbi__Pause *pause = activity->state->pause;

		if (pause == NULL)
			core_pause_activity(transition, activity, request->identity, request->reason,
								request->request_id);
		else if (request->request_id[0] == '\0' ||
				 strcmp(pause->request_id, request->request_id) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_FAILED_PRECONDITION),
					 errmsg("activity is already paused")));
	}
	service_commit(call, transition);
	return proto_new(&pb__pause_activity_response__descriptor);
}

ProtobufCMessage *
service_unpause_activity(ServiceCall *call, const void *message)
{
	const Pb__UnpauseActivityRequest *request = message;
	Selection	selection = {0};
	ExecutionState *state;
	Transition *transition;
	List	   *chosen;
	ListCell   *cell;

	if (request->activity_case == PB__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->unpause_all;
	chosen = select_activities(call, request->execution, &selection, &state);
	transition = transition_new(state, call->now);
	foreach(cell, chosen)
	{
		PendingActivity *activity = lfirst(cell);

		if (activity->state->pause != NULL)
			core_unpause_activity(transition, activity, request->reset_attempts,
								  request->reset_heartbeat, random_jitter(request->jitter));
	}
	service_commit(call, transition);
	return proto_new(&pb__unpause_activity_response__descriptor);
}

ProtobufCMessage *
service_reset_activity(ServiceCall *call, const void *message)
{
	const Pb__ResetActivityRequest *request = message;
	Selection	selection = {0};
	ExecutionState *state;
	Transition *transition;
	List	   *chosen;
	ListCell   *cell;

	if (request->activity_case == PB__RESET_ACTIVITY_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__RESET_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->match_all;
	chosen = select_activities(call, request->execution, &selection, &state);
	transition = transition_new(state, call->now);
	foreach(cell, chosen)
		core_reset_activity(transition, lfirst(cell), request->reset_heartbeat,
							request->keep_paused, request->restore_original_options,
							random_jitter(request->jitter));
	service_commit(call, transition);
	return proto_new(&pb__reset_activity_response__descriptor);
}

ProtobufCMessage *
service_update_activity_options(ServiceCall *call, const void *message)
{
	const Pb__UpdateActivityOptionsRequest *request = message;
	Pb__UpdateActivityOptionsResponse *response =
		proto_new(&pb__update_activity_options_response__descriptor);
	Selection	selection = {0};
	ExecutionState *state;
	Transition *transition;
	List	   *chosen;
	ListCell   *cell;

	if (request->activity_case == PB__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID)
		selection.id = request->id;
	else if (request->activity_case == PB__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_TYPE)
		selection.type = request->type;
	else
		selection.all = request->match_all;
	chosen = select_activities(call, request->execution, &selection, &state);
	transition = transition_new(state, call->now);
	foreach(cell, chosen)
	{
		PendingActivity *activity = lfirst(cell);
		const char *problem = core_update_activity_options(transition, activity,
														   request->activity_options,
														   request->update_mask,
														   request->restore_original);

		if (problem != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
		response->activity_options = core_activity_options(activity);
	}
	service_commit(call, transition);
	return &response->base;
}
