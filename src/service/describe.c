/*
 * describe.c
 *	  DescribeWorkflowExecution.
 */
#include "postgres.h"

#include "service/service.h"

#define PENDING(name) PB__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_##name

static Pb__WorkflowExecutionConfig *
describe_config(const ExecutionState *state)
{
	Pb__WorkflowExecutionConfig *config = proto_new(&pb__workflow_execution_config__descriptor);

	config->task_queue = proto_new(&pb__task_queue__descriptor);
	config->task_queue->name = state->info->task_queue;
	config->task_queue->kind = QUEUE_KIND(NORMAL);
	config->workflow_execution_timeout = proto_duration(state->info->execution_timeout);
	config->workflow_run_timeout = proto_duration(state->info->run_timeout);
	config->default_workflow_task_timeout = proto_duration(state->info->task_timeout);
	config->user_metadata = state->info->user_metadata;
	return config;
}

static Pb__WorkflowExecutionInfo *
describe_info(const ExecutionState *state)
{
	Pb__WorkflowExecutionInfo *info = proto_new(&pb__workflow_execution_info__descriptor);
	const Pbi__RunState *run = state->run;

	info->execution = answer_execution(state);
	info->type = proto_new(&pb__workflow_type__descriptor);
	info->type->name = state->info->workflow_type;
	info->start_time = proto_timestamp(state->info->start_time);
	info->execution_time = proto_timestamp(state->info->execution_time);
	info->close_time = proto_timestamp(run->close_time);
	info->status = run->status;
	info->history_length = run->next_event_id - 1;
	info->history_size_bytes = run->history_size;
	info->state_transition_count = run->transition_count;
	info->task_queue = state->info->task_queue;
	info->first_run_id = state->info->first_run_id;
	info->priority = state->info->priority;
	info->root_execution = proto_new(&pb__workflow_execution__descriptor);
	info->root_execution->workflow_id = state->info->root_workflow_id;
	info->root_execution->run_id = state->info->root_run_id;
	if (run->close_time != 0)
		info->execution_duration = proto_duration(run->close_time - state->info->execution_time);
	store_load_attributes(state, &info->memo, &info->search_attributes);
	if (info->memo == NULL)
		info->memo = proto_new(&pb__memo__descriptor);
	if (info->search_attributes == NULL)
		info->search_attributes = proto_new(&pb__search_attributes__descriptor);
	return info;
}

static Pb__PendingActivityState
pending_state(const Pbi__ActivityState *detail)
{
	if (detail->cancel_requested_event_id != 0)
		return PENDING(CANCEL_REQUESTED);
	if (detail->pause != NULL)
		return detail->started ? PENDING(PAUSE_REQUESTED) : PENDING(PAUSED);
	return detail->started ? PENDING(STARTED) : PENDING(SCHEDULED);
}

static void
describe_pause(const Pbi__Pause *pause, Pb__PendingActivityInfo *info)
{
	Pb__PendingActivityInfo__PauseInfo *shown;

	if (pause == NULL)
		return;
	shown = proto_new(&pb__pending_activity_info__pause_info__descriptor);
	shown->pause_time = proto_timestamp(pause->time);
	shown->paused_by_case = PB__PENDING_ACTIVITY_INFO__PAUSE_INFO__PAUSED_BY_MANUAL;
	shown->manual = proto_new(&pb__pending_activity_info__pause_info__manual__descriptor);
	shown->manual->identity = pause->identity;
	shown->manual->reason = pause->reason;
	info->paused = true;
	info->pause_info = shown;
}

/* When the attempt that waits, and is not offered yet, will be. */
static void
describe_backoff(const Pbi__ActivityState *detail, Pb__PendingActivityInfo *info)
{
	if (detail->started || detail->offered_at != 0 || detail->pause != NULL)
		return;
	info->next_attempt_schedule_time = proto_timestamp(detail->scheduled_time);
	if (detail->last_attempt_complete_time != 0)
		info->current_retry_interval =
			proto_duration(detail->scheduled_time - detail->last_attempt_complete_time);
}

