/*
 * advance.c
 *	  A workflow task of a worker that does activities itself, at once.
 *
 * What a worker and the server would tell each other in many calls happens in
 * one transition here: completion, activities started and finished, the next
 * workflow task, and so on.  History is that of the many calls, with one row
 * written for all.
 *
 * The run stays locked from the poll to the commit, so the only events are
 * those made here.
 */
#include "postgres.h"

#include "base/clock.h"
#include "service/advance.h"
#include "service/completion.h"

/*
 * Events name the request that started something, so that it is known when it
 * comes again; these do not.
 */
#define NO_REQUEST "local"

struct Advance
{
	ServiceCall call;
	Transition *transition;
	/* The task that was polled. */
	const char *queue;
	const char *identity;
	TimestampTz started;
	TimestampTz original_scheduled_time;
	CommandError refusal;		/* why it was refused; no message: it was not */
};

/* Arguments and result of what runs as the owner. */
typedef struct AdvanceBody
{
	Advance    *advance;
	const Pb__RespondWorkflowTaskCompletedRequest *request;
	List	   *runs;
	bool		accepted;
} AdvanceBody;

static void
start_task(Advance *advance, ExecutionState *state)
{
	advance->transition = transition_new(state, advance->started);
	core_start_workflow_task(advance->transition, advance->queue, NO_REQUEST, advance->identity,
							 &advance->call.limits);
	advance->original_scheduled_time = state->run->workflow_task->original_scheduled_time;
}

Advance *
advance_new(const ServiceCall *call, ExecutionState *state, const char *queue,
			const char *identity)
{
	Advance    *advance = palloc0(sizeof(Advance));

	advance->call = *call;
	advance->call.watch = NULL;
	advance->queue = queue;
	advance->identity = identity;
	advance->started = call->now;
	start_task(advance, state);
	return advance;
}

TimestampTz
service_advance_expiration(const Advance *advance)
{
	return advance->transition->state->info->run_expiration;
}

static void
restart_body(ServiceCall *call, void *arg)
{
	Advance    *advance = arg;

	start_task(advance, store_load_run(&advance->transition->state->key, LOCK_NONE));
}

void
service_advance_restart(Advance *advance)
{
	advance->refusal = (CommandError) {0};
	service_act(&advance->call, restart_body, advance);
}

/* Completes the task in hand; false with the reason if a command is refused. */
static bool
complete_task(Advance *advance, const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	completion_check(request);
	completion_lock_cancelled(advance->transition->state, request);
	return completion_execute(&advance->call, advance->transition, request, &advance->refusal);
}

/* A run that would be too long is one whose task is refused. */
static bool
is_too_long(Advance *advance)
{
	const Transition *transition = advance->transition;
	const char *limit = NULL;

	if (state_is_open(transition->state))
		limit = transition_over_limit(transition, &advance->call.limits);
	advance->refusal.message = limit;
	return limit != NULL;
}

/* False if there is no such activity. */
static bool
run_activity(Transition *transition, const ActivityRun *run, const char *identity)
{
	ExecutionState *state = transition->state;
	PendingActivity *activity = state_find_activity_id(state, run->activity_id);

	if (activity == NULL)
		return false;
	transition->now = run->started;
	core_start_activity(transition, activity, NO_REQUEST, identity);
	transition->now = run->ended;
	if (run->heartbeat != NULL)
		core_heartbeat_activity(transition, activity, run->heartbeat);
	if (run->failure != NULL)
		service_fail_activity(transition, activity, run->failure, identity);
	else
		service_complete_activity(transition, activity, run->result, identity);
	/* What is over is looked for no more, however many there are. */
	if (activity->change == ROW_ABSENT)
		state->activities = list_delete_ptr(state->activities, activity);
	return true;
}

/* Starts the task that the activities have made, if they have made one. */
static void
start_next(Advance *advance, const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	Transition *transition = advance->transition;
	ExecutionState *state = transition->state;

	transition->now = clock_now();
	transition_flush_buffer(transition);
	if (state_task_pending(state))
		core_start_workflow_task(transition, state->run->workflow_task->queue,
								 NO_REQUEST, request->identity, &advance->call.limits);
}

