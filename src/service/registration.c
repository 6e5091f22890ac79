/*
 * registration.c
 *	  Functions of the database that are workflows and activities.
 *
 * A function runs as the role that registered it.  Whoever polls a task queue
 * takes what comes next, so all functions of a queue (and kind) belong to one
 * role: else a role would be handed tasks that it must not run.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "service/registration.h"
#include "service/service.h"
#include "utils/acl.h"
#include "wake/wake.h"

#define DEFAULT_QUEUE "default"

typedef struct Request
{
	const char *namespace_name;
	int			kind;
	const char *name;
	const Registration *registration;
} Request;

static const char *
kind_name(int kind)
{
	return kind == QUEUE_TYPE(WORKFLOW) ? "workflow" : "activity";
}

/* Only the role that registered a function may change that. */
static void
check_owner(const ServiceCall *call, const char *role_name, const char *what, const char *name)
{
	Oid			role = get_role_oid(role_name, true);

	if (role == call->caller || superuser_arg(call->caller) || !OidIsValid(role))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_PERMISSION_DENIED),
			 errmsg("%s \"%s\" belongs to role \"%s\"", what, name, role_name),
			 errhint("Use another name or another task_queue.")));
}

typedef struct NewRegistration
{
	const char *namespace_name;
	Registration *registration;
} NewRegistration;

static void
register_body(ServiceCall *call, void *arg)
{
	const NewRegistration *new = arg;
	Registration *registration = new->registration;
	const Registration *old;
	const char *owner;

	service_use_namespace(call, new->namespace_name);
	service_authorize(call, RIGHT_WORKER, registration->task_queue);
	registration->namespace_id = call->namespace->id;
	registration->role_name = GetUserNameFromId(call->caller, false);
	old = store_find_registration(&call->namespace->id, registration->kind, registration->name);
	if (old != NULL)
	{
		check_owner(call, old->role_name, kind_name(registration->kind), registration->name);
		store_delete_registration(old);
	}
	owner = store_queue_owner(&call->namespace->id, registration->kind, registration->task_queue);
	if (owner != NULL && strcmp(owner, registration->role_name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_PERMISSION_DENIED),
				 errmsg("task queue \"%s\" serves %s functions of role \"%s\"",
						registration->task_queue, kind_name(registration->kind), owner),
				 errhint("All of them run as one role: use another task_queue.")));
	store_put_registration(registration);
	/* The keeper sees to it that somebody runs it. */
	wake_mark_due(call->now);
}

void
service_register(const char *namespace_name, Registration *registration)
{
	NewRegistration new = {namespace_name, registration};
	ServiceCall call;

	service_require_id(registration->name, "Name");
	service_require_id(registration->task_queue, "TaskQueue");
	service_begin(&call);
	service_act(&call, register_body, &new);
}

static void
unregister_body(ServiceCall *call, void *arg)
{
	Request    *request = arg;
	const Registration *old;

	service_use_namespace(call, request->namespace_name);
	service_authorize(call, RIGHT_ANY, NULL);
	old = store_find_registration(&call->namespace->id, request->kind, request->name);
	if (old == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NOT_FOUND),
				 errmsg("%s \"%s\" is not registered", kind_name(request->kind), request->name)));
	check_owner(call, old->role_name, kind_name(request->kind), request->name);
	store_delete_registration(old);
	wake_mark_due(call->now);
}

void
service_unregister(const char *namespace_name, int kind, const char *name)
{
	Request		request = {namespace_name, kind, name, NULL};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, unregister_body, &request);
}

static void
find_body(ServiceCall *call, void *arg)
{
	Request    *request = arg;

	service_use_namespace(call, request->namespace_name);
	service_authorize(call, RIGHT_ANY, NULL);
	request->registration = store_find_registration(&call->namespace->id, request->kind,
													request->name);
}

