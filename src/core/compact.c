/*
 * compact.c
 *	  The pending workflow task as it is stored: without what the state says
 *	  elsewhere.
 *
 * Its row is written with every transition, and goes to the log as often.
 */
#include "postgres.h"

#include "core/decide.h"

/* The queue on which the task is offered as a rule. */
static const char *
usual_queue(const Pbi__RunInfo *info, const Pbi__WorkflowTask *task)
{
	return task->sticky_queue[0] != '\0' ? task->sticky_queue : info->task_queue;
}

/* Other texts than those of the UUIDs that we make stay as they are. */
static void
compact_request_id(Pbi__WorkflowTask *task)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (!ident_parse_uuid(task->request_id, uuid) ||
		strcmp(ident_uuid_text(uuid), task->request_id) != 0)
		return;
	task->request_uuid.data = uuid->data;
	task->request_uuid.len = UUID_LEN;
	task->request_id = "";
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
	compact_request_id(task);
	if (strcmp(task->queue, usual_queue(info, task)) == 0)
		task->queue = "";
	if (task->sticky_queue[0] != '\0' && strcmp(task->sticky_queue, run->sticky_queue) == 0)
	{
		task->sticky_queue = "";
		task->sticky = true;
	}
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
	if (task->request_uuid.len == UUID_LEN)
		task->request_id = ident_uuid_text((const pg_uuid_t *) task->request_uuid.data);
	task->request_uuid = (ProtobufCBinaryData) {0};
}
