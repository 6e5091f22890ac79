/*
 * flusher.c
 *	  The process that flushes WAL, so that a frontend need not wait for the disk.
 *
 * A frontend executes the next calls while those before them are made durable
 * here.  See durable.c for the other side.
 */
#include "postgres.h"

#include "access/xlog.h"

#include "base/guc.h"
#include "wake/process.h"
#include "worker/worker.h"

#define FOREVER_MS (60 * 60 * 1000)

PGDLLEXPORT void temporal_flusher_main(Datum arg);

/* Whoever asks while we flush sets our latch again. */
static long
flusher_turn(void)
{
	XLogRecPtr wanted = flush_requested();

	if (guc_grpc_port == 0 || !guc_grpc_pipeline)
		worker_leave(PROCESS_NOT_WANTED);
	if (wanted > GetFlushRecPtr(NULL))
		XLogFlush(wanted);
	flush_done();
	return FOREVER_MS;
}

void
temporal_flusher_main(Datum arg)
{
	worker_start(arg, "temporal flusher");
	worker_loop(flusher_turn, WAIT_EVENT_FLUSHER_MAIN);
}
