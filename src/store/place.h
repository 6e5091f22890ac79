/*
 * place.h
 *	  Where this transaction has last written the state of a run.
 */
#ifndef TEMPORAL_STORE_PLACE_H
#define TEMPORAL_STORE_PLACE_H

#include "base/ident.h"
#include "storage/itemptr.h"

extern bool place_find(const RunKey *key, ItemPointer tid);
extern void place_note(const RunKey *key, const ItemPointerData *tid);

#endif							/* TEMPORAL_STORE_PLACE_H */
