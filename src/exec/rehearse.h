/*
 * rehearse.h
 *	  What stands in for activities in a test.
 */
#ifndef TEMPORAL_EXEC_REHEARSE_H
#define TEMPORAL_EXEC_REHEARSE_H

#include "exec/function.h"

typedef struct Mock
{
	const char *activity;
	Value		result;
	const char *error;			/* NULL: it succeeds */
	bool		non_retryable;
} Mock;

/* What stands in for an activity in this transaction; NULL: nothing. */
extern const Mock *mock_find(const char *activity);

/* Its result; raises its error. */
extern Value mock_result(const Mock *mock);

#endif							/* TEMPORAL_EXEC_REHEARSE_H */
