/*
 * namespace.c
 *	  Namespaces, search attribute types, access rights, and whose database
 *	  this is.
 *
 * Namespace "default" exists without a row; it gets one when it is changed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "core/decide.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/proc.h"
#include "store/plan.h"
#include "store/tuple.h"
#include "store/watch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define DEFAULT_NAMESPACE "default"
#define DEFAULT_RETENTION (USECS_PER_DAY * 3)

/* A UUID of version 8 that spells nothing but is the same everywhere. */
const pg_uuid_t default_namespace_id = {
	{0x64, 0x65, 0x66, 0x61, 0x75, 0x6c, 0x84, 0x74,
	 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01}
};

const pg_uuid_t store_all_namespaces = {{0}};

/* store_is_default -- rows of "history" and "task" do not name that one. */
bool
store_is_default(const pg_uuid_t *namespace_id)
{
	return memcmp(namespace_id, &default_namespace_id, sizeof(*namespace_id)) == 0;
}

#define NAMESPACE_COLUMNS "id, name, state, retention, created_at, info"

static Namespace *
namespace_row(uint64 row)
{
	Namespace  *namespace = palloc0(sizeof(Namespace));

	namespace->id = store_uuid(row, 1);
	namespace->name = store_text(row, 2);
	namespace->state = store_int16(row, 3);
	namespace->retention = store_int64(row, 4);
	namespace->created_at = store_time(row, 5);
	namespace->info = store_bytea(row, 6);
	namespace->stored = true;
	return namespace;
}

static Namespace *
built_in_namespace(void)
{
	Namespace  *namespace = palloc0(sizeof(Namespace));

	namespace->id = default_namespace_id;
	namespace->name = DEFAULT_NAMESPACE;
	namespace->state = PB__NAMESPACE_STATE__NAMESPACE_STATE_REGISTERED;
	namespace->retention = DEFAULT_RETENTION;
	return namespace;
}

#define BY_NAME_SQL \
	"SELECT " NAMESPACE_COLUMNS " FROM temporal.namespace WHERE name OPERATOR(pg_catalog.=) $1"

/* As it is in the table; NULL if there is none. */
static Namespace *
read_namespace(const char *name)
{
	static Statement find = {BY_NAME_SQL, 1, {TEXTOID}};
	Datum		values[] = {text_datum(name)};

	if (store_run(&find, values, NULL) > 0)
		return namespace_row(0);
	return strcmp(name, DEFAULT_NAMESPACE) == 0 ? built_in_namespace() : NULL;
}

static Namespace *
copy_namespace(const Namespace *namespace)
{
	Namespace  *copy = palloc(sizeof(Namespace));

	*copy = *namespace;
	copy->name = pstrdup(namespace->name);
	if (namespace->info != NULL)
		copy->info = DatumGetByteaPCopy(PointerGetDatum(namespace->info));
	return copy;
}

/* Those that this process has asked for, of that version. */
static MemoryContext cache = NULL;
static List *cached = NIL;
static uint64 cached_version = 0;

static void
forget_older(uint64 version)
{
	if (cache == NULL)
		cache = AllocSetContextCreate(TopMemoryContext, "temporal namespaces",
									  ALLOCSET_SMALL_SIZES);
	if (version == cached_version)
		return;
	cached = NIL;
	MemoryContextReset(cache);
	cached_version = version;
}

static void
keep(const Namespace *namespace)
{
	MemoryContext caller = MemoryContextSwitchTo(cache);

	cached = lappend(cached, copy_namespace(namespace));
	MemoryContextSwitchTo(caller);
}

/*
 * store_find_namespace -- the caller's copy; NULL if there is none.
 *
 * Every call asks, so those that exist are kept, but for a transaction whose
 * snapshot may be older than what we heard.
 */
Namespace *
store_find_namespace(const char *name)
{
	uint64		version = watch_version(WATCH_NAMESPACE);
	Namespace  *namespace;
	ListCell   *cell;

	if (IsolationUsesXactSnapshot())
		return read_namespace(name);
	forget_older(version);
	foreach(cell, cached)
	{
		namespace = lfirst(cell);
		if (strcmp(namespace->name, name) == 0)
			return copy_namespace(namespace);
	}
	namespace = read_namespace(name);
	if (namespace != NULL && watch_version(WATCH_NAMESPACE) == version)
		keep(namespace);
	return namespace;
}

/* store_lock_namespace -- its row, locked for an update; NULL without one. */
Namespace *
store_lock_namespace(const char *name)
{
	static Statement find = {BY_NAME_SQL, 1, {TEXTOID}};
	static Statement lock = {BY_NAME_SQL " FOR UPDATE", 1, {TEXTOID}};
	Datum		values[] = {text_datum(name)};

	return store_find(&lock, &find, values) ? namespace_row(0) : NULL;
}

Namespace *
store_find_namespace_id(const pg_uuid_t *id)
{
	static Statement find = {
		"SELECT " NAMESPACE_COLUMNS " FROM temporal.namespace WHERE id OPERATOR(pg_catalog.=) $1",
		1, {UUIDOID}
	};
	Datum		values[] = {uuid_datum(id)};

	if (store_run(&find, values, NULL) > 0)
		return namespace_row(0);
	return store_is_default(id) ? built_in_namespace() : NULL;
}

/* store_insert_namespace -- false if the name is taken. */
bool
store_insert_namespace(const Namespace *namespace)
{
	static Statement insert = {
		"INSERT INTO temporal.namespace (id, name, state, retention, created_at, info)"
		" VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
		6, {UUIDOID, TEXTOID, INT2OID, INT8OID, TIMESTAMPTZOID, BYTEAOID}
	};
	Datum		values[] = {
		uuid_datum(&namespace->id), text_datum(namespace->name),
		Int16GetDatum(namespace->state), Int64GetDatum(namespace->retention),
		TimestampTzGetDatum(namespace->created_at), PointerGetDatum(namespace->info)
	};

	watch_tell(WATCH_NAMESPACE);
	return store_run(&insert, values, NULL) > 0;
}

