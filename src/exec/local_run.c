/*
 * local_run.c
 *	  Activities that are run by the pass that asks for them.
 *
 * An activity whose function is registered by the same role and writes in this
 * database alone need not go by the task queue: when the workflow function
 * comes to wait, what it has started so far is run, the run advances to its
 * next workflow task in memory, and the pass goes on with the events of that
 * (see service/advance.c).  All of it is written once, when the task is
 * answered.  History is as if a worker had polled for each.
 *
 * As with steps, that is first tried the quick way, in the pass itself.  If the
 * function must wait after all, or an activity fails, everything is thrown
 * away and done again between passes, where each run has a subtransaction of
 * its own and a failure is an attempt that has failed: the next is left to the
 * task queue, and so is an activity that takes long.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/guc.h"
#include "exec/heartbeat.h"
#include "exec/local_run.h"
#include "exec/rehearse.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "proto/payload.h"
#include "proto/wire.h"
#include "service/advance.h"

/* How many activities are run in one workflow task: in a pass, one by one. */
#define MAX_RUNS 10000
#define MAX_RUNS_STEPWISE 200

/* They take long, or change the workflow that waits for them. */
static NameSet queued_activities = {"temporal activities for the queue"};
static NameSet refused_types = {"temporal types whose runs were refused"};

/* ---- which ---- */

/* May it end sooner than activities that run before it in the same pass? */
static bool
is_urgent(const Pb__Duration *timeout)
{
	int64		us = proto_duration_us(timeout);

	return us > 0 && us < guc_pass_timeout * INT64CONST(1000);
}

/*
 * What has a heartbeat timeout is meant to take long.  Where a pass is not
 * limited, nothing would end an activity in it.
 */
static bool
fits(const Pass *pass, const Registration *registration,
	 const Pb__ScheduleActivityTaskCommandAttributes *attributes)
{
	return pass->may_run && registration != NULL && (!pass->limited || guc_pass_timeout > 0) &&
		(registration->transactional || mock_find(registration->name) != NULL) &&
		GetUserId() == GetSessionUserId() &&
		strcmp(registration->role_name, GetUserNameFromId(GetUserId(), false)) == 0 &&
		strcmp(registration->task_queue, attributes->task_queue->name) == 0 &&
		proto_duration_us(attributes->heartbeat_timeout) == 0 &&
		!is_urgent(attributes->schedule_to_start_timeout) &&
		!is_urgent(attributes->schedule_to_close_timeout) &&
		!name_set_has(&queued_activities, registration->name);
}

/* local_run_consider -- an activity is being scheduled: may it run here? */
void
local_run_consider(const Pass *pass, Handle *handle, const Registration *registration,
				   const Pb__ScheduleActivityTaskCommandAttributes *attributes)
{
	if (!fits(pass, registration, attributes))
		return;
	handle->local = attributes;
	handle->registration = registration;
}

static bool
is_left(const Pass *pass, const Handle *handle)
{
	ListCell   *cell;

	foreach(cell, pass->left)
		if (strcmp(lfirst(cell), handle->id) == 0)
			return true;
	return false;
}

static void
leave(Pass *pass, const Handle *handle)
{
	pass->left = lappend(pass->left, pstrdup(handle->id));
}

/* Those that are pending, in the order in which they were started. */
static List *
pending_handles(const Pass *pass)
{
	List	   *handles = NIL;
	ListCell   *cell;

	foreach(cell, pass->handles)
	{
		Handle	   *handle = lfirst(cell);

		if (handle->local != NULL && handle->outcome == NULL && !handle->cancelled &&
			!handle->cancel_later && !is_left(pass, handle))
			handles = lappend(handles, handle);
	}
	return handles;
}

/* When something of the run is due that others must see to; 0: never. */
static TimestampTz
next_due(const Pass *pass)
{
	TimestampTz due = pass->expires;
	ListCell   *cell;

	foreach(cell, pass->handles)
	{
		const Handle *handle = lfirst(cell);

		if (handle->kind == HANDLE_TIMER && handle->outcome == NULL && !handle->cancelled &&
			(due == 0 || handle->due < due))
			due = handle->due;
	}
	return due;
}

static bool
is_late(TimestampTz due)
{
	return due != 0 && due <= clock_now();
}

