/*
 * access.c
 *	  Granting rights, and what the whole database may do.
 *
 * A right is a row that says who may do what, and the privileges of the role
 * on our schema: functions check the row, row security shows what it allows.
 */
#include "postgres.h"

#include "service/access.h"
#include "service/service.h"
#include "utils/acl.h"

#define ALL_NAMESPACES "*"

static const char *const rights[] = {"client", "worker", "viewer", "admin"};

static void
with_store(ServiceBody body, void *arg)
{
	ServiceCall call;

	service_begin(&call);
	service_act(&call, body, arg);
}

typedef struct Grant
{
	const char *role_name;
	const char *namespace_name;
	const char *right;
	const char *task_queue;
} Grant;

/* The namespace a grant is about; administrators of it may grant. */
static pg_uuid_t
grant_namespace(ServiceCall *call, const Grant *grant)
{
	if (strcmp(grant->namespace_name, ALL_NAMESPACES) != 0)
		service_use_namespace(call, grant->namespace_name);
	service_authorize(call, RIGHT_ADMIN, NULL);
	return call->namespace != NULL ? call->namespace->id : store_all_namespaces;
}

static void
check_right(const char *right)
{
	for (size_t i = 0; i < lengthof(rights); i++)
		if (strcmp(rights[i], right) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid right: \"%s\"", right),
			 errhint("It is client, worker, viewer or admin.")));
}

/* Functions are run for those only who have the right to. */
static void
tell_executors(const ServiceCall *call)
{
	store_tell_registrations();
	wake_mark_due(call->now);
}

static void
grant_body(ServiceCall *call, void *arg)
{
	const Grant *grant = arg;
	pg_uuid_t	id = grant_namespace(call, grant);

	check_right(grant->right);
	if (grant->task_queue[0] != '\0' && strcmp(grant->right, "worker") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("only the right \"worker\" can be limited to a task queue")));
	if (!store_role_is_granted(get_role_oid(grant->role_name, false)))
		store_forget_role(grant->role_name);
	store_insert_access(&id, grant->role_name, grant->right, grant->task_queue);
	store_grant_privileges(grant->role_name, strcmp(grant->right, "worker") != 0);
	tell_executors(call);
}

void
service_grant(const char *role_name, const char *namespace_name, const char *right,
			  const char *task_queue)
{
	Grant		grant = {role_name, namespace_name, right, task_queue};

	with_store(grant_body, &grant);
}

static void
revoke_body(ServiceCall *call, void *arg)
{
	const Grant *grant = arg;
	pg_uuid_t	id = grant_namespace(call, grant);

	if (grant->right != NULL)
		check_right(grant->right);
	store_delete_access(&id, grant->role_name, grant->right, grant->task_queue);
	tell_executors(call);
	if (!OidIsValid(get_role_oid(grant->role_name, true)))
		return;
	if (!store_role_has_access(grant->role_name, true))
		store_revoke_privileges(grant->role_name, store_role_has_access(grant->role_name, false));
}

void
service_revoke(const char *role_name, const char *namespace_name, const char *right,
			   const char *task_queue)
{
	Grant		grant = {role_name, namespace_name, right, task_queue};

	with_store(revoke_body, &grant);
}

static void
readable_body(ServiceCall *call, void *arg)
{
	*(List **) arg = service_readable(call);
}

List *
service_readable_namespaces(void)
{
	List	   *ids = NIL;

	with_store(readable_body, &ids);
	return ids;
}

static void
adopt_body(ServiceCall *call, void *arg)
{
	service_authorize(call, RIGHT_ADMIN, NULL);
	store_adopt();
}

void
service_adopt(void)
{
	with_store(adopt_body, NULL);
}

static void
adopted_body(ServiceCall *call, void *arg)
{
	*(bool *) arg = store_adopted();
}

bool
service_adopted(void)
{
	bool		adopted = false;

	with_store(adopted_body, &adopted);
	return adopted;
}

static void
require_superadmin_body(ServiceCall *call, void *arg)
{
	service_authorize(call, RIGHT_ADMIN, NULL);
}

void
service_require_superadmin(void)
{
	with_store(require_superadmin_body, NULL);
}
