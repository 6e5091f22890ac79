/*
 * start.c
 *	  StartWorkflowExecution and SignalWithStartWorkflowExecution.
 *
 * The current run of the workflow id decides what a start does.  It is read
 * without a lock, locked, and read again; when another has become current in
 * between, everything starts over.  The lock of the run keeps it the current
 * one: its row in current_execution is locked only to be written, for whoever
 * holds that row would wait for the next run's lock the wrong way round.
 */
#include "postgres.h"

#include "base/clock.h"
#include "miscadmin.h"
#include "proto/errordetails.pb-c.h"
#include "service/service.h"

#define DEFAULT_TASK_TIMEOUT (10 * USECS_PER_SEC)
#define MAX_TASK_TIMEOUT (120 * USECS_PER_SEC)

#define REUSE(name) PB__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name
#define CONFLICT(name) PB__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name

/* What a start asks for, whichever of the two methods asks. */
typedef struct Start
{
	Pb__StartWorkflowExecutionRequest *request;	/* normalised */
	const SignalParameters *signal;	/* NULL for a plain start */
} Start;

typedef struct StartResult
{
	ExecutionState *state;
	bool		started;
	bool		eager;
	bool		signaled;
} StartResult;

static void
refuse(const char *message)
{
	if (message != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", message)));
}

static void
check_duration(const Pb__Duration *duration, const char *name)
{
	if (!proto_duration_valid(duration))
		refuse(psprintf("An invalid %s is set on request.", name));
}

/* The deprecated policy means what two policies say now. */
static void
normalise_policies(Pb__StartWorkflowExecutionRequest *request, bool with_signal)
{
	if (request->workflow_id_reuse_policy == REUSE(TERMINATE_IF_RUNNING))
	{
		if (request->workflow_id_conflict_policy != CONFLICT(UNSPECIFIED))
			refuse("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy.");
		request->workflow_id_reuse_policy = REUSE(ALLOW_DUPLICATE);
		request->workflow_id_conflict_policy = CONFLICT(TERMINATE_EXISTING);
	}
	if (request->workflow_id_reuse_policy == REUSE(UNSPECIFIED))
		request->workflow_id_reuse_policy = REUSE(ALLOW_DUPLICATE);
	if (request->workflow_id_conflict_policy == CONFLICT(UNSPECIFIED))
		request->workflow_id_conflict_policy =
			with_signal ? CONFLICT(USE_EXISTING) : CONFLICT(FAIL);
	if (with_signal && request->workflow_id_conflict_policy == CONFLICT(FAIL))
		refuse("Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.");
	if (request->workflow_id_conflict_policy == CONFLICT(TERMINATE_EXISTING) &&
		request->workflow_id_reuse_policy == REUSE(REJECT_DUPLICATE))
		refuse("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
	if (!protobuf_c_enum_descriptor_get_value(&pb__workflow_id_reuse_policy__descriptor,
											  request->workflow_id_reuse_policy) ||
		!protobuf_c_enum_descriptor_get_value(&pb__workflow_id_conflict_policy__descriptor,
											  request->workflow_id_conflict_policy))
		refuse("Invalid workflow id policy.");
}

static void
normalise_timeouts(Pb__StartWorkflowExecutionRequest *request)
{
	int64		execution;
	int64		run;
	int64		task;

	check_duration(request->workflow_execution_timeout, "WorkflowExecutionTimeout");
	check_duration(request->workflow_run_timeout, "WorkflowRunTimeout");
	check_duration(request->workflow_task_timeout, "WorkflowTaskTimeout");
	check_duration(request->workflow_start_delay, "WorkflowStartDelay");
	execution = proto_duration_us(request->workflow_execution_timeout);
	run = proto_duration_us(request->workflow_run_timeout);
	task = proto_duration_us(request->workflow_task_timeout);
	if (run == 0 || (execution > 0 && run > execution))
		run = execution;
	if (task == 0)
		task = DEFAULT_TASK_TIMEOUT;
	task = Min(task, MAX_TASK_TIMEOUT);
	if (run > 0)
		task = Min(task, run);
	request->workflow_run_timeout = proto_duration(run);
	request->workflow_task_timeout = proto_duration(task);
}

/* What this version does not do is refused, not ignored. */
static void
check_available(const Pb__StartWorkflowExecutionRequest *request)
{
	const char *feature = NULL;

	if (request->retry_policy != NULL)
		feature = "a retry policy on a workflow";
	else if (request->cron_schedule[0] != '\0')
		feature = "a cron schedule on a workflow";
	else if (request->n_completion_callbacks > 0)
		feature = "completion callbacks";
	else if (request->versioning_override != NULL)
		feature = "a versioning override";
	if (feature != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_UNIMPLEMENTED),
				 errmsg("%s is not implemented", feature)));
}

