/*
 * fuzz_connection.c
 *	  Whatever a client sends and when it stops, its connection is served or
 *	  closed, and nothing of it remains.
 *
 * An input is a script of what the client does: requests as they should be,
 * frames that are not, resets, silence.  The server's side is the frontend
 * itself on a pair of sockets, its loop without waiting.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "utils/memutils.h"

#include "base/guc.h"
#include "frontend/frontend.h"
#include "proto/service.pb-c.h"
#include "proto/wire.h"

#include "fuzz_server.h"

#define MAX_STEPS 64
#define MAX_STREAMS 16
#define TURNS_TO_END 50
#define SMALL_BUFFER 4096

MemoryContext frontend_memory;

static Source *served; /* the server's side */
static int client;
static int streams[MAX_STREAMS];
static int stream_count;

/* ---- in the place of frontend.c ---- */

void
frontend_watch_source(Source *source, bool writing, bool is_new)
{
	served = source;
}

void
frontend_ignore_source(Source *source)
{
}

static void
turn(void)
{
	longpoll_wake();
	if (connection_count() > 0)
		served->serve(served, EPOLLIN);
	batch_run();
	durable_release();
	connection_look_after_touched();
}

/* ---- what the client says ---- */

/* What does not fit is lost: the server then sees a client that is cut off. */
static void
say(const void *data, size_t len)
{
	(void) !send(client, data, len, MSG_NOSIGNAL);
}

static void
say_frame(uint8 type, uint8 flags, uint32 stream, const void *payload, size_t len)
{
	uint8 header[9] = {len >> 16, len >> 8, len, type, flags,
					   stream >> 24, stream >> 16, stream >> 8, stream};

	say(header, sizeof(header));
	say(payload, len);
}

static void
add_field(Bytes *block, const char *name, const char *value)
{
	uint8 lens[3] = {0, strlen(name), strlen(value)};

	bytes_append(CurrentMemoryContext, block, lens, 2);
	bytes_append(CurrentMemoryContext, block, name, lens[1]);
	bytes_append(CurrentMemoryContext, block, lens + 2, 1);
	bytes_append(CurrentMemoryContext, block, value, lens[2]);
}

static const char *
path_of(uint8 number)
{
	const ServiceMethod *method = service_method(number);

	if (method)
		return psprintf("/temporal.api.workflowservice.v1.WorkflowService/%s", method->name);
	return number % 2 ? "/grpc.health.v1.Health/Check" : "nothing/of the kind";
}

static int
new_stream(void)
{
	int stream = 2 * stream_count + 1;

	if (stream_count < MAX_STREAMS)
		streams[stream_count++] = stream;
	return stream;
}

static int
old_stream(Input *input)
{
	uint8 number = input_byte(input);

	return stream_count > 0 ? streams[number % stream_count] : number;
}

static void
say_request(Input *input)
{
	const char *path = path_of(input_byte(input));
	uint8 oddities = input_byte(input);
	Bytes block = {0};

	add_field(&block, ":method", oddities & 1 ? "GET" : "POST");
	add_field(&block, ":scheme", "http");
	add_field(&block, ":authority", "a");
	add_field(&block, ":path", path);
	add_field(&block, "content-type", oddities & 2 ? "text/plain" : "application/grpc");
	if (oddities & 4)
		add_field(&block, "grpc-timeout", oddities & 8 ? "10S" : oddities & 16 ? "1n" : "x");
	if (oddities & 32)
		add_field(&block, "grpc-encoding", oddities & 8 ? "gzip" : "identity");
	say_frame(NGHTTP2_HEADERS,
			  (oddities & 64 ? 0 : NGHTTP2_FLAG_END_HEADERS) |
				  (oddities & 128 ? NGHTTP2_FLAG_END_STREAM : 0),
			  new_stream(), block.data, block.len);
}

/* A message in its frame, or only as much of it as the last byte says. */
static void
say_message(int stream, uint8 flags, const uint8 *message, size_t len)
{
	uint8 *data = palloc(5 + len);

	data[0] = flags >> 7;
	data[1] = flags & 64 ? 1 : 0;
	data[2] = len >> 16;
	data[3] = len >> 8;
	data[4] = len;
	memcpy(data + 5, message, len);
	say_frame(NGHTTP2_DATA, flags & 1 ? 0 : NGHTTP2_FLAG_END_STREAM, stream, data,
			  flags & 32 ? (5 + len) / 2 : 5 + len);
}

static void
say_any_message(Input *input)
{
	int stream = old_stream(input);
	uint8 flags = input_byte(input);
	const uint8 *data;
	size_t len = input_bytes(input, input_byte(input), &data);

	say_message(stream, flags, data, len);
}

