/*
 * handed.c
 *	  Parked polls that were handed a task by the call that made it.
 *
 * Such a poll is not executed again.  It waits in one of two lists: of the call
 * that is being executed, whose subtransaction may be rolled back, and of the
 * batch, whose transaction may.  Rolled back, it is parked as before.
 */
#include "postgres.h"

#include "frontend/frontend.h"

static dlist_head by_call = DLIST_STATIC_INIT(by_call);
static dlist_head by_batch = DLIST_STATIC_INIT(by_batch);

static Call *
call_of(ServiceCall *service)
{
	return (Call *) ((char *) service - offsetof(Call, service));
}

/*
 * One that was set back for a later attempt has forgotten its request.  One whose
 * key is gone is told so when it looks for the task that is offered instead.
 */
static ServiceCall *
first(uint64 queue_id)
{
	Call *call = longpoll_first(WAKE_QUEUE, queue_id);

	if (call == NULL || call->service.request == NULL || !caller_is_known(call))
		return NULL;
	return &call->service;
}

static void
take(ServiceCall *poll)
{
	Call *call = call_of(poll);

	longpoll_unpark(call);
	dlist_push_tail(&by_call, &call->of_phase);
}

static void
answer(ServiceCall *poll, const ProtobufCMessage *message)
{
	grpc_frame_answer(call_of(poll), message);
}

const ServiceWaiters handed_waiters = {first, take, answer};

/* handed_keep -- the call that made the tasks has succeeded. */
void
handed_keep(void)
{
	while (!dlist_is_empty(&by_call))
	{
		Call *call = dlist_container(Call, of_phase, dlist_pop_head_node(&by_call));

		call->outcome = OUTCOME_ANSWER;
		stat_call(call, 0);
		dlist_push_tail(&by_batch, &call->of_phase);
	}
}

/* handed_take_back -- it has failed: its tasks do not exist. */
void
handed_take_back(void)
{
	while (!dlist_is_empty(&by_call))
	{
		Call *call = dlist_container(Call, of_phase, dlist_pop_head_node(&by_call));

		call->answer = NULL;
		longpoll_park(call, call->wake_at);
	}
}

/* handed_next -- takes a poll that the batch has answered off its list, or NULL. */
Call *
handed_next(void)
{
	return dlist_is_empty(&by_batch) ? NULL :
		dlist_container(Call, of_phase, dlist_pop_head_node(&by_batch));
}
