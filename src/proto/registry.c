/*
 * registry.c
 *	  Messages that an Any can hold, by name.
 *
 * An Any names its message by a URL that a client wrote.  Only what belongs
 * into one in Temporal's API can be found: bodies of update messages, details
 * of errors, and a few well known types.
 */
#include "postgres.h"

#include "proto/errordetails.pb-c.h"
#include "proto/failure.pb-c.h"
#include "proto/google_protobuf.pb-c.h"
#include "proto/registry.h"
#include "proto/update.pb-c.h"

static const ProtobufCMessageDescriptor *const any_messages[] = {
	&pb__update__request__descriptor,
	&pb__update__acceptance__descriptor,
	&pb__update__rejection__descriptor,
	&pb__update__response__descriptor,

	&pb__activity_execution_already_started_failure__descriptor,
	&pb__cancellation_already_requested_failure__descriptor,
	&pb__client_version_not_supported_failure__descriptor,
	&pb__multi_operation_execution_aborted__descriptor,
	&pb__multi_operation_execution_failure__descriptor,
	&pb__namespace_already_exists_failure__descriptor,
	&pb__namespace_invalid_state_failure__descriptor,
	&pb__namespace_not_active_failure__descriptor,
	&pb__namespace_not_found_failure__descriptor,
	&pb__namespace_unavailable_failure__descriptor,
	&pb__newer_build_exists_failure__descriptor,
	&pb__nexus_operation_execution_already_started_failure__descriptor,
	&pb__not_found_failure__descriptor,
	&pb__permission_denied_failure__descriptor,
	&pb__query_failed_failure__descriptor,
	&pb__resource_exhausted_failure__descriptor,
	&pb__server_version_not_supported_failure__descriptor,
	&pb__system_workflow_failure__descriptor,
	&pb__workflow_execution_already_started_failure__descriptor,
	&pb__workflow_not_ready_failure__descriptor,
	&pb__workflow_task_completion_buffer_lost_failure__descriptor,

	&pb__any__descriptor,
	&pb__double_value__descriptor,
	&pb__duration__descriptor,
	&pb__empty__descriptor,
	&pb__field_mask__descriptor,
	&pb__timestamp__descriptor,
};

/*
 * proto_find_message -- the message of this full name; NULL if there is none.
 */
const ProtobufCMessageDescriptor *
proto_find_message(const char *full_name)
{
	for (int i = 0; i < lengthof(any_messages); i++)
	{
		if (strcmp(any_messages[i]->name, full_name) == 0)
			return any_messages[i];
	}
	return NULL;
}
