/*
 * batch.c
 *	  Executes calls: many in one transaction, each in a subtransaction.
 *
 * Calls that are ready run first.  A task that one of them makes goes to a poll
 * that is parked, if there is one; what else they have made is there for polls
 * afterwards, in the same transaction.  One commit, and the answers leave.  A
 * call that fails is rolled back alone.  If the transaction as a whole fails,
 * nothing of it has happened: polls are parked again, and everybody else is
 * told.
 */
#include "postgres.h"

#include "access/xact.h"
#include "portability/instr_time.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "frontend/frontend.h"
#include "proto/wire.h"
#include "store/xact.h"
#include "wake/process.h"
#include "worker/worker.h"

/* Beyond 64 subtransactions that write everybody's snapshots cost more. */
#define BATCH_SIZE 48

#define LOCK_DELAY (10 * INT64CONST(1000))
#define LONGEST_LOCK_DELAY (200 * INT64CONST(1000))
#define LONGEST_LOCK_WAIT (10 * USECS_PER_SEC)
#define DEAF_DELAY (200 * INT64CONST(1000))
#define HELD_DELAY (100 * INT64CONST(1000))
#define FAILED_DELAY (100 * INT64CONST(1000))

/* Who answers a poll before its deadline is not taken for dead. */
#define DEADLINE_MARGIN (1 * USECS_PER_SEC)

typedef struct Batch
{
	Call *calls[BATCH_SIZE];
	int count;
	bool locked; /* the extension is: nothing was done */
} Batch;

/* ---- one call ---- */

/* Inside a subtransaction. */
static void
invoke(void *arg)
{
	Call *call = arg;
	const ServiceMethod *method = call->method.service;
	const uint8 *data;
	size_t len;
	ProtobufCMessage *response;
	Oid user;
	int context;

	GetUserIdAndSecContext(&user, &context);
	call->status.message = grpc_read_message(call, &data, &len, &call->status.code);
	if (call->status.message)
		return;
	call->status.code = GRPC_OK;
	call->request = proto_unpack(method->request, data, len);
	caller_become(call);
	response = service_call(&call->service, method, call->request);
	SetUserIdAndSecContext(user, context);
	if (call->service.refusal_sqlstate != 0)
		call->status = status_of_refusal(call);
	else
		grpc_frame_answer(call, response);
}

/* Prepares a call to be executed, maybe once more. */
static void
prepare(Call *call)
{
	ServiceWait wait = call->service.wait;

	if (call->memory == NULL)
		call->memory =
			AllocSetContextCreate(frontend_memory, "temporal call", ALLOCSET_START_SMALL_SIZES);
	MemoryContextReset(call->memory);
	MemoryContextSwitchTo(call->memory);
	MemSet(&call->status, 0, sizeof(call->status));
	call->answer = NULL;
	call->request = NULL;
	call->outcome = OUTCOME_ANSWER;
	service_begin(&call->service);
	call->service.wait = wait;
	call->service.wait.wanted = false;
	call->service.watch = longpoll_watch;
	call->service.waiters = &handed_waiters;
	call->service.sees_attempts = !call->is_display;
}

/* How long a call that found nothing may wait. */
static TimestampTz
time_to_give_up(const Call *call)
{
	TimestampTz latest = clock_wall_now() + call->service.wait.longest;

	return call->deadline == DT_NOEND ? latest : Min(latest, call->deadline - DEADLINE_MARGIN);
}

/* Waits for somebody's lock until the client does not wait any longer. */
static void
meet_lock(Call *call, const ErrorData *error)
{
	TimestampTz now = clock_wall_now();

	if (call->locked_since == 0)
		call->locked_since = now;
	if (now < Min(call->deadline, call->locked_since + LONGEST_LOCK_WAIT))
		call->outcome = OUTCOME_RETRY;
	else
		call->status = status_of_error(error, call);
}

