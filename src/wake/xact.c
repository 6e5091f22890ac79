/*
 * xact.c
 *	  Remembers what a transaction touched, and wakes when it has committed.
 *
 * Marks and claims live in TopTransactionContext.  At commit the rows are
 * visible when our callback runs; what it does must not fail, for an error
 * after the commit record is a PANIC: it takes leaf locks, writes shared
 * memory and sets latches.  After PREPARE nobody will tell us of the commit,
 * so the keeper sweeps often until no such transaction is left.
 *
 * A subtransaction that rolls back takes its claims, stops and notes with it,
 * but leaves its marks: those cause a wake-up in vain.
 *
 * The bound of a queue that all processes share knows nothing of tasks that a
 * transaction has made and not committed.  The transaction itself sees them,
 * and looks for them from a bound of its own on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "wake/shmem.h"

#define LOOK_BACK 16 /* a mark this near to the end is merged */
#define NO_TIME PG_INT64_MAX
#define OWN_QUEUES 16 /* the last stands for all that have no place */

typedef struct Mark
{
	WakeKind kind;
	int count;
	uint64 channel;
	int64 created_at; /* of the oldest task, or NO_TIME */
	int added;        /* tasks that came to the queue */
	int taken;        /* and left it */
	WakeNote *note;   /* of a run that was closed in "note_subid", or NULL */
	SubTransactionId note_subid;
} Mark;

/* A claim of a queue: where its bound was when it began. */
typedef struct BoundClaim
{
	SubTransactionId subid;
	uint64 queue_id;
	int64 bound;
} BoundClaim;

/* Where to look for tasks that this transaction has made. */
typedef struct OwnBound
{
	uint64 queue_id;
	int64 bound;
} OwnBound;

typedef struct NotedClaim
{
	SubTransactionId subid;
	WakeBlame blame;
	WakeClaim claim;
} NotedClaim;

/* Attempts that are to end; see beat_mark_stop(). */
typedef struct MarkedStop
{
	SubTransactionId subid;
	pg_uuid_t run_id;
	int64 event_id;
	TimestampTz before;
	BeatStop stop;
} MarkedStop;

/* An array in TopTransactionContext that grows. */
typedef struct Array
{
	void *items;
	int count;
	int size;
} Array;

static Array marks;
static Array bound_claims;
static Array noted_claims;
static Array stops;
static OwnBound own_bounds[OWN_QUEUES];
static int n_own_bounds = 0;
static WakeBlame blame_now = WAKE_BLAME_EACH;
static TimestampTz earliest_due = DT_NOEND;
static bool sweep_wanted = false;

/* Makes room for one more item and returns it. */
static void *
array_add(Array *array, size_t item_size)
{
	if (array->count == array->size)
	{
		int size = array->size ? array->size * 2 : 8;

		if (array->items)
			array->items = repalloc_huge(array->items, size * item_size);
		else
			array->items = MemoryContextAlloc(TopTransactionContext, size * item_size);
		array->size = size;
	}
	return (char *) array->items + item_size * array->count++;
}

/* A mark that wakes nobody yet; NULL if nobody could be. */
static Mark *
mark_of(WakeKind kind, uint64 channel)
{
	Mark *items = marks.items;
	Mark *mark;

	if (!wake_available())
		return NULL;
	for (int i = marks.count - 1; i >= 0 && i >= marks.count - LOOK_BACK; i--)
	{
		if (items[i].channel == channel && items[i].kind == kind)
			return &items[i];
	}
	mark = array_add(&marks, sizeof(Mark));
	MemSet(mark, 0, sizeof(Mark));
	mark->kind = kind;
	mark->channel = channel;
	mark->created_at = NO_TIME;
	return mark;
}

static Mark *
add_mark(WakeKind kind, uint64 channel, int64 created_at)
{
	Mark *mark = mark_of(kind, channel);

	if (mark == NULL)
		return NULL;
	mark->count++;
	mark->created_at = Min(mark->created_at, created_at);
	return mark;
}

/* The bound of a queue that this transaction has made tasks for; NULL if none. */
static OwnBound *
own_bound_of(uint64 queue_id)
{
	for (int i = 0; i < n_own_bounds; i++)
	{
		if (own_bounds[i].queue_id == queue_id || i == OWN_QUEUES - 1)
			return &own_bounds[i];
	}
	return NULL;
}

static void
lower_own_bound(uint64 queue_id, int64 created_at)
{
	OwnBound *own = own_bound_of(queue_id);

	if (own == NULL)
	{
		own = &own_bounds[n_own_bounds++];
		own->queue_id = queue_id;
		own->bound = NO_TIME;
	}
	own->bound = Min(own->bound, created_at);
}

/* xact_own_bound -- tasks of ours are not older than this. */
int64
xact_own_bound(uint64 queue_id)
{
	const OwnBound *own = own_bound_of(queue_id);

	return own ? own->bound : NO_TIME;
}

