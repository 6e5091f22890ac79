/*
 * replay.c
 *	  Compares the stored state of a run with its history.
 *
 * The whole history is applied to an empty state, then the events that wait in
 * the buffer.  What events determine must come out as it is stored; a
 * difference is a fault of ours, and raised.  Tests run with it switched on
 * (temporal.check_state); it reads far too much for anything else.
 */
#include "postgres.h"

#include "core/decide.h"
#include "store/plan.h"
#include "utils/timestamp.h"

/* The two states that must agree. */
typedef struct Comparison
{
	const ExecutionState *stored;
	const ExecutionState *replayed;
} Comparison;

static void
differ(const Comparison *comparison, const char *field, const char *stored, const char *replayed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("state of workflow \"%s\" does not follow from its history: %s",
					comparison->stored->workflow_id, field),
			 errdetail("Run %s: stored is %s, by the history it is %s.",
					   ident_uuid_text(&comparison->stored->key.run_id), stored, replayed)));
}

static void
same_number(const Comparison *comparison, const char *field, int64 stored, int64 replayed)
{
	if (stored != replayed)
		differ(comparison, field, psprintf(INT64_FORMAT, stored),
			   psprintf(INT64_FORMAT, replayed));
}

static void
same_text(const Comparison *comparison, const char *field, const char *stored,
		  const char *replayed)
{
	if (strcmp(stored, replayed) != 0)
		differ(comparison, field, stored, replayed);
}

#define SAME(field) same_number(comparison, #field, stored->field, replayed->field)
#define SAME_TEXT(field) same_text(comparison, #field, stored->field, replayed->field)

/* ---- replaying ---- */

/* One more event, which has the id that comes next. */
static void
replay_event(const Comparison *comparison, ExecutionState *state, Pb__HistoryEvent *event)
{
	Pbi__RunState *run = state->run;

	same_number(comparison, "event id", event->event_id, run->next_event_id);
	if (!state_is_open(state))
		differ(comparison, "event after the end", event_type_name(event->event_type), "nothing");
	run->next_event_id++;
	run->history_size += event_size(event);
	core_apply(state, event);
}

static void
replay_history(const Comparison *comparison, ExecutionState *state)
{
	List	   *kept = core_kept_events(comparison->stored);
	ListCell   *cell;

	foreach(cell, store_read_history(&state->key, 1, PG_INT64_MAX, PG_INT32_MAX, false))
	{
		HistoryBatch *batch = lfirst(cell);
		Pb__History *history = store_unpack_batch(comparison->stored, batch);

		same_number(comparison, "first event id", batch->first_event_id,
					state->run->next_event_id);
		same_number(comparison, "event count", batch->event_count, history->n_events);
		for (size_t i = 0; i < history->n_events; i++)
			replay_event(comparison, state, history->events[i]);
	}
	foreach(cell, kept)
		replay_event(comparison, state, lfirst(cell));
}

/* ---- comparing ---- */

/* A later attempt has no events yet. */
static void
compare_workflow_task(const Comparison *comparison)
{
	const Pbi__WorkflowTask *stored = comparison->stored->run->workflow_task;
	const Pbi__WorkflowTask *replayed = comparison->replayed->run->workflow_task;

	if (stored != NULL && stored->transient)
		stored = NULL;
	same_number(comparison, "pending workflow task", stored != NULL, replayed != NULL);
	if (stored == NULL)
		return;
	SAME(scheduled_event_id);
	SAME(started_event_id);
	SAME(attempt);
	SAME(timeout);
	SAME(scheduled_time);
	SAME(started_time);
	SAME_TEXT(request_id);
	SAME_TEXT(identity);
	/* A task of a worker that has gone is offered on the normal queue. */
	if (strcmp(stored->queue, comparison->stored->info->task_queue) != 0)
		SAME_TEXT(queue);
	SAME(suggest_continue_as_new);
	SAME(history_size);
}

