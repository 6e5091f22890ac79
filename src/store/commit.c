/*
 * commit.c
 *	  Writing a transition.
 *
 * The order is fixed: history, the run's row, pending rows, the current run,
 * what lists show, tasks, timers, outbox.  It is the lock order as well.
 */
#include "postgres.h"

#include "base/guc.h"
#include "catalog/pg_type.h"
#include "core/decide.h"
#include "proto/time.h"
#include "store/place.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

#define KEY_TYPES INT2OID, UUIDOID, UUIDOID
#define KEY_SQL \
	" WHERE shard OPERATOR(pg_catalog.=) $1 AND namespace_id OPERATOR(pg_catalog.=) $2" \
	" AND run_id OPERATOR(pg_catalog.=) $3"

/* Of so many bytes the one event that is wanted is found quickly. */
#define SMALL_BATCH 1000

/*
 * Returns the first event of the batch if it is small, else an id that no event
 * has.
 */
static int64
write_history(const Transition *transition)
{
	const ExecutionState *state = transition->state;
	EventRun	run = {
		state->workflow_id, ident_uuid_text(&state->key.run_id), state->info->task_queue
	};
	int64		first = PG_INT64_MAX;
	int64		end = core_kept_event_id(state);
	Pb__History history = PB__HISTORY__INIT;
	ListCell   *cell;

	history.events = palloc((list_length(transition->events) + 1) * sizeof(Pb__HistoryEvent *));
	foreach(cell, transition->events)
	{
		Pb__HistoryEvent *event = lfirst(cell);

		if (event->event_id < end)
			history.events[history.n_events++] = event_strip(event, &run);
	}
	if (history.n_events > 0)
	{
		const RunKey *key = &state->key;
		bytea	   *events = proto_pack_bytea(&history.base);
		Datum		values[] = {
			uuid_datum(&key->run_id), uuid_datum(&key->namespace_id),
			Int32GetDatum((int32) history.events[0]->event_id),
			Int32GetDatum((int32) history.n_events),
			Int16GetDatum(key->shard), PointerGetDatum(events)
		};
		bool		nulls[lengthof(values)] = {[1] = store_is_default(&key->namespace_id)};

		store_insert("history", lengthof(values), values, nulls);
		if (VARSIZE(events) <= SMALL_BATCH)
			first = history.events[0]->event_id;
	}
	return first;
}

static void
write_buffer(ExecutionState *state)
{
	static Statement clear = {"DELETE FROM temporal.buffered_event" KEY_SQL, 3, {KEY_TYPES}};
	static Statement insert = {
		"INSERT INTO temporal.buffered_event (shard, namespace_id, run_id, position, event)"
		" VALUES ($1, $2, $3, $4, $5)",
		5, {KEY_TYPES, INT8OID, BYTEAOID}
	};
	int			length = list_length(state->buffer);

	if (state->stored_buffer > 0 && length < state->stored_buffer)
	{
		Datum		values[] = {key_datums(&state->key)};

		store_run(&clear, values, NULL);
		state->stored_buffer = 0;
	}
	for (int i = state->stored_buffer; i < length; i++)
	{
		Pb__HistoryEvent *event = list_nth(state->buffer, i);
		Datum		values[] = {
			key_datums(&state->key), Int64GetDatum(state->run->buffered_position++),
			message_datum(event)
		};

		store_run(&insert, values, NULL);
	}
	state->stored_buffer = state->run->buffered_count = length;
}

static Datum
state_datum(const ExecutionState *state)
{
	Pbi__RunState run = *state->run;

	run.workflow_task = core_compact_task(state->info, state->run);
	return message_datum(&run);
}

static ItemPointerData
update_state(const ExecutionState *state)
{
	RowScan		scan;
	ItemPointerData tid;

	if (!store_find_state(&state->key, &scan))
		elog(ERROR, "run has no state");
	tid = store_scan_update(&scan, 1, (int[]) {STATE_STATE},
							(Datum[]) {state_datum(state)});
	store_scan_end(&scan);
	return tid;
}

static void
write_state(const ExecutionState *state)
{
	ItemPointerData tid;

	if (state->is_new)
	{
		Datum		values[] = {
			key_datums(&state->key), text_datum(state->workflow_id),
			message_datum(core_compact_info(state)), state_datum(state)
		};

		tid = store_insert("execution_state", lengthof(values), values, NULL);
	}
	else
		tid = update_state(state);
	place_note(&state->key, &tid);
}

