/*
 * call.c
 *	  One call from its first header until its stream is closed.
 *
 * What is here and has to do with reading runs in callbacks of nghttp2: it
 * does not raise.  The queue of ready calls is in the order of their arrival.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "frontend/frontend.h"

#define FRAME_PREFIX 5
/* A stream that sends this many times what it may is reset. */
#define MAX_DISCARDED 16

/* Bytes of requests that are held altogether; a process must live with them. */
#define MAX_BUFFERED ((size_t) 512 * 1024 * 1024)

static dlist_head ready = DLIST_STATIC_INIT(ready);
static size_t buffered = 0;

/* call_new -- NULL when there is no memory. */
Call *
call_new(Connection *connection, int32 stream_id)
{
	Call *call = MemoryContextAllocExtended(connection->memory, sizeof(Call),
											MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);

	if (call == NULL)
		return NULL;
	call->connection = connection;
	call->stream_id = stream_id;
	call->phase = CALL_READING;
	call->deadline = DT_NOEND;
	dlist_push_tail(&connection->calls, &call->of_connection);
	return call;
}

/* call_drop -- its stream is gone, whatever it is about. */
void
call_drop(Call *call)
{
	if (call->phase == CALL_READY || call->phase == CALL_WAITING)
		dlist_delete(&call->of_phase);
	if (call->phase == CALL_READY)
		longpoll_pass_on(call);
	if (call->phase == CALL_PARKED)
		longpoll_unpark(call);
	longpoll_leave(call);
	dlist_delete(&call->of_connection);
	if (call->phase == CALL_ANSWERED)
		call->connection->unsent -= call->answer_len;
	if (call->memory)
		MemoryContextDelete(call->memory);
	call_forget_body(call);
	if (call->path)
		pfree(call->path);
	if (call->encoding)
		pfree(call->encoding);
	if (call->authorization)
		pfree(call->authorization);
	pfree(call);
}

/* A copy of a header; a repeated one is ignored. */
static void
keep(Call *call, char **field, const char *value)
{
	size_t size = strlen(value) + 1;

	if (*field != NULL)
		return;
	*field = MemoryContextAllocExtended(call->connection->memory, size, MCXT_ALLOC_NO_OOM);
	if (*field == NULL)
		call->no_memory = true;
	else
		memcpy(*field, value, size);
}

static void
set_deadline(Call *call, const char *timeout)
{
	int64 microseconds;

	if (grpc_parse_timeout(timeout, &microseconds))
		call->deadline = clock_wall_now() + microseconds;
	else
		call->bad_timeout = true;
}

/* application/grpc, maybe with the name of an encoding behind a plus. */
static bool
is_grpc(const char *content_type)
{
	size_t len = strlen("application/grpc");

	return strncmp(content_type, "application/grpc", len) == 0 &&
		(content_type[len] == '\0' || content_type[len] == '+' || content_type[len] == ';');
}

/* The others are SDKs, or want to see what those see. */
static bool
is_display(const char *client_name)
{
	return strcmp(client_name, "temporal-cli") == 0 || strcmp(client_name, "temporal-ui") == 0;
}

/* call_header -- notes a header that matters. */
void
call_header(Call *call, const char *name, const char *value)
{
	if (strcmp(name, ":path") == 0)
		keep(call, &call->path, value);
	else if (strcmp(name, ":method") == 0)
		call->is_post = strcmp(value, "POST") == 0;
	else if (strcmp(name, "content-type") == 0)
		call->is_grpc = is_grpc(value);
	else if (strcmp(name, "client-name") == 0)
		call->is_display = is_display(value);
	else if (strcmp(name, "grpc-timeout") == 0)
		set_deadline(call, value);
	else if (strcmp(name, "grpc-encoding") == 0)
		keep(call, &call->encoding, value);
	else if (strcmp(name, "authorization") == 0)
		keep(call, &call->authorization, value);
}

/* Counts what does not fit; whoever goes on with that is cut off. */
static void
discard(Call *call, size_t len)
{
	call->discarded += len;
	if (call->discarded / MAX_DISCARDED > (size_t) guc_grpc_max_message_size)
		nghttp2_submit_rst_stream(call->connection->session, NGHTTP2_FLAG_NONE, call->stream_id,
								  NGHTTP2_ENHANCE_YOUR_CALM);
}

static bool
append(Call *call, const uint8 *data, size_t len)
{
	size_t before = call->body.size;

	if (buffered + len > MAX_BUFFERED ||
		!bytes_append(call->connection->memory, &call->body, data, len))
		return false;
	buffered += call->body.size - before;
	return true;
}

/* call_forget_body -- the request is not needed any more. */
void
call_forget_body(Call *call)
{
	buffered -= call->body.size;
	bytes_free(&call->body);
}

/* call_body -- more bytes of the request. */
void
call_body(Call *call, const uint8 *data, size_t len)
{
	size_t limit = (size_t) guc_grpc_max_message_size + FRAME_PREFIX;
	size_t fitting = Min(len, limit - Min(call->body.len, limit));

	if (call->discarded > 0 || call->no_memory)
		fitting = 0;
	if (fitting > 0 && !append(call, data, fitting))
	{
		call->no_memory = true;
		fitting = 0;
	}
	if (fitting < len)
		discard(call, len - fitting);
}

/* call_ready -- it has all that it takes to be executed. */
void
call_ready(Call *call)
{
	call->phase = CALL_READY;
	dlist_push_tail(&ready, &call->of_phase);
}

/* call_take_ready -- the oldest ready call, to be run now; NULL if there is none. */
Call *
call_take_ready(void)
{
	Call *call;

	if (dlist_is_empty(&ready))
		return NULL;
	call = dlist_container(Call, of_phase, dlist_pop_head_node(&ready));
	call->phase = CALL_RUNNING;
	return call;
}

bool
call_any_ready(void)
{
	return !dlist_is_empty(&ready);
}
