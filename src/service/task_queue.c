/*
 * task_queue.c
 *	  Describing task queues, and what workers say about theirs.
 */
#include "postgres.h"

#include "service/service.h"
#include "wake/wake.h"

#define POLLER_SHOWN_FOR (5 * SECS_PER_MINUTE * USECS_PER_SEC)

static void
require_queue(const Pb__TaskQueue *queue)
{
	if (queue == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("TaskQueue is not set on request.")));
	service_require_id(queue->name, "TaskQueue");
}

static Pb__TaskQueueStats *
describe_stats(const ServiceCall *call, int kind, const char *queue)
{
	Pb__TaskQueueStats *stats = proto_new(&pb__task_queue_stats__descriptor);
	int64		count;
	TimestampTz oldest;
	double		added;
	double		taken;

	store_backlog(&call->namespace->id, kind, queue, &count, &oldest);
	stats->approximate_backlog_count = count;
	stats->approximate_backlog_age =
		proto_duration(oldest == 0 ? 0 : Max(call->now - oldest, 0));
	wake_queue_rates(ident_queue(&call->namespace->id, kind, queue), &added, &taken);
	stats->tasks_add_rate = added;
	stats->tasks_dispatch_rate = taken;
	return stats;
}

static Pb__PollerInfo **
describe_pollers(const ServiceCall *call, uint64 queue_id, size_t *n_pollers)
{
	WakePoller	poller;
	int			cursor = 0;
	List	   *pollers = NIL;
	ListCell   *cell;
	Pb__PollerInfo **infos;

	while (wake_next_poller(&cursor, &poller))
	{
		Pb__PollerInfo *info;

		if (poller.queue_id != queue_id || call->now - poller.last_access > POLLER_SHOWN_FOR)
			continue;
		info = proto_new(&pb__poller_info__descriptor);
		info->identity = pstrdup(poller.identity);
		info->last_access_time = proto_timestamp(poller.last_access);
		pollers = lappend(pollers, info);
	}
	infos = palloc((list_length(pollers) + 1) * sizeof(void *));
	*n_pollers = 0;
	foreach(cell, pollers)
		infos[(*n_pollers)++] = lfirst(cell);
	return infos;
}

static void
check_type(int kind)
{
	if (kind != QUEUE_TYPE(WORKFLOW) && kind != QUEUE_TYPE(ACTIVITY) && kind != QUEUE_TYPE(NEXUS))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Invalid TaskQueueType.")));
}

static Pb__TaskQueueVersionInfo__TypesInfoEntry *
describe_type(const ServiceCall *call, const Pb__DescribeTaskQueueRequest *request, int kind)
{
	const char *queue = request->task_queue->name;
	Pb__TaskQueueVersionInfo__TypesInfoEntry *entry =
		proto_new(&pb__task_queue_version_info__types_info_entry__descriptor);
	Pb__TaskQueueTypeInfo *info = proto_new(&pb__task_queue_type_info__descriptor);

	check_type(kind);
	if (request->report_pollers)
		info->pollers = describe_pollers(call, ident_queue(&call->namespace->id, kind, queue),
										 &info->n_pollers);
	if (request->report_stats)
		info->stats = describe_stats(call, kind, queue);
	entry->key = kind;
	entry->value = info;
	return entry;
}

/* What the CLI asks for: several types at once, or all, for each version of workers. */
static void
describe_versions(const ServiceCall *call, const Pb__DescribeTaskQueueRequest *request,
				  Pb__DescribeTaskQueueResponse *response)
{
	static const Pb__TaskQueueType all[] = {QUEUE_TYPE(WORKFLOW), QUEUE_TYPE(ACTIVITY)};
	Pb__DescribeTaskQueueResponse__VersionsInfoEntry *unversioned =
		proto_new(&pb__describe_task_queue_response__versions_info_entry__descriptor);
	Pb__TaskQueueVersionInfo *info = proto_new(&pb__task_queue_version_info__descriptor);
	const Pb__TaskQueueType *types = request->task_queue_types;
	size_t		count = request->n_task_queue_types;

	if (count == 0)
	{
		types = all;
		count = lengthof(all);
	}
	info->types_info = palloc(count * sizeof(void *));
	for (size_t i = 0; i < count; i++)
		info->types_info[info->n_types_info++] = describe_type(call, request, types[i]);
	unversioned->key = "";
	unversioned->value = info;
	response->versions_info = palloc(sizeof(void *));
	response->versions_info[0] = unversioned;
	response->n_versions_info = 1;
}