static Pb__PendingActivityInfo *
describe_activity(const PendingActivity *activity)
{
	Pb__PendingActivityInfo *info = proto_new(&pb__pending_activity_info__descriptor);
	const Pbi__ActivityState *detail = activity->state;

	info->activity_id = activity->activity_id;
	info->activity_type =
		activity->scheduled->activity_task_scheduled_event_attributes->activity_type;
	info->state = pending_state(detail);
	info->heartbeat_details = detail->heartbeat_details;
	info->last_heartbeat_time = proto_timestamp(detail->heartbeat_time);
	info->last_started_time = proto_timestamp(detail->started_time);
	info->attempt = detail->attempt;
	info->maximum_attempts = detail->retry_policy->maximum_attempts;
	info->scheduled_time = proto_timestamp(detail->scheduled_time);
	if (detail->schedule_to_close > 0)
		info->expiration_time =
			proto_timestamp(detail->first_scheduled_time + detail->schedule_to_close);
	info->last_failure = detail->last_failure;
	info->last_worker_identity = detail->started ? detail->identity : detail->last_identity;
	info->last_attempt_complete_time = proto_timestamp(detail->last_attempt_complete_time);
	describe_backoff(detail, info);
	info->priority = detail->priority;
	info->activity_options = core_activity_options(activity);
	describe_pause(detail->pause, info);
	return info;
}

static Pb__PendingWorkflowTaskInfo *
describe_task(const Pbi__WorkflowTask *task)
{
	Pb__PendingWorkflowTaskInfo *info;

	if (task == NULL)
		return NULL;
	info = proto_new(&pb__pending_workflow_task_info__descriptor);
	info->state = task->started_event_id != 0 ?
		PB__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_STARTED :
		PB__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_SCHEDULED;
	info->scheduled_time = proto_timestamp(task->scheduled_time);
	info->original_scheduled_time = proto_timestamp(task->original_scheduled_time);
	info->started_time = proto_timestamp(task->started_time);
	info->attempt = task->attempt;
	return info;
}

static void
add_request_id(Pb__WorkflowExecutionExtendedInfo *info, const char *request_id, int event_type,
			   int64 event_id)
{
	Pb__WorkflowExecutionExtendedInfo__RequestIdInfosEntry *entry =
		proto_new(&pb__workflow_execution_extended_info__request_id_infos_entry__descriptor);

	entry->key = request_id;
	entry->value = proto_new(&pb__request_id_info__descriptor);
	entry->value->event_type = event_type;
	entry->value->event_id = event_id;
	entry->value->buffered = event_id == 0;
	info->request_id_infos[info->n_request_id_infos++] = entry;
}

static Pb__WorkflowExecutionExtendedInfo *
describe_extended(const ExecutionState *state)
{
	Pb__WorkflowExecutionExtendedInfo *info =
		proto_new(&pb__workflow_execution_extended_info__descriptor);
	const Pbi__RunState *run = state->run;

	info->execution_expiration_time = proto_timestamp(state->info->execution_expiration);
	info->run_expiration_time = proto_timestamp(state->info->run_expiration);
	info->cancel_requested = run->cancel_requested;
	info->original_start_time = proto_timestamp(state->info->start_time);
	info->request_id_infos = palloc((run->n_request_ids + 1) * sizeof(void *));
	add_request_id(info, state->info->create_request_id, EVENT(WORKFLOW_EXECUTION_STARTED), 1);
	for (size_t i = 0; i < run->n_request_ids; i++)
		add_request_id(info, run->request_ids[i]->request_id, run->request_ids[i]->event_type,
					   run->request_ids[i]->event_id);
	return info;
}

ProtobufCMessage *
service_describe_workflow_execution(ServiceCall *call, const void *message)
{
	const Pb__DescribeWorkflowExecutionRequest *request = message;
	Pb__DescribeWorkflowExecutionResponse *response =
		proto_new(&pb__describe_workflow_execution_response__descriptor);
	ExecutionState *state = service_load_execution(call, request->execution, LOCK_NONE);
	ListCell   *cell;

	response->execution_config = describe_config(state);
	response->workflow_execution_info = describe_info(state);
	response->pending_workflow_task = describe_task(state->run->workflow_task);
	response->workflow_extended_info = describe_extended(state);
	if (!state_is_open(state))
		return &response->base;
	store_load_activities(state);
	response->pending_activities = palloc((list_length(state->activities) + 1) * sizeof(void *));
	foreach(cell, state->activities)
		service_add_beat(&state->key, lfirst(cell));
	foreach(cell, state->activities)
		response->pending_activities[response->n_pending_activities++] =
			describe_activity(lfirst(cell));
	return &response->base;
}
