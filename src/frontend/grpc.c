/*
 * grpc.c
 *	  gRPC on top of HTTP/2: message frames, timeouts, status texts.
 */
#include "postgres.h"

#include <zlib.h>

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "frontend/frontend.h"
#include "proto/rpc_status.pb-c.h"
#include "proto/wire.h"

#define FRAME_PREFIX 5
#define MAX_TIMEOUT_DIGITS 8
#define MAX_MESSAGE_TEXT 4000
#define TYPE_URL_PREFIX "type.googleapis.com/"
#define LONGEST_TIMEOUT (INT64CONST(365) * USECS_PER_DAY)

/* What a unit of grpc-timeout is worth in nanoseconds; 0 for no unit. */
static int64
unit_nanoseconds(char unit)
{
	switch (unit)
	{
		case 'H':
			return INT64CONST(3600000000000);
		case 'M':
			return INT64CONST(60000000000);
		case 'S':
			return INT64CONST(1000000000);
		case 'm':
			return 1000000;
		case 'u':
			return 1000;
		case 'n':
			return 1;
		default:
			return 0;
	}
}

/* grpc_parse_timeout -- one to eight digits and a unit; false for all else. */
bool
grpc_parse_timeout(const char *text, int64 *microseconds)
{
	int64 value = 0;
	int64 unit;
	int digits = 0;

	for (; *text >= '0' && *text <= '9' && digits <= MAX_TIMEOUT_DIGITS; text++, digits++)
		value = value * 10 + (*text - '0');
	unit = unit_nanoseconds(*text);
	if (digits == 0 || digits > MAX_TIMEOUT_DIGITS || unit == 0 || text[1] != '\0')
		return false;
	if (unit >= 1000)
		*microseconds = Min(value, LONGEST_TIMEOUT / (unit / 1000)) * (unit / 1000);
	else
		*microseconds = value / 1000;
	return true;
}

/* grpc_encode_message -- percent encoding, as grpc-message wants it. */
char *
grpc_encode_message(const char *message)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; message[i] != '\0' && i < MAX_MESSAGE_TEXT; i++)
	{
		unsigned char byte = message[i];

		if (byte < 0x20 || byte > 0x7e || byte == '%')
			appendStringInfo(&text, "%%%02X", byte);
		else
			appendStringInfoChar(&text, byte);
	}
	return text.data;
}

/* Base64 without padding, as other servers send it. */
static char *
encode_base64(const ProtobufCBinaryData *bytes)
{
	int size = pg_b64_enc_len(bytes->len);
	char *text = palloc(size + 1);
	int len = pg_b64_encode((const void *) bytes->data, bytes->len, text, size);

	while (len > 0 && text[len - 1] == '=')
		len--;
	text[len] = '\0';
	return text;
}

/* grpc_encode_details -- a status as grpc-status-details-bin has it. */
char *
grpc_encode_details(const Status *status)
{
	Pb__Status message = PB__STATUS__INIT;
	Pb__Any any = PB__ANY__INIT;
	Pb__Any *details[] = {&any};
	ProtobufCBinaryData packed;

	message.code = status->code;
	message.message = status->message ? status->message : "";
	if (status->detail)
	{
		any.type_url = psprintf(TYPE_URL_PREFIX "%s", status->detail->descriptor->name);
		any.value = proto_pack(status->detail);
		message.details = details;
		message.n_details = 1;
	}
	packed = proto_pack(&message.base);
	return encode_base64(&packed);
}

/* Doubles the room of an inflating stream up to "limit"; false: no more. */
static bool
enlarge(z_stream *stream, uint8 **out, size_t *size, size_t limit)
{
	size_t larger = Min(*size * 2, limit);
	uint8 *data = larger > *size ? palloc_extended(larger, MCXT_ALLOC_NO_OOM) : NULL;

	if (data == NULL)
		return false;
	memcpy(data, *out, *size);
	stream->next_out = data + *size;
	stream->avail_out = larger - *size;
	pfree(*out);
	*out = data;
	*size = larger;
	return true;
}

