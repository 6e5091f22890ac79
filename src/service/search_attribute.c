/*
 * search_attribute.c
 *	  Which search attributes there are, adding and removing custom ones.
 */
#include "postgres.h"

#include "service/service.h"

ProtobufCMessage *
service_get_search_attributes(ServiceCall *call, const void *message)
{
	Pb__GetSearchAttributesResponse *response =
		proto_new(&pb__get_search_attributes_response__descriptor);
	List	   *types = list_concat(core_system_attributes(),
									store_attribute_types(&default_namespace_id));
	ListCell   *cell;

	response->keys = palloc((list_length(types) + 1) * sizeof(void *));
	foreach(cell, types)
	{
		AttributeType *type = lfirst(cell);
		Pb__GetSearchAttributesResponse__KeysEntry *entry =
			proto_new(&pb__get_search_attributes_response__keys_entry__descriptor);

		entry->key = type->name;
		entry->value = type->type;
		response->keys[response->n_keys++] = entry;
	}
	return &response->base;
}

static const char *
check_name(const char *name, int type, const List *system)
{
	ListCell   *cell;

	if (strncmp(name, "Temporal", 8) == 0)
		return psprintf("Search attribute %s is reserved by system.", name);
	foreach(cell, system)
		if (strcmp(((AttributeType *) lfirst(cell))->name, name) == 0)
			return psprintf("Search attribute %s is reserved by system.", name);
	if (type <= 0 || type > PB__INDEXED_VALUE_TYPE__INDEXED_VALUE_TYPE_KEYWORD_LIST)
		return psprintf("Unknown search attribute type: %d.", type);
	return NULL;
}

ProtobufCMessage *
service_add_search_attributes(ServiceCall *call, const void *message)
{
	const Pb__AddSearchAttributesRequest *request = message;
	List	   *system = core_system_attributes();

	if (request->n_search_attributes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("SearchAttributes are not set on request.")));
	for (size_t i = 0; i < request->n_search_attributes; i++)
	{
		const char *name = request->search_attributes[i]->key;
		const char *problem = check_name(name, request->search_attributes[i]->value, system);

		service_require_id(name, "Search attribute name");
		if (problem != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
		store_add_attribute_type(&call->namespace->id, name, request->search_attributes[i]->value);
	}
	return proto_new(&pb__add_search_attributes_response__descriptor);
}

ProtobufCMessage *
service_remove_search_attributes(ServiceCall *call, const void *message)
{
	const Pb__RemoveSearchAttributesRequest *request = message;
	List	   *system = core_system_attributes();

	for (size_t i = 0; i < request->n_search_attributes; i++)
	{
		const char *name = request->search_attributes[i];
		const char *problem = check_name(name, PB__INDEXED_VALUE_TYPE__INDEXED_VALUE_TYPE_TEXT,
										 system);

		if (problem != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", problem)));
		if (!store_remove_attribute_type(&call->namespace->id, name))
			ereport(ERROR,
					(errcode(ERRCODE_TEMPORAL_NOT_FOUND),
					 errmsg("Search attribute %s doesn't exist.", name)));
	}
	return proto_new(&pb__remove_search_attributes_response__descriptor);
}

ProtobufCMessage *
service_list_search_attributes(ServiceCall *call, const void *message)
{
	Pb__ListSearchAttributesResponse *response =
		proto_new(&pb__list_search_attributes_response__descriptor);
	List	   *custom = store_attribute_types(&call->namespace->id);
	List	   *system = core_system_attributes();
	ListCell   *cell;

	response->custom_attributes = palloc((list_length(custom) + 1) * sizeof(void *));
	foreach(cell, custom)
	{
		AttributeType *type = lfirst(cell);
		Pb__ListSearchAttributesResponse__CustomAttributesEntry *entry =
			proto_new(&pb__list_search_attributes_response__custom_attributes_entry__descriptor);

		entry->key = type->name;
		entry->value = type->type;
		response->custom_attributes[response->n_custom_attributes++] = entry;
	}
	response->system_attributes = palloc((list_length(system) + 1) * sizeof(void *));
	foreach(cell, system)
	{
		AttributeType *type = lfirst(cell);
		Pb__ListSearchAttributesResponse__SystemAttributesEntry *entry =
			proto_new(&pb__list_search_attributes_response__system_attributes_entry__descriptor);

		entry->key = type->name;
		entry->value = type->type;
		response->system_attributes[response->n_system_attributes++] = entry;
	}
	return &response->base;
}
