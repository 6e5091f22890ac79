/*
 * durable.c
 *	  Answers that wait until what they tell is on disk.
 *
 * Under load a batch commits asynchronously, and the next one runs while the
 * flusher flushes.  No answer leaves, not even one that only reads, before all
 * WAL of this process's commits up to its own is flushed: a client never sees
 * what a crash could undo.  A call that is alone commits as any transaction
 * does; nothing would be gained.
 *
 * Other frontends commit in the same way, and so do sessions that start a
 * workflow and wait for its end.  What they have committed may be seen here at
 * once; with them an answer waits for all WAL there is.
 *
 * With synchronous standbys every commit has to wait for them, so there is no
 * pipeline then.  Who has switched synchronous_commit off wants no wait at all.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "replication/syncrep.h"

#include "base/guc.h"
#include "frontend/frontend.h"
#include "wake/process.h"

static dlist_head waiting = DLIST_STATIC_INIT(waiting);

/* durable_may_wait -- may a batch of so many calls commit asynchronously? */
bool
durable_may_wait(int calls)
{
	if (!guc_grpc_pipeline || !flush_available() || synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		return false;
	if (SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0')
		return false;
	return calls > 1 || call_any_ready() || !dlist_is_empty(&waiting);
}

/*
 * The end of all WAL that is written.
 *
 * At the begin of a page the insert position is behind the page's header, which
 * is not there yet: whoever flushes up to there would fail.
 */
static XLogRecPtr
end_of_wal(void)
{
	XLogRecPtr end = GetXLogInsertRecPtr();
	uint64 header = XLogSegmentOffset(end, wal_segment_size) < XLOG_BLCKSZ ? SizeOfXLogLongPHD
																		   : SizeOfXLogShortPHD;

	return end % XLOG_BLCKSZ == header ? end - header : end;
}

/* What must be on disk before an answer of this batch leaves. */
static XLogRecPtr
needed(void)
{
	if ((guc_frontends == 1 || !guc_grpc_pipeline) && !flush_was_deferred())
		return XactLastCommitEnd;
	return Max(end_of_wal(), XactLastCommitEnd);
}

/* durable_answer -- lets an answer go when its commit is on disk. */
void
durable_answer(Call *call)
{
	call->lsn = needed();
	if (dlist_is_empty(&waiting) && call->lsn <= GetFlushRecPtr(NULL))
	{
		http2_answer(call);
		return;
	}
	call->phase = CALL_WAITING;
	dlist_push_tail(&waiting, &call->of_phase);
}

/* durable_request -- asks for it; without a flusher it is done at once. */
void
durable_request(void)
{
	XLogRecPtr lsn;

	if (dlist_is_empty(&waiting))
		return;
	lsn = dlist_tail_element(Call, of_phase, &waiting)->lsn;
	if (!flush_request(lsn))
		XLogFlush(lsn);
}

/* durable_release -- sends what has become durable; true if answers still wait. */
bool
durable_release(void)
{
	XLogRecPtr flushed;

	if (dlist_is_empty(&waiting))
		return false;
	flushed = GetFlushRecPtr(NULL);
	while (!dlist_is_empty(&waiting))
	{
		Call *call = dlist_head_element(Call, of_phase, &waiting);

		if (call->lsn > flushed)
			break;
		dlist_pop_head_node(&waiting);
		MemoryContextSwitchTo(call->memory);
		http2_answer(call);
		MemoryContextSwitchTo(frontend_memory);
	}
	return !dlist_is_empty(&waiting);
}
