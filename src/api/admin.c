/*
 * admin.c
 *	  Rights, adoption, and what the views need from C.
 */
#include "postgres.h"

#include "api/call.h"
#include "base/argument.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "core/decide.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "proto/json.h"
#include "proto/wire.h"
#include "service/access.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(temporal_grant_usage);
PG_FUNCTION_INFO_V1(temporal_revoke_usage);
PG_FUNCTION_INFO_V1(temporal_readable_namespaces);
PG_FUNCTION_INFO_V1(temporal_adopt);
PG_FUNCTION_INFO_V1(temporal_adopted);
PG_FUNCTION_INFO_V1(temporal_preloaded);
PG_FUNCTION_INFO_V1(temporal_library_version);
PG_FUNCTION_INFO_V1(temporal_decode);
PG_FUNCTION_INFO_V1(temporal_decode_events);
PG_FUNCTION_INFO_V1(temporal_decode_kept_events);
PG_FUNCTION_INFO_V1(temporal_stored_event);
PG_FUNCTION_INFO_V1(temporal_enum_name);
PG_FUNCTION_INFO_V1(temporal_queue_id);

static char *
required_text(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static const char *
required_role(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role_name must not be null")));
	get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	return NameStr(*PG_GETARG_NAME(0));
}

/* temporal.grant_usage(role_name, namespace, access_right, task_queue) */
Datum
temporal_grant_usage(PG_FUNCTION_ARGS)
{
	argument_prevent_read_only("temporal.grant_usage()");
	service_grant(required_role(fcinfo), required_text(fcinfo, 1, "namespace"),
				  required_text(fcinfo, 2, "access_right"), argument_text(fcinfo, 3, NULL));
	PG_RETURN_VOID();
}

/* temporal.revoke_usage(role_name, namespace, access_right, task_queue) */
Datum
temporal_revoke_usage(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role_name must not be null")));
	argument_prevent_read_only("temporal.revoke_usage()");
	service_revoke(NameStr(*PG_GETARG_NAME(0)), required_text(fcinfo, 1, "namespace"),
				   PG_ARGISNULL(2) ? NULL : argument_text(fcinfo, 2, NULL),
				   PG_ARGISNULL(3) ? NULL : argument_text(fcinfo, 3, NULL));
	PG_RETURN_VOID();
}

/* temporal.readable_namespaces() returns uuid[] */
Datum
temporal_readable_namespaces(PG_FUNCTION_ARGS)
{
	List	   *ids = service_readable_namespaces();
	Datum	   *elements = palloc((list_length(ids) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, ids)
		elements[n++] = UUIDPGetDatum((pg_uuid_t *) lfirst(cell));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/* temporal.adopt() */
Datum
temporal_adopt(PG_FUNCTION_ARGS)
{
	argument_prevent_read_only("temporal.adopt()");
	service_adopt();
	wake_mark_sweep();
	PG_RETURN_VOID();
}

Datum
temporal_adopted(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(service_adopted());
}

Datum
temporal_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wake_available());
}

Datum
temporal_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(TEMPORAL_VERSION));
}

/* The messages that our tables hold. */
static const ProtobufCMessageDescriptor *const stored_messages[] = {
	&pb__history__descriptor, &pb__history_event__descriptor, &pb__memo__descriptor,
	&pb__search_attributes__descriptor, &pb__update_namespace_info__descriptor,
	&pb__activity_options__descriptor,
	&pbi__run_info__descriptor, &pbi__run_state__descriptor, &pbi__activity_state__descriptor,
};

static const ProtobufCMessageDescriptor *
stored_message(const char *name)
{
	for (size_t i = 0; i < lengthof(stored_messages); i++)
		if (strcmp(stored_messages[i]->name, name) == 0)
			return stored_messages[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("no stored message has type \"%s\"", name)));
}

/* temporal.decode(message_type, message) returns jsonb */
Datum
temporal_decode(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(1);
	ProtobufCMessage *message =
		proto_unpack(stored_message(text_to_cstring(PG_GETARG_TEXT_PP(0))),
					 (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));

	PG_RETURN_JSONB_P(message_to_json(message, true));
}

/* temporal.stored_event(events bytea, event_id bigint) returns bytea */
Datum
temporal_stored_event(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	int64		event_id = PG_GETARG_INT64(1);
	Pb__History *history = proto_unpack(&pb__history__descriptor,
										(const uint8 *) VARDATA_ANY(bytes),
										VARSIZE_ANY_EXHDR(bytes));

	for (size_t i = 0; i < history->n_events; i++)
		if (history->events[i]->event_id == event_id)
			PG_RETURN_BYTEA_P(proto_pack_bytea(&history->events[i]->base));
	PG_RETURN_NULL();
}

/* temporal.decode_events(workflow_id, run_id, task_queue, events) returns setof record */
Datum
temporal_decode_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	EventRun	run = {
		text_to_cstring(PG_GETARG_TEXT_PP(0)), ident_uuid_text(PG_GETARG_UUID_P(1)),
		text_to_cstring(PG_GETARG_TEXT_PP(2))
	};
	bytea	   *bytes = PG_GETARG_BYTEA_PP(3);
	Pb__History *history = proto_unpack(&pb__history__descriptor,
										(const uint8 *) VARDATA_ANY(bytes),
										VARSIZE_ANY_EXHDR(bytes));

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < history->n_events; i++)
	{
		event_restore(history->events[i], &run);
		api_put_event(result, history->events[i]);
	}
	return (Datum) 0;
}

/* temporal.decode_kept_events(info bytea, state bytea) returns setof record */
Datum
temporal_decode_kept_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *info = PG_GETARG_BYTEA_PP(0);
	bytea	   *run = PG_GETARG_BYTEA_PP(1);
	ExecutionState state = {
		.info = proto_unpack(&pbi__run_info__descriptor, (const uint8 *) VARDATA_ANY(info),
							 VARSIZE_ANY_EXHDR(info)),
		.run = proto_unpack(&pbi__run_state__descriptor, (const uint8 *) VARDATA_ANY(run),
							VARSIZE_ANY_EXHDR(run)),
	};
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	core_expand_task(state.info, state.run);
	foreach(cell, core_kept_events(&state))
		api_put_event(result, lfirst(cell));
	return (Datum) 0;
}

/* temporal.enum_name(enum, value) returns text */
Datum
temporal_enum_name(PG_FUNCTION_ARGS)
{
	static const struct
	{
		const char *name;
		const ProtobufCEnumDescriptor *descriptor;
	}			enums[] = {
		{"WorkflowExecutionStatus", &pb__workflow_execution_status__descriptor},
		{"EventType", &pb__event_type__descriptor},
		{"TaskQueueType", &pb__task_queue_type__descriptor},
	};
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (size_t i = 0; i < lengthof(enums); i++)
		if (strcmp(enums[i].name, name) == 0)
			PG_RETURN_TEXT_P(cstring_to_text(enum_short_name(enums[i].descriptor,
															 PG_GETARG_INT32(1))));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no enum is named \"%s\"", name)));
}

/* temporal.queue_id(namespace_id, task_type, task_queue) returns bigint */
Datum
temporal_queue_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) ident_queue(PG_GETARG_UUID_P(0), PG_GETARG_INT32(1),
										text_to_cstring(PG_GETARG_TEXT_PP(2))));
}
