/*
 * task.c
 *	  One task, whether of a workflow or of an activity.
 */
#include "postgres.h"

#include "base/guc.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "service/advance.h"
#include "storage/proc.h"
#include "store/xact.h"

#define APART_PATIENCE_MS 1000
#define MAX_PATIENCE_MS (60 * 1000)

/* Finds its function, for the transaction at hand. */
static void
look_up(Task *task)
{
	const char *name = task->workflow != NULL ? task->workflow->workflow_type->name :
		task->activity->activity_type->name;

	task->registration = service_find_registration(task->queue->namespace_name,
												   task->queue->kind, name);
}

bool
task_take(Task *task)
{
	bool		taken = task->queue->kind == QUEUE_TYPE(WORKFLOW) ?
		workflow_task_take(task) : activity_task_take(task);

	if (taken)
		look_up(task);
	return taken;
}

void
task_do(Task *task)
{
	/* Not the transaction that has taken it. */
	if (task->apart)
		look_up(task);
	if (task->workflow != NULL)
		workflow_task_do(task);
	else
		activity_task_do(task);
}

static void
write_taken(void *arg)
{
	service_advance_end(arg, NULL, NULL, NULL);
}

void
task_keep(const Task *task)
{
	if (task->advance != NULL)
		task_patiently(write_taken, task->advance);
}

void
task_fail(const Task *task, const ErrorData *error)
{
	if (task->workflow != NULL)
		workflow_task_fail(task, error);
	else
		activity_task_fail(task, error);
}

void
task_unless_gone(void (*body) (void *arg), void *arg)
{
	ErrorData  *error = xact_guard(body, arg);

	if (error != NULL && !failure_of_gone(error))
		ReThrowError(error);
}

static int	patience_ms = 0;	/* 0: that of a background worker */

/*
 * task_wait_for -- nothing else waits for the transactions that follow.
 *
 * What an activity has done elsewhere is done, so it waits for its run as long
 * as its answer counts.
 */
void
task_wait_for(const Task *task)
{
	int64		us;

	patience_ms = task == NULL ? 0 : APART_PATIENCE_MS;
	if (task == NULL || task->activity == NULL)
		return;
	us = proto_duration_us(task->activity->start_to_close_timeout);
	patience_ms = Max(patience_ms, (int) Min(us / 1000, MAX_PATIENCE_MS));
}

void
task_patiently(void (*body) (void *arg), void *arg)
{
	int			patience = LockTimeout;

	if (MyBackendType == B_BG_WORKER)
		LockTimeout = patience_ms > 0 ? patience_ms : guc_lock_timeout;
	PG_TRY();
	{
		body(arg);
	}
	PG_FINALLY();
	{
		LockTimeout = patience;
	}
	PG_END_TRY();
}

/* "task", if it is not NULL, says more and hears what a poll found out. */
typedef struct Invocation
{
	Task	   *task;
	const char *method;
	const void *request;
	ProtobufCMessage *response;
} Invocation;

static void
invoke(void *arg)
{
	Invocation *to = arg;
	ServiceCall call;

	service_begin(&call);
	if (to->task != NULL)
	{
		call.session_bound = to->task->timed;
		call.waiting_for = to->task->waiting_for;
		call.waiting_at = to->task->waiting_at;
		call.answers_at_once = !to->task->apart;
		call.passed_over = to->task->passed_over;
		call.accepts = to->task->timed ? activity_task_accepts : NULL;
	}
	to->response = service_call(&call, service_find_method(to->method), to->request);
	if (call.refusal_sqlstate != 0)
		service_warn_refused(&call);
	if (to->task != NULL)
	{
		to->task->held = call.tasks_held;
		to->task->advance = call.advance;
		to->task->offer = call.offer;
		to->task->pause = call.pause;
	}
}

ProtobufCMessage *
task_invoke(Task *task, const char *method, const void *request)
{
	Invocation	to = {task, method, request};

	task_patiently(invoke, &to);
	return to.response;
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
