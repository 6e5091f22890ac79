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
 *
 * A claim that is nobody's attempt is only there to be told of: whoever waits
 * for the task is woken.  Not at once, for it may be rolled back again and again:
 * because it needs what somebody holds.
 * TemporalClaim guards it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/shmem.h"

#define TRUSTED_MS 5000
#define UNTOLD_MS 100

static bool
same_claim(const LostClaim *lost, const WakeClaim *claim)
{
	return lost->database == MyDatabaseId && lost->claim.event_id == claim->event_id &&
		lost->claim.attempt == claim->attempt &&
		memcmp(&lost->claim.key.run_id, &claim->key.run_id, UUID_LEN) == 0;
}

/* Is it there already?  Caller locks. */
static bool
is_listed(const WakeClaim *claim)
{
	const LostClaims *lost = wake_shared.lost_claims;

	for (int i = 0; i < lost->count; i++)
		if (same_claim(&lost->claims[i], claim))
			return true;
	return false;
}

/* claim_lost -- a claim of this database was rolled back; raises nothing. */
void
claim_lost(const WakeClaim *claim)
{
	LostClaims *lost = wake_shared.lost_claims;
	bool full;
	bool listed;

	LWLockAcquire(wake_shared.claim_lock, LW_EXCLUSIVE);
	listed = claim->attempt == 0 && is_listed(claim);
	full = !listed && lost->count == WAKE_LOST_CLAIMS;
	if (!full && !listed)
	{
		lost->claims[lost->count].database = MyDatabaseId;
		lost->claims[lost->count].claim = *claim;
		lost->claims[lost->count].lost_at = GetCurrentTimestamp();
		lost->count++;
	}
	LWLockRelease(wake_shared.claim_lock);

	if (full)
		waiter_wake(WAKE_QUEUE, MyDatabaseId, claim->queue_id, 1, NULL);
}

static bool
is_untold(const LostClaim *lost, TimestampTz now)
{
	return lost->claim.attempt == 0 && !TimestampDifferenceExceeds(lost->lost_at, now, UNTOLD_MS);
}

/*
 * wake_lost_claims -- copies up to so many lost claims of this database; *later
 * says that there are some whose time has not come.
 */
int
wake_lost_claims(WakeClaim *claims, int max_claims, bool *later)
{
	LostClaims *lost = wake_shared.lost_claims;
	TimestampTz now = GetCurrentTimestamp();
	int found = 0;

	*later = false;
	if (!wake_available())
		return 0;
	LWLockAcquire(wake_shared.claim_lock, LW_SHARED);
	for (int i = 0; i < lost->count && found < max_claims; i++)
	{
		if (lost->claims[i].database != MyDatabaseId)
			continue;
		if (is_untold(&lost->claims[i], now))
			*later = true;
		else
			claims[found++] = lost->claims[i].claim;
	}
	LWLockRelease(wake_shared.claim_lock);
	return found;
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
