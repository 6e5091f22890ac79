/*
 * pass.h
 *	  One call of a workflow function against the history of its run.
 *
 * A workflow function is called from the top for each workflow task.  What it
 * asks for is compared with the history, task by task; where the history ends
 * it becomes a command.  At the first thing that it must wait for the call is
 * ended by an error, which the runner catches: the pass has stopped.
 */
#ifndef TEMPORAL_EXEC_PASS_H
#define TEMPORAL_EXEC_PASS_H

#include "base/compat.h"
#include "base/errors.h"
#include "core/decide.h"
#include "exec/function.h"
#include "executor/spi.h"
#include "proto/time.h"
#include "service/registration.h"
#include "utils/elog.h"
#include "utils/jsonb.h"

/*
 * How long steps and activities are taken one by one in one task, while others
 * wait for a process, or for the run.
 */
#define STEPWISE_US (50 * 1000)

/* Why a pass ended before its function returned. */
typedef enum PassStop
{
	STOP_NONE,
	STOP_WAITING,				/* for something that has not happened yet */
	STOP_STEP,					/* for a local step that the runner must take */
	STOP_ACTIVITIES,			/* for activities that the runner must run */
	STOP_SPOILT,				/* steps were taken that did not stay: begin again */
	STOP_BROKEN,				/* what we do for the function has failed */
	STOP_NONDETERMINISTIC		/* the function does not do what the history says */
} PassStop;

/* Commands whose outcome can be waited for. */
typedef enum HandleKind
{
	HANDLE_ACTIVITY,
	HANDLE_TIMER,
	HANDLE_SIGNAL				/* the next signal of a name; of no command */
} HandleKind;

typedef struct Handle
{
	HandleKind	kind;
	const char *id;				/* of the activity or timer */
	const char *name;			/* activity type, signal */
	int			task;			/* the task that has asked for it */
	int64		event_id;		/* that scheduled it; 0 while it is a new command */
	const Pb__HistoryEvent *outcome;	/* NULL while it is pending */
	/* What local_run.c needs of an activity that it may run; else NULL. */
	const Pb__ScheduleActivityTaskCommandAttributes *local;
	const Registration *registration;
	bool		cancelled;		/* its cancellation was asked for */
	TimestampTz due;			/* of a timer; about, until its event is known */
	bool		cancel_later;	/* ask as soon as its event is known */
} Handle;

typedef struct Signal
{
	const char *name;
	const Pb__Payloads *input;
	const Pb__HistoryEvent *event;
	bool		taken;
} Signal;

/* What is done in the database between two calls, and recorded as a marker. */
typedef struct Step
{
	const char *name;
	FunctionCallInfo call;		/* that asks for it; NULL once its arguments are read */
	const Registration *registration;	/* a local activity; known when it is taken */
	Pb__RetryPolicy *asked;		/* what the call of one says; NULL: nothing */
	const Pb__Payloads *input;	/* of it */
	const Pb__RetryPolicy *policy;	/* filled */
	int			attempt;
	const char *query;			/* else SQL */
	const char *search_path;	/* where names are looked for */
	int			nargs;
	Oid		   *types;
	Datum	   *values;
	char	   *nulls;			/* as for SPI */
	/* What came of it. */
	Value		result;
	Pb__Failure *failure;
	int64		backoff;		/* before the next attempt; 0: there is none */
	Pb__Command *command;		/* that records it */
} Step;

/* A completed workflow task, or the one in hand. */
typedef struct PassTask
{
	int			visible;		/* number of events that it has seen */
	int			first_command;	/* index of the first event after its completion */
	TimestampTz time;			/* when it was started */
} PassTask;