void
store_update_namespace(const Namespace *namespace)
{
	static Statement update = {
		"UPDATE temporal.namespace SET state = $2, retention = $3, info = $4"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		4, {UUIDOID, INT2OID, INT8OID, BYTEAOID}
	};
	Datum		values[] = {
		uuid_datum(&namespace->id), Int16GetDatum(namespace->state),
		Int64GetDatum(namespace->retention), PointerGetDatum(namespace->info)
	};

	watch_tell(WATCH_NAMESPACE);
	store_run(&update, values, NULL);
}

/* store_list_namespaces -- those with a row, by name, after "after". */
List *
store_list_namespaces(const char *after, int limit)
{
	static Statement list = {
		"SELECT " NAMESPACE_COLUMNS " FROM temporal.namespace"
		" WHERE name OPERATOR(pg_catalog.>) $1 ORDER BY name LIMIT $2",
		2, {TEXTOID, INT8OID}
	};
	Datum		values[] = {text_datum(after), Int64GetDatum(limit)};
	uint64		n = store_run(&list, values, NULL);
	List	   *namespaces = NIL;

	for (uint64 i = 0; i < n; i++)
		namespaces = lappend(namespaces, namespace_row(i));
	return namespaces;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const Namespace *) lfirst(a))->name, ((const Namespace *) lfirst(b))->name);
}

/* store_every_namespace -- by name, the built-in one included. */
List *
store_every_namespace(void)
{
	List	   *namespaces = store_list_namespaces("", PG_INT32_MAX);
	Namespace  *built_in = store_find_namespace(DEFAULT_NAMESPACE);

	if (!built_in->stored)
		namespaces = lappend(namespaces, built_in);
	list_sort(namespaces, compare_names);
	return namespaces;
}

/* store_attribute_types -- the custom search attributes: of AttributeType. */
List *
store_attribute_types(const pg_uuid_t *namespace_id)
{
	static Statement list = {
		"SELECT name, type FROM temporal.search_attribute"
		" WHERE namespace_id OPERATOR(pg_catalog.=) $1",
		1, {UUIDOID}
	};
	Datum		values[] = {uuid_datum(namespace_id)};
	uint64		n = store_run(&list, values, NULL);
	List	   *types = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		AttributeType *type = palloc(sizeof(AttributeType));

		type->name = store_text(i, 1);
		type->type = store_int16(i, 2);
		types = lappend(types, type);
	}
	return types;
}

/* store_add_attribute_type -- a name that exists keeps its type. */
void
store_add_attribute_type(const pg_uuid_t *namespace_id, const char *name, int type)
{
	static Statement insert = {
		"INSERT INTO temporal.search_attribute (namespace_id, name, type) VALUES ($1, $2, $3)"
		" ON CONFLICT DO NOTHING",
		3, {UUIDOID, TEXTOID, INT2OID}
	};
	Datum		values[] = {
		uuid_datum(namespace_id), text_datum(name), Int16GetDatum(type)
	};

	store_run(&insert, values, NULL);
}

bool
store_remove_attribute_type(const pg_uuid_t *namespace_id, const char *name)
{
	static Statement delete = {
		"DELETE FROM temporal.search_attribute WHERE namespace_id OPERATOR(pg_catalog.=) $1"
		" AND name OPERATOR(pg_catalog.=) $2",
		2, {UUIDOID, TEXTOID}
	};
	Datum		values[] = {uuid_datum(namespace_id), text_datum(name)};

	return store_run(&delete, values, NULL) > 0;
}

/* Transactions in which that was found, and in which it changed. */
static LocalTransactionId adopted_in = InvalidLocalTransactionId;
static LocalTransactionId adopting_in = InvalidLocalTransactionId;

static bool
is_adopted(void)
{
	Relation	rel = table_openrv(makeRangeVar("temporal", "instance", -1), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	bool		found = false;
	bool		foreign = false;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		system = DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull));
		Oid			database = DatumGetObjectId(heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull));

		found = true;
		foreign |= system != (int64) GetSystemIdentifier() || database != MyDatabaseId;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found && !foreign;
}

/*
 * store_adopted -- may this database act on what it holds?
 *
 * A restored or cloned copy may not until somebody says so.  The answer is kept
 * for a transaction at most: a dump may be restored into a database that has
 * been in use.
 */
bool
store_adopted(void)
{
	LocalTransactionId xact = compat_local_xid();

	if (adopted_in == xact && adopting_in != xact)
		return true;
	adopted_in = is_adopted() ? xact : InvalidLocalTransactionId;
	return adopted_in == xact;
}

/* store_adopt -- from now on this database is the one that acts. */
void
store_adopt(void)
{
	static Statement clear = {"DELETE FROM temporal.instance", 0};
	static Statement insert = {
		"INSERT INTO temporal.instance (system_identifier, database_oid) VALUES ($1, $2)",
		2, {INT8OID, OIDOID}
	};
	Datum		values[] = {
		Int64GetDatum((int64) GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)
	};

	adopting_in = compat_local_xid();
	store_run(&clear, NULL, NULL);
	store_run(&insert, values, NULL);
	/* What was restored came without a word. */
	for (Watched table = 0; table < WATCHED_TABLES; table++)
		watch_tell(table);
}

/* store_shard_count -- how many shards this database was installed with. */
int
store_shard_count(void)
{
	return 1;
}
