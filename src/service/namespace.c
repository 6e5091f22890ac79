/*
 * namespace.c
 *	  Registering, describing, listing and changing namespaces.
 *
 * Only administrators of the extension register; whoever has any right in a
 * namespace may see it.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "base/compat.h"
#include "proto/wire.h"
#include "service/service.h"

#define MIN_RETENTION (USECS_PER_SEC * SECS_PER_MINUTE * MINS_PER_HOUR)
#define DEFAULT_PAGE 100
#define MAX_PAGE 1000
#define BLOB_SIZE_LIMIT (2 * 1024 * 1024)
#define STATE(name) PB__NAMESPACE_STATE__NAMESPACE_STATE_##name
#define ARCHIVAL_DISABLED PB__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED

static void
namespace_not_found(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND),
			 errmsg("Namespace %s is not found.", name)));
}

/* The retention asked for, in microseconds; an error if it is not usable. */
static int64
check_retention(const Pb__Duration *duration)
{
	if (duration == NULL || !proto_duration_valid(duration) ||
		proto_duration_us(duration) < MIN_RETENTION)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("A valid retention period is not set on request."),
				 errdetail("The shortest period is one hour.")));
	return proto_duration_us(duration);
}

/* Any right will do. */
static bool
may_see(const ServiceCall *call)
{
	return service_allowed(call, RIGHT_ANY, NULL);
}

static Pb__UpdateNamespaceInfo *
stored_info(const Namespace *namespace)
{
	if (namespace->info == NULL)
		return proto_new(&pb__update_namespace_info__descriptor);
	return proto_unpack(&pb__update_namespace_info__descriptor,
						(const uint8 *) VARDATA_ANY(namespace->info),
						VARSIZE_ANY_EXHDR(namespace->info));
}

static Pb__NamespaceInfo *
describe_info(const Namespace *namespace)
{
	Pb__NamespaceInfo *info = proto_new(&pb__namespace_info__descriptor);
	Pb__UpdateNamespaceInfo *stored = stored_info(namespace);

	info->name = namespace->name;
	info->id = ident_uuid_text(&namespace->id);
	info->state = namespace->state;
	info->description = stored->description;
	info->owner_email = stored->owner_email;
	info->data = palloc((stored->n_data + 1) * sizeof(void *));
	for (size_t i = 0; i < stored->n_data; i++)
	{
		Pb__NamespaceInfo__DataEntry *entry = proto_new(&pb__namespace_info__data_entry__descriptor);

		entry->key = stored->data[i]->key;
		entry->value = stored->data[i]->value;
		info->data[info->n_data++] = entry;
	}
	info->capabilities = proto_new(&pb__namespace_info__capabilities__descriptor);
	info->capabilities->eager_workflow_start = true;
	info->capabilities->reported_problems_search_attribute = true;
	info->limits = proto_new(&pb__namespace_info__limits__descriptor);
	info->limits->blob_size_limit_error = BLOB_SIZE_LIMIT;
	info->limits->memo_size_limit_error = BLOB_SIZE_LIMIT;
	return info;
}

static Pb__NamespaceConfig *
describe_config(const Namespace *namespace)
{
	Pb__NamespaceConfig *config = proto_new(&pb__namespace_config__descriptor);

	config->workflow_execution_retention_ttl = proto_duration(namespace->retention);
	config->history_archival_state = ARCHIVAL_DISABLED;
	config->visibility_archival_state = ARCHIVAL_DISABLED;
	config->bad_binaries = proto_new(&pb__bad_binaries__descriptor);
	return config;
}

static Pb__NamespaceReplicationConfig *
describe_replication(void)
{
	Pb__NamespaceReplicationConfig *config =
		proto_new(&pb__namespace_replication_config__descriptor);

	config->active_cluster_name = "active";
	config->n_clusters = 1;
	config->clusters = palloc(sizeof(void *));
	config->clusters[0] = proto_new(&pb__cluster_replication_config__descriptor);
	config->clusters[0]->cluster_name = "active";
	config->state = PB__REPLICATION_STATE__REPLICATION_STATE_NORMAL;
	return config;
}