/* Checks a request in the order Temporal does, and fills in defaults. */
static void
normalise(ServiceCall *call, Pb__StartWorkflowExecutionRequest *request, bool with_signal)
{
	service_check_namespace(call->namespace, true);
	service_require_id(request->workflow_id, "WorkflowId");
	refuse(core_check_retry_policy(request->retry_policy));
	check_duration(request->workflow_start_delay, "WorkflowStartDelay");
	if (request->cron_schedule[0] != '\0' && proto_duration_us(request->workflow_start_delay) > 0)
		refuse("CronSchedule and WorkflowStartDelay may not be used together.");
	if (request->workflow_type == NULL)
		refuse("WorkflowType is not set on request.");
	service_require_id(request->workflow_type->name, "WorkflowType");
	if (request->task_queue == NULL || request->task_queue->name[0] == '\0')
		refuse("missing task queue name");
	service_require_id(request->task_queue->name, "TaskQueue");
	if (strncmp(request->task_queue->name, "/_sys/", 6) == 0)
		refuse("task queue name cannot start with reserved prefix /_sys/");
	normalise_timeouts(request);
	if (request->request_id[0] == '\0')
		request->request_id = ident_random_uuid();
	normalise_policies(request, with_signal);
	if (request->search_attributes != NULL)
	{
		List	   *types = store_attribute_types(&call->namespace->id);

		refuse(core_check_search_attributes(request->search_attributes, types));
		refuse(core_check_search_attribute_sizes(request->search_attributes));
		request->search_attributes = core_type_search_attributes(request->search_attributes, types);
	}
	refuse(core_check_priority(request->priority));
	if (request->on_conflict_options != NULL &&
		request->on_conflict_options->attach_completion_callbacks &&
		!request->on_conflict_options->attach_request_id)
		refuse("attaching request ID is required for attaching completion callbacks");
	check_available(request);
	service_limit_input(request->input, request->header);
	service_limit_memo(request->memo);
}

static bool
request_known(const ExecutionState *state, const char *request_id, bool *created)
{
	*created = strcmp(state->info->create_request_id, request_id) == 0;
	for (size_t i = 0; i < state->run->n_request_ids; i++)
		if (strcmp(state->run->request_ids[i]->request_id, request_id) == 0)
			return true;
	return *created;
}

static void
already_started(ServiceCall *call, const ExecutionState *state)
{
	const char *run_id = ident_uuid_text(&state->key.run_id);
	Pb__WorkflowExecutionAlreadyStartedFailure *detail =
		proto_new(&pb__workflow_execution_already_started_failure__descriptor);
	const char *what = state_is_open(state) ? "is already running" :
		state->run->status == STATUS(COMPLETED) ? "already finished successfully" : "already finished";

	detail->start_request_id = state->info->create_request_id;
	detail->run_id = run_id;
	detail->first_execution_run_id = state->info->first_run_id;
	call->error_detail = &detail->base;
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_ALREADY_STARTED),
			 errmsg("Workflow execution %s. WorkflowId: %s, RunId: %s.", what,
					state->workflow_id, run_id),
			 errdetail("start_request_id: %s, run_id: %s, first_execution_run_id: %s",
					   state->info->create_request_id, run_id, state->info->first_run_id)));
}

/* May the id of a closed run be used again? */
static bool
reuse_allowed(const ExecutionState *state, Pb__WorkflowIdReusePolicy policy)
{
	switch (policy)
	{
		case REUSE(ALLOW_DUPLICATE):
			return true;
		case REUSE(ALLOW_DUPLICATE_FAILED_ONLY):
			return state->run->status != STATUS(COMPLETED) &&
				state->run->status != STATUS(CONTINUED_AS_NEW);
		default:
			return false;
	}
}