/* store_attempt_stop -- why the attempt that ran last is to end. */
BeatStop
store_attempt_stop(const PendingActivity *activity)
{
	const Pbi__ActivityState *detail = activity->state;

	if (activity->change == ROW_DELETED || !detail->started)
		return BEAT_GONE;
	if (detail->cancel_requested_event_id != 0)
		return BEAT_CANCELLED;
	if (detail->reset_requested)
		return BEAT_RESET;
	return detail->pause != NULL ? BEAT_PAUSED : BEAT_GOES_ON;
}

/* It hears so, if it runs in this server. */
static void
mark_stop(const Transition *transition, const PendingActivity *activity)
{
	BeatStop	stop = store_attempt_stop(activity);

	if (stop != BEAT_GOES_ON)
		beat_mark_stop(&transition->state->key.run_id, activity->scheduled_event_id,
					   transition->now, stop);
}

/* Of the columns of "pending_activity", from 0. */
enum
{
	ACTIVITY_SCHEDULED = 5,
	ACTIVITY_COLUMNS = 7
};

/*
 * One that somebody has already is looked at once more as a rule, when it ends:
 * no need to store its event twice.
 */
static void
insert_activity(const ExecutionState *state, const PendingActivity *activity, bool event_stored)
{
	bool		nulls[ACTIVITY_COLUMNS] = {
		[ACTIVITY_SCHEDULED] = event_stored && activity->state->started
	};
	Datum		values[] = {
		Int32GetDatum((int32) activity->scheduled_event_id), uuid_datum(&state->key.run_id),
		uuid_datum(&state->key.namespace_id), Int16GetDatum(state->key.shard),
		text_datum(activity->activity_id),
		nulls[ACTIVITY_SCHEDULED] ? (Datum) 0 : message_datum(activity->scheduled),
		message_datum(core_compact_activity(activity))
	};

	store_insert("pending_activity", lengthof(values), values, nulls);
}

/* Events from "stored" on can be read from history instead. */
static void
write_activity(const Transition *transition, const PendingActivity *activity, int64 stored)
{
	const ExecutionState *state = transition->state;

	if (activity->taken && activity->change != ROW_DELETED)
		elog(ERROR, "activity goes on whose row was deleted");
	if (activity->change == ROW_INSERTED)
		insert_activity(state, activity, activity->scheduled_event_id >= stored);
	else if (activity->change == ROW_UPDATED)
		store_update_activity(&state->key, activity);
	else if (activity->change == ROW_DELETED && !activity->taken)
		store_delete_activity(&state->key, activity->scheduled_event_id);
	if (activity->change == ROW_UPDATED || activity->change == ROW_DELETED)
		mark_stop(transition, activity);
}

static void
write_timer_row(const ExecutionState *state, const PendingTimer *timer)
{
	static Statement insert = {
		"INSERT INTO temporal.pending_timer"
		" (shard, namespace_id, run_id, timer_id, started_event_id, fire_at)"
		" VALUES ($1, $2, $3, $4, $5, $6)",
		6, {KEY_TYPES, TEXTOID, INT8OID, TIMESTAMPTZOID}
	};
	static Statement delete = {
		"DELETE FROM temporal.pending_timer" KEY_SQL " AND timer_id OPERATOR(pg_catalog.=) $4",
		4, {KEY_TYPES, TEXTOID}
	};

	if (timer->change == ROW_INSERTED)
	{
		Datum		values[] = {
			key_datums(&state->key), text_datum(timer->timer_id),
			Int64GetDatum(timer->started_event_id), TimestampTzGetDatum(timer->fire_at)
		};

		store_run(&insert, values, NULL);
	}
	else if (timer->change == ROW_DELETED)
	{
		Datum		values[] = {key_datums(&state->key), text_datum(timer->timer_id)};

		store_run(&delete, values, NULL);
	}
}

