/*
 * local_run.h
 *	  Activities that are run by the pass that asks for them.
 */
#ifndef TEMPORAL_EXEC_LOCAL_RUN_H
#define TEMPORAL_EXEC_LOCAL_RUN_H

#include "exec/task.h"

/* Has an answer to a workflow of this type been refused? */
extern bool local_run_needs_care(const char *workflow_type);

extern void local_run_consider(const Pass *pass, Handle *handle, const Registration *registration,
							   const Pb__ScheduleActivityTaskCommandAttributes *attributes);
extern bool local_run_all(Pass *pass);
extern ErrorData *local_run_guarded(Pass *pass);
extern void local_run_end(Pass *pass);
extern void local_run_fail(const Task *task, const Pass *pass, int cause,
						   const Pb__Failure *failure);

#endif							/* TEMPORAL_EXEC_LOCAL_RUN_H */
