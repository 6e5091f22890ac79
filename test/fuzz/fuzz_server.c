/*
 * fuzz_server.c
 *	  All of the extension as one library of fuzzers.
 *
 * A server in single-user mode preloads it, so it has shared memory, and one
 * function starts a fuzzer, which ends the server.  The fuzzers work in
 * subtransactions that are rolled back: every input finds the same database.
 * Arguments of the fuzzer are in the environment variable FUZZ_ARGUMENTS, the
 * folders of its scripts and of its inputs in FUZZ_SCRIPTS and FUZZ_CORPUS.
 */
#include "postgres.h"

#include <dirent.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "frontend/frontend.h"
#include "wake/wake.h"
#include "worker/worker.h"

#include "fuzz_server.h"

COMPAT_MODULE_MAGIC;

#define MAX_ARGUMENTS 20

extern int LLVMFuzzerRunDriver(int *argc, char ***argv,
							   int (*callback)(const uint8 *data, size_t len));

void _PG_init(void);

static shmem_request_hook_type next_shmem_request;
static shmem_startup_hook_type next_shmem_startup;

static const ServerFuzzer *fuzzers[] = {&fuzz_connection, &fuzz_service};

/* ---- what fuzzers use ---- */

void
fuzz_require(bool condition, const char *what)
{
	if (condition)
		return;
	write_stderr("fuzzer: %s\n", what);
	abort();
}

uint8
input_byte(Input *input)
{
	return input->next < input->end ? *input->next++ : 0;
}

size_t
input_bytes(Input *input, size_t len, const uint8 **data)
{
	len = Min(len, input->end - input->next);
	*data = input->next;
	input->next += len;
	return len;
}

static void
convert_script(const char *name, void (*convert)(FILE *from, FILE *to))
{
	FILE *from = fopen(psprintf("%s/%s", getenv("FUZZ_SCRIPTS"), name), "r");
	FILE *to = fopen(psprintf("%s/%s", getenv("FUZZ_CORPUS"), name), "w");

	fuzz_require(from && to, name);
	convert(from, to);
	fclose(from);
	fuzz_require(fclose(to) == 0, name);
}

void
fuzz_convert_scripts(void (*convert)(FILE *from, FILE *to))
{
	DIR *folder = opendir(getenv("FUZZ_SCRIPTS"));
	struct dirent *entry;

	fuzz_require(folder != NULL, "no scripts");
	while ((entry = readdir(folder)) != NULL)
	{
		if (entry->d_name[0] != '.')
			convert_script(entry->d_name, convert);
	}
	closedir(folder);
}

/* ---- in the place of worker.c: nothing is ever committed ---- */

static MemoryContext worker_context;
static ResourceOwner worker_owner;

bool
worker_begin(const char *activity)
{
	worker_context = CurrentMemoryContext;
	worker_owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(worker_context);
	return true;
}

void
worker_end(void)
{
	PopActiveSnapshot();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(worker_context);
	CurrentResourceOwner = worker_owner;
}

/* Here nothing but a handler may fail, and those have guards of their own. */
ErrorData *
worker_try(void (*body)(void *arg), void *arg)
{
	body(arg);
	return NULL;
}

int
worker_reloads(void)
{
	return 0;
}

/* ---- loading and starting ---- */

static void
request_shmem(void)
{
	if (next_shmem_request)
		next_shmem_request();
	wake_shmem_request();
}

static void
startup_shmem(void)
{
	if (next_shmem_startup)
		next_shmem_startup();
	wake_shmem_startup();
}

void
_PG_init(void)
{
	guc_define();
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

static void
run(const ServerFuzzer *fuzzer)
{
	char *arguments[MAX_ARGUMENTS] = {unconstify(char *, fuzzer->name)};
	char **argv = arguments;
	int argc = 1;

	for (char *word = strtok(strdup(getenv("FUZZ_ARGUMENTS")), " \t"); word != NULL;
		 word = strtok(NULL, " \t"))
	{
		fuzz_require(argc < MAX_ARGUMENTS, "too many arguments");
		arguments[argc++] = word;
	}
	fuzzer->prepare();
	MemoryContextSwitchTo(
		AllocSetContextCreate(TopMemoryContext, "fuzzer", ALLOCSET_DEFAULT_SIZES));
	exit(LLVMFuzzerRunDriver(&argc, &argv, fuzzer->try_input));
}

PG_FUNCTION_INFO_V1(fuzz);

Datum
fuzz(PG_FUNCTION_ARGS)
{
	const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (int i = 0; i < lengthof(fuzzers); i++)
	{
		if (strcmp(fuzzers[i]->name, name) == 0)
			run(fuzzers[i]);
	}
	elog(ERROR, "no fuzzer \"%s\"", name);
}
