/*
 * workflow_task.c
 *	  Workflow tasks: a pass of the workflow's function.
 *
 * A pass writes nothing (or, if that is allowed, only together with the end of
 * the workflow): it is rolled back when it stops.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/guc.h"
#include "exec/local_run.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "proto/payload.h"
#include "service/advance.h"
#include "store/xact.h"

/* How long a function may take while others wait. */
#define QUICK_MS 200

/* Those whose functions do much before they wait. */
static NameSet busy_types = {"temporal busy types"};

/* ---- the history ---- */

/* All events up to the task in hand. */
static Pb__HistoryEvent **
read_history(const Task *task, size_t *n)
{
	Pb__GetWorkflowExecutionHistoryRequest request = PB__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	const Pb__History *page = task->workflow->history;
	ProtobufCBinaryData token = task->workflow->next_page_token;
	Pb__HistoryEvent **events = palloc(page->n_events * sizeof(Pb__HistoryEvent *));

	memcpy(events, page->events, page->n_events * sizeof(Pb__HistoryEvent *));
	*n = page->n_events;
	while (token.len > 0)
	{
		Pb__GetWorkflowExecutionHistoryResponse *response;

		request.namespace_ = task->queue->namespace_name;
		request.execution = task->workflow->workflow_execution;
		request.next_page_token = token;
		response = (Pb__GetWorkflowExecutionHistoryResponse *)
			task_invoke(NULL, "GetWorkflowExecutionHistory", &request);
		page = response->history;
		events = repalloc(events, (*n + page->n_events) * sizeof(Pb__HistoryEvent *));
		memcpy(events + *n, page->events, page->n_events * sizeof(Pb__HistoryEvent *));
		*n += page->n_events;
		token = response->next_page_token;
	}
	return events;
}

static Pass *
task_pass(const Task *task)
{
	size_t		n;
	Pb__HistoryEvent **events = read_history(task, &n);
	Pass	   *pass = pass_new(CurrentMemoryContext, events, n, false);

	pass->namespace_name = task->queue->namespace_name;
	pass->task_queue = task->queue->name;
	pass->workflow_id = task->workflow->workflow_execution->workflow_id;
	pass->run_id = task->workflow->workflow_execution->run_id;
	pass->workflow_type = task->workflow->workflow_type->name;
	pass->attempt = task->workflow->attempt;
	pass->polled = task->workflow;
	pass->identity = task->identity;
	pass->limited = task->timed;
	pass->shared = task->shared;
	pass->advance = task->advance;
	pass->may_run = pass->advance != NULL;
	pass->expires = pass->may_run ? service_advance_expiration(pass->advance) : 0;
	return pass;
}

/* ---- how a workflow ends ---- */

static Pb__Command *
complete_command(Value result)
{
	Pb__Command *command = pass_new_command(PB__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);

	command->attributes_case =
		PB__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command->complete_workflow_execution_command_attributes =
		proto_new(&pb__complete_workflow_execution_command_attributes__descriptor);
	command->complete_workflow_execution_command_attributes->result = value_payloads(result);
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

Pb__Command *
workflow_end_command(const Pass *pass, const ErrorData *error, Value result)
{
	return error != NULL ? error_command(pass, error) : complete_command(result);
}

/* ---- answers ---- */

Pb__RespondWorkflowTaskCompletedRequest *
workflow_completion(const Pass *pass)
{
	Pb__RespondWorkflowTaskCompletedRequest *request =
		proto_new(&pb__respond_workflow_task_completed_request__descriptor);
	ListCell   *cell;

	request->namespace_ = pass->namespace_name;
	request->task_token = pass->polled->task_token;
	request->identity = pass->identity;
	request->force_create_new_workflow_task = pass->again;
	request->commands = palloc((list_length(pass->commands) + 1) * sizeof(Pb__Command *));
	foreach(cell, pass->commands)
		request->commands[request->n_commands++] = lfirst(cell);
	return request;
}

static void
complete_task(const Task *task, Pass *pass)
{
	Task		answered = *task;

	if (pass->advance != NULL)
	{
		local_run_end(pass);
		return;
	}
	answered.waiting_for = pass->stop == STOP_WAITING ? pass->reason : NULL;
	answered.waiting_at = pass->waiting_at;
	if (task_invoke(&answered, "RespondWorkflowTaskCompleted", workflow_completion(pass)) == NULL &&
		pass->steps != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_BAD_COMMAND),
				 errmsg("answer to the workflow task was refused")));
}

