/*
 * dispatch.c
 *	  Where tasks are handed out, and in which order: queue names, priorities.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define DEFAULT_PRIORITY 3
#define MAX_PRIORITY 5
#define FAIRNESS_KEY_LIMIT 64
#define NAME_LIMIT 1000
#define RESERVED_PREFIX "/_sys/"

/* core_check_task_queue -- what is wrong with a queue's name, or NULL. */
const char *
core_check_task_queue(const char *name)
{
	if (name[0] == '\0')
		return "TaskQueue is not set.";
	if (strlen(name) > NAME_LIMIT)
		return "TaskQueue exceeds length limit.";
	if (strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
		return "task queue name cannot start with reserved prefix " RESERVED_PREFIX;
	return NULL;
}

/* core_priority_key -- 1 is served first; the default lies in the middle. */
int
core_priority_key(const Pb__Priority *priority)
{
	if (priority == NULL || priority->priority_key <= 0)
		return DEFAULT_PRIORITY;
	return Min(priority->priority_key, MAX_PRIORITY);
}

/* core_check_priority -- what is wrong with it, or NULL. */
const char *
core_check_priority(const Pb__Priority *priority)
{
	if (priority == NULL)
		return NULL;
	if (priority->priority_key < 0)
		return "priority key can't be negative";
	if (strlen(priority->fairness_key) > FAIRNESS_KEY_LIMIT)
		return "fairness key length exceeds limit";
	if (!(priority->fairness_weight >= 0))
		return "fairness weight can't be negative";
	return NULL;
}

/* core_merge_priority -- "own" overrides "outer", field by field. */
Pb__Priority *
core_merge_priority(const Pb__Priority *outer, const Pb__Priority *own)
{
	Pb__Priority *merged;

	if (outer == NULL || own == NULL)
		return unconstify(Pb__Priority *, own != NULL ? own : outer);
	merged = proto_new(&pb__priority__descriptor);
	*merged = *outer;
	if (own->priority_key != 0)
		merged->priority_key = own->priority_key;
	if (own->fairness_key[0] != '\0')
		merged->fairness_key = own->fairness_key;
	if (own->fairness_weight != 0)
		merged->fairness_weight = own->fairness_weight;
	return merged;
}
