/*
 * time.h
 *	  Between protobuf times and PostgreSQL's, and other small message makers.
 */
#ifndef TEMPORAL_PROTO_TIME_H
#define TEMPORAL_PROTO_TIME_H

#include "datatype/timestamp.h"
#include "proto/google_protobuf.pb-c.h"

/* The longest duration that is told apart from "for ever". */
#define DURATION_MAX (INT64CONST(100) * 365 * USECS_PER_DAY)

extern Pb__Timestamp *proto_timestamp(TimestampTz time);
extern TimestampTz proto_timestamp_us(const Pb__Timestamp *timestamp);
extern Pb__Duration *proto_duration(int64 us);
extern Pb__Duration *proto_duration_or_null(int64 us);
extern int64 proto_duration_us(const Pb__Duration *duration);
extern bool proto_duration_valid(const Pb__Duration *duration);

/* An initialised message of the type that "descriptor" describes. */
extern void *proto_new(const ProtobufCMessageDescriptor *descriptor);

/* The string, or NULL if it is absent or empty. */
#define proto_string(s) ((s) != NULL && (s)[0] != '\0' ? (s) : NULL)

#endif							/* TEMPORAL_PROTO_TIME_H */