static Pb__DescribeNamespaceResponse *
describe(const Namespace *namespace)
{
	Pb__DescribeNamespaceResponse *response =
		proto_new(&pb__describe_namespace_response__descriptor);

	response->namespace_info = describe_info(namespace);
	response->config = describe_config(namespace);
	response->replication_config = describe_replication();
	return response;
}

ProtobufCMessage *
service_register_namespace(ServiceCall *call, const void *message)
{
	const Pb__RegisterNamespaceRequest *request = message;
	Pb__UpdateNamespaceInfo info = PB__UPDATE_NAMESPACE_INFO__INIT;
	Namespace	namespace = {0};

	service_authorize(call, RIGHT_ADMIN, NULL);
	service_require_id(request->namespace_, "Namespace");
	info.description = request->description;
	info.owner_email = request->owner_email;
	info.data = palloc((request->n_data + 1) * sizeof(void *));
	for (size_t i = 0; i < request->n_data; i++)
	{
		Pb__UpdateNamespaceInfo__DataEntry *entry =
			proto_new(&pb__update_namespace_info__data_entry__descriptor);

		entry->key = request->data[i]->key;
		entry->value = request->data[i]->value;
		info.data[info.n_data++] = entry;
	}
	namespace.id = ident_new_run_id(call->now);
	namespace.name = request->namespace_;
	namespace.state = STATE(REGISTERED);
	namespace.retention = check_retention(request->workflow_execution_retention_period);
	namespace.created_at = call->now;
	namespace.info = proto_pack_bytea(&info.base);
	if (store_find_namespace(request->namespace_) != NULL || !store_insert_namespace(&namespace))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_NAMESPACE_EXISTS),
				 errmsg("Namespace already exists.")));
	return proto_new(&pb__register_namespace_response__descriptor);
}

