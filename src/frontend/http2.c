/*
 * http2.c
 *	  Between nghttp2 and our calls.
 *
 * The callbacks run inside nghttp2 and only record.  An answer is handed over
 * as headers and a source of bytes that reads the call's memory; the call goes
 * away when nghttp2 says that its stream is closed.
 */
#include "postgres.h"

#include "base/guc.h"
#include "frontend/frontend.h"

#define STREAM_WINDOW (1024 * 1024)
#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define CONTENT_TYPE "application/grpc"
#define MAX_HEADERS 8

/*
 * Streams that a client may reset: at once, and a second.  nghttp2 takes more
 * than a thousand and 33 for an attack, and ends the connection with all calls
 * on it.  But whoever no longer waits for a workflow resets a stream; a reset
 * costs us less than a call, and of those each client makes as many as it likes.
 */
#define STREAM_RESETS UINT64CONST(10000)

/* Libraries that do not count resets do not have it. */
extern void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option *option, uint64_t burst,
													   uint64_t rate) __attribute__((weak));

/* Header fields of an answer; names and values are copied by nghttp2. */
typedef struct Headers
{
	nghttp2_nv fields[MAX_HEADERS];
	size_t count;
} Headers;

static void
add_header(Headers *headers, const char *name, const char *value)
{
	nghttp2_nv *field = &headers->fields[headers->count++];

	field->name = (uint8_t *) unconstify(char *, name);
	field->namelen = strlen(name);
	field->value = (uint8_t *) unconstify(char *, value);
	field->valuelen = strlen(value);
	field->flags = NGHTTP2_NV_FLAG_NONE;
}

/* ---- what nghttp2 tells us ---- */

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	Connection *connection = arg;
	Call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = call_new(connection, frame->hd.stream_id);
	if (call == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	Call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	/* nghttp2 ends both with a NUL byte, and lets none into a value. */
	if (call != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		call_header(call, (const char *) name, (const char *) value);
	return 0;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
			  size_t len, void *arg)
{
	Call *call = nghttp2_session_get_stream_user_data(session, stream_id);

	if (call != NULL && call->phase == CALL_READING)
		call_body(call, data, len);
	return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	Connection *connection = arg;
	Call *call;

	connection->greeted |= frame->hd.type == NGHTTP2_SETTINGS;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (call != NULL && call->phase == CALL_READING)
		call_ready(call);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *arg)
{
	Call *call = nghttp2_session_get_stream_user_data(session, stream_id);

	if (call != NULL)
		call_drop(call);
	return 0;
}

/* ---- starting ---- */

static nghttp2_session_callbacks *
make_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	return callbacks;
}

static nghttp2_option *
make_options(void)
{
	nghttp2_option *options;

	if (nghttp2_option_new(&options) != 0)
		return NULL;
	if (nghttp2_option_set_stream_reset_rate_limit != NULL)
		nghttp2_option_set_stream_reset_rate_limit(options, STREAM_RESETS, STREAM_RESETS);
	return options;
}

/* http2_start -- false when there is no memory. */
bool
http2_start(Connection *connection)
{
	static nghttp2_session_callbacks *callbacks = NULL;
	static nghttp2_option *options = NULL;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, guc_grpc_max_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
	};

	if (callbacks == NULL)
		callbacks = make_callbacks();
	if (options == NULL)
		options = make_options();
	if (callbacks == NULL || options == NULL ||
		nghttp2_session_server_new2(&connection->session, callbacks, connection, options) != 0)
		return false;
	return nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
								   lengthof(settings)) == 0 &&
		nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
											  CONNECTION_WINDOW) == 0;
}

/* ---- answering ---- */

static ssize_t
read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t size, uint32_t *flags,
			nghttp2_data_source *source, void *arg)
{
	Call *call = source->ptr;
	size_t len = Min(size, call->answer_len - call->answer_sent);
	Headers trailers = {0};

	memcpy(to, call->answer + call->answer_sent, len);
	call->answer_sent += len;
	if (call->answer_sent == call->answer_len)
	{
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		add_header(&trailers, "grpc-status", "0");
		if (nghttp2_submit_trailer(session, stream_id, trailers.fields, trailers.count) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return len;
}

static int
submit_answer(Call *call, Headers *headers)
{
	nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_answer};

	return nghttp2_submit_response(call->connection->session, call->stream_id, headers->fields,
								   headers->count, &provider);
}

/* A status and nothing else: the headers are the trailers. */
static int
submit_status(Call *call, Headers *headers)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", call->status.code);
	add_header(headers, "grpc-status", code);
	if (call->status.message)
		add_header(headers, "grpc-message", grpc_encode_message(call->status.message));
	if (call->status.detail)
		add_header(headers, "grpc-status-details-bin", grpc_encode_details(&call->status));
	if (call->status.code == GRPC_UNIMPLEMENTED)
		add_header(headers, "grpc-accept-encoding", "identity,gzip");
	return nghttp2_submit_response(call->connection->session, call->stream_id, headers->fields,
								   headers->count, NULL);
}

/* What is not gRPC at all is told so in HTTP. */
static int
submit_refusal(Call *call)
{
	Headers headers = {0};

	add_header(&headers, ":status", call->is_post ? "415" : "405");
	return nghttp2_submit_response(call->connection->session, call->stream_id, headers.fields,
								   headers.count, NULL);
}

/* http2_answer -- hands the answer of a call to nghttp2. */
void
http2_answer(Call *call)
{
	Headers headers = {0};
	int result;

	add_header(&headers, ":status", "200");
	add_header(&headers, "content-type", CONTENT_TYPE);
	call->phase = CALL_ANSWERED;
	call->connection->unsent += call->answer_len;
	if (!call->is_grpc || !call->is_post)
		result = submit_refusal(call);
	else if (call->status.code == GRPC_OK)
		result = submit_answer(call, &headers);
	else
		result = submit_status(call, &headers);
	if (result != 0)
		call->connection->broken = true;
	connection_touch(call->connection);
}

/* http2_reset -- ends a call without an answer. */
void
http2_reset(Call *call)
{
	if (call->phase != CALL_ANSWERED)
		call->answer_len = 0;
	call->phase = CALL_ANSWERED;
	if (nghttp2_submit_rst_stream(call->connection->session, NGHTTP2_FLAG_NONE, call->stream_id,
								  NGHTTP2_INTERNAL_ERROR) != 0)
		call->connection->broken = true;
	connection_touch(call->connection);
}