const Registration *
service_find_registration(const char *namespace_name, int kind, const char *name)
{
	Request		request = {namespace_name, kind, name, NULL};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, find_body, &request);
	return request.registration;
}

/* Whoever may not know learns nothing. */
static void
queue_body(ServiceCall *call, void *arg)
{
	Request    *request = arg;

	call->namespace = store_find_namespace(request->namespace_name);
	if (call->namespace != NULL && service_allowed(call, RIGHT_ANY, NULL))
		request->registration = store_find_registration(&call->namespace->id, request->kind,
														request->name);
}

const char *
service_workflow_queue(const char *namespace_name, const char *workflow_type)
{
	Request		request = {namespace_name, QUEUE_TYPE(WORKFLOW), workflow_type, NULL};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, queue_body, &request);
	return request.registration != NULL ? request.registration->task_queue : DEFAULT_QUEUE;
}

/* Rights, or the namespace, may have been taken away since its functions were registered. */
static bool
may_serve(ServiceCall *call, const Namespace *namespace, const ServedQueue *queue)
{
	if (namespace == NULL || namespace->state == PB__NAMESPACE_STATE__NAMESPACE_STATE_DELETED)
		return false;
	call->namespace = unconstify(Namespace *, namespace);
	return service_allowed(call, RIGHT_WORKER, queue->task_queue);
}

static void
served_body(ServiceCall *call, void *arg)
{
	List	  **served = arg;
	ListCell   *cell;

	foreach(cell, store_served_queues(GetUserNameFromId(call->caller, false)))
	{
		const ServedQueue *row = lfirst(cell);
		const Namespace *namespace = store_find_namespace_id(&row->namespace_id);
		ServiceQueue *queue = palloc(sizeof(ServiceQueue));

		if (!may_serve(call, namespace, row))
			continue;
		queue->namespace_name = namespace->name;
		queue->kind = row->kind;
		queue->name = row->task_queue;
		queue->queue_id = ident_queue(&row->namespace_id, row->kind, row->task_queue);
		*served = lappend(*served, queue);
	}
}

uint64
service_registrations_version(void)
{
	return store_registrations_version();
}

List *
service_served_queues(void)
{
	List	   *served = NIL;
	ServiceCall call;

	service_begin(&call);
	service_act(&call, served_body, &served);
	return served;
}

typedef struct Roles
{
	bool		looking;
	List	   *roles;
} Roles;

/* The entry of a role: rows come by role, so it is the last. */
static FunctionRole *
role_entry(Roles *roles, Oid role)
{
	FunctionRole *last = roles->roles != NIL ? llast(roles->roles) : NULL;

	if (last != NULL && last->role == role)
		return last;
	last = palloc0(sizeof(FunctionRole));
	last->role = role;
	roles->roles = lappend(roles->roles, last);
	return last;
}

static void
roles_body(ServiceCall *call, void *arg)
{
	Roles	   *roles = arg;
	ListCell   *cell;

	if (!store_adopted())
		return;
	foreach(cell, store_all_served_queues())
	{
		const ServedQueue *row = lfirst(cell);
		Oid			role = get_role_oid(row->role_name, true);
		uint64		queue_id = ident_queue(&row->namespace_id, row->kind, row->task_queue);
		const Namespace *namespace = store_find_namespace_id(&row->namespace_id);
		FunctionRole *entry;

		call->caller = role;
		if (!OidIsValid(role) || !may_serve(call, namespace, row))
			continue;
		entry = role_entry(roles, role);
		entry->queues = ident_hash(entry->queues, &queue_id, sizeof(queue_id));
		if (roles->looking && !entry->has_work)
			entry->has_work = store_oldest_task(queue_id, DT_NOBEGIN) != 0;
	}
}

List *
service_function_roles(bool looking)
{
	Roles		roles = {looking, NIL};
	ServiceCall call;

	service_begin(&call);
	service_act(&call, roles_body, &roles);
	return roles.roles;
}
