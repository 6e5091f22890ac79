/*
 * decide.h
 *	  What happens to an execution: one function a cause.
 *
 * All of these are pure: time, identifiers and settings are arguments.  They
 * append to a Transition and thereby change its state; none looks at a table.
 */
#ifndef TEMPORAL_CORE_DECIDE_H
#define TEMPORAL_CORE_DECIDE_H

#include "base/session.h"
#include "core/transition.h"
#include "proto/command.pb-c.h"
#include "proto/service.pb-c.h"

#define BLOB_LIMIT (2 * 1024 * 1024)
#define ID_LIMIT 1000
/* How much of a failure above BLOB_LIMIT is kept, as the cause of another. */
#define OVERSIZED_CAUSE_LIMIT (512 * 1024)
#define HISTORY_SERVICE "history-service"

/* Why a command was refused. */
typedef struct CommandError
{
	Pb__WorkflowTaskFailedCause cause;
	const char *message;
	bool		terminate;		/* the run is terminated, not only its task failed */
} CommandError;

typedef struct AttributeType
{
	const char *name;
	int			type;			/* IndexedValueType */
} AttributeType;

typedef struct CommandContext
{
	int64		completed_event_id;
	int			unseen;			/* events that the worker did not know of */
	const char *identity;
	const char *namespace_name;
	List	   *attribute_types;	/* of AttributeType: the custom ones */
	const Pb__Memo *memo;		/* before the commands; loaded if one changes it */
	const Pb__SearchAttributes *search_attributes;
} CommandContext;

/* ---- retry.c ---- */

typedef struct RetryDecision
{
	Pb__RetryState state;
	int64		interval;
} RetryDecision;

extern const char *core_check_retry_policy(const Pb__RetryPolicy *policy);
extern Pb__RetryPolicy *core_fill_retry_policy(const Pb__RetryPolicy *policy);
extern int64 core_retry_interval(const Pb__RetryPolicy *policy, int attempt);
extern RetryDecision core_decide_retry(const Pb__RetryPolicy *policy, int attempt,
									   const Pb__Failure *failure, TimestampTz now,
									   TimestampTz expiration);

/* ---- dispatch.c ---- */

extern const char *core_check_task_queue(const char *name);
extern int	core_priority_key(const Pb__Priority *priority);
extern const char *core_check_priority(const Pb__Priority *priority);
extern Pb__Priority *core_merge_priority(const Pb__Priority *outer, const Pb__Priority *own);

/* ---- decide_workflow_task.c ---- */

extern void core_want_workflow_task(Transition *transition);
extern void core_schedule_workflow_task(Transition *transition);
extern void core_start_workflow_task(Transition *transition, const char *queue,
									 const char *request_id, const char *identity,
									 const CoreLimits *limits);
extern int64 core_complete_workflow_task(Transition *transition,
										 const Pb__RespondWorkflowTaskCompletedRequest *request);

/* Why a workflow task failed, and what is known of the worker that had it. */
typedef struct TaskFailure
{
	Pb__WorkflowTaskFailedCause cause;
	const Pb__Failure *failure;
	const char *identity;
	const char *binary_checksum;	/* NULL: not known */
	Pb__WorkerVersionStamp *worker_version;
} TaskFailure;

extern void core_fail_workflow_task(Transition *transition, const TaskFailure *failed);
extern void core_time_out_workflow_task(Transition *transition, Pb__TimeoutType type);
extern bool core_heartbeat_expired(const ExecutionState *state, TimestampTz now,
								   const Pb__RespondWorkflowTaskCompletedRequest *request,
								   const CoreLimits *limits);
extern void core_bind_workflow_task(Transition *transition, const SessionId *id);
extern bool core_fire_workflow_task_timer(Transition *transition, bool session_gone);
extern List *core_virtual_events(const ExecutionState *state);
extern int64 core_kept_event_id(const ExecutionState *state);
extern List *core_kept_events(const ExecutionState *state);
extern void core_clear_sticky(ExecutionState *state);

/* ---- command.c ---- */

extern bool core_check_command_order(const Pb__RespondWorkflowTaskCompletedRequest *request,
									 const char **message);
extern bool core_execute_command(Transition *transition, const Pb__Command *command,
								 CommandContext *context, CommandError *error);
extern bool command_refuse(CommandError *error, Pb__WorkflowTaskFailedCause cause,
						   const char *message);
