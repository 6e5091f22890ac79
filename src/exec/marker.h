/*
 * marker.h
 *	  Markers: what workflow functions record that is no event of its own.
 *
 * Names and details are those of Temporal's SDKs, so that a worker in another
 * language understands them.
 */
#ifndef TEMPORAL_EXEC_MARKER_H
#define TEMPORAL_EXEC_MARKER_H

#include "exec/pass.h"

/* A command that records a marker, "data" being JSON. */
extern Pb__Command *marker_patch(const char *id);
extern Pb__Command *marker_step(int number, const Step *step, TimestampTz time);

/* The id of a patch, the type of a local activity; "" if it is neither. */
extern const char *marker_command_about(const Pb__RecordMarkerCommandAttributes *attributes);
extern const char *marker_event_about(const Pb__MarkerRecordedEventAttributes *attributes);

extern bool marker_is_patch(const Pb__HistoryEvent *event);
extern bool marker_is_step(const Pb__HistoryEvent *event, const char *name);
/* The value of a side effect, as it was the first time. */
extern Pb__Command *marker_side_effect(int number, Pb__Payloads *value);
extern const Pb__Payloads *marker_value(const Pb__MarkerRecordedEventAttributes *attributes);

/* Of a step that has failed: how long to wait for the next attempt; 0: there is none. */
extern int64 marker_backoff(const Pb__MarkerRecordedEventAttributes *attributes);
extern const Pb__Payloads *marker_result(const Pb__MarkerRecordedEventAttributes *attributes);

#endif							/* TEMPORAL_EXEC_MARKER_H */
