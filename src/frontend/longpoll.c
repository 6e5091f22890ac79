/*
 * longpoll.c
 *	  Calls that wait.
 *
 * A parked call holds no transaction and no snapshot, only its request.  Calls
 * that look at the same thing share a channel, which is one subscription in
 * shared memory: it is made before they look, so that nothing is missed, and
 * given up with the last of them.  A heap has the times at which parked calls
 * look again on their own or give up; another one the times at which the limits
 * of queues let somebody go on.
 *
 * A call is in the list of its channel while it is parked, and among the users
 * of it until it is answered.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "frontend/frontend.h"

typedef struct ChannelKey
{
	uint64 channel;
	uint64 kind; /* a WakeKind; as wide as the other lest there be padding */
} ChannelKey;

struct Channel
{
	ChannelKey key; /* hash key, so it comes first */
	int subscription;
	int users;
	dlist_head parked; /* the oldest first */
	pairingheap_node of_time;
	TimestampTz resume_at; /* 0: nothing holds its calls back */
};

static int compare_times(const pairingheap_node *a, const pairingheap_node *b, void *arg);
static int compare_resumes(const pairingheap_node *a, const pairingheap_node *b, void *arg);

static HTAB *channels;
static int parked = 0;
static pairingheap times = {.ph_compare = compare_times};
static pairingheap resumes = {.ph_compare = compare_resumes};

static int
compare_times(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	TimestampTz time_a = pairingheap_const_container(Call, of_time, a)->wake_at;
	TimestampTz time_b = pairingheap_const_container(Call, of_time, b)->wake_at;

	return time_a < time_b ? 1 : time_a > time_b ? -1 : 0;
}

static int
compare_resumes(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	TimestampTz time_a = pairingheap_const_container(Channel, of_time, a)->resume_at;
	TimestampTz time_b = pairingheap_const_container(Channel, of_time, b)->resume_at;

	return time_a < time_b ? 1 : time_a > time_b ? -1 : 0;
}