typedef struct Pass
{
	MemoryContext memory;		/* lives as long as the pass */
	const char *namespace_name;
	const char *task_queue;
	const char *workflow_id;
	const char *run_id;
	const char *workflow_type;
	int			attempt;
	Pb__HistoryEvent **events;
	int			n_events;
	bool		in_hand;		/* the last task is to be answered, not only replayed */
	const Pb__PollWorkflowTaskQueueResponse *polled;	/* the task as it was taken */
	const char *identity;		/* who took it */
	const char *search_path;	/* of the session, whatever the function sets */
	int			settings;		/* the level that is the function's own */
	bool		limited;		/* may take only so long */
	PassTask   *tasks;
	int			n_tasks;

	/* Where the function is. */
	int			task;			/* index in tasks */
	int			applied;		/* number of events that have happened */
	int			command;		/* index of the next event to compare with */
	List	   *registrations;	/* of Registration: activities that were asked for */
	List	   *handles;		/* of Handle; numbered from 1 */
	List	   *signals;		/* of Signal */
	int			activities;		/* how many have been asked for */
	int			timers;
	uint64		random;
	bool		cancel_requested;
	bool		cancel_raised;
	int			side_effects;
	int			locals;			/* steps asked for */
	Pb__RetryPolicy *step_policy;	/* of steps; NULL: they are not tried again */
	List	   *patches;		/* of char *: ids that were asked for and are in use */
	List	   *unpatched;		/* of char *: those that are not */
	List	   *compensations;	/* of Compensation, the latest first */

	/* Steps of the task in hand. */
	bool		stepwise;		/* the runner takes them, between two calls */
	bool		hurry;			/* enough of them for this task */
	List	   *steps;			/* of Step: taken; kept when the function begins again */
	int			step;			/* how many of them have been asked for */
	Step	   *wanted;			/* why it has stopped */
	SubTransactionId step_subid;	/* the last was taken in */

	/* Activities that are run at once, and where that has led. */
	bool		active;			/* a step or an activity was begun in this call */
	bool		may_run;
	int			runs;			/* how many */
	struct LocalRun *failed;	/* that was thrown away with its pass */
	List	   *left;			/* of char *: ids of those that are left to the task queue */
	bool		shared;			/* the transaction holds the locks of others, too */
	struct Advance *advance;	/* NULL: tasks are answered by calls */
	TimestampTz expires;		/* the run does; 0: never */
	int			polled_events;	/* how many events and tasks there were then */
	int			polled_tasks;

	/* What came of it. */
	List	   *commands;		/* of Pb__Command: new ones */
	PassStop	stop;
	const char *reason;			/* why it stopped */
	ErrorData  *error;			/* that has broken it */
	const char *waiting_at;		/* and where, if it waits; NULL: not known */
	bool		again;			/* it needs no event to go on, only another task */
} Pass;

/* The pass that is under way in this process; NULL: none. */
extern Pass *pass_current;

/* ---- pass.c ---- */

extern Pass *pass_new(MemoryContext memory, Pb__HistoryEvent **events, size_t n_events,
					  bool only_replay);

/* The function is called once more, from the top. */
extern void pass_rewind(Pass *pass);

/* Everything that the task in hand has done so far is undone. */
extern void pass_undo(Pass *pass);

/*
 * The task in hand is completed, and "events" have happened since; the last
 * starts another, or there is none in hand.
 */
extern void pass_extend(Pass *pass, const List *events);

/* The function goes on in the task that is in hand since then. */
extern void pass_go_on(Pass *pass);

/*
 * Does something of ours that asks the database: whatever the function makes of
 * its error, the pass ends with it.
 */
extern void pass_do(Pass *pass, void (*body) (void *arg), void *arg);

/* The activity of that type that is registered, NULL if there is none; looked up once. */
extern const Registration *pass_registration(Pass *pass, const char *name);

/* The pass of the function that calls; an error outside of workflows. */
extern Pass *pass_require(const char *function);

/*
 * What the function wants next: the event that it left in the history, or NULL
 * if it is new.  "command" must live in pass->memory.
 */
extern const Pb__HistoryEvent *pass_command(Pass *pass, Pb__Command *command);

/* The same for a step that comes next in the history; NULL: ask by its command. */
extern const Pb__HistoryEvent *pass_replayed_step(Pass *pass, const char *name);

/* Are its commands new? */
extern bool pass_is_live(const Pass *pass);

/*
 * For a command that needs no wait before it: if the task has none left and
 * was not the last one, another was asked for only to go on.
 */
extern void pass_skip_task(Pass *pass);

/* Ends the call of the function; said again until it obeys. */
extern void pass_check_stop(const Pass *pass);
extern pg_noreturn void pass_stop(Pass *pass, PassStop stop, const char *reason);

/*
 * Lets time pass until "done" is true, as far as the history goes.  If the
 * workflow is cancelled first, "abandon" is called and an error raised.
 */
