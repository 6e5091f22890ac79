/*
 * fuzz_message.c
 *	  JSON that is accepted as a message is sound on the wire, and comes back
 *	  as the same message.  JSON that is not is refused with an error of ours.
 *
 * What reads JSON takes jsonb, which needs a backend.  So this fuzzer is a
 * library that a server in single-user mode loads, and that ends the server.
 * Its arguments are in the environment variable FUZZ_ARGUMENTS.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "proto/json.h"
#include "proto/wire.h"

#include "messages.h"

PG_MODULE_MAGIC;

#define MAX_ARGUMENTS 20

extern int LLVMFuzzerRunDriver(int *argc, char ***argv,
							   int (*callback)(const uint8 *data, size_t len));

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static Jsonb *
read_jsonb(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/*
 * try_full -- without shorthand nothing is lost.
 */
static void
try_full(const ProtobufCMessageDescriptor *descriptor, ProtobufCBinaryData packed)
{
	Jsonb *json = message_to_json(proto_unpack(descriptor, packed.data, packed.len), false);
	ProtobufCBinaryData again = proto_pack(json_to_message(descriptor, json));

	require(again.len == packed.len &&
			(again.len == 0 || memcmp(again.data, packed.data, again.len) == 0));
}

/*
 * try_shorthand -- what is written once is written again.
 */
static void
try_shorthand(const ProtobufCMessageDescriptor *descriptor, const ProtobufCMessage *message)
{
	Jsonb *json = message_to_json(message, true);
	Jsonb *again = message_to_json(json_to_message(descriptor, json), true);

	require(compareJsonbContainers(&json->root, &again->root) == 0);
}

/*
 * try_text -- "accepted" tells, also after an error, how far it went.
 */
static void
try_text(const ProtobufCMessageDescriptor *descriptor, const char *text, volatile bool *accepted)
{
	const ProtobufCMessage *message = json_to_message(descriptor, read_jsonb(text));
	ProtobufCBinaryData packed = proto_pack(message);

	*accepted = true;
	require(wire_check(descriptor, packed.data, packed.len) == NULL);
	try_full(descriptor, packed);
	try_shorthand(descriptor, message);
}

static int
try_input(const uint8 *data, size_t len)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool accepted = false;
	char *text;

	if (len == 0 || !pg_verify_mbstr(PG_UTF8, (const char *) data + 1, len - 1, true))
		return 0;
	text = pnstrdup((const char *) data + 1, len - 1);
	PG_TRY();
	{
		try_text(messages[data[0] % lengthof(messages)], text, &accepted);
	}
	PG_CATCH();
	{
		require(!accepted && geterrcode() != ERRCODE_INTERNAL_ERROR);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	return 0;
}

void _PG_init(void);

void
_PG_init(void)
{
	char *arguments[MAX_ARGUMENTS] = {"fuzz_message"};
	char **argv = arguments;
	int argc = 1;

	for (char *word = strtok(strdup(getenv("FUZZ_ARGUMENTS")), " \t"); word != NULL;
		 word = strtok(NULL, " \t"))
	{
		require(argc < MAX_ARGUMENTS);
		arguments[argc++] = word;
	}
	MemoryContextSwitchTo(
		AllocSetContextCreate(TopMemoryContext, "fuzzer", ALLOCSET_DEFAULT_SIZES));
	exit(LLVMFuzzerRunDriver(&argc, &argv, try_input));
}
