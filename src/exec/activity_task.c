/*
 * activity_task.c
 *	  Activity tasks: a call of the activity's function.
 */
#include "postgres.h"

#include "exec/task.h"
#include "proto/payload.h"
#include "service/service.h"

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
	task->registration = service_find_registration(task->queue->namespace_name,
												   QUEUE_TYPE(ACTIVITY),
												   response->activity_type->name);
	return true;
}

static void
complete(const Task *task, Jsonb *result)
{
	Pb__RespondActivityTaskCompletedRequest request =
		PB__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	if (result != NULL)
		request.result = core_payloads(payload_from_jsonb(result));
	task_invoke(NULL, "RespondActivityTaskCompleted", &request);
}

static void
fail(const Task *task, Pb__Failure *failure)
{
	Pb__RespondActivityTaskFailedRequest request = PB__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->activity->task_token;
	request.identity = task->identity;
	request.failure = failure;
	task_invoke(NULL, "RespondActivityTaskFailed", &request);
}

void
activity_task_fail(const Task *task, const ErrorData *error)
{
	fail(task, failure_of_error(error));
}

void
activity_task_do(const Task *task)
{
	const Pb__PollActivityTaskQueueResponse *activity = task->activity;
	Call		call = {.registration = task->registration, .input = activity->input,
	.activity = activity};
	ErrorData  *error;

	if (call.registration == NULL)
	{
		fail(task, task_failure("NotRegistered", psprintf("activity type \"%s\" is not registered",
														  activity->activity_type->name)));
		return;
	}
	if (task->timed)
		call.limit_ms = proto_duration_us(activity->start_to_close_timeout) / 1000;
	call.shared = task->shared;
	error = call_guarded(&call);
	/* A collision says nothing of the function: once more, in better company. */
	if (error != NULL && !task->apart && !call.timed_out && failure_class(error) == ERROR_AGAIN)
		ReThrowError(error);
	if (call.timed_out)
		fail(task, task_failure("StartToClose", psprintf("activity function did not return within %d ms",
														 (int) call.limit_ms)));
	else if (error != NULL)
		activity_task_fail(task, error);
	else if (call.left)
		service_leave_activity(&activity->task_token);
	else
		complete(task, call.result);
}
