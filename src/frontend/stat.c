/*
 * stat.c
 *	  What the frontend counts: temporal.stat_frontend() and stat_rpc() show it.
 */
#include "postgres.h"

#include "frontend/frontend.h"

/* stat_call -- a call was executed; one that waits is, each time it looks. */
void
stat_call(const Call *call, int64 microseconds)
{
	int index = service_method_index(call->method.service);
	WakeMethodStat *stat;

	if (index >= WAKE_SERVER_METHODS)
		return;
	stat = &wake_server_stat()->methods[index];
	stat->calls++;
	stat->errors += call->outcome == OUTCOME_ANSWER && call->status.code != GRPC_OK;
	stat->total_us += microseconds;
	stat->max_us = Max(stat->max_us, microseconds);
}

/* stat_batch -- so many calls were executed, and that was committed. */
void
stat_batch(int calls, int64 execute_us, int64 commit_us)
{
	WakeServerStat *stat = wake_server_stat();

	stat->batches++;
	stat->calls += calls;
	stat->largest_batch = Max(stat->largest_batch, calls);
	stat->execute_us += execute_us;
	stat->commit_us += commit_us;
}

/* stat_now -- how things are at the end of a turn. */
void
stat_now(void)
{
	WakeServerStat *stat = wake_server_stat();

	stat->connections = connection_count();
	stat->parked = longpoll_count();
}