/* A call that is worth a transaction: runs it in a subtransaction. */
static void
execute(Call *call)
{
	ErrorData *error;
	instr_time began;
	instr_time took;

	INSTR_TIME_SET_CURRENT(began);
	prepare(call);
	error = xact_guard(invoke, call);
	if (error)
		handed_take_back();
	else
		handed_keep();
	if (error && status_is_lock(error))
		meet_lock(call, error);
	else if (error)
	{
		call->status = status_of_error(error, call);
		if (call->status.code == GRPC_INTERNAL)
			ereport(
				LOG,
				(errcode(error->sqlerrcode),
				 errmsg("gRPC method %s failed: %s", call->method.service->name, error->message)));
	}
	else if (call->service.wait.wanted && call->status.code == GRPC_OK)
	{
		if (call->give_up == 0)
			call->give_up = time_to_give_up(call);
		if (clock_wall_now() < call->give_up)
			call->outcome = OUTCOME_WAIT;
	}
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	stat_call(call, INSTR_TIME_GET_MICROSEC(took));
}

/* May there be more for others?  A caller that may not have it leaves it to them. */
static bool
leaves_more(const Call *call)
{
	if (call->outcome != OUTCOME_ANSWER)
		return false;
	return call->status.code == GRPC_PERMISSION_DENIED ||
		(call->status.code == GRPC_OK && !call->service.wait.wanted);
}

/* ---- one transaction ---- */

/* Runs a parked call in this transaction too; true if the next one may find more. */
static bool
execute_parked(Batch *batch, Call *call)
{
	longpoll_unpark(call);
	batch->calls[batch->count++] = call;
	execute(call);
	return leaves_more(call);
}

/* The task of a poll that was woken may not be the only one. */
static void
execute_chain(Batch *batch, const Call *call)
{
	Call *next = longpoll_next(call);

	while (next && batch->count < BATCH_SIZE && execute_parked(batch, next))
		next = longpoll_next(call);
	if (next && batch->count == BATCH_SIZE && next->phase == CALL_PARKED)
	{
		longpoll_unpark(next);
		next->chained = true;
		call_ready(next);
	}
}

/* Gives parked calls what this transaction has made so far. */
static void
hand_off(Batch *batch)
{
	int cursor = 0;
	WakeKind kind;
	uint64 channel;

	while (wake_next_mark(&cursor, &kind, &channel))
	{
		Call *call;

		while (batch->count < BATCH_SIZE && (call = longpoll_first(kind, channel)) != NULL)
		{
			if (!execute_parked(batch, call))
				break;
			if (kind == WAKE_QUEUE && call->status.code == GRPC_OK)
				wake_mark_served(channel);
		}
	}
}

static void
run_transaction(void *arg)
{
	Batch *batch = arg;
	int ready = batch->count;
	instr_time began;
	instr_time executed;
	instr_time committed;

	INSTR_TIME_SET_CURRENT(began);
	if (!worker_begin("serving calls"))
	{
		batch->locked = true;
		return;
	}
	for (int i = 0; i < ready; i++)
	{
		Call *call = batch->calls[i];

		execute(call);
		if (call->chained && leaves_more(call))
			execute_chain(batch, call);
	}
	hand_off(batch);
	INSTR_TIME_SET_CURRENT(executed);
	worker_end();
	INSTR_TIME_SET_CURRENT(committed);
	INSTR_TIME_SUBTRACT(committed, executed);
	INSTR_TIME_SUBTRACT(executed, began);
	stat_batch(batch->count, INSTR_TIME_GET_MICROSEC(executed), INSTR_TIME_GET_MICROSEC(committed));
	process_count(0, 0, batch->count);
}

/* ---- afterwards ---- */

static void
retry_at(Call *call, TimestampTz time)
{
	longpoll_park(call, call->give_up == 0 ? time : Min(time, call->give_up));
}

/* Is its queue at its limit? */
static bool
is_held_back(const Call *call)
{
	return call->channel && call->service.pause > 0 && !longpoll_is_deaf(call);
}

