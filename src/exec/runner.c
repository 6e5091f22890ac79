/*
 * runner.c
 *	  Running the functions that are registered, many tasks in a transaction.
 *
 * Tasks are taken and answered through the same methods as by any worker.
 * Here the three are one transaction: taking the task, the call of the
 * function in a subtransaction of its own, and the answer.  So what an
 * activity writes is there if and only if its completion is.
 *
 * An activity with effects elsewhere must be known to have begun before it
 * does, and so must one whose heartbeats are watched: for those taking the task
 * is committed first.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "exec/rehearse.h"
#include "exec/runner.h"
#include "miscadmin.h"
#include "service/advance.h"
#include "store/xact.h"
#include "utils/memutils.h"
#include "wake/wake.h"

/* One task of a batch. */
typedef struct Job
{
	Task		task;
	Batch	   *batch;
	RunOutcome	outcome;
} Job;

/*
 * Has it effects that a rollback does not undo?  Or has it failed in a way that
 * may take the company with it: one that ended its process leaves no trace, if
 * its attempt is rolled back with the rest.
 */
static bool
has_outside_effects(const Task *task)
{
	if (task->timed && (task->workflow != NULL ? task->workflow->attempt > 1 :
						task->activity->attempt > 2))
		return true;
	return task->activity != NULL && task->registration != NULL &&
		!task->registration->transactional && mock_find(task->registration->name) == NULL;
}

/* Must others know that it has begun?  So they must to time it out by its heartbeats. */
static bool
must_be_apart(const Task *task)
{
	return has_outside_effects(task) ||
		(task->activity != NULL && proto_duration_us(task->activity->heartbeat_timeout) > 0);
}

static void
do_job(void *arg)
{
	Job		   *job = arg;

	job->outcome = RUN_NOTHING;
	if (!task_take(&job->task))
		return;
	if (job->batch->absent != NULL)
		job->batch->absent(job->task.queue->queue_id);
	job->outcome = job->batch->timed && must_be_apart(&job->task) ? RUN_APART : RUN_DONE;
	if (!job->batch->timed && has_outside_effects(&job->task))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("activity \"%s\" is not transactional", job->task.registration->name),
				 errhint("CALL temporal.run() runs it; in a test, temporal.mock_activity() stands in for it.")));
	/* It has failed before: others first. */
	job->task.slow = job->outcome == RUN_APART && job->task.workflow != NULL &&
		job->batch->patient;
	if (job->outcome == RUN_DONE)
		task_do(&job->task);
	else if (!job->task.slow)
	{
		task_keep(&job->task);
		job->task.advance = NULL;
	}
	/* Its taking is undone. */
	if (job->task.slow)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED), errmsg("workflow function is not quick")));
}

static void
pass_over(const Job *job)
{
	if (job->task.offer != NULL)
		job->batch->passed_over = lappend(job->batch->passed_over,
										  unconstify(TaskRow *, job->task.offer));
}

/* Others need not wait for it. */
static void
put_off(Job *job)
{
	job->outcome = RUN_LATER;
	job->batch->slow = unconstify(TaskRow *, job->task.offer);
}

/* It is as if it had not been taken: not an attempt that has failed. */
static void
put_back(Job *job, const ErrorData *error)
{
	if (failure_class(error) == ERROR_ENDS)
		ReThrowError(unconstify(ErrorData *, error));
	/* That somebody holds what it needs is nothing unusual. */
	ereport(failure_class(error) == ERROR_AGAIN && MyBackendType == B_BG_WORKER ? DEBUG1 : WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("task of queue \"%s\" was put back: %s", job->task.queue->name,
					error->message),
			 errdetail_log("Its functions belong to role \"%s\" in database \"%s\".",
						   job->task.identity, get_database_name(MyDatabaseId))));
	job->outcome = RUN_LATER;
	job->batch->denied |= error->sqlerrcode == ERRCODE_TEMPORAL_PERMISSION_DENIED ||
		error->sqlerrcode == ERRCODE_TEMPORAL_FAILED_PRECONDITION;
	/* What is wrong with it will be so the next time: in the end it is done apart. */
	if (failure_class(error) != ERROR_AGAIN &&
		(job->task.workflow != NULL || job->task.activity != NULL))
		job->task.collided = true;
	if (!job->batch->timed)
		pass_over(job);
}

RunOutcome
runner_do_task(const ServiceQueue *queue, Batch *batch)
{
	Job			job = {{0}, batch, RUN_NOTHING};
	WakeBlame	blame = wake_set_blame(batch->timed ? WAKE_BLAME_ALONE : WAKE_BLAME_NONE);
	ErrorData  *error;

	job.task.queue = queue;
	job.task.timed = batch->timed;
	job.task.quick = batch->patient;
	job.task.shared = batch->timed && batch->done > 0;
	job.task.passed_over = batch->passed_over;
	job.task.identity = GetUserNameFromId(GetUserId(), false);
	error = xact_guard(do_job, &job);
	/* With more care this time: see workflow_task.c. */
	if (error != NULL && job.task.advance != NULL && service_advance_refused(job.task.advance))
	{
		job.task.collided = false;
		error = xact_guard(do_job, &job);
	}
	wake_set_blame(blame);
	if (error != NULL && job.task.slow)
		put_off(&job);
	else if (error != NULL)
		put_back(&job, error);
	batch->collided |= job.task.collided;
	batch->held |= job.task.held || (job.outcome == RUN_LATER && !job.task.slow);
	if (job.task.pause > 0 && (batch->pause == 0 || job.task.pause < batch->pause))
		batch->pause = job.task.pause;
	batch->contended |= job.outcome == RUN_LATER && !job.task.slow && job.task.shared;
	if (job.outcome == RUN_DONE)
		batch->done++;
	if (job.outcome == RUN_APART)
	{
		batch->apart = palloc(sizeof(Task));
		*batch->apart = job.task;
		batch->apart->apart = true;
		batch->apart->shared = batch->apart->quick = false;
	}
	return job.outcome;
}
