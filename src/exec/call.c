/*
 * call.c
 *	  Calling a function of a user, and what it may leave behind.
 *
 * A call is a subtransaction.  It ends when the function takes longer than it
 * may: a timer then cancels the statement, as somebody with pg_cancel_backend()
 * would, and again if the function goes on.  So it ends an activity that is told
 * to.  A process of ours whose function will not hear ends itself; and nothing
 * that a function made for its session is left there for the next one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guc.h"
#include "catalog/namespace.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "exec/function.h"
#include "exec/heartbeat.h"
#include "exec/rehearse.h"
#include "exec/task.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "store/xact.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/*
 * How long a function waits for a lock while other tasks of its transaction
 * hold theirs: not until a deadlock is detected.
 */
#define SHARED_LOCK_TIMEOUT_MS 50

/* How soon an activity that is to end hears it. */
#define HEAR_MS 100

static bool busy = false;
static Call *activity_current = NULL;
static volatile sig_atomic_t timed_out = false;
static volatile sig_atomic_t stopped = false;

bool
call_is_busy(void)
{
	return busy;
}

bool
call_timed_out(void)
{
	return timed_out;
}

const Pb__PollActivityTaskQueueResponse *
call_activity(void)
{
	return activity_current != NULL ? activity_current->activity : NULL;
}

const Pb__PollActivityTaskQueueResponse *
call_require_activity(const char *function)
{
	const Pb__PollActivityTaskQueueResponse *activity = call_activity();

	if (activity == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("temporal.%s() can only be called by an activity function", function)));
	return activity;
}

void
call_leave_activity(void)
{
	if (activity_current->registration->transactional)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("activity \"%s\" is transactional, so it is over when its function returns",
						activity_current->registration->name),
				 errhint("Register it with transactional => false.")));
	activity_current->left = true;
}

/* ---- the time that a call may take ---- */

static void
cancel_statement(void)
{
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static void
time_out(void)
{
	/* It did not hear. */
	if (timed_out && MyBackendType == B_BG_WORKER)
		ProcDiePending = true;
	timed_out = true;
	cancel_statement();
}

static void
hear(void)
{
	if (!heartbeat_hear())
		return;
	stopped = true;
	cancel_statement();
}

/* The timers of the calls of this process. */
static TimeoutId limit_timer;
static TimeoutId hear_timer;

static void
make_timers(void)
{
	static bool registered = false;

	if (registered)
		return;
	limit_timer = RegisterTimeout(USER_TIMEOUT, time_out);
	hear_timer = RegisterTimeout(USER_TIMEOUT, hear);
	registered = true;
}

static void
start_timer(TimeoutId timer, int64 first_ms, int64 then_ms)
{
	first_ms = Min(first_ms, INT_MAX);
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), first_ms),
						 (int) Min(then_ms, INT_MAX));
}

/* Whoever is to be quick has as much time as others to hear that it is not. */
static void
start_timers(int64 limit_ms)
{
	timed_out = stopped = false;
	if (limit_ms > 0)
		start_timer(limit_timer, limit_ms, Max(limit_ms, guc_pass_timeout));
	if (activity_current != NULL && heartbeat_listens())
		start_timer(hear_timer, HEAR_MS, HEAR_MS);
}

/* A cancel that came too late to be noticed is not for others. */
static void
stop_timers(int64 limit_ms)
{
	if (limit_ms > 0)
		disable_timeout(limit_timer, false);
	if (heartbeat_listens())
		disable_timeout(hear_timer, false);
	if (timed_out || stopped)
		QueryCancelPending = false;
}

/* ---- what is left behind ---- */

/*
 * As DISCARD ALL, but for settings, which have been undone already.  What is
 * rolled back with the call is discarded as a part of it, since that may fail.
 */
static void
discard_made(void)
{
	PortalHashTableDeleteAll();
	ResetTempTableNamespace();
}

/* Locks for the transaction are not among it: others of the batch hold some. */
static void
discard_session(void)
{
	DropAllPreparedStatements();
	Async_UnlistenAll();
	LockReleaseSession(USER_LOCKMETHOD);
	ResetSequenceCaches();
}

/* ---- steps that are rolled back ---- */

/*
 * The function has rolled back a block with a step in it, which it believes to
 * be taken.
 */
static void
on_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	Pass	   *pass = pass_current;

	if (event != SUBXACT_EVENT_ABORT_SUB || pass == NULL || pass->stop != STOP_NONE ||
		pass->step_subid < subid)
		return;
	pass->stop = STOP_SPOILT;
	pass->reason = "a step was rolled back";
}

static void
watch_subtransactions(void)
{
	static bool registered = false;

	if (!registered)
		RegisterSubXactCallback(on_subtransaction, NULL);
	registered = true;
}

/* ---- the call ---- */

OwnRun
call_own_run(const char *run_id, int sqlstate)
{
	OwnRun		own = {.sqlstate = sqlstate};

	if (run_id != NULL)
		(void) ident_parse_uuid(run_id, &own.run_id);
	return own;
}

