/*
 * work.c
 *	  CALL temporal.work(): a worker in one line of SQL.
 *
 * Taking a task is committed first, so that a handler which takes the server
 * down is not tried again at once: the attempt has begun and is known to have
 * ended with its session.  The handler and the completion are one transaction:
 * what the handler writes is there if and only if the completion is.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/compat.h"
#include "base/clock.h"
#include "base/wait_event.h"
#include "catalog/pg_type.h"
#include "exec/pass.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "proto/json.h"
#include "proto/payload.h"
#include "service/service.h"
#include "store/xact.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_work);

/* How often a handler is run for one attempt, if transactions collide. */
#define MAX_TRIES 10

typedef struct Worker
{
	const char *queue;
	const char *statement;		/* SELECT handler($1) */
	bool		workflow;
	const char *identity;
	const char *namespace_name;
	MemoryContext memory;		/* lives for one task */
} Worker;

/* A task in hand. */
typedef struct Task
{
	ProtobufCBinaryData token;
	Jsonb	   *description;	/* what the handler gets */
	int			attempt;
	bool		held;			/* there is none to take, but others hold some */
} Task;

/* ---- taking ---- */

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
push_jsonb(JsonbParseState **state, const char *key, Jsonb *json)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
	if (json == NULL)
		value.type = jbvNull;
	else if (JB_ROOT_IS_SCALAR(json))
		JsonbExtractScalar(&json->root, &value);
	else
	{
		value.type = jbvBinary;
		value.val.binary.data = &json->root;
		value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* An activity's handler gets values, not payloads. */
static Jsonb *
describe_activity(const Pb__PollActivityTaskQueueResponse *task)
{
	JsonbParseState *state = NULL;
	JsonbValue	number = {.type = jbvNumeric};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "activityType", task->activity_type->name);
	push_text(&state, "activityId", task->activity_id);
	push_text(&state, "workflowType", task->workflow_type->name);
	push_text(&state, "workflowId", task->workflow_execution->workflow_id);
	push_text(&state, "runId", task->workflow_execution->run_id);
	number.val.numeric = DatumGetNumeric(DirectFunctionCall1(int4_numeric,
															 Int32GetDatum(task->attempt)));
	push_jsonb(&state, "attempt", JsonbValueToJsonb(&number));
	push_jsonb(&state, "input", payloads_to_jsonb(task->input));
	push_jsonb(&state, "heartbeatDetails", payloads_to_jsonb(task->heartbeat_details));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Takes a task and commits that; false if there is none. */
static bool
take_task(const Worker *worker, Task *task)
{
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	ServiceCall call;

	queue.name = worker->queue;
	xact_begin_step();
	service_begin(&call);
	call.session_bound = true;
	memset(task, 0, sizeof(*task));
	if (worker->workflow)
	{
		Pb__PollWorkflowTaskQueueRequest request = PB__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
		Pb__PollWorkflowTaskQueueResponse *response;

		request.namespace_ = worker->namespace_name;
		request.task_queue = &queue;
		request.identity = worker->identity;
		response = (Pb__PollWorkflowTaskQueueResponse *)
			service_call(&call, service_find_method("PollWorkflowTaskQueue"), &request);
		task->token = response->task_token;
		task->attempt = response->attempt;
		if (task->token.len > 0)
			task->description = message_to_json(&response->base, true);
	}
	else
	{
		Pb__PollActivityTaskQueueRequest request = PB__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
		Pb__PollActivityTaskQueueResponse *response;

		request.namespace_ = worker->namespace_name;
		request.task_queue = &queue;
		request.identity = worker->identity;
		response = (Pb__PollActivityTaskQueueResponse *)
			service_call(&call, service_find_method("PollActivityTaskQueue"), &request);
		task->token = response->task_token;
		task->attempt = response->attempt;
		if (task->token.len > 0)
			task->description = describe_activity(response);
	}
	xact_end_step();
	task->held = call.tasks_held;
	return task->token.len > 0;
}

/* ---- doing ---- */

/* "result" as the commands of a completion request. */
static void
complete_workflow(const Worker *worker, const Task *task, Jsonb *result)
{
	Pb__RespondWorkflowTaskCompletedRequest *request;
	JsonbParseState *state = NULL;
	Jsonb	   *json;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (result != NULL)
		push_jsonb(&state, "commands", result);
	json = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	request = json_to_message(&pb__respond_workflow_task_completed_request__descriptor, json);
	request->namespace_ = worker->namespace_name;
	request->task_token = task->token;
	request->identity = worker->identity;
	service_invoke("RespondWorkflowTaskCompleted", request);
}

static void
complete_activity(const Worker *worker, const Task *task, Jsonb *result)
{
	Pb__RespondActivityTaskCompletedRequest request =
		PB__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

	request.namespace_ = worker->namespace_name;
	request.task_token = task->token;
	request.identity = worker->identity;
	if (result != NULL)
		request.result = core_payloads(payload_from_jsonb(result));
	service_invoke("RespondActivityTaskCompleted", &request);
}

typedef struct Attempt
{
	const Worker *worker;
	const Task *task;
	const ErrorData *error;		/* what to report */
} Attempt;

/* Runs the handler and completes. */
static void
handle(void *arg)
{
	const Attempt *attempt = arg;
	Jsonb	   *result = xact_call_function(attempt->worker->statement,
											attempt->task->description);

	if (attempt->worker->workflow)
		complete_workflow(attempt->worker, attempt->task, result);
	else
		complete_activity(attempt->worker, attempt->task, result);
}

/* ---- failing ---- */

static Pb__Failure *
error_failure(const ErrorData *error)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = error->message != NULL ? error->message : "";
	failure->source = "PostgreSQL";
	failure->stack_trace = error->context != NULL ? error->context : "";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = proto_new(&pb__application_failure_info__descriptor);
	failure->application_failure_info->type = pstrdup(unpack_sql_state(error->sqlerrcode));
	if (error->detail != NULL)
		failure->application_failure_info->details =
			core_payloads(core_text_payload(error->detail));
	return failure;
}

