/*
 * heartbeat.c
 *	  What an activity function says while it runs, and what it hears.
 *
 * Its transaction is open, so heartbeats go to shared memory (wake/beat.h): the
 * keeper hears them, and so do those who ask.  They are kept here as well, for
 * the failure that the attempt may end with.
 *
 * Only an attempt whose taking is committed can be told to end: others do not
 * know of any other.  Without shared memory it watches its own heartbeat
 * timeout, and hears nothing.
 */
#include "postgres.h"

#include "base/clock.h"
#include "exec/function.h"
#include "exec/heartbeat.h"
#include "proto/wire.h"
#include "service/service.h"
#include "utils/timestamp.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_heartbeat);

/* The attempt that runs in this process, or did last. */
typedef struct OwnAttempt
{
	uint64		token;			/* hash of it */
	bool		listens;
	bool		has_slot;
	volatile BeatStop stop;		/* what it has heard */
	volatile bool silent;		/* has not beaten for too long */
	int64		timeout;		/* of heartbeats, to be watched here; 0: not */
	volatile TimestampTz alive; /* a time of day */
	bool		beaten;
	int			size;
	char		details[BEAT_DETAILS_SIZE];
} OwnAttempt;

static OwnAttempt own;

static uint64
token_hash(const ProtobufCBinaryData *token)
{
	return ident_hash(1, token->data, token->len);
}

/*
 * From here on others find it.  Without a slot it would be timed out for its
 * silence, if there is a timeout, and else runs unheard.
 */
static BeatAttempt
take_slot(const Pb__PollActivityTaskQueueResponse *activity)
{
	BeatAttempt attempt = service_attempt(&activity->task_token);

	own.has_slot = beat_begin(&attempt);
	if (!own.has_slot && proto_duration_us(activity->heartbeat_timeout) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many activities run in this server")));
	return attempt;
}

void
heartbeat_close(void)
{
	if (own.has_slot)
		beat_end();
	own.has_slot = own.listens = false;
}

void
heartbeat_open(const Pb__PollActivityTaskQueueResponse *activity, bool apart)
{
	/* An error may have ended the last one. */
	heartbeat_close();
	memset(&own, 0, offsetof(OwnAttempt, details));
	own.token = token_hash(&activity->task_token);
	own.alive = GetCurrentTimestamp();
	own.listens = apart;
	if (!apart)
		return;
	if (wake_available())
	{
		BeatAttempt attempt = take_slot(activity);

		own.listens = own.has_slot;
		own.stop = service_attempt_stop(&attempt);
	}
	else
		own.timeout = proto_duration_us(activity->heartbeat_timeout);
}

bool
heartbeat_listens(void)
{
	return own.listens;
}

bool
heartbeat_hear(void)
{
	if (own.stop != BEAT_GOES_ON || own.silent)
		return false;
	if (own.has_slot)
		own.stop = beat_stop();
	else
		own.silent = own.timeout > 0 && GetCurrentTimestamp() - own.alive >= own.timeout;
	return own.stop != BEAT_GOES_ON || own.silent;
}

BeatStop
heartbeat_stop(void)
{
	return own.stop;
}

bool
heartbeat_is_silent(void)
{
	return own.silent;
}

Pb__Payloads *
heartbeat_details(const ProtobufCBinaryData *token)
{
	if (!own.beaten || own.token != token_hash(token))
		return NULL;
	if (own.size == 0)
		return proto_new(&pb__payloads__descriptor);
	return proto_unpack(&pb__payloads__descriptor, (const uint8 *) own.details, own.size);
}

/* ---- SQL ---- */

static const char *
stop_reason(BeatStop stop)
{
	switch (stop)
	{
		case BEAT_CANCELLED:
			return "its cancellation was requested";
		case BEAT_RESET:
			return "it was reset";
		case BEAT_PAUSED:
			return "it was paused";
		default:
			return "nobody waits for it any more";
	}
}

static void
keep(const Pb__Payloads *details)
{
	size_t		size = details != NULL ? protobuf_c_message_get_packed_size(&details->base) : 0;

	if (size > BEAT_DETAILS_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("heartbeat details have %zu bytes, more than %d", size, BEAT_DETAILS_SIZE),
				 errhint("Keep the rest in a table.")));
	own.size = (int) size;
	if (size > 0)
		protobuf_c_message_pack(&details->base, (uint8_t *) own.details);
	own.beaten = true;
	own.alive = GetCurrentTimestamp();
}

/* temporal.heartbeat(details "any") */
Datum
temporal_heartbeat(PG_FUNCTION_ARGS)
{
	const Pb__PollActivityTaskQueueResponse *activity = call_require_activity("heartbeat");

	if (own.token != token_hash(&activity->task_token))
		heartbeat_open(activity, false);
	keep(value_argument(fcinfo, 0));
	if (!own.has_slot && wake_available() && activity->task_token.len > 0)
		take_slot(activity);
	if (own.has_slot)
		beat_write(clock_now(), own.details, own.size);
	(void) heartbeat_hear();
	if (own.stop != BEAT_GOES_ON)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("activity is to end: %s", stop_reason(own.stop))));
	PG_RETURN_VOID();
}
