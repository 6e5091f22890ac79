/*
 * fuzz_service.c
 *	  Whatever requests say, in whatever order, handlers answer or refuse.
 *
 * An input is a sequence of requests: a byte for the method, two for the
 * length, and that many bytes of the message.  They run one after the other in
 * one transaction, as the frontend runs them.  Tokens cannot be guessed, so a
 * request that has one gets one that a poll of the same input has answered;
 * its first byte says which.
 *
 * Scripts are lines of a method's name and a request in JSON.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "proto/json.h"
#include "proto/wire.h"
#include "service/service.h"
#include "store/xact.h"
#include "worker/worker.h"

#include "fuzz_server.h"

#define MAX_REQUESTS 12
#define MAX_TOKENS 8
#define MAX_LINE 4000

static ProtobufCBinaryData tokens[MAX_TOKENS];
static int token_count;

static ProtobufCBinaryData *
token_of(const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "task_token");

	if (field == NULL || field->type != PROTOBUF_C_TYPE_BYTES)
		return NULL;
	return (ProtobufCBinaryData *) ((char *) message + field->offset);
}

static void
keep_token(const ProtobufCMessage *response)
{
	const ProtobufCBinaryData *token = token_of(response);

	if (token && token->len > 0 && token_count < MAX_TOKENS)
		tokens[token_count++] = *token;
}

static void
use_token(const ProtobufCMessage *request)
{
	ProtobufCBinaryData *token = token_of(request);

	if (token && token->len > 0 && token_count > 0)
		*token = tokens[token->data[0] % token_count];
}

typedef struct Request
{
	const ServiceMethod *method;
	const uint8 *data;
	size_t len;
} Request;

/* In a subtransaction. */
static void
invoke(void *arg)
{
	const Request *request = arg;
	ProtobufCMessage *message =
		proto_unpack(request->method->request, request->data, request->len);
	ProtobufCMessage *response;
	ProtobufCBinaryData packed;
	ServiceCall call;

	use_token(message);
	service_begin(&call);
	response = service_call(&call, request->method, message);
	if (call.refusal_sqlstate != 0)
		return;
	packed = proto_pack(response);
	fuzz_require(wire_check(response->descriptor, packed.data, packed.len) == NULL,
				 "an answer is not sound");
	keep_token(response);
}

static int
count_methods(void)
{
	int count = 0;

	while (service_method(count) != NULL)
		count++;
	return count;
}

static void
try_request(Input *input)
{
	Request request;
	size_t len;
	ErrorData *error;

	request.method = service_method(input_byte(input) % count_methods());
	len = input_byte(input);
	len |= input_byte(input) << 8;
	request.len = input_bytes(input, len, &request.data);
	error = xact_guard(invoke, &request);
	if (error && error->sqlerrcode == ERRCODE_INTERNAL_ERROR)
		write_stderr("fuzzer: %s: %s\n", request.method->name, error->message);
	fuzz_require(!error || error->sqlerrcode != ERRCODE_INTERNAL_ERROR, "an internal error");
}

static int
try_input(const uint8 *data, size_t len)
{
	MemoryContext context = CurrentMemoryContext;
	Input input = {data, data + len};

	token_count = 0;
	worker_begin("fuzzing");
	for (int i = 0; i < MAX_REQUESTS && input.next < input.end; i++)
		try_request(&input);
	worker_end();
	MemoryContextReset(context);
	return 0;
}

/* ---- scripts ---- */

static void
write_request(FILE *to, char *line)
{
	char *json = strchr(line, ' ');
	const ServiceMethod *method;
	ProtobufCBinaryData packed;

	fuzz_require(json != NULL, "a line is a method and a request");
	*json++ = '\0';
	method = service_find_method(line);
	fuzz_require(method != NULL, line);
	packed = proto_pack(json_to_message(
		method->request, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)))));
	fprintf(to, "%c%c%c", service_method_index(method), (int) packed.len & 255,
			(int) packed.len >> 8);
	fwrite(packed.data, packed.len, 1, to);
}

static void
convert(FILE *from, FILE *to)
{
	char line[MAX_LINE];

	while (fgets(line, sizeof(line), from))
		write_request(to, line);
}

static void
prepare(void)
{
	fuzz_convert_scripts(convert);
}

const ServerFuzzer fuzz_service = {"fuzz_service", prepare, try_input};
