/*
 * options.h
 *	  Timeouts and retry policy of an activity, as arguments.
 */
#ifndef TEMPORAL_EXEC_OPTIONS_H
#define TEMPORAL_EXEC_OPTIONS_H

#include "fmgr.h"
#include "proto/activity.pb-c.h"

/*
 * From argument "first" on: start_to_close_timeout, schedule_to_close_timeout,
 * schedule_to_start_timeout, heartbeat_timeout, initial_interval,
 * backoff_coefficient, maximum_interval, maximum_attempts,
 * non_retryable_error_types.  NULL: not said.
 */
#define OPTIONS_COUNT 9

extern Pb__ActivityOptions *options_arguments(FunctionCallInfo fcinfo, int first);

/* Its last five; NULL if none of them is set. */
extern Pb__RetryPolicy *options_retry_policy(FunctionCallInfo fcinfo, int first);

/* An error if there is something wrong with it. */
extern void options_check(const Pb__ActivityOptions *options);
extern void options_check_policy(const Pb__RetryPolicy *policy);

/* Fills in what "options" (the policy) do not say. */
extern void options_default_policy(Pb__RetryPolicy *policy, const Pb__RetryPolicy *otherwise);
extern void options_default(Pb__ActivityOptions *options, const Pb__ActivityOptions *otherwise);

#endif							/* TEMPORAL_EXEC_OPTIONS_H */
