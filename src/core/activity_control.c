/*
 * activity_control.c
 *	  Offering an activity, its deadline row, and what operators do to it:
 *	  pause, unpause, reset.  None of this leaves an event.
 */
#include "postgres.h"

#include "core/decide.h"
#include "lib/stringinfo.h"
#include "proto/time.h"
#include "utils/json.h"

#define PAUSE_ATTRIBUTE "TemporalPauseInfo"

/* activity_withdraw -- takes back the row that offers it, if there is one. */
void
activity_withdraw(Transition *transition, PendingActivity *activity)
{
	Pbi__ActivityState *detail = activity->state;

	if (detail->offered_at == 0)
		return;
	transition_remove_task(transition, QUEUE_TYPE(ACTIVITY), detail->task_queue,
						   core_priority_key(detail->priority), detail->offered_at,
						   activity->scheduled_event_id);
	detail->offered_at = 0;
	row_touch(&activity->change);
}

/* activity_offer_taken -- whoever starts the activity drops this offer itself. */
void
activity_offer_taken(PendingActivity *activity, TimestampTz created_at)
{
	if (activity->state->offered_at == created_at)
		activity->state->offered_at = 0;
}

/*
 * activity_redispatch -- the attempt is due at "dispatch_at".
 *
 * Due now: offered at once.  Later: the activity's timer row offers it.
 */
void
activity_redispatch(Transition *transition, PendingActivity *activity, TimestampTz dispatch_at)
{
	Pbi__ActivityState *detail = activity->state;

	activity_withdraw(transition, activity);
	detail->scheduled_time = dispatch_at;
	row_touch(&activity->change);
	if (dispatch_at <= transition->now && detail->pause == NULL)
	{
		detail->offered_at = transition->now;
		transition_add_task(transition, QUEUE_TYPE(ACTIVITY), detail->task_queue,
							core_priority_key(detail->priority), detail->offered_at,
							activity->scheduled_event_id, detail->stamp);
	}
	activity_arm(transition, activity);
}

/*
 * Most activities are over before the run's row fires, that of the timeout of a
 * workflow task: what is due later needs no row of its own until then.
 */
static bool
is_left_to_run(const Transition *transition, const PendingActivity *activity, TimestampTz due)
{
	Pbi__RunState *run = transition->state->run;

	if (!transition->starts_within || activity->state->timer_armed != 0 ||
		run->timer_armed == 0 || run->timer_armed > due)
		return false;
	run->unarmed_activities = true;
	return true;
}

/* activity_arm -- lowers the activity's timer row to its next due time. */
void
activity_arm(Transition *transition, PendingActivity *activity)
{
	Pbi__ActivityState *detail = activity->state;
	TimestampTz due;
	Pb__TimeoutType type;

	if (!core_activity_deadline(activity, &due, &type))
		due = 0;
	if (!detail->started && detail->pause == NULL && detail->offered_at == 0 &&
		(due == 0 || detail->scheduled_time < due))
		due = detail->scheduled_time;
	if (detail->started && detail->session != NULL &&
		(due == 0 || core_session_due(detail->session) < due))
		due = core_session_due(detail->session);
	if (due == 0 || (detail->timer_armed != 0 && detail->timer_armed <= due) ||
		is_left_to_run(transition, activity, due))
		return;
	if (detail->timer_armed != 0)
		transition_remove_timer(transition, TIMER_ACTIVITY, detail->timer_armed,
								activity->scheduled_event_id);
	transition_add_timer(transition, TIMER_ACTIVITY, due, activity->scheduled_event_id);
	detail->timer_armed = due;
	row_touch(&activity->change);
}

/* Lists show which types of activities are paused. */
static void
show_paused_types(Transition *transition)
{
	const Pbi__RunState *run = transition->state->run;
	StringInfoData json;

	initStringInfo(&json);
	for (size_t i = 0; i < run->n_paused_types; i++)
	{
		appendStringInfoChar(&json, i == 0 ? '[' : ',');
		escape_json(&json, psprintf("property:activityType=%s",
									run->paused_types[i]->activity_type));
	}
	appendStringInfoChar(&json, ']');
	transition_set_search_attribute(transition, PAUSE_ATTRIBUTE,
									run->n_paused_types == 0 ? NULL : core_keyword_list(json.data));
}

