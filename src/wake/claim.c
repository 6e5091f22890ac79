/*
 * claim.c
 *	  Claims that were rolled back, for the keeper to look at.
 *
 * A worker that claims, works and completes in one transaction leaves no
 * trace when it fails: the task is simply there again.  The keeper learns of
 * it here and lets the task wait as long as its retry policy says.  The list
 * is short; when it is full the task is tried again without waiting, and
 * whoever waits for it is woken at once.
 * TemporalClaim guards it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "wake/shmem.h"

/* claim_lost -- a claim of this database was rolled back; raises nothing. */
void
claim_lost(const WakeClaim *claim)
{
	LostClaims *lost = wake_shared.lost_claims;
	bool full;

	LWLockAcquire(wake_shared.claim_lock, LW_EXCLUSIVE);
	full = lost->count == WAKE_LOST_CLAIMS;
	if (!full)
	{
		lost->claims[lost->count].database = MyDatabaseId;
		lost->claims[lost->count].claim = *claim;
		lost->count++;
	}
	LWLockRelease(wake_shared.claim_lock);

	if (full)
		waiter_wake(WAKE_QUEUE, MyDatabaseId, claim->queue_id, 1);
}

/* wake_take_lost_claims -- moves lost claims of this database to the caller. */
int
wake_take_lost_claims(WakeClaim *claims, int max_claims)
{
	LostClaims *lost = wake_shared.lost_claims;
	int taken = 0;
	int kept = 0;

	if (!wake_available())
		return 0;

	LWLockAcquire(wake_shared.claim_lock, LW_EXCLUSIVE);
	for (int i = 0; i < lost->count; i++)
	{
		if (lost->claims[i].database == MyDatabaseId && taken < max_claims)
			claims[taken++] = lost->claims[i].claim;
		else
			lost->claims[kept++] = lost->claims[i];
	}
	lost->count = kept;
	LWLockRelease(wake_shared.claim_lock);
	return taken;
}
