/*
 * runner.c
 *	  Running the functions that are registered, a task at a time.
 *
 * Tasks are taken and answered through the same methods as by any worker.
 * Here the three are one transaction: taking the task, the call of the
 * function in a subtransaction of its own, and the answer.  So what an
 * activity writes is there if and only if its completion is.
 *
 * A pass of a workflow function writes nothing (or, if that is allowed, only
 * together with the end of the workflow): it is rolled back when it stops.
 */
#include "postgres.h"

#include "access/xact.h"
#include "exec/function.h"
#include "exec/pass.h"
#include "exec/runner.h"
#include "miscadmin.h"
#include "proto/payload.h"
#include "service/service.h"
#include "store/xact.h"
#include "utils/memutils.h"

/* One task, from poll to answer. */
typedef struct Job
{
	const ServiceQueue *queue;
	const char *identity;
	RunOutcome	outcome;
} Job;

static bool busy = false;

bool
runner_is_busy(void)
{
	return busy;
}

/* ---- calling a function ---- */

typedef struct Call
{
	const Registration *registration;
	const Pb__Payloads *input;
	Pass	   *pass;			/* of a workflow */
	Jsonb	   *result;
} Call;

static void
call_body(void *arg)
{
	Call	   *call = arg;
	ErrorContextCallback *outer = error_context_stack;

	/* Where we were called from does not belong into a failure. */
	error_context_stack = NULL;
	if (call->pass != NULL && !call->registration->direct_sql)
		XactReadOnly = true;	/* until the end of the subtransaction */
	call->result = function_call(function_find(call->registration), call->input);
	/* A function may have caught what should have ended it. */
	if (call->pass != NULL)
		pass_check_stop(call->pass);
	error_context_stack = outer;
}

/* Somebody wants this process to stop: not the function's concern. */
static bool
is_real_cancel(const ErrorData *error, const Pass *pass)
{
	return failure_class(error) == ERROR_ENDS &&
		(pass == NULL || pass->stop == STOP_NONE || strstr(error->message, pass->reason) == NULL);
}

/* The error of the call, or NULL. */
static ErrorData *
call_guarded(Call *call)
{
	ErrorData  *error;

	busy = true;
	pass_current = call->pass;
	error = xact_guard(call_body, call);
	pass_current = NULL;
	busy = false;
	if (error != NULL && is_real_cancel(error, call->pass))
		ReThrowError(error);
	return error;
}

/* ---- workflow tasks ---- */

/* All events up to the task in hand. */
static Pb__HistoryEvent **
read_history(const char *namespace_name, const Pb__PollWorkflowTaskQueueResponse *task, size_t *n)
{
	Pb__GetWorkflowExecutionHistoryRequest request = PB__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	const Pb__History *page = task->history;
	ProtobufCBinaryData token = task->next_page_token;
	Pb__HistoryEvent **events = palloc(page->n_events * sizeof(Pb__HistoryEvent *));

	memcpy(events, page->events, page->n_events * sizeof(Pb__HistoryEvent *));
	*n = page->n_events;
	while (token.len > 0)
	{
		Pb__GetWorkflowExecutionHistoryResponse *response;

		request.namespace_ = namespace_name;
		request.execution = task->workflow_execution;
		request.next_page_token = token;
		response = (Pb__GetWorkflowExecutionHistoryResponse *)
			service_invoke("GetWorkflowExecutionHistory", &request);
		page = response->history;
		events = repalloc(events, (*n + page->n_events) * sizeof(Pb__HistoryEvent *));
		memcpy(events + *n, page->events, page->n_events * sizeof(Pb__HistoryEvent *));
		*n += page->n_events;
		token = response->next_page_token;
	}
	return events;
}

static Pass *
task_pass(const Job *job, const Pb__PollWorkflowTaskQueueResponse *task)
{
	size_t		n;
	Pb__HistoryEvent **events = read_history(job->queue->namespace_name, task, &n);
	Pass	   *pass = pass_new(CurrentMemoryContext, events, n, false);

	pass->namespace_name = job->queue->namespace_name;
	pass->task_queue = job->queue->name;
	pass->workflow_id = task->workflow_execution->workflow_id;
	pass->run_id = task->workflow_execution->run_id;
	pass->workflow_type = task->workflow_type->name;
	return pass;
}

