/*
 * runner.h
 *	  Running the functions that are registered, a task at a time.
 */
#ifndef TEMPORAL_EXEC_RUNNER_H
#define TEMPORAL_EXEC_RUNNER_H

#include "service/registration.h"

typedef enum RunOutcome
{
	RUN_NOTHING,				/* there was no task */
	RUN_DONE,
	RUN_LATER					/* there is one, and it cannot be done now */
} RunOutcome;

/*
 * Takes a task of the queue, runs its function and answers, all in the current
 * transaction; none of it has happened if the outcome is not RUN_DONE.
 */
extern RunOutcome runner_do_task(const ServiceQueue *queue);

/* Is a function of ours under way in this process? */
extern bool runner_is_busy(void);

#endif							/* TEMPORAL_EXEC_RUNNER_H */
