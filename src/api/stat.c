/*
 * stat.c
 *	  What shared memory knows, as rows.
 *
 * Who may not read the statistics of others sees the workers of this database
 * and the launcher, without their errors; and pollers in namespaces that it may
 * read.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/state.h"
#include "proto/json.h"
#include "proto/wire.h"
#include "service/access.h"
#include "service/service.h"
#include "wake/process.h"
#include "wake/wake.h"

#define WORKER_COLUMNS 11
#define POLLER_COLUMNS 4
#define FRONTEND_COLUMNS 9
#define RPC_COLUMNS 6

PG_FUNCTION_INFO_V1(temporal_stat_workers);
PG_FUNCTION_INFO_V1(temporal_decode_activity);
PG_FUNCTION_INFO_V1(temporal_pollers);
PG_FUNCTION_INFO_V1(temporal_stat_frontend);
PG_FUNCTION_INFO_V1(temporal_stat_rpc);

/* An empty text is shown as NULL. */
static void
set_text(Datum *value, bool *is_null, const char *text)
{
	*is_null = text == NULL || text[0] == '\0';
	if (!*is_null)
		*value = CStringGetTextDatum(text);
}

static void
put_worker(ReturnSetInfo *result, const ProcessInfo *info, bool all)
{
	Datum values[WORKER_COLUMNS] = {0};
	bool nulls[WORKER_COLUMNS] = {0};

	set_text(&values[0], &nulls[0], get_database_name(info->database));
	values[1] = CStringGetTextDatum(process_kind_name(info->kind));
	values[2] = Int32GetDatum(info->pid);
	nulls[2] = info->pid == 0;
	values[3] = CStringGetTextDatum(process_state_name(info->state));
	values[4] = TimestampTzGetDatum(info->started);
	nulls[4] = info->pid == 0;
	values[5] = Int64GetDatum(info->ticks);
	values[6] = Int64GetDatum(info->transactions);
	values[7] = Int64GetDatum(info->items);
	set_text(&values[8], &nulls[8], all ? info->last_error : NULL);
	set_text(&values[9], &nulls[9], info->note);
	set_text(&values[10], &nulls[10],
			 OidIsValid(info->role) ? GetUserNameFromId(info->role, true) : NULL);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* temporal.stat_workers() -- our background workers, one row each. */
Datum
temporal_stat_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	ProcessInfo info;
	int cursor = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (process_next(&cursor, &info))
	{
		if (all || info.kind == PROCESS_LAUNCHER || info.database == MyDatabaseId)
			put_worker(result, &info, all);
	}
	return (Datum) 0;
}

static bool
is_member(const pg_uuid_t *id, List *ids)
{
	ListCell *cell;

	foreach(cell, ids)
	{
		if (memcmp(lfirst(cell), id, sizeof(pg_uuid_t)) == 0)
			return true;
	}
	return false;
}

static void *
unpack_argument(const ProtobufCMessageDescriptor *descriptor, const bytea *bytes)
{
	return proto_unpack(descriptor, (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/*
 * temporal.decode_activity(namespace_id, run_id, scheduled_event_id, scheduled, state)
 *
 * Whoever asks has made the state; heartbeats are for readers only.
 */
Datum
temporal_decode_activity(PG_FUNCTION_ARGS)
{
	RunKey key = {0, *PG_GETARG_UUID_P(0), *PG_GETARG_UUID_P(1)};
	Pb__HistoryEvent *scheduled = unpack_argument(&pb__history_event__descriptor,
												  PG_GETARG_BYTEA_PP(3));
	Pbi__ActivityState *state = unpack_argument(&pbi__activity_state__descriptor,
												PG_GETARG_BYTEA_PP(4));
	PendingActivity activity = {.scheduled_event_id = PG_GETARG_INT64(2), .state = state};
	Pbi__ActivityState stored;

	if (state->as_scheduled &&
		(scheduled->attributes_case !=
		 PB__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES ||
		 scheduled->activity_task_scheduled_event_attributes->task_queue == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"scheduled\" is no event that schedules an activity")));
	core_expand_activity(scheduled, state);
	stored = *state;
	service_add_beat(&key, &activity);
	if (activity.change != ROW_UNCHANGED &&
		!is_member(&key.namespace_id, service_readable_namespaces()))
		state = &stored;
	PG_RETURN_JSONB_P(message_to_json(&state->base, true));
}

/* temporal.stat_pollers() -- who polled which queue of this database, and when. */
Datum
temporal_pollers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	List *readable = service_readable_namespaces();
	WakePoller poller;
	int cursor = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (wake_next_poller(&cursor, &poller))
	{
		Datum values[POLLER_COLUMNS];
		bool nulls[POLLER_COLUMNS] = {0};

		if (!is_member(&poller.namespace_id, readable))
			continue;
		values[0] = UUIDPGetDatum(&poller.namespace_id);
		values[1] = Int64GetDatum((int64) poller.queue_id);
		values[2] = CStringGetTextDatum(poller.identity);
		values[3] = TimestampTzGetDatum(poller.last_access);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static Datum
milliseconds(int64 microseconds)
{
	return Float8GetDatum(microseconds / 1000.0);
}

/* temporal.stat_frontend() -- the processes of this database that serve gRPC. */
Datum
temporal_stat_frontend(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WakeServerStat stat;
	int cursor = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (wake_next_server(&cursor, &stat))
	{
		bool nulls[FRONTEND_COLUMNS] = {0};
		Datum values[FRONTEND_COLUMNS] = {
			Int32GetDatum(stat.pid),         TimestampTzGetDatum(stat.since),
			Int64GetDatum(stat.connections), Int64GetDatum(stat.parked),
			Int64GetDatum(stat.batches),     Int64GetDatum(stat.calls),
			Int64GetDatum(stat.largest_batch), milliseconds(stat.execute_us),
			milliseconds(stat.commit_us),
		};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
put_method(ReturnSetInfo *result, const WakeServerStat *server, int index)
{
	const WakeMethodStat *stat = &server->methods[index];
	bool nulls[RPC_COLUMNS] = {0};
	Datum values[RPC_COLUMNS] = {
		Int32GetDatum(server->pid),
		CStringGetTextDatum(service_method(index)->name),
		Int64GetDatum(stat->calls),
		Int64GetDatum(stat->errors),
		milliseconds(stat->total_us),
		milliseconds(stat->max_us),
	};

	if (stat->calls > 0)
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* temporal.stat_rpc() -- what they were called for. */
Datum
temporal_stat_rpc(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WakeServerStat stat;
	int cursor = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (wake_next_server(&cursor, &stat))
	{
		for (int i = 0; i < WAKE_SERVER_METHODS && service_method(i) != NULL; i++)
			put_method(result, &stat, i);
	}
	return (Datum) 0;
}
