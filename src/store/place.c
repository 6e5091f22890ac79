/*
 * place.c
 *	  Where this transaction has last written the state of a run.
 *
 * A row that one transaction updates again and again has a version for each
 * update, and none can be pruned before the transaction ends: an index look-up
 * walks through all of them, so that many signals to one run would cost the
 * square of their number.  A version that is found where it was put is the row
 * itself, by the rules of visibility.
 *
 * When a subtransaction is rolled back, all places are forgotten: its locks go,
 * and what others write may be put where it has been.
 */
#include "postgres.h"

#include "access/xact.h"
#include "store/place.h"

#define PLACES 16

typedef struct Place
{
	RunKey		key;
	TransactionId xact;			/* it was written by */
	ItemPointerData tid;
} Place;

static Place places[PLACES];

static Place *
place_of(const RunKey *key)
{
	return &places[ident_run_hash(&key->run_id) % PLACES];
}

/* place_find -- false unless this transaction has written the run's state. */
bool
place_find(const RunKey *key, ItemPointer tid)
{
	const Place *place = place_of(key);

	if (!TransactionIdIsValid(place->xact) || place->xact != GetTopTransactionIdIfAny() ||
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

/* place_note -- this transaction has written it there. */
void
place_note(const RunKey *key, const ItemPointerData *tid)
{
	static bool registered = false;
	Place	   *place = place_of(key);

	if (!registered)
		RegisterSubXactCallback(on_subxact, NULL);
	registered = true;
	place->key = *key;
	place->xact = GetTopTransactionId();
	place->tid = *tid;
}
