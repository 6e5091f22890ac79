/*
 * state.h
 *	  The state of one execution in memory.
 *
 * An ExecutionState holds the run's own state, and of its pending activities,
 * timers and external requests those that the request at hand names: whoever
 * loads it decides which.  core_apply() is the only code that turns an event
 * into a change of state; what no event records (attempts, heartbeats, offers)
 * is changed by the decide functions of the same layer.
 */
#ifndef TEMPORAL_CORE_STATE_H
#define TEMPORAL_CORE_STATE_H

#include "base/ident.h"
#include "core/event.h"
#include "nodes/pg_list.h"
#include "proto/internal.pb-c.h"

typedef enum RowChange
{
	ROW_UNCHANGED,
	ROW_INSERTED,
	ROW_UPDATED,
	ROW_DELETED,
	ROW_ABSENT					/* inserted and deleted again: nothing to write */
} RowChange;

typedef struct PendingActivity
{
	int64		scheduled_event_id;
	const char *activity_id;
	Pb__HistoryEvent *scheduled;
	Pbi__ActivityState *state;
	RowChange	change;
	bool		taken;			/* its row is deleted already */
} PendingActivity;

typedef struct PendingTimer
{
	const char *timer_id;
	int64		started_event_id;
	TimestampTz fire_at;
	RowChange	change;
} PendingTimer;

typedef enum ExternalKind
{
	EXTERNAL_SIGNAL = 1,
	EXTERNAL_CANCEL = 2
} ExternalKind;

typedef struct PendingExternal
{
	int64		initiated_event_id;
	ExternalKind kind;
	const char *request_id;
	RowChange	change;
} PendingExternal;

typedef struct ExecutionState
{
	RunKey		key;
	const char *workflow_id;
	Pbi__RunInfo *info;
	Pbi__RunState *run;
	List	   *activities;		/* of PendingActivity, those loaded */
	List	   *timers;			/* of PendingTimer, those loaded */
	List	   *externals;		/* of PendingExternal, those loaded */
	List	   *buffer;			/* of Pb__HistoryEvent; complete if buffer_loaded */
	int			stored_buffer;	/* how many of them are stored */
	bool		buffer_loaded;
	bool		is_new;
} ExecutionState;

extern ExecutionState *state_new(const RunKey *key, const char *workflow_id);
extern bool state_is_open(const ExecutionState *state);
extern bool state_task_pending(const ExecutionState *state);
extern bool state_task_started(const ExecutionState *state);
extern bool state_is_sticky(const ExecutionState *state);

extern void state_add_activity(ExecutionState *state, PendingActivity *activity);
extern PendingActivity *state_find_activity(const ExecutionState *state, int64 scheduled_event_id);
extern PendingActivity *state_find_activity_id(const ExecutionState *state, const char *activity_id);
extern PendingTimer *state_find_timer(const ExecutionState *state, const char *timer_id);
extern PendingExternal *state_find_external(const ExecutionState *state, int64 initiated_event_id);

extern void row_touch(RowChange *change);
extern void row_delete(RowChange *change);

extern void core_apply(ExecutionState *state, const Pb__HistoryEvent *event);

#endif							/* TEMPORAL_CORE_STATE_H */