extern void pass_check_cancel(Pass *pass);
typedef bool (*PassCondition) (Pass *pass, void *arg);
typedef void (*PassAbandon) (Pass *pass, void *arg);
extern void pass_wait(Pass *pass, PassCondition done, PassAbandon abandon, void *arg,
					  const char *reason);

/* For what is to be run in the midst of it: are settings there as in the session? */
extern void pass_check_settings(Pass *pass);

/* The function has returned: the history must agree with "closing". */
extern void pass_close(Pass *pass, Pb__Command *closing);

extern Pb__Command *pass_new_command(Pb__CommandType type);
extern uint64 pass_random(Pass *pass);

/* ---- step.c ---- */

/* Takes a step where we are; fills in its result, raises its error. */
extern void step_take(Step *step);

/* Takes it in a subtransaction; an error that says nothing of it: try again later. */
extern ErrorData *step_take_guarded(Pass *pass, Step *step);

/* ---- step_plan.c ---- */

extern SPIPlanPtr step_plan(const Step *step);

/* Does a type of workflow wait after its steps?  Then they are taken one by one. */
extern bool step_type_waits(const char *workflow_type);
extern void step_note_type(const char *workflow_type);

/* Has a task of that type failed at the commit?  Then each step is checked as if it ended there. */
extern bool step_type_fails(const char *workflow_type);
extern void step_note_failing_type(const char *workflow_type);

/* ---- wait_call.c ---- */

/* Waits for a new timer; "what" is to come then, NULL: nothing but it. */
extern void wait_timer(Pass *pass, int64 microseconds, const char *what);

/* Starts a timer; its handle. */
extern int	wait_start_timer(Pass *pass, int64 microseconds);

/* What a signal brought; JSON null if nothing. */
extern Jsonb *wait_signal_input(const Pb__Payloads *input);

/* ---- name_set.c ---- */

/* What a process has learnt of functions, by name; forgotten with it. */
typedef struct NameSet
{
	const char *title;
	struct HTAB *names;
} NameSet;

extern bool name_set_has(const NameSet *set, const char *name);
extern void name_set_add(NameSet *set, const char *name);

/* ---- handle.c ---- */

extern int	handle_add(Pass *pass, HandleKind kind, const char *id, const char *name,
					   const Pb__HistoryEvent *event);
extern Handle *handle_get(Pass *pass, int64 number);
extern int	handle_number(const Pass *pass, const Handle *handle);
extern void handle_resolve(Pass *pass, HandleKind kind, int64 event_id,
						   const Pb__HistoryEvent *outcome);
extern bool handle_is_over(Pass *pass, Handle *handle);
extern void handle_bind(Pass *pass, const Pb__HistoryEvent *event);
extern void handle_cancel(Pass *pass, Handle *handle);
extern bool handle_cancels_late(const Pass *pass);
extern void handle_cancel_late(Pass *pass);

/* "activity charge", "timer 1 until 2026-01-01T00:00:00+00:00" */
extern char *handle_describe(const Handle *handle);
extern char *handle_until(const Handle *handle);

/* Of an activity its result, of a signal its input, of a timer NULL; raises its failure. */
extern Jsonb *handle_result(const Handle *handle);

/* ---- failure.c ---- */

/* What an error is to Temporal. */
extern Pb__Failure *failure_of_error(const ErrorData *error);

/*
 * The same for an attempt of an activity, which can fail by a failure of an
 * application only: others are its cause.
 */
extern Pb__Failure *failure_of_attempt(const ErrorData *error);

/* Does it say that nobody waits for an answer: timed out, workflow closed? */
extern bool failure_of_gone(const ErrorData *error);

/* Where it came from: functions of users and their lines, the innermost first. */
extern char *failure_place(const ErrorData *error);

/* Raises an activity's end that is not a result. */
extern pg_noreturn void failure_raise(int sqlstate, const char *what, const Pb__Failure *failure);

/* What is to be done about an error of a user's function. */
typedef enum ErrorClass
{
	ERROR_FAILS,				/* the workflow, the attempt of the activity */
	ERROR_BUG,					/* of the function: mend it and it goes on */
	ERROR_AGAIN,				/* has nothing to do with the function: try again */
	ERROR_ENDS					/* somebody wants this process to stop */
} ErrorClass;
extern ErrorClass failure_class(const ErrorData *error);

#endif							/* TEMPORAL_EXEC_PASS_H */
