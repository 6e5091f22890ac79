/*
 * advance.h
 *	  A workflow task of a worker that does activities itself, at once.
 */
#ifndef TEMPORAL_SERVICE_ADVANCE_H
#define TEMPORAL_SERVICE_ADVANCE_H

#include "service/service.h"

/* A run that goes from one workflow task to the next before it is written. */
typedef struct Advance Advance;

/* The only attempt of an activity, and what came of it. */
typedef struct ActivityRun
{
	const char *activity_id;
	TimestampTz started;
	TimestampTz ended;
	const Pb__Payloads *result;
	const Pb__Failure *failure; /* NULL: it succeeded */
	const Pb__Payloads *heartbeat;	/* its last before it failed; NULL: none */
} ActivityRun;

/*
 * Starts the scheduled task of a locked run, for a poll whose caller answers it
 * in the same transaction: nothing else can happen to the run meanwhile.
 */
extern Advance *advance_new(const ServiceCall *call, ExecutionState *state, const char *queue,
							const char *identity);

/* When the time of the run is over; 0: never. */
extern TimestampTz service_advance_expiration(const Advance *advance);

/* Back to where the poll left it. */
extern void service_advance_restart(Advance *advance);

/*
 * The task is completed by the commands of "request", then "runs" (of
 * ActivityRun) happen to activities that are pending.  If that makes a workflow
 * task, it is started for the caller.  Adds to "events"; nothing is written.
 *
 * False if a command is refused: nothing of all this must stay then, neither
 * what the activities have done.
 */
extern bool service_advance(Advance *advance,
							const Pb__RespondWorkflowTaskCompletedRequest *request, List *runs,
							List **events);

/*
 * Completes the last task, unless "request" is NULL, and writes everything.
 * What the workflow waits for then, and where, may be NULL.  False as above.
 */
extern bool service_advance_end(Advance *advance,
								const Pb__RespondWorkflowTaskCompletedRequest *request,
								const char *waiting_for, const char *waiting_at);

extern bool service_advance_refused(const Advance *advance);

/*
 * Writes why it was refused, as if the task that was polled had been answered
 * by the commands that were.
 */
extern void service_advance_refuse(Advance *advance,
								   const Pb__RespondWorkflowTaskCompletedRequest *request);

/* The last task has failed; writes everything. */
extern void service_advance_fail(Advance *advance, const char *identity,
								 Pb__WorkflowTaskFailedCause cause, const Pb__Failure *failure);

#endif							/* TEMPORAL_SERVICE_ADVANCE_H */
