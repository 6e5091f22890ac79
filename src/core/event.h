/*
 * event.h
 *	  Events: making them, and what kind of event each type is.
 */
#ifndef TEMPORAL_CORE_EVENT_H
#define TEMPORAL_CORE_EVENT_H

#include "datatype/timestamp.h"
#include "proto/history.pb-c.h"

/* Short names for the constants that protobuf-c makes. */
#define EVENT(name) PB__EVENT_TYPE__EVENT_TYPE_##name
#define STATUS(name) PB__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name
#define CAUSE(name) PB__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name
#define TIMEOUT_TYPE(name) PB__TIMEOUT_TYPE__TIMEOUT_TYPE_##name
#define RETRY_STATE(name) PB__RETRY_STATE__RETRY_STATE_##name
#define QUEUE_KIND(name) PB__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##name
#define QUEUE_TYPE(name) PB__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_##name

/* An event of "type" with empty attributes, which *attributes points to. */
extern Pb__HistoryEvent *event_new(Pb__EventType type, TimestampTz time, void *attributes);

/* The attributes of an event, of the type that belongs to its event type. */
extern void *event_attributes(const Pb__HistoryEvent *event);

/* Gets its id only when no workflow task is started. */
extern bool event_is_buffered(Pb__EventType type);

/* Is moved behind the other buffered events when the buffer is flushed. */
extern bool event_is_finish(Pb__EventType type);

/* Ends the run. */
extern bool event_closes(Pb__EventType type);

/* A shallow copy that is packed more quickly, and fit for nothing else. */
extern void event_narrow(Pb__HistoryEvent *narrow, const Pb__HistoryEvent *event);

/* Its packed size, in bytes. */
extern size_t event_size(const Pb__HistoryEvent *event);

/* "ActivityTaskScheduled" for EVENT_TYPE_ACTIVITY_TASK_SCHEDULED. */
extern char *event_type_name(Pb__EventType type);

/* "Abc" of the value's name without its enum's prefix: CamelCase, palloc'd. */
extern char *enum_short_name(const ProtobufCEnumDescriptor *descriptor, int value);

/* What events say of their run again and again. */
typedef struct EventRun
{
	const char *workflow_id;
	const char *run_id;
	const char *task_queue;
} EventRun;

/*
 * A run's first event names the run itself several times, and those that
 * schedule its workflow tasks name its queue; they are stored without that.
 * event_strip() returns a copy, only to be packed; event_restore() changes
 * "event".  Of any other event both leave everything as it is.
 */
extern Pb__HistoryEvent *event_strip(const Pb__HistoryEvent *event, const EventRun *run);
extern void event_restore(Pb__HistoryEvent *event, const EventRun *run);

#endif							/* TEMPORAL_CORE_EVENT_H */
