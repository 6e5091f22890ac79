/*
 * respond_activity.c
 *	  Workers answer activity tasks, by token or by id.
 *
 * A heartbeat locks the activity's row only; what finishes an attempt locks
 * the run after it, as a worker does that has taken the activity in the same
 * transaction.
 */
#include "postgres.h"

#include "service/service.h"

#define HEARTBEAT_TOO_LARGE "Heartbeat details exceed size limit."

/* An activity that a request means, with its run. */
typedef struct Target
{
	ExecutionState *state;
	PendingActivity *activity;
} Target;

static void
activity_not_found(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_TASK_NOT_FOUND),
			 errmsg("invalid activityID or activity already timed out or invoking workflow is completed")));
}

/* The locked activity with its run, locked or not. */
static Target
find_run(ServiceCall *call, const RunKey *key, PendingActivity *activity, bool lock_run)
{
	Target		target = {NULL, activity};

	if (activity == NULL)
	{
		/* The one that is under way may not be there yet. */
		service_want_run(key);
		activity_not_found();
	}
	service_authorize(call, RIGHT_WORKER, activity->state->task_queue);
	target.state = lock_run ? service_lock_run(call, key) : store_load_run(key, LOCK_NONE);
	if (target.state == NULL || !state_is_open(target.state))
		activity_not_found();
	state_add_activity(target.state, activity);
	return target;
}

/* The attempt's number does not tell it: a reset begins again with 1. */
static Target
require_attempt(Target target, const Pbi__TaskToken *token)
{
	if (!target.activity->state->started ||
		target.activity->state->started_time != token->started_time ||
		strcmp(target.state->workflow_id, token->workflow_id) != 0)
		activity_not_found();
	return target;
}

static Target
find_by_token(ServiceCall *call, const ProtobufCBinaryData *bytes, bool lock_run)
{
	RunKey		key;
	Pbi__TaskToken *token = token_unpack(call, bytes, true, &key);
	PendingActivity *activity = store_lock_activity(&key, token->scheduled_event_id);

	return require_attempt(find_run(call, &key, activity, lock_run), token);
}

/* For an activity that ends now, unless there is an error. */
static Target
take_by_token(ServiceCall *call, const ProtobufCBinaryData *bytes)
{
	RunKey		key;
	Pbi__TaskToken *token = token_unpack(call, bytes, true, &key);
	PendingActivity *activity = store_take_activity(&key, token->scheduled_event_id);

	return require_attempt(find_run(call, &key, activity, true), token);
}

static Target
find_by_id(ServiceCall *call, const char *workflow_id, const char *run_id,
		   const char *activity_id, bool needs_start, bool lock_run)
{
	Pb__WorkflowExecution execution = PB__WORKFLOW_EXECUTION__INIT;
	RunKey		key;
	Target		target;

	execution.workflow_id = workflow_id;
	execution.run_id = run_id;
	service_require_id(activity_id, "ActivityId");
	key = service_load_execution(call, &execution, LOCK_NONE)->key;
	target = find_run(call, &key, store_lock_activity_id(&key, activity_id), lock_run);
	if (needs_start && !target.activity->state->started)
		activity_not_found();
	return target;
}

static bool
too_large(const Pb__Payloads *payloads)
{
	return payloads != NULL && protobuf_c_message_get_packed_size(&payloads->base) > BLOB_LIMIT;
}

/* ---- heartbeats ---- */

typedef struct HeartbeatAnswer
{
	bool		cancel_requested;
	bool		paused;
	bool		reset;
} HeartbeatAnswer;

static HeartbeatAnswer
heartbeat(ServiceCall *call, Target target, const Pb__Payloads *details)
{
	Transition *transition = transition_new(target.state, call->now);
	const Pbi__ActivityState *detail = target.activity->state;
	HeartbeatAnswer answer = {
		detail->cancel_requested_event_id != 0, detail->pause != NULL, detail->reset_requested
	};

	core_heartbeat_activity(transition, target.activity, details);
	store_commit_activity(transition, target.activity);
	return answer;
}

/* Details that are too large end the activity. */
static void
fail_oversized_heartbeat(ServiceCall *call, Target target, const char *identity)
{
	Transition *transition = transition_new(target.state, call->now);

	core_fail_activity(transition, target.activity,
					   core_server_failure(HEARTBEAT_TOO_LARGE, true), identity);
	service_commit(call, transition);
}