/* Has the task in hand done enough? */
static bool
is_full(const Pass *pass)
{
	return pass->runs >= (pass->stepwise ? MAX_RUNS_STEPWISE : MAX_RUNS) ||
		(pass->stepwise && pass->hurry && pass->runs > 0);
}

/* ---- running one ---- */

typedef struct LocalRun
{
	Pass	   *pass;
	const Handle *handle;
	ActivityRun run;
	ErrorData  *error;			/* that has ended it in the pass; NULL: none */
	Call		call;
} LocalRun;

/* What the activity may know of itself. */
static Pb__PollActivityTaskQueueResponse *
describe(const LocalRun *local)
{
	Pb__PollActivityTaskQueueResponse *task =
		proto_new(&pb__poll_activity_task_queue_response__descriptor);
	const Pb__ScheduleActivityTaskCommandAttributes *attributes = local->handle->local;

	task->workflow_namespace = local->pass->namespace_name;
	task->workflow_type = proto_new(&pb__workflow_type__descriptor);
	task->workflow_type->name = local->pass->workflow_type;
	task->workflow_execution = proto_new(&pb__workflow_execution__descriptor);
	task->workflow_execution->workflow_id = local->pass->workflow_id;
	task->workflow_execution->run_id = local->pass->run_id;
	task->activity_type = attributes->activity_type;
	task->activity_id = attributes->activity_id;
	task->input = attributes->input;
	task->attempt = 1;
	return task;
}

static LocalRun *
local_run_new(Pass *pass, const Handle *handle)
{
	LocalRun   *local = palloc0(sizeof(LocalRun));

	local->pass = pass;
	local->handle = handle;
	local->run.activity_id = handle->id;
	local->call.registration = handle->registration;
	local->call.input = handle->local->input;
	local->call.activity = describe(local);
	return local;
}

/* The time that an attempt may take, in microseconds; 0: any. */
static int64
attempt_limit(const Handle *handle)
{
	int64		limit = proto_duration_us(handle->local->start_to_close_timeout);
	int64		whole = proto_duration_us(handle->local->schedule_to_close_timeout);

	return limit == 0 || (whole != 0 && whole < limit) ? whole : limit;
}

static void
run_body(void *arg)
{
	LocalRun   *local = arg;
	Value		result;

	heartbeat_open(local->call.activity, false);
	local->run.started = clock_now();
	result = call_activity_here(&local->call);
	local->run.ended = clock_now();
	local->run.result = value_payloads(result);
}

/*
 * What a process of ours clears away after a call stays until the end of the
 * pass, and there the next activity would find it: temporary tables must not be.
 */
static void
check_temporary(const LocalRun *local)
{
	if (MyBackendType == B_BG_WORKER && (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("activity \"%s\" has used temporary tables", local->handle->name)));
}

/* Only the pass as a whole was watched. */
static void
check_duration(const LocalRun *local)
{
	int64		limit = attempt_limit(local->handle);

	if (local->pass->limited && limit > 0 && local->run.ended - local->run.started > limit)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("activity \"%s\" took too long", local->handle->name)));
}

/*
 * Does the error say something of the activity?  What somebody cancels in a
 * process of ours is the attempt; in a session, the statement that runs it.
 */
static bool
is_attempt_failure(const ErrorData *error)
{
	ErrorClass	class = failure_class(error);

	return class < ERROR_AGAIN || (class == ERROR_ENDS && MyBackendType == B_BG_WORKER);
}

static void
note_end(LocalRun *local)
{
	local->run.ended = clock_now();
	local->run.heartbeat = heartbeat_details(&local->call.activity->task_token);
}

/* ---- advancing ---- */

/*
 * A command was refused, or a limit passed, after steps and activities that
 * must not stay.  The task is done once more, in a subtransaction that can be
 * thrown away before the refusal is written.
 */
static pg_noreturn void
refuse(const Pass *pass)
{
	name_set_add(&refused_types, pass->workflow_type);
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("answer to a workflow task of type \"%s\" was refused", pass->workflow_type)));
}

bool
local_run_needs_care(const char *workflow_type)
{
	return name_set_has(&refused_types, workflow_type);
}