static void
publish(Call *call)
{
	TimestampTz now = clock_wall_now();

	/* When it gets one after all, others may, too. */
	if (call->outcome != OUTCOME_RETRY)
		call->chained = call->outcome == OUTCOME_WAIT && call->service.tasks_held;
	/* Also when it has given up: the others have not. */
	if (is_held_back(call))
		longpoll_hold_back(call, now + call->service.pause);
	switch (call->outcome)
	{
		case OUTCOME_ANSWER:
			longpoll_leave(call);
			call_forget_body(call);
			MemoryContextSwitchTo(call->memory);
			durable_answer(call);
			break;
		case OUTCOME_WAIT:
			if (is_held_back(call))
				longpoll_park(call, call->give_up);
			else if (call->service.tasks_held)
				retry_at(call, now + (call->service.pause > 0 ? call->service.pause : HELD_DELAY));
			else if (longpoll_is_deaf(call))
				retry_at(call, now + DEAF_DELAY);
			else
				retry_at(call, call->give_up);
			break;
		case OUTCOME_RETRY:
			call->attempts++;
			retry_at(call, now + Min(LOCK_DELAY * call->attempts, LONGEST_LOCK_DELAY));
			break;
	}
}

/* The transaction is gone: what has a wait goes on waiting. */
static void
undo(Call *call, const ErrorData *error)
{
	call->answer = NULL;
	call->chained = call->channel && call->service.wait.kind == WAKE_QUEUE;
	if (call->channel && clock_wall_now() < call->give_up)
	{
		longpoll_park(call, Min(clock_wall_now() + FAILED_DELAY, call->give_up));
		return;
	}
	prepare(call);
	call->status = status_of_error(error, call);
	longpoll_leave(call);
	http2_answer(call);
}

/* The extension is being dropped or updated: wait for that, as for any lock. */
static void
postpone(Call *call)
{
	static ErrorData locked = {.sqlerrcode = ERRCODE_LOCK_NOT_AVAILABLE,
							   .message = "the extension is locked"};

	prepare(call);
	meet_lock(call, &locked);
	publish(call);
}

typedef struct AtOnce
{
	Call *call;
	bool answered;
} AtOnce;

static void
try_at_once(void *arg)
{
	AtOnce *attempt = arg;
	Call *call = attempt->call;

	prepare(call);
	if (connection_is_clogged(call->connection))
		call->status = (Status) {GRPC_RESOURCE_EXHAUSTED, "too many answers wait to be read", NULL};
	else if (call->deadline < clock_wall_now())
		call->status = (Status) {GRPC_DEADLINE_EXCEEDED, "the deadline has passed", NULL};
	else if (method_check(call))
	{
		if (call->method.service != NULL)
			return;
		method_answer_health(call);
	}
	http2_answer(call);
	attempt->answered = true;
}

/* Answers a call that needs no transaction, or ends it; false if it needs one. */
static bool
answer_at_once(Call *call)
{
	AtOnce attempt = {call, false};
	ErrorData *error;

	if (call->memory != NULL)
		return false;
	error = worker_try(try_at_once, &attempt);
	if (error == NULL)
		return attempt.answered;
	FreeErrorData(error);
	http2_reset(call);
	return true;
}

/* batch_run -- executes calls that are ready, as many as make one batch. */
void
batch_run(void)
{
	Batch batch = {0};
	Call *call;
	ErrorData *error;
	int usual = synchronous_commit;

	while (batch.count < BATCH_SIZE && (call = call_take_ready()) != NULL)
	{
		if (!answer_at_once(call))
			batch.calls[batch.count++] = call;
	}
	/* Not that of a call, which may be gone before the turn ends. */
	MemoryContextSwitchTo(frontend_memory);
	if (batch.count == 0)
		return;
	if (durable_may_wait(batch.count))
		synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
	error = worker_try(run_transaction, &batch);
	synchronous_commit = usual;
	handed_take_back();
	while ((call = handed_next()) != NULL)
	{
		if (error)
			undo(call, error);
		else
			publish(call);
	}
	for (int i = 0; i < batch.count; i++)
	{
		if (error)
			undo(batch.calls[i], error);
		else if (batch.locked)
			postpone(batch.calls[i]);
		else
			publish(batch.calls[i]);
	}
	durable_request();
	MemoryContextSwitchTo(frontend_memory);
	if (error)
		FreeErrorData(error);
}
