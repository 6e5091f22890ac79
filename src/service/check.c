/*
 * check.c
 *	  What is checked of every request alike, by the names of its fields.
 */
#include "postgres.h"

#include "service/service.h"

#define MAX_LINKS 10
#define MAX_LINK_SIZE 4000
#define NAMESPACE_STATE(name) PB__NAMESPACE_STATE__NAMESPACE_STATE_##name

/* service_check_id -- what is wrong with an identifier, or NULL. */
const char *
service_check_id(const char *value, const char *what)
{
	if (value[0] == '\0')
		return psprintf("%s is not set on request.", what);
	if (strlen(value) > ID_LIMIT)
		return psprintf("%s length exceeds limit.", what);
	return NULL;
}

static void
refuse(const char *problem)
{
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
}

void
service_require_id(const char *value, const char *what)
{
	refuse(service_check_id(value, what));
}

/* service_limit_id -- an identifier that may be missing. */
void
service_limit_id(const char *value, const char *what)
{
	if (value[0] != '\0')
		refuse(service_check_id(value, what));
}

static size_t
size_of(const ProtobufCMessage *message)
{
	return message == NULL ? 0 : protobuf_c_message_get_packed_size(message);
}

/* service_limit_input -- what comes for the workflow, header included. */
void
service_limit_input(const Pb__Payloads *input, const Pb__Header *header)
{
	if (size_of((const ProtobufCMessage *) input) +
		size_of((const ProtobufCMessage *) header) > BLOB_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_LIMIT_EXCEEDED),
				 errmsg("Blob data size exceeds limit.")));
}

void
service_limit_memo(const Pb__Memo *memo)
{
	if (size_of((const ProtobufCMessage *) memo) > BLOB_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_LIMIT_EXCEEDED),
				 errmsg("Memo size exceeds limit.")));
}

static const char *
check_links(size_t n, Pb__Link *const *links)
{
	if (n > MAX_LINKS)
		return psprintf("cannot attach more than %d links per request, got %zu", MAX_LINKS, n);
	for (size_t i = 0; i < n; i++)
		if (protobuf_c_message_get_packed_size(&links[i]->base) > MAX_LINK_SIZE)
			return psprintf("link exceeds allowed size of %d", MAX_LINK_SIZE);
	return NULL;
}

/* service_check_namespace -- one that is deprecated starts nothing new. */
void
service_check_namespace(const Namespace *namespace, bool starting)
{
	if (namespace->state == NAMESPACE_STATE(REGISTERED) ||
		(namespace->state == NAMESPACE_STATE(DEPRECATED) && !starting))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_FAILED_PRECONDITION),
			 errmsg("Namespace has invalid state: %s. Must be %s for this operation.",
					enum_short_name(&pb__namespace_state__descriptor, namespace->state),
					starting ? "Registered" : "Registered or Deprecated")));
}

/* service_check_request -- the fields that mean the same in every request. */
void
service_check_request(const ProtobufCMessage *request)
{
	static const struct
	{
		const char *field;
		const char *what;
	}			ids[] = {
		{"namespace", "Namespace"}, {"identity", "Identity"}, {"request_id", "RequestId"}
	};
	const ProtobufCFieldDescriptor *field;

	for (size_t i = 0; i < lengthof(ids); i++)
	{
		field = protobuf_c_message_descriptor_get_field_by_name(request->descriptor, ids[i].field);
		if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING)
			service_limit_id(*(const char *const *) ((const char *) request + field->offset),
							 ids[i].what);
	}
	field = protobuf_c_message_descriptor_get_field_by_name(request->descriptor, "links");
	if (field != NULL && field->descriptor == &pb__link__descriptor)
		refuse(check_links(*(const size_t *) ((const char *) request + field->quantifier_offset),
						   *(Pb__Link ***) ((const char *) request + field->offset)));
}
