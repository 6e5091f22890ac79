/*
 * registry.c
 *	  The methods: one row each.
 *
 * A method that is not here is not implemented, and says so.
 */
#include "postgres.h"

#include "base/argument.h"
#include "base/clock.h"
#include "base/guc.h"
#include "miscadmin.h"
#include "service/service.h"

#define SUGGEST_COUNT 4096
#define SUGGEST_SIZE (4 * 1024 * 1024)

#define METHOD(name, symbol, right, by_token) \
	{#name, &pb__##symbol##_request__descriptor, service_##symbol, right, by_token}

static const ServiceMethod methods[] = {
	METHOD(AddSearchAttributes, add_search_attributes, RIGHT_ADMIN, false),
	METHOD(DeleteWorkflowExecution, delete_workflow_execution, RIGHT_ADMIN, false),
	METHOD(DescribeNamespace, describe_namespace, RIGHT_NONE, false),
	METHOD(DescribeTaskQueue, describe_task_queue, RIGHT_VIEWER, false),
	METHOD(DescribeWorkflowExecution, describe_workflow_execution, RIGHT_VIEWER, false),
	METHOD(GetClusterInfo, get_cluster_info, RIGHT_NONE, false),
	METHOD(GetSearchAttributes, get_search_attributes, RIGHT_NONE, false),
	METHOD(GetSystemInfo, get_system_info, RIGHT_NONE, false),
	METHOD(GetWorkflowExecutionHistory, get_workflow_execution_history, RIGHT_ANY, false),
	METHOD(GetWorkflowExecutionHistoryReverse, get_workflow_execution_history_reverse,
		   RIGHT_ANY, false),
	METHOD(ListNamespaces, list_namespaces, RIGHT_NONE, false),
	METHOD(ListSearchAttributes, list_search_attributes, RIGHT_VIEWER, false),
	METHOD(ListTaskQueuePartitions, list_task_queue_partitions, RIGHT_VIEWER, false),
	METHOD(PauseActivity, pause_activity, RIGHT_ADMIN, false),
	METHOD(PauseActivityExecution, pause_activity_execution, RIGHT_ADMIN, false),
	METHOD(PollActivityTaskQueue, poll_activity_task_queue, RIGHT_ANY, false),
	METHOD(PollWorkflowTaskQueue, poll_workflow_task_queue, RIGHT_ANY, false),
	METHOD(RecordActivityTaskHeartbeat, record_activity_task_heartbeat, RIGHT_NONE, true),
	METHOD(RecordActivityTaskHeartbeatById, record_activity_task_heartbeat_by_id,
		   RIGHT_ANY, false),
	METHOD(RegisterNamespace, register_namespace, RIGHT_NONE, false),
	METHOD(RemoveSearchAttributes, remove_search_attributes, RIGHT_ADMIN, false),
	METHOD(RequestCancelWorkflowExecution, request_cancel_workflow_execution,
		   RIGHT_CLIENT, false),
	METHOD(ResetActivity, reset_activity, RIGHT_ADMIN, false),
	METHOD(ResetActivityExecution, reset_activity_execution, RIGHT_ADMIN, false),
	METHOD(ResetStickyTaskQueue, reset_sticky_task_queue, RIGHT_ANY, false),
	METHOD(RespondActivityTaskCanceled, respond_activity_task_canceled, RIGHT_NONE, true),
	METHOD(RespondActivityTaskCanceledById, respond_activity_task_canceled_by_id,
		   RIGHT_ANY, false),
	METHOD(RespondActivityTaskCompleted, respond_activity_task_completed, RIGHT_NONE, true),
	METHOD(RespondActivityTaskCompletedById, respond_activity_task_completed_by_id,
		   RIGHT_ANY, false),
	METHOD(RespondActivityTaskFailed, respond_activity_task_failed, RIGHT_NONE, true),
	METHOD(RespondActivityTaskFailedById, respond_activity_task_failed_by_id, RIGHT_ANY, false),
	METHOD(RespondWorkflowTaskCompleted, respond_workflow_task_completed, RIGHT_NONE, true),
	METHOD(RespondWorkflowTaskFailed, respond_workflow_task_failed, RIGHT_NONE, true),
	METHOD(ShutdownWorker, shutdown_worker, RIGHT_ANY, false),
	METHOD(SignalWithStartWorkflowExecution, signal_with_start_workflow_execution,
		   RIGHT_CLIENT, false),
	METHOD(SignalWorkflowExecution, signal_workflow_execution, RIGHT_CLIENT, false),
	METHOD(StartWorkflowExecution, start_workflow_execution, RIGHT_CLIENT, false),
	METHOD(TerminateWorkflowExecution, terminate_workflow_execution, RIGHT_CLIENT, false),
	METHOD(UnpauseActivity, unpause_activity, RIGHT_ADMIN, false),
	METHOD(UnpauseActivityExecution, unpause_activity_execution, RIGHT_ADMIN, false),
	METHOD(UpdateActivityExecutionOptions, update_activity_execution_options, RIGHT_ADMIN, false),
	METHOD(UpdateActivityOptions, update_activity_options, RIGHT_ADMIN, false),
	METHOD(UpdateNamespace, update_namespace, RIGHT_NONE, false),
};

const ServiceMethod *
service_method(int index)
{
	return index >= 0 && index < (int) lengthof(methods) ? &methods[index] : NULL;
}

/* service_method_index -- the other way round. */
int
service_method_index(const ServiceMethod *method)
{
	return method - methods;
}

const ServiceMethod *
service_find_method(const char *name)
{
	for (size_t i = 0; i < lengthof(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* service_begin -- fills in what is the same for every call. */
void
service_begin(ServiceCall *call)
{
	memset(call, 0, sizeof(*call));
	call->now = clock_now();
	call->caller = GetUserId();
	call->limits.history_count = guc_history_count_limit;
	call->limits.history_size = guc_history_size_limit;
	call->limits.suggest_count = SUGGEST_COUNT;
	call->limits.suggest_size = SUGGEST_SIZE;
	call->limits.task_heartbeat = guc_heartbeat_limit * INT64CONST(1000);
}

void
service_refuse(ServiceCall *call, int sqlstate, const char *message)
{
	call->refusal_sqlstate = sqlstate;
	call->refusal_message = message;
}

/* service_watch -- a caller that can wait hears of it before we look. */
void
service_watch(ServiceCall *call, WakeKind kind, uint64 channel, int64 longest)
{
	call->wait.kind = kind;
	call->wait.channel = channel;
	call->wait.longest = longest;
	if (call->watch != NULL)
		call->watch(call);
}

/* The request's "namespace" field, or NULL if the method has none. */
static const char *
namespace_field(const ServiceMethod *method, const void *request)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(method->request, "namespace");
	const char *name;

	if (field == NULL)
		return NULL;
	memcpy(&name, (const char *) request + field->offset, sizeof(name));
	return name;
}

/* Methods that deal with namespaces as such look them up themselves. */
static bool
is_about_namespaces(const ServiceMethod *method)
{
	return method->handler == service_register_namespace ||
		method->handler == service_describe_namespace ||
		method->handler == service_update_namespace;
}

void
service_use_namespace(ServiceCall *call, const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Namespace not set on request.")));
	call->namespace = store_find_namespace(name);
	if (call->namespace == NULL ||
		call->namespace->state == PB__NAMESPACE_STATE__NAMESPACE_STATE_DELETED)
		service_authorize(call, RIGHT_ANY, NULL);
	if (call->namespace == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND),
				 errmsg("Namespace %s is not found.", name)));
	service_check_namespace(call->namespace, false);
}

/* Does the method only read?  The API names them so. */
static bool
is_reading(const ServiceMethod *method)
{
	static const char *const prefixes[] = {"Count", "Describe", "Get", "List"};

	for (size_t i = 0; i < lengthof(prefixes); i++)
		if (strncmp(method->name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/*
 * service_act -- runs "body" as the owner of the extension, with the planner
 * pinned; an error puts both back.
 */
void
service_act(ServiceCall *call, ServiceBody body, void *arg)
{
	StoreScope	scope;

	store_enter(&scope);
	PG_TRY();
	{
		body(call, arg);
	}
	PG_CATCH();
	{
		store_restore(&scope);
		PG_RE_THROW();
	}
	PG_END_TRY();
	store_leave(&scope);
}

typedef struct Invocation
{
	const ServiceMethod *method;
	const void *request;
	ProtobufCMessage *response;
} Invocation;

static void
invoke(ServiceCall *call, void *arg)
{
	Invocation *invocation = arg;
	const ServiceMethod *method = invocation->method;
	const char *name = namespace_field(method, invocation->request);

	service_check_request(invocation->request);
	if (name != NULL && !is_about_namespaces(method) && !(method->by_token && name[0] == '\0'))
		service_use_namespace(call, name);
	if (method->right != RIGHT_NONE)
		service_authorize(call, method->right, NULL);
	invocation->response = method->handler(call, invocation->request);
}

ProtobufCMessage *
service_call(ServiceCall *call, const ServiceMethod *method, const void *request)
{
	Invocation	invocation = {method, request, NULL};

	call->request = request;
	if (!is_reading(method))
		argument_prevent_read_only(method->name);
	service_act(call, invoke, &invocation);
	return invocation.response;
}

/* service_warn_refused -- says that a call was refused but left a record. */
void
service_warn_refused(const ServiceCall *call)
{
	ereport(WARNING,
			(errcode(call->refusal_sqlstate),
			 errmsg("%s", call->refusal_message),
			 errdetail("The call was refused, and the refusal is recorded in the history.")));
}

/* service_invoke_call -- a method by name; NULL for a refusal, with a warning. */
ProtobufCMessage *
service_invoke_call(ServiceCall *call, const char *method, const void *request)
{
	ProtobufCMessage *response = service_call(call, service_find_method(method), request);

	if (call->refusal_sqlstate == 0)
		return response;
	service_warn_refused(call);
	return NULL;
}

/* service_invoke -- the same of a call that is like any other. */
ProtobufCMessage *
service_invoke(const char *method, const void *request)
{
	ServiceCall call;

	service_begin(&call);
	return service_invoke_call(&call, method, request);
}
