/*
 * listener.c
 *	  The sockets on which clients connect.
 *
 * With several frontends all of a database share the port.  The kernel would
 * share it with any other process of the same user, so the first of them makes
 * sure that nobody else is there.
 *
 * They follow the settings: when those change they are closed and opened anew,
 * connections stay.  When they cannot be opened, the process says so once and
 * tries again later.
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/clock.h"
#include "base/guc.h"
#include "frontend/frontend.h"
#include "wake/process.h"
#include "worker/worker.h"

#define MAX_LISTENERS 16
#define BACKLOG 1024
#define ACCEPTS_A_TURN 64
#define RETRY_DELAY (2 * USECS_PER_SEC)
#define ACCEPT_DELAY (500 * INT64CONST(1000))

static Source listeners[MAX_LISTENERS];
static int count = 0;

/* The settings that they were opened for. */
static int open_on_port = 0;
static char *open_addresses = NULL;
static int open_reloads = -1;
static bool open_with_clients = false;
static bool open_shared = false;

static TimestampTz retry_at = DT_NOBEGIN;
static char *last_problem = NULL;
static TimestampTz accept_at = DT_NOBEGIN; /* nobody is accepted before */

static bool told = false; /* that it is so */

/* Says of a problem that lasts only once that it has begun. */
static void
stop_accepting(void)
{
	for (int i = 0; i < count; i++)
		frontend_ignore_source(&listeners[i]);
	accept_at = clock_wall_now() + ACCEPT_DELAY;
	if (!told)
		ereport(LOG, (errcode_for_socket_access(),
					  errmsg("could not accept a gRPC connection, trying again: %m")));
	told = true;
}

/*
 * Accepts some; epoll tells again when there are more.  It would tell without
 * end of one that cannot be accepted, for want of descriptors or of memory.
 */
static void
serve_listener(Source *source, uint32 events)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++)
	{
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
		{
			connection_open(fd);
			told = false;
		}
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		{
			stop_accepting();
			return;
		}
	}
}

/* listener_next_time -- when somebody is accepted again, if nobody is now. */
TimestampTz
listener_next_time(void)
{
	return accept_at == DT_NOBEGIN ? DT_NOEND : accept_at;
}

/* False while nobody is accepted. */
static bool
accept_again(void)
{
	if (accept_at == DT_NOBEGIN)
		return true;
	if (clock_wall_now() < accept_at)
		return false;
	accept_at = DT_NOBEGIN;
	for (int i = 0; i < count; i++)
		frontend_watch_source(&listeners[i], false, false);
	return true;
}

static void
close_all(void)
{
	while (count > 0)
		close(listeners[--count].fd);
}

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr) >> 24) == 127;
	return address->sa_family == AF_INET6 &&
		IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) address)->sin6_addr);
}

static bool
knows_callers(void)
{
	return guc_grpc_api_keys || tls_knows_clients();
}

/* Opens one address, only for us or to be shared; what is wrong, or NULL. */
static const char *
open_address(const struct addrinfo *info, const char *host, bool sharing)
{
	int on = 1;
	int fd;

	if (!is_loopback(info->ai_addr) && !(tls_protects() && knows_callers()))
		return psprintf("address \"%s\" is not of this machine alone, and callers are not "
						"authenticated",
						host);
	if (count == MAX_LISTENERS)
		return psprintf("more than %d addresses", MAX_LISTENERS);
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return psprintf("could not create a socket for \"%s\": %m", host);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sharing)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
	{
		const char *problem =
			psprintf("could not listen on \"%s\", port %d: %m", host, guc_grpc_port);

		close(fd);
		return problem;
	}
	listeners[count].fd = fd;
	listeners[count].serve = serve_listener;
	frontend_watch_source(&listeners[count++], false, true);
	return NULL;
}

/* Opens all addresses of a host; one that works is enough. */
static const char *
open_host(const char *host, bool sharing)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *infos;
	const char *problem = NULL;
	int before = count;
	char port[16];
	int result;

	pg_ltoa(guc_grpc_port, port);
	result = getaddrinfo(host, port, &hints, &infos);
	if (result != 0)
		return psprintf("could not find address \"%s\": %s", host, gai_strerror(result));
	for (struct addrinfo *info = infos; info != NULL; info = info->ai_next)
	{
		const char *found = open_address(info, host, sharing);

		problem = found ? found : problem;
	}
	freeaddrinfo(infos);
	return count > before ? NULL : problem;
}

static const char *
open_all(bool sharing)
{
	char *list = pstrdup(guc_grpc_listen_addresses);
	List *hosts;
	ListCell *cell;

	if (!SplitGUCList(list, ',', &hosts))
		return "temporal.grpc_listen_addresses is not a list";
	foreach(cell, hosts)
	{
		const char *problem = open_host(lfirst(cell), sharing);

		if (problem)
			return problem;
	}
	return hosts == NIL ? "temporal.grpc_listen_addresses is empty" : NULL;
}

/* Opens what the settings ask for, if nobody else is there; what is wrong, or NULL. */
static const char *
open_port(ProcessPort found)
{
	const char *problem;

	if (found == PORT_THEIRS)
		return psprintf("port %d serves another database", guc_grpc_port);
	if (guc_frontends == 1)
		return open_all(false);
	if (found == PORT_UNUSED)
	{
		problem = open_all(false);
		close_all();
		if (problem)
			return problem;
	}
	return open_all(true);
}

/* Says what is wrong, once. */
static void
report(const char *problem)
{
	process_error(problem);
	if (last_problem && strcmp(problem, last_problem) == 0)
		return;
	ereport(LOG, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("gRPC is not served: %s", problem)));
	if (last_problem)
		pfree(last_problem);
	last_problem = MemoryContextStrdup(frontend_memory, problem);
}

static void
remember_settings(void)
{
	if (open_addresses)
		pfree(open_addresses);
	open_addresses = MemoryContextStrdup(frontend_memory, guc_grpc_listen_addresses);
	open_on_port = guc_grpc_port;
	open_reloads = worker_reloads();
	open_with_clients = knows_callers();
	open_shared = guc_frontends > 1;
}

/* Are the sockets what the settings ask for?  Reads the files of TLS at each reload. */
static bool
is_current(void)
{
	if (count == 0 || open_on_port != guc_grpc_port || (guc_frontends > 1 && !open_shared) ||
		strcmp(open_addresses, guc_grpc_listen_addresses) != 0)
		return false;
	if (open_reloads == worker_reloads())
		return true;
	open_reloads = worker_reloads();
	return open_with_clients == knows_callers() && tls_load() == NULL;
}

/* listener_keep_open -- false while clients cannot connect: call it again. */
bool
listener_keep_open(void)
{
	const char *problem;
	ProcessPort found;

	if (is_current())
		return accept_again();
	accept_at = DT_NOBEGIN;
	if (clock_wall_now() < retry_at)
		return false;
	close_all();
	process_listens(0);
	found = process_find_port(guc_grpc_port);
	/* The first one goes first. */
	if (process_number() > 0 && found == PORT_UNUSED)
		return false;
	problem = tls_load();
	if (problem == NULL)
		problem = open_port(found);
	if (problem == NULL)
	{
		remember_settings();
		process_listens(guc_grpc_port);
		process_error("");
		ereport(
			LOG,
			(errmsg("serving gRPC on \"%s\", port %d", guc_grpc_listen_addresses, guc_grpc_port)));
		return true;
	}
	close_all();
	report(problem);
	retry_at = clock_wall_now() + RETRY_DELAY;
	return false;
}