/* What is inside may be a thousand times as large. */
static void
say_zipped(Input *input)
{
	int stream = old_stream(input);
	uint8 flags = input_byte(input);
	const uint8 *data;
	size_t len = input_bytes(input, input_byte(input), &data);
	size_t times = 1 + (flags & 16 ? 1024 : 0);
	uint8 *plain = palloc(len * times + 1);
	uint8 *packed = palloc(SMALL_BUFFER);
	z_stream zip = {.next_in = plain,
					.avail_in = len * times,
					.next_out = packed,
					.avail_out = SMALL_BUFFER};

	for (size_t i = 0; i < times; i++)
		memcpy(plain + i * len, data, len);
	fuzz_require(deflateInit2(&zip, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
				 "zlib");
	deflate(&zip, Z_FINISH);
	say_message(stream, flags | 128, packed, zip.total_out);
	deflateEnd(&zip);
}

/* A start or a poll of the same queue, so that tasks are handed over. */
static void
say_useful(Input *input)
{
	Pb__StartWorkflowExecutionRequest start = PB__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Pb__PollWorkflowTaskQueueRequest poll = PB__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Pb__WorkflowType type = PB__WORKFLOW_TYPE__INIT;
	Pb__TaskQueue queue = PB__TASK_QUEUE__INIT;
	bool starts = input_byte(input) & 1;
	const char *method = starts ? "StartWorkflowExecution" : "PollWorkflowTaskQueue";
	uint8 request[3] = {service_method_index(service_find_method(method)), 0, 0};
	Input headers = {request, request + sizeof(request)};
	ProtobufCBinaryData packed;

	type.name = "T";
	queue.name = "q";
	start.namespace_ = poll.namespace_ = "default";
	start.workflow_id = psprintf("w%d", input_byte(input) % 4);
	start.request_id = "r";
	start.workflow_type = &type;
	start.task_queue = poll.task_queue = &queue;
	packed = proto_pack(starts ? &start.base : &poll.base);
	say_request(&headers);
	say_message(2 * stream_count - 1, 0, packed.data, packed.len);
}

static void
say_reset(Input *input)
{
	int stream = old_stream(input);
	uint8 code[4] = {0, 0, 0, input_byte(input)};

	say_frame(NGHTTP2_RST_STREAM, 0, stream, code, sizeof(code));
}

static void
say_settings(Input *input)
{
	static const uint8 numbers[] = {1, 3, 4, 5};
	uint8 setting[6] = {0, numbers[input_byte(input) % lengthof(numbers)]};

	setting[4] = input_byte(input);
	setting[5] = input_byte(input);
	say_frame(NGHTTP2_SETTINGS, 0, 0, setting, sizeof(setting));
}

static void
say_window(Input *input)
{
	int stream = old_stream(input);
	uint8 flags = input_byte(input);
	uint8 more[4] = {flags & 1 ? 0x7f : 0, 0, input_byte(input), input_byte(input)};

	say_frame(NGHTTP2_WINDOW_UPDATE, 0, flags & 2 ? 0 : stream, more, sizeof(more));
}

static void
say_any_frame(Input *input)
{
	uint8 type = input_byte(input) % 16;
	uint8 flags = input_byte(input);
	int stream = old_stream(input);
	const uint8 *data;
	size_t len = input_bytes(input, input_byte(input), &data);

	say_frame(type, flags, flags & 2 ? 0 : stream, data, len);
}

static void
say_anything(Input *input)
{
	const uint8 *data;
	size_t len = input_bytes(input, input_byte(input), &data);

	say(data, len);
}

static void
say_much(Input *input)
{
	static const uint8 zeros[16000];

	say_frame(NGHTTP2_DATA, 0, old_stream(input), zeros, sizeof(zeros));
}

/* ---- what the client does else ---- */

static void
listen_to_it(Input *input)
{
	uint8 data[SMALL_BUFFER];

	while (recv(client, data, sizeof(data), 0) > 0)
		;
}

static void
give_a_turn(Input *input)
{
	turn();
}

static const struct
{
	const char *name;
	void (*play)(Input *input);
} steps[] = {
	{"request", say_request}, {"message", say_any_message}, {"zipped", say_zipped},
	{"useful", say_useful},   {"reset", say_reset},         {"settings", say_settings},
	{"window", say_window},   {"frame", say_any_frame},     {"bytes", say_anything},
	{"much", say_much},       {"listen", listen_to_it},     {"turn", give_a_turn},
};

static void
play(Input *input)
{
	uint8 manner = input_byte(input);

	if (manner != 0)
	{
		say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
		say_frame(NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	}
	for (int i = 0; i < MAX_STEPS && input->next < input->end; i++)
		steps[input_byte(input) % lengthof(steps)].play(input);
	turn();
	/* A client may stay and listen, or be gone with answers on their way. */
	if (manner & 2)
		listen_to_it(input);
}

static void
try_script(Input *input)
{
	int size = SMALL_BUFFER;
	int pair[2];

	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0, "socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	client = pair[1];
	stream_count = 0;
	connection_open(pair[0]);
	connection_look_after_touched();
	play(input);
	close(client);
	for (int i = 0; i < TURNS_TO_END && (connection_count() > 0 || call_any_ready()); i++)
		turn();
	fuzz_require(connection_count() == 0, "a connection stays");
	fuzz_require(!call_any_ready() && longpoll_count() == 0, "a call stays");
}

static int
try_input(const uint8 *data, size_t len)
{
	MemoryContext context = CurrentMemoryContext;
	Input input = {data, data + len};

	PG_TRY();
	{
		try_script(&input);
	}
	PG_CATCH();
	{
		EmitErrorReport();
		fuzz_require(false, "an error leaves the loop");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	fuzz_require(frontend_memory->firstchild == NULL ||
					 frontend_memory->firstchild->nextchild == NULL,
				 "memory of a connection stays");
	return 0;
}

/* A script is the manner of the client, then names of steps and their bytes. */
static void
convert(FILE *from, FILE *to)
{
	char word[20];

	while (fscanf(from, "%19s", word) == 1)
	{
		int byte = atoi(word);

		for (int i = 0; i < lengthof(steps); i++)
		{
			if (strcmp(steps[i].name, word) == 0)
				byte = i;
		}
		fputc(byte, to);
	}
}

static void
prepare(void)
{
	fuzz_convert_scripts(convert);
	frontend_memory =
		AllocSetContextCreate(TopMemoryContext, "temporal frontend", ALLOCSET_DEFAULT_SIZES);
	guc_grpc_max_message_size = 20000;
}

const ServerFuzzer fuzz_connection = {"fuzz_connection", prepare, try_input};