/* xact_raise_own_bound -- a claim has taken those that were. */
void
xact_raise_own_bound(uint64 queue_id, int64 created_at)
{
	OwnBound *own = own_bound_of(queue_id);

	if (own && own->queue_id == queue_id && own != &own_bounds[OWN_QUEUES - 1])
		own->bound = Max(own->bound, created_at);
}

/* wake_mark_queue -- at commit, wake one process that waits for a queue. */
void
wake_mark_queue(uint64 queue_id)
{
	add_mark(WAKE_QUEUE, queue_id, NO_TIME);
}

/* wake_mark_task -- the same, and a claim must look at this task. */
void
wake_mark_task(uint64 queue_id, int64 created_at)
{
	Mark *mark = add_mark(WAKE_QUEUE, queue_id, created_at);

	if (mark == NULL)
		return;
	mark->added++;
	lower_own_bound(queue_id, created_at);
}

void
wake_mark_taken(uint64 queue_id)
{
	Mark *mark = mark_of(WAKE_QUEUE, queue_id);

	if (mark)
		mark->taken++;
}

void
wake_mark_handed(uint64 queue_id)
{
	Mark *mark = mark_of(WAKE_QUEUE, queue_id);

	if (mark == NULL)
		return;
	mark->added++;
	mark->taken++;
}

/* wake_mark_closed -- at commit, wake all who wait for the end of a run. */
void
wake_mark_closed(uint64 run_hash, const WakeNote *note)
{
	Mark *mark = add_mark(WAKE_CLOSED, run_hash, NO_TIME);

	if (mark == NULL)
		return;
	mark->note = NULL;
	if (note == NULL)
		return;
	mark->note_subid = GetCurrentSubTransactionId();
	mark->note = MemoryContextAlloc(TopTransactionContext, sizeof(WakeNote));
	memcpy(mark->note, note, offsetof(WakeNote, event) + note->size);
}

/* wake_mark_events -- at commit, wake all who wait for events of a run. */
void
wake_mark_events(uint64 run_hash)
{
	add_mark(WAKE_EVENTS, run_hash, NO_TIME);
}

bool
wake_next_mark(int *cursor, WakeKind *kind, uint64 *channel)
{
	Mark *items = marks.items;

	while (*cursor < marks.count && items[*cursor].count == 0)
		(*cursor)++;
	if (*cursor >= marks.count)
		return false;
	*kind = items[*cursor].kind;
	*channel = items[*cursor].channel;
	(*cursor)++;
	return true;
}

void
wake_mark_served(uint64 queue_id)
{
	Mark *items = marks.items;

	for (int i = marks.count - 1; i >= 0; i--)
	{
		if (items[i].kind == WAKE_QUEUE && items[i].channel == queue_id && items[i].count > 0)
		{
			items[i].count--;
			return;
		}
	}
}

/* wake_mark_due -- at commit, make the keeper look at this time. */
void
wake_mark_due(TimestampTz due)
{
	if (wake_available())
		earliest_due = Min(earliest_due, due);
}

/* wake_mark_sweep -- at commit, make the keeper look for what no hint tells of. */
void
wake_mark_sweep(void)
{
	sweep_wanted = wake_available();
	wake_mark_due(DT_NOBEGIN);
}

void
beat_mark_stop(const pg_uuid_t *run_id, int64 event_id, TimestampTz before, BeatStop stop)
{
	MarkedStop *mark;

	if (!wake_available())
		return;
	mark = array_add(&stops, sizeof(MarkedStop));
	mark->subid = GetCurrentSubTransactionId();
	mark->run_id = *run_id;
	mark->event_id = event_id;
	mark->before = before;
	mark->stop = stop;
}

/* xact_note_bound -- a claim of a queue has begun. */
void
xact_note_bound(uint64 queue_id, int64 bound)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	BoundClaim *items = bound_claims.items;
	BoundClaim *claim;

	for (int i = bound_claims.count - 1; i >= 0 && i >= bound_claims.count - LOOK_BACK; i--)
	{
		if (items[i].queue_id == queue_id && items[i].subid == subid)
		{
			items[i].bound = Min(items[i].bound, bound);
			return;
		}
	}
	claim = array_add(&bound_claims, sizeof(BoundClaim));
	claim->subid = subid;
	claim->queue_id = queue_id;
	claim->bound = bound;
}

/* wake_set_blame -- for the claims noted from now on; what it was before. */
WakeBlame
wake_set_blame(WakeBlame blame)
{
	WakeBlame before = blame_now;

	blame_now = blame;
	return before;
}

/* wake_note_claim -- if this transaction fails, the keeper hears of it. */
void
wake_note_claim(const WakeClaim *claim)
{
	NotedClaim *noted;

	if (!wake_available())
		return;
	noted = array_add(&noted_claims, sizeof(NotedClaim));
	noted->subid = GetCurrentSubTransactionId();
	noted->blame = blame_now;
	noted->claim = *claim;
}

