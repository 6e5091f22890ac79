/*
 * errors.h
 *	  SQLSTATEs of the extension.
 *
 * Class TW: a request failed.  The third character is the gRPC status as one
 * digit (0-9, then A-G), so that the gRPC server needs no table.  Class TF: a
 * workflow, activity or child failed; these are results, not request errors.
 */
#ifndef TEMPORAL_BASE_ERRORS_H
#define TEMPORAL_BASE_ERRORS_H

#include "utils/elog.h"

#define TW_STATE(status, c4, c5) MAKE_SQLSTATE('T', 'W', status, c4, c5)

/* 3: invalid argument */
#define ERRCODE_TEMPORAL_INVALID_ARGUMENT TW_STATE('3', '0', '0')
#define ERRCODE_TEMPORAL_BAD_WIRE TW_STATE('3', '0', '1')
#define ERRCODE_TEMPORAL_BAD_JSON TW_STATE('3', '0', '2')
#define ERRCODE_TEMPORAL_BAD_COMMAND TW_STATE('3', '0', '3')
#define ERRCODE_TEMPORAL_LIMIT_EXCEEDED TW_STATE('3', '0', '4')
/* 5: not found */
#define ERRCODE_TEMPORAL_NOT_FOUND TW_STATE('5', '0', '0')
#define ERRCODE_TEMPORAL_NAMESPACE_NOT_FOUND TW_STATE('5', '0', '1')
#define ERRCODE_TEMPORAL_EXECUTION_CLOSED TW_STATE('5', '0', '2')
#define ERRCODE_TEMPORAL_TASK_NOT_FOUND TW_STATE('5', '0', '3')
/* 6: already exists */
#define ERRCODE_TEMPORAL_ALREADY_STARTED TW_STATE('6', '0', '0')
#define ERRCODE_TEMPORAL_NAMESPACE_EXISTS TW_STATE('6', '0', '1')
/* 7: permission denied */
#define ERRCODE_TEMPORAL_PERMISSION_DENIED TW_STATE('7', '0', '0')
/* 8: resource exhausted */
#define ERRCODE_TEMPORAL_BUSY_WORKFLOW TW_STATE('8', '0', '0')
/* 9: failed precondition */
#define ERRCODE_TEMPORAL_FAILED_PRECONDITION TW_STATE('9', '0', '0')
#define ERRCODE_TEMPORAL_NOT_ADOPTED TW_STATE('9', '0', '1')
#define ERRCODE_TEMPORAL_STILL_RUNNING TW_STATE('9', '0', '2')
/* C: unimplemented */
#define ERRCODE_TEMPORAL_UNIMPLEMENTED TW_STATE('C', '0', '0')
/* E: unavailable */
#define ERRCODE_TEMPORAL_UNAVAILABLE TW_STATE('E', '0', '0')

/* What workflow code looks for by "WHEN SQLSTATE"; class TF, too. */
#define ERRCODE_TEMPORAL_APPLICATION_FAILURE MAKE_SQLSTATE('T', 'F', '0', '1', '0')
#define ERRCODE_TEMPORAL_ACTIVITY_FAILED MAKE_SQLSTATE('T', 'F', '0', '1', '1')
#define ERRCODE_TEMPORAL_ACTIVITY_CANCELED MAKE_SQLSTATE('T', 'F', '0', '1', '2')
#define ERRCODE_TEMPORAL_ACTIVITY_TIMED_OUT MAKE_SQLSTATE('T', 'F', '0', '1', '4')
#define ERRCODE_TEMPORAL_CANCEL_REQUESTED MAKE_SQLSTATE('T', 'F', '0', '2', '0')

/* Results that are failures, raised by temporal.workflow_result() and kin. */
#define ERRCODE_TEMPORAL_WORKFLOW_FAILED MAKE_SQLSTATE('T', 'F', '0', '0', '1')
#define ERRCODE_TEMPORAL_WORKFLOW_CANCELED MAKE_SQLSTATE('T', 'F', '0', '0', '2')
#define ERRCODE_TEMPORAL_WORKFLOW_TERMINATED MAKE_SQLSTATE('T', 'F', '0', '0', '3')
#define ERRCODE_TEMPORAL_WORKFLOW_TIMED_OUT MAKE_SQLSTATE('T', 'F', '0', '0', '4')
#define ERRCODE_TEMPORAL_WORKFLOW_CONTINUED MAKE_SQLSTATE('T', 'F', '0', '0', '5')

#endif							/* TEMPORAL_BASE_ERRORS_H */