/*
 * The task fails, not the workflow: once the function is mended it goes on.
 *
 * Only the first attempt is reported.  Those after it run into their timeout,
 * which grows, lest the function be called without pause.
 */
static void
fail_task(const Task *task, Pass *pass, int cause, Pb__Failure *failure)
{
	Pb__RespondWorkflowTaskFailedRequest request = PB__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;

	if (task->advance != NULL)
	{
		local_run_fail(task, pass, cause, failure);
		return;
	}
	if (task->workflow->attempt > 1)
		return;
	request.namespace_ = task->queue->namespace_name;
	request.task_token = task->workflow->task_token;
	request.identity = task->identity;
	request.cause = cause;
	request.failure = failure;
	task_invoke(NULL, "RespondWorkflowTaskFailed", &request);
}

static void
fail_by_error(const Task *task, Pass *pass, const ErrorData *error)
{
	Pb__Failure *failure = failure_of_error(error);

	if (error->sqlerrcode == ERRCODE_READ_ONLY_SQL_TRANSACTION)
		failure->message = psprintf("%s: a workflow function writes by temporal.step() and activities",
									failure->message);
	fail_task(task, pass, CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE), failure);
}

void
workflow_task_fail(const Task *task, const ErrorData *error)
{
	fail_by_error(task, NULL, error);
}

static void
fail_nondeterministic(const Task *task, Pass *pass)
{
	fail_task(task, pass, CAUSE(NON_DETERMINISTIC_ERROR),
			  task_failure("NonDeterministicError",
						   psprintf("workflow function is not deterministic: %s", pass->reason)));
}

/* Answers a task whose function has been called. */
static void
answer(const Task *task, Call *call, const ErrorData *error)
{
	Pass	   *pass = call->pass;

	if (call->timed_out)
	{
		fail_task(task, pass, CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE),
				  task_failure("Timeout", psprintf("workflow function neither waited nor returned within %d ms",
												   (int) call->limit_ms)));
		return;
	}
	if (pass->stop == STOP_BROKEN ||
		(pass->stop == STOP_NONE && error != NULL && failure_class(error) != ERROR_FAILS))
	{
		fail_by_error(task, pass, error);
		return;
	}
	if (pass->stop == STOP_NONE)
		pass_close(pass, workflow_end_command(pass, error, call->result));
	if (pass->stop == STOP_NONDETERMINISTIC)
		fail_nondeterministic(task, pass);
	else
	{
		if (pass->stop == STOP_WAITING)
			pass->waiting_at = failure_place(error);
		complete_task(task, pass);
	}
}

/* ---- the pass ---- */

/* Were steps taken, or activities run, in a pass whose work does not stay? */
static bool
is_spoilt(const Pass *pass, const ErrorData *error)
{
	return pass->stop == STOP_SPOILT ||
		(!pass->stepwise && (pass->steps != NIL || pass->runs > 0) && error != NULL);
}

/* Steps and activities are done one by one from now on, between passes. */
static void
go_stepwise(Pass *pass, const ErrorData *error)
{
	/* It is the way of the function, not something that has failed. */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		step_note_type(pass->workflow_type);
	pass->stepwise = true;
	if (pass->advance != NULL)
		service_advance_restart(pass->advance);
	pass_undo(pass);
}

/* Did the function have only the time of a quick one, and take it all? */
static bool
is_hurried(const Call *call)
{
	return call->ran_out && call->limit_ms < guc_pass_timeout;
}

/*
 * It is put off if it has done nothing yet, else it gets more time at once, as
 * others of its type will.
 */
static void
give_time(Call *call)
{
	Pass	   *pass = call->pass;

	call->limit_ms = guc_pass_timeout;
	call->slow = !pass->active && pass->steps == NIL && pass->runs == 0 &&
		pass->n_tasks == pass->polled_tasks;
	if (call->slow)
		return;
	name_set_add(&busy_types, pass->workflow_type);
	if (pass->stepwise)
		return;
	/* What it has done is gone with the call. */
	if (pass->advance != NULL)
		service_advance_restart(pass->advance);
	pass_undo(pass);
}

