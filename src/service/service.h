/*
 * service.h
 *	  One handler a method, called by SQL and by the network alike.
 *
 * A handler authorises, loads, decides and commits; it never waits for work to
 * appear.  It raises an error for what leaves no trace.  What is refused but
 * recorded (a workflow task that failed, a run that was terminated) is a
 * refusal: the transaction must go on, so it is returned and not raised.
 */
#ifndef TEMPORAL_SERVICE_SERVICE_H
#define TEMPORAL_SERVICE_SERVICE_H

#include "base/errors.h"
#include "core/decide.h"
#include "proto/operator.pb-c.h"
#include "proto/time.h"
#include "store/store.h"
#include "wake/wake.h"

typedef enum Right
{
	RIGHT_NONE,					/* anybody who may call the function */
	RIGHT_VIEWER,
	RIGHT_CLIENT,
	RIGHT_WORKER,				/* for the task queue at hand */
	RIGHT_ADMIN,
	RIGHT_ANY					/* any of the above */
} Right;

/*
 * Where a call that found nothing may wait for more: a handler says so before
 * it looks (for the last time), with the longest time to wait.  Whoever makes
 * the call again hands in what the one before it has left here.
 */
typedef struct ServiceWait
{
	bool		wanted;			/* there was nothing: wait, and call again */
	WakeKind	kind;
	uint64		channel;
	int64		longest;		/* microseconds */
	pg_uuid_t	run_id;			/* whose events; zero for a queue */
} ServiceWait;

typedef struct ServiceCall ServiceCall;

/* Polls that wait in this process, for tasks that are made meanwhile. */
typedef struct ServiceWaiters
{
	/* The one that waits longest for a queue, or NULL. */
	ServiceCall *(*first) (uint64 queue_id);
	/* It waits no longer, unless the call at hand is rolled back. */
	void		(*take) (ServiceCall *poll);
	void		(*answer) (ServiceCall *poll, const ProtobufCMessage *answer);
} ServiceWaiters;

struct ServiceCall
{
	TimestampTz now;
	Oid			caller;
	const void *request;
	Namespace  *namespace;		/* NULL for methods without one */
	CoreLimits	limits;
	bool		new_id;			/* the workflow id was made for this call: it has no run */
	const char *waiting_for;	/* why the worker has no more commands; NULL: it does not say */
	const char *waiting_at;
	bool		session_bound;	/* a task polled here ends with this session */
	bool		sees_attempts;	/* reads history as a worker: transient tasks are in it */
	bool		answers_at_once;	/* a workflow task polled here is answered by "advance" */
	struct Advance *advance;
	bool		tasks_held;		/* a poll found only what others hold: look again soon */
	int64		pause;			/* until there is one that it may have, microseconds */
	const List *passed_over;	/* of TaskRow: offers that a poll leaves where they are */
	/* Whether a poll takes this activity, or NULL: any; it is not locked yet. */
	bool		(*accepts) (const ServiceCall *call, const PendingActivity *activity);
	const TaskRow *offer;		/* that a poll has taken; NULL: none */
	void		(*watch) (ServiceCall *call);	/* told of "wait", or NULL */
	ServiceWait	wait;
	const ServiceWaiters *waiters;	/* may be handed tasks, or NULL */
	const ProtobufCMessage *error_detail;	/* of the error about to be raised */
	int			refusal_sqlstate;	/* 0: not refused */
	const char *refusal_message;
};

typedef ProtobufCMessage *(*ServiceHandler) (ServiceCall *call, const void *request);

typedef struct ServiceMethod
{
	const char *name;
	const ProtobufCMessageDescriptor *request;
	ServiceHandler handler;
	Right		right;			/* checked before the handler runs */
	bool		by_token;		/* the namespace comes with the task token */
} ServiceMethod;

/* ---- registry.c ---- */

extern const ServiceMethod *service_find_method(const char *name);
extern const ServiceMethod *service_method(int index);
extern int	service_method_index(const ServiceMethod *method);

/* Runs a method in the current transaction; see above for refusals. */
extern ProtobufCMessage *service_call(ServiceCall *call, const ServiceMethod *method,
									  const void *request);

