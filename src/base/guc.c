/*
 * guc.c
 *	  Every setting of the extension, in alphabetical order.
 *
 * A setting that only our background workers read is PGC_SIGHUP.  One that a
 * scenario lowers for itself, or that moves the clock, is PGC_SUSET: ordinary
 * users must not weaken limits or travel in time.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/guc.h"

#define HUNDRED_YEARS_IN_MS (36525.0 * 24 * 60 * 60 * 1000)

bool guc_check_state = false;
double guc_clock_offset = 0;
int guc_executors = 2;
int guc_extra_executors = 2;
int guc_frontends = 1;
bool guc_grpc_api_keys = false;
int guc_grpc_keepalive_time = 60 * 1000;
int guc_grpc_keepalive_timeout = 20 * 1000;
char *guc_grpc_listen_addresses = "localhost";
int guc_grpc_max_connections = 1000;
int guc_grpc_max_message_size = 4 * 1024 * 1024;
int guc_grpc_max_streams = 1000;
bool guc_grpc_pipeline = true;
int guc_grpc_port = 0;
char *guc_grpc_ssl_ca_file = "";
char *guc_grpc_ssl_cert_file = "";
char *guc_grpc_ssl_key_file = "";
int guc_heartbeat_limit = 30 * 60 * 1000;
int guc_history_count_limit = 50 * 1024;
int guc_history_size_limit = 50 * 1024 * 1024;
int guc_keeper_batch_size = 200;
int guc_lock_timeout = 10;
int guc_notify_interval = 10;
int guc_pass_timeout = 1000;
int guc_probe_interval = 10 * 60;
int guc_shared_queues = 4096;
int guc_sweep_interval = 5 * 60 * 1000;
static bool settings_mark = false;

/* Settings of the frontend. */
static void
define_grpc(void)
{
	DefineCustomBoolVariable("temporal.grpc_api_keys", "Serves only callers that are known.",
							 "By an API key or, if there is a file of authorities, by a certificate. "
							 "Who shows a key acts as its role also when none is needed.",
							 &guc_grpc_api_keys, false, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_keepalive_time",
							"Silence after which a client is asked whether it is still there.",
							"Zero never asks.", &guc_grpc_keepalive_time, 60 * 1000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_keepalive_timeout",
							"How long to wait for a client before its connection is closed.",
							"For its first words, for an answer to the question whether it is "
							"still there, and for it to read what it asked for.",
							&guc_grpc_keepalive_timeout, 20 * 1000, 1000, INT_MAX, PGC_SIGHUP,
							GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"temporal.grpc_listen_addresses", "Host names or addresses on which gRPC is served.",
		"A list separated by commas. Unless there is TLS and callers have to show a certificate or an "
		"API key, only addresses of this machine itself are accepted.",
		&guc_grpc_listen_addresses, "localhost", PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_max_connections",
							"Most connections that a frontend keeps open.",
							"Further ones are closed at once. Each takes a file descriptor.",
							&guc_grpc_max_connections, 1000, 1, 100 * 1000, PGC_SIGHUP, 0, NULL,
							NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_max_message_size",
							"Size of the largest request, when it is not compressed any more.",
							"Workers react to a refusal by failing the workflow task.",
							&guc_grpc_max_message_size, 4 * 1024 * 1024, 64 * 1024,
							256 * 1024 * 1024, PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_max_streams",
							"Most calls at a time on one connection.",
							"A worker has one for each poll that waits.", &guc_grpc_max_streams,
							1000, 1, 100 * 1000, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("temporal.grpc_pipeline",
							 "Serves the next calls while those before them are made durable.",
							 "A process of its own flushes WAL. Answers leave when that is done, "
							 "so clients see no difference; SQL sessions may see a change a moment "
							 "before it is durable.",
							 &guc_grpc_pipeline, true, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.grpc_port", "Port on which gRPC is served; zero: not at all.",
							"Temporal's clients expect 7233. With several databases that have the "
							"extension, set it by ALTER DATABASE.",
							&guc_grpc_port, 0, 0, 65535, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"temporal.grpc_ssl_ca_file", "File of the certificate authorities that clients come from.",
		"With it every client has to show a certificate, and acts as the database role that its "
		"common name says.",
		&guc_grpc_ssl_ca_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);

	DefineCustomStringVariable("temporal.grpc_ssl_cert_file",
							   "File of the certificate of the gRPC server; empty: no TLS.",
							   "Relative names are below the data directory.",
							   &guc_grpc_ssl_cert_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL,
							   NULL, NULL);

	DefineCustomStringVariable("temporal.grpc_ssl_key_file",
							   "File of the private key of the gRPC server.",
							   "Without a passphrase, and readable for the server alone.",
							   &guc_grpc_ssl_key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL,
							   NULL, NULL);
}

/* Processes that run functions. */
static void
define_executors(void)
{
	DefineCustomIntVariable(
		"temporal.executors", "Most processes that run registered functions.",
		"They are started when functions are registered in a database, one role each; "
		"with more roles than processes the roles take turns.",
		&guc_executors, 2, 0, MAX_EXECUTORS, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"temporal.extra_executors",
		"Most processes that run registered functions beyond temporal.executors.",
		"One is started when all executors of a role have been with one task each for over "
		"a second, so that long activities do not keep others. Each takes one of "
		"max_worker_processes.",
		&guc_extra_executors, 2, 0, MAX_EXECUTORS, PGC_SUSET, 0, NULL, NULL, NULL);
}

/* guc_define -- makes every setting known; called once, by _PG_init(). */
void
guc_define(void)
{
	DefineCustomBoolVariable(
		"temporal.check_state", "Compares the stored state of an execution with its history.",
		"Every transition replays the whole history, which is slow. "
		"For tests of the extension itself.",
		&guc_check_state, false, PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);

	DefineCustomRealVariable("temporal.clock_offset", "Moves the engine's clock.",
							 "Added to the time of day wherever the engine reads it, so that a "
							 "test need not wait for a timer. Zero in production.",
							 &guc_clock_offset, 0, -HUNDRED_YEARS_IN_MS, HUNDRED_YEARS_IN_MS,
							 PGC_SUSET, GUC_UNIT_MS | GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.frontends", "Processes that serve gRPC.",
							"They share the port; the system spreads connections among them. "
							"Each takes one of max_worker_processes.",
							&guc_frontends, 1, 1, MAX_FRONTENDS, PGC_SUSET, 0, NULL, NULL, NULL);
	define_executors();
	define_grpc();

	DefineCustomIntVariable("temporal.heartbeat_limit",
							"Longest time that one workflow task may be kept alive by heartbeats.",
							"A worker that runs local activities asks again and again for a new "
							"workflow task. After this time the task times out instead.",
							&guc_heartbeat_limit, 30 * 60 * 1000, 1, INT_MAX, PGC_SUSET,
							GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"temporal.history_count_limit", "Most events that the history of one run may have.",
		"A run that goes beyond it is terminated. Workflows that live long "
		"continue as new before that.",
		&guc_history_count_limit, 50 * 1024, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.history_size_limit",
							"Most bytes that the history of one run may have.",
							"A run that goes beyond it is terminated. Workflows that live long "
							"continue as new before that.",
							&guc_history_size_limit, 50 * 1024 * 1024, 1, INT_MAX, PGC_SUSET,
							GUC_UNIT_BYTE, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.keeper_batch_size",
							"Most due items that a keeper handles in one transaction.",
							"Items are timers, timeouts, retries and effects on other workflows. "
							"Larger batches share a commit; smaller ones hold locks shorter.",
							&guc_keeper_batch_size, 200, 1, 10000, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"temporal.lock_timeout", "Longest time that our background workers wait for a lock.",
		"Whoever does not get the lock tries again later, so that one "
		"transaction left open cannot stop all work. Keep it below "
		"deadlock_timeout.",
		&guc_lock_timeout, 10, 1, 60 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"temporal.notify_interval", "Shortest time between two NOTIFY transactions of a keeper.",
		"Queues that get work in the meantime are announced together.", &guc_notify_interval, 10, 0,
		60 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.pass_timeout",
							"Longest time that a workflow function may run without waiting.",
							"Then it is cancelled and its workflow task fails. Zero: no limit.",
							&guc_pass_timeout, 1000, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, NULL, NULL,
							NULL);

	DefineCustomIntVariable(
		"temporal.probe_interval", "Time between two searches for databases with the extension.",
		"CREATE EXTENSION announces itself, so the search finds only what "
		"was missed. It connects to each database without the extension.",
		&guc_probe_interval, 10 * 60, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomBoolVariable(GUC_SETTINGS_MARK, "Is changed to see which other settings are.",
							 "It is nobody's, and says nothing.", &settings_mark, false,
							 PGC_INTERNAL,
							 GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL,
							 NULL, NULL);

	/* After startup nothing may be PGC_POSTMASTER, and nothing reads this. */
	DefineCustomIntVariable("temporal.shared_queues",
							"Number of task queues and of waiting processes kept in shared memory.",
							"Shared memory only makes dispatch quick: a queue that does not fit "
							"is still served, later. Needs shared_preload_libraries.",
							&guc_shared_queues, 4096, 64, 1024 * 1024,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER
																		 : PGC_SIGHUP,
							0, NULL, NULL, NULL);

	DefineCustomIntVariable("temporal.sweep_interval",
							"Time after which a keeper looks for work without being asked to.",
							"Finds what a lost hint left behind; shortened to one second while "
							"prepared transactions of ours are open.",
							&guc_sweep_interval, 5 * 60 * 1000, 100, INT_MAX, PGC_SIGHUP,
							GUC_UNIT_MS, NULL, NULL, NULL);

	MarkGUCPrefixReserved("temporal");
}

int
guc_executor_limit(void)
{
	return guc_executors == 0 ? 0 : Min(guc_executors + guc_extra_executors, MAX_EXECUTORS);
}
