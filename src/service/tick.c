/*
 * tick.c
 *	  Due work: timers, retries, timeouts, effects, retention.
 *
 * Each item runs in a subtransaction of its own, timers in one together unless
 * one of them fails.  One that fails is pushed back with the error recorded, so
 * that it starves nobody; one whose run is locked by somebody else is pushed
 * back shortly, because nothing here waits.  Readers pay when a transaction
 * has more than 64 subtransactions, so a tick leaves the rest for the next.
 */
#include "postgres.h"

#include "base/clock.h"
#include "service/guard.h"
#include "service/retention.h"
#include "service/service.h"
#include "service/tick.h"
#include "store/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

#define LOCKED_ACTIVITY_DELAY USECS_PER_SEC
#define BUSY_DELAY (100 * INT64CONST(1000))
#define FIRST_ERROR_DELAY USECS_PER_SEC
#define MAX_ERROR_DELAY (5 * SECS_PER_MINUTE * USECS_PER_SEC)

#define SIGNAL_FAILED(name) \
	PB__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_##name
#define CANCEL_FAILED(name) \
	PB__CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_##name

/* ---- one timer ---- */

/*
 * Is the row that was due the one that stands for the deadline "armed"?
 *
 * A row that was pushed back is later than that.  One that is left over from
 * an earlier deadline may pass for it: it then finds nothing due.
 */
static bool
row_is_armed(const TimerRow *timer, TimestampTz armed)
{
	return armed != 0 && armed <= timer->fire_at;
}

/* Has the session ended that was to finish this attempt? */
static bool
session_gone(const Pbi__Session *session)
{
	return session != NULL &&
		session_ended(&(SessionId) {session->pid, session->started, session->server_start});
}

/* Gives activities the rows that they have done without; false if not all of them. */
static bool
arm_activities(Transition *transition)
{
	ExecutionState look = *transition->state;
	bool		all = true;
	ListCell   *cell;

	look.activities = NIL;
	store_load_activities(&look);
	foreach(cell, look.activities)
	{
		const PendingActivity *seen = lfirst(cell);
		PendingActivity *activity;

		if (!seen->state->started || seen->state->timer_armed != 0)
			continue;
		activity = store_load_activity(transition->state, seen->scheduled_event_id, LOCK_SKIP);
		if (activity != NULL)
			activity_arm(transition, activity);
		else
			all = false;
	}
	return all;
}

/* When the run has to be looked at again for its activities, if that is before "next". */
static TimestampTz
look_at_activities(Transition *transition, TimestampTz next)
{
	Pbi__RunState *run = transition->state->run;
	TimestampTz again = transition->now + LOCKED_ACTIVITY_DELAY;

	if (!state_is_open(transition->state) || !run->unarmed_activities)
		return next;
	run->unarmed_activities = !arm_activities(transition);
	return run->unarmed_activities && (next == 0 || again < next) ? again : next;
}

static Outcome
fire_run(ServiceCall *call, const TimerRow *timer)
{
	bool		busy;
	ExecutionState *state = guard_lock_run(&timer->key, &busy);
	const Pbi__WorkflowTask *task;
	Transition *transition;

	if (busy)
		return ITEM_BUSY;
	store_drop_timer(timer);
	if (state == NULL || !state_is_open(state) || !row_is_armed(timer, state->run->timer_armed))
		return ITEM_DONE;
	store_load_due_timers(state, call->now);
	transition = transition_new(state, call->now);
	task = state->run->workflow_task;
	core_fire_run_timer(transition, task != NULL && session_gone(task->session));
	service_commit_fired(call, transition,
						 look_at_activities(transition, store_next_timer(state, call->now)));
	return ITEM_DONE;
}

/* Its run has closed or is gone: so are the activity and its deadlines. */
static Outcome
drop_activity(const TimerRow *timer)
{
	if (!store_delete_orphan_activity(&timer->key, timer->event_id))
		return ITEM_BUSY;
	store_drop_timer(timer);
	return ITEM_DONE;
}