/* What runs as the owner of the extension. */
typedef void (*ServiceBody) (ServiceCall *call, void *arg);

extern void service_begin(ServiceCall *call);
extern void service_act(ServiceCall *call, ServiceBody body, void *arg);
extern void service_use_namespace(ServiceCall *call, const char *name);
extern ProtobufCMessage *service_invoke(const char *method, const void *request);
extern ProtobufCMessage *service_invoke_call(ServiceCall *call, const char *method,
											 const void *request);
extern void service_warn_refused(const ServiceCall *call);
extern void service_watch(ServiceCall *call, WakeKind kind, uint64 channel, int64 longest);
extern void service_refuse(ServiceCall *call, int sqlstate, const char *message);

/* ---- authorize.c ---- */

extern void service_authorize(const ServiceCall *call, Right right, const char *task_queue);
extern void service_authorize_run(const ServiceCall *call, Right right,
								  const ExecutionState *state);
extern List *service_readable(const ServiceCall *call);
extern bool service_may_work(const ServiceCall *call, List **namespace_ids, bool *queues_only);
extern bool service_allowed(const ServiceCall *call, Right right, const char *task_queue);
extern Oid	service_role_of_key(ServiceCall *call, const char *key);

/* ---- lookup.c: from names to runs ---- */

/*
 * The run for which code of a user is called.  While this transaction has the
 * run in memory, to be written later, nobody else may change it.
 */
typedef struct OwnRun
{
	pg_uuid_t	run_id;
	int			sqlstate;		/* of the error for whoever wants to; 0: it may be changed */
	bool		wanted;			/* somebody wanted to */
} OwnRun;

#define OWN_RUN_MESSAGE "a workflow cannot be changed by what is done in its own workflow task"

/* Of the code that is under way; NULL: of none. */
extern OwnRun *service_own_run;
extern void service_want_run(const RunKey *key);

extern ExecutionState *service_lock_run(ServiceCall *call, const RunKey *key);
extern ExecutionState *service_load_execution(ServiceCall *call,
											  const Pb__WorkflowExecution *execution,
											  LockMode mode);
extern ExecutionState *service_lock_open(ServiceCall *call,
										 const Pb__WorkflowExecution *execution,
										 const char *first_run_id);
extern void service_commit(ServiceCall *call, Transition *transition);
extern void service_commit_fired(ServiceCall *call, Transition *transition,
								 TimestampTz next_user_timer);
extern void service_require_adopted(void);

/* ---- check.c: what is checked of many requests ---- */

extern const char *service_check_id(const char *value, const char *what);
extern void service_require_id(const char *value, const char *what);
extern void service_limit_id(const char *value, const char *what);
extern void service_limit_input(const Pb__Payloads *input, const Pb__Header *header);
extern void service_limit_memo(const Pb__Memo *memo);
extern void service_check_namespace(const Namespace *namespace, bool starting);
extern void service_check_request(const ProtobufCMessage *request);

/* ---- token.c ---- */

extern ProtobufCBinaryData token_pack(const ExecutionState *state,
									  const PendingActivity *activity);
extern Pbi__TaskToken *token_unpack(ServiceCall *call, const ProtobufCBinaryData *bytes,
									bool activity, RunKey *key);

/* ---- hand_off.c ---- */

extern List *hand_off_take(ServiceCall *call, Transition *transition);
extern void hand_off_answer(ServiceCall *call, const ExecutionState *state, const List *list);

/* ---- answer.c: what workers get ---- */

/* How much of the history a worker gets with its task. */
typedef enum HistoryExtent
{
	HISTORY_NEW,				/* since the last task it has completed */
	HISTORY_PAGES,				/* the first page, and a token for the others */
	HISTORY_WHOLE
} HistoryExtent;

extern Pb__PollWorkflowTaskQueueResponse *answer_workflow_task(const ExecutionState *state,
															   HistoryExtent extent);
extern Pb__PollActivityTaskQueueResponse *answer_activity_task(const ServiceCall *call,
															   const ExecutionState *state,
															   const PendingActivity *activity);
