/*
 * task.c
 *	  One task, whether of a workflow or of an activity.
 */
#include "postgres.h"

#include "base/guc.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "service/service.h"
#include "storage/proc.h"

bool
task_take(Task *task)
{
	return task->queue->kind == QUEUE_TYPE(WORKFLOW) ?
		workflow_task_take(task) : activity_task_take(task);
}

void
task_do(Task *task)
{
	if (task->workflow != NULL)
		workflow_task_do(task);
	else
		activity_task_do(task);
}

void
task_fail(const Task *task, const ErrorData *error)
{
	if (task->workflow != NULL)
		workflow_task_fail(task, error);
	else
		activity_task_fail(task, error);
}

/* Runs a method; "task", if it is not NULL, says more and hears what a poll found out. */
static ProtobufCMessage *
invoke(Task *task, const char *method, const void *request)
{
	ServiceCall call;
	ProtobufCMessage *response;

	service_begin(&call);
	call.session_bound = task != NULL && task->timed;
	call.waiting_for = task != NULL ? task->waiting_for : NULL;
	call.waiting_at = task != NULL ? task->waiting_at : NULL;
	response = service_call(&call, service_find_method(method), request);
	if (call.refusal_sqlstate != 0)
		service_warn_refused(&call);
	if (task != NULL)
		task->held = call.tasks_held;
	return response;
}

ProtobufCMessage *
task_invoke(Task *task, const char *method, const void *request)
{
	int			patience = LockTimeout;
	ProtobufCMessage *response = NULL;

	if (MyBackendType != B_BG_WORKER)
		return invoke(task, method, request);
	LockTimeout = guc_lock_timeout;
	PG_TRY();
	{
		response = invoke(task, method, request);
	}
	PG_FINALLY();
	{
		LockTimeout = patience;
	}
	PG_END_TRY();
	return response;
}

Pb__Failure *
task_failure(const char *type, const char *message)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = message;
	failure->source = "PostgreSQL";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = proto_new(&pb__application_failure_info__descriptor);
	failure->application_failure_info->type = type;
	return failure;
}