typedef struct Advancing
{
	Pass	   *pass;
	Pb__RespondWorkflowTaskCompletedRequest *request;
	List	   *runs;
	List	   *events;
	bool		accepted;
} Advancing;

typedef struct Failing
{
	const Task *task;
	int			cause;
	const Pb__Failure *failure;
} Failing;

static void
advance_body(void *arg)
{
	Advancing  *to = arg;

	to->accepted = service_advance(to->pass->advance, to->request, to->runs, &to->events);
}

/*
 * The task in hand is completed, "runs" happen, and the next one is in hand if
 * that has made one, or if there are none.
 */
static void
advance(Pass *pass, List *runs)
{
	Advancing	to = {pass, NULL, runs};

	pass->again = runs == NIL;
	to.request = workflow_completion(pass);
	task_patiently(advance_body, &to);
	if (!to.accepted)
		refuse(pass);
	/* Steps are done in the database, too, and are forgotten now. */
	pass->runs += list_length(runs) + list_length(pass->steps);
	pass_extend(pass, to.events);
	pass->again = false;
}

static void
end_body(void *arg)
{
	Advancing  *to = arg;
	const Pass *pass = to->pass;

	to->accepted = service_advance_end(pass->advance, to->request,
									   pass->stop == STOP_WAITING ? pass->reason : NULL,
									   pass->waiting_at);
}

static void
fail_body(void *arg)
{
	const Failing *to = arg;

	service_advance_fail(to->task->advance, to->task->identity, to->cause, to->failure);
}

/*
 * local_run_fail -- the task in hand has failed, and what was before is written.
 *
 * Later attempts are not reported, see fail_task().
 */
void
local_run_fail(const Task *task, const Pass *pass, int cause, const Pb__Failure *failure)
{
	if (task->workflow->attempt <= 1 || (pass != NULL && pass->runs > 0))
		task_patiently(fail_body, &(Failing) {task, cause, failure});
	else
		task_keep(task);
}

/* local_run_end -- the task in hand is answered, and everything written. */
void
local_run_end(Pass *pass)
{
	Advancing	to = {pass, pass->in_hand ? workflow_completion(pass) : NULL};

	task_patiently(end_body, &to);
	if (!to.accepted)
		refuse(pass);
}

/*
 * An attempt in the pass; if it fails, that is not tried again between passes,
 * unless it may be for what another activity has left in the session.  That it
 * wants to change the run that is in our hands is no failure.
 *
 * What the error is to Temporal is found out when it is over: that may need a
 * subtransaction, which nobody may begin before this one is rolled back.
 */