ProtobufCMessage *
service_describe_namespace(ServiceCall *call, const void *message)
{
	const Pb__DescribeNamespaceRequest *request = message;
	const char *name = request->id[0] != '\0' ? request->id : request->namespace_;
	pg_uuid_t	id;

	if (request->namespace_[0] != '\0' && request->id[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Both namespace name and id are set on request.")));
	if (request->id[0] == '\0')
	{
		service_require_id(request->namespace_, "Namespace");
		call->namespace = store_find_namespace(request->namespace_);
	}
	else if (ident_parse_uuid(request->id, &id))
		call->namespace = store_find_namespace_id(&id);
	if (call->namespace == NULL || !may_see(call))
		namespace_not_found(name);
	return &describe(call->namespace)->base;
}

/* The name that the page before ended with; empty on the first page. */
static char *
page_token(const ProtobufCBinaryData *token)
{
	if (token->len == 0)
		return "";
	if (pg_encoding_verifymbstr(PG_UTF8, (const char *) token->data, token->len) != token->len)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Invalid NextPageToken.")));
	return pnstrdup((const char *) token->data, token->len);
}

static bool
is_shown(ServiceCall *call, const Pb__ListNamespacesRequest *request, Namespace *namespace)
{
	if (namespace->state == STATE(DELETED) &&
		!(request->namespace_filter != NULL && request->namespace_filter->include_deleted))
		return false;
	call->namespace = namespace;
	return may_see(call);
}

/*
 * The built-in namespace comes first unless it has a row of its own.  Pages
 * are of what the caller may see: their tokens name nothing else.
 */
ProtobufCMessage *
service_list_namespaces(ServiceCall *call, const void *message)
{
	const Pb__ListNamespacesRequest *request = message;
	Pb__ListNamespacesResponse *response = proto_new(&pb__list_namespaces_response__descriptor);
	int			limit = request->page_size <= 0 ? DEFAULT_PAGE : Min(request->page_size, MAX_PAGE);
	const char *after = page_token(&request->next_page_token);
	Namespace  *built_in = store_find_namespace("default");
	bool		with_built_in = after[0] == '\0' && !built_in->stored &&
		is_shown(call, request, built_in);
	List	   *shown = NIL;
	List	   *namespaces;
	ListCell   *cell;

	do
	{
		namespaces = store_list_namespaces(after, limit);
		foreach(cell, namespaces)
		{
			after = ((Namespace *) lfirst(cell))->name;
			if (list_length(shown) < limit && is_shown(call, request, lfirst(cell)))
				shown = lappend(shown, lfirst(cell));
		}
	} while (list_length(namespaces) == limit && list_length(shown) < limit);
	if (list_length(shown) == limit)
	{
		const char *last = ((Namespace *) llast(shown))->name;

		response->next_page_token.data = (uint8_t *) pstrdup(last);
		response->next_page_token.len = strlen(last);
	}
	if (with_built_in)
		shown = lcons(built_in, shown);
	response->namespaces = palloc((list_length(shown) + 1) * sizeof(void *));
	foreach(cell, shown)
		response->namespaces[response->n_namespaces++] = describe(lfirst(cell));
	return &response->base;
}

/* Data is merged into what there is, key by key. */
static void
merge_info(Pb__UpdateNamespaceInfo *stored, const Pb__UpdateNamespaceInfo *changes)
{
	Pb__UpdateNamespaceInfo__DataEntry **all =
		palloc((stored->n_data + changes->n_data + 1) * sizeof(void *));

	if (changes->description[0] != '\0')
		stored->description = changes->description;
	if (changes->owner_email[0] != '\0')
		stored->owner_email = changes->owner_email;
	for (size_t i = 0; i < stored->n_data; i++)
		all[i] = stored->data[i];
	stored->data = all;
	for (size_t i = 0; i < changes->n_data; i++)
	{
		size_t		at = 0;

		while (at < stored->n_data && strcmp(all[at]->key, changes->data[i]->key) != 0)
			at++;
		all[at] = changes->data[i];
		stored->n_data = Max(stored->n_data, at + 1);
	}
}

/* What is deleted stays so. */
static void
change_state(Namespace *namespace, int state)
{
	if (state == 0 || state == namespace->state)
		return;
	if (namespace->state == STATE(DELETED) ||
		(state != STATE(REGISTERED) && state != STATE(DEPRECATED) && state != STATE(DELETED)))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Invalid namespace state update.")));
	namespace->state = state;
}

/* Its row as it is now, locked; the built-in namespace gets one. */
static Namespace *
lock_namespace(const ServiceCall *call, Namespace *namespace)
{
	if (!namespace->stored)
	{
		namespace->created_at = call->now;
		namespace->info = proto_pack_bytea(&stored_info(namespace)->base);
		store_insert_namespace(namespace);
	}
	namespace = store_lock_namespace(namespace->name);
	if (namespace == NULL)
		elog(ERROR, "namespace has no row");
	return namespace;
}

ProtobufCMessage *
service_update_namespace(ServiceCall *call, const void *message)
{
	const Pb__UpdateNamespaceRequest *request = message;
	Pb__UpdateNamespaceResponse *response = proto_new(&pb__update_namespace_response__descriptor);
	Pb__UpdateNamespaceInfo *info;
	Namespace  *namespace;

	service_require_id(request->namespace_, "Namespace");
	namespace = call->namespace = store_find_namespace(request->namespace_);
	service_authorize(call, RIGHT_ADMIN, NULL);
	if (namespace == NULL)
		namespace_not_found(request->namespace_);
	namespace = lock_namespace(call, namespace);
	info = stored_info(namespace);
	if (request->update_info != NULL)
	{
		merge_info(info, request->update_info);
		change_state(namespace, request->update_info->state);
	}
	if (request->config != NULL && request->config->workflow_execution_retention_ttl != NULL)
		namespace->retention = check_retention(request->config->workflow_execution_retention_ttl);
	namespace->info = proto_pack_bytea(&info->base);
	store_update_namespace(namespace);
	response->namespace_info = describe_info(namespace);
	response->config = describe_config(namespace);
	response->replication_config = describe_replication();
	return &response->base;
}
