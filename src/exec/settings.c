/*
 * settings.c
 *	  What a workflow function has set, for itself.
 *
 * An activity that is run in the midst of a pass must find the settings that it
 * would find by the task queue: those of the session.
 */
#include "postgres.h"

#include "base/compat_settings.h"
#include "exec/function.h"

/* Activities get the search path of the session, steps that of where they are asked for. */
static bool
is_changed(const struct config_generic *setting, int level)
{
	return setting->stack != NULL && setting->stack->nest_level >= level &&
		strcmp(setting->name, "search_path") != 0;
}

/*
 * settings_changed -- since that level of settings has begun, be it by the SET
 * clause of a function or in its body?
 */
bool
settings_changed(int level)
{
	CompatSettings settings = compat_settings_begin();
	struct config_generic *setting;
	bool		changed = false;

	while (!changed && (setting = compat_settings_next(&settings)) != NULL)
		changed = is_changed(setting, level);
	compat_settings_end(&settings);
	return changed;
}
