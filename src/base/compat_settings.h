/*
 * compat_settings.h
 *	  Going through the settings that may have been changed in a transaction.
 *
 * From 16 on those that have been are in a list, the last one first.  Nobody
 * else can see its head, so a setting that is nobody's is changed, and the list
 * goes on from there.  Before, these are all settings.
 */
#ifndef TEMPORAL_BASE_COMPAT_SETTINGS_H
#define TEMPORAL_BASE_COMPAT_SETTINGS_H

#include "base/guc.h"
#include "utils/guc_tables.h"

#if PG_VERSION_NUM >= 160000

typedef struct CompatSettings
{
	int			level;			/* at which ours is changed */
	slist_node *next;
} CompatSettings;

static inline CompatSettings
compat_settings_begin(void)
{
	CompatSettings settings = {NewGUCNestLevel()};

	(void) set_config_option(GUC_SETTINGS_MARK, "on", PGC_INTERNAL, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	settings.next = find_option(GUC_SETTINGS_MARK, false, false, ERROR)->stack_link.next;
	return settings;
}

static inline struct config_generic *
compat_settings_next(CompatSettings *settings)
{
	slist_node *node = settings->next;

	if (node == NULL)
		return NULL;
	settings->next = node->next;
	return slist_container(struct config_generic, stack_link, node);
}

static inline void
compat_settings_end(const CompatSettings *settings)
{
	AtEOXact_GUC(false, settings->level);
}

#else

typedef struct CompatSettings
{
	struct config_generic **next;
	struct config_generic **end;
} CompatSettings;

static inline CompatSettings
compat_settings_begin(void)
{
	struct config_generic **all = get_guc_variables();

	return (CompatSettings) {all, all + GetNumConfigOptions()};
}

static inline struct config_generic *
compat_settings_next(CompatSettings *settings)
{
	return settings->next < settings->end ? *settings->next++ : NULL;
}

static inline void
compat_settings_end(const CompatSettings *settings)
{
}

#endif

#endif							/* TEMPORAL_BASE_COMPAT_SETTINGS_H */
