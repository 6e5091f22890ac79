/*
 * compact.c
 *	  States as they are stored: without what their rows say elsewhere.
 *
 * These rows are written most often of all, and go to the log as often.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

/* The queue on which the task is offered as a rule. */
static const char *
usual_queue(const Pbi__RunInfo *info, const Pbi__WorkflowTask *task)
{
	return task->sticky_queue[0] != '\0' ? task->sticky_queue : info->task_queue;
}

/* Other texts than those of the UUIDs that we make stay as they are. */
static void
compact_request_id(const char **request_id, ProtobufCBinaryData *request_uuid)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (!ident_parse_uuid(*request_id, uuid) ||
		strcmp(ident_uuid_text(uuid), *request_id) != 0)
		return;
	request_uuid->data = uuid->data;
	request_uuid->len = UUID_LEN;
	*request_id = "";
}

static void
expand_request_id(const char **request_id, ProtobufCBinaryData *request_uuid)
{
	if (request_uuid->len == UUID_LEN)
		*request_id = ident_uuid_text((const pg_uuid_t *) request_uuid->data);
	*request_uuid = (ProtobufCBinaryData) {0};
}

/* core_compact_info -- a copy of what never changes in a run, to be stored. */
Pbi__RunInfo *
core_compact_info(const ExecutionState *state)
{
	const char *run_id = ident_uuid_text(&state->key.run_id);
	Pbi__RunInfo *info = palloc(sizeof(*info));

	*info = *state->info;
	compact_request_id(&info->create_request_id, &info->create_request_uuid);
	if (info->execution_time == info->start_time)
		info->execution_time = 0;
	if (strcmp(info->first_run_id, run_id) == 0)
		info->first_run_id = "";
	if (strcmp(info->original_run_id, run_id) == 0)
		info->original_run_id = "";
	if (strcmp(info->root_run_id, run_id) == 0)
		info->root_run_id = info->root_workflow_id = "";
	return info;
}

/* core_expand_info -- the opposite, in a state that was read. */
void
core_expand_info(ExecutionState *state)
{
	const char *run_id = ident_uuid_text(&state->key.run_id);
	Pbi__RunInfo *info = state->info;

	expand_request_id(&info->create_request_id, &info->create_request_uuid);
	if (info->execution_time == 0)
		info->execution_time = info->start_time;
	if (info->first_run_id[0] == '\0')
		info->first_run_id = run_id;
	if (info->original_run_id[0] == '\0')
		info->original_run_id = run_id;
	if (info->root_run_id[0] == '\0')
	{
		info->root_run_id = run_id;
		info->root_workflow_id = state->workflow_id;
	}
}

/* core_compact_task -- a copy of the state's pending task, to be stored; or NULL. */
Pbi__WorkflowTask *
core_compact_task(const Pbi__RunInfo *info, const Pbi__RunState *run)
{
	Pbi__WorkflowTask *task;

	if (run->workflow_task == NULL)
		return NULL;
	task = palloc(sizeof(*task));
	*task = *run->workflow_task;
	compact_request_id(&task->request_id, &task->request_uuid);
	if (strcmp(task->queue, usual_queue(info, task)) == 0)
		task->queue = "";
	if (task->sticky_queue[0] != '\0' && strcmp(task->sticky_queue, run->sticky_queue) == 0)
	{
		task->sticky_queue = "";
		task->sticky = true;
	}
	if (task->attempt == 1)
		task->attempt = 0;
	if (task->timeout == info->task_timeout)
		task->timeout = 0;
	if (task->original_scheduled_time == task->scheduled_time)
		task->original_scheduled_time = 0;
	if (task->started_event_id != 0)
		task->started_time -= task->scheduled_time;
	task->scheduled_time -= info->start_time;
	return task;
}

