/*
 * temporal.c
 *	  What happens when the library is loaded.
 *
 * Preloaded by the postmaster it gets shared memory, hooks and the launcher.
 * Loaded later, by the first call of one of our functions, it has settings
 * and functions only: everything works, but nothing runs by itself.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"

#include "base/compat.h"
#include "base/guc.h"
#include "wake/wake.h"
#include "worker/hook.h"
#include "worker/launcher.h"

COMPAT_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

static shmem_request_hook_type next_shmem_request;
static shmem_startup_hook_type next_shmem_startup;

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

	/* pg_upgrade wants nothing to happen behind its back. */
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;

	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	hook_install();
	launcher_register();
}
