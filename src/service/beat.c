/*
 * beat.c
 *	  Heartbeats of activities that run in this server.
 *
 * They are in shared memory while the activity's transaction is open; the row
 * of the activity is behind.  Whoever shows the activity, or looks whether it
 * beats, adds them to what the row says.
 */
#include "postgres.h"

#include "proto/wire.h"
#include "service/service.h"
#include "wake/beat.h"
#include "wake/wake.h"

static BeatAttempt
attempt_of(const RunKey *key, const PendingActivity *activity)
{
	const Pbi__ActivityState *detail = activity->state;
	BeatAttempt attempt = {
		*key, activity->scheduled_event_id, detail->attempt,
		detail->started ? detail->started_time : 0
	};

	return attempt;
}

/* service_add_beat -- to a copy of the row: nothing is written. */
void
service_add_beat(const RunKey *key, PendingActivity *activity)
{
	BeatAttempt attempt = attempt_of(key, activity);
	Beat	   *beat = beat_find(&attempt);
	Pb__Payloads *details = NULL;

	if (beat == NULL || beat->time <= activity->state->heartbeat_time)
		return;
	if (beat->size > 0)
		details = proto_unpack(&pb__payloads__descriptor, (const uint8 *) beat->details, beat->size);
	core_note_heartbeat(activity, details, beat->time);
}

/*
 * service_watch_beat -- what the row says of an attempt that runs, for whoever
 * fires its deadline.
 *
 * Without shared memory nobody hears it; the process that runs it sees to the
 * heartbeat timeout, and as long as that is there it counts as beating.
 */
void
service_watch_beat(const RunKey *key, PendingActivity *activity, TimestampTz now,
				   bool session_gone)
{
	Pbi__ActivityState *detail = activity->state;

	if (!detail->started)
		return;
	if (wake_available())
		service_add_beat(key, activity);
	else if (detail->session != NULL && !session_gone && detail->heartbeat_timeout > 0)
		core_note_heartbeat(activity, detail->heartbeat_details, now);
}

typedef struct Opening
{
	const ProtobufCBinaryData *token;
	BeatAttempt attempt;
} Opening;

static void
open_body(ServiceCall *call, void *arg)
{
	Opening    *opening = arg;
	RunKey		key;
	Pbi__TaskToken *token = token_unpack(call, opening->token, true, &key);

	opening->attempt.key = key;
	opening->attempt.event_id = token->scheduled_event_id;
	opening->attempt.attempt = token->attempt;
	opening->attempt.started = token->started_time;
}

/* service_attempt -- what its token says. */
BeatAttempt
service_attempt(const ProtobufCBinaryData *token)
{
	Opening		opening = {token};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, open_body, &opening);
	return opening.attempt;
}

typedef struct Look
{
	const BeatAttempt *attempt;
	BeatStop	stop;
} Look;

static void
look_body(ServiceCall *call, void *arg)
{
	Look	   *look = arg;
	ExecutionState *state = store_load_run(&look->attempt->key, LOCK_NONE);
	PendingActivity *activity = state == NULL || !state_is_open(state) ? NULL :
		store_load_activity(state, look->attempt->event_id, LOCK_NONE);

	if (activity == NULL || !activity->state->started ||
		activity->state->started_time != look->attempt->started)
		look->stop = BEAT_GONE;
	else
		look->stop = store_attempt_stop(activity);
}

/*
 * service_attempt_stop -- is it to end?
 *
 * For a process that has just begun to listen: what was said before that, it
 * has not heard.
 */
BeatStop
service_attempt_stop(const BeatAttempt *attempt)
{
	Look		look = {attempt, BEAT_GOES_ON};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, look_body, &look);
	return look.stop;
}
