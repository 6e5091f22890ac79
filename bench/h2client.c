/*
 * h2client.c
 *	  Loads a gRPC server with single calls, as cheaply as a client can.
 *
 * "start" keeps a number of StartWorkflowExecution in flight, each of another
 * workflow, for some seconds.  "park" lets polls wait, each for a queue of its
 * own, says so, rests for some seconds, and then starts one workflow after the
 * other and takes the time until the poll of its queue is answered.  That is
 * what h2load cannot do: it sends the same request again and again.
 *
 * usage: h2client start|park PORT CONNECTIONS STREAMS SECONDS
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"
#define MAX_SAMPLES 10000000
#define DELIVERIES 1000
#define FIELD(name, value) \
	{(uint8_t *) (name), (uint8_t *) (value), sizeof(name) - 1, strlen(value), NGHTTP2_NV_FLAG_NONE}

typedef struct Connection
{
	int fd;
	nghttp2_session *session;
} Connection;

typedef struct Call
{
	Connection *connection;
	int queue; /* of a poll; -1: a start */
	double began;
	int status; /* of gRPC; -1: none came */
	size_t len;
	size_t sent;
	char body[256];
} Call;

static Connection *connections;
static int epoll_fd;
static int port;
static int streams;
static double end;
static double *samples;
static int sample_count;
static int failures;
static int workflows;
static int delivered; /* the queue whose poll was answered last */
static int starting;  /* calls are made again when they are answered */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- calls ---- */

/* A field of type string or message; both are shorter than 128 bytes. */
static void
add_field(Call *call, int number, const char *value, size_t len)
{
	call->body[call->len++] = number << 3 | 2;
	call->body[call->len++] = len;
	memcpy(call->body + call->len, value, len);
	call->len += len;
}

static void
add_named(Call *call, int number, const char *name)
{
	char message[64] = {1 << 3 | 2, strlen(name)};

	strcpy(message + 2, name);
	add_field(call, number, message, 2 + strlen(name));
}

static ssize_t
read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size, uint32_t *flags,
		  nghttp2_data_source *source, void *arg)
{
	Call *call = source->ptr;
	size_t len = call->len - call->sent < size ? call->len - call->sent : size;

	memcpy(to, call->body + call->sent, len);
	call->sent += len;
	if (call->sent == call->len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return len;
}

static void
flush_output(Connection *connection)
{
	const uint8_t *data;
	ssize_t len;

	while ((len = nghttp2_session_mem_send(connection->session, &data)) > 0)
	{
		if (send(connection->fd, data, len, MSG_NOSIGNAL) != len)
			die("send");
	}
}

/* Sends a poll of a queue, or, with -1, the start of a workflow. */
static void
send_call(Connection *connection, int queue, int start_on)
{
	Call *call = calloc(1, sizeof(Call));
	const char *path =
		queue < 0 ? SERVICE "StartWorkflowExecution" : SERVICE "PollWorkflowTaskQueue";
	nghttp2_nv headers[] = {FIELD(":method", "POST"), FIELD(":scheme", "http"),
							FIELD(":path", path), FIELD(":authority", "localhost"),
							FIELD("te", "trailers"), FIELD("content-type", "application/grpc")};
	nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
	char name[32];
	char id[32];

	call->connection = connection;
	call->queue = queue;
	call->status = -1;
	call->len = 5;
	snprintf(name, sizeof(name), "queue-%d-%d", getpid(), queue < 0 ? start_on : queue);
	add_field(call, 1, "default", strlen("default"));
	if (queue < 0)
	{
		snprintf(id, sizeof(id), "h2-%d-%d", getpid(), workflows++);
		add_field(call, 2, id, strlen(id));
		add_named(call, 3, "Load");
		add_named(call, 4, name);
		add_field(call, 10, id, strlen(id));
	}
	else
		add_named(call, 2, name);
	call->body[4] = call->len - 5;
	call->began = now();
	if (nghttp2_submit_request(connection->session, NULL, headers, 6, &provider, call) < 0)
		die("submit");
	flush_output(connection);
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	Call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (call && strcmp((const char *) name, "grpc-status") == 0)
		call->status = atoi((const char *) value);
	return 0;
}

static int
on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	Call *call = nghttp2_session_get_stream_user_data(session, stream);

	if (call == NULL)
		return 0;
	failures += call->status != 0;
	if (call->queue >= 0)
		delivered = call->queue;
	else if (starting && sample_count < MAX_SAMPLES)
	{
		samples[sample_count++] = now() - call->began;
		if (now() < end)
			send_call(call->connection, -1, -1);
	}
	free(call);
	return 0;
}

