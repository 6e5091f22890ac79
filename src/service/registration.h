/*
 * registration.h
 *	  Functions of the database that are workflows and activities.
 */
#ifndef TEMPORAL_SERVICE_REGISTRATION_H
#define TEMPORAL_SERVICE_REGISTRATION_H

#include "store/store.h"

/*
 * Registers, in the place of what has that name.  The caller must be a worker
 * of the task queue, and no other role may have functions on it.
 */
extern void service_register(const char *namespace_name, Registration *registration);
extern void service_unregister(const char *namespace_name, int kind, const char *name);

/* By type name, for the transaction at hand; NULL if there is none. */
extern const Registration *service_find_registration(const char *namespace_name, int kind,
													 const char *name);

/* Where a workflow runs if its starter does not say: "default" if nobody knows. */
extern const char *service_workflow_queue(const char *namespace_name, const char *workflow_type);

/* A task queue that the functions of a role serve. */
typedef struct ServiceQueue
{
	const char *namespace_name;
	int			kind;
	const char *name;
	uint64		queue_id;
} ServiceQueue;

/* Another one when what is served may have changed. */
extern uint64 service_registrations_version(void);

/* Of ServiceQueue: those of the current role. */
extern List *service_served_queues(void);

/* A role that has functions, as the keeper sees it. */
typedef struct FunctionRole
{
	Oid			role;
	uint64		queues;			/* a hash of the queues that it serves */
	bool		has_work;		/* a task waits in one of them */
} FunctionRole;

/* Of FunctionRole: all that exist.  Looks for work only if "looking" says so. */
extern List *service_function_roles(bool looking);

#endif							/* TEMPORAL_SERVICE_REGISTRATION_H */