/* Reports the failure. */
static void
report_failure(void *arg)
{
	const Attempt *attempt = arg;
	const Worker *worker = attempt->worker;
	const Task *task = attempt->task;

	if (worker->workflow)
	{
		Pb__RespondWorkflowTaskFailedRequest request =
			PB__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;

		request.namespace_ = worker->namespace_name;
		request.task_token = task->token;
		request.identity = worker->identity;
		request.cause = CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE);
		request.failure = error_failure(attempt->error);
		service_invoke("RespondWorkflowTaskFailed", &request);
	}
	else
	{
		Pb__RespondActivityTaskFailedRequest request =
			PB__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

		request.namespace_ = worker->namespace_name;
		request.task_token = task->token;
		request.identity = worker->identity;
		request.failure = error_failure(attempt->error);
		service_invoke("RespondActivityTaskFailed", &request);
	}
}

/*
 * A workflow task has no retry policy: the first failure is recorded, and the
 * attempts after it run into their growing timeout, lest the handler be called
 * without pause.
 */
static bool
is_reported(const Worker *worker, const Task *task)
{
	return !worker->workflow || task->attempt <= 1;
}

/* Handles the task in a transaction of its own; the error, or NULL. */
static ErrorData *
try_task(Attempt *attempt)
{
	ErrorData  *error;
	ErrorData  *commit_error;

	xact_begin_user_step();
	error = xact_guard(handle, attempt);
	/* A transaction that cannot be serialised fails again when it ends. */
	commit_error = xact_try_end_step();
	return error != NULL ? error : commit_error;
}

