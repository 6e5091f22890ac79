/*
 * poll.c
 *	  Handing out tasks.
 *
 * Taking the offer and starting the task are one transaction, so a poller that
 * is rolled back gives the task back.  An offer whose run (activity) somebody
 * else has locked is skipped, never waited for; one that nobody can take any
 * more is dropped on the way.
 */
#include "postgres.h"

#include "access/xact.h"
#include "service/advance.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

/* The event that schedules the first task of a run, as a rule. */
#define FIRST_TASK 2
/* How many offers are looked at: the first, then more at a time. */
#define PEEK_GROWTH 16
#define PEEK_MAX 256
#define CLAIMS_A_BOUND 32
#define MANY_ACTIVITIES 100
#define GATHER_US 50	/* for each of them */
#define MAX_GATHER_US (50 * 1000)
#define LONGEST_POLL (60 * USECS_PER_SEC)
#define NO_LIMIT 1e9 /* tasks a second */

static void
check_poll(const Pb__TaskQueue *queue)
{
	if (queue == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("TaskQueue is not set on request.")));
	service_require_id(queue->name, "TaskQueue");
	service_require_adopted();
}

/* If this transaction is rolled back, the keeper sees to what was taken. */
static void
note_claim(const TaskRow *task, int attempt)
{
	WakeClaim	claim = {task->key, task->queue_id, task->event_id, attempt};

	store_note_claim(task);
	wake_note_claim(&claim);
	wake_mark_taken(task->queue_id);
}

/* Was that attempt taken and rolled back, and the keeper has not seen to it? */
static bool
claim_is_lost(const TaskRow *task, int attempt)
{
	WakeClaim	claim = {task->key, task->queue_id, task->event_id, attempt};

	return wake_claim_is_lost(&claim);
}

/* A poll of a queue, and how far it has got with what is offered there. */
typedef struct Poll
{
	int			kind;
	const char *queue;
	uint64		queue_id;
	const void *request;
	/* Takes an offer: the task, started, or NULL. */
	ProtobufCMessage *(*take) (ServiceCall *call, struct Poll *poll, const TaskRow *task);
	TimestampTz bound;			/* no offers before it */
	int			limit;			/* how many are looked at next */
	const TaskRow *after;		/* behind which one; NULL: from the bound on */
	TaskRow		last;
	bool		dropped;		/* some that nobody can take any more */
} Poll;

static Poll
poll_of(const ServiceCall *call, int kind, const char *queue)
{
	return (Poll) {kind, queue, ident_queue(&call->namespace->id, kind, queue)};
}

static void
begin_looking(Poll *poll, const TaskRow *after)
{
	poll->bound = wake_lower_bound(poll->queue_id);
	poll->limit = 1;
	poll->after = after;
}

static List *
next_offers(const ServiceCall *call, Poll *poll)
{
	poll->dropped = false;
	return store_peek_tasks(&call->namespace->id, poll->queue_id, poll->limit, poll->bound,
							poll->after);
}

/*
 * Raises the bound below which claims need not look, and notes whether there
 * are offers although none could be taken.
 *
 * An offer that somebody holds, by its own row or by its run, stays above the
 * bound: nobody tells us when it is given back.  Only with a snapshot that was
 * taken after the bound was read; a claim that found something looks at what
 * is left only once in a while.
 */
static void
end_claim(ServiceCall *call, const Poll *poll, bool found)
{
	static unsigned claims = 0;
	TimestampTz oldest;

	if (IsolationUsesXactSnapshot() || (found && ++claims % CLAIMS_A_BOUND != 0))
		return;
	oldest = store_oldest_task(poll->queue_id, poll->bound);
	wake_raise_bound(poll->queue_id, oldest != 0 ? oldest : call->now);
	call->tasks_held = !found && oldest != 0;
}

/*
 * Whether to look again after none of "tasks" could be taken: there are fewer
 * since some were dropped, or there are more behind those that are held.
 */
static bool
look_further(Poll *poll, const List *tasks)
{
	if (!poll->dropped && list_length(tasks) < poll->limit)
		return false;
	if (!poll->dropped && poll->limit >= PEEK_MAX)
	{
		poll->last = *(const TaskRow *) llast(tasks);
		poll->after = &poll->last;
	}
	poll->limit = Min(poll->limit * PEEK_GROWTH, PEEK_MAX);
	return true;
}

/* Nobody can take it any more. */
static void
drop(Poll *poll, const TaskRow *task)
{
	store_drop_task(task);
	poll->dropped = true;
}

