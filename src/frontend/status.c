/*
 * status.c
 *	  From an error of the database to a status that SDKs understand.
 *
 * Errors of ours carry the status in their SQLSTATE (base/errors.h).  Clients
 * make exceptions from the type of the first detail, so that matters as much.
 */
#include "postgres.h"

#include "base/errors.h"
#include "frontend/frontend.h"
#include "proto/errordetails.pb-c.h"

/* The detail that goes with an error whose handler has not made one. */
static const struct
{
	int sqlstate;
	const ProtobufCMessageDescriptor *detail;
} details[] = {
	{ERRCODE_TEMPORAL_NOT_FOUND, &pb__not_found_failure__descriptor},
	{ERRCODE_TEMPORAL_EXECUTION_CLOSED, &pb__not_found_failure__descriptor},
	{ERRCODE_TEMPORAL_TASK_NOT_FOUND, &pb__not_found_failure__descriptor},
	{ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND, &pb__namespace_not_found_failure__descriptor},
	{ERRCODE_TEMPORAL_NAMESPACE_EXISTS, &pb__namespace_already_exists_failure__descriptor},
	{ERRCODE_TEMPORAL_PERMISSION_DENIED, &pb__permission_denied_failure__descriptor},
	{ERRCODE_TEMPORAL_BUSY_WORKFLOW, &pb__resource_exhausted_failure__descriptor},
};

/* What the database's own errors mean to a caller; the rest is our fault. */
static const struct
{
	const char *sqlstate; /* or its class */
	GrpcCode code;
} codes[] = {
	{"25006", GRPC_UNAVAILABLE},       /* read-only transaction */
	{"40", GRPC_UNAVAILABLE},          /* transaction rollback */
	{"42501", GRPC_PERMISSION_DENIED}, /* insufficient privilege */
	{"53", GRPC_RESOURCE_EXHAUSTED},   /* insufficient resources */
	{"54", GRPC_RESOURCE_EXHAUSTED},   /* program limit exceeded */
	{"55P03", GRPC_UNAVAILABLE},       /* lock not available */
	{"55000", GRPC_FAILED_PRECONDITION},
	{"57", GRPC_UNAVAILABLE},      /* operator intervention */
	{"58", GRPC_UNAVAILABLE},      /* system error */
	{"22", GRPC_INVALID_ARGUMENT}, /* data exception */
};

static GrpcCode
code_of(const char *sqlstate)
{
	char digit = sqlstate[2];

	if (strncmp(sqlstate, "TW", 2) == 0)
		return digit >= 'A' ? digit - 'A' + 10 : digit - '0';
	for (int i = 0; i < lengthof(codes); i++)
	{
		if (strncmp(sqlstate, codes[i].sqlstate, strlen(codes[i].sqlstate)) == 0)
			return codes[i].code;
	}
	return GRPC_INTERNAL;
}

/* The "namespace" field of the request, or an empty string. */
static const char *
namespace_of(const Call *call)
{
	const ProtobufCMessage *request = call->request;
	const ProtobufCFieldDescriptor *field;
	const char *name;

	if (request == NULL)
		return "";
	field = protobuf_c_message_descriptor_get_field_by_name(request->descriptor, "namespace");
	if (field == NULL)
		return "";
	memcpy(&name, (const char *) request + field->offset, sizeof(name));
	return name;
}

/* Fills in what an error of this kind can say of itself. */
static const ProtobufCMessage *
default_detail(int sqlstate, const Call *call)
{
	for (int i = 0; i < lengthof(details); i++)
	{
		ProtobufCMessage *detail;

		if (details[i].sqlstate != sqlstate)
			continue;
		detail = proto_new(details[i].detail);
		if (sqlstate == ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND)
			((Pb__NamespaceNotFoundFailure *) detail)->namespace_ = namespace_of(call);
		if (sqlstate == ERRCODE_TEMPORAL_BUSY_WORKFLOW)
			((Pb__ResourceExhaustedFailure *) detail)->cause =
				PB__RESOURCE_EXHAUSTED_CAUSE__RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW;
		return detail;
	}
	return NULL;
}

/*
 * status_of_error -- in the current context.
 *
 * The text of an error that is our fault is for the server log only.
 */
Status
status_of_error(const ErrorData *error, const Call *call)
{
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);
	Status status = {code_of(sqlstate), pstrdup(error->message), call->service.error_detail};

	if (status.detail == NULL)
		status.detail = default_detail(error->sqlerrcode, call);
	if (status.code == GRPC_INTERNAL)
		status.message = psprintf("internal error with SQLSTATE %s, see the server log", sqlstate);
	return status;
}

/* status_of_refusal -- the same for a call that has left a record. */
Status
status_of_refusal(const Call *call)
{
	const ServiceCall *service = &call->service;
	Status status = {code_of(unpack_sql_state(service->refusal_sqlstate)), service->refusal_message,
					 default_detail(service->refusal_sqlstate, call)};

	return status;
}

/* status_is_lock -- did the call only meet somebody else's lock? */
bool
status_is_lock(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}
