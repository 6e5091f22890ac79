/*
 * connection.c
 *	  Sockets of clients: reading, writing, closing.
 *
 * A connection that something has happened to is "touched" and looked after at
 * the end of the turn: what nghttp2 has to say is sent, and a connection that
 * is broken or done is closed.  Bytes are taken from nghttp2 only when those
 * before them are sent, so a client that does not read costs one buffer.
 */
#include "postgres.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "frontend/frontend.h"

#define INPUT_SIZE (64 * 1024)
#define OUTPUT_SIZE (64 * 1024)
#define CHECK_INTERVAL (5 * USECS_PER_SEC)
#define MAX_UNSENT (64 * 1024 * 1024)

static dlist_head all = DLIST_STATIC_INIT(all);
static dlist_head touched = DLIST_STATIC_INIT(touched);
static int count = 0;
static TimestampTz check_at = DT_NOBEGIN;

/* connection_touch -- look after it at the end of this turn. */
void
connection_touch(Connection *connection)
{
	if (connection->touched)
		return;
	connection->touched = true;
	dlist_push_tail(&touched, &connection->of_touched);
}

/* nghttp2 does not tell of streams that end with their session. */
static void
close_connection(Connection *connection)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connection->calls)
		call_drop(dlist_container(Call, of_connection, iter.cur));
	nghttp2_session_del(connection->session);
	tls_close(connection);
	close(connection->source.fd);
	dlist_delete(&connection->of_all);
	count--;
	MemoryContextDelete(connection->memory);
}

static void
want_write(Connection *connection, bool wanted)
{
	if (connection->wants_write != wanted)
		frontend_watch_source(&connection->source, wanted, false);
	connection->wants_write = wanted;
}

static ssize_t
receive(Connection *connection, void *data, size_t size)
{
	if (connection->ssl)
		return tls_recv(connection, data, size);
	return recv(connection->source.fd, data, size, 0);
}

/* As send(), but tells when it is worth trying again. */
static ssize_t
transmit(Connection *connection, const void *data, size_t size)
{
	ssize_t len;

	if (connection->ssl)
		return tls_send(connection, data, size);
	len = send(connection->source.fd, data, size, MSG_NOSIGNAL);
	if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		errno = EWANTWRITE;
	return len;
}

/* Reads once: others want their turn too, and epoll tells when there is more. */
static void
read_input(Connection *connection)
{
	static uint8 input[INPUT_SIZE];
	ssize_t len = receive(connection, input, sizeof(input));

	if (len < 0 && errno == EWANTWRITE)
		want_write(connection, true);
	if (len < 0 &&
		(errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == EWANTWRITE))
		return;
	if (len <= 0 || nghttp2_session_mem_recv(connection->session, input, len) != len)
		connection->broken = true;
	connection->heard_at = clock_wall_now();
	connection->pinged = false;
}

static void
serve_connection(Source *source, uint32 events)
{
	Connection *connection = (Connection *) source;

	connection_touch(connection);
	if (events & EPOLLIN)
	{
		do
			read_input(connection);
		while (!connection->broken && tls_pending(connection));
	}
	else if (events & (EPOLLERR | EPOLLHUP))
		connection->broken = true;
}

/* Takes the next bytes from nghttp2; false when it has none. */
static bool
fill_output(Connection *connection)
{
	connection->out.len = connection->out_sent = 0;
	while (connection->out.len < OUTPUT_SIZE)
	{
		const uint8_t *data;
		ssize_t len = nghttp2_session_mem_send(connection->session, &data);

		if (len < 0 || !bytes_append(connection->memory, &connection->out, data, Max(len, 0)))
			connection->broken = true;
		if (len <= 0)
			break;
	}
	return connection->out.len > 0 && !connection->broken;
}