/* The row was due, the activity is locked; true if the activity is over. */
static bool
fire_one(const TimerRow *timer, Transition *transition, PendingActivity *activity, bool gone)
{
	store_drop_timer(timer);
	return row_is_armed(timer, activity->state->timer_armed) &&
		core_fire_activity_timer(transition, activity, gone);
}

/* What else of the run is due, so that its workflow hears of all of it at once. */
static bool
fire_siblings(const ServiceCall *call, const TimerRow *timer, Transition *transition)
{
	bool		over = false;
	ListCell   *cell;

	foreach(cell, store_due_siblings(timer, call->now))
	{
		const TimerRow *sibling = lfirst(cell);
		PendingActivity *activity = store_load_activity(transition->state, sibling->event_id,
														LOCK_SKIP);
		bool		gone;

		if (activity == NULL)
			continue;
		gone = session_gone(activity->state->session);
		service_watch_beat(&sibling->key, activity, call->now, gone);
		over |= fire_one(sibling, transition, activity, gone);
	}
	return over;
}

/*
 * What ends an attempt needs the run as well; a retry that is due or an early
 * alarm needs no more than the activity.
 */
static Outcome
fire_activity(ServiceCall *call, const TimerRow *timer)
{
	bool		busy;
	bool		gone;
	bool		ends;
	bool		over;
	ExecutionState *state = store_load_run(&timer->key, LOCK_NONE);
	PendingActivity *activity;
	Transition *transition;

	if (state == NULL || !state_is_open(state))
		return drop_activity(timer);
	activity = store_load_activity(state, timer->event_id, LOCK_SKIP);
	if (activity == NULL)
	{
		if (store_load_activity(state, timer->event_id, LOCK_NONE) != NULL)
			return ITEM_BUSY;
		store_drop_timer(timer);
		return ITEM_DONE;
	}
	gone = session_gone(activity->state->session);
	service_watch_beat(&timer->key, activity, call->now, gone);
	ends = gone || core_activity_has_timeouts(activity, call->now);
	if (ends)
	{
		state = guard_lock_run(&timer->key, &busy);
		if (busy)
			return ITEM_BUSY;
		if (state == NULL || !state_is_open(state))
			return drop_activity(timer);
		state_add_activity(state, activity);
	}
	transition = transition_new(state, call->now);
	over = fire_one(timer, transition, activity, gone);
	if (ends)
	{
		if (fire_siblings(call, timer, transition) || over)
			core_want_workflow_task(transition);
		service_commit(call, transition);
	}
	else
		store_commit_activity(transition, activity);
	return ITEM_DONE;
}

static void
use_namespace(ServiceCall *call, const RunKey *key, const char *whose)
{
	call->namespace = store_find_namespace_id(&key->namespace_id);
	if (call->namespace == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND),
				 errmsg("namespace of %s does not exist", whose)));
}

static Outcome
fire_timer(ServiceCall *call, const void *item)
{
	const TimerRow *timer = item;

	use_namespace(call, &timer->key, "a timer");
	switch (timer->kind)
	{
		case TIMER_RUN:
			return fire_run(call, timer);
		case TIMER_ACTIVITY:
			return fire_activity(call, timer);
		case TIMER_RETENTION:
			return retention_fire(timer);
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED), errmsg("timer has kind %d", (int) timer->kind)));
}

/* ---- one effect on another workflow ---- */

/* The target of an effect. */
typedef struct EffectTarget
{
	const Pb__WorkflowExecution *execution;
	ExecutionState *state;		/* NULL if there is none, or not for us */
	bool		busy;
} EffectTarget;

