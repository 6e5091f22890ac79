/*
 * access.c
 *	  Rights of roles: the rows, and the privileges that go with them; API keys.
 */
#include "postgres.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "store/plan.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/syscache.h"

/*
 * store_role_is_granted -- does the role itself hold USAGE on our schema?
 *
 * Every role with a right does.  A role that was dropped, and created anew
 * under the same name, does not: the rows that are left mean nothing.
 */
bool
store_role_is_granted(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACENAME, CStringGetDatum("temporal"));
	bool		granted = false;
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(NAMESPACENAME, tuple, Anum_pg_namespace_nspacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclP(value);

		for (int i = 0; i < ACL_NUM(acl); i++)
		{
			const AclItem *item = &ACL_DAT(acl)[i];

			if (item->ai_grantee == role && (ACLITEM_GET_PRIVS(*item) & ACL_USAGE) != 0)
				granted = true;
		}
	}
	ReleaseSysCache(tuple);
	return granted;
}

#define ACCESS_SQL \
	"SELECT role_name::pg_catalog.text, access_right, task_queue, namespace_id FROM temporal.access"

/*
 * store_access -- the rights in a namespace, those in all of them included;
 * with NULL every right there is.
 */
List *
store_access(const pg_uuid_t *namespace_id)
{
	static Statement list = {
		ACCESS_SQL " WHERE namespace_id OPERATOR(pg_catalog.=) $1"
		" OR namespace_id OPERATOR(pg_catalog.=) $2",
		2, {UUIDOID, UUIDOID}
	};
	static Statement list_all = {ACCESS_SQL, 0};
	Datum		values[] = {
		uuid_datum(namespace_id != NULL ? namespace_id : &store_all_namespaces),
		uuid_datum(&store_all_namespaces)
	};
	uint64		n = store_run(namespace_id != NULL ? &list : &list_all, values, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		AccessRow  *row = palloc(sizeof(AccessRow));

		row->role_name = store_text(i, 1);
		row->right = store_text(i, 2);
		row->task_queue = store_text(i, 3);
		row->namespace_id = store_uuid(i, 4);
		rows = lappend(rows, row);
	}
	return rows;
}

void
store_insert_access(const pg_uuid_t *namespace_id, const char *role_name, const char *right,
					const char *task_queue)
{
	static Statement insert = {
		"INSERT INTO temporal.access (namespace_id, role_name, access_right, task_queue)"
		" VALUES ($1, $2::pg_catalog.name, $3, $4) ON CONFLICT DO NOTHING",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {
		uuid_datum(namespace_id), text_datum(role_name), text_datum(right), text_datum(task_queue)
	};

	store_run(&insert, values, NULL);
}

/* store_delete_access -- "right" and "task_queue" are NULL for any. */
void
store_delete_access(const pg_uuid_t *namespace_id, const char *role_name, const char *right,
					const char *task_queue)
{
	static Statement delete = {
		"DELETE FROM temporal.access WHERE namespace_id OPERATOR(pg_catalog.=) $1"
		" AND role_name OPERATOR(pg_catalog.=) $2::pg_catalog.name"
		" AND access_right OPERATOR(pg_catalog.=) coalesce($3, access_right)"
		" AND task_queue OPERATOR(pg_catalog.=) coalesce($4, task_queue)",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	};
	char		nulls[] = "    ";
	Datum		values[] = {
		uuid_datum(namespace_id), text_datum(role_name),
		text_datum(right == NULL ? "" : right), text_datum(task_queue == NULL ? "" : task_queue)
	};

	nulls[2] = right == NULL ? 'n' : ' ';
	nulls[3] = task_queue == NULL ? 'n' : ' ';
	store_run(&delete, values, nulls);
}

/* store_forget_role -- deletes all rights of a role, in every namespace. */
void
store_forget_role(const char *role_name)
{
	static Statement forget = {
		"DELETE FROM temporal.access WHERE role_name OPERATOR(pg_catalog.=) $1::pg_catalog.name",
		1, {TEXTOID}
	};
	Datum		values[] = {text_datum(role_name)};

	store_run(&forget, values, NULL);
}

/* store_role_has_access -- any right; "reads": one that lets it read tables. */
bool
store_role_has_access(const char *role_name, bool reads)
{
	static Statement find = {
		"SELECT FROM temporal.access WHERE role_name OPERATOR(pg_catalog.=) $1::pg_catalog.name"
		" AND (NOT $2 OR access_right OPERATOR(pg_catalog.<>) 'worker') LIMIT 1",
		2, {TEXTOID, BOOLOID}
	};
	Datum		values[] = {text_datum(role_name), BoolGetDatum(reads)};

	return store_run(&find, values, NULL) > 0;
}

static void
execute_for_role(const char *format, const char *role_name)
{
	char	   *sql = psprintf(format, quote_identifier(role_name));

	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not execute: %s", sql);
}

/* store_grant_privileges -- "reads": the tables and views too. */
void
store_grant_privileges(const char *role_name, bool reads)
{
	execute_for_role("GRANT USAGE ON SCHEMA temporal TO %s", role_name);
	execute_for_role("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA temporal TO %s", role_name);
	if (!reads)
		return;
	execute_for_role("GRANT SELECT ON ALL TABLES IN SCHEMA temporal TO %s", role_name);
	execute_for_role("REVOKE SELECT ON temporal.access, temporal.credential, temporal.instance,"
					 " temporal.signal_request FROM %s", role_name);
}

/* store_revoke_privileges -- "reads": those on the tables and views only. */
void
store_revoke_privileges(const char *role_name, bool reads)
{
	execute_for_role("REVOKE ALL ON ALL TABLES IN SCHEMA temporal FROM %s", role_name);
	if (reads)
		return;
	execute_for_role("REVOKE ALL ON ALL ROUTINES IN SCHEMA temporal FROM %s", role_name);
	execute_for_role("REVOKE ALL ON SCHEMA temporal FROM %s", role_name);
}

/* store_find_key -- the role that a key stands for, or NULL. */
char *
store_find_key(const char *key)
{
	static Statement find = {
		"SELECT role_name::pg_catalog.text FROM temporal.credential"
		" WHERE key_hash OPERATOR(pg_catalog.=) pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8'))"
		" AND (expires_at IS NULL OR expires_at OPERATOR(pg_catalog.>) pg_catalog.now())",
		1, {TEXTOID}
	};
	Datum		values[] = {text_datum(key)};

	return store_run(&find, values, NULL) > 0 ? store_text(0, 1) : NULL;
}