ProtobufCMessage *
service_record_activity_task_heartbeat(ServiceCall *call, const void *message)
{
	const Pb__RecordActivityTaskHeartbeatRequest *request = message;
	Pb__RecordActivityTaskHeartbeatResponse *response =
		proto_new(&pb__record_activity_task_heartbeat_response__descriptor);
	bool		oversized = too_large(request->details);
	Target		target = find_by_token(call, &request->task_token, oversized);
	HeartbeatAnswer answer = {true, false, false};

	if (oversized)
		fail_oversized_heartbeat(call, target, request->identity);
	else
		answer = heartbeat(call, target, request->details);
	response->cancel_requested = answer.cancel_requested;
	response->activity_paused = answer.paused;
	response->activity_reset = answer.reset;
	return &response->base;
}

ProtobufCMessage *
service_record_activity_task_heartbeat_by_id(ServiceCall *call, const void *message)
{
	const Pb__RecordActivityTaskHeartbeatByIdRequest *request = message;
	Pb__RecordActivityTaskHeartbeatByIdResponse *response =
		proto_new(&pb__record_activity_task_heartbeat_by_id_response__descriptor);
	bool		oversized = too_large(request->details);
	Target		target = find_by_id(call, request->workflow_id, request->run_id,
									request->activity_id, true, oversized);
	HeartbeatAnswer answer = {true, false, false};

	if (oversized)
		fail_oversized_heartbeat(call, target, request->identity);
	else
		answer = heartbeat(call, target, request->details);
	response->cancel_requested = answer.cancel_requested;
	response->activity_paused = answer.paused;
	response->activity_reset = answer.reset;
	return &response->base;
}

/* ---- leaving the answer to others ---- */

static void
leave_body(ServiceCall *call, void *arg)
{
	Target		target = find_by_token(call, arg, false);
	Transition *transition = transition_new(target.state, call->now);

	core_unbind_activity(transition, target.activity);
	store_commit_activity(transition, target.activity);
}

/* service_leave_activity -- the attempt goes on when this session has ended. */
void
service_leave_activity(const ProtobufCBinaryData *token)
{
	ServiceCall call;

	service_begin(&call);
	service_act(&call, leave_body, unconstify(ProtobufCBinaryData *, token));
}

/* ---- completion ---- */

/* service_complete_activity -- a result that is too large is a failure. */
void
service_complete_activity(Transition *transition, PendingActivity *activity,
						  const Pb__Payloads *result, const char *identity)
{
	if (too_large(result))
		core_fail_activity(transition, activity,
						   core_server_failure("Complete result exceeds size limit.", true),
						   identity);
	else
		core_complete_activity(transition, activity, result, identity);
}

static void
complete(ServiceCall *call, Target target, const Pb__Payloads *result, const char *identity)
{
	Transition *transition = transition_new(target.state, call->now);

	/* Completed by id before anybody took it: the caller did. */
	if (!target.activity->state->started)
		core_start_activity(transition, target.activity, ident_random_id(), identity);
	service_complete_activity(transition, target.activity, result, identity);
	service_commit(call, transition);
}

ProtobufCMessage *
service_respond_activity_task_completed(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskCompletedRequest *request = message;

	complete(call, take_by_token(call, &request->task_token), request->result,
			 request->identity);
	return proto_new(&pb__respond_activity_task_completed_response__descriptor);
}

ProtobufCMessage *
service_respond_activity_task_completed_by_id(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskCompletedByIdRequest *request = message;

	complete(call, find_by_id(call, request->workflow_id, request->run_id, request->activity_id,
							  false, true),
			 request->result, request->identity);
	return proto_new(&pb__respond_activity_task_completed_by_id_response__descriptor);
}

/* ---- failure ---- */

/*
 * service_fail_activity -- a failure that is too large is replaced: by what, or
 * NULL.
 */
