/*
 * place.h
 *	  Where the state of a run is that this transaction has locked.
 */
#ifndef TEMPORAL_STORE_PLACE_H
#define TEMPORAL_STORE_PLACE_H

#include "base/ident.h"
#include "store/tuple.h"

/* Columns of "execution_state". */
enum
{
	STATE_SHARD = 1,
	STATE_NAMESPACE_ID,
	STATE_RUN_ID,
	STATE_WORKFLOW_ID,
	STATE_INFO,
	STATE_STATE
};

extern bool place_find(const RunKey *key, ItemPointer tid);
extern void place_note(const RunKey *key, const ItemPointerData *tid);

/* execution.c */
extern bool store_find_state(const RunKey *key, RowScan *scan);

#endif							/* TEMPORAL_STORE_PLACE_H */