static bool
is_passed_over(const ServiceCall *call, const TaskRow *task)
{
	ListCell   *cell;

	foreach(cell, call->passed_over)
	{
		const TaskRow *other = lfirst(cell);

		if (other->event_id == task->event_id && other->stamp == task->stamp &&
			memcmp(&other->key.run_id, &task->key.run_id, UUID_LEN) == 0)
			return true;
	}
	return false;
}

/*
 * Once the run is no longer sticky, a worker that polls its own queue must not
 * take the task: it would miss what it has forgotten.  The task waits for its
 * schedule-to-start timeout then.
 */
static bool
workflow_offer_is_good(const ExecutionState *state, const TaskRow *task)
{
	return state_is_open(state) && state_task_pending(state) && !state_task_started(state) &&
		state->run->task_stamp == task->stamp &&
		(state_is_sticky(state) ||
		 strcmp(state->run->workflow_task->queue, state->info->task_queue) == 0);
}

/*
 * Of many activities more may complete any moment, and each workflow task costs
 * a worker that keeps nothing in memory a replay: one that has just been made
 * waits for them, the longer the more there are.
 */
static bool
is_too_soon(ServiceCall *call, const ExecutionState *state)
{
	int64		pending = state->run->activity_count;
	int64		rest;

	if (!call->answers_at_once || !call->session_bound || pending < MANY_ACTIVITIES)
		return false;
	rest = state->run->workflow_task->scheduled_time +
		Min(pending * GATHER_US, MAX_GATHER_US) - call->now;
	if (rest <= 0)
		return false;
	call->pause = rest;
	return true;
}

/*
 * The state to start, locked, if the offer is still good; may be busy.
 *
 * It is looked at before it is locked: an obsolete offer would otherwise keep
 * its run locked for as long as the caller's transaction lasts.  Not so the first
 * of a run: it goes with its run, unless somebody has its row locked then.
 */
static ExecutionState *
take_workflow_offer(ServiceCall *call, const TaskRow *task, bool *obsolete)
{
	ExecutionState *state = NULL;

	if (task->event_id == FIRST_TASK)
		state = store_load_run(&task->key, LOCK_SKIP);
	if (state == NULL)
	{
		state = store_load_run(&task->key, LOCK_NONE);
		*obsolete = state == NULL || !workflow_offer_is_good(state, task);
		if (*obsolete || task->event_id == FIRST_TASK || is_too_soon(call, state))
			return NULL;
		state = store_load_run(&task->key, LOCK_SKIP);
	}
	*obsolete = state != NULL && !workflow_offer_is_good(state, task);
	return *obsolete ? NULL : state;
}

/* Starts the task of a locked run; NULL if that has ended the run instead. */
static ProtobufCMessage *
start_workflow_task(ServiceCall *call, ExecutionState *state, const char *queue,
					const char *identity)
{
	Transition *transition = transition_new(state, call->now);
	SessionId	self = session_self();
	HistoryExtent extent;

	if (call->answers_at_once && transition_over_limit(transition, &call->limits) == NULL)
	{
		call->advance = advance_new(call, state, queue, identity);
		return &answer_workflow_task(state, HISTORY_WHOLE)->base;
	}
	core_start_workflow_task(transition, queue, ident_random_id(), identity, &call->limits);
	if (call->session_bound)
		core_bind_workflow_task(transition, &self);
	extent = state_is_sticky(state) ? HISTORY_NEW : HISTORY_PAGES;
	service_commit(call, transition);
	if (call->refusal_sqlstate != 0)
	{
		/* The history is too long; that is not the worker's concern. */
		call->refusal_sqlstate = 0;
		return NULL;
	}
	return &answer_workflow_task(state, extent)->base;
}

static ProtobufCMessage *
take_workflow_task(ServiceCall *call, Poll *poll, const TaskRow *task)
{
	const Pb__PollWorkflowTaskQueueRequest *request = poll->request;
	bool		obsolete;
	ExecutionState *state = take_workflow_offer(call, task, &obsolete);
	ProtobufCMessage *answer;

	if (obsolete)
		drop(poll, task);
	if (state == NULL)
		return NULL;
	/* Whoever polls a sticky queue may have misnamed its normal one. */
	if (request->task_queue->kind == QUEUE_KIND(STICKY))
		service_authorize(call, RIGHT_WORKER, state->info->task_queue);
	store_drop_task(task);
	answer = start_workflow_task(call, state, poll->queue, request->identity);
	if (answer != NULL)
		note_claim(task, 0);
	poll->dropped |= answer == NULL;
	return answer;
}

/*
 * Starts the first task of a queue that can be had behind "after"; NULL if
 * there is none.
 */