Pb__Failure *
service_fail_activity(Transition *transition, PendingActivity *activity,
					  const Pb__Failure *failure, const char *identity)
{
	Pb__Failure *instead = NULL;

	if (protobuf_c_message_get_packed_size(&failure->base) > BLOB_LIMIT)
	{
		instead = core_server_failure("Failure exceeds size limit.", true);
		instead->cause = core_shorten_failure(failure, OVERSIZED_CAUSE_LIMIT);
	}
	core_fail_activity(transition, activity, instead != NULL ? instead : failure, identity);
	return instead;
}

/*
 * Applies a failure; what is too large is left out or replaced.  Returns the
 * failures that tell the worker so.
 */
static List *
fail(ServiceCall *call, Target target, const Pb__Failure *failure,
	 const Pb__Payloads *heartbeat_details, const char *identity)
{
	Transition *transition = transition_new(target.state, call->now);
	List	   *problems = NIL;
	Pb__Failure *instead;

	if (failure == NULL)
		failure = core_server_failure("", false);
	if (too_large(heartbeat_details))
		problems = lappend(problems, core_server_failure(HEARTBEAT_TOO_LARGE, true));
	else if (heartbeat_details != NULL)
		core_heartbeat_activity(transition, target.activity, heartbeat_details);
	instead = service_fail_activity(transition, target.activity, failure, identity);
	if (instead != NULL)
		problems = lappend(problems, instead);
	service_commit(call, transition);
	return problems;
}

static Pb__Failure **
failure_array(const List *failures)
{
	Pb__Failure **array = palloc((list_length(failures) + 1) * sizeof(Pb__Failure *));
	size_t		n = 0;
	ListCell   *cell;

	foreach(cell, failures)
		array[n++] = lfirst(cell);
	return array;
}

static void
check_failure(const Pb__Failure *failure)
{
	if (failure != NULL &&
		failure->failure_info_case != PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Failure must have ApplicationFailureInfo.")));
	if (failure != NULL &&
		!proto_duration_valid(failure->application_failure_info->next_retry_delay))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("An invalid NextRetryDelay is set on failure.")));
}

ProtobufCMessage *
service_respond_activity_task_failed(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskFailedRequest *request = message;
	Pb__RespondActivityTaskFailedResponse *response =
		proto_new(&pb__respond_activity_task_failed_response__descriptor);
	List	   *problems;

	check_failure(request->failure);
	problems = fail(call, find_by_token(call, &request->task_token, true),
					request->failure, request->last_heartbeat_details, request->identity);
	response->n_failures = list_length(problems);
	response->failures = failure_array(problems);
	return &response->base;
}

ProtobufCMessage *
service_respond_activity_task_failed_by_id(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskFailedByIdRequest *request = message;
	Pb__RespondActivityTaskFailedByIdResponse *response =
		proto_new(&pb__respond_activity_task_failed_by_id_response__descriptor);
	List	   *problems;

	check_failure(request->failure);
	problems = fail(call, find_by_id(call, request->workflow_id, request->run_id,
									 request->activity_id, true, true),
					request->failure, request->last_heartbeat_details, request->identity);
	response->n_failures = list_length(problems);
	response->failures = failure_array(problems);
	return &response->base;
}

/* ---- cancellation ---- */

static void
cancel(ServiceCall *call, Target target, const Pb__Payloads *details, const char *identity)
{
	Transition *transition = transition_new(target.state, call->now);

	if (target.activity->state->cancel_requested_event_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("cancellation of activity \"%s\" was not requested",
						target.activity->activity_id)));
	if (too_large(details))
		core_fail_activity(transition, target.activity,
						   core_server_failure("Cancel details exceed size limit.", true), identity);
	else
		core_cancel_activity(transition, target.activity, details, identity);
	service_commit(call, transition);
}

ProtobufCMessage *
service_respond_activity_task_canceled(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskCanceledRequest *request = message;

	cancel(call, take_by_token(call, &request->task_token), request->details,
		   request->identity);
	return proto_new(&pb__respond_activity_task_canceled_response__descriptor);
}

ProtobufCMessage *
service_respond_activity_task_canceled_by_id(ServiceCall *call, const void *message)
{
	const Pb__RespondActivityTaskCanceledByIdRequest *request = message;

	cancel(call, find_by_id(call, request->workflow_id, request->run_id, request->activity_id,
							true, true),
		   request->details, request->identity);
	return proto_new(&pb__respond_activity_task_canceled_by_id_response__descriptor);
}
