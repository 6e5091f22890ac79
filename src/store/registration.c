/*
 * registration.c
 *	  Functions that are registered as workflows and activities.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "store/plan.h"
#include "store/watch.h"
#include "utils/array.h"
#include "utils/memutils.h"

#define REGISTRATION_COLUMNS \
	"namespace_id, kind, name, task_queue, role_name::pg_catalog.text," \
	" function_schema::pg_catalog.text, function_name::pg_catalog.text, argument_types," \
	" transactional, direct_sql, options"

/*
 * store_registrations_version -- another one after each change of a
 * registration that this transaction can see.
 */
uint64
store_registrations_version(void)
{
	return watch_version(WATCH_REGISTRATION);
}

/*
 * Those that this process has asked for, of that version.  They stay where
 * they are until the transaction ends that hears of another version.
 */
static MemoryContext cache = NULL;
static List *cached = NIL;
static uint64 cached_version;

static void
forget_older(uint64 current)
{
	MemoryContext fresh;

	if (cache != NULL && cached_version == current)
		return;
	fresh = AllocSetContextCreate(TopMemoryContext, "temporal registrations",
								  ALLOCSET_SMALL_SIZES);
	if (cache != NULL)
		MemoryContextSetParent(cache, TopTransactionContext);
	cache = fresh;
	cached = NIL;
	cached_version = current;
}

/* store_tell_registrations -- another one for all processes, once this commits. */
void
store_tell_registrations(void)
{
	watch_tell(WATCH_REGISTRATION);
}

static List *
text_list(Datum array)
{
	List	   *list = NIL;
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		list = lappend(list, TextDatumGetCString(elements[i]));
	return list;
}

