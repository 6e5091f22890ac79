/*
 * transition.h
 *	  What one decision does: the events it appends and the rows it changes.
 *
 * A Transition is built by the decide functions and written by the store.
 * Events change the state as they are appended, so that the second command of
 * a completion sees what the first one did; a decision that turns out to be
 * refused is thrown away together with the state it changed.
 */
#ifndef TEMPORAL_CORE_TRANSITION_H
#define TEMPORAL_CORE_TRANSITION_H

#include "core/state.h"

typedef enum OpKind
{
	OP_ADD,
	OP_REMOVE
} OpKind;

/* A row of "task". */
typedef struct TaskOp
{
	OpKind		op;
	int			kind;			/* TaskQueueType */
	const char *queue;
	int			priority;
	TimestampTz created_at;
	int64		event_id;
	int32		stamp;
} TaskOp;

typedef enum TimerKind
{
	TIMER_RUN = 1,
	TIMER_ACTIVITY = 2,
	TIMER_RETENTION = 3
} TimerKind;

/* A row of "timer". */
typedef struct TimerOp
{
	OpKind		op;
	TimerKind	kind;
	TimestampTz fire_at;
	int64		event_id;
} TimerOp;

/* A change of the memo or of the search attributes; no payload: removed. */
typedef struct FieldChange
{
	const char *name;
	Pb__Payload *payload;
} FieldChange;

typedef struct Transition
{
	ExecutionState *state;
	TimestampTz now;
	List	   *kept;			/* of Pb__HistoryEvent: not stored before */
	List	   *events;			/* of Pb__HistoryEvent: those kept, and new ones */
	List	   *tasks;			/* of TaskOp */
	List	   *timers;			/* of TimerOp */
	List	   *outbox;			/* of Pb__HistoryEvent: initiated events */
	List	   *memo;			/* of FieldChange */
	List	   *search_attributes;	/* of FieldChange */
	const char *signal_request_id;	/* to remember, if any */
	List	   *eager;			/* of PendingActivity started for the caller */
	bool		offer_task;		/* a workflow task wants a poller */
	bool		force_task;		/* a workflow task is due after this completion */
	bool		sticky_gone;	/* nobody polls the sticky queue any more */
	bool		closed;			/* this transition ends the run */
	bool		starts_within;	/* activities start in a transition of their run */
} Transition;

/* Limits that tests lower; the defaults are Temporal's. */
typedef struct CoreLimits
{
	int64		history_count;
	int64		history_size;
	int64		suggest_count;
	int64		suggest_size;
	int64		task_heartbeat;
} CoreLimits;

extern Transition *transition_new(ExecutionState *state, TimestampTz now);
extern Pb__HistoryEvent *transition_append(Transition *transition, Pb__HistoryEvent *event);
extern void transition_flush_buffer(Transition *transition);
extern bool transition_changes(const Transition *transition);
extern void transition_add_timer(Transition *transition, TimerKind kind, TimestampTz fire_at,
								 int64 event_id);
extern void transition_remove_timer(Transition *transition, TimerKind kind, TimestampTz fire_at,
									int64 event_id);
extern void transition_add_task(Transition *transition, int kind, const char *queue, int priority,
								TimestampTz created_at, int64 event_id, int32 stamp);
extern void transition_remove_task(Transition *transition, int kind, const char *queue,
								   int priority, TimestampTz created_at, int64 event_id);
extern void transition_set_search_attribute(Transition *transition, const char *name,
											Pb__Payload *payload);

/*
 * Makes the transition ready to be written: buffer, offers and deadlines.
 * "next_user_timer" is the earliest pending user timer that is not loaded, or
 * 0; it matters only when the run's deadline has just fired.
 */
extern void transition_close(Transition *transition, TimestampTz next_user_timer);

/* Names the limit that the run has passed, or NULL. */
extern const char *transition_over_limit(const Transition *transition, const CoreLimits *limits);

#endif							/* TEMPORAL_CORE_TRANSITION_H */