extern Pb__HistoryEvent *command_event(const Transition *transition, const Pb__Command *command,
									   Pb__EventType type, void *attributes);

/* ---- decide_activity.c ---- */

extern bool core_schedule_activity(Transition *transition, const Pb__Command *command,
								   CommandContext *context, CommandError *error);
extern bool core_request_cancel_activity(Transition *transition, const Pb__Command *command,
										 CommandContext *context, CommandError *error);
extern void core_start_activity_within(Transition *transition, PendingActivity *activity,
									   const char *request_id, const char *identity);
extern void core_start_activity(Transition *transition, PendingActivity *activity,
								const char *request_id, const char *identity);
extern void core_complete_activity(Transition *transition, PendingActivity *activity,
								   const Pb__Payloads *result, const char *identity);
extern Pb__RetryState core_fail_activity(Transition *transition, PendingActivity *activity,
										 const Pb__Failure *failure, const char *identity);
extern void core_cancel_activity(Transition *transition, PendingActivity *activity,
								 const Pb__Payloads *details, const char *identity);
extern void core_heartbeat_activity(Transition *transition, PendingActivity *activity,
									const Pb__Payloads *details);
extern void core_note_heartbeat(PendingActivity *activity, const Pb__Payloads *details,
								TimestampTz time);
extern void core_bind_activity(Transition *transition, PendingActivity *activity,
							   const SessionId *id);
extern void core_unbind_activity(Transition *transition, PendingActivity *activity);
extern bool core_fire_activity_timer(Transition *transition, PendingActivity *activity,
									 bool session_gone);
extern bool core_activity_deadline(const PendingActivity *activity, TimestampTz *deadline,
								   Pb__TimeoutType *type);
extern bool core_activity_has_timeouts(const PendingActivity *activity, TimestampTz now);

typedef struct ActivityTimeouts
{
	int64		schedule_to_close;
	int64		schedule_to_start;
	int64		start_to_close;
	int64		heartbeat;
} ActivityTimeouts;

extern void activity_normalise(ActivityTimeouts *timeouts, int64 run_timeout);

/* ---- activity_control.c: offers, deadlines, operator controls ---- */

extern void core_pause_activity(Transition *transition, PendingActivity *activity,
								const char *identity, const char *reason, const char *request_id);
extern void core_unpause_activity(Transition *transition, PendingActivity *activity,
								  bool reset_attempts, bool reset_heartbeat, int64 jitter);
extern void core_reset_activity(Transition *transition, PendingActivity *activity,
								bool reset_heartbeat, bool keep_paused, bool restore_options,
								int64 jitter);
extern void activity_redispatch(Transition *transition, PendingActivity *activity,
								TimestampTz dispatch_at);
extern void activity_withdraw(Transition *transition, PendingActivity *activity);
extern void activity_offer_taken(PendingActivity *activity, TimestampTz created_at);
extern void activity_arm(Transition *transition, PendingActivity *activity);
extern void activity_clear_pause(Transition *transition, PendingActivity *activity);
extern void activity_forget_heartbeat(PendingActivity *activity);

/* ---- activity_options.c ---- */

extern const char *core_update_activity_options(Transition *transition, PendingActivity *activity,
												const Pb__ActivityOptions *options,
												const Pb__FieldMask *mask, bool restore);
extern Pb__ActivityOptions *core_activity_options(const PendingActivity *activity);
extern void activity_restore_options(PendingActivity *activity);

/* ---- decide_timer.c ---- */

extern bool core_start_timer(Transition *transition, const Pb__Command *command,
							 CommandContext *context, CommandError *error);
extern bool core_cancel_timer(Transition *transition, const Pb__Command *command,
							  CommandContext *context, CommandError *error);
extern void core_fire_timer(Transition *transition, PendingTimer *timer);

/* ---- decide_marker.c: markers, search attributes, memo ---- */

extern bool core_record_marker(Transition *transition, const Pb__Command *command,
							   CommandContext *context, CommandError *error);
extern bool core_upsert_search_attributes(Transition *transition, const Pb__Command *command,
										  CommandContext *context, CommandError *error);
extern bool core_modify_properties(Transition *transition, const Pb__Command *command,
								   CommandContext *context, CommandError *error);
extern const char *core_check_search_attributes(const Pb__SearchAttributes *attributes,
												const List *types);

extern const char *core_check_search_attribute_sizes(const Pb__SearchAttributes *attributes);
extern Pb__SearchAttributes *core_type_search_attributes(const Pb__SearchAttributes *attributes,
														 const List *types);