/* ---- connections ---- */

static void
open_connection(Connection *connection, nghttp2_session_callbacks *callbacks)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(connection->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		die("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	nghttp2_session_client_new(&connection->session, callbacks, connection);
	nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
	flush_output(connection);
}

/* Reads what has come within a time. */
static void
serve(int timeout_ms)
{
	static uint8_t data[65536];
	struct epoll_event events[64];
	int count = epoll_wait(epoll_fd, events, 64, timeout_ms);

	for (int i = 0; i < count; i++)
	{
		Connection *connection = events[i].data.ptr;
		ssize_t len = recv(connection->fd, data, sizeof(data), 0);

		if (len <= 0 || nghttp2_session_mem_recv(connection->session, data, len) != len)
			die("the connection");
		flush_output(connection);
	}
}

/* ---- what is measured ---- */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
report(const char *what, double seconds)
{
	qsort(samples, sample_count, sizeof(double), compare);
	printf("%d %s in %.1f s: %.0f/s, p50 %.2f ms, p99 %.2f ms, longest %.2f ms, %d failed\n",
		   sample_count, what, seconds, sample_count / seconds, samples[sample_count / 2] * 1000,
		   samples[sample_count * 99 / 100] * 1000, samples[sample_count - 1] * 1000, failures);
}

static void
measure_starts(int count, double seconds)
{
	double began = now();

	starting = 1;
	end = began + seconds;
	for (int i = 0; i < count * streams; i++)
		send_call(&connections[i % count], -1, -1);
	while (now() < end)
		serve(100);
	report("starts", now() - began);
}

static void
measure_deliveries(int count, double seconds)
{
	int polls = (count - 1) * streams;
	double began;

	for (int i = 0; i < polls; i++)
		send_call(&connections[1 + i % (count - 1)], i, 0);
	printf("%d polls wait\n", polls);
	fflush(stdout);
	for (end = now() + seconds; now() < end;)
		serve(100);
	began = now();
	for (int i = 0; i < DELIVERIES; i++)
	{
		int queue = (i * 7919) % polls;
		double sent = now();

		delivered = -1;
		send_call(&connections[0], -1, queue);
		while (delivered != queue)
			serve(1000);
		samples[sample_count++] = now() - sent;
		send_call(&connections[1 + queue % (count - 1)], queue, 0);
	}
	report("deliveries", now() - began);
}

int
main(int argc, char **argv)
{
	nghttp2_session_callbacks *callbacks;
	int count;

	if (argc != 6)
	{
		fprintf(stderr, "usage: h2client start|park PORT CONNECTIONS STREAMS SECONDS\n");
		return 2;
	}
	port = atoi(argv[2]);
	count = atoi(argv[3]) + (strcmp(argv[1], "park") == 0);
	streams = atoi(argv[4]);
	connections = calloc(count, sizeof(Connection));
	samples = calloc(MAX_SAMPLES, sizeof(double));
	epoll_fd = epoll_create1(0);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	for (int i = 0; i < count; i++)
		open_connection(&connections[i], callbacks);
	if (strcmp(argv[1], "park") == 0)
		measure_deliveries(count, atof(argv[5]));
	else
		measure_starts(count, atof(argv[5]));
	return failures > 0;
}
