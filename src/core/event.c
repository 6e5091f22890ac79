/*
 * event.c
 *	  Events: making them, and what kind of event each type is.
 *
 * Which attributes belong to an event type follows from the names: type
 * EVENT_TYPE_X has its attributes in field x_event_attributes.
 */
#include "postgres.h"

#include "core/event.h"
#include "proto/time.h"
#include "utils/memutils.h"

#define EVENT_TYPE_PREFIX "EVENT_TYPE_"
#define MAX_EVENT_TYPE 128
/* Ids of the fields that hold attributes are smaller. */
#define MAX_ATTRIBUTES 128

/* The field of HistoryEvent that holds the attributes of "type". */
static const ProtobufCFieldDescriptor *
attributes_field(Pb__EventType type)
{
	static const ProtobufCFieldDescriptor *fields[MAX_EVENT_TYPE];
	const ProtobufCEnumValue *value;
	char		name[NAMEDATALEN * 2];
	char	   *p = name;

	Assert(type > 0 && type < MAX_EVENT_TYPE);
	if (fields[type] != NULL)
		return fields[type];
	value = protobuf_c_enum_descriptor_get_value(&pb__event_type__descriptor, type);
	Assert(value != NULL);
	for (const char *s = value->name + strlen(EVENT_TYPE_PREFIX); *s; s++)
		*p++ = pg_tolower((unsigned char) *s);
	strlcpy(p, "_event_attributes", name + sizeof(name) - p);
	fields[type] = protobuf_c_message_descriptor_get_field_by_name(&pb__history_event__descriptor,
																   name);
	Assert(fields[type] != NULL);
	return fields[type];
}

/*
 * event_new -- an event without id.
 *
 * "attributes" is the address of a pointer to the attributes' type.
 */
Pb__HistoryEvent *
event_new(Pb__EventType type, TimestampTz time, void *attributes)
{
	Pb__HistoryEvent *event = proto_new(&pb__history_event__descriptor);
	const ProtobufCFieldDescriptor *field = attributes_field(type);
	void	   *message = proto_new(field->descriptor);

	event->event_type = type;
	event->event_time = proto_timestamp(time);
	event->attributes_case = field->id;
	memcpy((char *) event + field->offset, &message, sizeof(message));
	memcpy(attributes, &message, sizeof(message));
	return event;
}

void *
event_attributes(const Pb__HistoryEvent *event)
{
	const ProtobufCFieldDescriptor *field = attributes_field(event->event_type);
	void	   *message;

	Assert(event->attributes_case == field->id);
	memcpy(&message, (const char *) event + field->offset, sizeof(message));
	return message;
}

bool
event_is_finish(Pb__EventType type)
{
	switch (type)
	{
		case EVENT(ACTIVITY_TASK_COMPLETED):
		case EVENT(ACTIVITY_TASK_FAILED):
		case EVENT(ACTIVITY_TASK_TIMED_OUT):
		case EVENT(ACTIVITY_TASK_CANCELED):
		case EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED):
		case EVENT(CHILD_WORKFLOW_EXECUTION_FAILED):
		case EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED):
		case EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
		case EVENT(CHILD_WORKFLOW_EXECUTION_TERMINATED):
			return true;
		default:
			return false;
	}
}

bool
event_is_buffered(Pb__EventType type)
{
	if (event_is_finish(type))
		return true;
	switch (type)
	{
		case EVENT(ACTIVITY_TASK_STARTED):
		case EVENT(TIMER_FIRED):
		case EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
		case EVENT(WORKFLOW_EXECUTION_SIGNALED):
		case EVENT(START_CHILD_WORKFLOW_EXECUTION_FAILED):
		case EVENT(CHILD_WORKFLOW_EXECUTION_STARTED):
		case EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED):
		case EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED):
		case EVENT(WORKFLOW_EXECUTION_UPDATE_ADMITTED):
		case EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED):
		case EVENT(WORKFLOW_EXECUTION_PAUSED):
		case EVENT(WORKFLOW_EXECUTION_UNPAUSED):
			return true;
		default:
			return false;
	}
}

bool
event_closes(Pb__EventType type)
{
	switch (type)
	{
		case EVENT(WORKFLOW_EXECUTION_COMPLETED):
		case EVENT(WORKFLOW_EXECUTION_FAILED):
		case EVENT(WORKFLOW_EXECUTION_CANCELED):
		case EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
		case EVENT(WORKFLOW_EXECUTION_TERMINATED):
		case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
			return true;
		default:
			return false;
	}
}

/*
 * enum_short_name -- the name of an enum's value as people write it.
 *
 * The prefix is the longest run of words that all values share.
 */
char *
enum_short_name(const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);
	const char *first = descriptor->values[0].name;
	size_t		prefix = 0;
	char	   *name;
	char	   *p;
	bool		upper = true;

	if (found == NULL)
		return psprintf("%d", value);
	for (size_t i = 0; first[i] != '\0'; i++)
	{
		bool		shared = true;

		for (unsigned v = 1; v < descriptor->n_values && shared; v++)
			shared = strncmp(descriptor->values[v].name, first, i + 1) == 0;
		if (!shared)
			break;
		if (first[i] == '_')
			prefix = i + 1;
	}
	name = p = palloc(strlen(found->name) + 1);
	for (const char *s = found->name + prefix; *s; s++)
	{
		if (*s == '_')
			upper = true;
		else
		{
			*p++ = upper ? *s : pg_tolower((unsigned char) *s);
			upper = false;
		}
	}
	*p = '\0';
	return name;
}

char *
event_type_name(Pb__EventType type)
{
	return enum_short_name(&pb__event_type__descriptor, type);
}

/* ---- packing ---- */

