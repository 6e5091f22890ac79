/*
 * guard.h
 *	  One item of due work, so that what goes wrong with it stays with it.
 */
#ifndef TEMPORAL_SERVICE_GUARD_H
#define TEMPORAL_SERVICE_GUARD_H

#include "service/service.h"

/* How many of one kind of items a tick guards; there are four kinds. */
#define GUARD_MAX 14

typedef enum Outcome
{
	ITEM_DONE,
	ITEM_BUSY					/* somebody else holds what it needs: later */
} Outcome;

typedef Outcome (*ItemFunction) (ServiceCall *call, const void *item);

typedef struct Guarded
{
	ItemFunction function;
	const void *item;
	Outcome		outcome;
	char	   *error;			/* NULL if it did not fail */
} Guarded;

/*
 * Runs one item in a subtransaction; an error rolls back what it did and is
 * returned as text.  Raises only what ends the whole tick.
 */
extern Guarded guard_run(ItemFunction function, const void *item);

/* The run, locked without waiting; NULL and *busy if somebody else holds it. */
extern ExecutionState *guard_lock_run(const RunKey *key, bool *busy);

#endif							/* TEMPORAL_SERVICE_GUARD_H */
