/*
 * search_attribute.c
 *	  Which search attributes there are.
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
