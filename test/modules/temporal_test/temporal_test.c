/*
 * temporal_test.c
 *	  The inner parts of temporal, callable from SQL for tests.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/session.h"
#include "core/decide.h"
#include "proto/json.h"
#include "proto/payload.h"
#include "proto/wire.h"

#include "descriptors.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(temporal_test_json_roundtrip);
PG_FUNCTION_INFO_V1(temporal_test_wire_check);
PG_FUNCTION_INFO_V1(temporal_test_to_wire);
PG_FUNCTION_INFO_V1(temporal_test_from_wire);
PG_FUNCTION_INFO_V1(temporal_test_wire_roundtrip);
PG_FUNCTION_INFO_V1(temporal_test_event_roundtrip);
PG_FUNCTION_INFO_V1(temporal_test_payload_roundtrip);
PG_FUNCTION_INFO_V1(temporal_test_payloads_roundtrip);
PG_FUNCTION_INFO_V1(temporal_test_retry_decision);
PG_FUNCTION_INFO_V1(temporal_test_session_ended);

/*
 * find_message -- any message of ours by its full name.
 */
static const ProtobufCMessageDescriptor *
find_message(const text *name)
{
	char *full_name = text_to_cstring(name);

	for (int i = 0; i < lengthof(all_messages); i++)
	{
		if (strcmp(all_messages[i]->name, full_name) == 0)
			return all_messages[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("message type \"%s\" does not exist", full_name)));
}

static void *
unpack_bytea(const ProtobufCMessageDescriptor *descriptor, const bytea *bytes)
{
	return proto_unpack(descriptor, (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

Datum
temporal_test_json_roundtrip(PG_FUNCTION_ARGS)
{
	ProtobufCMessage *message =
		json_to_message(find_message(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));

	PG_RETURN_JSONB_P(message_to_json(proto_copy(message), PG_GETARG_BOOL(2)));
}

Datum
temporal_test_wire_check(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(1);
	const char *problem = wire_check(find_message(PG_GETARG_TEXT_PP(0)),
									 (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));

	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

Datum
temporal_test_to_wire(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(proto_pack_bytea(
		json_to_message(find_message(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1))));
}

Datum
temporal_test_from_wire(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(
		message_to_json(unpack_bytea(find_message(PG_GETARG_TEXT_PP(0)), PG_GETARG_BYTEA_PP(1)),
						PG_GETARG_BOOL(2)));
}

Datum
temporal_test_wire_roundtrip(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(
		proto_pack_bytea(unpack_bytea(find_message(PG_GETARG_TEXT_PP(0)), PG_GETARG_BYTEA_PP(1))));
}

Datum
temporal_test_event_roundtrip(PG_FUNCTION_ARGS)
{
	Pb__HistoryEvent *event = unpack_bytea(&pb__history_event__descriptor, PG_GETARG_BYTEA_PP(0));
	Pb__HistoryEvent narrow;
	bytea *packed;

	event_narrow(&narrow, event);
	packed = proto_pack_bytea(&narrow.base);
	if (VARSIZE_ANY_EXHDR(packed) != event_size(event))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(packed);
}

Datum
temporal_test_payload_roundtrip(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(payload_to_jsonb(payload_from_jsonb(PG_GETARG_JSONB_P(0))));
}

Datum
temporal_test_payloads_roundtrip(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(message_to_json(&payloads_from_jsonb(PG_GETARG_JSONB_P(0))->base, true));
}

Datum
temporal_test_retry_decision(PG_FUNCTION_ARGS)
{
	TimestampTz now = USECS_PER_DAY;
	TimestampTz expiration = PG_ARGISNULL(3) ? 0 : now + PG_GETARG_INTERVAL_P(3)->time;
	Pb__RetryPolicy *policy =
		(Pb__RetryPolicy *) json_to_message(&pb__retry_policy__descriptor, PG_GETARG_JSONB_P(0));
	const char *problem = core_check_retry_policy(policy);
	RetryDecision decision;

	if (problem != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(problem));
	decision = core_decide_retry(
		core_fill_retry_policy(policy), PG_GETARG_INT32(1),
		(Pb__Failure *) json_to_message(&pb__failure__descriptor, PG_GETARG_JSONB_P(2)), now,
		expiration);
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("%s, %.6g s", enum_short_name(&pb__retry_state__descriptor, decision.state),
				 (double) decision.interval / USECS_PER_SEC)));
}

Datum
temporal_test_session_ended(PG_FUNCTION_ARGS)
{
	SessionId session = {
		PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)
	};

	PG_RETURN_BOOL(session_ended(&session));
}
