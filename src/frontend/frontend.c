/*
 * frontend.c
 *	  The process that serves Temporal's gRPC API.
 *
 * One loop: sockets are read, calls that are complete run in one transaction,
 * answers are sent.  The sockets hang in an epoll set of our own, because a
 * WaitEventSet cannot drop one; its descriptor is one event of a WaitEventSet
 * beside the latch and the postmaster's death.  Between turns no transaction
 * is open, however many polls wait.
 */
#include "postgres.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "frontend/frontend.h"
#include "wake/process.h"
#include "worker/worker.h"

#define EVENTS_A_TURN 256
#define FOREVER_MS (60 * 60 * 1000)
#define LISTEN_RETRY_MS 1000
#define FLUSH_RETRY_MS 100

PGDLLEXPORT void temporal_frontend_main(Datum arg);

MemoryContext frontend_memory; /* all that outlives a turn */

static int epoll_fd = -1;
static WaitEventSet *wait_set;

/* frontend_watch_source -- tells when a socket can be read, maybe also written. */
void
frontend_watch_source(Source *source, bool writing, bool is_new)
{
	struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = source};

	if (epoll_ctl(epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, source->fd, &event) != 0)
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not watch a socket: %m")));
}

/* frontend_ignore_source -- tells nothing of it until it is watched again. */
void
frontend_ignore_source(Source *source)
{
	struct epoll_event event = {.data.ptr = source};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event) != 0)
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not ignore a socket: %m")));
}

/* Reads from all sockets that have something, each once. */
static void
serve_sources(void)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(epoll_fd, events, EVENTS_A_TURN, 0);

	for (int i = 0; i < count; i++)
	{
		Source *source = events[i].data.ptr;

		source->serve(source, events[i].events);
	}
}

static long
frontend_turn(void)
{
	long timeout = FOREVER_MS;
	TimestampTz check_at;

	if (guc_grpc_port == 0 || process_number() >= guc_frontends)
		worker_leave(PROCESS_NOT_WANTED);
	if (!listener_keep_open())
		timeout = LISTEN_RETRY_MS;
	durable_release();
	longpoll_wake();
	serve_sources();
	batch_run();
	if (durable_release())
		timeout = FLUSH_RETRY_MS;
	check_at = connection_check_all();
	connection_look_after_touched();
	stat_now();
	if (call_any_ready())
		return 0;
	check_at = Min(check_at, listener_next_time());
	return clock_wall_ms_until(Min(check_at, longpoll_next_time()), timeout);
}

static void
frontend_wait(long timeout, uint32 wait_event_info)
{
	WaitEvent event;

	(void) WaitEventSetWait(wait_set, timeout, &event, 1, wait_event_info);
}

/* Clients reconnect at once when they are told. */
static void
say_goodbye(int code, Datum arg)
{
	longpoll_end_all();
	connection_say_goodbye();
}

/* The server limits itself to fewer descriptors than it may have. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void
make_wait_set(void)
{
	ReserveExternalFD();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		ereport(FATAL, (errcode_for_socket_access(), errmsg("could not create an epoll set: %m")));
	wait_set = compat_create_wait_set(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, epoll_fd, NULL, NULL);
}

void
temporal_frontend_main(Datum arg)
{
	worker_start(arg, "temporal frontend");
	frontend_memory =
		AllocSetContextCreate(TopMemoryContext, "temporal frontend", ALLOCSET_DEFAULT_SIZES);
	raise_file_limit();
	make_wait_set();
	before_shmem_exit(say_goodbye, (Datum) 0);
	worker_loop_with(frontend_turn, frontend_wait, WAIT_EVENT_FRONTEND_MAIN);
}