static void
write_external(const ExecutionState *state, const PendingExternal *external)
{
	static Statement insert = {
		"INSERT INTO temporal.pending_external"
		" (shard, namespace_id, run_id, initiated_event_id, kind, request_id)"
		" VALUES ($1, $2, $3, $4, $5, $6)",
		6, {KEY_TYPES, INT8OID, INT2OID, TEXTOID}
	};
	static Statement delete = {
		"DELETE FROM temporal.pending_external" KEY_SQL
		" AND initiated_event_id OPERATOR(pg_catalog.=) $4",
		4, {KEY_TYPES, INT8OID}
	};

	if (external->change == ROW_INSERTED)
	{
		Datum		values[] = {
			key_datums(&state->key), Int64GetDatum(external->initiated_event_id),
			Int16GetDatum(external->kind), text_datum(external->request_id)
		};

		store_run(&insert, values, NULL);
	}
	else if (external->change == ROW_DELETED)
	{
		Datum		values[] = {
			key_datums(&state->key), Int64GetDatum(external->initiated_event_id)
		};

		store_run(&delete, values, NULL);
	}
}

static void
write_pending(const Transition *transition, int64 stored)
{
	static Statement remember = {
		"INSERT INTO temporal.signal_request (shard, namespace_id, run_id, request_id)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		4, {KEY_TYPES, TEXTOID}
	};
	ExecutionState *state = transition->state;
	ListCell   *cell;

	/* Rows that go come first: an id may be used again at once. */
	for (int pass = 0; pass <= 1; pass++)
	{
		foreach(cell, state->activities)
			if ((((PendingActivity *) lfirst(cell))->change == ROW_DELETED) == (pass == 0))
				write_activity(transition, lfirst(cell), stored);
		foreach(cell, state->timers)
			if ((((PendingTimer *) lfirst(cell))->change == ROW_DELETED) == (pass == 0))
				write_timer_row(state, lfirst(cell));
	}
	foreach(cell, state->externals)
		write_external(state, lfirst(cell));
	if (transition->signal_request_id != NULL)
	{
		Datum		values[] = {key_datums(&state->key), text_datum(transition->signal_request_id)};

		store_run(&remember, values, NULL);
	}
}

/* ---- what lists show ---- */

/* Some columns of "execution". */
enum
{
	EXECUTION_CLOSE_TIME = 1,
	EXECUTION_HISTORY_SIZE,
	EXECUTION_HISTORY_LENGTH,
	EXECUTION_TRANSITION_COUNT,
	EXECUTION_STATUS,
	EXECUTION_COLUMNS = 20
};

/* NULL where a run is meant that is this one. */
static Datum
other_run(const ExecutionState *state, const char *run_id, bool *null)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (!ident_parse_uuid(run_id, uuid) ||
		memcmp(uuid, &state->key.run_id, sizeof(pg_uuid_t)) == 0)
		*null = true;
	return uuid_datum(uuid);
}

static void
insert_visibility(const Transition *transition)
{
	const ExecutionState *state = transition->state;
	const Pbi__RunInfo *info = state->info;
	bool		nulls[EXECUTION_COLUMNS] = {true, true, true, true, [11] = true, [16] = true};
	Datum		values[EXECUTION_COLUMNS] = {
		[4] = Int16GetDatum(STATUS(RUNNING)), Int16GetDatum(state->key.shard),
		TimestampTzGetDatum(info->start_time), TimestampTzGetDatum(info->execution_time),
		uuid_datum(&state->key.namespace_id), uuid_datum(&state->key.run_id),
		other_run(state, info->first_run_id, &nulls[10]),
		[12] = other_run(state, info->root_run_id, &nulls[12]),
		text_datum(state->workflow_id), text_datum(info->workflow_type),
		text_datum(info->task_queue),
		[17] = text_datum(info->root_workflow_id)
	};

	nulls[17] = nulls[12];
	nulls[18] = transition->memo == NIL;
	if (!nulls[18])
		values[18] = message_datum(core_merge_memo(NULL, transition->memo));
	nulls[19] = transition->search_attributes == NIL;
	if (!nulls[19])
		values[19] = message_datum(core_merge_search_attributes(NULL, transition->search_attributes));
	store_insert("execution", lengthof(values), values, nulls);
}