static ProtobufCMessage *
claim(ServiceCall *call, Poll *poll, const TaskRow *after)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext many = NULL;
	List	   *tasks;

	begin_looking(poll, after);
	do
	{
		ListCell   *cell;

		/* Of many only those that are looked at are held in memory. */
		if (many != NULL)
			MemoryContextReset(many);
		else if (poll->limit >= PEEK_MAX)
			many = AllocSetContextCreate(caller, "temporal offers", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(many != NULL ? many : caller);
		tasks = next_offers(call, poll);
		foreach(cell, tasks)
		{
			const TaskRow *task = lfirst(cell);
			ProtobufCMessage *answer = is_passed_over(call, task) ? NULL :
				poll->take(call, poll, task);

			if (answer == NULL)
				continue;
			MemoryContextSwitchTo(caller);
			call->offer = task;
			end_claim(call, poll, true);
			return answer;
		}
	} while (look_further(poll, tasks));
	MemoryContextSwitchTo(caller);
	end_claim(call, poll, false);
	return NULL;
}

/* Those that this transaction has passed by come last. */
static ProtobufCMessage *
claim_again(ServiceCall *call, Poll *poll)
{
	const TaskRow *after = store_last_claim(poll->queue_id);
	ProtobufCMessage *answer = claim(call, poll, after);

	if (answer == NULL && after != NULL && call->tasks_held)
	{
		call->tasks_held = false;
		answer = claim(call, poll, NULL);
	}
	return answer;
}

/* service_polled_queue -- that of the workflows whose tasks are polled. */
const char *
service_polled_queue(const Pb__PollWorkflowTaskQueueRequest *request)
{
	const Pb__TaskQueue *queue = request->task_queue;

	return queue->kind == QUEUE_KIND(STICKY) && queue->normal_name[0] != '\0' ?
		queue->normal_name : queue->name;
}

ProtobufCMessage *
service_poll_workflow_task_queue(ServiceCall *call, const void *message)
{
	const Pb__PollWorkflowTaskQueueRequest *request = message;
	ProtobufCMessage *answer;
	Poll		poll;

	check_poll(request->task_queue);
	service_authorize(call, RIGHT_WORKER, service_polled_queue(request));
	poll = poll_of(call, QUEUE_TYPE(WORKFLOW), request->task_queue->name);
	poll.request = request;
	poll.take = take_workflow_task;
	wake_note_poller(poll.queue_id, &call->namespace->id, request->identity);
	service_watch(call, WAKE_QUEUE, poll.queue_id, LONGEST_POLL);
	answer = claim_again(call, &poll);
	call->wait.wanted = answer == NULL;
	return answer != NULL ? answer : proto_new(&pb__poll_workflow_task_queue_response__descriptor);
}

/* What is too late to begin is about to be timed out. */
static bool
activity_offer_is_good(const PendingActivity *activity, const TaskRow *task, TimestampTz now)
{
	return !activity->state->started && activity->state->pause == NULL &&
		activity->state->stamp == task->stamp && !core_activity_has_timeouts(activity, now);
}

/* The activity's attempt, locked, as for take_workflow_offer(). */
static PendingActivity *
take_activity_offer(const ServiceCall *call, const TaskRow *task, ExecutionState **state,
					bool *obsolete)
{
	PendingActivity *activity;

	*obsolete = true;
	*state = store_load_run(&task->key, LOCK_NONE);
	if (*state == NULL || !state_is_open(*state))
	{
		store_delete_orphan_activity(&task->key, task->event_id);
		return NULL;
	}
	activity = store_load_activity(*state, task->event_id, LOCK_NONE);
	if (activity == NULL || !activity_offer_is_good(activity, task, call->now))
		return NULL;
	*obsolete = false;
	if (claim_is_lost(task, activity->state->attempt) ||
		(call->accepts != NULL && !call->accepts(call, activity)))
		return NULL;
	(*state)->activities = NIL;
	activity = store_load_activity(*state, task->event_id, LOCK_SKIP);
	*obsolete = activity != NULL && !activity_offer_is_good(activity, task, call->now);
	return *obsolete ? NULL : activity;
}

/* Locks no run, so that its siblings and signals go on. */
static ProtobufCMessage *
take_activity_task(ServiceCall *call, Poll *poll, const TaskRow *task)
{
	const Pb__PollActivityTaskQueueRequest *request = poll->request;
	SessionId	self = session_self();
	Transition *transition;
	ExecutionState *state;
	bool		obsolete;
	PendingActivity *activity = take_activity_offer(call, task, &state, &obsolete);

	if (obsolete)
		drop(poll, task);
	if (activity == NULL)
		return NULL;
	store_drop_task(task);
	activity_offer_taken(activity, task->created_at);
	transition = transition_new(state, call->now);
	core_start_activity(transition, activity, ident_random_id(), request->identity);
	if (call->session_bound)
		core_bind_activity(transition, activity, &self);
	store_commit_activity(transition, activity);
	note_claim(task, activity->state->attempt);
	wake_spend(poll->queue_id);
	return &answer_activity_task(call, state, activity)->base;
}

