/*
 * hand_off.c
 *	  Starting tasks for polls that wait, in the transition that makes them.
 *
 * The task is started before the transition is written, so there is never an
 * offer, and the run's row is written once instead of twice.  What the poll
 * gets is made after that.  Offers that wait already go first: then the task
 * becomes one of them.
 *
 * A poll that has been taken and its answer are the frontend's: it parks the
 * poll again if the call is rolled back.
 */
#include "postgres.h"

#include "service/service.h"

/* What starting a task adds to a history. */
#define START_EVENTS 2
#define START_SIZE 4096

typedef struct HandOff
{
	ServiceCall *poll;
	PendingActivity *activity;	/* NULL: the workflow task */
} HandOff;

/* A poll that waits for a queue in which nothing else waits; else NULL. */
static ServiceCall *
waiting_poll(const ServiceCall *call, int kind, const char *queue)
{
	const pg_uuid_t *namespace_id = &call->namespace->id;
	uint64		queue_id = ident_queue(namespace_id, kind, queue);
	ServiceCall *poll = call->waiters->first(queue_id);

	if (poll == NULL || !store_adopted() ||
		(kind == QUEUE_TYPE(ACTIVITY) && wake_queue_pause(queue_id) > 0) ||
		store_peek_tasks(namespace_id, queue_id, 1, wake_lower_bound(queue_id), NULL) != NIL)
		return NULL;
	return poll;
}

static void
take(const ServiceCall *call, ServiceCall *poll, int kind, const char *queue,
	 const char *identity)
{
	uint64		queue_id = ident_queue(&call->namespace->id, kind, queue);

	call->waiters->take(poll);
	wake_note_poller(queue_id, &call->namespace->id, identity);
	wake_mark_handed(queue_id);
	if (kind == QUEUE_TYPE(ACTIVITY))
		wake_spend(queue_id);
}

static List *
handed(List *list, ServiceCall *poll, PendingActivity *activity)
{
	HandOff    *hand_off = palloc(sizeof(HandOff));

	hand_off->poll = poll;
	hand_off->activity = activity;
	return lappend(list, hand_off);
}

/* Its rights may have been taken away since it began to wait. */
static bool
may_have_workflow_task(const ServiceCall *poll, const ExecutionState *state)
{
	const Pb__PollWorkflowTaskQueueRequest *request = poll->request;

	return service_allowed(poll, RIGHT_WORKER, service_polled_queue(request)) &&
		(request->task_queue->kind != QUEUE_KIND(STICKY) ||
		 service_allowed(poll, RIGHT_WORKER, state->info->task_queue));
}

/* The start itself must not take the run past a limit. */
static bool
is_near_limit(const ServiceCall *call, const Transition *transition)
{
	CoreLimits	limits = call->limits;

	limits.history_count -= START_EVENTS;
	limits.history_size -= START_SIZE;
	return transition_over_limit(transition, &limits) != NULL;
}

static List *
hand_off_workflow_task(ServiceCall *call, Transition *transition, List *list)
{
	ExecutionState *state = transition->state;
	const Pb__PollWorkflowTaskQueueRequest *request;
	const char *queue;
	ServiceCall *poll;

	if (!transition->offer_task || !state_task_pending(state) || state_task_started(state) ||
		is_near_limit(call, transition))
		return list;
	queue = transition->sticky_gone ? state->info->task_queue : state->run->workflow_task->queue;
	if (!state_is_sticky(state) && strcmp(queue, state->info->task_queue) != 0)
		return list;
	poll = waiting_poll(call, QUEUE_TYPE(WORKFLOW), queue);
	if (poll == NULL || !may_have_workflow_task(poll, state))
		return list;
	request = poll->request;
	take(call, poll, QUEUE_TYPE(WORKFLOW), queue, request->identity);
	transition_flush_buffer(transition);
	state->run->workflow_task->queue = queue;
	core_start_workflow_task(transition, queue, ident_random_id(), request->identity,
							 &call->limits);
	return handed(list, poll, NULL);
}

static int
compare_offers(const ListCell *a, const ListCell *b)
{
	const TaskOp *task_a = lfirst(a);
	const TaskOp *task_b = lfirst(b);

	if (task_a->priority != task_b->priority)
		return task_a->priority < task_b->priority ? -1 : 1;
	return task_a->event_id < task_b->event_id ? -1 : task_a->event_id > task_b->event_id;
}

/* The activities that the transition offers, the most urgent first. */
static List *
offered_activities(const Transition *transition)
{
	List	   *offers = NIL;
	ListCell   *cell;

	foreach(cell, transition->tasks)
	{
		const TaskOp *task = lfirst(cell);

		if (task->op == OP_ADD && task->kind == QUEUE_TYPE(ACTIVITY))
			offers = lappend(offers, unconstify(TaskOp *, task));
	}
	list_sort(offers, compare_offers);
	return offers;
}

static List *
hand_off_activities(ServiceCall *call, Transition *transition, List *list)
{
	ListCell   *cell;

	foreach(cell, offered_activities(transition))
	{
		const TaskOp *task = lfirst(cell);
		const char *queue = task->queue;
		PendingActivity *activity = state_find_activity(transition->state, task->event_id);
		ServiceCall *poll = waiting_poll(call, QUEUE_TYPE(ACTIVITY), queue);
		const Pb__PollActivityTaskQueueRequest *request;

		if (activity == NULL || poll == NULL || !service_allowed(poll, RIGHT_WORKER, queue))
			continue;
		request = poll->request;
		take(call, poll, QUEUE_TYPE(ACTIVITY), queue, request->identity);
		core_start_activity_within(transition, activity, ident_random_id(), request->identity);
		list = handed(list, poll, activity);
	}
	return list;
}

/*
 * hand_off_take -- starts what the transition would offer for polls that wait;
 * before it is closed.  Returns who is to be answered.
 */
List *
hand_off_take(ServiceCall *call, Transition *transition)
{
	if (call->waiters == NULL || !state_is_open(transition->state) ||
		(!transition->offer_task && transition->tasks == NIL))
		return NIL;
	return hand_off_activities(call, transition, hand_off_workflow_task(call, transition, NIL));
}

/* hand_off_answer -- what was started is written: here are the tasks. */
void
hand_off_answer(ServiceCall *call, const ExecutionState *state, const List *list)
{
	HistoryExtent extent = state_is_sticky(state) ? HISTORY_NEW : HISTORY_PAGES;
	ListCell   *cell;

	foreach(cell, list)
	{
		const HandOff *hand_off = lfirst(cell);

		call->waiters->answer(hand_off->poll, hand_off->activity != NULL ?
							  &answer_activity_task(call, state, hand_off->activity)->base :
							  &answer_workflow_task(state, extent)->base);
	}
}