ProtobufCMessage *
service_describe_task_queue(ServiceCall *call, const void *message)
{
	const Pb__DescribeTaskQueueRequest *request = message;
	Pb__DescribeTaskQueueResponse *response =
		proto_new(&pb__describe_task_queue_response__descriptor);
	int			kind = request->task_queue_type == 0 ? QUEUE_TYPE(WORKFLOW) : request->task_queue_type;

	require_queue(request->task_queue);
	check_type(kind);
	if (request->api_mode == PB__DESCRIBE_TASK_QUEUE_MODE__DESCRIBE_TASK_QUEUE_MODE_ENHANCED)
	{
		describe_versions(call, request, response);
		return &response->base;
	}
	response->pollers = describe_pollers(call, ident_queue(&call->namespace->id, kind,
														   request->task_queue->name),
										 &response->n_pollers);
	if (request->report_stats)
		response->stats = describe_stats(call, kind, request->task_queue->name);
	if (request->include_task_queue_status)
	{
		Pb__TaskQueueStats *stats = describe_stats(call, kind, request->task_queue->name);

		response->task_queue_status = proto_new(&pb__task_queue_status__descriptor);
		response->task_queue_status->backlog_count_hint = stats->approximate_backlog_count;
	}
	return &response->base;
}

static Pb__TaskQueuePartitionMetadata *
the_partition(const char *queue)
{
	Pb__TaskQueuePartitionMetadata *partition =
		proto_new(&pb__task_queue_partition_metadata__descriptor);

	partition->key = queue;
	partition->owner_host_name = "localhost";
	return partition;
}

ProtobufCMessage *
service_list_task_queue_partitions(ServiceCall *call, const void *message)
{
	const Pb__ListTaskQueuePartitionsRequest *request = message;
	Pb__ListTaskQueuePartitionsResponse *response =
		proto_new(&pb__list_task_queue_partitions_response__descriptor);

	require_queue(request->task_queue);
	response->n_activity_task_queue_partitions = 1;
	response->activity_task_queue_partitions = palloc(sizeof(void *));
	response->activity_task_queue_partitions[0] = the_partition(request->task_queue->name);
	response->n_workflow_task_queue_partitions = 1;
	response->workflow_task_queue_partitions = palloc(sizeof(void *));
	response->workflow_task_queue_partitions[0] = the_partition(request->task_queue->name);
	return &response->base;
}

/* The worker has forgotten the run: its next task needs all of history. */
ProtobufCMessage *
service_reset_sticky_task_queue(ServiceCall *call, const void *message)
{
	const Pb__ResetStickyTaskQueueRequest *request = message;
	ExecutionState *state = service_load_execution(call, request->execution, LOCK_WAIT);
	Transition *transition;

	service_authorize_run(call, RIGHT_CLIENT, state);
	if (!state_is_open(state))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_EXECUTION_CLOSED),
				 errmsg("workflow execution already completed")));
	transition = transition_new(state, call->now);
	core_clear_sticky(state);
	service_commit(call, transition);
	return proto_new(&pb__reset_sticky_task_queue_response__descriptor);
}

/* The worker goes: the next tasks of its runs find nobody on its own queue. */
ProtobufCMessage *
service_shutdown_worker(ServiceCall *call, const void *message)
{
	const Pb__ShutdownWorkerRequest *request = message;

	service_authorize(call, RIGHT_WORKER,
					  request->task_queue[0] != '\0' ? request->task_queue : NULL);
	if (request->sticky_task_queue[0] != '\0')
		wake_forget_pollers(ident_queue(&call->namespace->id, QUEUE_TYPE(WORKFLOW),
										request->sticky_task_queue));
	return proto_new(&pb__shutdown_worker_response__descriptor);
}