/* Did others get in the way, so that the same may succeed now? */
static bool
is_transient(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

static void
do_task(const Worker *worker, const Task *task)
{
	Attempt		attempt = {worker, task};
	ErrorData  *error = try_task(&attempt);
	ErrorData  *report_error;

	for (int tries = 1; error != NULL && is_transient(error) && tries < MAX_TRIES; tries++)
	{
		CHECK_FOR_INTERRUPTS();
		error = try_task(&attempt);
	}
	if (error == NULL)
		return;

	/*
	 * Even when the task was gone: the handler itself may have closed its
	 * workflow, and that was undone with it.
	 */
	if (is_reported(worker, task))
	{
		attempt.error = error;
		xact_begin_step();
		report_error = xact_guard(report_failure, &attempt);
		xact_end_step();
		if (report_error != NULL && !failure_of_gone(report_error))
			ReThrowError(report_error);
	}
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
}

/* ---- the loop ---- */

/* The statement that calls "name", however it is written. */
static char *
handler_statement(const char *name)
{
	List	   *names;
	Oid			types[] = {JSONBOID};
	Oid			function;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("handler is not set"),
				 errhint("It is the name of a function.")));
	names = compat_qualified_name(name);
	function = LookupFuncName(names, 1, types, true);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s(jsonb) does not exist", name),
				 errhint("A handler takes the task and returns the result, both jsonb.")));
	if (get_func_rettype(function) != JSONBOID || get_func_retset(function))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("function %s(jsonb) does not return one jsonb", name)));
	return psprintf("SELECT %s($1)", NameListToQuotedString(names));
}

/*
 * temporal.work(task_queue, handler, task_type, max_tasks, idle_timeout,
 *				 identity, namespace)
 */
Datum
temporal_work(PG_FUNCTION_ARGS)
{
	Worker		worker;
	int			max_tasks = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	char	   *type = argument_text(fcinfo, 2, "activity");
	TimestampTz idle_deadline = argument_deadline(fcinfo, 4);
	uint64		queue_id;
	bool		registered = false;
	int			looks = 0;		/* in a row that found only what others hold */
	int			done = 0;

	worker.queue = argument_text(fcinfo, 0, NULL);
	worker.statement = handler_statement(argument_text(fcinfo, 1, NULL));
	worker.workflow = strcmp(type, "workflow") == 0;
	worker.identity = argument_identity(fcinfo, 5);
	worker.namespace_name = argument_text(fcinfo, 6, "default");
	if (!worker.workflow && strcmp(type, "activity") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("invalid task type: \"%s\"", type),
				 errhint("It is \"activity\" or \"workflow\".")));
	service_require_id(worker.queue, "TaskQueue");
	worker.memory = AllocSetContextCreate(CurrentMemoryContext, "temporal work",
										  ALLOCSET_DEFAULT_SIZES);
	argument_prevent_read_only("temporal.work()");
	xact_begin_procedure(fcinfo, "temporal.work()");
	xact_begin_step();
	queue_id = service_queue(worker.namespace_name,
							 worker.workflow ? QUEUE_TYPE(WORKFLOW) : QUEUE_TYPE(ACTIVITY),
							 worker.queue);
	xact_end_step();
	while (max_tasks == 0 || done < max_tasks)
	{
		Task		task;

		CHECK_FOR_INTERRUPTS();
		wake_check_client();
		MemoryContextReset(worker.memory);
		MemoryContextSwitchTo(worker.memory);
		if (take_task(&worker, &task))
		{
			looks = 0;
			/* Who is busy must not be woken instead of somebody idle. */
			if (registered)
				wake_unregister();
			registered = false;
			do_task(&worker, &task);
			done++;
			idle_deadline = argument_deadline(fcinfo, 4);
		}
		else if (!registered)
		{
			/* Look once more: a task may have come before we were known. */
			wake_register(WAKE_QUEUE, queue_id);
			registered = true;
		}
		else
		{
			looks = task.held ? looks + 1 : 0;
			if (!wake_wait_held(looks, idle_deadline, wait_event(WAIT_EVENT_QUEUE)))
				break;
		}
	}
	if (registered)
		wake_unregister();
	xact_end_procedure();
	PG_RETURN_VOID();
}