extern Pb__Payload *core_keyword_list(const char *json);
extern List *core_system_attributes(void);

/* ---- merge.c ---- */

extern Pb__Memo *core_merge_memo(const Pb__Memo *memo, const List *changes);
extern Pb__Memo *core_merge_search_attributes(const Pb__SearchAttributes *attributes,
											  const List *changes);

/* ---- attribute_value.c ---- */

extern bool core_attribute_value_fits(const Pb__Payload *payload, int type);
extern bool core_attribute_removed(const Pb__Payload *payload);

/* ---- decide_external.c ---- */

extern bool core_signal_external(Transition *transition, const Pb__Command *command,
								 CommandContext *context, CommandError *error);
extern bool core_cancel_external(Transition *transition, const Pb__Command *command,
								 CommandContext *context, CommandError *error);
extern void core_resolve_external_signal(Transition *transition, const Pb__HistoryEvent *initiated,
										 int failed_cause);
extern void core_resolve_external_cancel(Transition *transition, const Pb__HistoryEvent *initiated,
										 int failed_cause);

/* ---- decide_lifecycle.c ---- */

typedef struct StartParameters
{
	const Pb__StartWorkflowExecutionRequest *request;	/* normalised */
	bool		eager;
} StartParameters;

typedef struct CancelParameters
{
	const char *cause;
	const char *identity;
	const Pb__WorkflowExecution *external;	/* NULL: not asked for by a workflow */
	int64		external_event_id;
	size_t		n_links;
	Pb__Link  **links;
} CancelParameters;

extern void core_start_execution(Transition *transition, const StartParameters *parameters);
extern bool core_close_by_command(Transition *transition, const Pb__Command *command,
								  CommandContext *context, CommandError *error);
extern void core_terminate(Transition *transition, const char *reason,
						   const Pb__Payloads *details, const char *identity,
						   size_t n_links, Pb__Link **links);
extern void core_request_cancel(Transition *transition, const CancelParameters *cancel);
extern void core_attach_request(Transition *transition, const char *request_id,
								const char *identity, size_t n_links, Pb__Link **links,
								bool record_event);
extern bool core_fire_run_timer(Transition *transition, bool session_gone);

/* ---- decide_signal.c ---- */

typedef struct SignalParameters
{
	const char *name;
	const Pb__Payloads *input;
	const Pb__Header *header;
	const char *identity;
	const char *request_id;
	const Pb__WorkflowExecution *external;
	size_t		n_links;
	Pb__Link  **links;
	bool		skips_backoff;
} SignalParameters;

extern void core_signal(Transition *transition, const SignalParameters *signal);

/* ---- session.c ---- */

#define SESSION_GONE "session of the worker has ended"

extern Pbi__Session *core_session(const SessionId *id, TimestampTz now);
extern TimestampTz core_session_due(const Pbi__Session *session);
extern void core_session_seen(Pbi__Session *session, TimestampTz now);

/* ---- failure.c ---- */

extern Pb__Failure *core_server_failure(const char *message, bool non_retryable);
extern Pb__Failure *core_timeout_failure(const char *message, Pb__TimeoutType type,
										 const Pb__Payloads *heartbeat_details,
										 const Pb__Failure *cause);
extern Pb__Failure *core_clamp_failure(const Pb__Failure *failure);
extern Pb__Failure *core_shorten_failure(const Pb__Failure *failure, size_t limit);
extern Pb__Payload *core_text_payload(const char *text);
extern Pb__Payload *core_json_payload(const char *json);
extern Pb__Payloads *core_payloads(Pb__Payload *payload);

/* ---- compact.c: as it is stored ---- */

extern Pbi__RunInfo *core_compact_info(const ExecutionState *state);
extern void core_expand_info(ExecutionState *state);
extern Pbi__WorkflowTask *core_compact_task(const Pbi__RunInfo *info, const Pbi__RunState *run);
extern void core_expand_task(const Pbi__RunInfo *info, Pbi__RunState *run);
extern void core_scheduled_options(const Pb__HistoryEvent *event, Pbi__ActivityState *state);
extern Pbi__ActivityState *core_compact_activity(const PendingActivity *activity);
extern void core_expand_activity(const Pb__HistoryEvent *scheduled, Pbi__ActivityState *state);

#endif							/* TEMPORAL_CORE_DECIDE_H */