static void
advance_body(ServiceCall *call, void *arg)
{
	AdvanceBody *body = arg;
	Transition *transition = body->advance->transition;
	ListCell   *cell;

	transition->now = body->runs == NIL ? clock_now() :
		((const ActivityRun *) linitial(body->runs))->started;
	body->accepted = complete_task(body->advance, body->request);
	foreach(cell, body->runs)
		body->accepted = body->accepted &&
			run_activity(transition, lfirst(cell), body->request->identity);
	if (!body->accepted)
		return;
	if (transition->force_task || body->request->force_create_new_workflow_task)
		core_want_workflow_task(transition);
	transition->force_task = false;
	start_next(body->advance, body->request);
	body->accepted = !is_too_long(body->advance);
}

bool
service_advance(Advance *advance, const Pb__RespondWorkflowTaskCompletedRequest *request,
				List *runs, List **events)
{
	AdvanceBody body = {advance, request, runs};
	int			known = list_length(advance->transition->events);
	ListCell   *cell;

	service_act(&advance->call, advance_body, &body);
	for_each_from(cell, advance->transition->events, known)
		*events = lappend(*events, lfirst(cell));
	return body.accepted;
}

static void
end_body(ServiceCall *call, void *arg)
{
	AdvanceBody *body = arg;
	Transition *transition = body->advance->transition;

	call->now = transition->now = clock_now();
	body->accepted = body->request == NULL || complete_task(body->advance, body->request);
	if (body->accepted && body->request != NULL)
		completion_next_task(call, transition, body->request,
							 body->advance->original_scheduled_time);
	body->accepted = body->accepted && !is_too_long(body->advance);
	if (body->accepted)
		service_commit(call, transition);
}

bool
service_advance_end(Advance *advance, const Pb__RespondWorkflowTaskCompletedRequest *request,
					const char *waiting_for, const char *waiting_at)
{
	AdvanceBody body = {advance, request};

	advance->call.waiting_for = waiting_for;
	advance->call.waiting_at = waiting_at;
	service_act(&advance->call, end_body, &body);
	return body.accepted;
}

bool
service_advance_refused(const Advance *advance)
{
	return advance->refusal.message != NULL;
}

static void
refuse_body(ServiceCall *call, void *arg)
{
	AdvanceBody *body = arg;
	Advance    *advance = body->advance;
	CommandError refusal = advance->refusal;

	restart_body(call, advance);
	call->now = advance->transition->now = clock_now();
	if (refusal.cause != 0)
		completion_refuse(call, advance->transition, body->request, &refusal);
	else
	{
		core_terminate(advance->transition, refusal.message, NULL, HISTORY_SERVICE, 0, NULL);
		service_commit(call, advance->transition);
		service_refuse(call, ERRCODE_TEMPORAL_LIMIT_EXCEEDED, refusal.message);
	}
}

void
service_advance_refuse(Advance *advance, const Pb__RespondWorkflowTaskCompletedRequest *request)
{
	AdvanceBody body = {advance, request};

	service_act(&advance->call, refuse_body, &body);
	service_warn_refused(&advance->call);
}

typedef struct FailBody
{
	Transition *transition;
	TaskFailure failed;
} FailBody;

static void
fail_body(ServiceCall *call, void *arg)
{
	const FailBody *body = arg;

	call->now = body->transition->now = clock_now();
	core_fail_workflow_task(body->transition, &body->failed);
	core_schedule_workflow_task(body->transition);
	service_commit(call, body->transition);
}

void
service_advance_fail(Advance *advance, const char *identity, Pb__WorkflowTaskFailedCause cause,
					 const Pb__Failure *failure)
{
	FailBody	body = {
		advance->transition, {.cause = cause, .failure = failure, .identity = identity}
	};

	service_act(&advance->call, fail_body, &body);
}
