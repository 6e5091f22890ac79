/*
 * claim.c
 *	  Claims that were rolled back, for the keeper to look at.
 *
 * A worker that claims, works and completes in one transaction leaves no
 * trace when it fails: the task is simply there again.  The keeper learns of
 * it here and lets the task wait as long as its retry policy says.  Until it
 * has, nobody takes the task; but not for long, should there be no keeper.
 * The list is short; when it is full the task is tried again without waiting,
 * and whoever waits for it is woken at once.
 * TemporalClaim guards it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/shmem.h"

#define TRUSTED_MS 5000

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
		lost->claims[lost->count].lost_at = GetCurrentTimestamp();
		lost->count++;
	}
	LWLockRelease(wake_shared.claim_lock);

	if (full)
		waiter_wake(WAKE_QUEUE, MyDatabaseId, claim->queue_id, 1);
}

/* wake_lost_claims -- copies up to so many lost claims of this database. */
int
wake_lost_claims(WakeClaim *claims, int max_claims)
{
	LostClaims *lost = wake_shared.lost_claims;
	int found = 0;

	if (!wake_available())
		return 0;
	LWLockAcquire(wake_shared.claim_lock, LW_SHARED);
	for (int i = 0; i < lost->count && found < max_claims; i++)
		if (lost->claims[i].database == MyDatabaseId)
			claims[found++] = lost->claims[i].claim;
	LWLockRelease(wake_shared.claim_lock);
	return found;
}

static bool
same_claim(const LostClaim *lost, const WakeClaim *claim)
{
	return lost->database == MyDatabaseId && lost->claim.event_id == claim->event_id &&
		lost->claim.attempt == claim->attempt &&
		memcmp(&lost->claim.key.run_id, &claim->key.run_id, UUID_LEN) == 0;
}

/* wake_forget_lost_claim -- it has been looked at. */
void
wake_forget_lost_claim(const WakeClaim *claim)
{
	LostClaims *lost = wake_shared.lost_claims;
	int kept = 0;

	LWLockAcquire(wake_shared.claim_lock, LW_EXCLUSIVE);
	for (int i = 0; i < lost->count; i++)
		if (!same_claim(&lost->claims[i], claim))
			lost->claims[kept++] = lost->claims[i];
	lost->count = kept;
	LWLockRelease(wake_shared.claim_lock);
}

/* wake_claim_is_lost -- the keeper is about to deal with this claim. */
bool
wake_claim_is_lost(const WakeClaim *claim)
{
	LostClaims *lost = wake_shared.lost_claims;
	bool found = false;

	if (!wake_available() || lost->count == 0)
		return false;
	LWLockAcquire(wake_shared.claim_lock, LW_SHARED);
	for (int i = 0; i < lost->count && !found; i++)
		found = same_claim(&lost->claims[i], claim) &&
			!TimestampDifferenceExceeds(lost->claims[i].lost_at, GetCurrentTimestamp(), TRUSTED_MS);
	LWLockRelease(wake_shared.claim_lock);
	return found;
}