/* Writes a new run; its row in current_execution is ours already. */
static void
create_run(ServiceCall *call, const Start *start, const RunKey *key, StartResult *result)
{
	const Pb__StartWorkflowExecutionRequest *request = start->request;
	bool		delayed = proto_duration_us(request->workflow_start_delay) > 0;
	StartParameters parameters = {request, request->request_eager_execution && !delayed};
	Transition *transition = transition_new(state_new(key, request->workflow_id), call->now);

	core_start_execution(transition, &parameters);
	if (start->signal != NULL)
	{
		/* A delay that the start itself asks for holds its signal back too. */
		SignalParameters signal = *start->signal;

		signal.skips_backoff = false;
		core_signal(transition, &signal);
	}
	if (!delayed)
		core_want_workflow_task(transition);
	if (parameters.eager)
		core_start_workflow_task(transition, request->task_queue->name, ident_random_id(),
								 request->identity, &call->limits);
	service_commit(call, transition);
	result->state = transition->state;
	result->started = true;
	result->eager = parameters.eager;
	result->signaled = start->signal != NULL;
}

/* The same request again: the same answer, the eager task too if untouched. */
static bool
repeat_request(const Start *start, ExecutionState *state, StartResult *result)
{
	bool		created;
	const Pbi__WorkflowTask *task = state->run->workflow_task;

	if (!request_known(state, start->request->request_id, &created))
		return false;
	result->state = state;
	result->started = created && start->signal == NULL;
	result->eager = created && start->request->request_eager_execution && task != NULL &&
		task->started_event_id == 3 && task->attempt == 1;
	return true;
}

static void
use_existing(ServiceCall *call, const Start *start, ExecutionState *state, StartResult *result)
{
	const Pb__StartWorkflowExecutionRequest *request = start->request;
	Transition *transition = transition_new(state, call->now);

	result->state = state;
	if (start->signal != NULL)
	{
		result->signaled = service_apply_signal(call, state, start->signal, transition);
		return;
	}
	if (request->on_conflict_options == NULL)
		return;
	core_attach_request(transition,
						request->on_conflict_options->attach_request_id ? request->request_id : NULL,
						request->identity,
						request->on_conflict_options->attach_links ? request->n_links : 0,
						request->links,
						request->on_conflict_options->attach_request_id ||
						request->on_conflict_options->attach_links);
	if (transition_changes(transition))
		service_commit(call, transition);
}

/*
 * Decides about a start under the lock of the current run.  False if that run
 * is no longer the current one.
 */
static bool
start_over_current(ServiceCall *call, const Start *start, RunKey *key, const pg_uuid_t *current,
				   StartResult *result)
{
	const Pb__StartWorkflowExecutionRequest *request = start->request;
	RunKey		old_key = *key;
	ExecutionState *state;
	pg_uuid_t	now_current;

	old_key.run_id = *current;
	state = service_lock_run(call, &old_key);
	key->run_id = ident_new_run_id(call->now);
	if (!store_current_run(key, request->workflow_id, &now_current) ||
		memcmp(&now_current, current, sizeof(pg_uuid_t)) != 0)
		return false;
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("run %s of workflow \"%s\" is missing",
						ident_uuid_text(current), request->workflow_id),
				 errhint("Its row in temporal.current_execution is left: delete it.")));
	if (repeat_request(start, state, result))
	{
		if (start->signal != NULL && state_is_open(state))
			use_existing(call, start, state, result);
		return true;
	}
	if (state_is_open(state))
	{
		Transition *transition;

		if (request->workflow_id_conflict_policy == CONFLICT(FAIL))
			already_started(call, state);
		if (request->workflow_id_conflict_policy == CONFLICT(USE_EXISTING))
		{
			use_existing(call, start, state, result);
			return true;
		}
		transition = transition_new(state, call->now);
		core_terminate(transition, "TerminateIfRunning WorkflowIdReusePolicy",
					   core_payloads(core_text_payload(psprintf("terminated by new runID: %s",
																ident_uuid_text(&key->run_id)))),
					   HISTORY_SERVICE, 0, NULL);
		service_commit(call, transition);
	}
	else if (!reuse_allowed(state, request->workflow_id_reuse_policy))
		already_started(call, state);
	store_update_current(key, request->workflow_id);
	create_run(call, start, key, result);
	return true;
}

