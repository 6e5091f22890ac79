/*
 * settings.c
 *	  What a workflow function has set, for itself.
 *
 * An activity that is run in the midst of a pass must find the settings that it
 * would find by the task queue: those of the session.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "exec/function.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"

/* Activities get that of the session, steps that of where they are asked for. */
static bool
is_search_path(const struct config_generic *setting)
{
	return strcmp(setting->name, "search_path") == 0;
}

/* Those that are there for good: a library takes the place of what stood for it. */
static int
keep_lasting(struct config_generic **settings, int n)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if ((settings[i]->flags & GUC_CUSTOM_PLACEHOLDER) == 0)
			settings[kept++] = settings[i];
	return kept;
}

static bool
any_changed(struct config_generic **settings, int n, int level)
{
	for (int i = 0; i < n; i++)
		if (settings[i]->stack != NULL && settings[i]->stack->nest_level >= level &&
			!is_search_path(settings[i]))
			return true;
	return false;
}

/*
 * settings_changed -- since that level of settings has begun, be it by the SET
 * clause of a function or in its body?
 *
 * Where the list is a copy it is made once in a call of the function, for many
 * activities; what is made up later in that call is not in it.
 */
bool
settings_changed(int level)
{
	static struct config_generic **settings = NULL;
	static int	count;
	static LocalTransactionId made_in = InvalidLocalTransactionId;
	static SubTransactionId made_in_subid;
	MemoryContext caller;
	bool		changed;

	if (!COMPAT_COPIES_SETTINGS)
	{
		settings = compat_settings(&count);
		return any_changed(settings, count, level);
	}
	if (made_in == compat_local_xid() && made_in_subid == GetCurrentSubTransactionId())
		return any_changed(settings, count, level);
	made_in = InvalidLocalTransactionId;
	if (settings != NULL)
		pfree(settings);
	settings = NULL;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	settings = compat_settings(&count);
	MemoryContextSwitchTo(caller);
	changed = any_changed(settings, count, level);
	count = keep_lasting(settings, count);
	made_in = compat_local_xid();
	made_in_subid = GetCurrentSubTransactionId();
	return changed;
}
