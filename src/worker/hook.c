/*
 * hook.c
 *	  Commands of others that concern our workers.
 *
 * DROP DATABASE, ALTER DATABASE RENAME and SET TABLESPACE, and CREATE DATABASE
 * with a template want nobody in the database, so our workers leave it first
 * and stay away until the transaction has ended.  Only who may run the command
 * can make them leave; everybody else goes straight on to PostgreSQL's own
 * refusal.
 *
 * When a transaction that created or dropped an extension, or changed the list
 * of databases, has committed, the launcher is told.  Any extension will do:
 * that is rare, and looking costs little.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "wake/process.h"
#include "wake/wake.h"
#include "worker/hook.h"

static ProcessUtility_hook_type next_utility;
static object_access_hook_type next_object_access;

/* What this transaction has changed. */
static bool extension_changed = false;
static bool databases_changed = false;

/* What a command wants to have for itself, and what that takes. */
typedef struct Wish
{
	const char *database;  /* NULL: nothing */
	bool createdb;         /* needs the right to create databases */
	bool template_is_free; /* whoever has that right may copy a template */
	bool in_block;         /* works in a transaction block */
} Wish;

static DefElem *
find_option(List *options, const char *name)
{
	ListCell *cell;

	foreach(cell, options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return option;
	}
	return NULL;
}

static Wish
wish_of(Node *command)
{
	Wish wish = {NULL};

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			wish.database = ((DropdbStmt *) command)->dbname;
			break;
		case T_CreatedbStmt:
		{
			DefElem *option = find_option(((CreatedbStmt *) command)->options, "template");

			wish.database = option ? defGetString(option) : "template1";
			wish.createdb = true;
			wish.template_is_free = true;
			break;
		}
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) command)->options, "tablespace"))
				wish.database = ((AlterDatabaseStmt *) command)->dbname;
			break;
		case T_RenameStmt:
			if (((RenameStmt *) command)->renameType == OBJECT_DATABASE)
			{
				wish.database = ((RenameStmt *) command)->subname;
				wish.createdb = true;
				wish.in_block = true;
			}
			break;
		default:
			break;
	}
	return wish;
}

static bool
may_create_databases(void)
{
	HeapTuple tuple;
	bool may;

	if (superuser())
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	may = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return may;
}

static bool
is_template(Oid database)
{
	HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool is;

	is = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return is;
}

/* Will PostgreSQL let this user do it? */
static bool
is_allowed(const Wish *wish, Oid database)
{
	if (wish->createdb && !may_create_databases())
		return false;
	if (wish->template_is_free && is_template(database))
		return true;
	return compat_database_ownercheck(database, GetUserId());
}

/* Makes our workers leave the database that a command wants for itself. */
static void
make_room(Node *command, bool is_top_level)
{
	Wish wish = wish_of(command);
	Oid database;

	if (wish.database == NULL || (!wish.in_block && IsInTransactionBlock(is_top_level)))
		return;
	database = get_database_oid(wish.database, true);
	if (!OidIsValid(database) || !is_allowed(&wish, database))
		return;
	process_hold(database);
	process_wait_until_gone(database);
}

static void
on_utility(PlannedStmt *statement, const char *query, bool read_only_tree,
		   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
		   DestReceiver *destination, QueryCompletion *completion)
{
	if (wake_available() && IsTransactionState())
		make_room(statement->utilityStmt, context == PROCESS_UTILITY_TOPLEVEL);

	if (next_utility)
		next_utility(statement, query, read_only_tree, context, params, environment, destination,
					 completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, params, environment,
								destination, completion);
}

static void
on_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (next_object_access)
		next_object_access(access, class_id, object_id, sub_id, arg);

	if (access != OAT_POST_CREATE && access != OAT_DROP && access != OAT_POST_ALTER)
		return;
	if (class_id == ExtensionRelationId)
		extension_changed = true;
	else if (class_id == DatabaseRelationId)
		databases_changed = true;
}

/* Nothing here may fail when the transaction has committed. */
static void
on_xact(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (!wake_available())
		return;
	if (event == XACT_EVENT_COMMIT && extension_changed)
		process_poke(MyDatabaseId);
	if (event == XACT_EVENT_COMMIT && databases_changed)
		process_poke(InvalidOid);
	extension_changed = false;
	databases_changed = false;
	process_release_holds();
}

/* hook_install -- called once, by _PG_init(), when the library is preloaded. */
void
hook_install(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
	next_object_access = object_access_hook;
	object_access_hook = on_object_access;
	RegisterXactCallback(on_xact, NULL);
}
