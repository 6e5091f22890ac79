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
#include "utils/guc.h"
#include "utils/guc_tables.h"

/* Activities get that of the session, steps that of where they are asked for. */
static bool
is_search_path(const struct config_generic *setting)
{
	return strcmp(setting->name, "search_path") == 0;
}

/*
 * settings_changed -- since that level of settings has begun, be it by the SET
 * clause of a function or in its body?
 */
bool
settings_changed(int level)
{
	int			n;
	struct config_generic **settings = compat_settings(&n);
	bool		changed = false;

	for (int i = 0; i < n && !changed; i++)
		changed = settings[i]->stack != NULL && settings[i]->stack->nest_level >= level &&
			!is_search_path(settings[i]);
	compat_free_settings(settings);
	return changed;
}
