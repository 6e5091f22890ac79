/*
 * settings.c
 *	  What a workflow function has set, for itself.
 *
 * An activity that is run in the midst of a pass must find the settings that it
 * would find by the task queue: those of the session.
 */
#include "postgres.h"

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

/*
 * All of them.  Where that is a copy, it is made once a transaction, for many
 * activities: a setting that is made up later in it is not there.
 */
static struct config_generic **
all_settings(int *n)
{
	static struct config_generic **settings = NULL;
	static int	count;
	static LocalTransactionId made_in = InvalidLocalTransactionId;
	MemoryContext caller;

	if (!COMPAT_COPIES_SETTINGS)
		return compat_settings(n);
	if (made_in != compat_local_xid())
	{
		made_in = InvalidLocalTransactionId;
		if (settings != NULL)
			pfree(settings);
		settings = NULL;
		caller = MemoryContextSwitchTo(TopMemoryContext);
		settings = compat_settings(&count);
		MemoryContextSwitchTo(caller);
		made_in = compat_local_xid();
	}
	*n = count;
	return settings;
}

/*
 * settings_changed -- since that level of settings has begun, be it by the SET
 * clause of a function or in its body?
 */
bool
settings_changed(int level)
{
	int			n;
	struct config_generic **settings = all_settings(&n);

	for (int i = 0; i < n; i++)
		if (settings[i]->stack != NULL && settings[i]->stack->nest_level >= level &&
			!is_search_path(settings[i]))
			return true;
	return false;
}