Value
call_registered(const Registration *registration, const Pb__Payloads *input)
{
	const Mock *mock = registration->kind == QUEUE_TYPE(ACTIVITY) ?
		mock_find(registration->name) : NULL;

	return mock != NULL ? mock_result(mock) : function_call(function_find(registration), input);
}

/*
 * An activity that a workflow function waits for, outside of what the function
 * itself may do, and where names mean what they mean to any activity.  The run
 * is in our hands meanwhile, so its function must not change that.
 */
Value
call_activity_here(Call *call)
{
	Pass	   *pass = pass_current;
	Call	   *outer = activity_current;
	OwnRun	   *outer_run = service_own_run;
	bool		read_only = XactReadOnly;
	int			settings = NewGUCNestLevel();
	Value		result = {InvalidOid};

	if (pass != NULL)
		function_use_search_path(pass->search_path);
	pass_current = NULL;
	activity_current = call;
	call->own = call_own_run(call->activity->workflow_execution->run_id, ERRCODE_QUERY_CANCELED);
	service_own_run = &call->own;
	XactReadOnly = false;
	PG_TRY();
	{
		/* A failure does not tell of the workflow; PG_END_TRY() puts this back. */
		error_context_stack = NULL;
		result = call_registered(call->registration, call->input);
		AtEOXact_GUC(false, settings);
	}
	PG_FINALLY();
	{
		XactReadOnly = read_only;
		activity_current = outer;
		service_own_run = outer_run;
		pass_current = pass;
	}
	PG_END_TRY();
	/* Whatever the function has made of the error. */
	if (call->own.wanted)
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg(OWN_RUN_MESSAGE)));
	return result;
}

static void
call_body(void *arg)
{
	Call	   *call = arg;
	int			settings = NewGUCNestLevel();

	if (call->pass != NULL && !call->registration->direct_sql)
		XactReadOnly = true;	/* until the end of the subtransaction */
	if (call->pass != NULL)
		call->pass->settings = settings;
	call->result = call_registered(call->registration, call->input);
	AtEOXact_GUC(false, settings);
	/* A function may have caught what should have ended it. */
	if (call->pass != NULL)
		pass_check_stop(call->pass);
}

/*
 * Somebody wants this process to stop: not the function's concern.  What goes
 * on in a process of ours is the function.
 */
static bool
is_real_cancel(const ErrorData *error, const Pass *pass)
{
	return failure_class(error) == ERROR_ENDS && !timed_out && !stopped && MyBackendType != B_BG_WORKER &&
		(pass == NULL || pass->stop == STOP_NONE || strstr(error->message, pass->reason) == NULL);
}

typedef struct Limited
{
	void		(*body) (void *arg);
	void	   *arg;
} Limited;

static void
limited_body(void *arg)
{
	const Limited *limited = arg;
	ErrorContextCallback *outer = error_context_stack;

	/* Where we were called from does not belong into a failure. */
	error_context_stack = NULL;
	limited->body(limited->arg);
	error_context_stack = outer;
	if (MyBackendType == B_BG_WORKER)
		discard_made();
}

ErrorData *
call_limited(void (*body) (void *arg), void *arg, int64 limit_ms, bool shared,
			 bool *timed_out_here)
{
	Limited		limited = {body, arg};
	int			patience = LockTimeout;
	ErrorData  *volatile error = NULL;

	make_timers();
	PG_TRY();
	{
		busy = true;
		if (shared && (LockTimeout == 0 || LockTimeout > SHARED_LOCK_TIMEOUT_MS))
			LockTimeout = SHARED_LOCK_TIMEOUT_MS;
		start_timers(limit_ms);
		error = xact_guard(limited_body, &limited);
	}
	PG_FINALLY();
	{
		stop_timers(limit_ms);
		LockTimeout = patience;
		busy = false;
	}
	PG_END_TRY();
	*timed_out_here = error != NULL && timed_out && error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	if (MyBackendType == B_BG_WORKER)
		discard_session();
	return error;
}

ErrorData *
call_guarded(Call *call)
{
	ErrorData  *volatile error = NULL;

	watch_subtransactions();
	PG_TRY();
	{
		pass_current = call->pass;
		activity_current = call->activity != NULL ? call : NULL;
		call->own = call->pass != NULL ?
			call_own_run(call->pass->run_id, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE) :
			call_own_run(call->activity->workflow_execution->run_id, 0);
		service_own_run = &call->own;
		error = call_limited(call_body, call, call->limit_ms, call->shared, &call->timed_out);
	}
	PG_FINALLY();
	{
		pass_current = NULL;
		activity_current = NULL;
		service_own_run = NULL;
	}
	PG_END_TRY();
	if (error != NULL && is_real_cancel(error, call->pass))
		ReThrowError(error);
	call->ran_out = call->timed_out;
	if (call->pass != NULL && call->pass->stop != STOP_NONE)
		call->timed_out = false;
	return error;
}
