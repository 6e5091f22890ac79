/*
 * answer.c
 *	  What workers get: tasks and pages of history.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "proto/wire.h"
#include "service/service.h"

#define HISTORY_PAGE 256

Pb__WorkflowExecution *
answer_execution(const ExecutionState *state)
{
	Pb__WorkflowExecution *execution = proto_new(&pb__workflow_execution__descriptor);

	execution->workflow_id = state->workflow_id;
	execution->run_id = ident_uuid_text(&state->key.run_id);
	return execution;
}

static Pb__TaskQueue *
normal_queue(const char *name)
{
	Pb__TaskQueue *queue = proto_new(&pb__task_queue__descriptor);

	queue->name = name;
	queue->kind = QUEUE_KIND(NORMAL);
	return queue;
}

/* There is room up to the next power of two. */
static void
append_events(Pb__History *history, Pb__HistoryEvent **events, size_t n)
{
	size_t		total = history->n_events + n;

	if (n == 0)
		return;
	if (history->n_events == 0)
		history->events = palloc(pg_nextpower2_64(total) * sizeof(Pb__HistoryEvent *));
	else if (total > pg_nextpower2_64(history->n_events))
		history->events = repalloc(history->events,
								   pg_nextpower2_64(total) * sizeof(Pb__HistoryEvent *));
	memcpy(history->events + history->n_events, events, n * sizeof(Pb__HistoryEvent *));
	history->n_events = total;
}

/* The events of a batch that lie in the wanted range, in the wanted order. */
static void
append_batch(Pb__History *history, const ExecutionState *state, const HistoryBatch *batch,
			 int64 from, int64 before, bool reverse)
{
	Pb__History *stored = store_unpack_batch(state, batch);
	Pb__HistoryEvent **wanted;
	size_t		n = 0;

	wanted = palloc((stored->n_events + 1) * sizeof(Pb__HistoryEvent *));
	for (size_t i = 0; i < stored->n_events; i++)
	{
		Pb__HistoryEvent *event = stored->events[reverse ? stored->n_events - 1 - i : i];

		if (event->event_id >= from && event->event_id < before)
			wanted[n++] = event;
	}
	append_events(history, wanted, n);
}

/* The events that are not stored yet and lie in the wanted range. */
static void
append_kept(Pb__History *history, const ExecutionState *state, int64 from, int64 before,
			bool reverse)
{
	List	   *kept = core_kept_events(state);
	int			n = list_length(kept);

	for (int i = 0; i < n; i++)
	{
		Pb__HistoryEvent *event = list_nth(kept, reverse ? n - 1 - i : i);

		if (event->event_id >= from && event->event_id < before)
			append_events(history, &event, 1);
	}
}

static Pb__History *
history_backward(const ExecutionState *state, int64 from, int64 before, int max_events,
				 int64 *next)
{
	Pb__History *history = proto_new(&pb__history__descriptor);
	int64		kept = core_kept_event_id(state);
	ListCell   *cell;

	*next = Min(before, kept);
	append_kept(history, state, from, before, true);
	if (history->n_events < max_events && *next > from)
	{
		int64		end = *next;

		foreach(cell, store_read_history(&state->key, from, end,
										 max_events - (int) history->n_events, true))
		{
			HistoryBatch *batch = lfirst(cell);

			append_batch(history, state, batch, from, end, true);
			*next = batch->first_event_id;
		}
	}
	if (*next <= from)
		*next = 0;
	return history;
}

static Pb__History *
history_forward(const ExecutionState *state, int64 from, int64 before, int max_events,
				int64 *next)
{
	Pb__History *history = proto_new(&pb__history__descriptor);
	int64		kept = core_kept_event_id(state);
	ListCell   *cell;

	*next = from;
	if (from < kept)
		foreach(cell, store_read_history(&state->key, from, before, max_events, false))
		{
			HistoryBatch *batch = lfirst(cell);

			append_batch(history, state, batch, from, before, false);
			*next = batch->first_event_id + batch->event_count;
		}
	/* What was kept back when the state was read may have been stored since. */
	if (*next >= kept && *next < before &&
		(history->n_events == 0 || history->n_events + before - *next <= max_events))
	{
		append_kept(history, state, *next, before, false);
		*next = before;
	}
	if (*next >= before)
		*next = 0;
	return history;
}