static void
run_attempt(Pass *pass, LocalRun *local)
{
	pass->active = true;
	PG_TRY();
	{
		run_body(local);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(pass->memory);
		error = CopyErrorData();
		if (local->call.own.wanted)
		{
			name_set_add(&queued_activities, local->handle->name);
			pass->reason = OWN_RUN_MESSAGE;
		}
		else if (is_attempt_failure(error) && failure_class(error) != ERROR_BUG && !call_timed_out())
		{
			note_end(local);
			local->error = error;
			pass->failed = local;
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* In the pass, which counts as spoilt until all is well. */
static void
run_here(Pass *pass, List *handles)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	List	   *runs = NIL;
	TimestampTz due = next_due(pass);
	ListCell   *cell;

	pass->stop = STOP_SPOILT;
	pass->reason = "an activity has failed";
	pass->step_subid = GetCurrentSubTransactionId();
	if (MyBackendType == B_BG_WORKER)
		MyXactFlags &= ~XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	foreach(cell, handles)
	{
		LocalRun   *local;

		if (runs != NIL && is_late(due))
		{
			leave(pass, lfirst(cell));
			continue;
		}
		local = local_run_new(pass, lfirst(cell));
		run_attempt(pass, local);
		check_duration(local);
		check_temporary(local);
		runs = lappend(runs, &local->run);
	}
	advance(pass, runs);
	pass_go_on(pass);
	pass->stop = STOP_NONE;
	MemoryContextSwitchTo(caller);
}

static void
next_task_body(void *arg)
{
	advance(arg, NIL);
}

/*
 * What was asked for and cancelled in the task in hand must not be run by
 * anybody, so the task in which it is cancelled is the next thing that happens.
 */
static bool
cancel_unstarted(Pass *pass)
{
	MemoryContext caller;

	if (!handle_cancels_late(pass))
		return false;
	caller = MemoryContextSwitchTo(pass->memory);
	pass_do(pass, next_task_body, pass);
	pass_go_on(pass);
	MemoryContextSwitchTo(caller);
	return true;
}

/*
 * local_run_all -- runs what can be run, and goes on to the next task; false if
 * there is nothing.
 */
bool
local_run_all(Pass *pass)
{
	List	   *handles = NIL;

	if (!pass->may_run || !pass_is_live(pass))
		return false;
	if (!is_full(pass) && !is_late(next_due(pass)))
		handles = pending_handles(pass);
	if (handles == NIL)
		return cancel_unstarted(pass);
	if (pass->stepwise)
		pass_stop(pass, STOP_ACTIVITIES,
				  psprintf("activity %s", ((const Handle *) linitial(handles))->name));
	pass_check_settings(pass);
	run_here(pass, handles);
	return true;
}

/*
 * One attempt in a subtransaction.  Its run is NULL if it is left to the task
 * queue, since it takes too long for this or changes the run, or collides with
 * somebody although no other task of this transaction is in the way.  The error,
 * if that is the case, says nothing of the activity.
 */
static ErrorData *
run_guarded(Pass *pass, LocalRun *local, ActivityRun **run)
{
	int64		limit = attempt_limit(local->handle) / 1000;
	ErrorData  *error;
	bool		timed_out;
	bool		for_queue;

	if (limit == 0 || limit > guc_pass_timeout)
		limit = guc_pass_timeout;
	error = call_limited(run_body, local, pass->limited ? limit : 0, pass->shared, &timed_out);
	*run = &local->run;
	if (error == NULL)
		return NULL;
	for_queue = timed_out || local->call.own.wanted;
	if (for_queue)
		name_set_add(&queued_activities, local->handle->name);
	if (for_queue || (failure_class(error) == ERROR_AGAIN && !pass->shared))
	{
		leave(pass, local->handle);
		*run = NULL;
		return NULL;
	}
	if (!is_attempt_failure(error))
		return error;
	note_end(local);
	local->run.failure = failure_of_attempt(error);
	return NULL;
}

/* Has it failed in the pass already?  Then that is what has come of it, once. */
static ActivityRun *
take_failed(Pass *pass, const Handle *handle)
{
	LocalRun   *failed = pass->failed;

	if (failed == NULL || strcmp(failed->run.activity_id, handle->id) != 0)
		return NULL;
	pass->failed = NULL;
	failed->run.failure = failure_of_attempt(failed->error);
	/* What was before it has happened once more since. */
	failed->run.started = failed->run.ended = clock_now();
	return &failed->run;
}

static bool
is_slow(const Pass *pass, TimestampTz begun)
{
	return pass->limited && clock_wall_now() - begun > STEPWISE_US;
}

/*
 * local_run_guarded -- for a function that has stopped for its activities.
 *
 * Once that has taken long, or a timer of the run is due, the others are left to
 * the task queue: the run is locked, and other processes may be free.
 *
 * No other task may be in hand after it: then all that is left to do is to
 * write what happened.  An error says nothing of the activities: try again later.
 */
ErrorData *
local_run_guarded(Pass *pass)
{
	MemoryContext caller = MemoryContextSwitchTo(pass->memory);
	List	   *runs = NIL;
	ErrorData  *error = NULL;
	TimestampTz begun = clock_wall_now();
	TimestampTz due = next_due(pass);
	ListCell   *cell;

	foreach(cell, pending_handles(pass))
	{
		Handle	   *handle = lfirst(cell);
		ActivityRun *run = take_failed(pass, handle);

		if (run == NULL && (is_late(due) || is_slow(pass, begun)))
			leave(pass, handle);
		else if (run == NULL)
			error = run_guarded(pass, local_run_new(pass, handle), &run);
		if (error != NULL)
			break;
		if (run != NULL)
			runs = lappend(runs, run);
	}
	if (error == NULL && runs != NIL)
		advance(pass, runs);
	MemoryContextSwitchTo(caller);
	return error;
}