extern Pb__History *answer_history(const ExecutionState *state, int64 from, int64 before, int max_events,
								   bool reverse, int64 *next);
extern Pb__WorkflowExecution *answer_execution(const ExecutionState *state);

/* ---- the handlers, by file ---- */

#define HANDLER(name) extern ProtobufCMessage *service_##name(ServiceCall *call, const void *request)

/* system.c */
HANDLER(get_system_info);
HANDLER(get_cluster_info);
/* namespace.c */
HANDLER(register_namespace);
HANDLER(describe_namespace);
HANDLER(list_namespaces);
HANDLER(update_namespace);
/* start.c */
HANDLER(start_workflow_execution);
HANDLER(signal_with_start_workflow_execution);
/* signal.c */
HANDLER(signal_workflow_execution);
/* cancel.c */
HANDLER(request_cancel_workflow_execution);
HANDLER(terminate_workflow_execution);
HANDLER(delete_workflow_execution);
/* poll.c */
HANDLER(poll_workflow_task_queue);
HANDLER(poll_activity_task_queue);
/* respond_workflow.c */
HANDLER(respond_workflow_task_completed);
HANDLER(respond_workflow_task_failed);
/* respond_activity.c */
HANDLER(record_activity_task_heartbeat);
HANDLER(record_activity_task_heartbeat_by_id);
HANDLER(respond_activity_task_completed);
HANDLER(respond_activity_task_completed_by_id);
HANDLER(respond_activity_task_failed);
HANDLER(respond_activity_task_failed_by_id);
HANDLER(respond_activity_task_canceled);
HANDLER(respond_activity_task_canceled_by_id);
/* activity.c */
HANDLER(pause_activity);
HANDLER(pause_activity_execution);
HANDLER(unpause_activity);
HANDLER(unpause_activity_execution);
HANDLER(reset_activity);
HANDLER(reset_activity_execution);
HANDLER(update_activity_options);
HANDLER(update_activity_execution_options);
/* history.c */
HANDLER(get_workflow_execution_history);
HANDLER(get_workflow_execution_history_reverse);
/* describe.c */
HANDLER(describe_workflow_execution);
/* task_queue.c */
HANDLER(describe_task_queue);
HANDLER(list_task_queue_partitions);
HANDLER(reset_sticky_task_queue);
HANDLER(shutdown_worker);
/* search_attribute.c */
HANDLER(get_search_attributes);
HANDLER(add_search_attributes);
HANDLER(remove_search_attributes);
HANDLER(list_search_attributes);

#undef HANDLER

/* respond_activity.c */
extern void service_complete_activity(Transition *transition, PendingActivity *activity,
									  const Pb__Payloads *result, const char *identity);
extern Pb__Failure *service_fail_activity(Transition *transition, PendingActivity *activity,
										  const Pb__Failure *failure, const char *identity);

/* ... for functions that are answered for later */
extern void service_leave_activity(const ProtobufCBinaryData *token);

/* beat.c, for those that run here */
extern BeatAttempt service_attempt(const ProtobufCBinaryData *token);
extern BeatStop service_attempt_stop(const BeatAttempt *attempt);
extern void service_add_beat(const RunKey *key, PendingActivity *activity);
extern void service_watch_beat(const RunKey *key, PendingActivity *activity, TimestampTz now,
							   bool session_gone);

/* poll.c: whose workers may poll it */
extern const char *service_polled_queue(const Pb__PollWorkflowTaskQueueRequest *request);

/* poll.c, for procedures that wait */
typedef enum QueueContent
{
	QUEUE_EMPTY,
	QUEUE_HELD,					/* only tasks that others hold: look again soon */
	QUEUE_READY
} QueueContent;

extern uint64 service_queue(const char *namespace_name, int kind, const char *queue);
extern QueueContent service_look(const char *namespace_name, int kind, const char *queue);

/* Used by start.c, signal.c and the outbox alike. */
extern bool service_apply_signal(ServiceCall *call, ExecutionState *state,
								 const SignalParameters *signal, Transition *transition);

#endif							/* TEMPORAL_SERVICE_SERVICE_H */