/* Is the rollback the fault of this task?  "alone": it was the only one. */
static bool
is_to_blame(const NotedClaim *noted, bool alone)
{
	return noted->blame == WAKE_BLAME_EACH || (noted->blame == WAKE_BLAME_ALONE && alone);
}

/*
 * Undoes claims made in or below a subtransaction.  Those are the newest:
 * a subtransaction has a lower number than what began inside it.
 */
static void
undo_claims(SubTransactionId subid)
{
	BoundClaim *bounds = bound_claims.items;
	NotedClaim *noted = noted_claims.items;
	bool alone = subid == InvalidSubTransactionId && noted_claims.count == 1;
	bool lost = false;

	for (; bound_claims.count > 0 && bounds[bound_claims.count - 1].subid >= subid;
		 bound_claims.count--)
	{
		BoundClaim *claim = &bounds[bound_claims.count - 1];

		queue_end_claim(claim->queue_id);
		queue_lower_bound(claim->queue_id, claim->bound);
		if (own_bound_of(claim->queue_id))
			lower_own_bound(claim->queue_id, claim->bound);
	}
	for (; noted_claims.count > 0 && noted[noted_claims.count - 1].subid >= subid;
		 noted_claims.count--)
	{
		NotedClaim *last = &noted[noted_claims.count - 1];

		/* The keeper then only wakes who waits for the task. */
		if (!is_to_blame(last, alone))
			last->claim.attempt = 0;
		claim_lost(&last->claim);
		lost = true;
	}
	if (lost)
		database_lower_due(MyDatabaseId, DT_NOBEGIN);
}

/* Unlike a wake-up in vain, a stop in vain does harm. */
static void
undo_stops(SubTransactionId subid)
{
	const MarkedStop *items = stops.items;

	while (stops.count > 0 && items[stops.count - 1].subid >= subid)
		stops.count--;
}

/* What was rolled back is not how the run has ended. */
static void
undo_notes(SubTransactionId subid)
{
	Mark *items = marks.items;

	for (int i = 0; i < marks.count; i++)
	{
		if (items[i].note_subid >= subid)
			items[i].note = NULL;
	}
}

static void
wake_for(const Mark *mark)
{
	if (mark->note != NULL)
		mark->note->lsn = XactLastCommitEnd;
	if (mark->kind != WAKE_QUEUE)
	{
		waiter_wake(mark->kind, MyDatabaseId, mark->channel, PG_INT32_MAX, mark->note);
		return;
	}
	if (mark->added > 0 || mark->taken > 0)
		queue_count(mark->channel, mark->added, mark->taken);
	if (mark->created_at != NO_TIME || mark->count > 0)
		queue_announce(mark->channel, mark->created_at);
	if (mark->count > 0)
		waiter_wake(mark->kind, MyDatabaseId, mark->channel, mark->count, NULL);
}

/* Wakes whom the marks concern; nothing in here may fail. */
static void
wake_marked(void)
{
	Mark *items = marks.items;
	BoundClaim *bounds = bound_claims.items;
	MarkedStop *marked = stops.items;

	for (int i = 0; i < stops.count; i++)
		beat_tell(&marked[i].run_id, marked[i].event_id, marked[i].before, marked[i].stop);
	for (int i = 0; i < bound_claims.count; i++)
		queue_end_claim(bounds[i].queue_id);
	for (int i = 0; i < marks.count; i++)
		wake_for(&items[i]);
	if (sweep_wanted)
		database_note_prepare();
	if (earliest_due != DT_NOEND)
		database_lower_due(MyDatabaseId, earliest_due);
}

static void
forget(void)
{
	MemSet(&marks, 0, sizeof(Array));
	MemSet(&bound_claims, 0, sizeof(Array));
	MemSet(&noted_claims, 0, sizeof(Array));
	MemSet(&stops, 0, sizeof(Array));
	n_own_bounds = 0;
	earliest_due = DT_NOEND;
	sweep_wanted = false;
}

static void
on_xact(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			wake_marked();
			forget();
			break;
		case XACT_EVENT_ABORT:
			undo_claims(InvalidSubTransactionId);
			waiter_cancel();
			forget();
			break;
		case XACT_EVENT_PREPARE:
			if (marks.count > 0 || bound_claims.count > 0 || earliest_due != DT_NOEND)
				database_note_prepare();
			noted_claims.count = 0; /* still claimed */
			undo_claims(InvalidSubTransactionId);
			forget();
			break;
		default:
			break;
	}
}

static void
on_subxact(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	undo_claims(subid);
	undo_stops(subid);
	undo_notes(subid);
}

/* xact_register -- called once, before any process is forked. */
void
xact_register(void)
{
	RegisterXactCallback(on_xact, NULL);
	RegisterSubXactCallback(on_subxact, NULL);
}
