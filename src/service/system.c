/*
 * system.c
 *	  What the server is and can do.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "service/service.h"

/* The API level; clients compare it with what they need. */
#define SERVER_VERSION "1.32.0"

ProtobufCMessage *
service_get_system_info(ServiceCall *call, const void *request)
{
	Pb__GetSystemInfoResponse *response = proto_new(&pb__get_system_info_response__descriptor);
	Pb__GetSystemInfoResponse__Capabilities *capabilities =
		proto_new(&pb__get_system_info_response__capabilities__descriptor);

	capabilities->signal_and_query_header = true;
	capabilities->internal_error_differentiation = true;
	capabilities->activity_failure_include_heartbeat = true;
	capabilities->encoded_failure_attributes = true;
	capabilities->build_id_based_versioning = true;
	capabilities->upsert_memo = true;
	capabilities->eager_workflow_start = true;
	capabilities->sdk_metadata = true;
	response->server_version = SERVER_VERSION;
	response->capabilities = capabilities;
	return &response->base;
}

ProtobufCMessage *
service_get_cluster_info(ServiceCall *call, const void *request)
{
	Pb__GetClusterInfoResponse *response = proto_new(&pb__get_cluster_info_response__descriptor);
	pg_uuid_t	id = {{0}};
	uint64		identifier = GetSystemIdentifier();

	memcpy(id.data + 8, &identifier, sizeof(identifier));
	response->server_version = SERVER_VERSION;
	response->cluster_id = ident_uuid_text(&id);
	response->cluster_name = "active";
	response->history_shard_count = store_shard_count();
	response->persistence_store = "postgres12";
	response->visibility_store = "postgres12";
	response->initial_failover_version = 1;
	response->failover_version_increment = 10;
	return &response->base;
}