/* As the first run of its id: whoever else starts one is waited for. */
static bool
start_first(ServiceCall *call, const Start *start, RunKey *key, StartResult *result)
{
	key->run_id = ident_new_run_id(call->now);
	if (!store_insert_current(key, start->request->workflow_id, call->new_id))
		return false;
	call->now = clock_now();
	create_run(call, start, key, result);
	return true;
}

static StartResult
start_execution(ServiceCall *call, const Start *start)
{
	StartResult result = {0};
	RunKey		key = store_key(&call->namespace->id, start->request->workflow_id);
	pg_uuid_t	current;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		/* Most ids are new: this finds out as it takes the id. */
		if (start_first(call, start, &key, &result))
			return result;
		if (store_current_run(&key, start->request->workflow_id, &current) &&
			start_over_current(call, start, &key, &current, &result))
			return result;
	}
}

ProtobufCMessage *
service_start_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__StartWorkflowExecutionRequest *from = message;
	Pb__StartWorkflowExecutionRequest request = *from;
	Pb__StartWorkflowExecutionResponse *response =
		proto_new(&pb__start_workflow_execution_response__descriptor);
	Start		start = {&request, NULL};
	StartResult result;

	normalise(call, &request, false);
	result = start_execution(call, &start);
	response->run_id = ident_uuid_text(&result.state->key.run_id);
	response->first_execution_run_id = result.state->info->first_run_id;
	response->started = result.started;
	response->status = result.state->run->status;
	if (result.eager)
		response->eager_workflow_task = answer_workflow_task(result.state, HISTORY_PAGES);
	return &response->base;
}

/* The start that is in a signal-with-start request. */
static void
start_request(const Pb__SignalWithStartWorkflowExecutionRequest *from,
			  Pb__StartWorkflowExecutionRequest *to)
{
	pb__start_workflow_execution_request__init(to);
	to->namespace_ = from->namespace_;
	to->workflow_id = from->workflow_id;
	to->workflow_type = from->workflow_type;
	to->task_queue = from->task_queue;
	to->input = from->input;
	to->workflow_execution_timeout = from->workflow_execution_timeout;
	to->workflow_run_timeout = from->workflow_run_timeout;
	to->workflow_task_timeout = from->workflow_task_timeout;
	to->identity = from->identity;
	to->request_id = from->request_id;
	to->workflow_id_reuse_policy = from->workflow_id_reuse_policy;
	to->workflow_id_conflict_policy = from->workflow_id_conflict_policy;
	to->retry_policy = from->retry_policy;
	to->cron_schedule = from->cron_schedule;
	to->memo = from->memo;
	to->search_attributes = from->search_attributes;
	to->header = from->header;
	to->workflow_start_delay = from->workflow_start_delay;
	to->user_metadata = from->user_metadata;
	to->n_links = from->n_links;
	to->links = from->links;
	to->versioning_override = from->versioning_override;
	to->priority = from->priority;
}

ProtobufCMessage *
service_signal_with_start_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__SignalWithStartWorkflowExecutionRequest *from = message;
	Pb__SignalWithStartWorkflowExecutionResponse *response =
		proto_new(&pb__signal_with_start_workflow_execution_response__descriptor);
	Pb__StartWorkflowExecutionRequest request;
	SignalParameters signal = {
		.name = from->signal_name, .input = from->signal_input, .header = from->header,
		.identity = from->identity, .request_id = from->request_id,
		.n_links = from->n_links, .links = from->links, .skips_backoff = true
	};
	Start		start = {&request, &signal};
	StartResult result;

	start_request(from, &request);
	service_require_id(from->signal_name, "SignalName");
	service_limit_input(from->signal_input, from->header);
	normalise(call, &request, true);
	result = start_execution(call, &start);
	response->run_id = ident_uuid_text(&result.state->key.run_id);
	response->first_execution_run_id = result.state->info->first_run_id;
	response->started = result.started;
	return &response->base;
}
