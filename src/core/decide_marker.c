/*
 * decide_marker.c
 *	  Markers, search attributes and memo: what the engine only records.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

#define SEARCH_ATTRIBUTE_KEYS 100
#define SEARCH_ATTRIBUTE_VALUE_LIMIT (2 * 1024)
#define SEARCH_ATTRIBUTES_LIMIT (40 * 1024)

#define NIL_ENCODING "binary/null"

#define TYPE(name) PB__INDEXED_VALUE_TYPE__INDEXED_VALUE_TYPE_##name

/* Names that the engine sets itself. */
static const AttributeType system_attributes[] = {
	{"WorkflowId", TYPE(KEYWORD)},
	{"RunId", TYPE(KEYWORD)},
	{"WorkflowType", TYPE(KEYWORD)},
	{"StartTime", TYPE(DATETIME)},
	{"ExecutionTime", TYPE(DATETIME)},
	{"CloseTime", TYPE(DATETIME)},
	{"ExecutionStatus", TYPE(KEYWORD)},
	{"TaskQueue", TYPE(KEYWORD)},
	{"HistoryLength", TYPE(INT)},
	{"HistorySizeBytes", TYPE(INT)},
	{"ExecutionDuration", TYPE(INT)},
	{"StateTransitionCount", TYPE(INT)},
	{"ParentWorkflowId", TYPE(KEYWORD)},
	{"ParentRunId", TYPE(KEYWORD)},
	{"RootWorkflowId", TYPE(KEYWORD)},
	{"RootRunId", TYPE(KEYWORD)},
	{"TemporalWorkerDeployment", TYPE(KEYWORD)},
	{"TemporalWorkerDeploymentVersion", TYPE(KEYWORD)},
	{"TemporalWorkflowVersioningBehavior", TYPE(KEYWORD)},
	{"TemporalUsedWorkerDeploymentVersions", TYPE(KEYWORD_LIST)},
	{"TemporalExternalPayloadCount", TYPE(INT)},
	{"TemporalExternalPayloadSizeBytes", TYPE(INT)},
	{NULL, 0}
};

/* Names that exist everywhere and that workflows may set. */
static const AttributeType predefined_attributes[] = {
	{"TemporalChangeVersion", TYPE(KEYWORD_LIST)},
	{"BinaryChecksums", TYPE(KEYWORD_LIST)},
	{"BuildIds", TYPE(KEYWORD_LIST)},
	{"TemporalPauseInfo", TYPE(KEYWORD_LIST)},
	{"TemporalReportedProblems", TYPE(KEYWORD_LIST)},
	{"BatcherUser", TYPE(KEYWORD)},
	{"BatcherNamespace", TYPE(KEYWORD)},
	{"TemporalScheduledById", TYPE(KEYWORD)},
	{"TemporalNamespaceDivision", TYPE(KEYWORD)},
	{"TemporalScheduledStartTime", TYPE(DATETIME)},
	{"TemporalSchedulePaused", TYPE(BOOL)},
	{NULL, 0}
};

/* core_system_attributes -- the names that exist in every namespace. */
List *
core_system_attributes(void)
{
	List	   *types = NIL;

	for (const AttributeType *type = system_attributes; type->name != NULL; type++)
		types = lappend(types, unconstify(AttributeType *, type));
	for (const AttributeType *type = predefined_attributes; type->name != NULL; type++)
		types = lappend(types, unconstify(AttributeType *, type));
	return types;
}

/* The type of a settable attribute, or 0. */
static int
attribute_type(const char *name, const List *types)
{
	ListCell   *cell;

	foreach(cell, types)
	{
		AttributeType *type = lfirst(cell);

		if (strcmp(type->name, name) == 0)
			return type->type;
	}
	for (const AttributeType *type = predefined_attributes; type->name != NULL; type++)
		if (strcmp(type->name, name) == 0)
			return type->type;
	return 0;
}

/* The value with its type noted, as clients expect to read it back. */
static Pb__Payload *
typed_payload(const Pb__Payload *payload, int type)
{
	Pb__Payload *typed = proto_new(&pb__payload__descriptor);
	Pb__Payload__MetadataEntry *entry = proto_new(&pb__payload__metadata_entry__descriptor);
	char	   *name = enum_short_name(&pb__indexed_value_type__descriptor, type);

	*typed = *payload;
	typed->n_metadata = 0;
	typed->metadata = palloc((payload->n_metadata + 1) * sizeof(entry));
	for (size_t i = 0; i < payload->n_metadata; i++)
		if (strcmp(payload->metadata[i]->key, "type") != 0)
			typed->metadata[typed->n_metadata++] = payload->metadata[i];
	entry->key = "type";
	entry->value.data = (uint8_t *) name;
	entry->value.len = strlen(name);
	typed->metadata[typed->n_metadata++] = entry;
	return typed;
}

