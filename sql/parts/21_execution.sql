-- Workflow executions: one row for who is current, one for what lists show,
-- one hot row while a run is open.
--
-- Columns are in the order that leaves little padding between them; the store
-- writes whole rows, in this order.

CREATE TABLE temporal.current_execution (
	shard smallint,
	namespace_id uuid,
	workflow_id text COLLATE "C",
	run_id uuid NOT NULL,
	PRIMARY KEY (shard, namespace_id, workflow_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE temporal.current_execution IS 'The latest run of each workflow id: what makes "at most one open run" true.';
COMMENT ON COLUMN temporal.current_execution.shard IS 'Hash of namespace and workflow id, modulo the shard count';
COMMENT ON COLUMN temporal.current_execution.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.current_execution.workflow_id IS 'Workflow id';
COMMENT ON COLUMN temporal.current_execution.run_id IS 'Latest run';

-- What changes when a run closes comes first: the log has of an update what is
-- before an end that stays.
CREATE TABLE temporal.execution (
	close_time timestamptz,
	history_size bigint,
	history_length integer,
	transition_count integer,
	status smallint NOT NULL,
	shard smallint,
	start_time timestamptz NOT NULL,
	execution_time timestamptz NOT NULL,
	namespace_id uuid NOT NULL,
	run_id uuid,
	first_run_id uuid,
	parent_run_id uuid,
	root_run_id uuid,
	workflow_id text COLLATE "C",
	workflow_type text COLLATE "C" NOT NULL,
	task_queue text COLLATE "C" NOT NULL,
	parent_workflow_id text COLLATE "C",
	root_workflow_id text COLLATE "C",
	memo bytea,
	search_attributes bytea,
	-- In this order, because people look for a workflow id.
	PRIMARY KEY (workflow_id, run_id, shard)
) WITH (fillfactor = 80);
CREATE INDEX execution_close_time ON temporal.execution (namespace_id, close_time, start_time);
COMMENT ON TABLE temporal.execution IS 'One row a run, written at start, at close and when memo or search attributes change: what lists read.';
COMMENT ON COLUMN temporal.execution.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.execution.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.execution.run_id IS 'Run id, a UUID of version 7';
COMMENT ON COLUMN temporal.execution.workflow_id IS 'Workflow id';
COMMENT ON COLUMN temporal.execution.status IS 'WorkflowExecutionStatus';
COMMENT ON COLUMN temporal.execution.start_time IS 'When the run was started';
COMMENT ON COLUMN temporal.execution.execution_time IS 'Start time plus the backoff of the first workflow task';
COMMENT ON COLUMN temporal.execution.close_time IS 'When the run closed; NULL while it is open';
COMMENT ON COLUMN temporal.execution.history_length IS 'Number of events, known once the run has closed';
COMMENT ON COLUMN temporal.execution.history_size IS 'Bytes of history, known once the run has closed';
COMMENT ON COLUMN temporal.execution.transition_count IS 'Committed transitions, known once the run has closed';
COMMENT ON COLUMN temporal.execution.workflow_type IS 'Workflow type name';
COMMENT ON COLUMN temporal.execution.task_queue IS 'Task queue of its workflow tasks';
COMMENT ON COLUMN temporal.execution.first_run_id IS 'First run of the chain; NULL if it is this one';
COMMENT ON COLUMN temporal.execution.parent_workflow_id IS 'Workflow id of the parent, if there is one';
COMMENT ON COLUMN temporal.execution.parent_run_id IS 'Run id of the parent, if there is one';
COMMENT ON COLUMN temporal.execution.root_workflow_id IS 'Workflow id of the top-most ancestor; NULL if that is this run';
COMMENT ON COLUMN temporal.execution.root_run_id IS 'Run id of the top-most ancestor; NULL if that is this run';
COMMENT ON COLUMN temporal.execution.memo IS 'Memo: a protobuf Memo message';
COMMENT ON COLUMN temporal.execution.search_attributes IS 'Search attributes: a protobuf SearchAttributes message';

-- No indexed column ever changes, so that updates stay on the page.
CREATE TABLE temporal.execution_state (
	shard smallint,
	namespace_id uuid,
	run_id uuid,
	workflow_id text COLLATE "C" NOT NULL,
	info bytea NOT NULL,
	state bytea NOT NULL,
	PRIMARY KEY (run_id, shard)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE temporal.execution_state IS 'The state of each retained run; whoever changes the run has locked the run id in the lock table (class 3), or this row.';
COMMENT ON COLUMN temporal.execution_state.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.execution_state.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.execution_state.run_id IS 'Run id';
COMMENT ON COLUMN temporal.execution_state.workflow_id IS 'Workflow id';
COMMENT ON COLUMN temporal.execution_state.info IS 'What never changes after the start: a protobuf RunInfo message';
COMMENT ON COLUMN temporal.execution_state.state IS 'What changes: a protobuf RunState message';

CREATE TABLE temporal.pending_activity (
	scheduled_event_id integer,
	run_id uuid,
	namespace_id uuid NOT NULL,
	shard smallint,
	activity_id text COLLATE "C" NOT NULL,
	scheduled bytea,
	state bytea NOT NULL,
	PRIMARY KEY (run_id, scheduled_event_id, shard)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- Many clients name activities after their events: the primary key finds those.
-- Begins otherwise, lest the planner take one of the two for the other.
CREATE UNIQUE INDEX pending_activity_id ON temporal.pending_activity (activity_id, run_id, shard)
	WHERE activity_id <> scheduled_event_id::text;
COMMENT ON TABLE temporal.pending_activity IS 'Activities that have not finished. Starting one locks only its row here.';
COMMENT ON COLUMN temporal.pending_activity.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.pending_activity.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.pending_activity.run_id IS 'Run id';
COMMENT ON COLUMN temporal.pending_activity.scheduled_event_id IS 'Event that scheduled it';
COMMENT ON COLUMN temporal.pending_activity.activity_id IS 'Activity id, unique among the pending ones of a run';
COMMENT ON COLUMN temporal.pending_activity.scheduled IS 'The event that scheduled it: a protobuf HistoryEvent message; NULL if it is to be read from temporal.history';
COMMENT ON COLUMN temporal.pending_activity.state IS 'Attempt, times, heartbeat: a protobuf ActivityState message';

CREATE TABLE temporal.pending_timer (
	shard smallint,
	namespace_id uuid,
	run_id uuid,
	timer_id text COLLATE "C",
	started_event_id bigint NOT NULL,
	fire_at timestamptz NOT NULL,
	PRIMARY KEY (run_id, timer_id, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX pending_timer_due ON temporal.pending_timer (run_id, fire_at, started_event_id);
COMMENT ON TABLE temporal.pending_timer IS 'User timers that have not fired.';
COMMENT ON COLUMN temporal.pending_timer.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.pending_timer.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.pending_timer.run_id IS 'Run id';
COMMENT ON COLUMN temporal.pending_timer.timer_id IS 'Timer id, unique among the pending ones of a run';
COMMENT ON COLUMN temporal.pending_timer.started_event_id IS 'Event that started it';
COMMENT ON COLUMN temporal.pending_timer.fire_at IS 'When it is due';

CREATE TABLE temporal.pending_external (
	shard smallint,
	namespace_id uuid,
	run_id uuid,
	initiated_event_id bigint,
	kind smallint NOT NULL,
	request_id text COLLATE "C" NOT NULL,
	PRIMARY KEY (run_id, initiated_event_id, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE temporal.pending_external IS 'Signals and cancel requests to other workflows that have no outcome yet.';
COMMENT ON COLUMN temporal.pending_external.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.pending_external.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.pending_external.run_id IS 'Run id';
COMMENT ON COLUMN temporal.pending_external.initiated_event_id IS 'Event that initiated it';
COMMENT ON COLUMN temporal.pending_external.kind IS '1 signal, 2 cancel request';
COMMENT ON COLUMN temporal.pending_external.request_id IS 'Makes the delivery idempotent';

CREATE TABLE temporal.buffered_event (
	shard smallint,
	namespace_id uuid,
	run_id uuid,
	position bigint,
	event bytea NOT NULL,
	PRIMARY KEY (run_id, position, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE temporal.buffered_event IS 'Events that arrived while a workflow task is started and have no id yet.';
COMMENT ON COLUMN temporal.buffered_event.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.buffered_event.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.buffered_event.run_id IS 'Run id';
COMMENT ON COLUMN temporal.buffered_event.position IS 'Order of arrival';
COMMENT ON COLUMN temporal.buffered_event.event IS 'A protobuf HistoryEvent message';

CREATE TABLE temporal.signal_request (
	shard smallint,
	namespace_id uuid,
	run_id uuid,
	request_id text COLLATE "C",
	PRIMARY KEY (run_id, request_id, shard)
);
COMMENT ON TABLE temporal.signal_request IS 'Request ids of signals that were delivered; kept as long as the run.';
COMMENT ON COLUMN temporal.signal_request.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.signal_request.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.signal_request.run_id IS 'Run id';
COMMENT ON COLUMN temporal.signal_request.request_id IS 'Request id given by the sender';
