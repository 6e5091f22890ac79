/*
 * runner.h
 *	  Running the functions that are registered.
 */
#ifndef TEMPORAL_EXEC_RUNNER_H
#define TEMPORAL_EXEC_RUNNER_H

#include "exec/task.h"

typedef enum RunOutcome
{
	RUN_NOTHING,				/* there was no task */
	RUN_DONE,
	RUN_LATER,					/* there is one, and it cannot be done now */
	RUN_APART					/* it was taken, and must be done apart: see "apart" */
} RunOutcome;

/* Tasks that share a transaction. */
typedef struct Batch
{
	bool		timed;			/* functions may take only so long */
	bool		patient;		/* what takes longer than others do is put off */
	void		(*absent) (uint64 queue_id);	/* a task was taken; NULL: nothing */
	int			done;
	bool		held;			/* somebody holds a task that there was */
	int64		pause;			/* until there is one, microseconds; 0: not known */
	bool		contended;		/* its locks are in the way of a task, or of others */
	bool		denied;			/* a queue may not be served any more */
	bool		collided;		/* a task cannot be done, though nothing was in its way */
	List	   *passed_over;	/* of TaskRow: those that were put back or off */
	TaskRow    *slow;			/* was put off; NULL: none */
	Task	   *apart;			/* to be done after the commit */
} Batch;

/*
 * Takes a task of the queue, runs its function and answers, all in the current
 * transaction; none of it has happened if the outcome is not RUN_DONE.
 *
 * What must not share a transaction is only taken, if the batch is timed: the
 * caller commits that, and then does it.
 */
extern RunOutcome runner_do_task(const ServiceQueue *queue, Batch *batch);

/* ---- loop.c ---- */

/* How a process begins and ends its transactions. */
typedef struct LoopTransaction
{
	bool		(*begin) (const char *activity);	/* false: not now */
	ErrorData  *(*commit) (void);	/* its error, or NULL */
	ErrorData  *(*attempt) (void (*body) (void *arg), void *arg);	/* in one of its own */
	/* It has taken a task of that queue, and will do nothing else for maybe long. */
	void		(*absent) (uint64 queue_id);
} LoopTransaction;

typedef struct Loop
{
	const LoopTransaction *transaction;
	MemoryContext memory;		/* for one turn */
	MemoryContext served;		/* for "queues" */
	List	   *queues;			/* of ServiceQueue */
	uint64		version;		/* of the registrations that they are from */
	const char *role;			/* whose they are */
	unsigned	next;			/* whose turn it is */
	int			apart;			/* how many tasks to do each in its transaction */
	int			collisions;		/* turns in a row in which a function collided */
	bool		patient;		/* may put a task off until nothing else waits */
	TaskRow		slow;			/* the task that was put off */
	unsigned	slow_queue;		/* whose turn it was */
	TimestampTz slow_since;		/* 0: there is none */
	bool		held;			/* look again soon */
	int64		pause;			/* or then, in microseconds; 0: not known */
} Loop;

/* More than a transaction had that ended its process. */
#define LOOP_CAUTIOUS 64

extern void loop_init(Loop *loop, const LoopTransaction *transaction);

/* Does some tasks, and commits; how many, -1 if it could not begin. */
extern int	loop_turn(Loop *loop, int max_tasks);

#endif							/* TEMPORAL_EXEC_RUNNER_H */
