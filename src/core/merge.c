/*
 * merge.c
 *	  The memo and the search attributes of a run after changes.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

/* core_merge_memo -- a list of FieldChange applied; NULL in one removes. */
Pb__Memo *
core_merge_memo(const Pb__Memo *memo, const List *changes)
{
	Pb__Memo   *merged = proto_new(&pb__memo__descriptor);
	size_t		room = (memo != NULL ? memo->n_fields : 0) + list_length(changes);
	ListCell   *cell;

	merged->fields = palloc((room + 1) * sizeof(Pb__Memo__FieldsEntry *));
	for (size_t i = 0; memo != NULL && i < memo->n_fields; i++)
		merged->fields[merged->n_fields++] = memo->fields[i];
	foreach(cell, changes)
	{
		FieldChange *change = lfirst(cell);
		size_t		i = 0;

		while (i < merged->n_fields && strcmp(merged->fields[i]->key, change->name) != 0)
			i++;
		if (change->payload == NULL)
		{
			if (i < merged->n_fields)
				merged->fields[i] = merged->fields[--merged->n_fields];
			continue;
		}
		if (i == merged->n_fields)
			merged->n_fields++;
		merged->fields[i] = proto_new(&pb__memo__fields_entry__descriptor);
		merged->fields[i]->key = change->name;
		merged->fields[i]->value = change->payload;
	}
	return merged;
}

/* core_merge_search_attributes -- they are the same map on the wire as a memo. */
Pb__Memo *
core_merge_search_attributes(const Pb__SearchAttributes *attributes, const List *changes)
{
	Pb__Memo   *memo = proto_new(&pb__memo__descriptor);

	memo->fields = palloc((attributes != NULL ? attributes->n_indexed_fields + 1 : 1) *
						  sizeof(Pb__Memo__FieldsEntry *));
	for (size_t i = 0; attributes != NULL && i < attributes->n_indexed_fields; i++)
	{
		Pb__Memo__FieldsEntry *entry = proto_new(&pb__memo__fields_entry__descriptor);

		entry->key = attributes->indexed_fields[i]->key;
		entry->value = attributes->indexed_fields[i]->value;
		memo->fields[memo->n_fields++] = entry;
	}
	return core_merge_memo(memo, changes);
}
