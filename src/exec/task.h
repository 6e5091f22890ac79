/*
 * task.h
 *	  One task of a function that is registered, from the poll to the answer.
 */
#ifndef TEMPORAL_EXEC_TASK_H
#define TEMPORAL_EXEC_TASK_H

#include "exec/pass.h"
#include "service/registration.h"
#include "service/service.h"

/* ---- call.c ---- */

typedef struct Call
{
	const Registration *registration;
	const Pb__Payloads *input;
	Pass	   *pass;			/* of a workflow */
	const Pb__PollActivityTaskQueueResponse *activity;	/* or of an activity */
	int64		limit_ms;		/* 0: none */
	bool		shared;			/* must not wait long for a lock */
	Value		result;
	bool		ran_out;		/* of time, whatever else has ended it */
	bool		timed_out;
	bool		slow;			/* a workflow function that was not quick */
	bool		left;			/* others will answer */
	OwnRun		own;			/* the run for which it is called */
} Call;

/* The run that is meant, and how whoever wants to change it is refused; 0: not. */
extern OwnRun call_own_run(const char *run_id, int sqlstate);

/*
 * Calls the function in a subtransaction; its error, or NULL.  Raises what is
 * meant for this process and not for the function.
 */
extern ErrorData *call_guarded(Call *call);

/* An activity in the midst of a pass, or between two; raises its error. */
extern Value call_activity_here(Call *call);

/* Where we are: what stands in for it, or the function. */
extern Value call_registered(const Registration *registration, const Pb__Payloads *input);

/* The same for code of users that is no registered function; "shared" as in Call. */
extern ErrorData *call_limited(void (*body) (void *arg), void *arg, int64 limit_ms, bool shared,
							   bool *timed_out);

/* Has the call that is under way taken longer than it may? */
extern bool call_timed_out(void);

/* Is a function under way in this process? */
extern bool call_is_busy(void);

/* The activity that is under way, or NULL. */
extern const Pb__PollActivityTaskQueueResponse *call_activity(void);

/* The same, an error if there is none: "function" is for activities only. */
extern const Pb__PollActivityTaskQueueResponse *call_require_activity(const char *function);

/* Somebody else will answer for it; an error if it must answer itself. */
extern void call_leave_activity(void);

/* ---- workflow_task.c, activity_task.c ---- */

typedef struct Task
{
	const ServiceQueue *queue;
	const char *identity;
	bool		timed;			/* functions may take only so long */
	bool		shared;			/* its transaction holds the locks of others, too */
	bool		apart;			/* its taking is committed */
	bool		quick;			/* others wait: it must not take as long as it may */
	bool		slow;			/* it has taken longer, and is to be done apart */
	const Registration *registration;	/* NULL: there is none of that type */
	Pb__PollWorkflowTaskQueueResponse *workflow;
	struct Advance *advance;	/* of a workflow task, unless its taking is committed */
	Pb__PollActivityTaskQueueResponse *activity;
	bool		held;			/* there is none to take, but others hold some */
	int64		pause;			/* until there is one that may be taken, microseconds */
	const List *passed_over;	/* of TaskRow: not to be taken */
	const TaskRow *offer;		/* the one that was */
	const char *waiting_for;	/* of an answer; NULL: nothing */
	const char *waiting_at;
	bool		collided;		/* its function must be tried again, though it was alone */
} Task;

/* Takes a task; false if there is none. */
extern bool workflow_task_take(Task *task);
extern bool activity_task_take(Task *task);

/* The last executor of a role that is free does not begin what takes long. */
extern bool activity_task_accepts(const ServiceCall *call, const PendingActivity *activity);

/* Calls the function and answers. */
extern void workflow_task_do(Task *task);
extern void activity_task_do(Task *task);

/* Calls "body" in a subtransaction; that nobody waits for its answer is no error. */
extern void task_unless_gone(void (*body) (void *arg), void *arg);

/* Answers that the function, or the commit after it, has failed. */
extern void workflow_task_fail(const Task *task, const ErrorData *error);
extern void activity_task_fail(const Task *task, const ErrorData *error);

/* The answer to the task in hand: what the function has asked for. */
extern Pb__RespondWorkflowTaskCompletedRequest *workflow_completion(const Pass *pass);

/* How a workflow ends whose function has returned, or raised an error. */
extern Pb__Command *workflow_end_command(const Pass *pass, const ErrorData *error, Value result);

/* ---- task.c ---- */

extern bool task_take(Task *task);

/* It is done in another transaction, or not at all: that it was taken is written. */
extern void task_keep(const Task *task);
extern void task_do(Task *task);
extern void task_fail(const Task *task, const ErrorData *error);

/*
 * Calls "body" with the patience of a background worker: whoever does not get a
 * lock in time tries again later.
 */
extern void task_patiently(void (*body) (void *arg), void *arg);

/* The same for a task that is alone in its transactions: it waits longer, until NULL. */
extern void task_wait_for(const Task *task);

/* Runs a method so. */
extern ProtobufCMessage *task_invoke(Task *task, const char *method, const void *request);

/* A failure of ours. */
extern Pb__Failure *task_failure(const char *type, const char *message);

#endif							/* TEMPORAL_EXEC_TASK_H */