/*
 * Calls the function until it has done all of its steps and activities; its
 * error, or NULL.
 *
 * What was done in a pass is gone with it unless the function returned.
 */
static ErrorData *
call_with_steps(Call *call)
{
	Pass	   *pass = call->pass;
	TimestampTz begun = clock_wall_now();
	ErrorData  *error;

	pass->stepwise = step_type_waits(pass->workflow_type) || step_type_fails(pass->workflow_type);
	for (;;)
	{
		pass->hurry = call->limit_ms > 0 && clock_wall_now() - begun > STEPWISE_US;
		error = call_guarded(call);
		if (is_hurried(call))
		{
			give_time(call);
			if (call->slow)
				return NULL;
		}
		else if (is_spoilt(pass, error))
			go_stepwise(pass, error);
		else if (pass->stop == STOP_STEP || pass->stop == STOP_ACTIVITIES)
		{
			error = pass->stop == STOP_STEP ? step_take_guarded(pass, pass->wanted) :
				local_run_guarded(pass);
			/* Not for the function, but for the session. */
			if (error != NULL && failure_class(error) == ERROR_ENDS &&
				MyBackendType != B_BG_WORKER)
				ReThrowError(error);
			if (error != NULL)
				pass->stop = STOP_NONE;
			if (error != NULL || !pass->in_hand)
				return error;
		}
		else
			return pass->stop == STOP_BROKEN ? pass->error : error;
		pass_rewind(pass);
	}
}

/* ---- from the poll to the answer ---- */

bool
workflow_task_take(Task *task)
{
	Pb__PollWorkflowTaskQueueRequest request = PB__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	Pb__PollWorkflowTaskQueueResponse *response;

	queue.name = task->queue->name;
	request.task_queue = &queue;
	request.namespace_ = task->queue->namespace_name;
	request.identity = task->identity;
	response = (Pb__PollWorkflowTaskQueueResponse *)
		task_invoke(task, "PollWorkflowTaskQueue", &request);
	if (response->task_token.len == 0)
		return false;
	task->workflow = response;
	return true;
}

/* A task whose function is there. */
typedef struct WorkflowJob
{
	Task	   *task;
	Call		call;
} WorkflowJob;

static void
do_body(void *arg)
{
	WorkflowJob *job = arg;
	Call	   *call = &job->call;
	Task	   *task = job->task;
	ErrorData  *error = call_with_steps(call);

	task->slow = call->slow;
	if (task->slow)
		return;
	/* What is meant for this session has been raised; others may have said it. */
	if (error != NULL && (call->pass->stop == STOP_NONE || call->pass->stop == STOP_BROKEN) &&
		!call->timed_out && !task->apart && failure_class(error) == ERROR_AGAIN)
	{
		task->collided = !task->shared;
		ReThrowError(error);
	}
	answer(task, call, error);
}

/* As above, for an answer that may be refused: then nothing else stays. */
static void
do_with_care(WorkflowJob *job)
{
	Pass	   *pass = job->call.pass;
	ErrorData  *error = xact_guard(do_body, job);

	if (error == NULL)
		return;
	if (!service_advance_refused(pass->advance))
		ReThrowError(error);
	service_advance_refuse(pass->advance, workflow_completion(pass));
}

void
workflow_task_do(Task *task)
{
	WorkflowJob job = {task, {.registration = task->registration}};
	Call	   *call = &job.call;

	if (call->registration == NULL)
	{
		fail_task(task, NULL, CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE),
				  task_failure("NotRegistered", psprintf("workflow type \"%s\" is not registered",
														 task->workflow->workflow_type->name)));
		return;
	}
	call->pass = task_pass(task);
	call->input = call->pass->events[0]->workflow_execution_started_event_attributes->input;
	call->limit_ms = task->timed ? guc_pass_timeout : 0;
	if (task->quick && !name_set_has(&busy_types, task->workflow->workflow_type->name))
		call->limit_ms = Min(call->limit_ms, QUICK_MS);
	call->shared = task->shared;
	if (task->advance != NULL && local_run_needs_care(call->pass->workflow_type))
		do_with_care(&job);
	else
		do_body(&job);
}
