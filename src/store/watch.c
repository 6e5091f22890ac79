/*
 * watch.c
 *	  Hearing of changes of tables whose rows are kept.
 *
 * Whoever changes one tells all processes as PostgreSQL tells of a change of
 * the table itself.  What others have committed is visible before we hear of
 * it, and we hear of it before they are done.
 */
#include "postgres.h"

#include "store/tuple.h"
#include "store/watch.h"
#include "utils/inval.h"
#include "utils/syscache.h"

static const char *const names[WATCHED_TABLES] = {"registration", "namespace"};
static Oid	watched[WATCHED_TABLES];
static uint64 versions[WATCHED_TABLES];

static void
on_change(Datum arg, Oid relation)
{
	for (int i = 0; i < WATCHED_TABLES; i++)
	{
		if (relation == watched[i] || !OidIsValid(relation))
			versions[i]++;
	}
}

/* Who serves what depends on what a role is a member of. */
static void
on_role_change(Datum arg, int cache, uint32 hash)
{
	versions[WATCH_REGISTRATION]++;
}

uint64
watch_version(Watched table)
{
	static bool listening = false;
	Oid			relation = store_relation(names[table]);

	if (!listening)
	{
		CacheRegisterRelcacheCallback(on_change, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_role_change, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, on_role_change, (Datum) 0);
		listening = true;
	}
	/* The extension may have been dropped and created. */
	if (relation != watched[table])
		versions[table]++;
	watched[table] = relation;
	AcceptInvalidationMessages();
	return versions[table];
}

void
watch_tell(Watched table)
{
	CacheInvalidateRelcacheByRelid(store_relation(names[table]));
}