/*
 * answer_history -- a page of events from "from" on and before "before".
 *
 * *next is where the next page begins (reverse: ends), 0 after the last one.
 * Pages never split a stored batch.
 */
Pb__History *
answer_history(const ExecutionState *state, int64 from, int64 before, int max_events,
			   bool reverse, int64 *next)
{
	*next = 0;
	if (from >= before)
		return proto_new(&pb__history__descriptor);
	return (reverse ? history_backward : history_forward) (state, from, before, max_events, next);
}

/* Where the worker goes on reading: up to the task it was handed, no further. */
static ProtobufCBinaryData
page_token(const ExecutionState *state, int64 next)
{
	Pbi__HistoryToken token = PBI__HISTORY_TOKEN__INIT;

	token.run_id.data = (uint8_t *) state->key.run_id.data;
	token.run_id.len = UUID_LEN;
	token.next_event_id = next;
	token.end_event_id = state->run->next_event_id;
	token.transient = true;
	return proto_pack(&token.base);
}

/*
 * answer_workflow_task -- the started workflow task of "state".
 *
 * The events must be written already, except those of the pending task itself;
 * with HISTORY_PAGES those too, since other calls read them.
 */
Pb__PollWorkflowTaskQueueResponse *
answer_workflow_task(const ExecutionState *state, HistoryExtent extent)
{
	Pb__PollWorkflowTaskQueueResponse *answer =
		proto_new(&pb__poll_workflow_task_queue_response__descriptor);
	const Pbi__WorkflowTask *task = state->run->workflow_task;
	int64		last_seen = state->run->last_completed_started_event_id;
	int64		next;
	ListCell   *cell;

	answer->task_token = token_pack(state, NULL);
	answer->workflow_execution = answer_execution(state);
	answer->workflow_type = proto_new(&pb__workflow_type__descriptor);
	answer->workflow_type->name = state->info->workflow_type;
	answer->previous_started_event_id = last_seen;
	answer->started_event_id = task->started_event_id;
	answer->attempt = task->attempt;
	answer->workflow_execution_task_queue = normal_queue(state->info->task_queue);
	answer->scheduled_time = proto_timestamp(task->scheduled_time);
	answer->started_time = proto_timestamp(task->started_time);
	answer->history = answer_history(state, extent == HISTORY_NEW ? last_seen + 1 : 1,
									 state->run->next_event_id,
									 extent == HISTORY_WHOLE ? INT_MAX : HISTORY_PAGE, false, &next);
	if (next != 0)
		answer->next_page_token = page_token(state, next);
	else
	{
		foreach(cell, core_virtual_events(state))
		{
			Pb__HistoryEvent *event = lfirst(cell);

			append_events(answer->history, &event, 1);
		}
	}
	return answer;
}

/* answer_activity_task -- the attempt of "activity" that was just started. */
Pb__PollActivityTaskQueueResponse *
answer_activity_task(const ServiceCall *call, const ExecutionState *state,
					 const PendingActivity *activity)
{
	Pb__PollActivityTaskQueueResponse *answer =
		proto_new(&pb__poll_activity_task_queue_response__descriptor);
	const Pb__ActivityTaskScheduledEventAttributes *scheduled =
		activity->scheduled->activity_task_scheduled_event_attributes;
	const Pbi__ActivityState *detail = activity->state;

	answer->task_token = token_pack(state, activity);
	answer->workflow_namespace = call->namespace->name;
	answer->workflow_type = proto_new(&pb__workflow_type__descriptor);
	answer->workflow_type->name = state->info->workflow_type;
	answer->workflow_execution = answer_execution(state);
	answer->activity_type = scheduled->activity_type;
	answer->activity_id = activity->activity_id;
	answer->header = scheduled->header;
	answer->input = scheduled->input;
	answer->heartbeat_details = detail->heartbeat_details;
	answer->scheduled_time = activity->scheduled->event_time;
	answer->current_attempt_scheduled_time = proto_timestamp(detail->scheduled_time);
	answer->started_time = proto_timestamp(detail->started_time);
	answer->attempt = detail->attempt;
	answer->schedule_to_close_timeout = scheduled->schedule_to_close_timeout;
	answer->start_to_close_timeout = scheduled->start_to_close_timeout;
	answer->heartbeat_timeout = scheduled->heartbeat_timeout;
	answer->retry_policy = detail->retry_policy;
	answer->priority = detail->priority;
	return answer;
}