static EffectTarget
lock_target(ServiceCall *call, const Pb__WorkflowExecution *execution, bool child_only,
			const ExecutionState *source)
{
	EffectTarget target = {execution, NULL, false};
	RunKey		key = store_key(&call->namespace->id, execution->workflow_id);
	pg_uuid_t	current;

	if (execution->run_id[0] == '\0')
	{
		if (!store_current_run(&key, execution->workflow_id, &current))
			return target;
		key.run_id = current;
	}
	else if (!ident_parse_uuid(execution->run_id, &key.run_id))
		return target;
	if (memcmp(&key.run_id, &source->key.run_id, sizeof(pg_uuid_t)) == 0)
		return target;
	target.state = guard_lock_run(&key, &target.busy);
	if (target.state == NULL)
		return target;
	/* Another run may have begun before this one was locked. */
	if (execution->run_id[0] == '\0' && !state_is_open(target.state) &&
		store_current_run(&key, execution->workflow_id, &current) &&
		memcmp(&key.run_id, &current, sizeof(pg_uuid_t)) != 0)
		target.busy = true;
	if (strcmp(target.state->workflow_id, execution->workflow_id) != 0 ||
		(child_only && strcmp(target.state->info->parent_run_id,
							  ident_uuid_text(&source->key.run_id)) != 0))
		target.state = NULL;
	return target;
}

/* 0 if the signal was delivered, else why it never will be. */
static int
deliver_signal(ServiceCall *call, const ExecutionState *source, EffectTarget target,
			   const Pb__HistoryEvent *event, const char *request_id)
{
	const Pb__SignalExternalWorkflowExecutionInitiatedEventAttributes *from =
		event->signal_external_workflow_execution_initiated_event_attributes;
	SignalParameters signal = {
		.name = from->signal_name, .input = from->input, .header = from->header,
		.identity = HISTORY_SERVICE, .request_id = request_id,
		.external = answer_execution(source)
	};

	if (target.state == NULL || !state_is_open(target.state))
		return SIGNAL_FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
	if (target.state->run->signal_count >= 10000)
		return SIGNAL_FAILED(SIGNAL_COUNT_LIMIT_EXCEEDED);
	service_apply_signal(call, target.state, &signal, transition_new(target.state, call->now));
	if (call->refusal_sqlstate != 0)
		return SIGNAL_FAILED(SIGNAL_COUNT_LIMIT_EXCEEDED);
	return 0;
}

static int
deliver_cancel(ServiceCall *call, const ExecutionState *source, EffectTarget target,
			   const Pb__HistoryEvent *event)
{
	const Pb__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes *from =
		event->request_cancel_external_workflow_execution_initiated_event_attributes;
	CancelParameters cancel = {
		.cause = from->reason, .identity = HISTORY_SERVICE,
		.external = answer_execution(source), .external_event_id = event->event_id
	};
	Transition *transition;

	if (target.state == NULL)
		return CANCEL_FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
	if (!state_is_open(target.state) || target.state->run->cancel_requested)
		return 0;
	transition = transition_new(target.state, call->now);
	core_request_cancel(transition, &cancel);
	service_commit(call, transition);
	return 0;
}

/* Delivers, and records the outcome in the run that asked. */
static Outcome
do_effect(ServiceCall *call, const void *item)
{
	const OutboxRow *row = item;
	bool		signal = row->event->event_type ==
		EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
	const Pb__WorkflowExecution *execution = signal ?
		row->event->signal_external_workflow_execution_initiated_event_attributes->workflow_execution :
		row->event->request_cancel_external_workflow_execution_initiated_event_attributes->workflow_execution;
	bool		child_only = signal ?
		row->event->signal_external_workflow_execution_initiated_event_attributes->child_workflow_only :
		row->event->request_cancel_external_workflow_execution_initiated_event_attributes->child_workflow_only;
	bool		busy;
	ExecutionState *source;
	EffectTarget target;
	PendingExternal *external;
	Transition *transition;
	int			cause;

	use_namespace(call, &row->key, "an effect");
	source = guard_lock_run(&row->key, &busy);
	if (busy)
		return ITEM_BUSY;
	external = source == NULL || !state_is_open(source) ? NULL :
		store_load_external(source, row->event_id);
	if (external == NULL)
	{
		store_drop_outbox(row);
		return ITEM_DONE;
	}
	target = lock_target(call, execution, child_only, source);
	if (target.busy)
		return ITEM_BUSY;
	cause = signal ? deliver_signal(call, source, target, row->event, external->request_id) :
		deliver_cancel(call, source, target, row->event);
	transition = transition_new(source, call->now);
	if (signal)
		core_resolve_external_signal(transition, row->event, cause);
	else
		core_resolve_external_cancel(transition, row->event, cause);
	service_commit(call, transition);
	store_drop_outbox(row);
	return ITEM_DONE;
}