static Pb__Command *
complete_command(Jsonb *result)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);

	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command->complete_workflow_execution_command_attributes =
		proto_new(&pb__complete_workflow_execution_command_attributes__descriptor);
	if (result != NULL)
		command->complete_workflow_execution_command_attributes->result =
			core_payloads(payload_from_jsonb(result));
	return command;
}

static Pb__Command *
cancel_command(void)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION);

	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command->cancel_workflow_execution_command_attributes =
		proto_new(&pb__cancel_workflow_execution_command_attributes__descriptor);
	return command;
}

static Pb__Command *
fail_command(const ErrorData *error)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);

	command->attributes_case = PB__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command->fail_workflow_execution_command_attributes =
		proto_new(&pb__fail_workflow_execution_command_attributes__descriptor);
	command->fail_workflow_execution_command_attributes->failure = failure_of_error(error);
	return command;
}

/* How an error that its function does not catch ends a workflow. */
static Pb__Command *
error_command(const Pass *pass, const ErrorData *error)
{
	bool		canceled = error->sqlerrcode == ERRCODE_TEMPORAL_CANCEL_REQUESTED ||
		(pass->cancel_requested && error->sqlerrcode == ERRCODE_TEMPORAL_ACTIVITY_CANCELED);

	return canceled ? cancel_command() : fail_command(error);
}

static void
complete_task(const Job *job, const Pb__PollWorkflowTaskQueueResponse *task, const Pass *pass)
{
	Pb__RespondWorkflowTaskCompletedRequest request =
		PB__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	ListCell   *cell;

	request.namespace_ = job->queue->namespace_name;
	request.task_token = task->task_token;
	request.identity = job->identity;
	request.commands = palloc((list_length(pass->commands) + 1) * sizeof(Pb__Command *));
	foreach(cell, pass->commands)
		request.commands[request.n_commands++] = lfirst(cell);
	service_invoke("RespondWorkflowTaskCompleted", &request);
}

/*
 * The task fails, not the workflow: once the function is mended it goes on.
 *
 * Only the first attempt is reported.  Those after it run into their timeout,
 * which grows, lest the function be called without pause.
 */
static void
fail_task(const Job *job, const Pb__PollWorkflowTaskQueueResponse *task, int cause,
		  Pb__Failure *failure)
{
	Pb__RespondWorkflowTaskFailedRequest request = PB__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;

	if (task->attempt > 1)
		return;
	request.namespace_ = job->queue->namespace_name;
	request.task_token = task->task_token;
	request.identity = job->identity;
	request.cause = cause;
	request.failure = failure;
	service_invoke("RespondWorkflowTaskFailed", &request);
}

static Pb__Failure *
message_failure(const char *type, const char *message)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = message;
	failure->source = "PostgreSQL";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = proto_new(&pb__application_failure_info__descriptor);
	failure->application_failure_info->type = type;
	return failure;
}

/* Answers a task whose function has been called. */
static void
answer_task(const Job *job, const Pb__PollWorkflowTaskQueueResponse *task, Call *call,
			const ErrorData *error)
{
	Pass	   *pass = call->pass;

	if (pass->stop == STOP_NONE && error != NULL && failure_class(error) == ERROR_BUG)
	{
		fail_task(job, task, CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE), failure_of_error(error));
		return;
	}
	if (pass->stop == STOP_NONE)
		pass_close(pass, error != NULL ? error_command(pass, error) : complete_command(call->result));
	if (pass->stop == STOP_NONDETERMINISTIC)
		fail_task(job, task, CAUSE(NON_DETERMINISTIC_ERROR),
				  message_failure("NonDeterministicError",
								  psprintf("workflow function is not deterministic: %s", pass->reason)));
	else
		complete_task(job, task, pass);
}