/* core_type_search_attributes -- a copy with types; all of them are defined. */
Pb__SearchAttributes *
core_type_search_attributes(const Pb__SearchAttributes *attributes, const List *types)
{
	Pb__SearchAttributes *typed;

	if (attributes == NULL)
		return NULL;
	typed = proto_new(&pb__search_attributes__descriptor);
	typed->n_indexed_fields = attributes->n_indexed_fields;
	typed->indexed_fields = palloc((attributes->n_indexed_fields + 1) * sizeof(void *));
	for (size_t i = 0; i < attributes->n_indexed_fields; i++)
	{
		const Pb__SearchAttributes__IndexedFieldsEntry *from = attributes->indexed_fields[i];
		Pb__SearchAttributes__IndexedFieldsEntry *to =
			proto_new(&pb__search_attributes__indexed_fields_entry__descriptor);

		to->key = from->key;
		to->value = from->value == NULL ? NULL :
			typed_payload(from->value, attribute_type(from->key, types));
		typed->indexed_fields[i] = to;
	}
	return typed;
}

/* core_keyword_list -- "json" is the text of a JSON array of strings. */
Pb__Payload *
core_keyword_list(const char *json)
{
	return typed_payload(core_json_payload(json), TYPE(KEYWORD_LIST));
}

/* core_check_search_attributes -- what is wrong with them, or NULL. */
const char *
core_check_search_attributes(const Pb__SearchAttributes *attributes, const List *types)
{
	if (attributes == NULL)
		return NULL;
	if (attributes->n_indexed_fields > SEARCH_ATTRIBUTE_KEYS)
		return psprintf("number of search attributes %zu exceeds limit %d",
						attributes->n_indexed_fields, SEARCH_ATTRIBUTE_KEYS);
	for (size_t i = 0; i < attributes->n_indexed_fields; i++)
	{
		const char *name = attributes->indexed_fields[i]->key;
		const Pb__Payload *value = attributes->indexed_fields[i]->value;
		int			type = attribute_type(name, types);

		for (const AttributeType *system = system_attributes; system->name != NULL; system++)
			if (strcmp(system->name, name) == 0)
				return psprintf("%s attribute can't be set in SearchAttributes", name);
		if (type == 0)
			return psprintf("search attribute %s is not defined", name);
		if (value != NULL && !core_attribute_value_fits(value, type))
			return psprintf("invalid value for search attribute %s", name);
	}
	return NULL;
}

static const char *
check_total(const ProtobufCMessage *attributes)
{
	if (protobuf_c_message_get_packed_size(attributes) <= SEARCH_ATTRIBUTES_LIMIT)
		return NULL;
	return psprintf("total size of search attributes exceeds size limit %d",
					SEARCH_ATTRIBUTES_LIMIT);
}

/* core_check_search_attribute_sizes -- which of them is too large, or NULL. */
const char *
core_check_search_attribute_sizes(const Pb__SearchAttributes *attributes)
{
	for (size_t i = 0; attributes != NULL && i < attributes->n_indexed_fields; i++)
	{
		const Pb__Payload *value = attributes->indexed_fields[i]->value;

		if (value != NULL && value->data.len > SEARCH_ATTRIBUTE_VALUE_LIMIT)
			return psprintf("search attribute %s value size %zu exceeds size limit %d",
							attributes->indexed_fields[i]->key, value->data.len,
							SEARCH_ATTRIBUTE_VALUE_LIMIT);
	}
	return attributes == NULL ? NULL : check_total(&attributes->base);
}