static void
update_attributes(const Transition *transition)
{
	static Statement update_memo = {
		"UPDATE temporal.execution SET memo = $4" EXECUTION_KEY_SQL,
		4, {EXECUTION_KEY_TYPES, BYTEAOID}
	};
	static Statement update_attributes = {
		"UPDATE temporal.execution SET search_attributes = $4" EXECUTION_KEY_SQL,
		4, {EXECUTION_KEY_TYPES, BYTEAOID}
	};
	const ExecutionState *state = transition->state;
	Pb__Memo   *memo;
	Pb__SearchAttributes *attributes;

	store_load_attributes(state, &memo, &attributes);
	if (transition->memo != NIL)
	{
		Datum		values[] = {
			execution_key_datums(state), message_datum(core_merge_memo(memo, transition->memo))
		};

		store_run(&update_memo, values, NULL);
	}
	if (transition->search_attributes != NIL)
	{
		Datum		values[] = {
			execution_key_datums(state),
			message_datum(core_merge_search_attributes(attributes, transition->search_attributes))
		};

		store_run(&update_attributes, values, NULL);
	}
}

static void
write_close(const ExecutionState *state)
{
	static const int columns[] = {
		EXECUTION_STATUS, EXECUTION_CLOSE_TIME, EXECUTION_HISTORY_SIZE, EXECUTION_HISTORY_LENGTH,
		EXECUTION_TRANSITION_COUNT
	};
	const Pbi__RunState *run = state->run;
	Datum		values[] = {
		Int16GetDatum(run->status), TimestampTzGetDatum(run->close_time),
		Int64GetDatum(run->history_size), Int32GetDatum((int32) (run->next_event_id - 1)),
		Int32GetDatum((int32) run->transition_count)
	};
	ScanKeyData keys[3];
	RowScan		scan;

	store_key_equal(&keys[0], 1, F_TEXTEQ, text_datum(state->workflow_id));
	store_key_equal(&keys[1], 2, F_UUID_EQ, uuid_datum(&state->key.run_id));
	store_key_equal(&keys[2], 3, F_INT2EQ, Int16GetDatum(state->key.shard));
	store_scan_begin(&scan, "execution", RowExclusiveLock, keys, lengthof(keys));
	if (store_scan_next_any(&scan))
		store_scan_update(&scan, lengthof(columns), columns, values);
	store_scan_end(&scan);
}

static void
write_visibility(const Transition *transition)
{
	if (transition->state->is_new)
		insert_visibility(transition);
	else if (transition->memo != NIL || transition->search_attributes != NIL)
		update_attributes(transition);
	if (transition->closed)
		write_close(transition->state);
}

/* ---- offers, deadlines, effects ---- */

static void
write_tasks(const Transition *transition)
{
	const ExecutionState *state = transition->state;
	const RunKey *key = &state->key;
	ListCell   *cell;

	foreach(cell, transition->tasks)
	{
		TaskOp	   *task = lfirst(cell);
		uint64		queue_id = ident_queue(&key->namespace_id, task->kind, task->queue);
		bool		is_own = strcmp(task->queue, state->info->task_queue) == 0 ||
			(task->kind == QUEUE_TYPE(WORKFLOW) &&
			 strcmp(task->queue, state->run->sticky_queue) == 0);
		TaskRow		row = {*key, task->event_id, task->stamp, task->priority, task->created_at,
		queue_id};

		if (task->op == OP_ADD)
			store_insert_task(&row, task->kind, is_own ? NULL : task->queue);
		else
			store_drop_task(&row);
	}
}

static void
write_timers(const Transition *transition)
{
	const RunKey *key = &transition->state->key;
	ListCell   *cell;

	foreach(cell, transition->timers)
	{
		TimerOp    *timer = lfirst(cell);
		TimerRow	row = {*key, timer->kind, timer->fire_at, timer->event_id, 0};

		if (timer->op == OP_ADD)
			store_insert_timer(&row);
		else
			store_withdraw_timer(&row);
	}
}