static void
do_workflow_task(void *arg)
{
	Job		   *job = arg;
	Pb__PollWorkflowTaskQueueRequest request = PB__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	Pb__PollWorkflowTaskQueueResponse *task;
	Call		call = {NULL};
	ErrorData  *error;

	queue.name = job->queue->name;
	request.task_queue = &queue;
	request.namespace_ = job->queue->namespace_name;
	request.identity = job->identity;
	task = (Pb__PollWorkflowTaskQueueResponse *) service_invoke("PollWorkflowTaskQueue", &request);
	job->outcome = RUN_NOTHING;
	if (task == NULL || task->task_token.len == 0)
		return;
	job->outcome = RUN_DONE;
	call.registration = service_find_registration(job->queue->namespace_name, QUEUE_TYPE(WORKFLOW),
												  task->workflow_type->name);
	if (call.registration == NULL)
	{
		fail_task(job, task, CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE),
				  message_failure("NotRegistered", psprintf("workflow type \"%s\" is not registered",
															task->workflow_type->name)));
		return;
	}
	call.pass = task_pass(job, task);
	call.input = call.pass->events[0]->workflow_execution_started_event_attributes->input;
	error = call_guarded(&call);
	if (error != NULL && call.pass->stop == STOP_NONE && failure_class(error) == ERROR_AGAIN)
		ReThrowError(error);
	answer_task(job, task, &call, error);
}

/* ---- activity tasks ---- */

static void
complete_activity(const Job *job, const Pb__PollActivityTaskQueueResponse *task, Jsonb *result)
{
	Pb__RespondActivityTaskCompletedRequest request =
		PB__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

	request.namespace_ = job->queue->namespace_name;
	request.task_token = task->task_token;
	request.identity = job->identity;
	if (result != NULL)
		request.result = core_payloads(payload_from_jsonb(result));
	service_invoke("RespondActivityTaskCompleted", &request);
}

static void
fail_activity(const Job *job, const Pb__PollActivityTaskQueueResponse *task, Pb__Failure *failure)
{
	Pb__RespondActivityTaskFailedRequest request = PB__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	request.namespace_ = job->queue->namespace_name;
	request.task_token = task->task_token;
	request.identity = job->identity;
	request.failure = failure;
	service_invoke("RespondActivityTaskFailed", &request);
}

static void
do_activity_task(void *arg)
{
	Job		   *job = arg;
	Pb__PollActivityTaskQueueRequest request = PB__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	Pb__PollActivityTaskQueueResponse *task;
	Call		call = {NULL};
	ErrorData  *error;

	queue.name = job->queue->name;
	request.task_queue = &queue;
	request.namespace_ = job->queue->namespace_name;
	request.identity = job->identity;
	task = (Pb__PollActivityTaskQueueResponse *) service_invoke("PollActivityTaskQueue", &request);
	job->outcome = RUN_NOTHING;
	if (task == NULL || task->task_token.len == 0)
		return;
	job->outcome = RUN_DONE;
	call.registration = service_find_registration(job->queue->namespace_name, QUEUE_TYPE(ACTIVITY),
												  task->activity_type->name);
	call.input = task->input;
	if (call.registration == NULL)
	{
		fail_activity(job, task,
					  message_failure("NotRegistered", psprintf("activity type \"%s\" is not registered",
																task->activity_type->name)));
		return;
	}
	error = call_guarded(&call);
	if (error == NULL)
		complete_activity(job, task, call.result);
	else
		fail_activity(job, task, failure_of_error(error));
}

/* ---- the guard around each task ---- */

RunOutcome
runner_do_task(const ServiceQueue *queue)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "temporal task", ALLOCSET_DEFAULT_SIZES);
	Job			job = {queue, NULL, RUN_NOTHING};
	ErrorData  *error;

	MemoryContextSwitchTo(own);
	job.identity = GetUserNameFromId(GetUserId(), false);
	error = xact_guard(queue->kind == QUEUE_TYPE(WORKFLOW) ? do_workflow_task : do_activity_task,
					   &job);
	if (error != NULL && failure_class(error) == ERROR_ENDS)
		ReThrowError(error);
	if (error != NULL)
	{
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("task of queue \"%s\" was put back: %s", queue->name, error->message)));
		job.outcome = RUN_LATER;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	return job.outcome;
}