bool
core_record_marker(Transition *transition, const Pb__Command *command, CommandContext *context,
				   CommandError *error)
{
	const Pb__RecordMarkerCommandAttributes *from = command->record_marker_command_attributes;
	Pb__MarkerRecordedEventAttributes *attributes;
	Pb__HistoryEvent *event = command_event(transition, command, EVENT(MARKER_RECORDED),
											&attributes);

	if (from->marker_name[0] == '\0')
		return command_refuse(error, CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
							  "MarkerName is not set on RecordMarkerCommand.");
	if (strlen(from->marker_name) > ID_LIMIT)
		return command_refuse(error, CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
							  "MarkerName on RecordMarkerCommand exceeds length limit.");
	if (protobuf_c_message_get_packed_size(&from->base) > BLOB_LIMIT)
	{
		error->terminate = true;
		return command_refuse(error, CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
							  "RecordMarkerCommandAttributes.Details exceeds size limit.");
	}
	attributes->marker_name = from->marker_name;
	attributes->n_details = from->n_details;
	attributes->details = palloc(from->n_details * sizeof(void *));
	attributes->header = from->header;
	attributes->failure = core_clamp_failure(from->failure);
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	for (size_t i = 0; i < from->n_details; i++)
	{
		/* The two map entries are the same message under two names. */
		Pb__MarkerRecordedEventAttributes__DetailsEntry *entry =
			proto_new(&pb__marker_recorded_event_attributes__details_entry__descriptor);

		entry->key = from->details[i]->key;
		entry->value = from->details[i]->value;
		attributes->details[i] = entry;
	}
	transition_append(transition, event);
	return true;
}

bool
core_upsert_search_attributes(Transition *transition, const Pb__Command *command,
							  CommandContext *context, CommandError *error)
{
	Pb__SearchAttributes *from =
		command->upsert_workflow_search_attributes_command_attributes->search_attributes;
	Pb__UpsertWorkflowSearchAttributesEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES),
					  &attributes);
	const char *problem;

	if (from == NULL || from->n_indexed_fields == 0)
		return command_refuse(error, CAUSE(BAD_SEARCH_ATTRIBUTES),
							  "SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.");
	problem = core_check_search_attributes(from, context->attribute_types);
	if (problem != NULL)
		return command_refuse(error, CAUSE(BAD_SEARCH_ATTRIBUTES), problem);
	from = core_type_search_attributes(from, context->attribute_types);
	attributes->search_attributes = from;
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	for (size_t i = 0; i < from->n_indexed_fields; i++)
		transition_set_search_attribute(transition, from->indexed_fields[i]->key,
										from->indexed_fields[i]->value);
	problem = core_check_search_attribute_sizes(from);
	if (problem == NULL)
		problem = check_total(&core_merge_search_attributes(context->search_attributes,
															transition->search_attributes)->base);
	if (problem == NULL)
		return true;
	error->terminate = true;
	return command_refuse(error, CAUSE(BAD_SEARCH_ATTRIBUTES), problem);
}

/* Nothing at all; data may be empty, as that of an empty string is. */
static bool
is_nil(const Pb__Payload *payload)
{
	if (payload == NULL || (payload->n_metadata == 0 && payload->data.len == 0))
		return true;
	for (size_t i = 0; i < payload->n_metadata; i++)
	{
		const Pb__Payload__MetadataEntry *entry = payload->metadata[i];

		if (strcmp(entry->key, "encoding") == 0 && entry->value.len == strlen(NIL_ENCODING) &&
			memcmp(entry->value.data, NIL_ENCODING, entry->value.len) == 0)
			return true;
	}
	return false;
}

bool
core_modify_properties(Transition *transition, const Pb__Command *command,
					   CommandContext *context, CommandError *error)
{
	Pb__Memo   *memo = command->modify_workflow_properties_command_attributes->upserted_memo;
	Pb__WorkflowPropertiesModifiedEventAttributes *attributes;
	Pb__HistoryEvent *event =
		command_event(transition, command, EVENT(WORKFLOW_PROPERTIES_MODIFIED),
					  &attributes);

	if (memo == NULL || memo->n_fields == 0)
		return command_refuse(error, CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
							  "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.");
	attributes->upserted_memo = memo;
	attributes->workflow_task_completed_event_id = context->completed_event_id;
	transition_append(transition, event);
	for (size_t i = 0; i < memo->n_fields; i++)
	{
		FieldChange *change = palloc(sizeof(FieldChange));

		change->name = memo->fields[i]->key;
		change->payload = memo->fields[i]->value;
		if (is_nil(change->payload))
			change->payload = NULL;
		transition->memo = lappend(transition->memo, change);
	}
	memo = core_merge_memo(context->memo, transition->memo);
	if (protobuf_c_message_get_packed_size(&memo->base) <= BLOB_LIMIT)
		return true;
	error->terminate = true;
	return command_refuse(error, CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
						  "ModifyWorkflowPropertiesCommandAttributes.UpsertedMemo exceeds size limit.");
}
