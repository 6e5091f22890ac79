/*
 * wait_event.h
 *	  What pg_stat_activity says while we wait.
 */
#ifndef TEMPORAL_BASE_WAIT_EVENT_H
#define TEMPORAL_BASE_WAIT_EVENT_H

typedef enum WaitEventName
{
	WAIT_EVENT_EXECUTOR_MAIN,
	WAIT_EVENT_FRONTEND_MAIN,
	WAIT_EVENT_KEEPER_MAIN,
	WAIT_EVENT_LAUNCHER_MAIN,
	WAIT_EVENT_QUEUE,
	WAIT_EVENT_RUN_CLOSED,
	WAIT_EVENT_WORKER_BACKOFF,
	WAIT_EVENT_WORKERS_GONE,
} WaitEventName;

extern uint32 wait_event(WaitEventName name);

#endif /* TEMPORAL_BASE_WAIT_EVENT_H */
