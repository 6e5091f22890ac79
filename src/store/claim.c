/*
 * claim.c
 *	  How far this transaction has got with the offers of a queue.
 *
 * A transaction that takes many tasks need not go through those that it has
 * taken before to find the next one: they are still in the index.  What is
 * older than the last one, or of a better priority, was there to be taken, too, so
 * it was held, or not wanted, or is seen only now.  Who finds nothing else looks
 * from the start, and so does everybody once in a while.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "storage/proc.h"
#include "store/store.h"

#define QUEUES 8
#define CLAIMS_A_START 32

typedef struct Claim
{
	TaskRow		task;			/* the last that was taken */
	LocalTransactionId xact;	/* has taken it */
	unsigned	count;
} Claim;

static Claim claims[QUEUES];

/* What was taken in a subtransaction is there again. */
static void
on_subxact(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		memset(claims, 0, sizeof(claims));
}

/* store_last_claim -- of a queue, in this transaction; NULL if there is none. */
const TaskRow *
store_last_claim(uint64 queue_id)
{
	const Claim *claim = &claims[queue_id % QUEUES];

	/* With one snapshot for all nobody can tell whether older ones are held. */
	return claim->xact != InvalidLocalTransactionId && claim->xact == compat_local_xid() &&
		claim->task.queue_id == queue_id && !IsolationUsesXactSnapshot() ? &claim->task : NULL;
}

/* store_note_offer -- this transaction offers one, which may have to come first. */
void
store_note_offer(const TaskRow *task)
{
	Claim	   *claim = &claims[task->queue_id % QUEUES];

	if (claim->task.queue_id == task->queue_id && task->priority < claim->task.priority)
		claim->xact = InvalidLocalTransactionId;
}

void
store_note_claim(const TaskRow *task)
{
	static bool registered = false;
	Claim	   *claim = &claims[task->queue_id % QUEUES];

	if (!registered)
		RegisterSubXactCallback(on_subxact, NULL);
	registered = true;
	claim->task = *task;
	claim->xact = ++claim->count % CLAIMS_A_START == 0 ?
		InvalidLocalTransactionId : compat_local_xid();
}
