/*
 * argument.h
 *	  Arguments of SQL functions that may be NULL.
 */
#ifndef TEMPORAL_BASE_ARGUMENT_H
#define TEMPORAL_BASE_ARGUMENT_H

#include "datatype/timestamp.h"
#include "fmgr.h"

/* An error in a read-only transaction, with a hint on a standby. */
extern void argument_prevent_read_only(const char *what);

/* A text; "otherwise" (or "") if it is NULL. */
extern char *argument_text(FunctionCallInfo fcinfo, int argument, const char *otherwise);

/* Who calls: as given, else the session's role. */
extern char *argument_identity(FunctionCallInfo fcinfo, int argument);

/* Microseconds as EXTRACT(epoch) counts them, within the range; 0 if it is NULL. */
extern int64 argument_interval(FunctionCallInfo fcinfo, int argument);

/* The engine's time that lies an interval ahead; DT_NOEND if it is NULL. */
extern TimestampTz argument_deadline(FunctionCallInfo fcinfo, int argument);

#endif							/* TEMPORAL_BASE_ARGUMENT_H */