/* ---- claims that vanished ---- */

/*
 * A single-transaction worker was rolled back: nothing of its attempt is
 * recorded, and the task is offered again.  It gets the backoff that a failed
 * attempt would get, so that a handler which always fails is not called
 * without pause, and never more often than the policy allows.
 */
static Outcome
lose_claim(ServiceCall *call, const void *item)
{
	const WakeClaim *claim = item;
	bool		busy = false;
	ExecutionState *state;
	PendingActivity *activity;
	Transition *transition;

	call->namespace = store_find_namespace_id(&claim->key.namespace_id);
	state = call->namespace == NULL ? NULL : guard_lock_run(&claim->key, &busy);
	/* Whoever takes it now would be rolled back again. */
	if (claim->attempt == 0 && state == NULL && busy)
		return ITEM_BUSY;
	/* The offer is there again: somebody may be waiting for it. */
	wake_mark_queue(claim->queue_id);
	if (state == NULL)
		return busy ? ITEM_BUSY : ITEM_DONE;
	if (claim->attempt == 0)
		return ITEM_DONE;
	activity = store_load_activity(state, claim->event_id, LOCK_SKIP);
	if (activity == NULL || activity->state->started ||
		activity->state->attempt != claim->attempt || activity->state->offered_at == 0)
		return ITEM_DONE;
	transition = transition_new(state, call->now);
	if (!state_is_open(state))
	{
		/* The run was closed under the worker, which kept this from going. */
		activity_withdraw(transition, activity);
		row_delete(&activity->change);
		store_commit_activity(transition, activity);
		return ITEM_DONE;
	}
	core_start_activity(transition, activity, "", "");
	core_fail_activity(transition, activity,
					   core_server_failure("transaction of the worker was rolled back", false), "");
	service_commit(call, transition);
	return ITEM_DONE;
}

/* ---- a tick ---- */

static TimestampTz
error_delay(int failures)
{
	return failures > 10 ? MAX_ERROR_DELAY : Min(FIRST_ERROR_DELAY << failures, MAX_ERROR_DELAY);
}

/* Due timers to be fired together. */
typedef struct Batch
{
	TimestampTz from;
	TimestampTz now;
	int			limit;
	const List *namespace_ids;	/* NIL: all */
	int			count;
} Batch;

/*
 * Fires timers in one subtransaction, because readers pay for every further
 * one that a transaction has.
 */