static ProtobufCMessage *
poll_activity(ServiceCall *call, Poll *poll)
{
	call->pause = wake_queue_pause(poll->queue_id);
	call->tasks_held = call->pause > 0;
	return call->tasks_held ? NULL : claim_again(call, poll);
}

/* The last poll that begins counts for all of the queue. */
static void
set_limit(const ServiceCall *call, const Poll *poll)
{
	const Pb__PollActivityTaskQueueRequest *request = poll->request;
	const Pb__DoubleValue *limit = request->task_queue_metadata == NULL ? NULL :
		request->task_queue_metadata->max_tasks_per_second;

	if (limit != NULL && limit->value >= 0 && call->wait.channel == 0)
		wake_limit_queue(poll->queue_id, Min(limit->value, NO_LIMIT));
}

ProtobufCMessage *
service_poll_activity_task_queue(ServiceCall *call, const void *message)
{
	const Pb__PollActivityTaskQueueRequest *request = message;
	ProtobufCMessage *answer;
	Poll		poll;

	check_poll(request->task_queue);
	service_authorize(call, RIGHT_WORKER, request->task_queue->name);
	poll = poll_of(call, QUEUE_TYPE(ACTIVITY), request->task_queue->name);
	poll.request = request;
	poll.take = take_activity_task;
	set_limit(call, &poll);
	wake_note_poller(poll.queue_id, &call->namespace->id, request->identity);
	service_watch(call, WAKE_QUEUE, poll.queue_id, LONGEST_POLL);
	answer = poll_activity(call, &poll);
	call->wait.wanted = answer == NULL;
	return answer != NULL ? answer : proto_new(&pb__poll_activity_task_queue_response__descriptor);
}

/* ---- for those who wait before they poll ---- */

typedef struct Look
{
	const char *namespace_name;
	int			kind;
	const char *queue;
	Poll		poll;
	QueueContent content;
} Look;

/* Would a poll take the offer, or at least clear it away? */
static bool
can_take(ServiceCall *call, int kind, const TaskRow *task)
{
	ExecutionState *state;
	bool		obsolete;

	if (kind == QUEUE_TYPE(WORKFLOW))
		return take_workflow_offer(call, task, &obsolete) != NULL || obsolete;
	return take_activity_offer(call, task, &state, &obsolete) != NULL || obsolete;
}

/* Locks what a poll would lock. */
static QueueContent
queue_content(ServiceCall *call, Poll *poll)
{
	List	   *tasks;
	bool		paused = poll->kind == QUEUE_TYPE(ACTIVITY) && wake_queue_pause(poll->queue_id) > 0;

	begin_looking(poll, NULL);
	do
	{
		ListCell   *cell;

		tasks = paused ? NIL : next_offers(call, poll);
		foreach(cell, tasks)
			if (can_take(call, poll->kind, lfirst(cell)))
				return QUEUE_READY;
	} while (look_further(poll, tasks));
	return store_oldest_task(poll->queue_id, poll->bound) != 0 ? QUEUE_HELD : QUEUE_EMPTY;
}

static void
find_queue(ServiceCall *call, void *arg)
{
	Look	   *look = arg;

	service_use_namespace(call, look->namespace_name);
	service_authorize(call, RIGHT_WORKER, look->queue);
	look->poll = poll_of(call, look->kind, look->queue);
}

static void
look(ServiceCall *call, void *arg)
{
	Look	   *look = arg;

	find_queue(call, look);
	if (store_adopted())
		look->content = queue_content(call, &look->poll);
}

/* service_queue -- the channel to wait on, for whoever may poll the queue. */
uint64
service_queue(const char *namespace_name, int kind, const char *queue)
{
	Look		at = {namespace_name, kind, queue, .content = QUEUE_EMPTY};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, find_queue, &at);
	return at.poll.queue_id;
}

/*
 * service_look -- would a poll find something?
 *
 * Locks what a poll would lock: the caller ends its transaction at once.
 */
QueueContent
service_look(const char *namespace_name, int kind, const char *queue)
{
	Look		at = {namespace_name, kind, queue, .content = QUEUE_EMPTY};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, look, &at);
	return at.content;
}