/* The stream for all messages, since making one costs as much as using it. */
static z_stream *
fresh_stream(void)
{
	static z_stream stream;
	static bool made = false;

	if (made)
		return inflateReset(&stream) == Z_OK ? &stream : NULL;
	/* 16: gzip's header and nothing else. */
	made = inflateInit2(&stream, MAX_WBITS + 16) == Z_OK;
	return made ? &stream : NULL;
}

/*
 * Inflates gzip into the current context; false if it is none, or larger than
 * "limit": *out_len is "limit" then.
 */
static bool
inflate_gzip(const uint8 *data, size_t len, size_t limit, uint8 **out, size_t *out_len)
{
	z_stream *stream = fresh_stream();
	size_t size = Min(Max(len * 4, 1024), limit);
	int result;

	*out = palloc(size);
	*out_len = 0;
	if (stream == NULL)
		return false;
	stream->next_in = unconstify(uint8 *, data);
	stream->avail_in = len;
	stream->next_out = *out;
	stream->avail_out = size;
	do
		result = inflate(stream, Z_NO_FLUSH);
	while (result == Z_OK && stream->avail_out == 0 && enlarge(stream, out, &size, limit));
	*out_len = stream->total_out;
	return result == Z_STREAM_END && stream->avail_in == 0;
}

/* As grpc_read_message(), for a message that is compressed. */
static const char *
read_compressed(const Call *call, const uint8 **data, size_t *len, GrpcCode *code)
{
	size_t limit = (size_t) guc_grpc_max_message_size + 1;
	uint8 *out;
	size_t out_len;
	bool whole;

	if (call->encoding == NULL || strcmp(call->encoding, "identity") == 0)
		return "grpc: compressed flag set with identity or empty encoding";
	whole = inflate_gzip(*data, *len, limit, &out, &out_len);
	*data = out;
	*len = out_len;
	if (out_len < limit)
		return whole ? NULL : "grpc: failed to decompress the received message";
	*code = GRPC_RESOURCE_EXHAUSTED;
	return psprintf("grpc: received message after decompression larger than max %d",
					guc_grpc_max_message_size);
}

/*
 * grpc_read_message -- the one message of a call; what is wrong, or NULL.
 *
 * An error is a text in the current context, and *code says what kind.
 */
const char *
grpc_read_message(Call *call, const uint8 **data, size_t *len, GrpcCode *code)
{
	const uint8 *body = call->body.data;
	size_t received = call->body.len + call->discarded;
	uint32 size;

	*code = GRPC_INTERNAL;
	if (call->body.len < FRAME_PREFIX)
		return "grpc: the request has no message";
	memcpy(&size, body + 1, sizeof(size));
	size = pg_ntoh32(size);
	if (size > (uint32) guc_grpc_max_message_size)
	{
		*code = GRPC_RESOURCE_EXHAUSTED;
		return psprintf("grpc: received message larger than max (%u vs. %d)", size,
						guc_grpc_max_message_size);
	}
	if (received < FRAME_PREFIX + (size_t) size)
		return "grpc: the message ends too early";
	if (received > FRAME_PREFIX + (size_t) size)
		return "grpc: the request has more than one message";
	*data = body + FRAME_PREFIX;
	*len = size;
	if (body[0] > 1)
		return psprintf("grpc: received unexpected payload format %d", body[0]);
	return body[0] == 0 ? NULL : read_compressed(call, data, len, code);
}

/* grpc_frame_answer -- packs the answer of a call; raises when it is too large. */
void
grpc_frame_answer(Call *call, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint32 size = pg_hton32((uint32) len);

	if (!AllocSizeIsValid(len + FRAME_PREFIX))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("answer of %zu bytes is too large", len)));
	call->answer = MemoryContextAlloc(call->memory, FRAME_PREFIX + len);
	call->answer[0] = 0;
	memcpy(call->answer + 1, &size, sizeof(size));
	protobuf_c_message_pack(message, call->answer + FRAME_PREFIX);
	call->answer_len = FRAME_PREFIX + len;
	call->answer_sent = 0;
}