/* Sends until there is nothing more, or no room. */
static void
write_output(Connection *connection)
{
	while (!connection->broken &&
		   (connection->out_sent < connection->out.len || fill_output(connection)))
	{
		ssize_t len = transmit(connection, connection->out.data + connection->out_sent,
							   connection->out.len - connection->out_sent);

		if (len > 0)
		{
			connection->out_sent += len;
			connection->stuck_since = 0;
		}
		else if (len < 0 && (errno == EWANTWRITE || errno == EAGAIN))
		{
			/* TLS may have to hear something before it can speak. */
			want_write(connection, errno == EWANTWRITE);
			if (connection->stuck_since == 0)
				connection->stuck_since = clock_wall_now();
			return;
		}
		else if (errno != EINTR)
			connection->broken = true;
	}
	want_write(connection, false);
}

static bool
is_done(const Connection *connection)
{
	return connection->out_sent == connection->out.len &&
		!nghttp2_session_want_read(connection->session) &&
		!nghttp2_session_want_write(connection->session);
}

/* connection_look_after_touched -- sends what is to be sent, closes what is over. */
void
connection_look_after_touched(void)
{
	while (!dlist_is_empty(&touched))
	{
		Connection *connection =
			dlist_container(Connection, of_touched, dlist_pop_head_node(&touched));

		connection->touched = false;
		write_output(connection);
		if (connection->broken || is_done(connection))
		{
			/* Closing it may touch nothing but itself. */
			close_connection(connection);
		}
	}
}

static void
set_options(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* connection_open -- takes over a socket that was accepted. */
void
connection_open(int fd)
{
	MemoryContext memory;
	Connection *connection;

	if (count >= guc_grpc_max_connections)
	{
		close(fd);
		return;
	}
	memory = AllocSetContextCreate(frontend_memory, "temporal connection", ALLOCSET_SMALL_SIZES);
	connection = MemoryContextAllocZero(memory, sizeof(Connection));
	connection->memory = memory;
	connection->source.fd = fd;
	connection->source.serve = serve_connection;
	connection->heard_at = clock_wall_now();
	dlist_init(&connection->calls);
	set_options(fd);
	dlist_push_tail(&all, &connection->of_all);
	count++;
	connection->broken = !tls_open(connection) || !http2_start(connection);
	frontend_watch_source(&connection->source, false, true);
	connection_touch(connection);
}

int
connection_count(void)
{
	return count;
}

/* connection_is_clogged -- do too many answers wait to be read? */
bool
connection_is_clogged(const Connection *connection)
{
	return connection->unsent > MAX_UNSENT;
}

/*
 * Closes a connection whose client does not read, has not said a word, or does
 * not answer our ping; sends a ping if it has been silent for long.
 */
static void
check(Connection *connection, TimestampTz now)
{
	int64 time = guc_grpc_keepalive_time * INT64CONST(1000);
	int64 timeout = guc_grpc_keepalive_timeout * INT64CONST(1000);
	int64 silence = now - connection->heard_at;

	if (connection->stuck_since != 0 && now - connection->stuck_since > timeout)
		connection->broken = true;
	else if (!connection->greeted && silence > timeout)
		connection->broken = true;
	else if (connection->pinged && silence > time + timeout)
		connection->broken = true;
	else if (!connection->pinged && time > 0 && silence > time)
	{
		nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
		connection->pinged = true;
	}
	else
		return;
	connection_touch(connection);
}

/* connection_check_all -- every few seconds; when to call it again. */
TimestampTz
connection_check_all(void)
{
	TimestampTz now;
	dlist_iter iter;

	if (count == 0)
		return DT_NOEND;
	now = clock_wall_now();
	if (now < check_at)
		return check_at;
	dlist_foreach(iter, &all)
		check(dlist_container(Connection, of_all, iter.cur), now);
	check_at = now + CHECK_INTERVAL;
	return check_at;
}

/* connection_say_goodbye -- tells all clients that the server goes. */
void
connection_say_goodbye(void)
{
	dlist_iter iter;

	dlist_foreach(iter, &all)
	{
		Connection *connection = dlist_container(Connection, of_all, iter.cur);

		/* Answers first: some clients read nothing behind a GOAWAY. */
		write_output(connection);
		nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
							  nghttp2_session_get_last_proc_stream_id(connection->session),
							  NGHTTP2_NO_ERROR, NULL, 0);
		write_output(connection);
	}
}