static void
write_outbox(const Transition *transition)
{
	static Statement insert = {
		"INSERT INTO temporal.outbox (shard, due_at, run_id, event_id, namespace_id, kind, effect)"
		" VALUES ($1, $4, $3, $5, $2, $6, $7)",
		7, {KEY_TYPES, TIMESTAMPTZOID, INT8OID, INT2OID, BYTEAOID}
	};
	ListCell   *cell;

	foreach(cell, transition->outbox)
	{
		Pb__HistoryEvent *event = lfirst(cell);
		bool		signal = event->event_type ==
			EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
		Datum		values[] = {
			key_datums(&transition->state->key), TimestampTzGetDatum(transition->now),
			Int64GetDatum(event->event_id),
			Int16GetDatum(signal ? EXTERNAL_SIGNAL : EXTERNAL_CANCEL), message_datum(event)
		};

		store_run(&insert, values, NULL);
		wake_mark_due(transition->now);
	}
}

/*
 * What is left of a closed run: its pending rows, except activities that a
 * worker holds locked (those go when somebody next looks at them).
 */
static void
clear_pending(Transition *transition)
{
	static Statement activities = {
		"DELETE FROM temporal.pending_activity" KEY_SQL " AND scheduled_event_id"
		" OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT a.scheduled_event_id FROM temporal.pending_activity a"
		" WHERE a.shard OPERATOR(pg_catalog.=) $1 AND a.namespace_id OPERATOR(pg_catalog.=) $2"
		" AND a.run_id OPERATOR(pg_catalog.=) $3 FOR UPDATE SKIP LOCKED))"
		" RETURNING scheduled_event_id, state, scheduled",
		3, {KEY_TYPES}
	};
	static Statement others[] = {
		{"DELETE FROM temporal.pending_timer" KEY_SQL, 3, {KEY_TYPES}},
		{"DELETE FROM temporal.pending_external" KEY_SQL, 3, {KEY_TYPES}},
	};
	const ExecutionState *state = transition->state;
	Datum		values[] = {key_datums(&state->key)};

	if (state->run->activity_count > 0)
	{
		uint64		n = store_run(&activities, values, NULL);

		for (uint64 i = 0; i < n; i++)
		{
			PendingActivity activity = {.scheduled_event_id = store_int32(i, 1)};

			activity.state = store_message(i, 2, &pbi__activity_state__descriptor);
			core_expand_activity(store_scheduled_event(&state->key, activity.scheduled_event_id,
													   store_bytea(i, 3)),
								 activity.state);
			activity_withdraw(transition, &activity);
			if (activity.state->timer_armed != 0)
				transition_remove_timer(transition, TIMER_ACTIVITY, activity.state->timer_armed,
										activity.scheduled_event_id);
		}
	}
	if (state->run->timer_count > 0)
		store_run(&others[0], values, NULL);
	if (state->run->external_signal_count + state->run->external_cancel_count > 0)
		store_run(&others[1], values, NULL);
}

/* Who waits for the end of the run is told of it, so that it need not look. */
static void
mark_closed(const Transition *transition)
{
	const RunKey *key = &transition->state->key;
	uint64		hash = ident_run_hash(&key->run_id);
	Pb__HistoryEvent event;
	WakeNote	note = {.run_id = key->run_id};

	event_narrow(&event, llast(transition->events));
	if (wake_is_awaited(hash) && protobuf_c_message_get_packed_size(&event.base) <= WAKE_NOTE_SIZE)
		note.size = (int) protobuf_c_message_pack(&event.base, note.event);
	wake_mark_closed(hash, note.size > 0 ? &note : NULL);
}

void
store_commit(Transition *transition)
{
	ExecutionState *state = transition->state;
	int64		stored = write_history(transition);

	write_buffer(state);
	write_state(state);
	write_pending(transition, stored);
	/* Nobody waits for what nobody has seen. */
	if (transition->events != NIL && !state->is_new)
		wake_mark_events(ident_run_hash(&state->key.run_id));
	if (transition->closed)
	{
		clear_pending(transition);
		beat_mark_stop(&state->key.run_id, 0, DT_NOEND, BEAT_GONE);
		mark_closed(transition);
	}
	write_visibility(transition);
	write_tasks(transition);
	write_timers(transition);
	write_outbox(transition);
	state->is_new = false;
	if (guc_check_state)
		store_check_run(&state->key);
}

/* store_commit_activity -- a change of one activity that leaves no event. */
void
store_commit_activity(Transition *transition, PendingActivity *activity)
{
	write_activity(transition, activity, PG_INT64_MAX);
	if (transition->search_attributes != NIL)
		update_attributes(transition);
	write_tasks(transition);
	write_timers(transition);
}
