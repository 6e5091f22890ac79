/*
 * activity_task.c
 *	  Activity tasks: a call of the activity's function.
 */
#include "postgres.h"

#include "base/guc.h"
#include "exec/heartbeat.h"
#include "proto/payload.h"
#include "service/service.h"
#include "wake/process.h"

/* May it take long?  It is known to have begun before it does, and can be told to end. */
static bool
is_long(const ServiceCall *call, const PendingActivity *activity)
{
	const Pb__ActivityTaskScheduledEventAttributes *scheduled =
		activity->scheduled->activity_task_scheduled_event_attributes;
	const Registration *registration;

	if (activity->state->heartbeat_timeout > 0)
		return true;
	registration = store_find_registration(&call->namespace->id, QUEUE_TYPE(ACTIVITY),
										   scheduled->activity_type->name);
	return registration != NULL && !registration->transactional;
}

bool
activity_task_accepts(const ServiceCall *call, const PendingActivity *activity)
{
	return !is_long(call, activity) || process_begin_long(guc_executor_limit());
}

bool
activity_task_take(Task *task)
{
	Pb__PollActivityTaskQueueRequest request = PB__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	Pb__PollActivityTaskQueueResponse *response;

	queue.name = task->queue->name;
	request.task_queue = &queue;
	request.namespace_ = task->queue->namespace_name;
	request.identity = task->identity;
	response = (Pb__PollActivityTaskQueueResponse *)
		task_invoke(task, "PollActivityTaskQueue", &request);
	if (response->task_token.len == 0)
		return false;
	task->activity = response;
	return true;
}

static void
complete(const Task *task, Value result)
{
	Pb__RespondActivityTaskCompletedRequest request =
		PB__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	request.result = value_payloads(result);
	task_invoke(NULL, "RespondActivityTaskCompleted", &request);
}

typedef struct Completion
{
	const Task *task;
	Value		result;
} Completion;

static void
complete_body(void *arg)
{
	const Completion *completion = arg;

	complete(completion->task, completion->result);
}

/*
 * The function may have ended its own workflow, or answered for itself: that
 * stays, and nobody waits for more.
 */
static void
complete_if_awaited(const Task *task, Value result)
{
	task_unless_gone(complete_body, &(Completion) {task, result});
}

static void
fail(const Task *task, Pb__Failure *failure)
{
	Pb__RespondActivityTaskFailedRequest request = PB__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	request.failure = failure;
	request.last_heartbeat_details = heartbeat_details(&task->activity->task_token);
	task_invoke(NULL, "RespondActivityTaskFailed", &request);
}

void
activity_task_fail(const Task *task, const ErrorData *error)
{
	fail(task, failure_of_attempt(error));
}

static void
cancel(const Task *task)
{
	Pb__RespondActivityTaskCanceledRequest request =
		PB__RESPOND_ACTIVITY_TASK_CANCELED_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	task_invoke(NULL, "RespondActivityTaskCanceled", &request);
}

/* It has ended because it was told to: nobody waits for what is gone. */
static void
answer_stop(const Task *task, BeatStop stop)
{
	if (stop == BEAT_CANCELLED)
		cancel(task);
	else if (stop == BEAT_RESET)
		fail(task, task_failure("ActivityReset", "activity was reset"));
	else if (stop == BEAT_PAUSED)
		fail(task, task_failure("ActivityPaused", "activity was paused"));
}

/* Others will complete it, and go on from where it was. */
static void
leave(const Task *task)
{
	Pb__RecordActivityTaskHeartbeatRequest request =
		PB__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	request.details = heartbeat_details(&task->activity->task_token);
	if (request.details != NULL)
		task_invoke(NULL, "RecordActivityTaskHeartbeat", &request);
	service_leave_activity(&task->activity->task_token);
}

/* Calls the function, unless it is to end before it has begun; its error. */
static ErrorData *
call_activity_function(const Task *task, Call *call, BeatStop *stop)
{
	ErrorData  *error = NULL;

	heartbeat_open(task->activity, task->apart);
	*stop = heartbeat_stop();
	if (*stop == BEAT_GOES_ON)
	{
		error = call_guarded(call);
		if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED && !call->timed_out)
			*stop = heartbeat_stop();
	}
	heartbeat_close();
	return error;
}

void
activity_task_do(Task *task)
{
	const Pb__PollActivityTaskQueueResponse *activity = task->activity;
	Call		call = {.registration = task->registration, .input = activity->input,
	.activity = activity};
	ErrorData  *error;
	BeatStop	stop;

	if (call.registration == NULL)
	{
		fail(task, task_failure("NotRegistered", psprintf("activity type \"%s\" is not registered",
														  activity->activity_type->name)));
		return;
	}
	if (task->timed)
		call.limit_ms = proto_duration_us(activity->start_to_close_timeout) / 1000;
	call.shared = task->shared;
	error = call_activity_function(task, &call, &stop);
	/* A collision says nothing of the function: once more, in better company. */
	if (error != NULL && !task->apart && !call.timed_out && failure_class(error) == ERROR_AGAIN)
	{
		task->collided = !task->shared;
		ReThrowError(error);
	}
	if (stop != BEAT_GOES_ON)
		answer_stop(task, stop);
	else if (heartbeat_is_silent() && error != NULL)
		fail(task, task_failure("Heartbeat", "activity function did not heartbeat in time"));
	else if (call.timed_out)
		fail(task, task_failure("StartToClose", psprintf("activity function did not return within %d ms",
														 (int) call.limit_ms)));
	else if (error != NULL)
		activity_task_fail(task, error);
	else if (call.left)
		leave(task);
	else if (call.own.wanted)
		complete_if_awaited(task, call.result);
	else
		complete(task, call.result);
}