/* core_expand_task -- the opposite, in a state that was read. */
void
core_expand_task(const Pbi__RunInfo *info, Pbi__RunState *run)
{
	Pbi__WorkflowTask *task = run->workflow_task;

	if (task == NULL)
		return;
	if (task->sticky)
		task->sticky_queue = run->sticky_queue;
	task->sticky = false;
	if (task->queue[0] == '\0')
		task->queue = usual_queue(info, task);
	if (task->attempt == 0)
		task->attempt = 1;
	if (task->timeout == 0)
		task->timeout = info->task_timeout;
	task->scheduled_time += info->start_time;
	if (task->started_event_id != 0)
		task->started_time += task->scheduled_time;
	if (task->original_scheduled_time == 0)
		task->original_scheduled_time = task->scheduled_time;
	expand_request_id(&task->request_id, &task->request_uuid);
}

/* Are the options still those that the activity was scheduled with? */
static bool
is_as_scheduled(const Pb__ActivityTaskScheduledEventAttributes *scheduled,
				const Pbi__ActivityState *state)
{
	return strcmp(state->task_queue, scheduled->task_queue->name) == 0 &&
		state->schedule_to_close == proto_duration_us(scheduled->schedule_to_close_timeout) &&
		state->schedule_to_start == proto_duration_us(scheduled->schedule_to_start_timeout) &&
		state->start_to_close == proto_duration_us(scheduled->start_to_close_timeout) &&
		state->heartbeat_timeout == proto_duration_us(scheduled->heartbeat_timeout) &&
		state->retry_policy == scheduled->retry_policy && state->priority == scheduled->priority;
}

/* core_scheduled_options -- those that an activity was scheduled with. */
void
core_scheduled_options(const Pb__HistoryEvent *event, Pbi__ActivityState *state)
{
	const Pb__ActivityTaskScheduledEventAttributes *scheduled =
		event->activity_task_scheduled_event_attributes;

	state->task_queue = scheduled->task_queue->name;
	state->schedule_to_close = proto_duration_us(scheduled->schedule_to_close_timeout);
	state->schedule_to_start = proto_duration_us(scheduled->schedule_to_start_timeout);
	state->start_to_close = proto_duration_us(scheduled->start_to_close_timeout);
	state->heartbeat_timeout = proto_duration_us(scheduled->heartbeat_timeout);
	state->retry_policy = scheduled->retry_policy;
	state->priority = scheduled->priority;
}

/* core_compact_activity -- a copy of the activity's state, to be stored. */
Pbi__ActivityState *
core_compact_activity(const PendingActivity *activity)
{
	Pbi__ActivityState *state = palloc(sizeof(*state));

	*state = *activity->state;
	compact_request_id(&state->request_id, &state->request_uuid);
	if (state->attempt == 1)
		state->attempt = 0;
	if (state->started)
		state->started_time -= state->scheduled_time;
	if (state->scheduled_time == state->first_scheduled_time)
		state->scheduled_time = 0;
	if (state->first_scheduled_time == proto_timestamp_us(activity->scheduled->event_time))
		state->first_scheduled_time = 0;
	if (!is_as_scheduled(activity->scheduled->activity_task_scheduled_event_attributes, state))
		return state;
	state->as_scheduled = true;
	state->task_queue = "";
	state->schedule_to_close = state->schedule_to_start = 0;
	state->start_to_close = state->heartbeat_timeout = 0;
	state->retry_policy = NULL;
	state->priority = NULL;
	return state;
}

/* core_expand_activity -- the opposite, in a state that was read. */
void
core_expand_activity(const Pb__HistoryEvent *scheduled, Pbi__ActivityState *state)
{
	expand_request_id(&state->request_id, &state->request_uuid);
	if (state->attempt == 0)
		state->attempt = 1;
	if (state->first_scheduled_time == 0)
		state->first_scheduled_time = proto_timestamp_us(scheduled->event_time);
	if (state->scheduled_time == 0)
		state->scheduled_time = state->first_scheduled_time;
	if (state->started)
		state->started_time += state->scheduled_time;
	if (state->as_scheduled)
		core_scheduled_options(scheduled, state);
	state->as_scheduled = false;
}