static Channel *
find_channel(WakeKind kind, uint64 channel, HASHACTION action)
{
	ChannelKey key = {channel, kind};
	bool found;
	Channel *entry;

	if (channels == NULL)
	{
		HASHCTL control = {
			.keysize = sizeof(ChannelKey), .entrysize = sizeof(Channel), .hcxt = frontend_memory};

		channels =
			hash_create("temporal channels", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(channels, &key, action, &found);
	if (action == HASH_ENTER && !found)
	{
		entry->users = 0;
		entry->resume_at = 0;
		entry->subscription = wake_subscribe(kind, channel);
		dlist_init(&entry->parked);
	}
	return entry;
}

static void
set_resume(Channel *channel, TimestampTz time)
{
	if (channel->resume_at != 0)
		pairingheap_remove(&resumes, &channel->of_time);
	channel->resume_at = time;
	if (time != 0)
		pairingheap_add(&resumes, &channel->of_time);
}

/* longpoll_leave -- the call does not look at anything any more. */
void
longpoll_leave(Call *call)
{
	Channel *channel = call->channel;

	call->channel = NULL;
	if (channel == NULL || --channel->users > 0)
		return;
	set_resume(channel, 0);
	wake_unsubscribe(channel->subscription);
	hash_search(channels, &channel->key, HASH_REMOVE, NULL);
}

/* longpoll_watch -- a handler is about to look; from now on we are told. */
void
longpoll_watch(ServiceCall *service)
{
	Call *call = (Call *) ((char *) service - offsetof(Call, service));
	Channel *channel = find_channel(service->wait.kind, service->wait.channel, HASH_ENTER);

	channel->users++;
	longpoll_leave(call);
	call->channel = channel;
}

/* longpoll_is_deaf -- nobody will tell us: there was no room to subscribe. */
bool
longpoll_is_deaf(const Call *call)
{
	return call->channel != NULL && call->channel->subscription < 0;
}

/* longpoll_park -- sets a call aside until then, or until its channel calls. */
void
longpoll_park(Call *call, TimestampTz wake_at)
{
	call->phase = CALL_PARKED;
	parked++;
	call->wake_at = wake_at;
	call->timed = wake_at != DT_NOEND;
	if (call->timed)
		pairingheap_add(&times, &call->of_time);
	if (call->channel)
		dlist_push_tail(&call->channel->parked, &call->of_phase);
}

/*
 * longpoll_hold_back -- of all that wait for the call's queue one looks when the
 * limit of the queue lets it, and more if it gets a task.
 */
void
longpoll_hold_back(const Call *call, TimestampTz resume_at)
{
	Channel *channel = call->channel;

	if (channel->resume_at == 0 || resume_at < channel->resume_at)
		set_resume(channel, resume_at);
}

/* longpoll_unpark -- the opposite; the caller decides what becomes of it. */
void
longpoll_unpark(Call *call)
{
	if (call->timed)
		pairingheap_remove(&times, &call->of_time);
	call->timed = false;
	if (call->channel)
		dlist_delete(&call->of_phase);
	call->phase = CALL_RUNNING;
	parked--;
}

int
longpoll_count(void)
{
	return parked;
}

/* longpoll_first -- the call that has been parked longest for this, or NULL. */
Call *
longpoll_first(WakeKind kind, uint64 channel)
{
	Channel *entry = find_channel(kind, channel, HASH_FIND);

	if (entry == NULL || dlist_is_empty(&entry->parked))
		return NULL;
	return dlist_head_element(Call, of_phase, &entry->parked);
}

/* longpoll_next -- the parked call to look after this one, or NULL. */
Call *
longpoll_next(const Call *call)
{
	return longpoll_first(call->service.wait.kind, call->service.wait.channel);
}

static void
wake(Call *call)
{
	longpoll_unpark(call);
	call_ready(call);
}

/* longpoll_pass_on -- a call that was woken goes: the next one looks instead. */
void
longpoll_pass_on(const Call *call)
{
	Call *next = call->chained && call->channel ? longpoll_next(call) : NULL;

	if (next == NULL)
		return;
	next->chained = true;
	wake(next);
}

/*
 * A queue's task is for one poll, the oldest; as there may be more tasks, the
 * next poll looks when that one has found something.
 */
static void
wake_channel(WakeKind kind, uint64 channel)
{
	Call *call;

	while ((call = longpoll_first(kind, channel)) != NULL)
	{
		call->chained = kind == WAKE_QUEUE;
		wake(call);
		if (kind == WAKE_QUEUE)
			break;
	}
}

static TimestampTz
next_time(void)
{
	if (pairingheap_is_empty(&times))
		return DT_NOEND;
	return pairingheap_container(Call, of_time, pairingheap_first(&times))->wake_at;
}

static TimestampTz
next_resume(void)
{
	if (pairingheap_is_empty(&resumes))
		return DT_NOEND;
	return pairingheap_container(Channel, of_time, pairingheap_first(&resumes))->resume_at;
}

/* longpoll_wake -- makes ready what was signalled and whose time has come. */
void
longpoll_wake(void)
{
	WakeKind kind;
	uint64 channel;
	TimestampTz now;

	while (wake_take_signal(&kind, &channel))
	{
		if (kind == WAKE_QUEUE && longpoll_first(kind, channel) == NULL)
			wake_pass_on(kind, channel);
		else
			wake_channel(kind, channel);
	}
	if (longpoll_next_time() == DT_NOEND)
		return;
	now = clock_wall_now();
	while (next_resume() <= now)
	{
		Channel *paused =
			pairingheap_container(Channel, of_time, pairingheap_first(&resumes));

		set_resume(paused, 0);
		wake_channel((WakeKind) paused->key.kind, paused->key.channel);
	}
	while (next_time() <= now)
		wake(pairingheap_container(Call, of_time, pairingheap_first(&times)));
}

/* longpoll_next_time -- when longpoll_wake() is to be called at the latest. */
TimestampTz
longpoll_next_time(void)
{
	return Min(next_time(), next_resume());
}

/* longpoll_end_all -- the server goes: all that wait get what there is. */
void
longpoll_end_all(void)
{
	while (!pairingheap_is_empty(&times))
	{
		Call *call = pairingheap_container(Call, of_time, pairingheap_first(&times));

		longpoll_unpark(call);
		if (call->answer == NULL)
		{
			call->status.code = GRPC_UNAVAILABLE;
			call->status.message = "the server is shutting down";
		}
		http2_answer(call);
	}
}
