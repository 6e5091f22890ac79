/*
 * place.c
 *	  Where the state of a run is that this transaction has locked.
 *
 * Nobody else changes a locked run, so its row stays where it was found, or
 * where it was last put.  It is looked for there first, which saves the index,
 * and more than that when one transaction updates it again and again: the row
 * then has a version for each update, none can be pruned before the transaction
 * ends, and an index look-up walks through all of them, so that many signals to
 * one run would cost the square of their number.  A visible version that is
 * found there is the row itself, by the rules of visibility.
 *
 * When a subtransaction is rolled back, all places are forgotten: its locks go,
 * and what others write may be put where it has been.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "storage/proc.h"
#include "store/place.h"

#define PLACES 16

typedef struct Place
{
	RunKey		key;
	LocalTransactionId xact;	/* has locked the run */
	ItemPointerData tid;
} Place;

static Place places[PLACES];

static Place *
place_of(const RunKey *key)
{
	return &places[ident_run_hash(&key->run_id) % PLACES];
}

/* place_find -- false unless this transaction has locked the run. */
bool
place_find(const RunKey *key, ItemPointer tid)
{
	const Place *place = place_of(key);

	if (place->xact == InvalidLocalTransactionId || place->xact != compat_local_xid() ||
		memcmp(&place->key.run_id, &key->run_id, sizeof(pg_uuid_t)) != 0)
		return false;
	*tid = place->tid;
	return true;
}

static void
on_subxact(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		memset(places, 0, sizeof(places));
}

/* place_note -- this transaction has found it there, locked, or written it. */
void
place_note(const RunKey *key, const ItemPointerData *tid)
{
	static bool registered = false;
	Place	   *place = place_of(key);

	if (!registered)
		RegisterSubXactCallback(on_subxact, NULL);
	registered = true;
	place->key = *key;
	place->xact = compat_local_xid();
	place->tid = *tid;
}