static bool
event_may_have(const ProtobufCFieldDescriptor *field, uint32 attributes)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 || field->id == attributes;
}

/*
 * Of the fields of an event only those that it can have: attributes of each
 * type are a field, and packing looks at every field that a message may have.
 */
static const ProtobufCMessageDescriptor *
narrow_descriptor(uint32 attributes)
{
	static ProtobufCMessageDescriptor *descriptors[MAX_ATTRIBUTES];
	const ProtobufCMessageDescriptor *all = &pb__history_event__descriptor;
	ProtobufCMessageDescriptor *narrow;
	ProtobufCFieldDescriptor *field;

	if (attributes >= MAX_ATTRIBUTES)
		return all;
	if (descriptors[attributes] != NULL)
		return descriptors[attributes];
	/* For good: there are as many as types of events. */
	narrow = MemoryContextAlloc(TopMemoryContext, sizeof(*narrow));
	*narrow = *all;
	narrow->n_fields = 0;
	for (unsigned i = 0; i < all->n_fields; i++)
		narrow->n_fields += event_may_have(&all->fields[i], attributes);
	field = MemoryContextAlloc(TopMemoryContext, narrow->n_fields * sizeof(*field));
	narrow->fields = field;
	for (unsigned i = 0; i < all->n_fields; i++)
		if (event_may_have(&all->fields[i], attributes))
			*field++ = all->fields[i];
	return descriptors[attributes] = narrow;
}

void
event_narrow(Pb__HistoryEvent *narrow, const Pb__HistoryEvent *event)
{
	*narrow = *event;
	narrow->base.descriptor = narrow_descriptor(event->attributes_case);
}

size_t
event_size(const Pb__HistoryEvent *event)
{
	Pb__HistoryEvent narrow;

	event_narrow(&narrow, event);
	return protobuf_c_message_get_packed_size(&narrow.base);
}

/* ---- as it is stored ---- */

static void
strip_started(Pb__HistoryEvent *event, const EventRun *run)
{
	Pb__WorkflowExecutionStartedEventAttributes *attributes = palloc(sizeof(*attributes));

	*attributes = *event->workflow_execution_started_event_attributes;
	if (strcmp(attributes->workflow_id, run->workflow_id) == 0)
		attributes->workflow_id = "";
	if (strcmp(attributes->original_execution_run_id, run->run_id) == 0)
		attributes->original_execution_run_id = "";
	if (strcmp(attributes->first_execution_run_id, run->run_id) == 0)
		attributes->first_execution_run_id = "";
	if (attributes->root_workflow_execution != NULL &&
		strcmp(attributes->root_workflow_execution->run_id, run->run_id) == 0 &&
		strcmp(attributes->root_workflow_execution->workflow_id, run->workflow_id) == 0)
		attributes->root_workflow_execution = NULL;
	event->workflow_execution_started_event_attributes = attributes;
}

static void
restore_started(Pb__HistoryEvent *event, const EventRun *run)
{
	Pb__WorkflowExecutionStartedEventAttributes *attributes =
		event->workflow_execution_started_event_attributes;

	if (attributes->workflow_id[0] == '\0')
		attributes->workflow_id = run->workflow_id;
	if (attributes->original_execution_run_id[0] == '\0')
		attributes->original_execution_run_id = run->run_id;
	if (attributes->first_execution_run_id[0] == '\0')
		attributes->first_execution_run_id = run->run_id;
	if (attributes->root_workflow_execution == NULL)
	{
		attributes->root_workflow_execution = proto_new(&pb__workflow_execution__descriptor);
		attributes->root_workflow_execution->workflow_id = run->workflow_id;
		attributes->root_workflow_execution->run_id = run->run_id;
	}
}

/* Where a queue has the name of the run's own one. */
static const char **
own_queue(Pb__TaskQueue *queue)
{
	return queue->kind == QUEUE_KIND(STICKY) ? &queue->normal_name : &queue->name;
}

static void
strip_scheduled(Pb__HistoryEvent *event, const EventRun *run)
{
	Pb__WorkflowTaskScheduledEventAttributes *attributes = palloc(sizeof(*attributes));
	Pb__TaskQueue *queue = palloc(sizeof(*queue));

	*attributes = *event->workflow_task_scheduled_event_attributes;
	*queue = *attributes->task_queue;
	if (strcmp(*own_queue(queue), run->task_queue) == 0)
		*own_queue(queue) = "";
	attributes->task_queue = queue;
	event->workflow_task_scheduled_event_attributes = attributes;
}

static void
restore_scheduled(Pb__HistoryEvent *event, const EventRun *run)
{
	Pb__TaskQueue *queue = event->workflow_task_scheduled_event_attributes->task_queue;

	if (queue != NULL && (*own_queue(queue))[0] == '\0')
		*own_queue(queue) = run->task_queue;
}

Pb__HistoryEvent *
event_strip(const Pb__HistoryEvent *event, const EventRun *run)
{
	Pb__HistoryEvent *copy = palloc(sizeof(*copy));

	event_narrow(copy, event);
	if (event->event_type == EVENT(WORKFLOW_EXECUTION_STARTED))
		strip_started(copy, run);
	else if (event->event_type == EVENT(WORKFLOW_TASK_SCHEDULED))
		strip_scheduled(copy, run);
	return copy;
}

/* The bytes may be anybody's, so that type and attributes differ. */
void
event_restore(Pb__HistoryEvent *event, const EventRun *run)
{
	if (event->event_type == EVENT(WORKFLOW_EXECUTION_STARTED) &&
		event->attributes_case == PB__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES)
		restore_started(event, run);
	else if (event->event_type == EVENT(WORKFLOW_TASK_SCHEDULED) &&
			 event->attributes_case == PB__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES)
		restore_scheduled(event, run);
}