/* One activity more (1) or less (-1) of its type is paused. */
static void
count_paused(Transition *transition, const PendingActivity *activity, int change)
{
	const char *type =
		activity->scheduled->activity_task_scheduled_event_attributes->activity_type->name;
	Pbi__RunState *run = transition->state->run;
	Pbi__PausedType **kept = palloc((run->n_paused_types + 1) * sizeof(Pbi__PausedType *));
	size_t		n_kept = 0;
	bool		found = false;

	for (size_t i = 0; i < run->n_paused_types; i++)
	{
		if (strcmp(run->paused_types[i]->activity_type, type) == 0)
		{
			found = true;
			run->paused_types[i]->count += change;
		}
		if (run->paused_types[i]->count > 0)
			kept[n_kept++] = run->paused_types[i];
	}
	if (!found && change > 0)
	{
		kept[n_kept] = proto_new(&pbi__paused_type__descriptor);
		kept[n_kept]->activity_type = type;
		kept[n_kept++]->count = change;
	}
	run->paused_types = kept;
	run->n_paused_types = n_kept;
	show_paused_types(transition);
}

/* activity_clear_pause -- it is no longer paused, whatever follows. */
void
activity_clear_pause(Transition *transition, PendingActivity *activity)
{
	if (activity->state->pause == NULL)
		return;
	activity->state->pause = NULL;
	row_touch(&activity->change);
	count_paused(transition, activity, -1);
}

void
activity_forget_heartbeat(PendingActivity *activity)
{
	activity->state->heartbeat_details = NULL;
	activity->state->heartbeat_time = 0;
	activity->state->reset_heartbeats = false;
	row_touch(&activity->change);
}

/* core_pause_activity -- an attempt that runs goes on, but gets no successor. */
void
core_pause_activity(Transition *transition, PendingActivity *activity, const char *identity,
					const char *reason, const char *request_id)
{
	Pbi__Pause *pause = proto_new(&pbi__pause__descriptor);

	pause->time = transition->now;
	pause->identity = identity;
	pause->reason = reason;
	pause->request_id = request_id;
	activity->state->pause = pause;
	row_touch(&activity->change);
	count_paused(transition, activity, 1);
	if (activity->state->started)
		return;
	activity_withdraw(transition, activity);
	activity->state->stamp++;
}

/* The attempt that waits is due "jitter" from now, whatever it waited for. */
static void
dispatch_soon(Transition *transition, PendingActivity *activity, int64 jitter)
{
	activity->state->stamp++;
	activity->state->retry_interval = 0;
	activity_redispatch(transition, activity, transition->now + jitter);
}

/* core_unpause_activity -- its deadlines are in force again. */
void
core_unpause_activity(Transition *transition, PendingActivity *activity, bool reset_attempts,
					  bool reset_heartbeat, int64 jitter)
{
	activity_clear_pause(transition, activity);
	if (reset_attempts)
		activity->state->attempt = 1;
	if (reset_heartbeat)
		activity_forget_heartbeat(activity);
	if (activity->state->started)
		activity_arm(transition, activity);
	else
		dispatch_soon(transition, activity, jitter);
}

/*
 * core_reset_activity -- begins again with the first attempt.
 *
 * An attempt that runs goes on; its worker learns of the reset, and heartbeats
 * are forgotten only when it has ended.
 */
void
core_reset_activity(Transition *transition, PendingActivity *activity, bool reset_heartbeat,
					bool keep_paused, bool restore_options, int64 jitter)
{
	Pbi__ActivityState *detail = activity->state;

	activity_withdraw(transition, activity);
	detail->attempt = 1;
	row_touch(&activity->change);
	if (restore_options)
		activity_restore_options(activity);
	if (!keep_paused)
		activity_clear_pause(transition, activity);
	if (detail->started)
	{
		detail->reset_requested = true;
		detail->reset_heartbeats = reset_heartbeat;
		activity_arm(transition, activity);
		return;
	}
	if (reset_heartbeat)
		activity_forget_heartbeat(activity);
	dispatch_soon(transition, activity, jitter);
}