static Outcome
fire_batch(ServiceCall *call, const void *item)
{
	Batch	   *batch = unconstify(void *, item);
	List	   *timers = store_due_timers(batch->from, batch->now, batch->limit,
											   batch->namespace_ids);
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(outer, "temporal timer", ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;

	MemoryContextSwitchTo(own);
	foreach(cell, timers)
	{
		TimerRow   *timer = lfirst(cell);

		service_begin(call);
		if (fire_timer(call, timer) == ITEM_BUSY)
			store_delay_timer(timer, batch->now + BUSY_DELAY);
		MemoryContextReset(own);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(own);
	batch->count = list_length(timers);
	return ITEM_DONE;
}

/* Fires each timer in a subtransaction of its own. */
static int
fire_one_by_one(TimestampTz from, TimestampTz now, int limit, const List *namespace_ids)
{
	List	   *timers = store_due_timers(from, now, Min(limit, GUARD_MAX), namespace_ids);
	ListCell   *cell;

	foreach(cell, timers)
	{
		TimerRow   *timer = lfirst(cell);
		Guarded		result = guard_run(fire_timer, timer);

		if (result.error != NULL)
			store_push_back_timer(timer, now + error_delay(timer->failures), result.error);
		else if (result.outcome == ITEM_BUSY)
			store_delay_timer(timer, now + BUSY_DELAY);
	}
	return list_length(timers);
}

/* If one of a batch fails, nothing of it has happened. */
static int
tick_timers(TimestampTz from, TimestampTz now, int limit, const List *namespace_ids)
{
	Batch		batch = {from, now, limit, namespace_ids, 0};
	Guarded		result = guard_run(fire_batch, &batch);

	if (result.error == NULL && result.outcome == ITEM_DONE)
		return batch.count;
	return fire_one_by_one(from, now, limit, namespace_ids);
}

static int
tick_outbox(TimestampTz from, TimestampTz now, int limit, const List *namespace_ids)
{
	List	   *rows = store_due_outbox(from, now, Min(limit, GUARD_MAX), namespace_ids);
	ListCell   *cell;

	foreach(cell, rows)
	{
		OutboxRow  *row = lfirst(cell);
		Guarded		result = guard_run(do_effect, row);

		if (result.error != NULL)
			store_push_back_outbox(row, now + error_delay(row->failures), result.error);
		else if (result.outcome == ITEM_BUSY)
			store_delay_outbox(row, now + BUSY_DELAY);
	}
	return list_length(rows);
}

/* How many were looked at; *busy if some have to be looked at again. */
static int
tick_lost_claims(bool *busy)
{
	WakeClaim	claims[GUARD_MAX];
	int			n = wake_lost_claims(claims, GUARD_MAX, busy);

	/* From here on the locks of this transaction keep pollers away. */
	for (int i = 0; i < n; i++)
	{
		if (guard_run(lose_claim, &claims[i]).outcome == ITEM_DONE)
			wake_forget_lost_claim(&claims[i]);
		else
			*busy = true;
	}
	return n;
}

static TimestampTz
next_due(TimestampTz from)
{
	TimestampTz timer = store_earliest_timer(from);
	TimestampTz effect = store_earliest_outbox(from);

	if (timer == 0 || (effect != 0 && effect < timer))
		timer = effect;
	return timer == 0 ? DT_NOEND : timer;
}

typedef struct Tick
{
	TimestampTz from;
	int			max_items;
	int			done;
	TimestampTz next;
} Tick;

static void
tick(ServiceCall *call, void *arg)
{
	Tick	   *tick = arg;
	int			lost;
	bool		busy;

	if (!store_adopted())
		return;
	lost = tick_lost_claims(&busy);
	tick->done = lost + tick_timers(tick->from, call->now, tick->max_items, NIL);
	tick->done += tick_outbox(tick->from, call->now, tick->max_items, NIL);
	tick->done += retention_sweep(call->now, tick->max_items, &tick->next);
	tick->next = Min(tick->next, next_due(tick->from));
	/* There may be more of them. */
	if (lost == GUARD_MAX && !busy)
		tick->next = Min(tick->next, call->now);
	if (busy)
		tick->next = Min(tick->next, call->now + BUSY_DELAY);
}

TimestampTz
service_tick(TimestampTz from, int max_items, int *done)
{
	Tick		work = {from, max_items, 0, DT_NOEND};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, tick, &work);
	*done = work.done;
	return work.next;
}

/*
 * Whoever may do the work of some namespaces only gets what is due in those;
 * what is everybody's (retention, claims that vanished) waits for others.
 */
static void
tick_as_caller(ServiceCall *call, void *arg)
{
	Tick	   *work = arg;
	List	   *namespace_ids;
	bool		queues_only;

	if (!service_may_work(call, &namespace_ids, &queues_only))
		service_authorize(call, RIGHT_ADMIN, NULL);
	if (namespace_ids == NIL && !queues_only)
		tick(call, work);
	else if (namespace_ids != NIL && store_adopted())
		work->done = tick_timers(work->from, call->now, work->max_items, namespace_ids) +
			tick_outbox(work->from, call->now, work->max_items, namespace_ids);
}

int
service_tick_as_caller(int max_items)
{
	Tick		work = {DT_NOBEGIN, max_items, 0, DT_NOEND};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, tick_as_caller, &work);
	return work.done;
}
