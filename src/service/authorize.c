/*
 * authorize.c
 *	  Who may do what in which namespace.
 *
 * Rights are rows of temporal.access for roles; members of a role have what it
 * has.  The owner of the extension and superusers may do everything.
 *
 * Whoever has no right in a namespace does not learn whether it exists.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "service/service.h"
#include "utils/acl.h"

/* Does the right named in a row include the one asked for? */
static bool
includes(const AccessRow *row, Right right, const char *task_queue)
{
	if (strcmp(row->right, "admin") == 0)
		return true;
	switch (right)
	{
		case RIGHT_VIEWER:
			return strcmp(row->right, "worker") != 0;
		case RIGHT_CLIENT:
			return strcmp(row->right, "client") == 0;
		case RIGHT_WORKER:
			return strcmp(row->right, "worker") == 0 &&
				(row->task_queue[0] == '\0' ||
				 (task_queue != NULL && strcmp(row->task_queue, task_queue) == 0));
		default:
			return right == RIGHT_ANY;
	}
}

/* Is the caller, or a role that it is a member of, meant by the row? */
static bool
is_for_caller(const ServiceCall *call, const AccessRow *row)
{
	Oid			role = get_role_oid(row->role_name, true);

	return OidIsValid(role) && has_privs_of_role(call->caller, role) &&
		store_role_is_granted(role);
}

static bool
is_owner(const ServiceCall *call)
{
	return superuser_arg(call->caller) || has_privs_of_role(call->caller, store_owner());
}

bool
service_allowed(const ServiceCall *call, Right right, const char *task_queue)
{
	ListCell   *cell;

	if (is_owner(call))
		return true;
	foreach(cell, store_access(call->namespace != NULL ? &call->namespace->id :
							   &store_all_namespaces))
	{
		AccessRow  *row = lfirst(cell);

		if (includes(row, right, task_queue) && is_for_caller(call, row))
			return true;
	}
	return false;
}

static List *
every_namespace(void)
{
	List	   *ids = list_make1(&store_find_namespace("default")->id);
	ListCell   *cell;

	foreach(cell, store_list_namespaces("", INT_MAX))
		ids = lappend(ids, &((Namespace *) lfirst(cell))->id);
	return ids;
}

/*
 * service_readable -- ids of the namespaces that the caller may read, maybe
 * some twice.  Costs a look at every right, not at every namespace.
 */
List *
service_readable(const ServiceCall *call)
{
	bool		all = is_owner(call);
	List	   *ids = NIL;
	ListCell   *cell;

	foreach(cell, all ? NIL : store_access(NULL))
	{
		AccessRow  *row = lfirst(cell);

		if (!includes(row, RIGHT_VIEWER, NULL) || !is_for_caller(call, row))
			continue;
		ids = lappend(ids, &row->namespace_id);
		if (memcmp(&row->namespace_id, &store_all_namespaces, sizeof(pg_uuid_t)) == 0)
			all = true;
	}
	return all ? every_namespace() : ids;
}

/*
 * service_may_work -- may the caller do the work of anybody?
 *
 * Of all namespaces (true, NIL), of every queue of some (true, their ids), of
 * single queues only (true, "queues_only"), or of none.
 */
bool
service_may_work(const ServiceCall *call, List **namespace_ids, bool *queues_only)
{
	bool		found = is_owner(call);
	ListCell   *cell;

	*namespace_ids = NIL;
	*queues_only = false;
	foreach(cell, found ? NIL : store_access(NULL))
	{
		AccessRow  *row = lfirst(cell);
		bool		every = memcmp(&row->namespace_id, &store_all_namespaces, UUID_LEN) == 0;

		if (!is_for_caller(call, row))
			continue;
		if (every && strcmp(row->right, "admin") == 0)
		{
			*namespace_ids = NIL;
			*queues_only = false;
			return true;
		}
		found |= includes(row, RIGHT_WORKER, row->task_queue);
		if (includes(row, RIGHT_WORKER, NULL))
			*namespace_ids = every ? list_concat(*namespace_ids, every_namespace()) :
				lappend(*namespace_ids, &row->namespace_id);
	}
	*queues_only = !is_owner(call) && *namespace_ids == NIL;
	return found;
}

static void
unauthorized(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_PERMISSION_DENIED),
			 errmsg("Request unauthorized."),
			 errhint("Ask an administrator for temporal.grant_usage() on the namespace.")));
}

/* service_authorize -- an error unless the caller has the right. */
void
service_authorize(const ServiceCall *call, Right right, const char *task_queue)
{
	if (!service_allowed(call, right, task_queue))
		unauthorized();
}

/*
 * service_authorize_run -- the same for what workers do with runs on their
 * task queue, too: a worker reads its history page by page.
 */
void
service_authorize_run(const ServiceCall *call, Right right, const ExecutionState *state)
{
	if (!service_allowed(call, right, NULL) &&
		!service_allowed(call, RIGHT_WORKER, state->info->task_queue))
		unauthorized();
}

typedef struct KeySearch
{
	const char *key;
	Oid			role;
} KeySearch;

static void
find_key(ServiceCall *call, void *arg)
{
	KeySearch  *search = arg;
	char	   *name = store_find_key(search->key);

	if (name != NULL)
		search->role = get_role_oid(name, true);
}

/* service_role_of_key -- whom an API key stands for; InvalidOid for nobody. */
Oid
service_role_of_key(ServiceCall *call, const char *key)
{
	KeySearch	search = {key, InvalidOid};
	static const char letters[] = "_0123456789abcdefghijklmnopqrstuvwxyz";

	/* What may be no text of this database has not been made by us. */
	if (key[strspn(key, letters)] == '\0')
		service_act(call, find_key, &search);
	return search.role;
}