static void
compare_run(const Comparison *comparison)
{
	const Pbi__RunState *stored = comparison->stored->run;
	const Pbi__RunState *replayed = comparison->replayed->run;

	SAME(status);
	SAME(close_time);
	SAME(next_event_id);
	SAME(history_size);
	SAME(first_task_scheduled);
	SAME(last_completed_started_event_id);
	/* A run that was closed has lost its buffer. */
	if (!state_is_open(comparison->stored))
		return;
	SAME(activity_count);
	SAME(timer_count);
	SAME(external_signal_count);
	SAME(external_cancel_count);
	SAME(signal_count);
	SAME(cancel_requested);
	same_number(comparison, "buffered_count", stored->buffered_count,
				list_length(comparison->stored->buffer));
	compare_workflow_task(comparison);
}

static bool
is_pending(RowChange change)
{
	return change != ROW_DELETED && change != ROW_ABSENT;
}

static void
compare_activities(const Comparison *comparison)
{
	int			count = 0;
	ListCell   *cell;

	foreach(cell, comparison->replayed->activities)
	{
		const PendingActivity *activity = lfirst(cell);
		const PendingActivity *row = state_find_activity(comparison->stored,
														 activity->scheduled_event_id);
		const Pbi__ActivityState *stored;
		const Pbi__ActivityState *replayed = activity->state;

		if (!is_pending(activity->change))
			continue;
		count++;
		if (row == NULL)
			differ(comparison, "pending activity", "none", activity->activity_id);
		same_text(comparison, "activity id", row->activity_id, activity->activity_id);
		stored = row->state;
		SAME(cancel_requested_event_id);
		SAME(first_scheduled_time);
	}
	same_number(comparison, "pending activities",
				list_length(comparison->stored->activities), count);
}

static void
compare_timers(const Comparison *comparison)
{
	int			count = 0;
	ListCell   *cell;

	foreach(cell, comparison->replayed->timers)
	{
		const PendingTimer *replayed = lfirst(cell);
		const PendingTimer *stored = state_find_timer(comparison->stored, replayed->timer_id);

		if (!is_pending(replayed->change))
			continue;
		count++;
		if (stored == NULL)
			differ(comparison, "pending timer", "none", replayed->timer_id);
		SAME(started_event_id);
		SAME(fire_at);
	}
	same_number(comparison, "pending timers", list_length(comparison->stored->timers), count);
}

static void
compare_externals(const Comparison *comparison)
{
	int			count = 0;
	ListCell   *cell;

	foreach(cell, comparison->replayed->externals)
	{
		const PendingExternal *replayed = lfirst(cell);
		const PendingExternal *stored = state_find_external(comparison->stored,
															replayed->initiated_event_id);

		if (!is_pending(replayed->change))
			continue;
		count++;
		if (stored == NULL)
			differ(comparison, "pending external request", "none",
				   psprintf(INT64_FORMAT, replayed->initiated_event_id));
		SAME(kind);
	}
	same_number(comparison, "pending external requests",
				list_length(comparison->stored->externals), count);
}

/*
 * store_check_run -- raises an error if the run's state is not what its
 * history and its buffer make of it.
 *
 * The run must be locked, or new.
 */
void
store_check_run(const RunKey *key)
{
	ExecutionState *stored = store_load_run(key, LOCK_NONE);
	ExecutionState *replayed;
	Comparison	comparison = {stored};
	ListCell   *cell;

	if (stored == NULL)
		elog(ERROR, "run to be checked does not exist");
	comparison.replayed = replayed = state_new(key, stored->workflow_id);
	replay_history(&comparison, replayed);
	foreach(cell, stored->buffer)
		core_apply(replayed, lfirst(cell));
	compare_run(&comparison);
	if (!state_is_open(stored))
		return;
	store_load_activities(stored);
	store_load_due_timers(stored, DT_NOEND);
	foreach(cell, replayed->externals)
		store_load_external(stored, ((PendingExternal *) lfirst(cell))->initiated_event_id);
	compare_activities(&comparison);
	compare_timers(&comparison);
	compare_externals(&comparison);
}