static Datum
text_array(const List *list)
{
	Datum	   *elements = palloc((list_length(list) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, list)
		elements[n++] = text_datum((const char *) lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Registration *
registration_row(uint64 row)
{
	Registration *registration = palloc0(sizeof(Registration));
	bool		isnull;

	registration->namespace_id = store_uuid(row, 1);
	registration->kind = store_int16(row, 2);
	registration->name = store_text(row, 3);
	registration->task_queue = store_text(row, 4);
	registration->role_name = store_text(row, 5);
	registration->schema = store_text(row, 6);
	registration->function = store_text(row, 7);
	registration->argument_types = text_list(store_value(row, 8, &isnull));
	registration->transactional = DatumGetBool(store_value(row, 9, &isnull));
	registration->direct_sql = DatumGetBool(store_value(row, 10, &isnull));
	registration->options = store_message(row, 11, &pb__activity_options__descriptor);
	return registration;
}

/* How many rows there are: one or none. */
static uint64
read_registration(const pg_uuid_t *namespace_id, int kind, const char *name)
{
	static Statement find = {
		"SELECT " REGISTRATION_COLUMNS " FROM temporal.registration"
		" WHERE namespace_id OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2"
		" AND name OPERATOR(pg_catalog.=) $3",
		3, {UUIDOID, INT2OID, TEXTOID}
	};
	Datum		values[] = {uuid_datum(namespace_id), Int16GetDatum(kind), text_datum(name)};

	return store_run(&find, values, NULL);
}

/*
 * store_find_registration -- of that type name; NULL if there is none.
 *
 * It is there until the transaction ends.  Every task asks, so the answer is
 * kept, but for a transaction whose snapshot may be older than what we heard.
 */
const Registration *
store_find_registration(const pg_uuid_t *namespace_id, int kind, const char *name)
{
	uint64		current = store_registrations_version();
	MemoryContext caller;
	const Registration *registration;
	ListCell   *cell;

	if (IsolationUsesXactSnapshot())
		return read_registration(namespace_id, kind, name) > 0 ? registration_row(0) : NULL;
	forget_older(current);
	foreach(cell, cached)
	{
		registration = lfirst(cell);
		if (registration->kind == kind && strcmp(registration->name, name) == 0 &&
			memcmp(&registration->namespace_id, namespace_id, UUID_LEN) == 0)
			return registration;
	}
	if (read_registration(namespace_id, kind, name) == 0)
		return NULL;
	caller = MemoryContextSwitchTo(cache);
	registration = registration_row(0);
	cached = lappend(cached, unconstify(Registration *, registration));
	MemoryContextSwitchTo(caller);
	return registration;
}

/* store_queue_owner -- the role whose functions serve a queue; NULL if nobody's do. */
const char *
store_queue_owner(const pg_uuid_t *namespace_id, int kind, const char *task_queue)
{
	static Statement find = {
		"SELECT role_name::pg_catalog.text FROM temporal.registration"
		" WHERE namespace_id OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2"
		" AND task_queue OPERATOR(pg_catalog.=) $3 LIMIT 1",
		3, {UUIDOID, INT2OID, TEXTOID}
	};
	Datum		values[] = {uuid_datum(namespace_id), Int16GetDatum(kind), text_datum(task_queue)};

	return store_run(&find, values, NULL) > 0 ? store_text(0, 1) : NULL;
}

static List *
queue_rows(uint64 n)
{
	List	   *queues = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		ServedQueue *queue = palloc(sizeof(ServedQueue));

		queue->namespace_id = store_uuid(i, 1);
		queue->kind = store_int16(i, 2);
		queue->task_queue = store_text(i, 3);
		queue->role_name = store_text(i, 4);
		queues = lappend(queues, queue);
	}
	return queues;
}

#define QUEUES_SQL \
	"SELECT DISTINCT namespace_id, kind, task_queue, role_name::pg_catalog.text" \
	" FROM temporal.registration"

/* store_served_queues -- of ServedQueue: what the functions of a role serve. */
List *
store_served_queues(const char *role_name)
{
	static Statement list = {
		QUEUES_SQL " WHERE role_name OPERATOR(pg_catalog.=) $1::pg_catalog.name ORDER BY 1, 3, 2",
		1, {TEXTOID}
	};
	Datum		values[] = {text_datum(role_name)};

	return queue_rows(store_run(&list, values, NULL));
}

/* store_all_served_queues -- the same of all roles, by role. */
List *
store_all_served_queues(void)
{
	static Statement list = {QUEUES_SQL " ORDER BY 4, 1, 3, 2", 0};

	return queue_rows(store_run(&list, NULL, NULL));
}

/* store_put_registration -- in the place of one of that type name. */
void
store_put_registration(const Registration *registration)
{
	static Statement put = {
		"INSERT INTO temporal.registration (namespace_id, kind, name, task_queue, role_name,"
		" function_schema, function_name, argument_types, transactional, direct_sql, options)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (namespace_id, kind, name) DO UPDATE SET task_queue = $4, role_name = $5,"
		" function_schema = $6, function_name = $7, argument_types = $8, transactional = $9,"
		" direct_sql = $10, options = $11",
		11, {UUIDOID, INT2OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, BOOLOID,
			BOOLOID, BYTEAOID}
	};
	Datum		values[] = {
		uuid_datum(&registration->namespace_id), Int16GetDatum(registration->kind),
		text_datum(registration->name), text_datum(registration->task_queue),
		text_datum(registration->role_name), text_datum(registration->schema),
		text_datum(registration->function), text_array(registration->argument_types),
		BoolGetDatum(registration->transactional), BoolGetDatum(registration->direct_sql),
		message_datum(registration->options)
	};

	store_run(&put, values, NULL);
	store_tell_registrations();
}

void
store_delete_registration(const Registration *registration)
{
	static Statement delete = {
		"DELETE FROM temporal.registration"
		" WHERE namespace_id OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2"
		" AND name OPERATOR(pg_catalog.=) $3",
		3, {UUIDOID, INT2OID, TEXTOID}
	};
	Datum		values[] = {
		uuid_datum(&registration->namespace_id), Int16GetDatum(registration->kind),
		text_datum(registration->name)
	};

	store_run(&delete, values, NULL);
	store_tell_registrations();
}
